"""Durations and rates as people read them."""


def spell_seconds(seconds: float) -> str:
    """Spell a duration in its two largest units.

    >>> [spell_seconds(s) for s in (0.25, 7.3, 84, 7500)]
    ['0.25 s', '7.3 s', '1 min 24 s', '2 h 5 min']
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def spell_bytes(count: float) -> str:
    """Spell a number of bytes in decimal units.

    >>> spell_bytes(23_400_000)
    '23.4 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
