"""``residua distil mine``: choose unlabelled pictures by what a teacher says of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from residua.cli.cluster.options import PANEL, Cluster, need_cluster

if TYPE_CHECKING:
    from residua.data.source import Source
    from residua.distil.mine.report import Report

Pictures = Annotated[
    str,
    typer.Argument(
        help="Pictures without labels: a folder of any depth, tar shards (one, a folder, a "
        "pattern), or a list with a path a line.",
        show_default=False,
    ),
]
Teacher = Annotated[
    str, typer.Option(help="A bundle, a name from residua models, or a weight file.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="A list (.txt), or a folder for shards.")
]
PerClass = Annotated[int, typer.Option(min=1, help="The most pictures of a class.")]
Threshold = Annotated[float, typer.Option(help="The least probability of the teacher's class.")]
Validation = Annotated[
    str,
    typer.Option(help="A data set whose near duplicates are left out: what you validate with."),
]
Engine = Annotated[str, typer.Option(help="auto: the fastest here whose answers agree.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16, fp16, int8, or fastest.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the engine [default: one a core].")
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a list and report that are of no earlier choice."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]
Engines = Annotated[
    str,
    typer.Option(
        metavar="MIN:MAX",
        help="Processes that ask, each with --threads threads or a GPU [default: as there is "
        "room].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


def mine(
    pictures: Pictures,
    teacher: Teacher,
    output: Output = Path("mined.txt"),
    per_class: PerClass = 1000,
    threshold: Threshold = 0.0,
    validation: Validation = "",
    engine: Engine = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
    cluster: Cluster = "",
    engines: Engines = "",
) -> None:
    """Choose the pictures of each class that the teacher is surest of.

    For training a student on what has no labels: residua distil DATA --unlabelled mined.txt …
    Pictures go by once, in chunks of 4,096, however many there are; a run that was interrupted goes
    on, and for another --per-class or --threshold the teacher is not asked again. The report
    beside the output says of each class how many there were, how sure the teacher is, and what was
    left out.

    For example:

      residua distil mine web-photos/ --teacher big.bundle --validation photos/

      residua distil mine web-photos/ --teacher big.bundle --per-class 500 --threshold 0.3
    """
    from contextlib import nullcontext

    from residua.cli.cluster.mine import scoring_on
    from residua.distil.mine.asking import Run
    from residua.distil.mine.run import Wanted
    from residua.distil.mine.run import mine as run
    from residua.predict.classifier import load

    if not cluster:
        need_cluster(engines=engines)
    _check(pictures, teacher)
    classifier = load(
        teacher, engine=engine, precision=precision, threads=threads, hint="throughput",
        notify=lambda text: typer.echo(text, err=True),
    )  # fmt: skip
    how = {"engine": engine, "precision": precision}
    there = scoring_on(cluster, engines, threads, how) if cluster else nullcontext(Run.score)
    with there as scoring:
        report = run(
            pictures, classifier, output, Wanted(per_class, threshold), overwrite=overwrite,
            validation=_open_validation(validation) if validation else None, scoring=scoring,
        )  # fmt: skip
    _print(report, output, json=json)


def _check(pictures: str, teacher: str) -> None:
    """Refuse what cannot be mined, before anything is loaded."""
    from residua.base.errors import SettingError

    if "://" in pictures:
        raise SettingError(
            f"Pictures to choose from are read by paths, and {pictures} is a URL.",
            next_step="Mount the storage, or copy them.",
        )
    if Path(teacher).suffix.lower() == ".onnx":
        raise SettingError(
            "Pictures are chosen by a teacher that residua can open as a bundle.",
            next_step="An .onnx file can teach (residua distil --teacher), not choose.",
        )


def _print(report: "Report", output: Path, *, json: bool) -> None:
    from json import dumps

    if json:
        typer.echo(dumps(report.as_record(), ensure_ascii=False))
        return
    typer.echo(report.spell())
    typer.echo(
        f"Written: {output}, with the report in {output.with_suffix('.html')} and "
        f"{output.with_suffix('.json')}. The scores stay in {output.name}.mine for another choice."
    )


def _open_validation(place: str) -> "Source":
    """Return the pictures of a data set; of one with a validation part that part."""
    from residua.data.sources.open import open_source
    from residua.data.sources.parts import find_parts

    found = find_parts(place)
    return open_source(found.validation if found else place)
