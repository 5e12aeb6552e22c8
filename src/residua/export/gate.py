"""The parity gate: an artefact that does not answer as the reference network is not kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from residua.base.errors import EngineError, ParityError
from residua.bundle.schema import Drop, Export, Parity, Preprocess, Takes
from residua.bundle.store import Bundle
from residua.engines.engine import Demand
from residua.engines.open import open_runtime
from residua.engines.parity import Tolerance, compare, run_in_parts, tolerance_for
from residua.engines.probes import make_image_probes, make_probes
from residua.export.formats import FORMATS
from residua.pixels.prepare import prepare_pixels

Inputs = np.ndarray | tuple[np.ndarray, ...]  # crops [N, …], or batches of whole pictures


@dataclass(frozen=True, slots=True)
class Exam:
    """The crops that every artefact is asked, and what the reference network answers to them.

    ``crops`` uint8 [N, crop, crop, C]: the probes, then ``pictures`` of real pictures;
    ``answers`` float32 [N, classes]. Artefacts that take whole pictures are asked ``images``,
    batches uint8 [n, H, W, C] (of one picture where it is a real one), of which ``crops`` are the
    crops.
    """

    crops: np.ndarray
    answers: np.ndarray
    pictures: int
    images: tuple[np.ndarray, ...] = ()

    @property
    def takes(self) -> Takes:
        """What the artefacts take that it is for."""
        return "image" if self.images else "crop"

    @property
    def inputs(self) -> Inputs:
        """What the artefacts are asked."""
        return self.images or self.crops

    def on_pictures(self) -> "Exam":
        """Return the exam without the probes, as int8 is asked."""
        if not self.pictures:
            raise EngineError(
                "An int8 export is compared on real pictures, and there are none.",
                next_step="Add --pictures.",
            )
        last = slice(-self.pictures, None)
        return Exam(self.crops[last], self.answers[last], self.pictures, self.images[last])


def set_exam(
    bundle: Bundle, pictures: Sequence[np.ndarray] | np.ndarray | None = None, takes: Takes = "crop"
) -> Exam:
    """Return the exam of a bundle for artefacts that take crops, or whole pictures.

    ``pictures`` are real ones of that kind: uint8 [crop, crop, C], or [H, W, C] of any size.
    """
    from residua.engines.pytorch import compute_reference

    preprocess = bundle.manifest.preprocess
    given = [] if pictures is None else list(pictures)
    images: tuple[np.ndarray, ...] = ()
    if takes == "image":
        images = (*make_image_probes(preprocess), *(picture[None] for picture in given))
        crops = cut_crops(images, preprocess)
    else:
        crops = np.stack([*make_probes(preprocess), *given])
    return Exam(crops, compute_reference(bundle, crops), len(given), images)


def cut_crops(images: Sequence[np.ndarray], preprocess: Preprocess) -> np.ndarray:
    """Return the crops uint8 [N, crop, crop, C] of batches of pictures, all in one."""
    return np.stack([prepare_pixels(image, preprocess) for batch in images for image in batch])


def list_probes(preprocess: Preprocess, takes: Takes) -> Inputs:
    """Return the probes for artefacts of a kind."""
    return make_image_probes(preprocess) if takes == "image" else make_probes(preprocess)


def ask(bundle: Bundle, export: Export, inputs: Inputs) -> np.ndarray:
    """Return the artefact's answers to ``inputs``; crops go in batches of 1, 3 and all the rest.

    ``bundle`` and ``export`` may lie in a scratch folder: only the bundle's path is used for files.
    """
    engine = FORMATS[export.format].engine
    if engine is None:
        raise EngineError(f"The {export.format} format cannot be run on this system.")
    opened = open_runtime(engine, Demand(bundle, export.precision, export))
    if isinstance(inputs, tuple):
        return np.concatenate([opened.run(batch) for batch in inputs])
    sizes: Sequence[int] = (1, 3)
    if export.batch is not None:
        sizes = (export.batch,) * (len(inputs) // export.batch)
    return run_in_parts(opened.run, inputs, sizes)


def examine(bundle: Bundle, export: Export, exam: Exam) -> tuple[Parity, tuple[str, ...]]:
    """Run the artefact on the exam; return its figures and what of them is not allowed."""
    if export.precision == "int8":
        exam = exam.on_pictures()
    answers = ask(bundle, export, exam.inputs)
    resizes = bundle.manifest.preprocess if export.input == "image" else None
    tolerance = tolerance_for(export.precision, resizes)
    parity, excesses = compare(exam.answers, answers, tolerance, pictures=exam.pictures)
    if excesses:
        excesses = (*excesses, *list_worst(exam, answers, tolerance))
    return parity, excesses


def list_worst(exam: Exam, answers: np.ndarray, tolerance: Tolerance, count: int = 5) -> list[str]:
    """Return a line for each of the crops that differ most: where an artefact is wrong."""
    if answers.shape != exam.answers.shape:
        return []
    gaps = np.abs(answers - exam.answers).max(1)
    first_picture = len(exam.crops) - exam.pictures
    lines = []
    for place in np.argsort(-gaps)[:count]:
        if gaps[place] <= tolerance.difference:
            break
        kind = "picture" if place >= first_picture else "probe"
        number = place - first_picture if kind == "picture" else place
        want, got = int(exam.answers[place].argmax()), int(answers[place].argmax())
        lines.append(
            f"{kind} {number}: differs by {gaps[place]:.3g}; class {want} "
            f"({exam.answers[place, want]:.3f}) there, class {got} ({answers[place, got]:.3f}) here"
        )
    return lines


def refuse(
    name: str, excesses: Sequence[str], *, written: bool = False, drop: Drop | None = None
) -> ParityError:
    """Return the error that says where an artefact differs; ``drop`` is what int8 cost."""
    outcome = "" if written else ", so it was not written"
    step = "The bounds are in docs/export.md. A conversion that is outside is a defect: report it."
    if written:
        step = "Export anew on this machine: residua export BUNDLE --format …"
    if drop is not None:
        judged = f"{drop.score} on {drop.images} pictures"
        excesses = [*excesses, f"{judged}: float32 {drop.fp32:.2%}, int8 {drop.int8:.2%}"]
        step = "Calibrate on more pictures, or train for int8: residua train DATA --quantise"
    return ParityError(
        f"The {name} export does not answer as the network does{outcome}:", excesses, next_step=step
    )
