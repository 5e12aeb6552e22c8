"""Networks run on given tensors, to compare what they compute."""

import numpy as np
import torch

from residua.zoo.resnet import ResNet


def logits(tensors, row, *, size=64):
    """Logits of the network of ``row`` with these tensors for one fixed picture."""
    network = load(tensors, row)
    picture = torch.from_numpy(
        np.random.default_rng(1).standard_normal((2, row.input_channels, size, size), np.float32)
    )
    with torch.inference_mode():
        return network(picture)


def load(tensors, row):
    network = ResNet(row).eval()
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    counters = {k for k in network.state_dict() if k.endswith("num_batches_tracked")}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert set(missing) <= counters
    return network
