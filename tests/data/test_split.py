"""A split is stratified, stable, and a function of names and seed."""

import numpy as np
import pytest

from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.data.split import split


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
