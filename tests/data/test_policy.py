"""Policies: their tables and figures as published, and what they draw."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import beta

from residua.data.augment import policy
from residua.data.augment.autoaugment import TABLES
from residua.data.augment.policy import apply_policy
from residua.data.augment.scales import AUGMIX, PADDLE, TIMM, TORCHVISION, TRIVIAL
from residua.data.draws import Purpose, stream
from residua.data.settings import PolicyPart

_PICTURE = np.random.default_rng(0).integers(0, 256, (40, 32, 3), dtype=np.uint8)
_MEAN = (0.485, 0.456, 0.406)
_KINDS = [
    PolicyPart(kind="autoaugment"),
    PolicyPart(kind="autoaugment", table="cifar10"),
    PolicyPart(kind="randaugment"),
    PolicyPart(kind="randaugment", ranges="timm", magnitude=7, magnitude_std=0.5, probability=0.5),
    PolicyPart(kind="randaugment", ranges="paddle", magnitude=5),
    PolicyPart(kind="trivialaugment"),
    PolicyPart(kind="augmix"),
]


def _run(part, ticket, picture=_PICTURE):
    numbers = stream(Purpose.POLICY, seed=0, epoch=0, index=ticket)
    mean = _MEAN if picture.shape[2] == 3 else (0.5,) * picture.shape[2]
    return apply_policy(picture, part, numbers, interpolation="bilinear", mean=mean)


@pytest.fixture
def record(monkeypatch):
    """Return what ``apply_policy`` asks of ``operate``: a list of (name, value, ground)."""
    calls = []

    def note(name, picture, value, ground):
        calls.append((name, value, ground))
        return picture

    monkeypatch.setattr(policy, "operate", note)
    return calls


@pytest.mark.parametrize(
    ("scale", "name", "share", "expected"),
    [
        # torchvision's bins of RandAugment at magnitude 9 of 30, by hand.
        (TORCHVISION, "shear-x", 0.3, 0.09),
        (TORCHVISION, "translate-x", 0.3, 30),  # int(150 / 331 * 224 * 0.3 = 30.45)
        (TORCHVISION, "rotate", 0.3, 9.0),
        (TORCHVISION, "contrast", 0.3, 1.27),
        (TORCHVISION, "posterize", 0.3, 7),  # 8 - round(9 / 7.5 = 1.2)
        (TORCHVISION, "solarize", 0.3, 178.5),  # 255 - 9 * 8.5
        # … and of AutoAugment at the last of ten bins (table 6 of the paper).
        (TORCHVISION, "shear-y", 1.0, 0.3),
        (TORCHVISION, "posterize", 1.0, 4),
        (TORCHVISION, "solarize", 1.0, 0.0),
        (TRIVIAL, "shear-x", 1.0, 0.99),
        (TRIVIAL, "translate-y", 0.5, 16),
        (TRIVIAL, "rotate", 1.0, 135.0),
        (TRIVIAL, "colour", 1.0, 1.99),
        (TRIVIAL, "posterize", 1.0, 2),
        # timm's rand-m7-inc1.
        (TIMM, "translate-x", 0.7, 70.56),  # 0.45 * 224 * 0.7
        (TIMM, "rotate", 0.7, 21.0),
        (TIMM, "sharpness", 0.7, 1.63),
        (TIMM, "posterize", 0.7, 2),  # 4 - int(2.8)
        (TIMM, "solarize", 0.7, 77),  # 256 - int(179.2)
        (TIMM, "solarize-add", 0.7, 77),  # int(77.0)
        # PaddleClas at magnitude 5.
        (PADDLE, "shear-x", 0.5, 0.15),
        (PADDLE, "translate-y", 0.5, 50.755),
        (PADDLE, "brightness", 0.5, 1.45),
        (PADDLE, "posterize", 0.5, 2),
        (PADDLE, "solarize", 0.5, 128.0),
        # AugMix at a level of 3.
        (AUGMIX, "translate-x", 0.3, 22),  # int(3 * 224 / 3 / 10 = 22.4)
        (AUGMIX, "rotate", 0.31, 9),
        (AUGMIX, "posterize", 0.3, 3),
        (AUGMIX, "solarize", 0.3, 180),
    ],
)
def test_magnitudes_mean_what_their_programs_say(scale, name, share, expected):
    assert name in scale.operations
    assert scale.value(name, share, 1, 224) == pytest.approx(expected, abs=1e-3)


def test_signs_turn_moves_and_enhancements_only():
    assert TORCHVISION.value("rotate", 0.3, -1, 224) == pytest.approx(-9)
    assert TORCHVISION.value("colour", 0.3, -1, 224) == pytest.approx(0.73)
    assert TIMM.value("colour", 1.0, -1, 224) == pytest.approx(0.1)
    assert TORCHVISION.value("posterize", 0.3, -1, 224) == 7


def test_the_sets_of_operations_are_those_of_the_programs():
    assert [len(s.operations) for s in (TORCHVISION, TRIVIAL, TIMM, PADDLE, AUGMIX)] == [
        14, 14, 15, 14, 9,
    ]  # fmt: skip
    # AugMix, section 3: nothing that overlaps with the corruptions of ImageNet-C.
    assert not {"contrast", "colour", "brightness", "sharpness", "invert"} & {*AUGMIX.operations}


def test_the_tables_of_autoaugment_are_whole():
    for table in TABLES.values():
        assert len(table) == 25
        for step in (step for pair in table for step in pair):
            name, probability, magnitude = step
            assert name in {*TORCHVISION.operations, "invert"}
            assert round(10 * probability) == pytest.approx(10 * probability)
            assert 0 <= magnitude <= 9
    # Spot checks against the paper: first, second, fifteenth and last rows of tables 9 and 7.
    imagenet, cifar = TABLES["imagenet"], TABLES["cifar10"]
    assert imagenet[0] == (("posterize", 0.4, 8), ("rotate", 0.6, 9))
    assert imagenet[14] == (("colour", 0.6, 4), ("contrast", 1.0, 8))
    assert imagenet[18] == (("shear-x", 0.6, 5), ("equalize", 1.0, 0))
    assert cifar[1] == (("rotate", 0.7, 2), ("translate-x", 0.3, 9))
    assert cifar[3] == (("shear-y", 0.5, 8), ("translate-y", 0.7, 9))
    assert cifar[24] == (("translate-y", 0.7, 9), ("autocontrast", 0.9, 0))
    # The paper counts the operations over the policy of ImageNet: equalize leads (table 9).
    counts = Counter(step[0] for pair in imagenet for step in pair)
    assert counts["equalize"] == 17
    assert counts["rotate"] == 6


def test_autoaugment_follows_its_probabilities(record):
    for ticket in range(6000):
        _run(PolicyPart(kind="autoaugment"), ticket)
    expected = Counter()
    for pair in TABLES["imagenet"]:
        for name, probability, _ in pair:
            expected[name] += probability * 6000 / 25
    drawn = Counter(name for name, _, _ in record)
    for name, count in expected.items():
        assert abs(drawn[name] - count) < 4 * np.sqrt(count) + 1


@pytest.mark.parametrize(
    ("part", "scale", "expected"),
    [
        (PolicyPart(kind="randaugment"), TORCHVISION, 2.0),
        (PolicyPart(kind="randaugment", ranges="timm", probability=0.5), TIMM, 1.0),
        (PolicyPart(kind="randaugment", ranges="paddle", layers=3), PADDLE, 3.0),
        (PolicyPart(kind="trivialaugment"), TRIVIAL, 1.0),
    ],
)
def test_operations_are_drawn_evenly(record, part, scale, expected):
    for ticket in range(3000):
        _run(part, ticket)
    assert len(record) / 3000 == pytest.approx(expected, abs=0.05)
    counts = Counter(name for name, _, _ in record)
    assert set(counts) == set(scale.operations)
    even = len(record) / len(scale.operations)
    # Chi-square of 14 degrees of freedom: 36.1 in one of 1000 cases.
    assert sum((count - even) ** 2 / even for count in counts.values()) < 36.1
    signs = [value > 0 for name, value, _ in record if name == "rotate" and value]
    assert 0.35 < np.mean(signs) < 0.65


def test_magnitudes_spread_as_timm_spreads_them(record):
    part = PolicyPart(kind="randaugment", ranges="timm", magnitude=7, magnitude_std=0.5)
    for ticket in range(4000):
        _run(part, ticket)
    levels = np.array([abs(value) / 3 for name, value, _ in record if name == "rotate"])
    assert levels.mean() == pytest.approx(7, abs=0.1)
    assert levels.std() == pytest.approx(0.5, abs=0.06)
    record.clear()
    wide = PolicyPart(kind="randaugment", ranges="timm", magnitude=9, magnitude_std=5)
    for ticket in range(500):
        _run(wide, ticket)
    levels = np.array([abs(value) / 3 for name, value, _ in record if name == "rotate"])
    assert levels.max() == pytest.approx(10)  # what lies outside 0…10 is cut off
    assert levels.min() >= 0


def test_trivial_augment_draws_all_31_magnitudes(record):
    for ticket in range(20_000):
        _run(PolicyPart(kind="trivialaugment"), ticket)
    degrees = Counter(abs(round(value, 6)) for name, value, _ in record if name == "rotate")
    assert sorted(degrees) == [pytest.approx(4.5 * number, abs=1e-5) for number in range(31)]


@pytest.mark.parametrize(
    ("ranges", "fill"),
    [("torchvision", (0, 0, 0)), ("timm", (124, 116, 104)), ("paddle", (128, 128, 128))],
)
def test_the_ground_is_that_of_the_program(record, ranges, fill):
    _run(PolicyPart(kind="randaugment", ranges=ranges, magnitude=5), 0)
    assert {ground.fill for _, _, ground in record} == {fill}


def test_augmix_mixes_with_a_uniform_share_and_chains_of_one_to_three(monkeypatch):
    lengths = []

    def whiten(name, picture, value, ground):
        lengths[-1] += 1
        return np.full_like(picture, 255)

    monkeypatch.setattr(policy, "operate", whiten)
    black = np.zeros((2, 2, 3), np.uint8)
    shares = []
    for ticket in range(3000):
        lengths.append(0)
        # All chains end white, so their weights, which sum to 1, leave the blend visible.
        shares.append(_run(PolicyPart(kind="augmix", chains=1), ticket, black)[0, 0, 0] / 255)
    expected = (np.arange(3000) + 0.5) / 3000
    assert np.abs(np.sort(shares) - expected).max() < 1.95 / np.sqrt(3000) + 1 / 255
    counts = np.bincount(lengths, minlength=4)
    assert counts[0] == 0
    assert ((counts[1:] - 1000) ** 2 / 1000).sum() < 13.8  # chi-square of 2: one in 1000


def test_augmix_weighs_its_chains_by_dirichlet(monkeypatch):
    """Chains of the values 51, 0, 0, … show the weight of one of them: Beta(1, chains - 1)."""
    calls = []

    def mark(name, picture, value, ground):
        calls.append(picture[0, 0, 0])
        fresh = picture[0, 0, 0] == 100
        first = fresh and sum(value == 100 for value in calls) == 1
        return np.full_like(picture, 200 if first else picture[0, 0, 0] if not fresh else 0)

    monkeypatch.setattr(policy, "operate", mark)
    part, grey, weights = PolicyPart(kind="augmix", chains=3), np.full((1, 1, 3), 100, np.uint8), []
    for ticket in range(3000):
        calls.clear()
        mixed = _run(part, ticket, grey)[0, 0, 0]
        blend = next(stream(Purpose.POLICY, seed=0, epoch=0, index=ticket))
        if blend > 0.5:  # mixed = 100 (1 - blend) + 200 blend weight
            weights.append((mixed - 100 * (1 - blend)) / (200 * blend))
    assert np.mean(weights) == pytest.approx(1 / 3, abs=0.02)
    assert np.var(weights) == pytest.approx(1 / 18, abs=0.006)  # of Beta(1, 2)


@pytest.mark.parametrize("part", _KINDS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_policies_take_every_number_of_channels_and_repeat(part, channels):
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, channels), dtype=np.uint8)
    before, changed = picture.copy(), 0
    for ticket in range(25):
        first = _run(part, ticket, picture)
        assert first.shape == picture.shape
        assert first.dtype == np.uint8
        np.testing.assert_array_equal(first, _run(part, ticket, picture))
        np.testing.assert_array_equal(picture, before)
        changed += bool((first != picture).any())
    assert changed > 5


@pytest.mark.parametrize("part", [part for part in _KINDS if part.kind != "none"])
def test_a_policy_is_for_a_share_of_the_pictures(record, part):
    """Whether a picture gets it is drawn first; what it gets does not change."""
    part = part.model_copy(update={"chance": 0.3})
    touched = 0
    for ticket in range(2000):
        record.clear()
        _run(part, ticket)
        drawn = next(stream(Purpose.POLICY, seed=0, epoch=0, index=ticket))
        if drawn >= 0.3:
            assert not record
        touched += drawn < 0.3
    assert touched / 2000 == pytest.approx(0.3, abs=0.04)


def test_augmix_of_one_depth_and_a_small_concentration(monkeypatch):
    """The chains have one operation, and the blend is Beta(0.1, 0.1)."""
    calls = []

    def whiten(name, picture, value, ground):
        calls.append(name)
        return np.full_like(picture, 255)

    monkeypatch.setattr(policy, "operate", whiten)
    part = PolicyPart(kind="augmix", chains=2, depth=1, concentration=0.1)
    black = np.zeros((1, 1, 3), np.uint8)
    shares = np.array([_run(part, ticket, black)[0, 0, 0] / 255 for ticket in range(3000)])
    assert len(calls) == 6000
    for low, high in ((0.0, 0.01), (0.01, 0.5), (0.5, 0.99), (0.99, 1.0)):
        mass = beta.cdf(high, 0.1, 0.1) - beta.cdf(low, 0.1, 0.1)
        # Shares are seen in steps of 1/255.
        found = np.mean((shares > low - 1 / 510) & (shares <= high + 1 / 510))
        assert found == pytest.approx(mass, abs=0.05)
