"""The comparison of answers, against figures worked out by hand, and the probes behind it."""

from itertools import pairwise

import numpy as np
import pytest

from residua.bundle.schema import Preprocess
from residua.engines.parity import TOLERANCES, Tolerance, compare, run_in_parts, tolerance_for
from residua.engines.probes import make_probes

STRICT = Tolerance(difference=0.01, cosine=0.999, agreement=1.0, tie=0.05)


def test_the_figures_are_those_of_their_definitions():
    want = np.array([[0.8, 0.2], [0.6, 0.4]], np.float32)
    got = np.array([[0.7, 0.3], [0.4, 0.6]], np.float32)
    parity, excesses = compare(want, got, STRICT, pictures=1)
    assert parity.difference == pytest.approx(0.2)
    # (0.6·0.4 + 0.4·0.6) / (0.6² + 0.4²)
    assert parity.cosine == pytest.approx(0.48 / 0.52)
    assert parity.agreement == 0.5
    assert (parity.inputs, parity.pictures) == (2, 1)
    assert len(excesses) == 3


def test_ties_of_the_reference_do_not_count_as_disagreement():
    want = np.array([[0.52, 0.48], [0.9, 0.1]], np.float32)
    got = np.array([[0.48, 0.52], [0.9, 0.1]], np.float32)
    parity, _ = compare(want, got, STRICT)
    assert parity.agreement == 1


def test_equal_answers_pass_and_bounds_are_bounds():
    want = np.random.default_rng(0).dirichlet(np.ones(5), 20).astype(np.float32)
    assert compare(want, want, TOLERANCES["fp32"])[1] == ()
    moved = want.copy()
    moved[3, 0] += 3e-4
    _, excesses = compare(want, moved, TOLERANCES["fp32"])
    assert len(excesses) == 1
    assert "differs by 0.0003" in excesses[0]


@pytest.mark.parametrize("broken", [np.full((2, 3), np.nan), np.zeros((2, 4)), np.zeros((1, 3))])
def test_what_is_no_answer_fails(broken):
    want = np.full((2, 3), 1 / 3, np.float32)
    parity, excesses = compare(want, broken.astype(np.float32), TOLERANCES["int8"])
    assert excesses
    assert parity.agreement == 0


def test_tolerances_widen_with_coarser_numbers():
    order = [tolerance_for(name) for name in ("fp32", "fp16", "bf16", "int8")]
    for finer, coarser in pairwise(order):
        assert finer.difference < coarser.difference
        assert finer.cosine >= coarser.cosine


def test_batches_of_one_three_and_the_rest():
    sizes = []

    def run(batch):
        sizes.append(len(batch))
        return batch * 2

    crops = np.arange(9)[:, None]
    np.testing.assert_array_equal(run_in_parts(run, crops), crops * 2)
    assert sizes == [1, 3, 5]


@pytest.mark.parametrize(("colour", "channels"), [("RGB", 3), ("grey", 1), ("RGBA", 4)])
def test_probes_are_distinct_and_of_the_crops_shape(colour, channels):
    rule = Preprocess(
        crop_size=61, short_side=61, colour=colour, mean=(0.5,) * channels, std=(0.5,) * channels
    )
    probes = make_probes(rule)
    assert probes.dtype == np.uint8
    assert probes.shape[1:] == (61, 61, channels)
    assert len({probe.tobytes() for probe in probes}) == len(probes) - (channels == 1)
    assert probes[0].max() == 0
    assert probes[1].min() == 255


def test_probes_are_the_same_everywhere():
    # Answers to them are kept in bundles: a change must raise EDITION and these figures.
    from hashlib import sha256

    digest = sha256(make_probes(Preprocess()).tobytes()).hexdigest()
    assert digest == "ebfb86dc6759a2a2af223d575963c0f4b2a178a01f27aa3cd3f8a52cb1a5e86c"


def test_noise_is_splitmix64():
    # The first numbers of SplitMix64 with seed 0, from the reference implementation.
    from residua.engines.probes import _draw

    known = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    assert _draw(0, 3).tolist() == [number >> 56 for number in known]
