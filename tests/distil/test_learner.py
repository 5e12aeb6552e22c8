"""Every method trains: what a row's loss is, and that nothing but the student changes."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from distil.conftest import make_recipe
from making import make_network
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Preprocess
from residua.data.source import UNLABELLED
from residua.distil.learner import spread
from residua.distil.methods import METHODS
from residua.distil.run import maker_of
from residua.train.recipe.file import change
from residua.train.recipe.tree import LossPart
from residua.train.update.learner import Lesson, Place
from residua.train.update.losses import make_loss
from residua.train.update.precision import Precision

CPU = Precision("fp32", torch.device("cpu"), "a test")
PLACE = Place(seed=0, epoch=1, step=2, first_row=0)
MUTUAL = {"dml", "udml"}


def make_learner(name, teacher, *, seed=0, **changes):
    values = METHODS[name].values | {"distil.teacher": "" if name in MUTUAL else str(teacher.path)}
    recipe = change(make_recipe(), values | changes)
    network = make_network(
        "ResNet18", seed=seed, num_classes=3, small_images=True, widths=(8, 8, 8, 8)
    ).train()
    loss = make_loss(LossPart(), num_classes=3)
    preprocess = Preprocess(crop_size=24, short_side=24)
    return maker_of(recipe)(Lesson(network, loss, CPU, preprocess, teacher.manifest.classes))


@pytest.fixture
def batch():
    pictures = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 3, 24, 24)))
    return pictures.float(), torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("name", METHODS)
def test_a_step_teaches_the_student_and_leaves_the_teacher_alone(name, teacher, batch):
    learner = make_learner(name, teacher)
    frozen = {}
    if name not in MUTUAL:
        frozen = {n: t.clone() for n, t in learner.teacher.network.state_dict().items()}
    losses = learner(*batch, PLACE)
    assert losses.shape == (6,)
    assert losses.dtype == torch.float32
    losses.sum().backward()
    learning = [*learner.network.parameters(), *learner.companions.parameters()]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learning)
    if name not in MUTUAL:
        assert all(p.grad is None for p in learner.teacher.parameters())
        after = learner.teacher.network.state_dict()
        assert all(torch.equal(frozen[n], after[n]) for n in frozen)


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_of_rows_does_not_depend_on_who_draws(name, teacher, batch):
    """Two learners that are made alike say the same: their own weights are drawn from the seed."""
    first, second = (make_learner(name, teacher)(*batch, PLACE) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"rkd", "dist", "dml", "udml"}))
def test_halves_of_a_batch_have_the_losses_of_the_whole(name, teacher, batch):
    pictures, labels = batch
    learner = make_learner(name, teacher)
    learner.network.eval()
    whole = learner(pictures, labels, PLACE)
    halves = [
        learner(pictures[at : at + 3], labels[at : at + 3], Place(0, 1, 2, first_row=at))
        for at in (0, 3)
    ]
    torch.testing.assert_close(torch.cat(halves), whole, rtol=1e-4, atol=1e-5)


def test_the_sum_is_of_three_terms(teacher, batch):
    """kd: 0.9 T² KL(t‖s) at T = 4, and 0.1 of the labels' cross entropy, worked out in float64."""
    pictures, labels = batch
    learner = make_learner("kd", teacher)
    learner.network.eval()
    found = learner(pictures, labels, PLACE)
    with torch.no_grad():
        student = learner.network(pictures).double()
        logits = learner.teacher.observe(pictures).logits.double()
    p = (logits / 4).softmax(1)
    soft = 16 * (p * (p.log() - (student / 4).log_softmax(1))).sum(1)
    hard = functional.cross_entropy(student, labels, reduction="none")
    torch.testing.assert_close(found.double(), 0.9 * soft + 0.1 * hard, rtol=1e-4, atol=1e-5)


def test_a_row_without_a_label_has_the_terms_of_the_teacher(teacher, batch):
    pictures, labels = batch
    learner = make_learner("kd", teacher)
    learner.network.eval()
    unlabelled = labels.clone()
    unlabelled[1] = UNLABELLED
    with_labels, without = (learner(pictures, y, PLACE) for y in (labels, unlabelled))
    soft = make_learner("kd", teacher, **{"distil.label_weight": 0.0})
    soft.network.eval()
    torch.testing.assert_close(without[1], soft(pictures, labels, PLACE)[1])
    torch.testing.assert_close(without[[0, 2]], with_labels[[0, 2]])


def test_labels_spread_to_rows():
    rows = spread(torch.tensor([2, UNLABELLED, 0]), 3)
    np.testing.assert_array_equal(rows, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    mixed = torch.tensor([[0.3, 0.7]])
    assert spread(mixed, 2) is mixed


def test_features_that_do_not_pair_are_refused(teacher):
    with pytest.raises(SettingError, match="compares 2 of the student's features with 1"):
        make_learner("mgd", teacher, **{"distil.student_features": ("stage3", "stage4")})


def test_pooled_features_are_compared_as_vectors(teacher, batch):
    names = {"distil.student_features": ["pooled"], "distil.teacher_features": ["pooled"]}
    learner = make_learner("feature", teacher, **names)
    assert torch.isfinite(learner(*batch, PLACE)).all()


@pytest.mark.parametrize(
    ("name", "features", "error", "problem"),
    [
        ("feature", "stage9", UnknownNameError, "no feature named 'stage9'"),
        ("mgd", "foo", UnknownNameError, "no feature named 'foo'"),
        ("afd", "pooled", SettingError, "pooled ones are nowhere"),
    ],
)
def test_features_that_are_nowhere_are_refused(teacher, name, features, error, problem):
    with pytest.raises(error, match=problem):
        make_learner(name, teacher, **{"distil.student_features": [features]})


def test_rows_alone_have_no_relation(teacher, batch):
    learner = make_learner("rkd", teacher, **{"distil.label_weight": 0.0})
    pictures, labels = batch
    found = learner(pictures[:1], labels[:1], PLACE)
    assert found.tolist() == [0]
    found.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in learner.parameters() if p.grad is not None)


