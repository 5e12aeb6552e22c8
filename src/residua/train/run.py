"""A whole training run: from a recipe and two sources to a bundle on disk."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from residua.base.errors import DataError, SettingError, TrainingError
from residua.base.machine import describe_machine
from residua.bundle.schema import Metrics
from residua.bundle.store import Bundle, is_bundle, read_bundle, write_bundle
from residua.data.cache import DEFAULT_BUDGET, PixelCache
from residua.data.source import Parts, Source
from residua.data.view import TrainingView
from residua.evaluate.ranks import SINGLE, Ranks
from residua.evaluate.run import Evaluation
from residua.evaluate.validation import Validation
from residua.train.display import Display
from residua.train.loop import Surroundings, fit
from residua.train.plan.budget import Budget
from residua.train.plan.choose import plan_run
from residua.train.recipe.tree import Recipe
from residua.train.setup import begin, end_rounding, make_computation, make_lesson, make_state
from residua.train.start import Start
from residua.train.stop import StopRequest
from residua.train.storage.checkpoint import spell_reason
from residua.train.storage.keeper import Keeper, Saved
from residua.train.storage.manifest import describe_bundle, describe_failures, refuse_infinite
from residua.train.storage.record import RunRecord
from residua.train.storage.resume import Resumed, open_run
from residua.train.storage.run_folder import RunFolder, identify
from residua.train.storage.state import TrainingState
from residua.train.storage.trackers import make_trackers, require_trackers
from residua.train.update.learner import LearnerMaker, learn_from_labels
from residua.train.update.precision import Precision, choose_device, choose_precision
from residua.train.update.renewal import renew_statistics
from residua.train.update.reports import EpochReport
from residua.train.update.step import Computation
from residua.zoo.load import export_tensors, load_tensors


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gave: the bundle, its epochs and its evaluation.

    ``epoch`` is the one whose weights the bundle holds.
    """

    bundle: Bundle
    epochs: tuple[EpochReport, ...]
    epoch: int
    evaluation: Evaluation
    precision: Precision

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell the user."""
        return self.bundle.manifest.provenance.notes

    @property
    def metrics(self) -> Metrics:
        """The figures of the bundle."""
        return self.evaluation.metrics


def train(
    recipe: Recipe,
    parts: Parts,
    *,
    output: Path,
    run_folder: Path | None = None,
    overwrite: bool = False,
    restart: bool = False,
    device: str = "auto",
    ranks: Ranks = SINGLE,
    display: Display | None = None,
    cache_bytes: int = DEFAULT_BUDGET,
    make_learner: LearnerMaker = learn_from_labels,
    saved: Saved | None = None,
) -> Trained:
    """Train as ``recipe`` says on the training part and write the bundle ``output``.

    ``run_folder`` (None: nothing is written before the end) takes checkpoints and the record; an
    interrupted run of the same recipe and pictures there goes on exactly, unless ``restart``.
    ``cache_bytes`` is of each part, ``make_learner`` says what is learnt by, ``saved`` is called
    after each checkpoint. Raises StoppedError where it was stopped, TrainingError if it diverged.
    """
    _refuse(recipe, parts.training, output, overwrite=overwrite)
    _refuse_without_teacher(recipe, make_learner)
    display = display or Display(quiet=True)
    folder = RunFolder(run_folder) if run_folder else None
    resumed = open_run(folder, identify(recipe, parts), ranks, restart=restart)
    precision = _choose_precision(recipe, resumed, choose_device(device, ranks.local_rank))
    begun = begin(recipe, parts.training, precision.device, ranks)
    display.say("\n".join([*resumed.notes, begun.notes[0], f"Computing in {precision.reason}."]))
    view = TrainingView(
        parts.training, begun.preprocess, recipe.augment, seed=recipe.loop.seed,
        repeats=recipe.data.repeats, cache=PixelCache(cache_bytes),
    )  # fmt: skip
    budget = Budget(recipe.loop.budget_minutes)
    learner = make_learner(make_lesson(begun, recipe, parts.training, precision))
    planned, shares = plan_run(
        learner, recipe, view, ranks, validation=len(parts.validation),
        budget=budget, resumed=resumed, folder=folder, display=display,
    )  # fmt: skip
    computation = make_computation(learner, planned, begun.preprocess, shares)
    state = make_state(computation, planned, resumed.checkpoint)
    validation = Validation(
        begun.network, begun.deployed, parts.validation, cache_bytes=cache_bytes, ranks=ranks
    )
    with _open_record(folder, planned, parts, precision, resumed, ranks) as record:
        keeper = Keeper(folder, planned.output, ranks, record, display, saved)
        surroundings = Surroundings(
            validation.run, keeper, record, display, StopRequest(ranks),
            out_of_time=lambda: bool(ranks.share(budget.is_spent())),
        )  # fmt: skip
        fit(state, computation, view, planned, surroundings)
        epoch = _take_best(state, computation, view, planned, keeper)
        begun = end_rounding(begun, state.history, epoch)
        bundle = _write(begun, planned, parts, validation, view, ranks, output, overwrite=overwrite)
        record.write("end", bundle=str(output), epoch=epoch, replaced=len(view.failures))
    if folder is not None and ranks.first:
        folder.finish(output)
    return Trained(bundle, state.history, epoch, validation.latest, precision)


def _choose_precision(recipe: Recipe, resumed: Resumed, device: torch.device) -> Precision:
    """Return the number format: that with which an interrupted run began, or the recipe's."""
    wanted = resumed.chosen.get("precision", recipe.precision.compute)
    return choose_precision(wanted, device, deterministic=recipe.precision.deterministic)


