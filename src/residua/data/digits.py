"""Handwritten digits as picture files in class folders: real data that come with a dependency.

They are the 1797 digits of scikit-learn: the test part of "Optical Recognition of Handwritten
Digits" (Alpaydin and Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0), 8x8 in 17 greys.

FOLDER/
├── train/0/….png … train/9/….png
└── val/0/….png   … val/9/….png
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from residua.base.errors import MissingExtraError, SettingError
from residua.base.files import replacing_folder
from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.data.split import split

_SIDE = 32  # of the files, in pixels: large enough to look at


def write_digits(folder: Path, *, val_fraction: float = 0.2, seed: int = 0) -> int:
    """Write the digits below ``folder`` and return how many there are.

    A folder of these digits is written anew. Raises SettingError where another stands in its place,
    and MissingExtraError where scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "demo") from error
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # [N, 8, 8], from 0…16
    source = Source(
        title="digits",
        classes=Classes(names=tuple(str(digit) for digit in range(10))),
        names=tuple(f"{number:04}.png" for number in range(len(pixels))),
        labels=digits.target.astype(np.int64),
        read=lambda index: pixels[index].tobytes(),
    )
    parts = split(source, fraction=val_fraction, seed=seed)
    places = {
        f"{place}/{label}/{name}": pixels[int(Path(name).stem)]
        for part, place in zip(parts, ("train", "val"), strict=True)
        for name, label in zip(part.names, part.labels, strict=True)
    }
    _refuse_others(folder, places.keys())
    with replacing_folder(folder) as scratch:
        for place, digit in places.items():
            path = scratch / place
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(digit)
            image.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).save(path)
    return len(places)


def _refuse_others(folder: Path, expected: Collection[str]) -> None:
    """Refuse to replace a folder that holds anything but digits of ours."""
    if folder.exists():
        files = [path for path in folder.rglob("*") if not path.is_dir()]
        if not all(path.relative_to(folder).as_posix() in expected for path in files):
            raise SettingError(
                f"{folder} exists and holds other things than the digits of the demo.",
                next_step="Choose another place with --output.",
            )
