"""``residua models``: the series as a table."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from residua.zoo.count import Counts
    from residua.zoo.weights.catalogue import Entry


def models(
    pattern: Annotated[
        str, typer.Argument(help="Show names that contain this.", show_default=False)
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    all_weights: Annotated[
        bool, typer.Option("--all", help="Also the weights of torchvision and timm.")
    ] = False,
) -> None:
    """List the networks: size, work, published accuracy, licence and source of the weights.

    GFLOPs are twice the multiply-adds of convolutions and classifier for one picture of the size
    shown. Accuracies are the publishers' figures on the validation part of ImageNet-1k.
    """
    import json as encoder

    from residua.base.errors import UnknownNameError
    from residua.base.nearest import normalize

    rows = [
        row
        for row in _list_models(all_weights=all_weights or json)
        if normalize(pattern) in normalize(row["name"])
    ]
    if not rows:
        names = (row["name"] for row in _list_models(all_weights=True))
        raise UnknownNameError("model", pattern, names)
    if json:
        typer.echo(encoder.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("name", no_wrap=True, overflow="ellipsis")
    for heading, width in (("params", 7), ("GFLOPs", 6), ("px", 3), ("top-1", 5), ("top-5", 5)):
        table.add_column(heading, justify="right", min_width=width, no_wrap=True)
    table.add_column("weights", min_width=11, no_wrap=True)
    table.add_column("licence", no_wrap=True, overflow="ellipsis")
    for row in rows:
        accuracy = ("-" if row[key] is None else f"{row[key]:.1%}" for key in ("top1", "top5"))
        size = f"{row['params'] / 1e6:.1f} M", f"{row['gflops']:.2f}", str(row["image_size"])
        table.add_row(row["name"], *size, *accuracy, row["source"] or "-", row["licence"] or "-")
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=120)).print(table)


def _list_models(*, all_weights: bool) -> list[dict[str, Any]]:
    """One record for each name that `--model` takes, in the order of the table."""
    from residua.zoo.count import natural_size, stored_counts
    from residua.zoo.table import ROWS
    from residua.zoo.weights.catalogue import entries_of, find_default

    found: list[dict[str, Any]] = []
    for name, row in ROWS.items():
        counts, default = stored_counts()[name], find_default(name)
        size = default.preprocess.crop_size if default else natural_size(row)
        found.append(_describe(name, name, counts, size, default))
        for entry in entries_of(name):
            if entry.name != name and (all_weights or "." not in entry.name):
                size = entry.preprocess.crop_size
                found.append(_describe(entry.name, name, counts, size, entry))
    return found


def _describe(
    name: str, row: str, counts: "Counts", size: int, entry: "Entry | None"
) -> dict[str, Any]:
    return {
        "name": name,
        "row": row,
        "params": counts.params,
        "gflops": round(counts.gflops(size), 3),
        "image_size": size,
        "top1": entry.top1 if entry else None,
        "top5": entry.top5 if entry else None,
        "licence": entry.licence if entry else None,
        "source": entry.source if entry else None,
        "weights": entry.name if entry else None,
        "url": entry.urls[0] if entry else None,
    }
