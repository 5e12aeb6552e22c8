"""A whole training run: from a recipe and two sources to a bundle on disk."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from residua.base.errors import DataError, SettingError, TrainingError
from residua.base.machine import describe_machine
from residua.base.version import __version__
from residua.bundle.schema import Manifest, Metrics, Provenance
from residua.bundle.store import Bundle, is_bundle, write_bundle
from residua.data.cache import DEFAULT_BUDGET, PixelCache
from residua.data.crop import CropRule
from residua.data.folder import Parts
from residua.data.source import Source
from residua.data.view import TrainingView
from residua.evaluate.run import Evaluation
from residua.evaluate.validation import Validation
from residua.train.display import Display
from residua.train.loop import fit
from residua.train.precision import Precision, choose_device, choose_precision
from residua.train.recipe import Recipe
from residua.train.record import RunRecord
from residua.train.reports import EpochReport
from residua.train.start import Start, start
from residua.zoo.load import export_tensors


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gave: the bundle, its epochs, the last evaluation, and what to tell the user."""

    bundle: Bundle
    epochs: tuple[EpochReport, ...]
    evaluation: Evaluation
    precision: Precision
    notes: tuple[str, ...]

    @property
    def metrics(self) -> Metrics:
        """The figures of the bundle: those of the last epoch, whose weights it holds."""
        return self.evaluation.metrics


def train(
    recipe: Recipe,
    parts: Parts,
    *,
    output: Path,
    overwrite: bool = False,
    device: str = "auto",
    display: Display | None = None,
    record: Path | None = None,
    cache_bytes: int = DEFAULT_BUDGET,
) -> Trained:
    """Train as ``recipe`` says on the training part and write the bundle ``output``.

    After each epoch the validation part is evaluated, as ``residua evaluate`` would do it with the
    bundle; the last figures go into it. Nothing is written to ``output`` before the end, so that an
    interrupted run leaves no half bundle. ``record`` is the file for the JSON lines of the run;
    ``cache_bytes`` is the budget for pictures kept in memory, of each part.
    """
    check_output(output, overwrite=overwrite)
    training = parts.training
    _check_learnable(training)
    display = display or Display(quiet=True)
    precision = choose_precision(recipe.precision.compute, choose_device(device))
    begun = start(recipe, training.classes)
    display.say(begun.notes[0])
    display.say(f"Computing in {precision.reason}.")
    rule = CropRule(recipe.augment.crop.scale, recipe.augment.crop.ratio, recipe.augment.flip)
    view = TrainingView(
        training, begun.preprocess, rule, seed=recipe.loop.seed, cache=PixelCache(cache_bytes)
    )
    validation = Validation(
        begun.network, begun.preprocess, parts.validation, cache_bytes=cache_bytes
    )
    with RunRecord(record) as lines:
        lines.write(
            "start", recipe=recipe.model_dump(mode="json"), data=training.title,
            images=len(training), precision=precision.name, **describe_machine(),
        )  # fmt: skip
        epochs = fit(
            begun.network, view, recipe, precision=precision, validate=validation.run,
            record=lines, display=display,
        )  # fmt: skip
        notes = begun.notes + training.notes + _failure_notes(view)
        manifest = _describe(begun, recipe, parts, epochs[-1].metrics, notes)
        tensors = export_tensors(begun.network)
        _check_finite(tensors)
        bundle = write_bundle(output, manifest, tensors, overwrite=overwrite)
        lines.write("end", bundle=str(output), replaced=len(view.failures))
    return Trained(bundle, epochs, validation.latest, precision, notes)


def _check_finite(tensors: dict[str, np.ndarray]) -> None:
    """Refuse to write weights that a step too large has made infinite or undefined."""
    broken = [name for name, array in tensors.items() if not np.isfinite(array).all()]
    if broken:
        raise TrainingError(
            f"The training diverged: {len(broken)} tensors are not finite, {broken[0]} first.",
            next_step="Lower the learning rate (--lr), or add a warm-up. No bundle was written.",
        )


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, what could not be written at the end."""
    if not output.exists():
        return
    if not is_bundle(output):
        raise SettingError(f"{output} exists and is no bundle.", next_step="Choose another name.")
    if not overwrite:
        raise SettingError(
            f"{output} exists already.", next_step="Choose another --output, or add --overwrite."
        )


def _check_learnable(training: Source) -> None:
    """Refuse what there is nothing to learn from."""
    if len(training.classes) < 2:
        raise DataError(
            f"{training.title} has one class only: {training.classes.names[0]!r}.",
            next_step="Give a folder with one folder of pictures for each of several classes.",
        )
    if len(training) < 2:
        raise DataError(
            f"{training.title} has {len(training)} picture; training needs two at least.",
            next_step="Add pictures.",
        )


def _failure_notes(view: TrainingView) -> tuple[str, ...]:
    if not view.failures:
        return ()
    shown = [f"  {failure.message.splitlines()[0]}" for failure in view.failures.values()][:5]
    count = f"{len(view.failures)} of {len(view.source)} pictures cannot be read; each was replaced"
    return ("\n".join([f"{count} by the next of its class:", *shown]),)


def _describe(
    begun: Start,
    recipe: Recipe,
    parts: Parts,
    metrics: Metrics,
    notes: tuple[str, ...],
) -> Manifest:
    model = recipe.model.model_copy(update={"name": begun.network.row.name})
    return Manifest(
        architecture=begun.network.row,
        classes=parts.training.classes,
        preprocess=begun.preprocess,
        metrics=(metrics,),
        recipe=recipe.model_copy(update={"model": model}).model_dump(mode="json"),
        licence=begun.licence,
        provenance=Provenance(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            residua=__version__,
            made_by="residua train",
            source=parts.training.title,
            source_sha256=parts.listing_sha256,
            parent=begun.parent,
            versions={
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": version("numpy"),
            },
            notes=notes,
        ),
    )
