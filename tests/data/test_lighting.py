"""PCA lighting against section 4.1 of the AlexNet paper."""

import numpy as np
import pytest

from residua.data.augment.lighting import EIGENVALUES, EIGENVECTORS, light
from residua.data.draws import Purpose, stream


def _numbers(ticket):
    return stream(Purpose.LIGHTING, seed=0, epoch=0, index=ticket)


def test_the_published_vectors_are_orthonormal():
    np.testing.assert_allclose(EIGENVECTORS.T @ EIGENVECTORS, np.eye(3), atol=2e-4)
    assert (np.diff(EIGENVALUES) < 0).all()


def test_one_colour_is_added_and_its_covariance_is_that_of_the_formula():
    picture = np.full((2, 2, 3), 128, np.uint8)
    shifts = []
    for ticket in range(8000):
        added = light(picture, 0.5, _numbers(ticket)).astype(float) - 128
        assert (added == added[0, 0]).all()
        shifts.append(added[0, 0])
    # Covariance of P (a * l) with a normal of deviation s: s^2 P diag(l^2) P', on values of 0…255.
    expected = (255 * 0.5) ** 2 * EIGENVECTORS @ np.diag(EIGENVALUES**2) @ EIGENVECTORS.T
    np.testing.assert_allclose(np.cov(np.transpose(shifts)), expected, rtol=0.08)
    assert np.abs(np.mean(shifts, axis=0)).max() < 1


def test_values_stay_within_a_byte():
    picture = np.array([[[0, 128, 255]]], np.uint8)
    lit = np.array([light(picture, 5.0, _numbers(ticket))[0, 0] for ticket in range(50)])
    assert set(np.unique(lit[:, 1])) >= {0, 255}  # cut off, not wrapped around
    for ticket in range(50):
        rise = light(np.full((1, 1, 3), 128, np.uint8), 5.0, _numbers(ticket))[0, 0] >= 128
        assert (lit[ticket][0] > 0) <= rise[0]
        assert (lit[ticket][2] < 255) <= (not rise[2])


@pytest.mark.parametrize("deviation", [0.0, 0.1])
def test_grey_and_alpha_stay(deviation):
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (5, 5, 1), dtype=np.uint8)
    np.testing.assert_array_equal(light(grey, deviation, _numbers(1)), grey)
    rgba = random.integers(0, 256, (5, 5, 4), dtype=np.uint8)
    lit = light(rgba, deviation, _numbers(1))
    np.testing.assert_array_equal(lit[:, :, 3], rgba[:, :, 3])
    assert (lit != rgba).any() == bool(deviation)
