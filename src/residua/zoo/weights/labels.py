"""Class names from text files, in the forms that people keep them in."""

import re
from pathlib import Path

from residua.base.errors import SettingError
from residua.bundle.schema import Classes


def read_classes(path: Path) -> Classes:
    """Read class names from a text file, in the order of the outputs, one a line.

    A line is a name; or an id, a tab and a name; or a synset (n01440764) and a name; or the number
    of the output and a name, as in PaddleClas's label lists, which must count from 0.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The class names in {path} cannot be read ({error}).",
            next_step="Give a text file in UTF-8 with one name a line.",
        ) from error
    return parse_classes(text, str(path))


def parse_classes(text: str, source: str) -> Classes:
    """Return the class names of a text as ``read_classes`` reads it; ``source`` names it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise SettingError(f"{source} names no classes.", next_step="Write one name a line.")
    for pattern in (r"([^\t]+)\t\s*(\S.*)", r"(n\d{8})\s+(\S.*)"):
        pairs = [re.fullmatch(pattern, line) for line in lines]
        if all(pairs):
            found = [(pair[1], pair[2]) for pair in pairs if pair]
            if _counts_from_zero([first for first, _ in found]):
                return Classes(names=tuple(name for _, name in found))
            return Classes(ids=tuple(i for i, _ in found), names=tuple(n for _, n in found))
    split = [line.split(maxsplit=1) for line in lines]
    if all(len(parts) == 2 for parts in split) and _counts_from_zero([p[0] for p in split]):
        return Classes(names=tuple(parts[1] for parts in split))
    return Classes(names=tuple(lines))


def _counts_from_zero(numbers: list[str]) -> bool:
    return numbers == [str(index) for index in range(len(numbers))]
