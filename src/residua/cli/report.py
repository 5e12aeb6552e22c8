"""residua report: a classifier on one page."""

from pathlib import Path
from typing import Annotated

import typer

from residua.cli.counting import UNREADABLE, BatchSize, Data, Device, Part, Reading, read_as


def report(
    subject: Annotated[
        str,
        typer.Argument(metavar="RUN|BUNDLE", help="A run's folder, a bundle or a name of the zoo."),
    ],
    data: Data,
    output: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    part: Part = "auto",
    override: Reading = None,
    limit: Annotated[int, typer.Option(min=0, help="How many mistakes to show.")] = 12,
    batch_size: BatchSize = 32,
    device: Device = "auto",
) -> None:
    """Evaluate a classifier and write what there is to know of it as one HTML file.

    Figures, curves of the training, confusion, each class, the worst mistakes with class activation
    maps, calibration, speed on this machine, data and provenance. The file holds its pictures and
    asks nothing of the network. With a picture that cannot be read the exit code is 3.
    """
    from residua.base.files import write_atomic
    from residua.evaluate.part import open_part
    from residua.report.collect import Choices, collect
    from residua.report.history import find_subject
    from residua.report.html import render

    found = find_subject(subject)
    source, which = open_part(data, found.bundle.manifest, part, settings=read_as(override))
    typer.echo(which, err=True)
    choices = Choices(limit, batch_size, device, show_progress=True)
    facts = collect(found, source, choices=choices)
    # File names may hold bytes that are no Unicode.
    page = render(facts).encode("utf-8", "backslashreplace")
    write_atomic(output, page)
    typer.echo(f"Wrote {output} ({len(page) / 1e6:.1f} MB).")
    if facts.unreadable:
        raise typer.Exit(UNREADABLE)
