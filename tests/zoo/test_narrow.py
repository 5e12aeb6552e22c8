"""Narrow networks survive the backward pass on a processor, which torch 2.13 alone does not.

In processes of their own: what is written beyond the memory of one may kill it at any later moment.
"""

import subprocess
import sys

import pytest
import torch

from residua.zoo.create import create
from residua.zoo.shortcut import Projection

_TRAIN = """
import sys
import torch
from residua.zoo.create import create

width, half = int(sys.argv[1]), sys.argv[2] == "bf16"
widths = (width, 2 * width, 2 * width, 2 * width)
network = create("ResNet18", widths=widths, num_classes=4, small_images=True, seed=0)
torch.nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
for _ in range(2):
    pictures = torch.randn(20, 3, 80, 80).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = network(pictures).float().square().sum()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "number_format"), [(4, "fp32"), (8, "fp32"), (8, "bf16"), (15, "bf16")]
)
def test_a_narrow_network_trains(width, number_format):
    command = [sys.executable, "-c", _TRAIN, str(width), number_format]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.mark.parametrize("side", [7, 8])
def test_pixels_left_out_beforehand_come_to_the_same(side):
    """Against the convolution with its stride in float64, which oneDNN does not compute."""
    projection = Projection(5, 9, stride=2, average=False)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(3, 5, side, side, generator=generator)
    outer = torch.randn(3, 9, 4, 4, generator=generator)
    found = projection(pictures.contiguous(memory_format=torch.channels_last))
    (found * outer).sum().backward()
    gradient = projection.conv.weight.grad.clone()
    weight = projection.conv.weight.detach().double().requires_grad_()
    plain = torch.nn.functional.conv2d(pictures.double(), weight, stride=2)
    expected = torch.nn.functional.batch_norm(plain, None, None, training=True)
    (expected * outer).sum().backward()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient.double(), weight.grad, rtol=1e-4, atol=1e-4)
    assert weight.grad.abs().min() > 1e-3


def test_nothing_is_left_out_where_nothing_is_learnt():
    network = create("ResNet18", widths=(8, 8, 8, 8), num_classes=2, seed=0)
    conv = network.stages[1][0].shortcut.conv
    pictures = torch.zeros(1, 8, 4, 4)
    assert conv._is_unsafe(pictures, conv.weight)
    assert not conv._is_unsafe(pictures.to("meta"), conv.weight)
    assert not conv._is_unsafe(pictures, conv.weight.detach())
    with torch.no_grad():
        assert not conv._is_unsafe(pictures, conv.weight)
    wide = create("ResNet18", num_classes=2, seed=0).stages[1][0].shortcut.conv
    assert not wide._is_unsafe(torch.zeros(1, 64, 4, 4), wide.weight)
