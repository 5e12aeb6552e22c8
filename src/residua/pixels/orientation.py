"""EXIF's eight orientations applied to a picture and to a region of it."""

from PIL import Image

Box = tuple[float, float, float, float]

ORIENTATION = 0x0112  # EXIF's tag

# What brings each orientation upright (EXIF 2.32, table 6). The turns are counter-clockwise.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPED = {5, 6, 7, 8}


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return ``image`` as the camera saw it; itself where nothing is to be done."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def turn_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height after ``turn_upright``."""
    return (size[1], size[0]) if orientation in _SWAPPED else size


def turn_box(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """Return where a ``box`` (left, top, right, bottom) of a picture of ``size`` comes to lie."""
    left, top, right, bottom = box
    width, height = size
    if orientation in {2, 3, 7, 8}:
        left, right = width - right, width - left
    if orientation in {3, 4, 6, 7}:
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation in _SWAPPED else (left, top, right, bottom)
