"""The losses beside numpy in float64, closed forms, and numerical gradients."""

import itertools

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from residua.distil.compare import losses

GENERATOR = torch.Generator().manual_seed(5)
STUDENT, TEACHER = (
    torch.randn(6, 7, generator=GENERATOR, dtype=torch.float64) * 3 for _ in range(2)
)
LABELS = torch.tensor([0, 3, 6, 3, 1, 5])
TARGETS = functional.one_hot(LABELS, 7).double()


def softmax(logits):
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def divergence(p, q):
    return (p * (np.log(p) - np.log(q))).sum(1)


S, T = STUDENT.numpy(), TEACHER.numpy()


def test_symmetric_kl():
    p, q = softmax(T), softmax(S)
    wanted = (divergence(p, q) + divergence(q, p)) / 2
    np.testing.assert_allclose(losses.symmetric_kl(STUDENT, TEACHER), wanted, rtol=1e-12)


def test_symmetric_kl_is_what_paddleclas_computes_and_not_jensen_shannon():
    p, q, eps, classes = softmax(T), softmax(S), 1e-12, 7
    # DistillationDMLLoss: the mean over all elements, times the classes.
    terms = p * np.log((p + eps) / (q + eps)) + q * np.log((q + eps) / (p + eps))
    paddle = terms.mean() * classes / 2
    ours = losses.symmetric_kl(STUDENT, TEACHER)
    assert ours.mean().item() == pytest.approx(paddle, rel=1e-9)
    middle = (p + q) / 2
    jensen_shannon = (divergence(p, middle) + divergence(q, middle)) / 2
    assert (ours.numpy() > jensen_shannon + 0.1).all()


def test_two_classes_have_a_closed_form():
    student, teacher = torch.tensor([[0.0, np.log(3)]]), torch.tensor([[0.0, 0.0]])
    # p_t = ½, ½; p_s = ¼, ¾: ½ (-¼ ln(¼/½) ... ) = ½ · ¼ · ln 3
    wanted = 0.5 * 0.25 * np.log(3)
    assert losses.symmetric_kl(student, teacher).item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_is_torchs(temperature):
    wanted = temperature**2 * functional.kl_div(
        (STUDENT / temperature).log_softmax(1), (TEACHER / temperature).softmax(1),
        reduction="none",
    ).sum(1)  # fmt: skip
    found = losses.kl(STUDENT, TEACHER, temperature=temperature)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_decoupled_adds_up_to_kl(temperature):
    """KL = TCKD + (1 - p_t of the right class) NCKD (arXiv 2203.08679, equation 5)."""
    parts = [
        losses.decoupled(STUDENT, TEACHER, TARGETS, temperature=temperature, alpha=a, beta=b)
        for a, b in ((1, 0), (0, 1))
    ]
    right = (TEACHER / temperature).softmax(1).gather(1, LABELS[:, None])[:, 0]
    torch.testing.assert_close(
        parts[0] + (1 - right) * parts[1], losses.kl(STUDENT, TEACHER, temperature=temperature)
    )


