"""The layout that graphs compute is that of ``pixels.geometry``, for every size that matters.

The formulas run here in numpy, in whole numbers of 32 bits and float32, thousands of sizes at once.
"""

import numpy as np
import pytest

from residua.bundle.schema import Preprocess
from residua.engines.graph.arithmetic import Term
from residua.engines.graph.crop import lay_out, list_edges
from residua.pixels import geometry

SIDES = [256, 235, 232, 224, 288, 333, 366, 1]


class NumpyArithmetic:
    """The operations in numpy; sizes have the shape [sizes, 1] where a graph has [1]."""

    def constant(self, array):
        return array.astype(np.float32 if array.dtype.kind == "f" else np.int32)

    def apply(self, operation, *inputs):
        divide = np.floor_divide if inputs[0].dtype.kind == "i" else np.divide
        functions = {
            "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": divide, "Where": np.where,
            "Min": np.minimum, "Max": np.maximum, "Less": np.less,
        }  # fmt: skip
        return functions[operation](*inputs)

    def convert(self, x, kind):
        return x.astype({"whole": np.int32, "real": np.float32}[kind])

    def gather(self, x, places, axis):
        return np.take(x, places, axis)

    def sum(self, x, axis, *, keep):
        return x.sum(axis, keepdims=keep, dtype=x.dtype)


def lay_out_all(sizes, preprocess):
    """Resized heights and widths and offsets [sizes, 4] by the formulas of the graph."""
    graph = NumpyArithmetic()
    height, width = (
        Term(graph, np.array([size[axis] for size in sizes], np.int32)[:, None], real=False)
        for axis in (1, 0)
    )
    down, across = lay_out(height, width, preprocess)
    columns = [across.resized, down.resized, across.places, down.places]
    columns = [np.broadcast_to(term.value, (len(sizes), term.value.shape[-1])) for term in columns]
    for places in columns[2:]:
        assert (np.diff(places, axis=1) == 1).all()
        assert places.shape[1] == preprocess.crop_size
    return np.stack([column[:, 0] for column in columns], axis=1)


def expect(sizes, preprocess):
    layouts = [geometry.lay_out(width, height, preprocess) for width, height in sizes]
    return np.array([(each.width, each.height, each.left, each.top) for each in layouts])


def draw_sizes(count=1000):
    rng = np.random.default_rng(0)
    sides = np.concatenate([np.arange(1, 40), rng.integers(1, 6000, count)])
    ratios = np.exp(rng.uniform(-3, 3, len(sides)))
    return [(int(a), max(1, int(a * r))) for a, r in zip(sides, ratios, strict=True)]


@pytest.mark.parametrize("aspect", ["crop", "squash", "pad"])
@pytest.mark.parametrize("rounding", ["torchvision", "paddle"])
@pytest.mark.parametrize("side", SIDES)
def test_sizes_and_offsets_are_those_of_geometry(side, rounding, aspect):
    preprocess = Preprocess(short_side=side, crop_size=224, rounding=rounding, aspect=aspect)
    sizes = draw_sizes()
    np.testing.assert_array_equal(lay_out_all(sizes, preprocess), expect(sizes, preprocess))


@pytest.mark.parametrize("crop", [223, 224, 300])
@pytest.mark.parametrize("rounding", ["torchvision", "paddle"])
def test_every_width_of_a_picture_that_stays_as_high_as_it_is(rounding, crop):
    preprocess = Preprocess(short_side=256, crop_size=crop, rounding=rounding)
    sizes = [(width, 256) for width in range(256, 600)]
    np.testing.assert_array_equal(lay_out_all(sizes, preprocess), expect(sizes, preprocess))


@pytest.mark.parametrize("side", SIDES)
def test_halves_go_where_float64_sends_them(side):
    # Pictures whose long side comes out as k + 1/2: of those float64 moves some off the half.
    step, _, _ = list_edges(side)
    sizes = [
        (source, fixed)
        for fixed in range(step, 4097, step)
        for source in range(fixed, 4 * fixed, fixed // int(np.gcd(fixed, 2 * side)))
        if (2 * source * side // fixed) % 2
    ]
    sizes = sizes[:: max(1, len(sizes) // 5000)]
    preprocess = Preprocess(short_side=side, crop_size=224, rounding="paddle")
    expected = expect(sizes, preprocess)
    np.testing.assert_array_equal(lay_out_all(sizes, preprocess), expected)
    if side == 235:  # the point of the test: to the even neighbour is not always right
        exact = [round(2 * w * side / f) for w, f in sizes]
        even = np.array([k // 2 + (k // 2) % 2 for k in exact])
        assert (even != expected[:, 0]).mean() > 0.01


def test_halves_come_with_multiples_of_the_step_only():
    for side in SIDES:
        step, bounds, ways = list_edges(side)
        assert len(bounds) == len(ways) == 65535 // step + 1
        for fixed in (step // 2 or 1, step + 1, 3 * step // 2 + 1):
            if fixed % step:
                assert not any(2 * w * side % fixed == 0 and (2 * w * side // fixed) % 2
                               for w in range(fixed, 3 * fixed))  # fmt: skip
