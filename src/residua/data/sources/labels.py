"""From what a data set says of its pictures to labels: classes are matched by name, never shifted.

A label is a name or a number. A number means the class that the data set itself names so (a label
map, ``classes.json``, the schema of a Parquet file). Without such names it means that position in
the given classes; without these too, the classes are called "0" to the largest number. Where a
class of the list is itself called by a number, numbers are names like any other.

A multi-label cell is a list: a JSON list, or a text divided at ``|``, else at ``;``, else at ``,``
(one of them for the whole column). Where all cells are equally long, more than one long, and hold
nothing but 0 and 1, and as many as there are classes where these are known, they say of each class
in order whether it applies, as in PaddleClas.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError
from residua.base.nearest import nearest
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes

Atom = str | int
Value = str | int | tuple[Atom, ...]

_NUMBER = re.compile(r"-?\d+")
_MANY = 100_000  # more classes than any network here has: such numbers are something else


@dataclass(frozen=True, slots=True)
class Cells:
    """A column of labels: its distinct values, and of each picture which one (int64 [N])."""

    values: tuple[Value, ...]
    codes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the classes: ``own`` as the data name them, ``wanted`` by whoever opens."""

    own: Classes | None = None
    wanted: Classes | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a source and its labels, int64 [N] or bool [N, classes], with notes."""

    classes: Classes
    array: NDArray[np.int64] | NDArray[np.bool_]
    notes: tuple[str, ...]


def collect(column: Iterable[Value]) -> Cells:
    """Return a column as cells: each distinct value is kept once."""
    numbers: dict[Value, int] = {}
    codes = np.fromiter((numbers.setdefault(value, len(numbers)) for value in column), np.int64)
    return Cells(tuple(numbers), codes)


def label(cells: Cells, known: Known, *, place: str, multi_label: bool) -> Labels:
    """Return the labels of pictures, and the classes that they index: ``known.wanted`` if given.

    Raises DataError for a name that is no class (with the nearest ones), a number beyond the
    classes, and a picture without a label. ``place`` names the data set in messages.
    """
    if multi_label:
        rows, count = _read_sets(cells, known)
    else:
        rows, count = [(_read_one(value, cells, place),) for value in cells.values], 0
    atoms = list(dict.fromkeys(atom for row in rows for atom in row))
    classes, numbers, notes = _resolve(atoms, known, place, count)
    if multi_label:
        table = np.zeros((len(rows), len(classes)), dtype=np.bool_)
        for row, applying in zip(table, rows, strict=True):
            row[[numbers[atom] for atom in applying]] = True
        array: NDArray[np.int64] | NDArray[np.bool_] = table[cells.codes]
        present: NDArray[np.bool_] = array.sum(axis=0) > 0
        bare = int((~array.any(axis=1)).sum())
        if bare:
            notes.append(f"{bare} of {len(array)} pictures of {place} have none of the classes.")
    else:
        array = np.array([numbers[atom] for (atom,) in rows], dtype=np.int64)[cells.codes]
        present = np.bincount(array, minlength=len(classes)) > 0
        notes += _suspect_several(cells, place)
    absent = [classes.names[number] for number in np.flatnonzero(~present)]
    if absent:
        notes.append(absent_note(place, absent, len(classes)))
    return Labels(classes, array, tuple(notes))


def match_names(names: Sequence[str], classes: Classes, *, place: str, what: str) -> list[int]:
    """Return the label of each name, by name or id; refuse the unknown and the ambiguous.

    ``what`` says what bears the names, in the plural ("labels").
    """
    places: dict[str, set[int]] = {}
    for keys in (classes.names, classes.ids):
        for number, key in enumerate(keys):
            places.setdefault(spell(key), set()).add(number)
    unknown = [name for name in names if spell(name) not in places]
    if unknown:
        near = nearest(unknown[0], classes.names, count=3)
        raise DataError(
            f"{place} has {len(unknown)} of {len(names)} {what} that are none of the "
            f"{len(classes)} known classes: {some(unknown)}.",
            next_step=f"Nearest to {unknown[0]!r}: {', '.join(near) or 'nothing'}. Rename the "
            f"{what} to known class names or ids, or take the unknown ones out.",
        )
    for name in names:
        if len(places[spell(name)]) > 1:
            raise DataError(
                f"{name!r} of {place} fits {len(places[spell(name)])} classes.",
                next_step="Use the id of its class instead.",
            )
    return [min(places[spell(name)]) for name in names]


def absent_note(place: str, names: list[str], total: int) -> str:
    """Return the note on classes without pictures."""
    return f"{place} has no pictures of {len(names)} of {total} classes: {some(names)}."


def some(names: Sequence[str]) -> str:
    """Return the first few of ``names`` as text."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def spell(name: str) -> str:
    """Spell a name in composed Unicode: macOS decomposes what it stores."""
    return unicodedata.normalize("NFC", name)


def is_numbered(classes: Classes) -> bool:
    """Tell whether the classes are called "0", "1" and so on, as of numbers without names."""
    return classes.names == tuple(str(number) for number in range(len(classes)))


