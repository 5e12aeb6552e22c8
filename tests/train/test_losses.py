"""The loss against torch's, in values and gradients."""

import math

import pytest
import torch
from torch.nn import functional

from residua.train.losses import cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("soft", [False, True])
def test_loss_and_gradient_are_those_of_torch(smoothing, soft):
    generator = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(16, 7, generator=generator, dtype=torch.float32)).requires_grad_()
    targets = torch.randint(7, (16,), generator=generator)
    if soft:
        targets = torch.rand(16, 7, generator=generator).softmax(1)
    ours = cross_entropy(logits, targets, smoothing=smoothing)
    theirs = functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, logits)[0], torch.autograd.grad(theirs, logits)[0]
    )


def test_even_logits_cost_the_logarithm_of_the_classes():
    loss = cross_entropy(torch.zeros(3, 10), torch.tensor([1, 2, 3]), smoothing=0.3)
    assert loss.item() == pytest.approx(math.log(10))


def test_half_precision_is_computed_in_float32():
    logits = torch.randn(4, 5, dtype=torch.bfloat16)
    loss = cross_entropy(logits, torch.tensor([0, 1, 2, 3]))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(
        loss, functional.cross_entropy(logits.float(), torch.tensor([0, 1, 2, 3]))
    )