def test_decoupled_beside_numpy():
    p, q, wanted = softmax(T / 2), softmax(S / 2), []
    for row, label in enumerate(LABELS.tolist()):
        others = [i for i in range(7) if i != label]
        binary = [np.array([[x[row, label], x[row, others].sum()]]) for x in (p, q)]
        among = [x[row, others][None] / x[row, others].sum() for x in (p, q)]
        wanted.append(4 * (divergence(*binary) + 8 * divergence(*among))[0])
    found = losses.decoupled(STUDENT, TEACHER, TARGETS, temperature=2.0, alpha=1.0, beta=8.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_correlated_beside_numpy():
    p, q = softmax(T), softmax(S)
    rows = np.array([1 - np.corrcoef(p[i], q[i])[0, 1] for i in range(6)])
    columns = np.mean([1 - np.corrcoef(p[:, c], q[:, c])[0, 1] for c in range(7)])
    found = losses.correlated(STUDENT, TEACHER, temperature=1.0, beta=2.0, gamma=3.0)
    np.testing.assert_allclose(found, 2 * rows + 3 * columns, rtol=1e-6)


def test_weighted_soft_beside_numpy():
    p, q = softmax(T / 2), softmax(S / 2)
    hard = [-np.log(softmax(x)[np.arange(6), LABELS]) for x in (S, T)]
    wanted = 4 * -(p * np.log(q)).sum(1) * (1 - np.exp(-hard[0] / hard[1]))
    found = losses.weighted_soft(STUDENT, TEACHER, TARGETS, temperature=2.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_standardised_beside_numpy():
    ours, theirs = (
        2 * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) for x in (S, T)
    )
    hard = -np.log(softmax(ours)[np.arange(6), LABELS])
    wanted = 0.9 * -(softmax(theirs) * np.log(softmax(ours))).sum(1) + 0.1 * hard
    found = losses.standardised(
        STUDENT, TEACHER, TARGETS, temperature=1.0, multiplier=2.0, alpha=0.9
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def huber(differences):
    return np.where(abs(differences) < 1, differences**2 / 2, abs(differences) - 0.5)


def test_relational_beside_numpy():
    def distances(x):
        found = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
        return found / found[found > 0].mean()

    def angles(x):
        found = np.zeros((6, 6, 6))
        for i, j, k in itertools.product(range(6), repeat=3):
            if i not in (j, k):
                a, b = x[j] - x[i], x[k] - x[i]
                found[i, j, k] = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        return found

    wanted = (
        25 * huber(distances(S) - distances(T)).mean() + 50 * huber(angles(S) - angles(T)).mean()
    )
    found = losses.relational(STUDENT, TEACHER, distance=25.0, angle=50.0)
    np.testing.assert_allclose(found, np.full(6, wanted), rtol=1e-7)


EVERY = {
    "symmetric_kl": lambda s: losses.symmetric_kl(s, TEACHER),
    "kl": lambda s: losses.kl(s, TEACHER, temperature=3.0),
    "cross_entropy": lambda s: losses.cross_entropy(s, TARGETS),
    "decoupled": lambda s: losses.decoupled(
        s, TEACHER, TARGETS, temperature=2.0, alpha=1.0, beta=2.0
    ),
    "correlated": lambda s: losses.correlated(s, TEACHER, temperature=1.5, beta=1.0, gamma=2.0),
    "standardised": lambda s: losses.standardised(
        s, TEACHER, TARGETS, temperature=2.0, multiplier=2.0, alpha=0.7
    ),
    "relational": lambda s: losses.relational(s, TEACHER, distance=1.0, angle=2.0),
}


@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_those_of_differences(name):
    assert gradcheck(EVERY[name], STUDENT.clone().requires_grad_())


def test_the_weight_of_weighted_soft_passes_no_gradient():
    student = STUDENT.clone().requires_grad_()
    losses.weighted_soft(student, TEACHER, TARGETS, temperature=2.0).sum().backward()
    weight = -torch.expm1(
        -losses.cross_entropy(STUDENT, TARGETS) / losses.cross_entropy(TEACHER, TARGETS)
    )
    wanted = 2 * weight[:, None] * ((STUDENT / 2).softmax(1) - (TEACHER / 2).softmax(1))
    torch.testing.assert_close(student.grad, wanted)


@pytest.mark.parametrize("name", EVERY)
def test_extreme_logits_stay_finite(name):
    student = (torch.randn(6, 7, generator=GENERATOR) * 200).requires_grad_()
    found = EVERY[name](student)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(student.grad).all()


def test_rows_without_a_label_have_no_terms_of_labels():
    none = torch.zeros_like(TARGETS)
    assert not losses.cross_entropy(STUDENT, none).any()
    found = losses.decoupled(STUDENT, TEACHER, none, temperature=1.0, alpha=1.0, beta=1.0)
    assert not found.any()
    soft = losses.weighted_soft(STUDENT, TEACHER, none, temperature=1.0)
    torch.testing.assert_close(soft, -(TEACHER.softmax(1) * STUDENT.log_softmax(1)).sum(1))


def test_half_precision_is_computed_in_float32():
    found = losses.symmetric_kl(STUDENT.bfloat16(), TEACHER.bfloat16())
    assert found.dtype == torch.float32