def _resolve(
    atoms: list[Atom], known: Known, place: str, count: int
) -> tuple[Classes, dict[Atom, int], list[str]]:
    """Return the classes, the label of each atom, and notes; ``count`` classes at the least."""
    own, wanted = known.own, known.wanted
    target = own or wanted
    if target is None:
        classes = _name_anew(atoms, place, count)
        return classes, _locate(atoms, classes, place)[0], []
    numbers, by_position = _locate(atoms, target, place)
    if own is None:
        note = (
            f"The labels of {place} are numbers without names: taken as positions in the list "
            f"of {len(target)} known classes."
        )
        return target, numbers, [note] if by_position else []
    if wanted is None:
        return own, numbers, []
    used = sorted(set(numbers.values()))
    found = match_classes(wanted, own)
    moved = {number: at for number in used if (at := found[number]) is not None}
    left = [number for number in used if found[number] is None]
    names = [own.names[number] for number in left]
    moved |= dict(zip(left, match_names(names, wanted, place=place, what="classes"), strict=True))
    return wanted, {atom: moved[number] for atom, number in numbers.items()}, []


def _name_anew(atoms: list[Atom], place: str, count: int) -> Classes:
    """Return the classes of labels that nobody named beforehand."""
    if not atoms and not count:
        raise DataError(f"No picture of {place} has any class.")
    if not _are_numbers(atoms):
        return Classes(names=tuple(sorted({spell(str(atom)) for atom in atoms})))
    _refuse_beyond(atoms, _MANY, place)
    largest = max([count - 1, *(int(atom) for atom in atoms)])
    return Classes(names=tuple(str(number) for number in range(largest + 1)))


def _locate(atoms: list[Atom], classes: Classes, place: str) -> tuple[dict[Atom, int], bool]:
    """Return the position of each atom in ``classes``, and whether numbers were positions."""
    if atoms and _are_numbers(atoms) and not any(map(_is_number, classes.names)):
        _refuse_beyond(atoms, len(classes), place)
        return {atom: int(atom) for atom in atoms}, True
    names = [str(atom) for atom in atoms]
    if is_numbered(classes) and _are_numbers(atoms):
        _refuse_beyond(atoms, len(classes), place)
    labels = match_names(names, classes, place=place, what="labels")
    return dict(zip(atoms, labels, strict=True)), False


def _refuse_beyond(atoms: list[Atom], count: int, place: str) -> None:
    beyond = [str(atom) for atom in atoms if not 0 <= int(atom) < count]
    if beyond:
        raise DataError(
            f"{place} has labels that are no numbers of {count} classes (0 to {count - 1}): "
            f"{some(beyond)}.",
            next_step="Number the classes from 0 on, or write their names instead.",
        )


def _read_one(value: Value, cells: Cells, place: str) -> Atom:
    """Return the one class of a single-label cell."""
    if isinstance(value, tuple):
        if len(value) == 1:
            return value[0]
        raise DataError(
            f"{place} has pictures with {len(value)} labels, for example {list(value)}.",
            next_step="For pictures of several classes set data.multi_label=true.",
        )
    if value == "":
        bare = int((cells.codes == cells.values.index("")).sum())
        raise DataError(
            f"{bare} of {len(cells.codes)} pictures of {place} have no label.",
            next_step="Give each a class, or take them out of the list. Where pictures have any "
            "number of classes: --multi-label.",
        )
    if isinstance(value, str) and re.fullmatch(r"[01](,[01])+", value):
        raise DataError(
            f"{place} has labels like {value!r}, which say of each class whether it applies.",
            next_step="For pictures of several classes set data.multi_label=true.",
        )
    return value


def _read_sets(cells: Cells, known: Known) -> tuple[list[tuple[Atom, ...]], int]:
    """Return the classes of each distinct multi-label cell, and how many there are at least."""
    separator = next((mark for mark in "|;" if _anywhere(mark, cells)), ",")
    rows = [_read_set(value, separator) for value in cells.values]
    length = len(rows[0]) if rows else 0
    target = known.own or known.wanted
    if (
        length > 1
        and all(len(row) == length for row in rows)
        and (target is None or len(target) == length)
        and all(_is_number(atom) and int(atom) in {0, 1} for row in rows for atom in row)
    ):
        positions = [tuple(number for number, atom in enumerate(row) if int(atom)) for row in rows]
        if target is None or not any(map(_is_number, target.names)):
            return list(positions), length
        return [tuple(target.names[number] for number in row) for row in positions], length
    return rows, 0


def _read_set(value: Value, separator: str) -> tuple[Atom, ...]:
    if isinstance(value, tuple):
        return value
    text = str(value).strip()
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError as error:
            raise DataError(f"The label {text!r} is no JSON list: {error}.") from error
        return tuple(int(atom) if isinstance(atom, int) else str(atom) for atom in listed)
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _suspect_several(cells: Cells, place: str) -> list[str]:
    """Return a note where single labels look like several: a|b beside a or b alone."""
    values = {value for value in cells.values if isinstance(value, str)}
    for mark in "|;":
        joined = sorted(value for value in values if mark in value)
        if any(part.strip() in values for value in joined for part in value.split(mark)):
            note = (
                f"{place} has labels like {joined[0]!r}, each taken for one class. If they are "
                "several classes of a picture, add --multi-label."
            )
            return [note]
    return []


def _anywhere(mark: str, cells: Cells) -> bool:
    return any(
        isinstance(value, str) and mark in value and not value.startswith("[")
        for value in cells.values
    )


def _are_numbers(atoms: Iterable[Atom]) -> bool:
    return all(map(_is_number, atoms))


def _is_number(atom: Atom) -> bool:
    """Tell whether ``atom`` is a whole number as one writes it: "007" is a name."""
    return isinstance(atom, int) or bool(_NUMBER.fullmatch(atom) and str(int(atom)) == atom)
