"""``residua predict``: pictures in, classes out."""

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from residua.cli.cluster.options import Cluster
from residua.cli.predict_options import (
    AllowUrls,
    BatchSize,
    Csv,
    Device,
    Engine,
    Engines,
    Exact,
    FormatName,
    ImageColumn,
    Images,
    Json,
    MaxBytes,
    MaxPixels,
    Model,
    NameColumn,
    Overwrite,
    Precision,
    Row,
    Save,
    Threads,
    Threshold,
    TopK,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from residua.pixels.limits import Limits
    from residua.predict.results import Prediction
    from residua.predict.writers import Format

_MANY = 32  # pictures, from which on several runs are under way rather than each the quickest
UNREADABLE = 3  # exit code: done, but some pictures could not be used


def predict(
    images: Images,
    model: Model = "ResNet50_vd_ssld",
    architecture: Row = None,
    top_k: TopK = None,
    threshold: Threshold = None,
    batch_size: BatchSize = None,
    json: Json = False,
    csv: Csv = False,
    format: FormatName = None,
    save: Save = None,
    engine: Engine = "auto",
    device: Device = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    exact: Exact = False,
    max_bytes: MaxBytes = None,
    max_pixels: MaxPixels = None,
    allow_urls: AllowUrls = False,
    cluster: Cluster = "",
    engines: Engines = "",
    image_column: ImageColumn = "",
    name_column: NameColumn = "",
    overwrite: Overwrite = False,
) -> None:
    """Predict the classes of pictures.

    A picture that cannot be read becomes a record with the reason and never ends the run; the exit
    code is then 3.

    For example:

      residua predict cat.jpg

      residua predict photos/ --model flowers.bundle --csv > flowers.csv

      find . -name '*.jpg' | residua predict - --model ResNet18 --top-k 1

      residua predict s3://photos/2026 --model flowers.bundle --cluster --save results

    By a PaddleClas configuration, of training or deployment: residua predict -c CONFIG
    """
    given = SimpleNamespace(**locals())
    if cluster:
        _predict_there(given)
    else:
        _predict_here(given)


def _predict_here(given: SimpleNamespace) -> None:
    """Print the predictions of this process as they come."""
    from residua.base.machine import usable_cores
    from residua.base.progress import progressing
    from residua.cli.cluster.options import need_cluster
    from residua.predict.classifier import load

    need_cluster(
        engines=given.engines, overwrite=given.overwrite, image_column=given.image_column,
        name_column=given.name_column,
    )  # fmt: skip
    form = _choose_format(given.format, json=given.json, csv=given.csv)
    counted = _count_inputs(given.images)
    few = counted is not None and counted < _MANY
    told = _tell if sys.stderr.isatty() or given.precision != "fp32" else None
    classifier = load(
        given.model, architecture=given.architecture, engine=given.engine, device=given.device,
        precision=given.precision, threads=given.threads or usable_cores(),
        limits=_limit(given.max_bytes, given.max_pixels), exact=given.exact, notify=told,
        hint="latency" if few else "throughput",
    )  # fmt: skip
    predictions = classifier.predict(
        given.images, top_k=given.top_k, batch_size=given.batch_size, threshold=given.threshold,
        allow_urls=given.allow_urls,
    )  # fmt: skip
    counts = {"bad": 0, "all": 0}
    watched = _count(progressing(predictions, "predicting", counted), counts)
    _show(watched if given.save is None else _save(watched, given.save), form)
    _conclude(counts)


def _predict_there(given: SimpleNamespace) -> None:
    """Let a cluster write the predictions."""
    from residua.cli.cluster.options import refuse
    from residua.cli.cluster.predict import run

    refuse(csv=given.csv, batch_size=given.batch_size, device=given.device != "auto")
    unusable = run(
        given.images, given.model, given.cluster, architecture=given.architecture,
        save=given.save, form=given.format, engines=given.engines, overwrite=given.overwrite,
        json=given.json, top_k=given.top_k, threshold=given.threshold, engine=given.engine,
        precision=given.precision, threads=given.threads or 1, exact=given.exact,
        limits=_limit(given.max_bytes, given.max_pixels), image=given.image_column,
        name=given.name_column, allow_urls=given.allow_urls,
    )  # fmt: skip
    if unusable:
        raise typer.Exit(UNREADABLE)


def _tell(line: str) -> None:
    """Say what the choice of an engine found, and what a precision costs."""
    typer.echo(line, err=True)


def _show(predictions: "Iterable[Prediction]", form: "Format") -> None:
    """Print the predictions as they come."""
    from residua.predict.writers import write_lines

    if form == "table":
        from rich.console import Console

        from residua.predict.table import print_table

        print_table(predictions, Console())
        return
    for line in write_lines(predictions, form):
        sys.stdout.write(line)
    sys.stdout.flush()


def _limit(max_bytes: int | None, max_pixels: int | None) -> "Limits":
    from dataclasses import replace

    from residua.pixels.limits import DEFAULT_LIMITS

    given = {"max_bytes": max_bytes, "max_pixels": max_pixels}
    return replace(DEFAULT_LIMITS, **{name: n for name, n in given.items() if n is not None})


def _count_inputs(images: list[str]) -> int | None:
    """Return how many pictures there are, to tell the time left; unknown for standard input."""
    from residua.predict.inputs import list_items

    return None if "-" in images else sum(1 for _ in list_items(images, allow_urls=True))


def _choose_format(name: str | None, *, json: bool, csv: bool) -> "Format":
    """Return the one format that was asked for."""
    from residua.base.errors import SettingError, UnknownNameError
    from residua.predict.writers import FORMATS

    asked = {*(["json"] if json else []), *(["csv"] if csv else []), *([name] if name else [])}
    if len(asked) > 1:
        raise SettingError(f"Only one format at a time, not {' and '.join(sorted(asked))}.")
    chosen: Any = next(iter(asked), "table" if sys.stdout.isatty() else "json")
    if chosen not in FORMATS:
        raise UnknownNameError("format", chosen, FORMATS)
    return chosen  # type: ignore[no-any-return]  # one of FORMATS, as just checked


def _count(predictions: "Iterable[Prediction]", counts: dict[str, int]) -> "Iterator[Prediction]":
    for prediction in predictions:
        counts["all"] += 1
        counts["bad"] += not prediction.ok
        yield prediction


def _save(predictions: "Iterable[Prediction]", path: str) -> "Iterator[Prediction]":
    """Pass the predictions on and write each to ``path`` in the format of its suffix."""
    from pathlib import Path

    from residua.base.errors import SettingError
    from residua.predict.writers import format_for, write_lines

    form = format_for(path)
    if form is None:
        raise SettingError(
            f"Cannot tell the format of {path} from its name.",
            next_step="Let it end in .json, .jsonl, .csv or .txt.",
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    array = Path(path).suffix.lower() == ".json"
    with Path(path).open("w", encoding="utf-8") as file:
        file.write("[\n" if array else "")
        first = True
        for prediction in predictions:
            lines = list(write_lines([prediction], form))
            if array:
                lines = [f"{'' if first else ','}{lines[0]}"]
            file.writelines(lines if first or form != "csv" else lines[1:])
            first = False
            yield prediction
        file.write("]\n" if array else "")


def _conclude(counts: dict[str, int]) -> None:
    from residua.base.errors import DataError

    if counts["all"] == 0:
        raise DataError(
            "There is no picture in what was given.",
            next_step="Folders are searched for JPEG, PNG, WebP, BMP, GIF and TIFF files.",
        )
    if counts["bad"]:
        typer.echo(f"{counts['bad']} of {counts['all']} pictures could not be used.", err=True)
        raise typer.Exit(UNREADABLE)
