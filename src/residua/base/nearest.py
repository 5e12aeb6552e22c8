"""Names forgiven: one spelling for comparison, and the nearest valid names for a wrong one."""

from collections.abc import Iterable
from difflib import SequenceMatcher


def normalize(name: str) -> str:
    """Spell ``name`` without case, ``-``, ``_`` and spaces, as names are compared.

    >>> normalize("SE-ResNet50_vd")
    'seresnet50vd'
    """
    return "".join(letter for letter in name.casefold() if letter not in "-_ ")


def nearest(given: str, known: Iterable[str], *, count: int = 5) -> tuple[str, ...]:
    """Return at most ``count`` of ``known`` in order of likeness to ``given``, best first.

    >>> nearest("ResNet50vdd", ["ResNet18", "ResNet50_vd", "Res2Net50"], count=1)
    ('ResNet50_vd',)
    """
    target = normalize(given)

    def likeness(name: str) -> float:
        return SequenceMatcher(None, target, normalize(name), autojunk=False).ratio()

    ranked = sorted(
        ((likeness(name), name) for name in known), key=lambda pair: (-pair[0], pair[1])
    )
    return tuple(name for _, name in ranked[:count])
