"""Paired tests against SciPy, and verdicts on cases that are plain."""

import numpy as np
import pytest

from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.draws import Purpose, bits
from residua.data.source import Source
from residua.evaluate.compare import (
    bootstrap_interval,
    compare,
    match_both,
    mcnemar,
    take_common,
)

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 0), (0, 1), (1, 1), (3, 9), (10, 2), (40, 60), (500, 430)]
)
def test_p_is_that_of_the_binomial_test(only_a, only_b):
    tosses = only_a + only_b
    expected = stats.binomtest(only_a, tosses, 0.5).pvalue if tosses else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


def test_p_of_many_pictures():
    assert mcnemar(20_000, 20_400) == pytest.approx(
        stats.binomtest(20_000, 40_400, 0.5).pvalue, rel=1e-6
    )
    assert mcnemar(0, 5000) == 0.0


def test_the_interval_is_that_of_scipys_bootstrap():
    images, only_a, only_b = 400, 30, 55
    low, high = bootstrap_interval(only_a, only_b, images)
    won = np.repeat([-1.0, 1.0, 0.0], [only_a, only_b, images - only_a - only_b])
    expected = stats.bootstrap(
        (won,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    # The bounds of both scatter by about a fiftieth of the standard error, 0.022.
    assert low == pytest.approx(expected.low, abs=0.0016)
    assert high == pytest.approx(expected.high, abs=0.0016)


def test_the_interval_is_that_of_drawing_the_pictures_themselves():
    won = np.repeat([-1, 1, 0], [3, 8, 29])
    words = bits(Purpose.SAMPLE, seed=5, epoch=0, indices=np.arange(500), count=40)
    drawn = (words >> np.uint64(32)).astype(object) * 40 // 2**32
    means = won[drawn.astype(np.int64)].mean(1)
    expected = np.quantile(means, [0.025, 0.975])
    assert bootstrap_interval(3, 8, 40, seed=5, resamples=500) == pytest.approx(tuple(expected))


def test_the_interval_does_not_depend_on_the_memory_it_takes(monkeypatch):
    whole = bootstrap_interval(10, 20, 300, resamples=1000)
    monkeypatch.setattr("residua.evaluate.compare._WORDS", 700)
    assert bootstrap_interval(10, 20, 300, resamples=1000) == whole
    assert bootstrap_interval(10, 20, 300, resamples=1000, seed=1) != whole


def _rights(both, only_a, only_b, neither):
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((80, 2, 15, 3), "B is better"),
        ((80, 15, 2, 3), "A is better"),
        ((80, 8, 9, 3), "not distinguishable"),
        ((100, 0, 0, 0), "not distinguishable"),
        # Nine of nine and the like is a difference, five of five is not (p = 0.0625).
        ((100, 0, 9, 0), "B is better"),
        ((100, 0, 5, 0), "not distinguishable"),
    ],
)
def test_verdicts(counts, verdict):
    result = compare(*_rights(*counts))
    assert result.verdict == verdict
    both, only_a, only_b, _ = counts
    assert (result.only_a, result.only_b) == (only_a, only_b)
    assert (result.right_a, result.right_b) == (both + only_a, both + only_b)
    assert result.difference == pytest.approx((only_b - only_a) / sum(counts))
    low, high = result.interval
    assert low <= result.difference <= high


def test_classes_are_matched_by_name():
    a, b = Classes(names=("cat", "dog", "cow")), Classes(names=("dog", "cow", "cat"))
    assert match_both(a, b) == (2, 0, 1)
    with pytest.raises(DataError, match=r"Only in A: cow\. Only in B: none"):
        match_both(a, Classes(names=("dog", "cat")))
    with pytest.raises(DataError, match=r"Only in A: none\. Only in B: cow"):
        match_both(Classes(names=("dog", "cat")), b)


def _source(*names):
    return Source("x", Classes(names=("a",)), names, np.zeros(len(names), np.int64), lambda i: b"")


def test_only_pictures_that_neither_learnt_from_count():
    a, b = _source("1", "2", "3"), _source("3", "4", "2")
    assert take_common(a, b).names == ("2", "3")
    assert take_common(a, a) is a
    with pytest.raises(DataError, match="--part all"):
        take_common(a, _source("7"))


def test_names_with_commas_stay_apart():
    a, b = Classes(names=("crane, bird", "tench, fish")), Classes(names=("cow",))
    with pytest.raises(DataError, match=r"Only in A: crane, bird; tench, fish\. Only in B: cow"):
        match_both(a, b)
