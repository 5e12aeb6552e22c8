"""Every error that residua raises on purpose, drawn on one screen.

ResiduaError
├── UnknownNameError         a name that is in no list; carries the nearest ones
├── SettingError             an option with a value that makes no sense
├── MissingExtraError        a library that is not installed; carries the extra to install
├── ImageError               one picture that cannot be used; carries a short reason code
│   ├── NotAnImageError      the content is no picture format that residua reads
│   ├── ImageTooLargeError   refused by the limits, before decoding
│   └── ImageDamagedError    a known format whose content cannot be decoded
├── BundleError              a bundle that cannot be used
│   ├── BundleDamagedError   a file of it is missing, truncated or altered
│   └── BundleVersionError   written by a newer residua
├── WeightsError             a weight file that cannot be used
│   ├── WeightsMismatchError its tensors do not fit the network; carries the table of differences
│   ├── UnsafeFileError      a pickle that holds more than arrays
│   ├── ChecksumError        not the file that was published
│   └── DownloadError        no mirror gave the file; carries how to bring it by hand
├── EngineError              an engine or an export that cannot run a bundle here
│   └── ParityError          its answers are not the network's; carries the table of differences
├── DataError                a data set that cannot be read
└── TrainingError            a training that cannot go on, as when its loss diverged
    ├── CheckpointError      no checkpoint of an interrupted run can be read
    └── StoppedError         asked to stop; it has written a checkpoint and can go on

A message says what was given, what was expected and the next step. Users see these without a
traceback; anything else that escapes is a defect of residua.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from residua.base.nearest import nearest


class ResiduaError(Exception):
    """The root of the family: ``problem`` (given and expected) and ``next_step`` for the user."""

    def __init__(self, problem: str, *, next_step: str = "") -> None:
        """Join both sentences into the message; ``next_step`` may be empty."""
        self.problem = problem
        self.next_step = next_step
        super().__init__(f"{problem}\n{next_step}" if next_step else problem)


def spell_error(error: ResiduaError | OSError) -> str:
    """Return ``error`` as users see it; of the system's, what it refuses: no space, no permission.

    >>> spell_error(PermissionError(13, "Permission denied", "net.bundle"))
    'Error: net.bundle: Permission denied.'
    """
    if isinstance(error, ResiduaError):
        return f"Error: {error}"
    where = f"{error.filename}: " if error.filename else ""
    return f"Error: {where}{error.strerror or error}."


class UnknownNameError(ResiduaError):
    """A name that is in no list. ``suggestions`` holds the nearest valid names, best first."""

    def __init__(self, kind: str, given: str, known: Iterable[str], *, next_step: str = "") -> None:
        """Say which ``kind`` of name was ``given`` and offer the five nearest of ``known``."""
        self.given = given
        self.suggestions = nearest(given, known)
        offer = f"Nearest: {', '.join(self.suggestions)}." if self.suggestions else ""
        super().__init__(
            f"There is no {kind} named {given!r}.",
            next_step=" ".join(part for part in (offer, next_step) if part),
        )


class SettingError(ResiduaError):
    """An option with a value that makes no sense."""


class MissingExtraError(ResiduaError):
    """A library that this installation lacks; the message names the extra to install."""

    def __init__(self, library: str, extra: str) -> None:
        """Name the missing ``library`` and the ``extra`` that brings it."""
        super().__init__(
            f"{library} is not installed.",
            next_step=f"Install it with: pip install 'residua[{extra}]'",
        )


class ImageError(ResiduaError):
    """One picture that cannot be used. ``reason`` is a short code for machines."""

    reason: ClassVar[str] = "image"


class NotAnImageError(ImageError):
    """The content is no picture format that residua reads."""

    reason = "not-an-image"


class ImageTooLargeError(ImageError):
    """Refused by the limits on bytes, pixels or side, before decoding."""

    reason = "too-large"


class ImageDamagedError(ImageError):
    """A known format whose content cannot be decoded."""

    reason = "damaged"


class BundleError(ResiduaError):
    """A bundle that cannot be used."""


class BundleDamagedError(BundleError):
    """A file of the bundle is missing, truncated or altered."""


class BundleVersionError(BundleError):
    """The bundle was written by a newer residua than this one."""


class WeightsError(ResiduaError):
    """A weight file that cannot be used."""


class WeightsMismatchError(WeightsError):
    """Tensors that do not fit the network; ``differences`` is the table, a line each."""

    def __init__(self, problem: str, differences: Sequence[str], *, next_step: str = "") -> None:
        """Show the first forty of ``differences``; the attribute keeps them all."""
        self.differences = tuple(differences)
        shown = [f"  {line}" for line in self.differences[:40]]
        if len(self.differences) > 40:
            shown.append(f"  … and {len(self.differences) - 40} more")
        super().__init__("\n".join([problem, *shown]), next_step=next_step)


class UnsafeFileError(WeightsError):
    """A pickle that holds more than arrays, refused before anything of it runs."""


class ChecksumError(WeightsError):
    """Not the file that was published, or that was recorded at its first use."""


class DownloadError(WeightsError):
    """No mirror gave the file; the message says how to bring it by hand."""


class EngineError(ResiduaError):
    """An engine or an export that cannot run a bundle here."""


class ParityError(EngineError):
    """Answers that are not the reference network's; ``differences`` is the table, a line each."""

    def __init__(self, problem: str, differences: Sequence[str], *, next_step: str = "") -> None:
        """Show ``differences`` below the problem."""
        self.differences = tuple(differences)
        super().__init__("\n".join([problem, *(f"  {line}" for line in self.differences)]),
                         next_step=next_step)  # fmt: skip


class DataError(ResiduaError):
    """A data set that cannot be read."""


class TrainingError(ResiduaError):
    """A training that cannot go on, as when its loss diverged."""


class CheckpointError(TrainingError):
    """A checkpoint that cannot be read; where others are left, they are used instead."""


class StoppedError(TrainingError):
    """The run was asked to stop and has written a checkpoint: the same command goes on.

    ``exit_code`` is what shells and schedulers expect of a process that a signal ended: 130 after
    Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, problem: str, *, exit_code: int = 143, next_step: str = "") -> None:
        """As any error of the family, with the exit code of the process."""
        super().__init__(problem, next_step=next_step)
        self.exit_code = exit_code