def test_hidden_channels_change_with_the_update(teacher, batch):
    learner = make_learner("mgd", teacher)
    learner.network.eval()
    first, again = (learner(*batch, PLACE) for _ in range(2))
    other = learner(*batch, Place(seed=0, epoch=1, step=3, first_row=0))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def softmaxes(student, teacher, temperature):
    return (student / temperature).softmax(1), (teacher / temperature).softmax(1)


def expect_dkd(s, t, y):
    """T² (alpha TCKD + beta NCKD), T = 3, alpha = 0.7, beta = 5, row by row in float64."""
    found = []
    for one, other, label in zip(*softmaxes(s, t, 3.0), y, strict=True):
        rest = [c for c in range(3) if c != label]
        pairs = ((one[label], other[label]), (one[rest].sum(), other[rest].sum()))
        target = sum(b * (b / a).log() for a, b in pairs)
        ours, theirs = one[rest] / one[rest].sum(), other[rest] / other[rest].sum()
        found.append(9 * (0.7 * target + 5 * (theirs * (theirs / ours).log()).sum()))
    return torch.stack(found)


def expect_dist(s, t, _):
    """T² (beta (1 - r of rows) + gamma (1 - mean r of columns)), T = 2, beta = 3, gamma = 0.4."""
    p, q = softmaxes(s, t, 2.0)

    def correlation(a, b):
        return torch.tensor(np.corrcoef(a.numpy(), b.numpy())[0, 1])

    rows = torch.stack([correlation(a, b) for a, b in zip(p, q, strict=True)])
    columns = torch.stack([correlation(p[:, c], q[:, c]) for c in range(3)]).mean()
    return 4 * (3 * (1 - rows) + 0.4 * (1 - columns))


def expect_wsl(s, t, y):
    """T² CE(p_t, p_s) (1 - exp(-CE_s / CE_t)), T = 2."""
    p, q = softmaxes(s, t, 2.0)
    ratio = functional.cross_entropy(s, y, reduction="none") / functional.cross_entropy(
        t, y, reduction="none"
    )
    return -4 * (q * p.log()).sum(1) * (1 - (-ratio).exp())


def expect_skd(s, t, y):
    """alpha T² CE + (1 - alpha) CE(y) of standardised logits, m = 1.5, alpha = 0.8, T = 2."""
    u, v = (1.5 * (z - z.mean(1, True)) / (z.var(1, False, keepdim=True) + 1e-5).sqrt()
            for z in (s, t))  # fmt: skip
    p, q = softmaxes(u, v, 2.0)
    return -0.8 * 4 * (q * p.log()).sum(1) + 0.2 * functional.cross_entropy(u, y, reduction="none")


def expect_ssld(s, t, _):
    p, q = softmaxes(s, t, 1.0)
    return ((q * (q / p).log()).sum(1) + (p * (p / q).log()).sum(1)) / 2


VALUES = {
    "dkd": (expect_dkd, {"temperature": 3.0, "alpha": 0.7, "beta": 5.0}),
    "dist": (expect_dist, {"temperature": 2.0, "beta": 3.0, "gamma": 0.4}),
    "wsl": (expect_wsl, {"temperature": 2.0}),
    "skd": (expect_skd, {"temperature": 2.0, "multiplier": 1.5, "alpha": 0.8}),
    "ssld": (expect_ssld, {}),
}


@pytest.mark.parametrize("name", VALUES)
def test_every_number_of_the_recipe_has_its_place_in_the_loss(name, teacher, batch):
    """The method's loss with unusual numbers, worked out in float64; a third of it counts."""
    expect, numbers = VALUES[name]
    changes = {f"distil.{key}": value for key, value in numbers.items()}
    learner = make_learner(
        name, teacher, **changes, **{"distil.label_weight": 0.0, "distil.weight": 1 / 3}
    )
    learner.network.eval()
    with torch.no_grad():
        student = learner.network(batch[0]).double()
        logits = learner.teacher.observe(batch[0]).logits.double()
        found = learner(*batch, PLACE)
    expected = expect(student, logits, batch[1]) / 3
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-5)


def test_mutual_learning_adds_both_losses_and_the_divergence(teacher, batch):
    learner = make_learner("dml", teacher)
    peer = learner.companions["peer"]
    learner.network.eval()
    peer.eval()
    with torch.no_grad():
        ours, theirs = (network(batch[0]).double() for network in (learner.network, peer))
        found = learner(*batch, PLACE)
    hard = [functional.cross_entropy(z, batch[1], reduction="none") for z in (ours, theirs)]
    expected = expect_ssld(ours, theirs, None) + hard[0] + hard[1]
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
