"""The names of PaddleClas's dynamic graph: every scheme it has had, and mixtures of them.

Sources: ``ppcls/arch/backbone/legendary_models/resnet.py`` (``stem``, ``blocks.N``, ``fc``),
``model_zoo/*.py`` (``conv1_K``, ``bb_S_I``, ``scale``, ``out``; ResNeXt's ``conv``, Res2Net's
``conv1`` and ``res2a_branch2b_1``; ``resnext101_wsl.py``: ``_conv_stem``, ``_conv1_0``) at
d178931f, and ``ppcls/modeling/architectures/resnet.py`` of v2.0.0 (``res2a`` … ``res4b1``).
"""

import re

from residua.zoo.weights.names.naming import Named, Shapes, rewrite

_LAYERS = (
    # ResNeXt101_wsl: stages count from 1, every module has an underscore before it.
    (r"^_conv_stem\.", "conv."),
    (r"^_conv(\d)_(\d+)\.", r"stages<\1>.\2."),
    (r"\._short\._conv\.", ".short."),
    (r"\._conv(\d)\.", r".conv\1."),
    (r"^_out\.", "out."),
    # The three stems: one convolution, the first to third of a deep one, numbered in a list.
    (r"^conv1?\.", "stem.0."),
    (r"^conv1_1\.", "stem.0."),
    (r"^conv1_2\.", "stem.1."),
    (r"^conv1_3\.", "stem.2."),
    # The blocks: by stage from 0, or by letter and number from stage 2 (conv2_x of the paper).
    (r"^bb_(\d+)_(\d+)\.", r"stages.\1.\2."),
    (r"^res(\d)b(\d+)\.", r"stages<\1-1>.\2."),
    # The layers of a block.
    (r"\.res\d[a-z]\d*_branch2b_(\d+)\.", r".split<\1>."),
    (r"\.short\.", ".shortcut."),
    (r"\.(_conv|conv)\.weight$", ".conv.weight"),
    (r"\.(_batch_norm|_bn|bn)\.", ".norm."),
    (r"\._mean$", ".running_mean"),
    (r"\._variance$", ".running_var"),
    (r"\.scale\.squeeze\.", ".attention.squeeze."),
    (r"\.scale\.excitation\.", ".attention.excite."),
    (r"^(fc|out)\.", "head."),
)

_KNOWN_BY = (
    (r"^blocks\.", "PaddleClas (blocks)"),
    (r"^bb_\d", "PaddleClas (bb)"),
    (r"^res\d[a-z]", "PaddleClas (res2a)"),
    (r"^_conv_stem\.", "PaddleClas (wsl)"),
)


def name_paddle(shapes: Shapes) -> Named:
    """Map the names of PaddleClas's dynamic graph to ours."""
    names = list(shapes)
    scheme = next(
        (what for pattern, what in _KNOWN_BY if any(re.match(pattern, name) for name in names)),
        "PaddleClas",
    )
    return Named(
        scheme,
        rewrite(names, [*_block_rules(names), *_LAYERS, *_COUNTED]),
        transposed=True,
        average=_averages(names),
    )


# Numbers that count from 1, marked <N> above; <N-1> counts from 2.
_COUNTED = (
    *((rf"<{number}-1>", f".{number - 2}") for number in range(2, 6)),
    *((rf"<{number}>", f".{number - 1}") for number in range(1, 17)),
)


def _block_rules(names: list[str]) -> list[tuple[str, str]]:
    """Rules for ``blocks.N``, counted over all stages: a stage begins where a projection is.

    The letters of ``res2a`` count within the stage.
    """
    flat = {int(found[1]) for name in names if (found := re.match(r"blocks\.(\d+)\.", name))}
    starts = {
        int(found[1]) for name in names if (found := re.match(r"blocks\.(\d+)\.short\.", name))
    }
    rules: list[tuple[str, str]] = []
    stage, first = -1, 0
    for index in sorted(flat):
        if index in starts or stage < 0:
            stage, first = stage + 1, index
        rules.append((rf"^blocks\.{index}\.", f"stages.{stage}.{index - first}."))
    rules += [
        (rf"^res(\d){letter}\.", rf"stages<\1-1>.{index}.")
        for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
    ]
    return rules


def _averages(names: list[str]) -> bool | None:
    """``blocks`` with a deep stem is vd: that class knows only the plain network and vd."""
    if not any(name.startswith("blocks.") for name in names):
        return None
    return any(name.startswith("stem.2.") for name in names)
