"""Resampling inside a graph, of plain operations that every runtime has.

Runtimes have resizing of their own, but it gives the pixels of neither Pillow nor OpenCV in all
cases, and each runtime has another. Here positions are whole numbers, and levels are rounded where
the library rounds them. What counts stays below 2**24, where float32 is exact, or may wrap around.

Whole numbers of 32 bits hold as long as a side times its resized side is below 2**31: with a short
side of 256 in all pictures that are less than 125 times as long as wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from residua.bundle.schema import Preprocess
from residua.engines.graph.arithmetic import Term
from residua.engines.graph.emitter import Value
from residua.pixels.resize import TALL_VERTICALLY_FIRST, Interpolation

_ONE = 2.0**22  # Pillow's weights are multiples of 1 / _ONE (PRECISION_BITS)
_PART = 2.0**11  # times a level, sums of so many parts are exact in float32


@dataclass(frozen=True, slots=True)
class Axis(Generic[Value]):
    """One axis of a picture: ``source`` [1] pixels become ``resized`` [1].

    ``places`` [crop] of the resized picture make up the crop; those outside of it are padding.
    """

    source: Term[Value]
    resized: Term[Value]
    places: Term[Value]

    @property
    def inner(self) -> Term[Value]:
        """The places, those of the padding moved to the nearest pixel."""
        return self.places.at_least(0).at_most(self.resized - 1)

    def find_window(self, interpolation: Interpolation) -> tuple[Term[Value], Term[Value]]:
        """Return the first source pixel that Pillow's crop depends on and the one behind the last.

        A kernel reaches 1 or 2 pixels of the coarser of both pictures.
        """
        reach = self.source.at_least(self.resized) * (2 if interpolation == "bilinear" else 4)
        first, last = (self.inner.gather(self.inner.like(np.array([end])), 0) for end in (0, -1))
        start = ((first * 2 + 1) * self.source - reach).at_least(0) // (self.resized * 2)
        end = ((last * 2 + 1) * self.source + reach) // (self.resized * 2) + 1
        return start, end.at_most(self.source)


def resample(
    images: Term[Value], down: Axis[Value], across: Axis[Value], preprocess: Preprocess
) -> Term[Value]:
    """Return the crops' levels, real [N, crop, crop, C], of pictures uint8 [N, H, W, C].

    What lies outside of the pictures repeats their edges.
    """
    each = _resample_pillow if preprocess.resampler == "pillow" else _resample_opencv
    levels = each(images, down, across, preprocess.interpolation)  # [N, C, crop, crop]
    return levels.transpose(0, 2, 3, 1)


def _resample_pillow(
    images: Term[Value], down: Axis[Value], across: Axis[Value], interpolation: Interpolation
) -> Term[Value]:
    """Two passes with levels after each (Pillow, src/libImaging/Resample.c), as matrix products.

    Pillow 13 goes across and then down, but down first where the height loses more than twice the
    pixels that the width loses. Both ways are in the graph, and the one that does not count has but
    one row or column to work on: behind an If, OpenVINO 2026.4 gives wrong first answers.
    """
    top, bottom = down.find_window(interpolation)
    left, right = across.find_window(interpolation)
    images = images.slice(top, bottom, 1).slice(left, right, 2)
    rows = _weigh_pillow(down, top, bottom, interpolation)  # [crop, height], twice
    columns = [part.transpose(1, 0) for part in _weigh_pillow(across, left, right, interpolation)]
    if not TALL_VERTICALLY_FIRST:
        return _go_down(rows, _go_across(_arrange(images), columns))
    lost = down.source - down.resized, across.source - across.resized
    tall = (lost[1] * 2).at_least(0) < lost[0]
    none = 0 * top
    height, width = tall.where(none + 1, bottom - top), tall.where(right - left, none + 1)
    some = [part.slice(none, height, 1) for part in rows]
    usual = _go_down(some, _go_across(_arrange(images.slice(none, height, 1)), columns))
    some = [part.slice(none, width, 0) for part in columns]
    other = _go_across(_go_down(rows, _arrange(images.slice(none, width, 2))), some)
    return tall.where(other, usual)


def _arrange(images: Term[Value]) -> Term[Value]:
    """Return pictures [N, H, W, C] as real planes [N, C, H, W]."""
    return images.transpose(0, 3, 1, 2).as_real()


def _go_down(rows: Sequence[Term[Value]], x: Term[Value]) -> Term[Value]:
    """Weigh the rows of ``x`` [..., H, W] by both parts of the weights [crop, H]."""
    return _round_sums(rows[0] @ x, rows[1] @ x)


def _go_across(x: Term[Value], columns: Sequence[Term[Value]]) -> Term[Value]:
    """Weigh the columns of ``x`` [..., H, W] by both parts of the weights [W, crop]."""
    return _round_sums(x @ columns[0], x @ columns[1])


def _weigh_pillow(
    axis: Axis[Value], start: Term[Value], end: Term[Value], interpolation: Interpolation
) -> tuple[Term[Value], Term[Value]]:
    """Return how much each pixel of a window counts for each of the crop, real [crop, window].

    The weights are Pillow's, in two parts of 11 bits: ``high * _PART + low`` of ``_ONE``. The
    distance of two pixels is (source + 1/2) - (place + 1/2) * n / m, over max(1, n / m), which is
    ``gaps / span`` in whole numbers.
    """
    n, m = axis.source, axis.resized
    pixels = (end - start).count() + start
    gaps = abs((pixels * 2 + 1) * m - ((axis.inner * 2 + 1) * n).unsqueeze(-1))
    span = n.at_least(m) * 2
    if interpolation == "bilinear":
        whole = (span - gaps).at_least(0)
        weights = _normalise(whole, 0.0 * whole.as_real())
    else:
        weights = _normalise(*_bend(gaps.at_most(span * 2), span))
    high = (weights / _PART).floor()
    return high, weights - high * _PART


def _bend(gaps: Term[Value], span: Term[Value]) -> tuple[Term[Value], Term[Value]]:
    """Return Keys's cubic (1981) with slope -1/2 at ``gaps / span``, in units of 1 / _ONE.

    It comes as whole numbers and the fraction to add: the distance is taken as (h + rest) / 128, so
    that the cubic of ``h`` is whole, and the little that ``rest`` adds is exact enough in float32.
    """
    h = gaps * 128 // span
    rest = (gaps * 128 - h * span).as_real() / span.as_real()
    near = h < 128
    whole = near.where(
        (h * 3 - 640) * h * h + int(_ONE), ((640 - h) * h - 131_072) * h + 2 * int(_ONE)
    )
    x = h.as_real()
    added = rest * near.where(
        (x * 9.0 - 1280.0) * x + rest * (x * 9.0 + rest * 3.0 - 640.0),
        (1280.0 - x * 3.0) * x - 131_072.0 + rest * (640.0 - x * 3.0 - rest),
    )
    carry = added.floor()
    return whole + carry.as_whole(), added - carry


def _normalise(whole: Term[Value], fraction: Term[Value]) -> Term[Value]:
    """Return rows of ``whole + fraction`` over their sum, in units of 1 / _ONE, rounded, real.

    Pictures are often resized by a simple ratio, and then many sums of levels lie on a half: which
    way they go depends on the last bit of the weights, for which float32 is too short. So the
    quotient is put right by its remainder, whose two products may wrap around in 32 bits while it
    does not. Halves go away from zero.
    """
    total, extra = whole.sum(-1, keep=True), fraction.sum(-1, keep=True)
    divisor = total.as_real() + extra
    nearly = ((whole.as_real() + fraction) / divisor * _ONE + 0.5).floor()
    remainder = whole * int(_ONE) - nearly.as_whole() * total
    rest = remainder.as_real() + (fraction * _ONE - nearly * extra)
    twice = rest * 2.0 - (whole < 0).where(1.0, 0.0)  # so that halves do not go up
    return nearly + (twice < divisor).where(0.0, 1.0) - (twice + divisor < 0.0).where(1.0, 0.0)


def _round_sums(high: Term[Value], low: Term[Value]) -> Term[Value]:
    """Return sums of weighted levels, in two parts, as the nearest of 0…255, halves upwards."""
    whole = high + (low / _PART).floor()
    return ((whole + _PART / 2) / (_ONE / _PART)).floor().at_least(0.0).at_most(255.0)


def _resample_opencv(
    images: Term[Value], down: Axis[Value], across: Axis[Value], interpolation: Interpolation
) -> Term[Value]:
    """Sums of 2 or 4 pixels across, then down (OpenCV, modules/imgproc/src/resize.cpp)."""
    places, weights = _weigh_opencv(down, interpolation)
    weights = weights.unsqueeze(-1)
    pixels = images.gather(places, 1).transpose(0, 4, 1, 2, 3).as_real()  # [N, C, crop, taps, W]
    matrix = _spread(across, *_weigh_opencv(across, interpolation))
    if interpolation == "bicubic":
        sums = ((pixels @ matrix) * weights).sum(3)
        return (sums + 0.5).floor().at_least(0.0).at_most(255.0)
    # VResizeLinear: weights of 11 bits, and bits dropped in three places, as here.
    sums = (pixels @ (matrix * 2048.0).round() / 16.0).floor() * (weights * 2048.0).round()
    return (((sums / 65536.0).floor().sum(3) + 2.0) / 4.0).floor()


def _weigh_opencv(
    axis: Axis[Value], interpolation: Interpolation
) -> tuple[Term[Value], Term[Value]]:
    """Return the source pixels of each pixel of the crop and their weights, both [crop, taps].

    The next on the left lies at floor((place + 1/2) * n / m - 1/2); beyond the edge the last pixel
    is repeated.
    """
    n, m = axis.source, axis.resized
    shifted = (axis.inner * 2 + 1) * n + m  # over 2 m, one pixel to the right: not negative
    left = shifted // (m * 2) - 1
    rest = (shifted - (left + 1) * (m * 2)).as_real() / (m * 2).as_real()
    if interpolation == "bilinear":  # OpenCV has the position in float32, which decides halves
        rest = (left.as_real() + rest) - left.as_real()
    taps = np.array([0, 1] if interpolation == "bilinear" else [-1, 0, 1, 2])
    distances = abs(rest.unsqueeze(-1) - rest.like(taps.astype(np.float32)))
    places = (left.unsqueeze(-1) + n.like(taps)).at_least(0).at_most(n - 1)
    return places, _weigh(distances, interpolation)


def _spread(axis: Axis[Value], places: Term[Value], weights: Term[Value]) -> Term[Value]:
    """Return the matrix [source, crop] of ``weights`` [crop, taps] at ``places``."""
    hit = (
        axis.source.count().unsqueeze(-1, -2).equals(places.transpose(1, 0))
    )  # [source, taps, crop]
    return hit.where(weights.transpose(1, 0), 0.0).sum(1)


def _weigh(t: Term[Value], interpolation: Interpolation) -> Term[Value]:
    """Return the weight at distance ``t``: a triangle, or Keys's cubic with slope -3/4."""
    if interpolation == "bilinear":
        return (1.0 - t).at_least(0.0)
    near = (t * 1.25 - 2.25) * t * t + 1.0
    far = (((t - 5.0) * t + 8.0) * t - 4.0) * -0.75
    return (t < 1.0).where(near, far.at_most(0.0))
