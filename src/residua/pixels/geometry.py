"""Where a crop lies: sizes and offsets exactly as the reference of each weight family has them.

The two families differ in the long side and in the offset of the centre crop:

- "torchvision" (torchvision and timm): long side ``int(size * long / short)``, offset
  ``round((side - crop) / 2)`` with Python's rounding of halves to even. Where the picture is
  smaller than the crop it is padded with zeros first, the smaller half before
  (torchvision.transforms.functional: resize, center_crop).
- "paddle": ``percent = size / short``, both sides ``round(side * percent)``, offset
  ``(side - crop) // 2`` (PaddleClas, ppcls/data/preprocess/ops/operators.py: ResizeImage,
  CropImage). There a picture smaller than the crop is an error; here it is padded as above.
"""

from dataclasses import dataclass

from residua.bundle.schema import Preprocess


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole picture is resized to ``width`` x ``height``; the crop begins at ``left``, ``top``.

    A negative offset means so many pixels of padding before the picture.
    """

    width: int
    height: int
    left: int
    top: int


def lay_out(width: int, height: int, preprocess: Preprocess) -> Layout:
    """Return the layout of a picture of ``width`` x ``height`` pixels.

    ``aspect`` "crop" resizes the short side and cuts the centre out; "squash" resizes to the crop,
    whatever that does to the proportions, and "pad" fits the whole picture into the crop and
    centres it there.
    """
    crop = preprocess.crop_size
    if preprocess.aspect == "squash":
        return Layout(crop, crop, 0, 0)
    side = preprocess.short_side if preprocess.aspect == "crop" else crop
    fixed = min(width, height) if preprocess.aspect == "crop" else max(width, height)
    if preprocess.rounding == "paddle":
        percent = side / fixed
        wide, high = round(width * percent), round(height * percent)
    else:
        wide = side if width == fixed else int(side * width / fixed)
        high = side if height == fixed else int(side * height / fixed)
    wide, high = max(1, wide), max(1, high)
    return Layout(wide, high, _offset(wide, crop, preprocess), _offset(high, crop, preprocess))


def _offset(side: int, crop: int, preprocess: Preprocess) -> int:
    """Return where the centre crop begins along a side."""
    if side < crop:
        return -((crop - side) // 2)
    if preprocess.rounding == "paddle":
        return (side - crop) // 2
    return round((side - crop) / 2)
