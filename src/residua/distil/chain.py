"""SSLD as a whole (arXiv 2103.05959): each stage is a run of its own that can be gone on with.

    WORK/mined(.txt)       pictures without labels, chosen by the teacher         (mine)
    WORK/stage1.bundle     the teacher's answers on labelled and chosen pictures  (stage 1)
    WORK/stage2.bundle     on the labelled ones, at a hundredth of the rate       (stage 2)
    WORK/fix.bundle        the classifier at a larger size, by the labels         (fix)
    OUTPUT                 the last of them, with the figures of all

A stage whose bundle is there, of the same recipe, pictures, teacher and weights to begin with, is
not run again.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from residua.base.errors import ResiduaError, SettingError
from residua.base.files import write_atomic
from residua.bundle.schema import Metrics
from residua.bundle.store import WEIGHTS, Bundle, is_bundle, read_bundle, write_bundle
from residua.data.source import Parts, Source
from residua.data.sources.unlabelled import find_unlabelled, open_unlabelled
from residua.distil.mine.report import Report
from residua.distil.mine.run import Wanted, mine
from residua.distil.run import distil, name_teacher
from residua.distil.teachers.teacher import is_onnx
from residua.evaluate.model import share_of_cores
from residua.evaluate.ranks import SINGLE, Ranks
from residua.predict.classifier import load
from residua.train.display import Display
from residua.train.recipe.file import change, override, read_recipe_file
from residua.train.recipe.tree import Recipe
from residua.train.run import Trained, check_output, train

_LEAST_SIZE = 8  # pixels, as of any training


@dataclass(frozen=True, slots=True)
class Chain:
    """What the stages are told besides the recipe of the first.

    ``unlabelled`` (empty: none) is where pictures are chosen from; ``second_epochs`` 0 means a
    sixth of the first's, as published for ResNet50_vd (60 of 360); ``fix_size`` 0: no such stage.
    """

    unlabelled: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    second_epochs: int = 0
    second_rate: float = 0.01  # of the first's
    fix_size: int = 0
    fix_recipe: str = "fix-size"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that is done."""

    name: str
    bundle: Bundle

    @property
    def metrics(self) -> Metrics:
        """Its figures."""
        return self.bundle.manifest.metrics[0]

    def spell(self) -> str:
        """Return its figures in a line."""
        said = f"{self.name}: top-1 {self.metrics.top1:.2%}"
        size = self.bundle.manifest.preprocess.crop_size
        return f"{said}, loss {self.metrics.loss:.4f}, at {size} pixels"


@dataclass(frozen=True, slots=True)
class Chained:
    """The stages in order, and the report of what was mined (None: nothing was)."""

    stages: tuple[Stage, ...]
    mined: dict[str, Any] | None = None


def run_chain(
    recipe: Recipe, parts: Parts, chain: Chain, *, output: Path, work: Path,
    overwrite: bool = False, ranks: Ranks = SINGLE, display: Display | None = None, **how: Any,
) -> Chained:  # fmt: skip
    """Run all stages that are not done, and write ``output``.

    ``recipe`` is that of stage 1; ``how`` goes to every training (device, cache_bytes); with
    ``restart`` in it all stages are run anew.
    """
    check_output(output, overwrite=overwrite)
    _refuse(recipe, parts, chain)
    recipe = name_teacher(recipe)  # its fingerprint is of what a stage depends on
    display = display or Display(quiet=True)
    how |= {"ranks": ranks, "display": display}
    unlabelled, mined = None, None
    if chain.unlabelled:
        unlabelled, report = _mine(recipe, parts, chain, work, how)
        display.say(f"mine: {report.spell()}")
        mined = report.as_record()
    first = _run(
        "stage1", work, recipe, parts, unlabelled, how,
        partial(distil, recipe, parts, unlabelled=unlabelled),
    )  # fmt: skip
    second_recipe = _fine_tune(recipe, first.bundle, chain)
    second = partial(distil, second_recipe, parts)
    stages = [first, _run("stage2", work, second_recipe, parts, None, how, second)]
    if chain.fix_size:
        fixing = make_fix(stages[-1].bundle, chain.fix_size, chain.fix_recipe, like=recipe)
        stages.append(_run("fix", work, fixing, parts, None, how, partial(train, fixing, parts)))
    if ranks.first:
        _write(stages, recipe, mined, output, overwrite=overwrite)
    ranks.share(None)
    return Chained(tuple(stages), mined)


def make_fix(bundle: Bundle, size: int, name: str, *, like: Recipe) -> Recipe:
    """Return the recipe ``name`` made to fit ``bundle`` to ``size`` pixels.

    Seed, number format and the reading of data are those of ``like``. Raises SettingError.
    """
    own = bundle.manifest.preprocess
    if size < own.crop_size:
        raise SettingError(
            f"{bundle.path} is used to {own.crop_size} pixels, more than {size}.",
            next_step="Fitting is for larger pictures than a network was trained with.",
        )
    scale = size / own.crop_size
    last = f"stage{len(bundle.manifest.architecture.depths)}"
    given = {
        "model.pretrained": str(bundle.path), "model.freeze": last, "augment.image_size": size,
        "evaluate.image_size": size, "evaluate.short_side": round(own.short_side * scale),
        "loop.seed": like.loop.seed, "precision.compute": like.precision.compute,
    } | {f"data.{key}": value for key, value in like.data.model_dump().items()}  # fmt: skip
    return override(read_recipe_file(name), [], given)


