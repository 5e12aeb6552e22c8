"""From whole pictures to crops inside a graph: ``pixels.geometry`` and ``pixels.prepare`` again.

The sizes are known only when the graph runs, so the layout is computed there, in whole numbers.
A crop is within 1 of 255 of what ``prepare`` makes of the same pixels (tests/engines).
"""

from fractions import Fraction

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.engines.graph.arithmetic import Arithmetic, Term
from residua.engines.graph.emitter import Value
from residua.engines.graph.resample import Axis, resample

_LONGEST_SIDE = 65_535  # as pixels.limits has it


def cut(graph: Arithmetic[Value], image: Value, preprocess: Preprocess) -> Value:
    """Return the crops, uint8 [N, crop, crop, C], of pictures uint8 [N, H, W, C] of one size.

    Raises SettingError where a graph cannot do what ``preprocess`` says.
    """
    if preprocess.colour == "RGBA" and preprocess.resampler == "pillow":
        raise SettingError(
            "Whole pictures of RGBA cannot be resized within a graph as Pillow resizes them.",
            next_step="Pillow weighs colours by alpha and rounds them. Export --input crop.",
        )
    images = Term(graph, image, real=False)
    height, width = (Term(graph, graph.measure(image, axis), real=False) for axis in (1, 2))
    down, across = lay_out(height, width, preprocess)
    levels = resample(images, down, across, preprocess)
    smallest = {"crop": preprocess.short_side, "squash": preprocess.crop_size, "pad": 0}
    if smallest[preprocess.aspect] < preprocess.crop_size:
        levels = _pad(levels, down, across, preprocess)
    return graph.convert(levels.value, "uint8")


def lay_out(
    height: Term[Value], width: Term[Value], preprocess: Preprocess
) -> tuple[Axis[Value], Axis[Value]]:
    """Return the vertical and the horizontal axis as ``pixels.geometry.lay_out`` has them."""
    crop = preprocess.crop_size
    places = height.like(np.arange(crop))
    if preprocess.aspect == "squash":
        size = height.like(np.array([crop]))
        return Axis(height, size, places), Axis(width, size, places)
    if preprocess.aspect == "pad":
        side, fixed = crop, height.at_least(width)
    else:
        side, fixed = preprocess.short_side, height.at_most(width)
    axes = []
    for source in (height, width):
        if preprocess.rounding == "paddle":
            resized = _round_share(source, fixed, side)
        else:
            resized = source * side // fixed  # equals int(side * source / fixed) below 2**53
        resized = resized.at_least(1)
        axes.append(Axis(source, resized, places + _offset(resized, preprocess)))
    return axes[0], axes[1]


def _offset(resized: Term[Value], preprocess: Preprocess) -> Term[Value]:
    """Return where the crop begins along an axis; negative where padding comes first."""
    surplus = (resized - preprocess.crop_size).at_least(0)
    half = surplus // 2
    if preprocess.rounding == "torchvision":  # halves to even
        half = half + (surplus % 2) * (half % 2)
    return half - (preprocess.crop_size - resized).at_least(0) // 2


def _round_share(source: Term[Value], fixed: Term[Value], side: int) -> Term[Value]:
    """Return ``round(source * (side / fixed))`` as Python computes it in float64.

    Runtimes have no float64 for certain. It matters on halves alone, and there ``list_edges`` says
    what comes out.
    """
    quotient = source * side // fixed
    rest = (source * side - quotient * fixed) * 2
    step, bounds, ways = list_edges(side)
    place = (fixed // step).at_most(len(bounds) - 1)
    double = (quotient * 2 + 1).as_real()  # twice the half
    powers = 2.0 ** np.arange(31, dtype=np.float32)
    beyond = double < source.like(powers)
    power = beyond.where(0.0, source.like(np.diff(powers, prepend=0))).sum(-1, keep=True)
    aside = source.like(bounds).gather(place, 0) < double / power
    up = aside.where(source.like(ways).gather(place, 0), quotient % 2)
    return quotient + (rest < fixed).where(0, (fixed < rest).where(1, up))


def list_edges(side: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Return where ``source * (side / fixed)`` leaves an exact half in float64, and to which side.

    Halves come with a ``fixed`` that is a multiple of ``step`` only. For each multiple, ``bounds``
    (float32) is the significand, 1…2, above which the error of the quotient moves the product by
    more than half a unit in its last place, hence off the half; ``ways`` is then 1 for up, 0 for
    down. Other halves go to the even neighbour.
    """
    step = 2 * (side & -side)
    bounds, ways = [2.0], [0]
    for fixed in range(step, _LONGEST_SIDE + 1, step):
        error = Fraction(side / fixed) * fixed / side - 1  # relative
        bound = 2.0
        if error:
            exact = Fraction(1, 2**53) / abs(error)
            bound = float(np.float32(exact))
            if bound > exact:  # the significands are float32 as well: none lies between
                bound = float(np.nextafter(np.float32(bound), np.float32(0)))
        bounds.append(min(bound, 2.0))
        ways.append(int(error > 0))
    return step, np.array(bounds, np.float32), np.array(ways)


def _pad(
    levels: Term[Value], down: Axis[Value], across: Axis[Value], preprocess: Preprocess
) -> Term[Value]:
    """Return crops [N, crop, crop, C] with the colour of ``prepare`` outside of the pictures."""
    colour = np.zeros(preprocess.channels)
    if preprocess.aspect == "pad":
        colour = np.clip(np.rint(255 * np.array(preprocess.mean)), 0, 255)
    padding = levels.like(colour.astype(np.float32))
    for axis, inner in ((down, (-1, -2)), (across, (-1,))):
        before = (axis.places < 0).unsqueeze(*inner)
        inside = (axis.places < axis.resized).unsqueeze(*inner)
        levels = before.where(padding, inside.where(levels, padding))
    return levels
