"""What a picture may ask of this machine, decided from its header before anything is decoded."""

from dataclasses import dataclass

from residua.base.clock import spell_bytes
from residua.base.errors import ImageTooLargeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest picture that is accepted; decoding one takes up to 4 bytes a pixel, twice.

    ``max_bytes`` of the file; ``max_side`` and ``max_pixels`` of its first frame, the latter also
    of what the resize makes of it; ``max_frames`` of an animation or a stack of pages, of which
    only the first is ever decoded.
    """

    max_bytes: int = 64_000_000
    max_pixels: int = 100_000_000
    max_side: int = 65_535
    max_frames: int = 10_000


DEFAULT_LIMITS = Limits()


def label(name: str) -> str:
    """Return how a message names a picture: by its file name where there is one."""
    return name or "The picture"


def check_bytes(count: int, limits: Limits, name: str) -> None:
    """Raise ImageTooLargeError where a file has too many bytes."""
    if count > limits.max_bytes:
        raise ImageTooLargeError(
            f"{label(name)} has {spell_bytes(count)}; "
            f"the limit is {spell_bytes(limits.max_bytes)}.",
            next_step="Give a smaller file, or raise the limit max_bytes.",
        )


def check_size(width: int, height: int, limits: Limits, name: str, *, what: str = "") -> None:
    """Raise ImageTooLargeError where a picture is too wide, too high or has too many pixels.

    ``what`` completes "photo.jpg …" and tells which size this is; the default is the declared one.
    """
    if max(width, height) > limits.max_side:
        rule, setting = f"the limit of a side is {limits.max_side}", "max_side"
    elif width * height > limits.max_pixels:
        rule, setting = f"the limit is {limits.max_pixels / 1e6:g} million pixels", "max_pixels"
    else:
        return
    raise ImageTooLargeError(
        f"{label(name)} {what or 'declares'} {width} x {height} pixels; {rule}.",
        next_step=f"Give a smaller picture, or raise the limit {setting}.",
    )


def check_frames(count: int, limits: Limits, name: str) -> None:
    """Raise ImageTooLargeError where an animation or a stack of pages is too long."""
    if count > limits.max_frames:
        raise ImageTooLargeError(
            f"{label(name)} has {count} frames or more; the limit is {limits.max_frames}.",
            next_step="Give its first frame as a picture, or raise the limit max_frames.",
        )


def no_memory(width: int, height: int, name: str) -> ImageTooLargeError:
    """Return the error of a picture within the limits for which this machine has no memory."""
    return ImageTooLargeError(
        f"{label(name)} of {width} x {height} pixels does not fit into memory.",
        next_step="Give a smaller picture, or lower the limit max_pixels.",
    )
