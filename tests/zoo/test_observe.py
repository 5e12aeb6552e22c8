"""What is seen on the way to the logits, against hooks on the modules themselves."""

import pytest
import torch

from making import make_network
from residua.base.errors import UnknownNameError


@pytest.mark.parametrize("row", ["ResNet18", "ResNet50_vd", "Res2Net50_26w_4s"])
def test_every_feature_is_what_its_module_gave_out(row):
    network = make_network(row, num_classes=5, widths=(16, 16, 32, 32)).eval()
    seen = {}

    def keep(name):
        return lambda module, given, gave: seen.__setitem__(name, gave)

    network.pool.register_forward_hook(keep("stem"))
    for number, stage in enumerate(network.stages, 1):
        for place, block in enumerate(stage):
            block.register_forward_hook(keep(f"stage{number}.{place}"))
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    names = network.list_features()
    with torch.no_grad():
        expected = network(x)
        logits, features = network.observe(x, names)
    assert torch.equal(logits, expected)
    assert list(features) == names
    for number, depth in enumerate(network.row.depths, 1):
        seen[f"stage{number}"] = seen[f"stage{number}.{depth - 1}"]
    seen["pooled"] = seen["stage4"].mean((2, 3))
    for name in names:
        torch.testing.assert_close(features[name], seen[name])


def test_a_name_that_is_none_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="stage3"):
        make_network("ResNet18").observe(torch.zeros(1, 3, 32, 32), ["stage3.9"])
