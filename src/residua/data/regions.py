"""What training crops need of the pictures of a source: from memory, or decoded and no more.

While the cache has room a picture is decoded as a whole and kept; afterwards only the part that is
asked for. Both give the same pixels, so neither the budget nor what was read before matters.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from residua.data.cache import PixelCache
from residua.data.source import Source
from residua.pixels.colour import Colour
from residua.pixels.orientation import Box
from residua.pixels.region import (
    Shape,
    choose_scale,
    decode_part,
    decode_whole,
    open_picture,
    take_part,
)

# From width and height of the upright picture to the box in it: left, top, right, bottom.
Draw = Callable[[int, int], Box]


class RegionReader:
    """Reads boxes of pictures; may be asked from several threads at once."""

    def __init__(
        self, source: Source, cache: PixelCache, *, colour: Colour, reducible: bool
    ) -> None:
        """``reducible``: a box much larger than it will be may come at 1/2, 1/4 or 1/8."""
        self._source, self._cache = source, cache
        self._colour, self._reducible = colour, reducible
        self._shapes: dict[int, Shape] = {}  # of the pictures in the cache

    def read(self, index: int, draw: Draw, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the box that ``draw`` chooses of picture ``index``: uint8 [H, W, C], contiguous.

        It is reduced by no more than its resize to ``size`` (width, height) can bear. Raises
        ImageError or OSError.
        """
        shape = self._shapes.get(index)
        if shape is not None:
            box, scale = self._choose(shape, draw, size)
            whole = self._cache.get(index, scale)
            if whole is not None:
                return take_part(whole, shape, box, scale=scale)
        picture = open_picture(self._source.read(index), name=self._source.names[index])
        shape = picture.shape
        box, scale = self._choose(shape, draw, size)
        width, height = shape.size
        if not self._cache.has_room(3 * (width // scale) * (height // scale)):
            return decode_part(picture, box, scale=scale, colour=self._colour)
        whole = decode_whole(picture, scale=scale, colour=self._colour)
        self._cache.offer(index, whole, scale)
        self._shapes[index] = shape
        return take_part(whole, shape, box, scale=scale)

    def _choose(self, shape: Shape, draw: Draw, size: tuple[int, int]) -> tuple[Box, int]:
        box = draw(*shape.size)
        return box, choose_scale(shape, box, size) if self._reducible else 1
