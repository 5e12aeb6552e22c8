"""What is measured: every model on every engine in every precision, and what of that cannot be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from residua.base.errors import ResiduaError, SettingError, UnknownNameError
from residua.base.machine import processor_flags
from residua.bench.record import Measurement, Status
from residua.bench.subject import Subject
from residua.bundle.store import Bundle
from residua.engines.choose import DEVICES, PRECISIONS
from residua.engines.engine import RUNTIMES
from residua.engines.open import make_demand

# "fastest" is a choice among precisions, not one.
_PRECISIONS = tuple(name for name in PRECISIONS if name != "fastest")
# Compiling takes minutes for each size of a batch: measured where it is named.
_SLOW_TO_OPEN = ("torch-compiled", "torch-cudagraph")

_NATIVE_HALF = {"avx512_fp16", "amx_fp16", "fphp", "asimdhp"}  # x86, ARM


@dataclass(frozen=True, slots=True)
class Configuration:
    """One model on one engine in one precision, run in batches of ``batches``."""

    subject: Subject
    engine: str
    precision: str
    device: str
    batches: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def record(self, status: Status, reason: str = "") -> Measurement:
        """Return the record of it, without figures."""
        subject = self.subject
        return Measurement(
            model=subject.name,
            architecture=subject.bundle.manifest.architecture.name,
            image_size=subject.image_size,
            macs=subject.macs,
            top1=subject.top1,
            top1_of=subject.top1_of,
            engine=self.engine,
            precision=self.precision,
            device=self.device,
            status=status,
            reason=reason,
            notes=(*subject.notes, *self.notes),
        )


def check_wish(
    engines: Sequence[str], precisions: Sequence[str], batches: Sequence[int], device: str
) -> None:
    """Refuse names that do not exist and sizes that make no sense, before any work."""
    for name in engines:
        if name not in RUNTIMES:
            raise UnknownNameError(
                "engine", name, RUNTIMES, next_step="Models stand before the options."
            )
    for name in precisions:
        if name not in _PRECISIONS:
            raise UnknownNameError(
                "precision", name, _PRECISIONS, next_step="Models stand before the options."
            )
    if not batches or min(batches) < 1:
        raise SettingError(f"--batch {' '.join(map(str, batches))}: sizes are 1 or more.")
    if device not in DEVICES or device == "auto":
        raise UnknownNameError("device", device, [name for name in DEVICES if name != "auto"])


def choose_engines(bundle: Bundle, device: str) -> tuple[str, ...]:
    """Return the engines that are measured where none is named.

    They are installed, run on ``device``, and have something to run in the bundle.
    """
    formats = {export.format for export in bundle.manifest.exports.values()}
    return tuple(
        name
        for name, runtime in RUNTIMES.items()
        if device in runtime.devices
        and find_spec(runtime.library) is not None
        and (runtime.weights or runtime.format in formats)
        and (device == "cuda" or name not in _SLOW_TO_OPEN)
    )


def plan(
    subject: Subject,
    engines: Sequence[str],
    precisions: Sequence[str],
    batches: Sequence[int],
    device: str,
) -> Iterator[Configuration | Measurement]:
    """Yield a configuration for each pair that can be measured, else a record that says why not."""
    for engine in engines:
        for precision in precisions:
            whole = Configuration(subject, engine, precision, device, tuple(batches))
            try:
                yield _fit(whole)
            except ResiduaError as error:
                yield whole.record("skipped", explain(error, subject))


def explain(error: ResiduaError | str, subject: Subject) -> str:
    """Return an error in one line that names the model as it was given, not where it lies."""
    text = str(error).replace("\n", " ")
    return text.replace(str(subject.bundle.path), subject.given)


def _fit(whole: Configuration) -> Configuration:
    """Return the configuration with the batches that it takes; raise what stands against it."""
    runtime = RUNTIMES[whole.engine]
    if find_spec(runtime.library) is None:
        raise SettingError(
            f"{runtime.library} is not installed.",
            next_step=f"Install it with: pip install 'residua[{runtime.extra}]'",
        )
    if whole.device not in runtime.devices:
        raise SettingError(f"It does not run on {whole.device}.")
    demand = make_demand(whole.subject.bundle, whole.engine, whole.precision, whole.device)
    fixed = demand.export.batch if demand.export else None
    able = tuple(size for size in whole.batches if size % (fixed or 1) == 0)
    if not able:
        raise SettingError(f"Its export takes batches of {fixed} only.")
    notes = () if able == whole.batches else (f"The export takes batches of {fixed} only.",)
    return Configuration(whole.subject, whole.engine, whole.precision, whole.device, able, notes)


def find_peak_precision(precision: str, device: str) -> str:
    """Return the precision in which an engine multiplies that is asked for ``precision``.

    Processors without float16 arithmetic (nearly all) compute float16 files in float32.
    """
    if precision == "fp16" and device == "cpu" and not processor_flags() & _NATIVE_HALF:
        return "fp32"
    return precision
