"""Splitting one source: stratified, with a seed that is stored in the bundle; grouped; in folds.

A picture's stratum is its class. A picture of several classes counts for the one of them that has
the fewest pictures in all (so that rare classes are divided evenly), one of none is a stratum of
its own kind. Where a source has groups, a group stays on one side: photographs of one patient on
both sides make figures that no other patient will see.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, SettingError
from residua.data.source import Source
from residua.data.sources.labels import some


def split(source: Source, *, fraction: float, seed: int) -> tuple[Source, Source]:
    """Return (training, validation): of each class, about ``fraction`` is held out.

    Who is held out follows from the hash of seed, class and name, so neither the order of the
    files nor pictures of other classes matter, and a picture added later moves at most one other.
    A class of one picture has none for validation; each other class has at least one on each side.
    With ``source.groups`` whole groups are held out, see ``deal_groups``. Classes that end without
    a picture for validation are named in a note of that part.
    """
    if not 0 < fraction < 1:
        raise SettingError(
            f"A validation part of {fraction} was asked for.",
            next_step="Give a fraction between 0 and 1, for example 0.2.",
        )
    held_out = _hold_groups(source, fraction, seed) if source.groups else None
    if held_out is None:
        held_out = np.zeros(len(source), dtype=bool)
        strata = _strata(source)
        for stratum in np.unique(strata):
            positions = np.flatnonzero(strata == stratum)
            count = min(max(1, round(len(positions) * fraction)), len(positions) - 1)
            held_out[_ranked(source, positions, int(stratum), seed)[: max(0, count)]] = True
    if not held_out.any():
        raise DataError(
            f"{source.title} is too small to hold out a validation part: "
            f"no class has two pictures ({len(source)} pictures in all).",
            next_step="Add pictures, or give folders train/ and val/ yourself.",
        )
    validation = source.take(_positions(held_out), f"{source.title} (validation part)")
    return (
        source.take(_positions(~held_out), f"{source.title} (training part)"),
        replace(validation, notes=validation.notes + _note_absent(source, validation)),
    )


def fold(source: Source, *, count: int, seed: int) -> tuple[tuple[Source, Source], ...]:
    """Return ``count`` pairs (training, validation); each picture is in one validation part.

    The pictures of each class are dealt to the folds in turn, in the order of the hashes of
    ``split``, and each class goes on where the last one ended: parts differ by at most one picture,
    in all and of each class. With ``source.groups`` whole groups are dealt, see ``deal_groups``.
    """
    if not 2 <= count <= len(source):
        raise SettingError(
            f"{count} folds of {len(source)} pictures were asked for.",
            next_step="Give at least two folds, and no more than there are pictures.",
        )
    if source.groups:
        dealt = deal_groups(source, np.full(count, 1 / count), seed)
        empty = count - len(np.unique(dealt))
        if empty:
            raise DataError(
                f"{source.title} has {len(set(source.groups))} groups, too few for {count} folds.",
                next_step="Ask for fewer folds.",
            )
    else:
        dealt = np.empty(len(source), dtype=np.int64)
        strata, following = _strata(source), 0
        for stratum in np.unique(strata):
            ranked = _ranked(source, np.flatnonzero(strata == stratum), int(stratum), seed)
            dealt[ranked] = (following + np.arange(len(ranked))) % count
            following += len(ranked)
    return tuple(
        (
            source.take(_positions(dealt != number), f"{source.title} (fold {number}, training)"),
            source.take(_positions(dealt == number), f"{source.title} (fold {number}, validation)"),
        )
        for number in range(count)
    )


def deal_groups(source: Source, shares: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Return for each picture the part that its group goes to; ``shares`` of the parts sum to 1.

    Larger groups first (by powers of two, within these in the order of their hashes), each goes
    where it keeps the parts' shares of every class nearest to ``shares``: the sum over parts k and
    classes c of s_k (n_kc / (s_k N_c) - 1)^2 is made smallest, greedily.
    """
    names, members = np.unique(np.array(source.groups), return_inverse=True)
    strata = np.unique(_strata(source), return_inverse=True)[1]
    totals = np.bincount(strata).astype(np.float64)
    sizes = np.bincount(members)
    order = sorted(
        range(len(names)),
        key=lambda group: (-int(sizes[group]).bit_length(), _hash(seed, "", str(names[group]))),
    )
    by_group = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])
    have = np.zeros((len(shares), len(totals)))
    part_of = np.empty(len(names), dtype=np.int64)
    for group in order:
        kinds, counts = np.unique(strata[by_group[group]], return_counts=True)
        # What the sum of squares grows by, less what is the same for every part.
        growth = (counts * (2 * have[:, kinds] + counts) / totals[kinds] ** 2).sum(axis=1) / shares
        part_of[group] = np.argmin(growth)
        have[part_of[group], kinds] += counts
    dealt: NDArray[np.int64] = part_of[members]
    return dealt


