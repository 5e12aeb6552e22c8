"""Findings on single pictures: those that cannot be used, and those that are unusual."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import methodcaller

import numpy as np
from numpy.typing import NDArray

from residua.data.doctor.findings import Example, Finding, Severity, Spot
from residua.data.doctor.look import Trait
from residua.data.doctor.survey import Survey

_TINY = 4  # a short side below this part of the training size
_LONG = 3.0  # long side by short side
# What is done with a picture that cannot be used, by the reason of its error.
_UNUSABLE = {
    "unreadable": (
        "files that cannot be read",
        "See the system's reason; check that the files are there.",
    ),
    "not-an-image": ("files that are no pictures", "Remove them, or save them as JPEG or PNG."),
    "damaged": ("damaged files", "Copy them again from where they came, or remove them."),
    "too-large": ("pictures beyond the limits of size", "Make them smaller."),
}
_REPLACED = "Training takes another picture of the class instead."


@dataclass(frozen=True, slots=True)
class _Rule:
    """A trait that is worth telling, and what residua makes of it."""

    trait: Trait
    severity: Severity
    code: str
    title: str
    advice: str


_RULES = (
    _Rule(
        Trait.CUT, "warning", "cut", "JPEGs that end in rows of grey, as cut files do",
        "Look at them (--sheet), and copy them again from where they came.",
    ),
    _Rule(
        Trait.BLANK, "warning", "blank", "pictures of one colour all over",
        "Look at them (--sheet), and remove those that show nothing.",
    ),
    _Rule(
        Trait.CMYK, "note", "cmyk", "CMYK pictures",
        "Nothing: they become RGB, without a colour profile. Other programs may invert them.",
    ),
    _Rule(
        Trait.DEEP, "note", "deep", "pictures with samples of 16 bits or more",
        "Nothing, if the upper eight bits tell enough: those are kept.",
    ),
    _Rule(
        Trait.ALPHA, "note", "alpha", "pictures with transparency",
        "Nothing, if the colours beneath are meant to be seen: alpha is dropped.",
    ),
    _Rule(
        Trait.ANIMATED, "note", "animated", "files that hold several pictures",
        "Nothing, if the first is the right one: the others are left out.",
    ),
    _Rule(
        Trait.PALETTE, "note", "palette", "pictures with a palette", "Nothing: they become RGB."
    ),
    _Rule(
        Trait.GREY, "note", "grey", "grey pictures",
        "Nothing, if greyness tells nothing about the class: they become RGB.",
    ),
    _Rule(
        Trait.MISNAMED, "note", "misnamed", "files of another format than their name says",
        "Nothing: residua goes by the content. Other programs may stumble.",
    ),
)  # fmt: skip


def check_pictures(surveys: Sequence[Survey], image_size: int) -> Iterator[Finding]:
    """Yield what is to say of pictures, all parts together; ``image_size`` in pixels."""
    yield from _check_failures(surveys)
    for rule in _RULES:
        examples = _collect(surveys, methodcaller("having", rule.trait))
        if examples:
            yield Finding(
                rule.severity, rule.code, rule.title, len(examples), rule.advice, examples
            )
    yield from _check_orientations(surveys)
    yield from _check_sizes(surveys, image_size)


def _check_failures(surveys: Sequence[Survey]) -> Iterator[Finding]:
    found: dict[str, list[Example]] = {reason: [] for reason in _UNUSABLE}
    for number, survey in enumerate(surveys):
        for failure in survey.failures:
            name = survey.source.names[failure.index]
            text = failure.message.splitlines()[0].removeprefix(name).strip(" :")
            found[failure.reason].append(Example((Spot(number, failure.index),), text))
    for reason, examples in found.items():
        what, advice = _UNUSABLE[reason]
        if examples:
            yield Finding(
                "error", reason, what, len(examples),
                f"{advice} {_REPLACED}", tuple(examples),
            )  # fmt: skip


def _check_orientations(surveys: Sequence[Survey]) -> Iterator[Finding]:
    examples = _collect(
        surveys,
        lambda part: part.orientations > 1,
        lambda part, position: f"orientation {part.orientations[position]}",
    )
    if examples:
        yield Finding(
            "note", "orientation", "pictures to be turned, as EXIF says",
            len(examples), "Nothing: residua turns them. Many other programs do not, so that "
            "their models see them lying.", examples,
        )  # fmt: skip


def _check_sizes(surveys: Sequence[Survey], image_size: int) -> Iterator[Finding]:
    def short(part: Survey) -> NDArray[np.int64]:
        return np.where(part.readable, part.sizes.min(axis=1), 2**31)

    tiny = _collect(surveys, lambda part: short(part) * _TINY < image_size, _spell_size)
    small = _collect(
        surveys,
        lambda part: (short(part) < image_size) & (short(part) * _TINY >= image_size),
        _spell_size,
    )
    long = _collect(
        surveys, lambda part: part.sizes.max(axis=1) >= _LONG * short(part), _spell_size
    )
    if tiny:
        yield Finding(
            "warning", "tiny",
            f"pictures with a short side below {-(-image_size // _TINY)} pixels",
            len(tiny), f"Enlarged to {image_size} they show little. Train at a smaller size, or "
            "remove them.", tiny,
        )  # fmt: skip
    if small:
        yield Finding(
            "note", "small", f"pictures with a short side below {image_size} pixels",
            len(small), "Nothing: they are enlarged. If most are small, train at a smaller size.",
            small,
        )  # fmt: skip
    if long:
        yield Finding(
            "warning", "long", f"pictures at least {_LONG:g} times as long as wide",
            len(long), "A centre crop sees a third of them at most: cut them into pieces, or "
            "leave them out.", long,
        )  # fmt: skip


def _spell_size(part: Survey, position: int) -> str:
    width, height = part.sizes[position]
    return f"{width} x {height}"


def _collect(
    surveys: Sequence[Survey],
    choose: Callable[[Survey], NDArray[np.bool_]],
    explain: Callable[[Survey, int], str] = lambda _part, _position: "",
) -> tuple[Example, ...]:
    """Return the chosen pictures of all parts."""
    return tuple(
        Example((Spot(number, int(position)),), explain(part, int(position)))
        for number, part in enumerate(surveys)
        for position in np.flatnonzero(choose(part))
    )
