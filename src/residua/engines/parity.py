"""When two answers are the same: what is compared, and the table of what is allowed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from residua.base.machine import describe_machine
from residua.bundle.schema import Parity, Preprocess


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an artefact may stand from the float32 reference network.

    ``difference`` is the largest of one probability; ``cosine`` the least between the answers to
    one crop; ``agreement`` the least share of crops with the same best class, those left out whose
    two best classes the reference has closer than ``tie``.
    """

    difference: float
    cosine: float
    agreement: float
    tie: float


# By precision. float32 engines add up in another order, which over 200 layers moves a probability
# by about 1e-5 (tests/engines). float16 has 11 significant bits, bfloat16 8. int8 has 8 at most,
# over the range that the calibration pictures show: it is compared on such pictures only, never on
# the probes; the accuracy decides (export's --max-drop), this catches what is plainly broken.
TOLERANCES: dict[str, Tolerance] = {
    "fp32": Tolerance(difference=2e-4, cosine=0.99999, agreement=1.0, tie=4e-4),
    "fp16": Tolerance(difference=0.02, cosine=0.999, agreement=1.0, tie=0.04),
    "bf16": Tolerance(difference=0.10, cosine=0.98, agreement=0.95, tie=0.10),
    "int8": Tolerance(difference=0.50, cosine=0.85, agreement=0.80, tie=0.20),
}

# An int8 artefact beside its own answers on the machine where it was made: other kernels round
# otherwise, but saturated sums (x86 without VNNI) are far outside.
ELSEWHERE = Tolerance(difference=0.15, cosine=0.97, agreement=0.95, tie=0.15)

# Graphs that resize whole pictures themselves. Their crops are Pillow's to the last bit but for
# one value in 100,000, so that nothing more is allowed. OpenCV's pixels depend on how it was built
# (with Intel's IPP, with ARM's KleidiCV): from one way of rounding to another, up to one value in
# eight is one level off, which moves a probability of a real ResNet18 by up to 0.020 on photos.
# With the builds that the formulas follow it is 1e-5 for bilinear and 4e-4 for bicubic.
OPENCV_IMAGES = Tolerance(difference=0.05, cosine=0.99, agreement=1.0, tie=0.10)


def tolerance_for(precision: str, resizes: Preprocess | None = None) -> Tolerance:
    """Return what is allowed of any runtime in a precision.

    ``resizes`` is the preprocessing of an artefact that takes whole pictures.
    """
    if resizes and resizes.resampler == "opencv" and precision in {"fp32", "fp16"}:
        return OPENCV_IMAGES
    return TOLERANCES[precision]


def compare(
    reference: np.ndarray, answers: np.ndarray, tolerance: Tolerance, *, pictures: int = 0
) -> tuple[Parity, tuple[str, ...]]:
    """Return the figures of ``answers`` beside ``reference``, and what of them is not allowed.

    Both are float32 [N, classes]; the last ``pictures`` rows are of real pictures.
    """
    if answers.shape != reference.shape or not np.isfinite(answers).all():
        parity = Parity(inputs=len(reference), pictures=pictures, agreement=0, difference=1,
                        cosine=-1)  # fmt: skip
        what = "has numbers that are not finite"
        if answers.shape != reference.shape:
            what = f"gives {answers.shape} where {reference.shape} was expected"
        return parity, (f"it {what}",)
    want, got = reference.astype(np.float64), answers.astype(np.float64)
    norms = np.linalg.norm(want, axis=1) * np.linalg.norm(got, axis=1)
    cosines = (want * got).sum(1) / np.maximum(norms, 1e-30)
    best = np.sort(want, axis=1)[:, -2:]
    clear = best[:, 1] - best[:, 0] > tolerance.tie if want.shape[1] > 1 else norms > 0
    same = want.argmax(1) == got.argmax(1)
    parity = Parity(
        inputs=len(want),
        pictures=pictures,
        agreement=float(same[clear].mean()) if clear.any() else 1.0,
        difference=float(np.abs(want - got).max()),
        cosine=float(cosines.min()),
        machine=describe_machine()["processor"],
        checked=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return parity, tuple(_list_excesses(parity, tolerance))


def _list_excesses(parity: Parity, tolerance: Tolerance) -> Iterator[str]:
    """Yield a sentence for each figure outside its bound."""
    if parity.difference > tolerance.difference:
        yield (
            f"a probability differs by {parity.difference:.3g} (allowed: {tolerance.difference:g})"
        )
    if parity.cosine < tolerance.cosine:
        yield f"the least cosine is {parity.cosine:.6f} (allowed: {tolerance.cosine:g})"
    if parity.agreement < tolerance.agreement:
        yield (
            f"the best class agrees on {parity.agreement:.1%} of clear cases "
            f"(allowed: {tolerance.agreement:.0%})"
        )


def run_in_parts(
    run: Callable[[np.ndarray], np.ndarray], crops: np.ndarray, sizes: Sequence[int] = (1, 3)
) -> np.ndarray:
    """Return the answers to ``crops``, run in batches of ``sizes`` and then all the rest at once.

    An artefact of a fixed batch takes ``sizes=(1,) * len(crops)``.
    """
    answers, start = [], 0
    for size in (*sizes, len(crops)):
        if start < len(crops):
            answers.append(run(crops[start : start + size]))
            start += size
    return np.concatenate(answers)
