"""A whole distillation: the training of ``residua.train`` with a learner that asks a teacher."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import torch

from residua.base.errors import SettingError
from residua.base.files import sha256_of
from residua.bundle.store import WEIGHTS
from residua.data.source import Parts, Source
from residua.data.sources.unlabelled import join
from residua.distil.compare.criteria import make_criterion
from residua.distil.learner import Distilling, Mutual
from residua.distil.teachers.peer import find_fresh_row, make_peer
from residua.distil.teachers.teacher import is_onnx, open_teacher
from residua.train.recipe.distil import DistilPart
from residua.train.recipe.file import change
from residua.train.recipe.tree import Recipe
from residua.train.run import Trained, train
from residua.train.update.learner import Learner, LearnerMaker, Lesson
from residua.zoo.weights.resolve import open_bundle

MUTUAL = ("dml", "udml")


def distil(
    recipe: Recipe, parts: Parts, *, unlabelled: Source | None = None, **how: Any
) -> Trained:
    """Train as ``recipe`` says and write a bundle; its ``distil`` part names teacher and method.

    ``unlabelled`` pictures are seen besides those of the training part. ``how`` is that of
    ``train``: output, run_folder, overwrite, restart, device, ranks, display, cache_bytes.

    Raises what ``train`` raises, SettingError for a teacher that cannot be used.
    """
    recipe = name_teacher(recipe)
    if how.get("display") and (warning := warn_of_smoothing(recipe.distil)):
        how["display"].say(warning)
    if unlabelled is not None:
        refuse_learning_nothing(recipe.distil)
        parts = Parts(join(parts.training, unlabelled), parts.validation, parts.listing_sha256)
    return train(recipe, parts, make_learner=maker_of(recipe), **how)


def name_teacher(recipe: Recipe) -> Recipe:
    """Return ``recipe`` with the fingerprint of its teacher. Raises SettingError without one."""
    part = recipe.distil
    if part.method == "none":
        raise SettingError("The recipe has no distil.method.", next_step="Give --recipe kd.")
    if part.method == "rkd" and recipe.loop.micro_batch in {1, 2}:
        raise SettingError(
            f"rkd compares the pictures of a micro-batch; {recipe.loop.micro_batch} are too few.",
            next_step="Set loop.micro_batch to 3 or more, better 32.",
        )
    if part.method in MUTUAL and (not part.teacher or find_fresh_row(part.teacher)):
        return recipe
    if part.method in MUTUAL and is_onnx(part.teacher):
        raise SettingError(
            f"Of {part.method} the teacher learns too, and an .onnx file cannot.",
            next_step="Name a network instead, which then begins from scratch: --teacher ResNet34",
        )
    if not part.teacher:
        raise SettingError(
            f"{part.method} needs a teacher.",
            next_step="Give --teacher: a bundle, a name from residua models, or an .onnx file.",
        )
    found = read_sha256(part.teacher)
    if part.teacher_sha256 not in {"", found}:
        raise SettingError(
            f"The weights of {part.teacher} are not those of the recipe.",
            next_step="Give the teacher that it names, or add -o distil.teacher_sha256=''.",
        )
    return change(recipe, {"distil.teacher_sha256": found})


def warn_of_smoothing(part: DistilPart) -> str:
    """Return a warning where the teacher was trained with label smoothing; "" where not.

    It takes from the answers what the teacher knows of classes that are alike (arXiv 1906.02629,
    section 5; LOG.md, "a smoothed teacher").
    """
    if part.method in MUTUAL or is_onnx(part.teacher):
        return ""
    trained_by = open_bundle(part.teacher).manifest.recipe or {}
    share = trained_by.get("loss", {}).get("label_smoothing", 0)
    if not share:
        return ""
    return (
        f"Note: the teacher was trained with label smoothing {share:g}, which makes a worse one. "
        "Better: residua train DATA --label-smoothing 0 --output teacher.bundle"
    )


def read_sha256(teacher: str) -> str:
    """Return the fingerprint of a teacher's weights. Raises what opening it raises."""
    if is_onnx(teacher):
        if not Path(teacher).is_file():
            raise SettingError(f"There is no file {teacher}.")
        return sha256_of(Path(teacher))
    return open_bundle(teacher).manifest.files[WEIGHTS].sha256


def refuse_learning_nothing(part: DistilPart) -> None:
    """Refuse pictures without labels where nothing would be learnt of them."""
    if part.method in {"dkd", "none"} and not part.soft_weight:
        raise SettingError(
            f"{part.method} learns nothing from pictures without a label.",
            next_step="Choose ssld, kd, dist, skd or wsl, or leave --unlabelled out.",
        )


def maker_of(recipe: Recipe) -> LearnerMaker:
    """Return what makes the learner of ``recipe``."""
    return partial(_make_learner, recipe.distil, recipe.loop.seed)


def _make_learner(part: DistilPart, seed: int, lesson: Lesson) -> Learner:
    network, row = lesson.network, lesson.network.row
    # What has weights draws them here, the same in every process and after every restart.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"distil {seed}".encode()).digest()[:7]))
        if part.method in MUTUAL:
            peer = make_peer(part.teacher, row, lesson.classes, seed=seed + 1)
            criterion = make_criterion(part, row, peer.row)
            return Mutual(
                network, lesson.loss, lesson.precision, peer=peer, criterion=criterion, part=part
            )
        teacher = open_teacher(
            part.teacher, part, lesson.classes, lesson.preprocess, lesson.precision
        )
        criterion = make_criterion(part, row, teacher.row)
    return Distilling(
        network, lesson.loss, lesson.precision, teacher=teacher, criterion=criterion, part=part
    )