def _open_record(
    folder: RunFolder | None,
    recipe: Recipe,
    parts: Parts,
    precision: Precision,
    resumed: Resumed,
    ranks: Ranks,
) -> RunRecord:
    """Return the record of the run, with its first line written; other processes write none."""
    if folder is None or not ranks.first:
        return RunRecord(None)
    settings = recipe.model_dump(mode="json")
    trackers = make_trackers(recipe.output.track, folder=folder.path, settings=settings)
    record = RunRecord(folder.metrics, go_on_at=resumed.record_bytes, trackers=trackers)
    if not resumed.record_bytes:
        record.write(
            "start", recipe=settings, data=parts.training.title, images=len(parts.training),
            precision=precision.name, processes=ranks.world,
            command=shlex.join(sys.argv), **describe_machine(),
        )  # fmt: skip
    return record


def _take_best(
    state: TrainingState,
    computation: Computation,
    view: TrainingView,
    recipe: Recipe,
    keeper: Keeper,
) -> int:
    """Put the weights of the bundle into the network, and return the epoch that they are of."""
    last, network = state.history[-1].epoch, state.network
    if recipe.evaluate.keep == "best" and state.best.epoch != last:
        tensors = keeper.read_best(state.best.epoch)
        if tensors is not None:
            load_tensors(network, tensors)
            return state.best.epoch
    if state.average is not None:
        state.average.put_into(network)
        if state.average.lacks_statistics:
            renew_statistics(computation, view, epoch=last - 1, repeats=recipe.data.repeats)
    computation.shares.ranks.copy_from_first(
        [b for b in network.buffers() if b.is_floating_point()]
    )
    return last


def _write(
    begun: Start,
    recipe: Recipe,
    parts: Parts,
    validation: Validation,
    view: TrainingView,
    ranks: Ranks,
    output: Path,
    *,
    overwrite: bool,
) -> Bundle:
    """Validate the network and write it, once; return the bundle on every process."""
    metrics = validation.run()
    failures = {i: f for found in ranks.gather(view.failures) for i, f in found.items()}
    if ranks.first:
        notes = begun.notes + parts.training.notes + describe_failures(failures, len(view.source))
        tensors = export_tensors(begun.network)
        refuse_infinite(tensors)
        manifest = describe_bundle(begun, recipe, parts, metrics, notes)
        try:
            write_bundle(output, manifest, tensors, overwrite=overwrite)
        except OSError as error:
            raise TrainingError(
                f"The training has ended, but {output} could not be written: "
                f"{spell_reason(error)}.",
                next_step="Free some space: the same command goes on from the last checkpoint, "
                "if there was room for one.",
            ) from error
    # The others may be on machines that do not see it.
    written: Bundle = ranks.share(read_bundle(output) if ranks.first else None)
    return written


def _refuse(recipe: Recipe, training: Source, output: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, what could not be learnt or written."""
    check_output(output, overwrite=overwrite)
    require_trackers(recipe.output.track)
    _check_learnable(training)


def _refuse_without_teacher(recipe: Recipe, make_learner: LearnerMaker) -> None:
    if recipe.distil.method != "none" and make_learner is learn_from_labels:
        raise SettingError(
            f"The recipe learns from a teacher (distil.method={recipe.distil.method}).",
            next_step=f"residua distil DATA --teacher {recipe.distil.teacher or 'BUNDLE'} "
            "--student NAME …, or add -o distil.method=none.",
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
    if len(training.classes) < 2 and not training.multi_label:
        raise DataError(
            f"{training.title} has one class only: {training.classes.names[0]!r}.",
            next_step="Give a folder with one folder of pictures for each of several classes.",
        )
    if len(training) < 2:
        raise DataError(
            f"{training.title} has {len(training)} picture; training needs two at least.",
            next_step="Add pictures.",
        )
