"""From what is handed in to crops: the one way of every picture, whatever form it comes in."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from residua.base.errors import ImageError
from residua.bundle.schema import Preprocess
from residua.pixels.decode import decode
from residua.pixels.limits import DEFAULT_LIMITS, Limits
from residua.pixels.prepare import prepare, prepare_image, prepare_pixels
from residua.predict.inputs import Item, list_items


def prepare_item(
    item: Item, preprocess: Preprocess, limits: Limits, *, exact: bool = False
) -> np.ndarray:
    """Return the item's crop, uint8 [crop, crop, C]. Raises ImageError."""
    content = item.read(limits)
    match content:
        case bytes():
            return prepare(content, preprocess, limits=limits, name=item.name, exact=exact)
        case Image.Image():
            return prepare_image(content, preprocess, limits=limits, name=item.name)
        case _:
            return prepare_pixels(content, preprocess, limits=limits, name=item.name)


def read_crops(
    inputs: Any, preprocess: Preprocess, *, limit: int, limits: Limits = DEFAULT_LIMITS
) -> Iterator[np.ndarray]:
    """Yield crops of ``inputs`` (as for ``predict``), ``limit`` at the most.

    Pictures that cannot be used are passed over: whoever asks wants examples.
    """
    given = 0
    for item in list_items(inputs):
        if given == limit:
            return
        try:
            crop = prepare_item(item, preprocess, limits)
        except ImageError:
            continue
        yield crop
        given += 1


def read_images(
    paths: str, preprocess: Preprocess, *, limit: int, limits: Limits = DEFAULT_LIMITS
) -> Iterator[np.ndarray]:
    """Yield the pictures of a file, folder or glob whole: uint8 [H, W, C], upright.

    ``limit`` at the most, and no more pixels in all than ``limits`` admits of one. Pictures that
    cannot be used are passed over.
    """
    given = pixels = 0
    for item in list_items(paths):
        if given == limit:
            return
        try:
            content = item.read(limits)
            assert isinstance(content, bytes)  # noqa: S101  # ours: paths give bytes
            image = decode(content, limits=limits, name=item.name, colour=preprocess.colour)
            prepare_pixels(image, preprocess, limits=limits, name=item.name)
        except ImageError:
            continue
        pixels += image.shape[0] * image.shape[1]
        if pixels > limits.max_pixels:
            return
        yield image
        given += 1
