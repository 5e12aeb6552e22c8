"""``residua models``: the series as a table."""

from typing import Annotated, Any

import typer


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

    from residua.base.nearest import normalize

    rows = [
        row
        for row in _list_models(all_weights=all_weights or json)
        if normalize(pattern) in normalize(row["name"])
    ]
    if json:
        typer.echo(encoder.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("name", "params", "GFLOPs", "at", "top-1", "top-5", "licence", "weights"):
        table.add_column(
            name, justify="left" if name in {"name", "licence", "weights"} else "right"
        )
    for row in rows:
        table.add_row(
            row["name"], f"{row['params'] / 1e6:.2f} M", f"{row['gflops']:.2f}",
            f"{row['image_size']} px",
            *("-" if row[key] is None else f"{row[key]:.1%}" for key in ("top1", "top5")),
            row["licence"] or "-", row["source"] or "none published",
        )  # fmt: skip
    Console().print(table)


def _list_models(*, all_weights: bool) -> list[dict[str, Any]]:
    """One record for each name that `--model` takes, in the order of the table."""
    from residua.zoo.count import natural_size, stored_counts
    from residua.zoo.table import ROWS
    from residua.zoo.weights.catalogue import entries

    counts = stored_counts()
    found: list[dict[str, Any]] = []
    for row_name, row in ROWS.items():
        published = [entry for entry in entries() if entry.row == row_name]
        if not all_weights:
            published = [entry for entry in published if "." not in entry.name]
        named = {entry.name for entry in published}
        if row_name not in named:
            found.append(_describe(row_name, row_name, counts[row_name], natural_size(row), None))
        for entry in published:
            size = entry.preprocess.crop_size
            found.append(_describe(entry.name, row_name, counts[row_name], size, entry))
    return found


def _describe(name: str, row_name: str, counts: Any, size: int, entry: Any) -> dict[str, Any]:
    return {
        "name": name,
        "row": row_name,
        "params": counts.params,
        "gflops": round(counts.gflops(size), 3) if size in counts.macs else None,
        "image_size": size,
        "top1": entry.top1 if entry else None,
        "top5": entry.top5 if entry else None,
        "licence": entry.licence if entry else None,
        "source": entry.source if entry else None,
        "url": entry.urls[0] if entry else None,
    }
