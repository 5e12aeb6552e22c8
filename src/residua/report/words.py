"""Numbers and facts of a report as people read them."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from residua.bundle.schema import Manifest, Preprocess
from residua.evaluate.reliability import Reliability
from residua.report.facts import Facts
from residua.report.history import History

_THIN = "\u202f"  # a narrow space that does not break


def spell_share(value: float) -> str:
    """Spell a share as a percentage of one decimal; only 0 and 1 themselves become 0 and 100.

    >>> [spell_share(value).replace("\u202f", " ") for value in (0.8714, 0.00001, 0.99999, 1)]
    ['87.1 %', '<0.1 %', '>99.9 %', '100 %']
    """
    if value in {0, 1}:
        return f"{100 * value:.0f}{_THIN}%"
    if 0 < value < 0.0005:
        return f"<0.1{_THIN}%"
    if 0.9995 <= value < 1:
        return f">99.9{_THIN}%"
    return f"{100 * value:.1f}{_THIN}%"


def spell_tick(value: float) -> str:
    """Spell a share on an axis, with a decimal only where it has one."""
    return f"{round(100 * value, 1):g}{_THIN}%"


def spell_axis(ticks: Sequence[float], *, share: bool = False) -> list[str]:
    """Spell rising, evenly spaced ``ticks`` in as many digits as tell them apart.

    >>> spell_axis([0, 0.5, 1, 1.5]), spell_axis([0.0001, 0.00015, 0.0002])
    (['0', '0.5', '1', '1.5'], ['0.0001', '0.00015', '0.0002'])
    >>> [label.replace("\u202f", " ") for label in spell_axis([0.33, 0.3305, 0.331], share=True)]
    ['33 %', '33.05 %', '33.1 %']
    """
    scale, unit = (100, f"{_THIN}%") if share else (1, "")
    values = [scale * tick for tick in ticks]
    leading = math.floor(math.log10(max(map(abs, values))) + 1e-9)
    last = math.floor(math.log10(values[1] - values[0]) + 1e-9)
    digits = max(leading - last, leading) + 1
    return [f"{value:.{max(1, digits)}g}{unit}" for value in values]


def spell_count(value: float) -> str:
    """Spell a whole number with narrow spaces between thousands."""
    return f"{value:,.0f}".replace(",", _THIN)


def spell_digits(value: float) -> str:
    """Spell a positive number in three digits.

    >>> [spell_digits(value) for value in (0.1234, 8.4, 31.26, 412.7)]
    ['0.123', '8.40', '31.3', '413']
    """
    places = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{places}f}"


def shorten(name: str, limit: int = 40) -> str:
    """Return a name of at most ``limit`` characters; what is cut off becomes an ellipsis.

    >>> shorten("cash machine, cash dispenser, automated teller machine, ATM")
    'cash machine, cash dispenser, automated…'
    """
    return name if len(name) <= limit else f"{name[: limit - 1].rstrip(' ,')}…"


def summarise(facts: Facts) -> str:
    """Return in two sentences what the classifier is and what was evaluated."""
    manifest = facts.manifest
    size, count = manifest.preprocess.crop_size, spell_count(len(manifest.classes))
    kind = "any number of" if manifest.task == "multi-label" else "one of"
    parent = Path(manifest.provenance.parent).name
    start = f", fine-tuned from {parent}" if parent else ""
    return (
        f"{manifest.architecture.name}{start}; it sees {size} x {size} pixels and answers {kind} "
        f"{count} classes. Evaluated on {facts.part}."
    )


def describe_training(history: History) -> str:
    """Return a run in one sentence, with the epoch whose weights the bundle holds where known."""
    epochs = history.epochs
    parts = [f"{len(epochs)} epoch{'' if len(epochs) == 1 else 's'}"]
    if images := history.start.get("images"):
        parts[0] += f" of {spell_count(int(images))} pictures"
    if rates := [one.images_per_second for one in epochs if one.images_per_second]:
        parts.append(f"{spell_count(float(np.median(rates)))} pictures a second")
    if precision := history.start.get("precision"):
        parts.append(f"computed in {precision}")
    text = f"{history.folder.name}: {', '.join(parts)}."
    if kept := history.end.get("epoch"):
        text += f" The bundle holds the weights after epoch {kept}."
    return text


def describe_confidence(reliability: Reliability, manifest: Manifest) -> str:
    """Return in words how far the probabilities can be believed."""
    total = max(1, int(reliability.answers.sum()))
    mean = float(reliability.probability_sum.sum()) / total
    share = int(reliability.right.sum()) / total
    if manifest.task == "multi-label":
        text = (
            f"Every class of every picture counts: its mean probability is {spell_share(mean)}, "
            f"and it applies in {spell_share(share)}."
        )
    else:
        lean = "more sure than right" if mean > share else "less sure than right"
        text = (
            f"On average the network is {spell_share(mean)} sure of its answer and right in "
            f"{spell_share(share)}: {lean}."
        )
    temperature = manifest.calibration.temperature
    if temperature == 1:
        calibrated = "The bundle stores no temperature: residua evaluate --calibrate fits one."
    else:
        calibrated = f"The logits are divided by the calibrated temperature {temperature:.3g}."
    error = f"The expected calibration error is {spell_share(reliability.error)}."
    return f"{text} {error} {calibrated}"


def spell_command(command: str) -> str:
    """Return a command line as it is typed, without where this installation keeps its program.

    >>> spell_command("/usr/lib/python3/residua/__main__.py train 'my flowers' --epochs 3")
    "python -m residua train 'my flowers' --epochs 3"
    >>> spell_command("/home/me/.venv/bin/residua train flowers")
    'residua train flowers'
    """
    try:
        program, *rest = shlex.split(command)
    except ValueError:  # nothing, or no line of a shell
        return command
    path = Path(program)
    if path.name == "__main__.py":
        return shlex.join(["python", "-m", path.parent.name, *rest])
    return shlex.join([path.name, *rest])


def list_provenance(facts: Facts) -> dict[str, str]:
    """Return where the bundle comes from, by heading."""
    manifest, origin = facts.manifest, facts.manifest.provenance
    versions = {"residua": origin.residua} | origin.versions
    start = facts.history.start if facts.history else {}
    shown = {
        "Made by": origin.made_by,
        "Command": spell_command(str(start.get("command", ""))),
        "Made on": origin.created,
        "Source": origin.source,
        "Parent weights": origin.parent,
        "Licence": manifest.licence,
        "Preprocessing": _spell_preprocess(manifest.preprocess),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Notes": " ".join(origin.notes),
    }
    return {name: value for name, value in shown.items() if value}


def list_hashes(facts: Facts) -> dict[str, str]:
    """Return every SHA-256 that the bundle or the evaluation knows, by what it is of."""
    manifest = facts.manifest
    shown = {name: record.sha256 for name, record in manifest.files.items()}
    shown["pictures evaluated, with their labels"] = facts.metrics.data_sha256 or ""
    shown["source"] = manifest.provenance.source_sha256
    shown["pictures trained on, with their labels"] = manifest.provenance.training_sha256
    return {name: value for name, value in shown.items() if value}


def spell_recipe(facts: Facts) -> str:
    """Return the recipe as YAML: the run folder's file, or else what the bundle stores."""
    if facts.history and facts.history.recipe:
        return facts.history.recipe.strip()
    if facts.manifest.recipe:
        return yaml.safe_dump(facts.manifest.recipe, sort_keys=False, allow_unicode=True).strip()
    return ""


def _spell_preprocess(given: Preprocess) -> str:
    side = f", short side {given.short_side}" if given.aspect == "crop" else ""
    return (
        f"{given.aspect} to {given.crop_size} x {given.crop_size}{side}, {given.interpolation} as "
        f"{given.resampler}, {given.colour}"
    )
