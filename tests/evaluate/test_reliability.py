"""The calibration error against scikit-learn's bins and against a sum by hand."""

import numpy as np
import pytest

from residua.evaluate.reliability import BINS, Reliability


def _fill(probabilities, right):
    reliability = Reliability()
    reliability.add(np.asarray(probabilities, np.float32), np.asarray(right, bool))
    return reliability


def test_the_bins_are_those_of_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration")
    generator = np.random.default_rng(0)
    probabilities = generator.random(2000).astype(np.float32)
    right = generator.random(2000) < probabilities**2
    reliability = _fill(probabilities, right)
    shares, means = calibration.calibration_curve(right, probabilities, n_bins=BINS)
    filled = reliability.answers > 0
    np.testing.assert_allclose((reliability.right / reliability.answers)[filled], shares)
    np.testing.assert_allclose(
        (reliability.probability_sum / reliability.answers)[filled], means, rtol=1e-6
    )
    weights = reliability.answers[filled] / 2000
    assert reliability.error == pytest.approx(float((weights * np.abs(shares - means)).sum()))


def test_the_error_of_four_answers_by_hand():
    # 0.70 and 0.72 lie in (10/15, 11/15], both 0.95 in the last bin.
    reliability = _fill([0.70, 0.72, 0.95, 0.95], [True, False, True, True])
    # Two answers at 0.71 of which half are right, two at 0.95 that are both right.
    assert reliability.error == pytest.approx(0.5 * (0.71 - 0.5) + 0.5 * (1 - 0.95), abs=1e-6)


def test_a_bin_holds_its_upper_edge_and_not_its_lower():
    assert np.flatnonzero(_fill([0.0], [False]).answers).tolist() == [0]
    assert np.flatnonzero(_fill([1.0], [True]).answers).tolist() == [BINS - 1]
    third = np.nextafter(np.float32(1 / 3), np.float32(0))
    assert np.flatnonzero(_fill([third], [True]).answers).tolist() == [4]
    assert np.flatnonzero(_fill([0.34], [True]).answers).tolist() == [5]


def test_honest_and_dishonest_classifiers():
    sure = _fill([1.0] * 10, [True] * 10)
    assert sure.error == 0
    boaster = _fill([1.0] * 10, [False] * 10)
    assert boaster.error == 1
    assert Reliability().error == 0


def test_parts_add_up_and_the_record_names_empty_bins():
    whole, part = _fill([0.1, 0.9], [False, True]), _fill([0.1], [False])
    part.merge(_fill([0.9], [True]))
    assert part.as_record() == whole.as_record()
    rows = whole.as_record()
    assert len(rows) == BINS
    assert rows[0]["right"] is None
    assert rows[13] == {
        "from": 13 / 15, "to": 14 / 15, "answers": 1, "right": 1.0,
        "probability": pytest.approx(0.9),
    }  # fmt: skip