def group_by_pattern(source: Source, pattern: str) -> Source:
    """Return ``source`` grouped by what a regular expression finds in the pictures' names.

    The group is the first bracketed part of the match, or all of it. Raises SettingError where the
    expression is none, DataError where a name does not match.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise SettingError(
            f"{pattern!r} is no regular expression: {error}.",
            next_step=r"For example (\d+)_ groups by the number before an underscore.",
        ) from error
    matches = [expression.search(name) for name in source.names]
    strange = [name for name, match in zip(source.names, matches, strict=True) if not match]
    if strange:
        raise DataError(
            f"{len(strange)} of {len(source)} names in {source.title} do not match {pattern!r}: "
            f"{some(strange)}.",
            next_step="Change the expression so that it finds the group in every name.",
        )
    found = (match for match in matches if match)
    return replace(
        source,
        groups=tuple(match[1] or "" if match.re.groups else match[0] for match in found),
    )


def _note_absent(source: Source, validation: Source) -> tuple[str, ...]:
    """Return a note on the classes of ``source`` that no picture of ``validation`` is of."""
    missing = (source.count_classes() > 0) & (validation.count_classes() == 0)
    if not missing.any():
        return ()
    names = [source.classes.names[number] for number in np.flatnonzero(missing)]
    which = "1 class has" if len(names) == 1 else f"{len(names)} classes have"
    them = "it" if len(names) == 1 else "them"
    figures = f"no picture in the validation part, so its figures say nothing of {them}"
    return (f"{which} {figures}: {some(names)}.",)


def _hold_groups(source: Source, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Return which pictures are held out by groups; both sides have one at the least."""
    held_out: NDArray[np.bool_] = deal_groups(source, np.array([1 - fraction, fraction]), seed) == 1
    if held_out.all() or not held_out.any():
        # So few groups that none fits into the smaller part: it gets the smallest of them.
        sizes = Counter(source.groups)
        if len(sizes) < 2:
            raise DataError(
                f"All {len(source)} pictures of {source.title} are of one group, "
                f"{source.groups[0]!r}.",
                next_step="Group them by something else, or not at all.",
            )
        smallest = min(sizes, key=lambda group: (sizes[group], _hash(seed, "", group)))
        chosen = np.array([group == smallest for group in source.groups], dtype=np.bool_)
        held_out = ~chosen if held_out.all() else chosen
    return held_out


def _strata(source: Source) -> NDArray[np.int64]:
    """Return the stratum of each picture: its class, or the rarest of its classes, or -1."""
    if not source.multi_label:
        return source.labels.astype(np.int64)
    rarest = np.argsort(source.count_classes(), kind="stable")
    first = rarest[source.labels[:, rarest].argmax(axis=1)]
    return np.where(source.labels.any(axis=1), first, -1).astype(np.int64)


def _ranked(source: Source, positions: NDArray[np.intp], stratum: int, seed: int) -> list[int]:
    """Return ``positions`` in the order of the hashes of seed, class and name."""
    label = source.classes.names[stratum] if stratum >= 0 else ""

    def rank(position: int) -> tuple[bytes, str]:
        name = unicodedata.normalize("NFC", source.names[position])
        return _hash(seed, label, name), name

    return sorted((int(position) for position in positions), key=rank)


def _hash(seed: int, label: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{label}\0{name}".encode()).digest()


def _positions(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(mask).astype(np.int64)
