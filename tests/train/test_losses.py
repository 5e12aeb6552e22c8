"""Each loss against numpy in float64, and against torch's own where it has one."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from residua.base.errors import SettingError
from residua.train.recipe.tree import LossPart
from residua.train.update.losses import make_loss

N, CLASSES = 16, 7
GENERATOR = np.random.default_rng(0)
LOGITS = 4 * GENERATOR.normal(size=(N, CLASSES))
LABELS = GENERATOR.integers(CLASSES, size=N)
HARD = np.eye(CLASSES)[LABELS]
SOFT = GENERATOR.dirichlet(np.ones(CLASSES), size=N)
MANY = (GENERATOR.random((N, CLASSES)) < 0.3).astype(float)


def lose(part, targets=LABELS, *, logits=LOGITS, **options):
    options = {"num_classes": logits.shape[1]} | options
    loss = make_loss(part, **options)(torch.from_numpy(logits), torch.as_tensor(targets))
    assert loss.shape == (len(logits),)
    return loss.numpy()


def sigmoid_loss(targets, *, positive=0.0, negative=0.0, shift=0.0, weights=1.0):
    """ASL as its paper writes it; with one exponent and no shift the focal loss, with 0 BCE."""
    p = expit(LOGITS)
    shifted = np.maximum(p - shift, 0)
    present = (1 - p) ** positive * np.log(p) * weights
    absent = shifted**negative * np.log(1 - shifted)
    return -(targets * present + (1 - targets) * absent)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_is_that_of_torch(smoothing, soft):
    logits = torch.from_numpy(LOGITS).requires_grad_()
    targets = torch.from_numpy(SOFT if soft else LABELS)
    ours = make_loss(LossPart(label_smoothing=smoothing), num_classes=CLASSES)(logits, targets)
    theirs = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours.sum(), logits)[0], torch.autograd.grad(theirs.sum(), logits)[0]
    )


def test_soft_targets_meet_no_second_softmax():
    """PaddleClas takes the softmax of soft targets once more; a target of one class shows it."""
    assert lose(LossPart(), HARD) == pytest.approx(lose(LossPart(), LABELS), rel=1e-12)
    assert lose(LossPart(), SOFT) == pytest.approx(-(SOFT * log_softmax(LOGITS, 1)).sum(1))


def test_even_logits_cost_the_logarithm_of_the_classes():
    part = LossPart(label_smoothing=0.3)
    assert lose(part, [1, 2, 3], logits=np.zeros((3, 10))) == pytest.approx([math.log(10)] * 3)


@pytest.mark.parametrize("kind", ["cross-entropy", "bce", "focal", "asymmetric"])
def test_half_precision_is_computed_in_float32(kind):
    loss = make_loss(LossPart(kind=kind), num_classes=CLASSES)
    logits, targets = torch.from_numpy(LOGITS).bfloat16(), torch.from_numpy(LABELS)
    found = loss(logits, targets)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(logits.float(), targets))


@pytest.mark.parametrize("targets", [LABELS, SOFT, MANY > 0])
def test_bce_is_the_mean_over_the_classes(targets):
    dense = HARD if targets is LABELS else targets.astype(float)
    smoothed = 0.9 * dense + 0.1 / CLASSES
    expected = sigmoid_loss(smoothed).mean(1)
    assert lose(LossPart(kind="bce", label_smoothing=0.1), targets) == pytest.approx(expected)


def test_targets_above_the_threshold_count_as_one():
    """As timm does for RSB: strictly above, after smoothing."""
    part = LossPart(kind="bce", label_smoothing=0.1, target_threshold=0.2)
    smoothed = 0.9 * SOFT + 0.1 / CLASSES
    expected = sigmoid_loss((smoothed > 0.2).astype(float)).mean(1)
    assert lose(part, SOFT) == pytest.approx(expected)
    # A quarter is not above a quarter.
    quarters = np.full((1, 4), 0.25)
    loss = lose(LossPart(kind="bce", target_threshold=0.25), quarters, logits=np.full((1, 4), 50.0))
    assert loss == pytest.approx([50.0])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_of_one_label_has_the_softmax(gamma):
    logs = log_softmax(LOGITS, 1)
    part = LossPart(kind="focal", gamma=gamma)
    expected = -((1 - np.exp(logs)) ** gamma * logs)
    assert lose(part, LABELS) == pytest.approx(expected[np.arange(N), LABELS])
    assert lose(part, SOFT) == pytest.approx((SOFT * expected).sum(1))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_of_many_labels_has_the_sigmoid(gamma):
    part = LossPart(kind="focal", gamma=gamma)
    expected = sigmoid_loss(MANY, positive=gamma, negative=gamma).sum(1)
    assert lose(part, MANY, multi_label=True) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("positive", "negative", "clip"), [(0, 4, 0.05), (1, 2, 0), (0.5, 0.5, 0.2)]
)
def test_asymmetric_loss_is_that_of_the_paper(positive, negative, clip):
    part = LossPart(kind="asymmetric", gamma_positive=positive, gamma_negative=negative, clip=clip)
    expected = sigmoid_loss(MANY, positive=positive, negative=negative, shift=clip).sum(1)
    assert lose(part, MANY, multi_label=True) == pytest.approx(expected)
    # Classes that are absent and unlikely cost nothing at all.
    easy = lose(part, np.zeros((1, 3)), logits=np.full((1, 3), -9.0), multi_label=True)
    assert (easy.item() == 0) == (clip > 0)


@pytest.mark.parametrize(
    ("options", "multi_label"),
    [
        ({"kind": "cross-entropy"}, False),
        ({"kind": "bce"}, False),
        ({"kind": "bce"}, True),
        ({"kind": "focal"}, False),
        ({"kind": "focal", "gamma": 0.5}, False),
        ({"kind": "focal", "gamma": 0.5}, True),
        ({"kind": "asymmetric"}, True),
        ({"kind": "asymmetric", "gamma_positive": 0.5, "gamma_negative": 0.5}, True),
    ],
)
def test_gradients_are_right_and_finite(options, multi_label):
    weights = tuple(range(1, CLASSES + 1))
    part = LossPart(**options, label_smoothing=0.1, class_weights=weights)
    loss = make_loss(part, num_classes=CLASSES, multi_label=multi_label)
    targets = torch.from_numpy(MANY if multi_label else SOFT)
    logits = torch.from_numpy(LOGITS).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits)
    # Certainty, right and wrong: float32 has no room for 1 - p there.
    for height in (30.0, 200.0):
        far = (height * torch.from_numpy(HARD * 2 - 1)).float().requires_grad_()
        for wanted in (torch.from_numpy(HARD), torch.from_numpy(HARD).flip(1)):
            found = loss(far, wanted)
            (gradient,) = torch.autograd.grad(found.sum(), far)
            assert found.isfinite().all()
            assert gradient.isfinite().all()


def test_a_weight_is_one_factor_of_the_row():
    weights = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    for kind in ("cross-entropy", "bce", "focal", "asymmetric"):
        plain = LossPart(kind=kind, label_smoothing=0.1)
        weighted = plain.model_copy(update={"class_weights": weights})
        for targets, dense in ((LABELS, HARD), (SOFT, SOFT)):
            expected = lose(plain, targets) * (dense @ np.array(weights))
            assert lose(weighted, targets) == pytest.approx(expected)


def test_weights_of_many_labels_count_where_a_class_applies():
    weights = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    part = LossPart(kind="bce", class_weights=weights)
    expected = sigmoid_loss(MANY, weights=np.array(weights)).mean(1)
    assert lose(part, MANY, multi_label=True) == pytest.approx(expected)
    part = LossPart(kind="asymmetric", class_weights=weights)
    expected = sigmoid_loss(MANY, negative=4, shift=0.05, weights=np.array(weights)).sum(1)
    assert lose(part, MANY, multi_label=True) == pytest.approx(expected)


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.repeat(np.arange(CLASSES), [1, 2, 3, 4, 5, 6, 70])
    weights = compute_class_weight("balanced", classes=np.arange(CLASSES), y=labels)
    counts = np.bincount(labels)
    balanced = LossPart(class_weights="balanced")
    found = lose(balanced, counts=counts, samples=len(labels))
    assert found == pytest.approx(lose(LossPart()) * weights[LABELS])
    # Over the training pictures they are 1 in the mean.
    assert weights[labels].mean() == pytest.approx(1)


def test_balanced_weights_of_many_labels_even_out_with_and_without():
    counts = np.array([10, 50, 90, 0, 100])
    part = LossPart(kind="bce", class_weights="balanced")
    options = {"counts": counts, "samples": 100, "multi_label": True}
    logits = np.zeros((1, 5))
    per_class = [
        5 * lose(part, np.eye(5)[[k]], logits=logits, **options).item() / math.log(2) - 4
        for k in range(5)
    ]
    assert per_class == pytest.approx([9, 1, 1 / 9, 1, 1])


def test_a_class_without_pictures_keeps_its_weight():
    part = LossPart(class_weights="balanced")
    logits = np.zeros((3, 3))
    found = lose(part, [0, 1, 2], logits=logits, counts=np.array([4, 0, 8]), samples=12)
    assert found == pytest.approx(np.array([1, 1, 0.5]) * math.log(3))


def test_what_cannot_be_is_refused():
    with pytest.raises(SettingError, match="2 numbers for 3 classes"):
        make_loss(LossPart(class_weights=(1, 2)), num_classes=3)
    with pytest.raises(SettingError, match="Balanced"):
        make_loss(LossPart(class_weights="balanced"), num_classes=3)
    with pytest.raises(SettingError, match="3 classes"):
        make_loss(
            LossPart(class_weights="balanced"), num_classes=3, counts=np.ones(2, int), samples=2
        )
    with pytest.raises(SettingError, match="multi-label"):
        make_loss(LossPart(), num_classes=3, multi_label=True)


def test_a_probability_at_the_shift_has_a_gradient():
    part = LossPart(kind="asymmetric", gamma_negative=0.5, clip=0.5)
    logits = torch.zeros(1, 2, requires_grad=True)  # p = 0.5: what is left of it is 0
    loss = make_loss(part, num_classes=2, multi_label=True)(logits, torch.zeros(1, 2))
    assert torch.autograd.grad(loss.sum(), logits)[0].isfinite().all()


def test_ratio_weighs_both_sides_as_paddleclas_does():
    counts, samples = np.array([0, 2, 4, 8, 10, 5, 1]), 10
    share = counts / samples
    weights = np.where(MANY > 0.5, np.exp(1 - share), np.exp(share))
    part = LossPart(kind="bce", class_weights="ratio", reduction="sum")
    found = lose(part, MANY, counts=counts, samples=samples, multi_label=True)
    assert found == pytest.approx((sigmoid_loss(MANY) * weights).sum(1))
    for kind, many in (("focal", True), ("bce", False)):
        with pytest.raises(SettingError, match="bce of multi-label"):
            make_loss(
                LossPart(kind=kind, class_weights="ratio"),
                num_classes=CLASSES, counts=counts, samples=samples, multi_label=many,
            )  # fmt: skip


def test_sums_are_the_mean_times_the_classes():
    mean, summed = (lose(LossPart(kind="bce", reduction=name), MANY) for name in ("mean", "sum"))
    assert summed == pytest.approx(mean * CLASSES)
