"""The settings that each method was published with, as keys of a recipe.

Sources: the papers named in ``losses`` and ``features``; for ResNet34 → ResNet18 on ImageNet the
configurations that PaddleClas ships (ppcls/configs/ImageNet/Distillation). What is ours says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from residua.base.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a method is in a line, and what it sets."""

    summary: str
    values: Mapping[str, Any] = field(default_factory=dict)


def _part(method: str, **values: Any) -> dict[str, Any]:
    return {f"distil.{key}": value for key, value in {"method": method, **values}.items()}


METHODS: dict[str, Recommended] = {
    "kd": Recommended(
        "the teacher's softened answers beside the labels (Hinton 2015; weights as in CRD's code)",
        _part("kd", weight=0.9, label_weight=0.1, temperature=4.0),
    ),
    "ssld": Recommended(
        "symmetric divergence, no labels (SSLD); with --unlabelled the whole chain", _part("ssld")
    ),
    "funmatch": Recommended(
        "the teacher's function on mixed pictures, no labels, very long (FunMatch)",
        # big_vision, configs/proj/distill/bit_i1k.py: T 1, mixing by a uniform share (which is
        # Beta(1, 1)), Adam with clipped norm; its rate is for batches of 4096.
        _part("kd", temperature=1.0)
        | {"augment.mix.mixup": 1.0, "augment.mix.cutmix": 0.0, "optimiser.clip_norm": 1.0},
    ),
    "dkd": Recommended(
        "right class and others apart (DKD)", _part("dkd", label_weight=1.0, temperature=1.0)
    ),
    "dist": Recommended(
        "correlations of rows and columns (DIST)", _part("dist", label_weight=1.0, weight=2.0)
    ),
    "skd": Recommended(
        "standardised logits (SKD)", _part("skd", alpha=0.9, multiplier=2.0, temperature=1.0)
    ),
    "wsl": Recommended(
        "less where the student knows better (WSL)",
        _part("wsl", label_weight=1.0, weight=2.5, temperature=2.0),
    ),
    "rkd": Recommended(
        "distances and angles among pictures (RKD)",
        # The paper's RKD-DA: angles count twice the distances; 25 and 50 as in CRD's code.
        _part("rkd", label_weight=1.0, weight=25.0, distance=1.0, angle=2.0),
    ),
    "feature": Recommended(
        "features of stages, by their difference or angle; weights are ours",
        _part("feature", label_weight=1.0, soft_weight=0.9, temperature=4.0),
    ),
    "mgd": Recommended(
        "the teacher's feature made from a masked one (MGD)",
        _part("mgd", label_weight=1.0, weight=1.756, hidden=0.15),
    ),
    "afd": Recommended(
        "attention from the teacher's features to the student's (AFD)",
        _part("afd", label_weight=1.0, soft_weight=0.9, temperature=4.0, weight=50.0, width=128),
    ),
    "pefd": Recommended(
        "several projections of the pooled feature (PEFD)",
        _part("pefd", label_weight=1.0, weight=25.0, projectors=3),
    ),
    "dml": Recommended(
        "two networks learn from labels and each other (DML)", _part("dml", label_weight=1.0)
    ),
    "udml": Recommended(
        "the same, and from each other's features (UDML)", _part("udml", label_weight=1.0)
    ),
}


def find_method(name: str) -> Recommended:
    """Return what ``name`` means. Raises UnknownNameError."""
    found = METHODS.get(name.lower())
    if found is None:
        raise UnknownNameError("way of distilling", name, list(METHODS))
    return found
