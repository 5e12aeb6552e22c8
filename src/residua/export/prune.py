"""Pruning a bundle: channels out, repaired by training, and what that costs and saves."""

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Architecture, Calibration
from residua.bundle.store import WEIGHTS, Bundle, amend_bundle, write_bundle
from residua.data.settings import DataPart
from residua.data.source import Parts
from residua.data.sources.parts import open_parts
from residua.engines.engine import Engine
from residua.engines.probes import make_probes
from residua.evaluate.model import evaluate_bundle, open_network
from residua.evaluate.part import recall
from residua.train.display import Display
from residua.train.recipe.book import find_recipe
from residua.train.recipe.file import override
from residua.train.recipe.tree import Recipe
from residua.train.run import check_output, train
from residua.zoo.count import count
from residua.zoo.prune import prune

_ROUNDS = 40  # pictures timed with each network
# A tenth of what fine-tuning to new classes takes: the weights are nearly where they belong.
_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """One network: parameters, GFLOPs (twice the multiply-adds), its score, milliseconds.

    ``score`` is top-1, or the mean average precision of multi-label data, in 0…1. ``milliseconds``
    are those of one picture, the median; (least, median, greatest), or None where the network has
    the shape of the next one.
    """

    params: int
    gflops: float
    score: float
    milliseconds: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Pruned:
    """The bundle that came of it, and how the networks stand on ``images`` of ``data``."""

    bundle: Bundle
    before: Standing
    pruned: Standing
    repaired: Standing
    data: str
    images: int
    engine: str


def prune_bundle(
    bundle: Bundle,
    data: str,
    share: float,
    output: Path,
    *,
    epochs: int = 3,
    overrides: Sequence[str] = (),
    settings: DataPart | None = None,
    overwrite: bool = False,
    display: Display | None = None,
) -> Pruned:
    """Take ``share`` of the channels inside the blocks out, train on ``data``, write ``output``.

    ``data`` is read as the bundle's training read its own unless ``settings`` say how, and its
    validation part judges all three networks. ``overrides`` change the recipe of the repair. An
    interrupted repair goes on when the same is asked for again. Raises SettingError where data,
    share or output make no sense, before any work.
    """
    if output.resolve() == bundle.path.resolve():
        raise SettingError(
            f"{output} is the bundle that is pruned.", next_step="Choose another --output."
        )
    check_output(output, overwrite=overwrite)
    display = display or Display(quiet=True)
    manifest = bundle.manifest
    row, tensors = prune(manifest.architecture, bundle.tensors(), share)
    settings = settings or recall(manifest) or DataPart()
    parts = open_parts(data, settings, classes=manifest.classes)
    _refuse_missing_classes(parts, data)
    cut = _write_cut(bundle, row, tensors, output, share)
    display.say(f"Repairing by training on {parts.training.title}.")
    if manifest.calibration != Calibration():
        display.say("Its calibration is no longer true; anew: residua evaluate --calibrate")
    trained = train(
        make_recipe(cut, settings, epochs, overrides), parts, output=output,
        run_folder=output.with_name(f"{output.stem}.run"), overwrite=overwrite, display=display,
    )  # fmt: skip
    engines = [open_network(each) for each in (bundle, cut, trained.bundle)]
    times = time_in_turns([engines[0], engines[2]], make_probes(manifest.preprocess)[-1:])
    scores = [
        _score(each, parts, engine)
        for each, engine in zip((bundle, cut, trained.bundle), engines, strict=True)
    ]
    shutil.rmtree(cut.path)
    size = manifest.preprocess.crop_size
    whole, narrow = (count(each, (size,)) for each in (manifest.architecture, row))
    return Pruned(
        _describe(trained.bundle, bundle, share, scores),
        Standing(whole.params, whole.gflops(size), scores[0], times[0]),
        Standing(narrow.params, narrow.gflops(size), scores[1], None),
        Standing(narrow.params, narrow.gflops(size), scores[2], times[1]),
        data=parts.validation.title,
        images=len(parts.validation),
        engine=engines[0].name,
    )


def _write_cut(
    bundle: Bundle, row: Architecture, tensors: dict[str, np.ndarray], output: Path, share: float
) -> Bundle:
    """Write the pruned network, not yet repaired, beside ``output``.

    Its name tells what it was made of, so that a repair goes on with the same one only.
    """
    origin = bundle.manifest.files[WEIGHTS].sha256[:8]
    path = output.with_name(f"{output.stem}-cut-{share:g}-{origin}.bundle")
    manifest = bundle.manifest.model_copy(update={"architecture": row, "metrics": ()})
    return write_bundle(path, manifest, tensors, overwrite=True)


def make_recipe(
    bundle: Bundle, settings: DataPart, epochs: int, overrides: Sequence[str]
) -> Recipe:
    """Return the recipe of the repair: fine-tuning at a low rate, for the bundle's own crops."""
    recipe = find_recipe("finetune")
    preprocess, multi = bundle.manifest.preprocess, bundle.manifest.task == "multi-label"
    values = {
        "model.pretrained": str(bundle.path),
        "loop.epochs": epochs,
        "optimiser.lr": recipe.optimiser.lr * _RATE,
        "schedule.warmup_epochs": min(1.0, epochs / 10),
        "augment.image_size": preprocess.crop_size,
        "evaluate.image_size": preprocess.crop_size,
        "evaluate.short_side": preprocess.short_side,
        **{f"data.{key}": value for key, value in settings.model_dump().items()},
    }
    if multi:
        values |= {"data.multi_label": True, "loss.kind": "bce", "evaluate.metric": "map"}
    return override(recipe, overrides, values)


def time_in_turns(engines: Sequence[Engine], crop: np.ndarray) -> list[tuple[float, float, float]]:
    """Return (least, median, greatest) milliseconds of one crop for each engine, run in turns."""
    taken: list[list[float]] = [[] for _ in engines]
    for round_ in range(_ROUNDS + 3):
        for times, engine in zip(taken, engines, strict=True):
            begun = time.perf_counter()
            engine.run(crop)
            if round_ >= 3:  # the first warm up
                times.append(1000 * (time.perf_counter() - begun))
    return [(min(times), statistics.median(times), max(times)) for times in taken]


def _score(bundle: Bundle, parts: Parts, engine: Engine) -> float:
    metrics = evaluate_bundle(bundle, parts.validation, engine, show_progress=True).metrics
    return (metrics.map if parts.validation.multi_label else metrics.top1) or 0.0


def _refuse_missing_classes(parts: Parts, data: str) -> None:
    """The repair keeps the classifier: what it sees no picture of it would forget."""
    counts = parts.training.count_classes()
    names = parts.training.classes.names
    if missing := [name for name, count in zip(names, counts, strict=True) if not count]:
        raise SettingError(
            f"{data} has no picture of {len(missing)} of the bundle's classes to train on: "
            f"{', '.join(missing[:5])}.",
            next_step="Give the data that the bundle was trained on, or fine-tune it to these "
            "first: residua train DATA --pretrained BUNDLE",
        )


def _describe(written: Bundle, bundle: Bundle, share: float, scores: Sequence[float]) -> Bundle:
    """Say in the bundle what it was made of."""
    given = written.manifest.provenance
    note = (
        f"Pruned by {share:g} from {bundle.path.name}: {scores[0]:.2%} before, {scores[1]:.2%} "
        f"pruned, {scores[2]:.2%} repaired."
    )
    provenance = given.model_copy(
        update={"parent": str(bundle.path), "made_by": "residua export --prune", "notes": (note,)}
    )
    return amend_bundle(written, {"provenance": provenance, "licence": bundle.manifest.licence})
