"""The losses of features beside numpy in float64 and numerical gradients."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from residua.distil.compare.features import (
    Adapter,
    AttentionTransfer,
    Likeness,
    MaskedGeneration,
    ProjectorEnsemble,
)

GENERATOR = torch.Generator().manual_seed(3)


def noise(*shape):
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def make(module):
    torch.manual_seed(0)
    made = module().double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def test_mean_square_and_cosine_of_equal_shapes():
    student, teacher = noise(3, 4, 5, 5), noise(3, 4, 5, 5)
    a, b = student.numpy().reshape(3, -1), teacher.numpy().reshape(3, -1)
    np.testing.assert_allclose(Likeness(4, 4, "l2")(student, teacher), ((a - b) ** 2).mean(1))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(Likeness(4, 4, "cosine")(student, teacher), 1 - cosines)
    assert not list(Likeness(4, 4, "l2").parameters())


def test_an_adapter_brings_channels_and_sizes_together():
    adapter = make(lambda: Adapter(3, 5))
    student, teacher = noise(2, 3, 8, 8), noise(2, 5, 4, 4)
    ours, theirs = adapter(student, teacher)
    weight = adapter.project.weight.detach().numpy()[:, :, 0, 0]
    projected = np.einsum("oc,nchw->nohw", weight, student.numpy())
    wanted = projected.reshape(2, 5, 4, 2, 4, 2).mean((3, 5))  # means of 2x2
    np.testing.assert_allclose(ours.detach(), wanted)
    assert theirs is teacher


def test_masked_generation_hides_channels_and_makes_the_teachers():
    loss = MaskedGeneration(3, 3, hidden=0.4).double()
    for convolution in (loss.generate[0], loss.generate[2]):  # both the identity
        nn.init.dirac_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    student, teacher = noise(2, 3, 4, 4), noise(2, 3, 4, 4)
    draws = torch.tensor([[0.1, 0.5, 0.4], [0.9, 0.39, 0.0]], dtype=torch.float64)
    kept = np.array([[0, 1, 1], [1, 0, 0]])[:, :, None, None]
    made = np.maximum(student.numpy() * kept, 0)
    wanted = ((made - teacher.numpy()) ** 2).reshape(2, -1).mean(1)
    np.testing.assert_allclose(loss(student, teacher, draws).detach(), wanted)


def test_projector_ensemble_beside_numpy():
    loss = make(lambda: ProjectorEnsemble(6, 4, projectors=3))
    student, teacher = noise(5, 6), noise(5, 4)
    projected = [
        np.maximum(student.numpy() @ p.weight.detach().numpy().T + p.bias.detach().numpy(), 0)
        for p in loss.projectors
    ]
    mean, t = np.mean(projected, 0), teacher.numpy()
    cosines = (mean * t).sum(1) / np.linalg.norm(mean, axis=1) / np.linalg.norm(t, axis=1)
    np.testing.assert_allclose(loss(student, teacher).detach(), 1 - cosines)


def test_attention_transfer_beside_loops():
    loss = make(lambda: AttentionTransfer([2, 3], [4, 5, 6], width=7))
    student = [noise(2, 2, 8, 8), noise(2, 3, 4, 4)]
    teacher = [noise(2, 4, 8, 8), noise(2, 5, 4, 4), noise(2, 6, 4, 4)]

    def energy(feature, size):
        x = feature.numpy()
        step = x.shape[-1] // size
        x = x.reshape(*x.shape[:2], size, step, size, step).mean((3, 5))
        flat = (x**2).mean(1).reshape(len(x), -1)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    def apply(linear, x):
        bias = 0 if linear.bias is None else linear.bias.detach().numpy()
        return x @ linear.weight.detach().numpy().T + bias

    wanted = np.zeros(2)
    for t, theirs in enumerate(teacher):
        query = apply(loss.mix[t], apply(loss.queries[t], theirs.numpy().mean((2, 3))))
        scores, differences = [], []
        for s, ours in enumerate(student):
            key = apply(loss.keys[s], ours.numpy().mean((2, 3)))
            places = (loss.place_s[s] @ loss.place_t[t]).item()
            scores.append(((key * query).sum(1) + places) / np.sqrt(7))
            size = min(ours.shape[-1], theirs.shape[-1])
            differences.append(((energy(ours, size) - energy(theirs, size)) ** 2).mean(1))
        raised = np.exp(scores)
        wanted += (raised / raised.sum(0) * np.array(differences)).sum(0)
    np.testing.assert_allclose(loss(student, teacher).detach(), wanted)


EVERY = {
    "mean square": (lambda: Likeness(3, 4, "l2"), lambda: (noise(2, 3, 4, 4), noise(2, 4, 2, 2))),
    "cosine": (lambda: Likeness(3, 4, "cosine"), lambda: (noise(2, 3, 4, 4), noise(2, 4, 4, 4))),
    "projectors": (
        lambda: ProjectorEnsemble(5, 4, projectors=2),
        lambda: (noise(3, 5), noise(3, 4)),
    ),
}


@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_those_of_differences(name):
    module, features = EVERY[name]
    loss, (student, teacher) = make(module), features()
    assert gradcheck(lambda s: loss(s, teacher), student.requires_grad_())


def test_gradients_of_generation_and_attention():
    draws = torch.rand(2, 3, generator=GENERATOR, dtype=torch.float64)
    masked, teacher = make(lambda: MaskedGeneration(2, 3, hidden=0.3)), noise(2, 3, 3, 3)
    assert gradcheck(lambda s: masked(s, teacher, draws), noise(2, 2, 3, 3).requires_grad_())
    attention = make(lambda: AttentionTransfer([2], [3, 3], width=4))
    theirs = [noise(2, 3, 4, 4), noise(2, 3, 2, 2)]
    assert gradcheck(lambda s: attention([s], theirs), noise(2, 2, 4, 4).requires_grad_())
    attention([noise(2, 2, 4, 4)], theirs).sum().backward()
    assert all(parameter.grad is not None for parameter in attention.parameters())