def _refuse(recipe: Recipe, parts: Parts, chain: Chain) -> None:
    """Refuse, before any work, what the stages cannot do. Raises SettingError."""
    if parts.training.multi_label:
        raise SettingError("SSLD is for pictures of one class each.")
    if recipe.distil.method != "ssld":
        raise SettingError(
            f"The chain is SSLD's, and distil.method is {recipe.distil.method}.",
            next_step=f"Give --recipe {recipe.distil.method} for one training by it.",
        )
    if recipe.loop.budget_minutes:
        raise SettingError(
            "A budget is of one training, and SSLD is a chain of them.",
            next_step="Give --epochs and --second-epochs; each stage says beforehand how long it "
            "takes.",
        )
    if chain.fix_size and chain.fix_size < _LEAST_SIZE:
        raise SettingError(f"--fix-size {chain.fix_size}: {_LEAST_SIZE} pixels at least.")
    if chain.unlabelled and is_onnx(recipe.distil.teacher):
        raise SettingError(
            "Pictures are chosen by a teacher that residua can open as a bundle.",
            next_step="Give a bundle as --teacher, or leave --unlabelled out.",
        )


def _mine(
    recipe: Recipe, parts: Parts, chain: Chain, work: Path, how: dict[str, Any]
) -> tuple[Source, Report]:
    """Choose the unlabelled pictures; each process asks the teacher about its share."""
    ranks: Ranks = how["ranks"]
    in_shards = find_unlabelled(chain.unlabelled).root is None
    target = work / ("mined" if in_shards else "mined.txt")
    teacher = load(
        recipe.distil.teacher, hint="throughput", notify=how["display"].say,
        device=how.get("device", "auto"), threads=share_of_cores(ranks),
    )  # fmt: skip
    report = mine(
        chain.unlabelled, teacher, target, chain.wanted, validation=parts.validation,
        classes=parts.training.classes, ranks=ranks,
    )  # fmt: skip
    return open_unlabelled(target, parts.training.classes), report


def _run(
    name: str, work: Path, recipe: Recipe, parts: Parts, unlabelled: Source | None,
    how: dict[str, Any], run: Callable[..., Trained],
) -> Stage:  # fmt: skip
    """Return a stage: what is there of it, or what training gives."""
    target, note = work / f"{name}.bundle", work / f"{name}.json"
    identity = _identify(recipe, parts, unlabelled)
    display: Display = how["display"]
    if not how.get("restart") and _is_done(target, note, identity):
        display.say(f"{name}: done before.")
    else:
        display.say(f"{name}: begins.")
        trained = run(output=target, run_folder=work / f"{name}.run", overwrite=True, **how)
        if how["ranks"].first:
            sha256 = trained.bundle.manifest.files[WEIGHTS].sha256
            write_atomic(note, json.dumps({"identity": identity, "weights": sha256}).encode())
        how["ranks"].share(None)
    stage = Stage(name, read_bundle(target))
    display.say(stage.spell())
    return stage


def _is_done(target: Path, note: Path, identity: str) -> bool:
    if not (is_bundle(target) and note.is_file()):
        return False
    try:
        bundle = read_bundle(target)
        bundle.verify()
        said = json.loads(note.read_text(encoding="utf-8"))
    except (ResiduaError, OSError, ValueError):
        return False
    return bool(said == {"identity": identity, "weights": bundle.manifest.files[WEIGHTS].sha256})


def _identify(recipe: Recipe, parts: Parts, unlabelled: Source | None) -> str:
    """Return the fingerprint of all that a stage depends on."""
    begun = recipe.model.pretrained
    said = {
        "recipe": recipe.model_dump(mode="json"),
        "training": parts.training.listing_sha256(),
        "validation": parts.validation.listing_sha256(),
        "unlabelled": unlabelled.listing_sha256() if unlabelled else "",
        "begun": read_bundle(Path(begun)).manifest.files[WEIGHTS].sha256
        if is_bundle(Path(begun)) else "",
    }  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _fine_tune(recipe: Recipe, first: Bundle, chain: Chain) -> Recipe:
    """Return the recipe of stage 2."""
    epochs = chain.second_epochs or max(1, round(recipe.loop.epochs / 6))
    return change(
        recipe,
        {
            "model.pretrained": str(first.path), "loop.epochs": epochs,
            "optimiser.lr": recipe.optimiser.lr * chain.second_rate, "schedule.warmup_epochs": 0.0,
        },
    )  # fmt: skip


def _write(
    stages: list[Stage], recipe: Recipe, mined: dict[str, Any] | None, output: Path,
    *, overwrite: bool,
) -> None:  # fmt: skip
    """Write the last stage's bundle under the name that was asked for, with all figures."""
    last, part = stages[-1].bundle, recipe.distil
    provenance = last.manifest.provenance
    said = [f"taught by {part.teacher} (weights {part.teacher_sha256})"]
    if mined is not None:
        said.append(f"mine: {mined['chosen']} of {mined['pictures']} pictures without a label")
    notes = (*said, *(stage.spell() for stage in stages), *provenance.notes)
    manifest = last.manifest.model_copy(
        update={"provenance": provenance.model_copy(update={"notes": notes})}
    )
    write_bundle(output, manifest, last.tensors(), overwrite=overwrite)
