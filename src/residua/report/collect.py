"""The facts of a report, gathered: one evaluation, then what is to be shown of it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from residua.base.errors import SettingError
from residua.base.machine import describe_machine
from residua.bundle.store import Bundle
from residua.data.cache import PixelCache
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.engines.choose import open_engine
from residua.engines.engine import Engine
from residua.evaluate.confusion import most_confused
from residua.evaluate.metrics import Tally
from residua.evaluate.run import Evaluation, evaluate
from residua.report.counted import cut_confusion, list_classes, list_figures, spell_classes
from residua.report.facts import Facts, Machine, Unreadable
from residua.report.history import Subject
from residua.report.speed import measure_speed
from residua.report.worst import Answers, find_mistakes, show_mistakes, show_pairs, show_right
from residua.zoo.count import count
from residua.zoo.load import load_network

_PAIRS = 6
_TIMED = 8  # pictures for the measurement of speed
_MANY = "A picture may have any number of classes here, so that"


@dataclass(frozen=True, slots=True)
class Choices:
    """``limit``: mistakes to show; ``batch_size``: pictures at a time, which changes no figure."""

    limit: int = 12
    batch_size: int = 32
    device: str = "auto"
    show_progress: bool = False


def collect(subject: Subject, source: Source, *, choices: Choices | None = None) -> Facts:
    """Evaluate the bundle on ``source`` and gather what the page shows.

    Of all pictures only the probabilities are kept in memory; those that are shown are read again.
    Raises what ``evaluate`` raises, SettingError for a negative limit, and ImageError or OSError
    for a picture that has changed since it was evaluated.
    """
    choices = choices or Choices()
    if choices.limit < 0:
        raise SettingError(f"The limit is {choices.limit}; it must be 0 or more.")
    bundle, manifest = subject.bundle, subject.bundle.manifest
    engine = open_engine(bundle, device=choices.device)
    view = EvaluationView(source, manifest.preprocess, cache=PixelCache(0))
    evaluation = evaluate(
        engine.run, view, batch_size=choices.batch_size, show_progress=choices.show_progress,
        keep_probabilities=True, multi_label=manifest.task == "multi-label",
    )  # fmt: skip
    names = spell_classes(source.classes)
    counts = zip(names, source.count_classes().tolist(), strict=True)
    facts = Facts(
        title=bundle.path.resolve().name.removesuffix(".bundle"),
        made=datetime.now(UTC).strftime("%-d %B %Y"),
        part=source.title,
        manifest=manifest,
        metrics=evaluation.metrics,
        figures=list_figures(evaluation.metrics, evaluation.counts),
        classes=list_classes(evaluation.counts, source.classes),
        reliability=evaluation.counts.reliability,
        machine=_measure(bundle, engine, view, evaluation),
        counts=tuple(sorted(counts, key=lambda pair: -pair[1])),
        unreadable=tuple(
            Unreadable(source.names[failure.index], failure.reason, failure.message.split("\n")[0])
            for failure in evaluation.failures
        ),
        notes=evaluation.notes,
        history=subject.history,
        omitted={"training": " ".join(subject.notes)},
    )
    return _look(facts, evaluation, view, bundle, choices.limit)


def _look(
    facts: Facts, evaluation: Evaluation, view: EvaluationView, bundle: Bundle, limit: int
) -> Facts:
    """Add what shows single answers: pictures, confusion, mistakes."""
    counts, scores = evaluation.counts, evaluation.scores
    if not isinstance(counts, Tally) or scores is None:
        omitted = {
            "confusion": f"{_MANY} no class is taken for another: there is no confusion matrix.",
            "mistakes": f"{_MANY} there is no single answer that could be the mistake.",
        }
        return replace(facts, omitted=facts.omitted | omitted)
    answers = Answers(view, scores)
    mistakes = find_mistakes(answers)
    network = load_network(bundle)
    silent = len(scores.indices) - len(answers.indices)
    notes = (f"{silent} pictures have no answer: the network gave no numbers.",) if silent else ()
    none = "There is no mistake." if not len(mistakes) else "No mistakes were asked for."
    confusion = cut_confusion(counts.confusion, answers.names)
    omitted = {"mistakes": none, "confusion": "No picture was taken for another class."}
    return replace(
        facts,
        gallery=show_right(answers),
        confusion=confusion if len(confusion.rows) else None,
        pairs=show_pairs(answers, most_confused(counts.confusion, counts.images, _PAIRS)),
        mistakes=show_mistakes(answers, network, mistakes[:limit]),
        mistakes_total=len(mistakes),
        notes=facts.notes + notes,
        omitted=facts.omitted | omitted,
    )


def _measure(
    bundle: Bundle, engine: Engine, view: EvaluationView, evaluation: Evaluation
) -> Machine:
    """Time the engine on the first pictures that can be read, and count the network's work."""
    failed = {failure.index for failure in evaluation.failures}
    readable = [index for index in range(len(view.source)) if index not in failed][:_TIMED]
    crops = np.empty((len(readable), *view.shape), np.uint8)
    for crop, index in zip(crops, readable, strict=True):
        view.fill(index, crop)
    size = bundle.manifest.preprocess.crop_size
    cost = count(bundle.manifest.architecture, (size,))
    return Machine(
        engine.name,
        measure_speed(engine, crops),
        bundle.weights_path.stat().st_size,
        cost.params,
        cost.gflops(size),
        describe_machine(),
    )
