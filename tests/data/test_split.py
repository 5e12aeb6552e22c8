"""A split is stratified, stable, and a function of names and seed; so are groups and folds."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.data.sources.folder import read_folder
from residua.data.split import fold, group_by_pattern, split


def _source(counts, *, reverse=False):
    rows = [(f"{kind}/{i}.jpg", kind) for kind, count in enumerate(counts) for i in range(count)]
    rows = rows[::-1] if reverse else rows
    return Source(
        title="test",
        classes=Classes(names=tuple(f"class {kind}" for kind in range(len(counts)))),
        names=tuple(name for name, _ in rows),
        labels=np.array([kind for _, kind in rows]),
        read=lambda index: rows[index][0].encode(),
    )


def test_every_class_gives_its_share_and_nothing_is_lost():
    source = _source([100, 50, 10])
    training, validation = split(source, fraction=0.2, seed=0)
    assert validation.count_classes().tolist() == [20, 10, 2]
    assert sorted(training.names + validation.names) == sorted(source.names)
    assert all(part.read(3).decode() == part.names[3] for part in (training, validation))


def test_small_classes_keep_one_on_each_side():
    training, validation = split(_source([1, 2, 3]), fraction=0.1, seed=0)
    assert validation.count_classes().tolist() == [0, 1, 1]
    assert training.count_classes().tolist() == [1, 1, 2]
    (note,) = validation.notes
    assert note.startswith("1 class has no picture in the validation part")
    assert note.endswith(": class 0.")
    assert training.notes == ()


def test_classes_that_are_not_there_at_all_are_not_missed():
    source = _source([4, 1, 1])
    more = Classes(names=(*source.classes.names, "never seen"))
    _, validation = split(replace(source, classes=more), fraction=0.5, seed=0)
    assert validation.notes[0].startswith("2 classes have")
    assert validation.notes[0].endswith("class 1, class 2.")
    assert split(_source([4, 2]), fraction=0.5, seed=0)[1].notes == ()


def test_the_order_of_the_files_does_not_matter():
    first = split(_source([30, 30]), fraction=0.3, seed=5)[1]
    second = split(_source([30, 30], reverse=True), fraction=0.3, seed=5)[1]
    assert set(first.names) == set(second.names)


def test_another_seed_is_another_split():
    held = [set(split(_source([100]), fraction=0.3, seed=seed)[1].names) for seed in (0, 1)]
    assert held[0] != held[1]


def test_a_picture_more_moves_at_most_one_other():
    before = set(split(_source([100]), fraction=0.2, seed=0)[1].names)
    after = set(split(_source([101]), fraction=0.2, seed=0)[1].names)
    assert len(before - after) <= 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 2])
def test_a_senseless_fraction_is_refused(fraction):
    with pytest.raises(SettingError, match="validation part"):
        split(_source([10]), fraction=fraction, seed=0)


def test_too_few_pictures_are_refused():
    with pytest.raises(DataError, match="too small"):
        split(_source([1, 1]), fraction=0.5, seed=0)


def _multi(rows, classes=3):
    return Source(
        title="test",
        classes=Classes(names=tuple(f"class {kind}" for kind in range(classes))),
        names=tuple(f"{number}.jpg" for number in range(len(rows))),
        labels=np.array([[kind in row for kind in range(classes)] for row in rows]),
        read=lambda index: b"",
    )


def test_the_hashes_of_a_split_never_change():
    """Bundles store seed and fraction; the part that they name must stay the same."""
    held_out = split(_source([6, 4]), fraction=0.5, seed=0)[1].names
    ranked = [
        sorted(
            (f"{kind}/{i}.jpg" for i in range(count)),
            key=lambda name: hashlib.sha256(f"0\0class {kind}\0{name}".encode()).digest(),
        )[: count // 2]
        for kind, count in enumerate([6, 4])
    ]
    assert sorted(held_out) == sorted(ranked[0] + ranked[1])


def test_multi_label_data_are_stratified_by_the_rarest_class():
    # 80 pictures of class 0 alone, 20 of 0 and 1, 10 of 0, 1 and 2, 10 of none.
    source = _multi([{0}] * 80 + [{0, 1}] * 20 + [{0, 1, 2}] * 10 + [set()] * 10)
    _, validation = split(source, fraction=0.2, seed=3)
    assert validation.count_classes().tolist() == [16 + 4 + 2, 4 + 2, 2]
    assert int((~validation.labels.any(axis=1)).sum()) == 2


@pytest.mark.parametrize("counts", [[10, 10], [7, 3, 5], [100, 1, 2]])
def test_folds_hold_each_picture_once_and_are_even(counts):
    source = _source(counts)
    pairs = fold(source, count=4, seed=1)
    assert len(pairs) == 4
    held_out = [name for _, validation in pairs for name in validation.names]
    assert sorted(held_out) == sorted(source.names)
    for training, validation in pairs:
        assert sorted(training.names + validation.names) == sorted(source.names)
    sizes = np.array([validation.count_classes() for _, validation in pairs])
    assert np.ptp(sizes, axis=0).max() <= 1
    assert np.ptp(sizes.sum(axis=1)) <= 1


def test_folds_do_not_depend_on_the_order_of_the_files():
    first = fold(_source([9, 8]), count=3, seed=5)
    second = fold(_source([9, 8], reverse=True), count=3, seed=5)
    assert [set(v.names) for _, v in first] == [set(v.names) for _, v in second]
    other = fold(_source([9, 8]), count=3, seed=6)
    assert [set(v.names) for _, v in first] != [set(v.names) for _, v in other]


@pytest.mark.parametrize("count", [0, 1, 18])
def test_a_senseless_number_of_folds_is_refused(count):
    with pytest.raises(SettingError, match="folds of 17 pictures"):
        fold(_source([9, 8]), count=count, seed=0)


def _grouped(*, people=60, classes=3, seed=0):
    """Photographs by people who took between 1 and 12 of them, of one class or of several."""
    random = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), random.integers(1, 13, people))
    favourite = random.integers(0, classes, people)
    labels = np.where(
        random.random(len(owners)) < 0.7,
        favourite[owners],
        random.integers(0, classes, len(owners)),
    )
    return Source(
        title="test",
        classes=Classes(names=tuple(f"class {kind}" for kind in range(classes))),
        names=tuple(f"p{owner}_{number}.jpg" for number, owner in enumerate(owners)),
        labels=labels.astype(np.int64),
        read=lambda index: b"",
        groups=tuple(f"p{owner}" for owner in owners),
    )


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_on_one_side_and_classes_keep_their_shares(seed):
    source = _grouped(seed=seed)
    training, validation = split(source, fraction=0.2, seed=seed)
    assert not set(training.groups) & set(validation.groups)
    assert len(training) + len(validation) == len(source)
    shares = validation.count_classes() / source.count_classes()
    assert shares == pytest.approx([0.2] * 3, abs=0.05)


def test_group_folds_are_as_even_as_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.model_selection", reason="scikit-learn is missing")
    ours, theirs = [], []
    for seed in range(30):
        source = _grouped(seed=seed)
        target = source.count_classes() / 5
        pairs = fold(source, count=5, seed=seed)
        held_out = [set(validation.groups) for _, validation in pairs]
        assert sum(map(len, held_out)) == len(set.union(*held_out)) == 60
        ours += [np.abs(part.count_classes() - target).max() / target.min() for _, part in pairs]
        reference = sklearn.StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for _, test in reference.split(np.zeros(len(source)), source.labels, source.groups):
            counts = np.bincount(source.labels[test], minlength=3)
            theirs.append(np.abs(counts - target).max() / target.min())
    assert np.mean(ours) <= np.mean(theirs)


def test_another_seed_is_another_split_of_groups():
    held = [set(split(_grouped(), fraction=0.2, seed=seed)[1].groups) for seed in (0, 1)]
    assert held[0] != held[1]


@pytest.mark.parametrize(("fraction", "held"), [(0.2, 1), (0.9, 2)])
def test_few_groups_leave_one_on_each_side(fraction, held):
    source = replace(_source([6, 6]), groups=("a",) * 5 + ("b",) * 4 + ("c",) * 3)
    validation = split(source, fraction=fraction, seed=0)[1]
    assert len(set(validation.groups)) == held
    with pytest.raises(DataError, match="of one group, 'a'"):
        split(replace(source, groups=("a",) * 12), fraction=fraction, seed=0)
    with pytest.raises(DataError, match="3 groups, too few for 4 folds"):
        fold(source, count=4, seed=0)


def test_groups_by_a_pattern_of_the_names(shared_data):
    """Flowers of one Flickr number are one photograph."""
    flowers = read_folder(shared_data / "flowers5" / "val")
    grouped = group_by_pattern(flowers, r"/(\d+)_")
    assert grouped.groups[0] == flowers.names[0].split("/")[1].split("_")[0]
    assert group_by_pattern(flowers, r"^[a-z]+").groups[0] == "daisy"
    with pytest.raises(DataError, match=r"736 of 736 names .* do not match"):
        group_by_pattern(flowers, "xyz")
    with pytest.raises(SettingError, match="no regular expression"):
        group_by_pattern(flowers, "(")
