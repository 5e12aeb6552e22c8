"""The names of our tensors, and what a naming scheme says of a file's names.

Each maker's scheme is one file (``torchvision.py``, ``paddle.py``, ``static.py``,
``generated.py``, ``program.py``) with one function that maps names to ours; ``recognise.py`` picks
the scheme.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from residua.zoo.weights.program.layers import Convolution

Shapes = Mapping[str, tuple[int, ...]]

# The grammar of zoo.resnet.ResNet's tensors.
_STATISTICS = "weight|bias|running_mean|running_var"
_OURS = re.compile(
    rf"stem\.\d+\.(conv\.weight|norm\.({_STATISTICS}))"
    rf"|stages\.\d+\.\d+\.(conv\d|split\.\d+|shortcut)\.(conv\.weight|norm\.({_STATISTICS}))"
    r"|stages\.\d+\.\d+\.attention\.(squeeze|excite)\.(weight|bias)"
    r"|head\.(weight|bias)"
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a scheme makes of a file's names.

    ``ours`` maps the file's names to ours; names that are missing in it are unknown to the scheme.
    ``transposed`` says that matrices are [inputs, outputs], as Paddle keeps them. ``average`` says
    whether the names tell of an average pool in the shortcuts (vd): True, False, or None where
    they are silent. ``may_lack_projection``: in this scheme a first block without projection is
    one whose shortcut is the identity, not an incomplete file. ``convolutions`` are those of an
    exported program, by our names without ``.weight``; names alone say nothing of them.
    ``multi_label``: the program ends in a sigmoid for each class.
    """

    scheme: str
    ours: dict[str, str]
    transposed: bool = False
    average: bool | None = None
    may_lack_projection: bool = False
    convolutions: Mapping[str, Convolution] | None = None
    multi_label: bool = False


def is_ours(name: str) -> bool:
    """Tell whether ``name`` is one of our tensors' names."""
    return _OURS.fullmatch(name) is not None


def rewrite(names: Sequence[str], rules: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Apply the regular expressions of ``rules`` in order; keep the names that become ours.

    Where two names become the same one, the first is kept and the other stays unknown.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    ours: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        new = name
        for pattern, replacement in compiled:
            new = pattern.sub(replacement, new)
        if is_ours(new) and new not in taken:
            ours[name] = new
            taken.add(new)
    return ours


def name_own(shapes: Shapes) -> Named:
    """Our own names, as in a bundle's ``weights.safetensors``."""
    return Named("residua", rewrite(list(shapes), []))
