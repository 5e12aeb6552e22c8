import pytest
import torch
from torch import nn

from pixels.pictures import noise
from residua.bundle.schema import Calibration, Preprocess
from residua.pixels.graph import Deployed, Normalize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Means(nn.Module):
    """Logits that are a linear function of each channel's mean."""

    def __init__(self, channels=3):
        super().__init__()
        self.head = nn.Linear(channels, 5)

    def forward(self, x):
        return self.head(x.mean((2, 3)))


def _batch(count=4):
    return torch.stack([torch.from_numpy(noise(32, 24, seed=seed)) for seed in range(count)])


def test_normalize_equals_the_three_steps():
    image = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(2, 16, 16, 3)
    mean, std = (
        torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in (MEAN, STD)
    )
    expected = (image.permute(0, 3, 1, 2).double() / 255 - mean) / std
    ours = Normalize(MEAN, STD)(image)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), expected, atol=1e-6, rtol=0)


def test_normalize_keeps_channels_last():
    ours = Normalize(MEAN, STD)(_batch())
    assert ours.shape == (4, 3, 24, 32)
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_normalize_has_no_weights():
    assert not Normalize(MEAN, STD).state_dict()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_deployed_gives_calibrated_probabilities(task, temperature):
    network = Means()
    calibration = Calibration(temperature=temperature)
    ours = Deployed(network, Preprocess(), calibration, task)(_batch())
    logits = network(Normalize(MEAN, STD)(_batch())) / temperature
    expected = logits.softmax(1) if task == "single-label" else logits.sigmoid()
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, expected)


def test_deployed_gives_float32_whatever_the_network_gives():
    class Half(Means):
        def forward(self, x):
            return super().forward(x).bfloat16()

    assert Deployed(Half(), Preprocess())(_batch()).dtype == torch.float32


def test_deployed_holds_the_network_itself():
    network = Means()
    assert Deployed(network, Preprocess()).network is network


@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("RGBA", 4)], ids=["grey", "RGBA"])
def test_deployed_takes_other_colours(colour, channels):
    preprocess = Preprocess(colour=colour, mean=(0.5,) * channels, std=(0.2,) * channels)
    image = torch.zeros((2, 8, 8, channels), dtype=torch.uint8)
    assert Deployed(Means(channels), preprocess)(image).shape == (2, 5)


@pytest.mark.slow
def test_deployed_is_exported_with_any_batch_size():
    deployed = Deployed(Means(), Preprocess(), Calibration(temperature=2.0)).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(deployed, (_batch(2),), dynamic_shapes=({0: batch},))
    for count in (1, 7):
        images = _batch(count)
        torch.testing.assert_close(exported.module()(images), deployed(images))
