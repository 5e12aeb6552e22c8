"""The table of networks: one row a name. A new variant is a row here, not a class.

Sources: PaddleClas ``ppcls/arch/backbone/legendary_models/resnet.py`` and ``model_zoo/`` at
d178931f (vb, vc, vd, SE, ResNeXt, Res2Net); torchvision ``models/resnet.py`` (Wide ResNet); He et
al. 2015, arXiv 1512.03385, section 4.2 (the CIFAR networks). ``_vd`` is the "D" and ``_vc`` the
"C" of He et al. 2018, arXiv 1812.01187.
"""

from collections.abc import Iterator
from itertools import chain, product
from typing import Any, Literal

from residua.base.errors import UnknownNameError
from residua.base.nearest import normalize
from residua.bundle.schema import Architecture

# Stem and shortcut of each variant, as arguments of the row.
_PLAIN: dict[str, Any] = {}
_VC: dict[str, Any] = {"stem": "deep", "stem_widths": (32, 32, 64)}
_VD: dict[str, Any] = {**_VC, "shortcut": "average"}
# PaddleClas's SE_ResNeXt_vd (and SENet154) double the stem.
_WIDE_VD: dict[str, Any] = {"stem": "deep", "stem_widths": (64, 64, 128), "shortcut": "average"}
_CIFAR: dict[str, Any] = {
    "widths": (16, 32, 64), "stem": "3x3", "stem_widths": (16,), "shortcut": "padding",
    "first_projection": False, "num_classes": 10,
}  # fmt: skip
_SE: dict[str, Any] = {"se_reduction": 16}

Block = Literal["basic", "bottleneck", "res2net"]
_DEPTHS: dict[int, tuple[Block, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
    200: ("bottleneck", (3, 12, 48, 3)),
}


def _row(
    name: str, depth: int, *variant: dict[str, Any], block: Block | None = None
) -> Architecture:
    usual_block, depths = _DEPTHS[depth]
    options: dict[str, Any] = {}
    for part in variant:
        options |= part
    return Architecture(name=name, block=block or usual_block, depths=depths, **options)


def _series() -> Iterator[Architecture]:
    """The rows of the document: plain, vc, vd and SE."""
    for depth in (18, 34, 50, 101, 152):
        yield _row(f"ResNet{depth}", depth)
    for depth in (18, 34, 50, 101, 152):
        yield _row(f"ResNet{depth}_vc", depth, _VC)
    for depth in (18, 34, 50, 101, 152, 200):
        yield _row(f"ResNet{depth}_vd", depth, _VD)
    for depth in (18, 34, 50):
        yield _row(f"SE_ResNet{depth}_vd", depth, _VD, _SE)


def _wider() -> Iterator[Architecture]:
    """ResNeXt (arXiv 1611.05431), with and without SE, and Wide ResNet (arXiv 1605.07146)."""
    for suffix, variant in (("", _PLAIN), ("_vd", _VD)):
        for depth, groups in product((50, 101, 152), (32, 64)):
            width = {"groups": groups, "base_width": 4}
            yield _row(f"ResNeXt{depth}{suffix}_{groups}x4d", depth, variant, width)
    for base_width in (8, 16, 32, 48):
        width = {"groups": 32, "base_width": base_width}
        yield _row(f"ResNeXt101_32x{base_width}d", 101, width)
    for depth in (50, 101):
        yield _row(f"SE_ResNeXt{depth}_32x4d", depth, _SE, {"groups": 32, "base_width": 4})
    yield _row("SE_ResNeXt50_vd_32x4d", 50, _WIDE_VD, _SE, {"groups": 32, "base_width": 4})
    for depth in (50, 101):
        yield _row(f"Wide_ResNet{depth}_2", depth, {"base_width": 128})


def _res2net() -> Iterator[Architecture]:
    """Res2Net (arXiv 1904.01169); 26w_4s: four branches of width 26."""
    for name, depth, variant, base_width, scale in (
        ("Res2Net50_26w_4s", 50, _PLAIN, 26, 4),
        ("Res2Net50_14w_8s", 50, _PLAIN, 14, 8),
        ("Res2Net50_vd_26w_4s", 50, _VD, 26, 4),
        ("Res2Net101_vd_26w_4s", 101, _VD, 26, 4),
        ("Res2Net200_vd_26w_4s", 200, _VD, 26, 4),
    ):
        split = {"base_width": base_width, "scale": scale}
        yield _row(name, depth, variant, split, block="res2net")


def _cifar() -> Iterator[Architecture]:
    """The networks of arXiv 1512.03385, section 4.2, for pictures of 32 pixels."""
    for depth in (20, 32, 44, 56, 110):
        blocks = (depth - 2) // 6
        yield Architecture(
            name=f"ResNet{depth}", block="basic", depths=(blocks, blocks, blocks), **_CIFAR
        )


ROWS: dict[str, Architecture] = {
    row.name: row for row in chain(_series(), _wider(), _res2net(), _cifar())
}
_BY_SPELLING = {normalize(name): name for name in ROWS}


def find_row(name: str) -> Architecture:
    """Return the row of ``name``, whatever its case, ``-`` or ``_``.

    Raises UnknownNameError with the five nearest rows.

    >>> find_row("resnet50-VD").name
    'ResNet50_vd'
    """
    spelling = normalize(name)
    if spelling not in _BY_SPELLING:
        raise UnknownNameError("architecture", name, ROWS, next_step="All: residua models")
    return ROWS[_BY_SPELLING[spelling]]
