"""What the teacher says of a chunk of pictures, in memory and on disk.

A file a chunk, written whole or not at all: whoever goes on with an interrupted run reads those
that are there and scores the others.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from residua.base.files import write_atomic

UNREADABLE = -1  # in place of a class


@dataclass(frozen=True, slots=True)
class Scores:
    """Of each picture of a chunk: name, class (int32; -1: unreadable) and its probability.

    ``like`` (int32) is the validation picture that it is a near duplicate of, or -1, ``bits`` the
    distance of their hashes; ``reasons`` says of unreadable ones why.
    """

    names: tuple[str, ...]
    classes: NDArray[np.int32]
    scores: NDArray[np.float32]
    like: NDArray[np.int32]
    bits: NDArray[np.int32]
    reasons: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write the file of the chunk."""
        content = io.BytesIO()
        np.savez(
            content, names=_pack(self.names), reasons=_pack(self.reasons), classes=self.classes,
            scores=self.scores, like=self.like, bits=self.bits, digest=_digest(self.names),
        )  # fmt: skip
        write_atomic(path, content.getvalue())


def read_scores(path: Path, names: tuple[str, ...] | None = None) -> Scores | None:
    """Return what is in the file of a chunk; None where it is not there, or of other pictures."""
    try:
        with path.open("rb") as file, np.load(file) as found:
            if names is not None and not np.array_equal(found["digest"], _digest(names)):
                return None
            return Scores(
                _unpack(found["names"]), found["classes"], found["scores"], found["like"],
                found["bits"], _unpack(found["reasons"]),
            )  # fmt: skip
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _pack(texts: tuple[str, ...]) -> NDArray[np.uint8]:
    return np.frombuffer("\0".join(texts).encode(errors="surrogateescape"), dtype=np.uint8)


def _unpack(content: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(content.tobytes().decode(errors="surrogateescape").split("\0"))


def _digest(names: tuple[str, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(hashlib.sha256(_pack(names).tobytes()).digest(), dtype=np.uint8)
