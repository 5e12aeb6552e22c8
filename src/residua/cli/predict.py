"""``residua predict``: pictures in, classes out."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from residua.cli.cluster.options import PANEL, Cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from residua.pixels.limits import Limits
    from residua.predict.results import Prediction
    from residua.predict.writers import Format

_MANY = 32  # pictures, from which on several runs are under way rather than each the quickest
UNREADABLE = 3  # exit code: done, but some pictures could not be used


Images = Annotated[
    list[str],
    typer.Argument(
        help="Files, folders (searched recursively), globs, list files (.txt, a path a line), "
        "https URLs (with --allow-urls), or - for standard input.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option("--model", "-m", help="A name from `residua models`, a bundle, a weight file."),
]
Row = Annotated[
    str | None, typer.Option(help="The network of a weight file, where its tensors fit several.")
]
TopK = Annotated[
    int | None,
    typer.Option(
        "--top-k", "-k", min=1,
        help="Classes a picture [default: 5; multi-label: all above the threshold].",
    ),
]  # fmt: skip
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1,
        help="Leave out classes of a smaller probability [default: 0; multi-label: 0.5].",
    ),
]  # fmt: skip
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Pictures a run of the network [default: by engine].")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Csv = Annotated[bool, typer.Option("--csv", help="One CSV row a picture and class.")]
FormatName = Annotated[
    str | None,
    typer.Option(
        help="table, json, csv, or text (the line that PaddleClas prints) "
        "[default: table on a terminal, json in a pipe]; of a cluster parquet or json."
    ),
]
Save = Annotated[
    str | None,
    typer.Option(
        help="Also write the results to this file: .json, .jsonl, .csv or .txt; of a cluster a "
        "folder, or a URL."
    ),
]
Engine = Annotated[str, typer.Option(help="auto, openvino, onnxruntime, torch, …")]
Precision = Annotated[
    str, typer.Option(help="fp32, bf16, fp16, int8 (of an export), or fastest of them.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the network [default: all cores].")
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Decode very large photos at full size, slower.")
]
MaxBytes = Annotated[int | None, typer.Option(min=1, help="Refuse larger files [default: 64 MB].")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, help="Refuse pictures of more [default: 100 million].")
]
AllowUrls = Annotated[
    bool, typer.Option("--allow-urls", help="Permit https addresses (public hosts only).")
]
Engines = Annotated[
    str,
    typer.Option(
        metavar="MIN:MAX",
        help="Processes that compute, each with --threads threads or a GPU; all else decodes "
        "[default: as there is room].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
ImageColumn = Annotated[
    str,
    typer.Option(
        help="Of Parquet files: the column of pictures [default: by its usual names].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
NameColumn = Annotated[
    str,
    typer.Option(
        help="Of Parquet files: the column that names pictures [default: file and row].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the results of another job.", rich_help_panel=PANEL),
]


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

      residua predict s3://photos/2026 --model flowers.bundle --cluster auto --save results

    By a PaddleClas configuration, of training or deployment: residua predict -c CONFIG
    """
    if cluster:
        from residua.cli.cluster.options import refuse
        from residua.cli.cluster.predict import run

        refuse(csv=csv, batch_size=batch_size, device=device != "auto", allow_urls=allow_urls)
        unusable = run(
            images, model, cluster, architecture=architecture, save=save, form=format,
            engines=engines, overwrite=overwrite, json=json, top_k=top_k, threshold=threshold,
            engine=engine, precision=precision, threads=threads or 1, exact=exact,
            limits=_limit(max_bytes, max_pixels), image=image_column, name=name_column,
        )  # fmt: skip
        if unusable:
            raise typer.Exit(UNREADABLE)
        return
    from residua.base.machine import usable_cores
    from residua.base.progress import progressing
    from residua.predict.classifier import load

    form = _choose_format(format, json=json, csv=csv)
    counted = _count_inputs(images)
    few = counted is not None and counted < _MANY
    told = _tell if sys.stderr.isatty() or precision != "fp32" else None
    classifier = load(
        model, architecture=architecture, engine=engine, device=device, precision=precision,
        threads=threads or usable_cores(), limits=_limit(max_bytes, max_pixels), exact=exact,
        notify=told, hint="latency" if few else "throughput",
    )  # fmt: skip
    predictions = classifier.predict(
        images, top_k=top_k, batch_size=batch_size, threshold=threshold, allow_urls=allow_urls
    )
    counts = {"bad": 0, "all": 0}
    watched = _count(progressing(predictions, "predicting", counted), counts)
    _show(watched if save is None else _save(watched, save), form)
    _conclude(counts)


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
