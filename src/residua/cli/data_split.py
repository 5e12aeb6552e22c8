"""residua data split: a training and a validation part, or folds, as tables of paths and labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from residua.data.settings import DataPart
    from residua.data.source import Source

_COLUMNS = 8  # parts side by side; more folds get a line each
_SHOWN = 40  # classes in the table; --json and split.json have all

Data = Annotated[
    str,
    typer.Argument(help="A folder with one folder of pictures a class, a list file, CSV or JSONL."),
]
Output = Annotated[Path, typer.Option("--output", help="The folder for the tables.")]
ValFraction = Annotated[float, typer.Option(help="Share of each class that is held out.")]
Folds = Annotated[
    int | None, typer.Option(min=2, help="Instead: so many pairs, for cross-validation.")
]
GroupBy = Annotated[
    str, typer.Option(help="Keep pictures together that have the same value in this column.")
]
GroupPattern = Annotated[
    str,
    typer.Option(help=r"Or that have this in common in their names, such as '(\d+)_'."),
]
Seed = Annotated[int, typer.Option(min=0, help="Another seed, another split.")]
Override = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", help="How to read DATA: data.label_column=species."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a split that is there.")]
Json = Annotated[bool, typer.Option("--json", help="Print what split.json says instead.")]


def split(
    data: Data,
    output: Output,
    val_fraction: ValFraction = 0.2,
    folds: Folds = None,
    group_by: GroupBy = "",
    group_pattern: GroupPattern = "",
    seed: Seed = 0,
    override: Override = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Divide pictures into a training and a validation part and write which is where.

    Each class gives the same share. Writes train.csv and val.csv (or fold-0/train.csv …), which
    residua train takes, with paths relative to them; no picture is copied or moved.
    """
    from json import dumps

    from residua.cli.data_options import read_data_part
    from residua.data.split import fold
    from residua.data.split import split as divide
    from residua.data.split_files import write_split

    whole = _open(data, read_data_part(override or []), group_by, group_pattern)
    if folds:
        parts = {
            f"fold-{number}/{name}": part
            for number, pair in enumerate(fold(whole, count=folds, seed=seed))
            for name, part in zip(("train", "val"), pair, strict=True)
        }
    else:
        pair = divide(whole, fraction=val_fraction, seed=seed)
        parts = dict(zip(("train", "val"), pair, strict=True))
    how = {
        "folds": folds,
        "val_fraction": None if folds else val_fraction,
        "seed": seed,
        "group_by": group_by or None,
        "group_pattern": group_pattern or None,
        "groups": len(set(whole.groups)) or None,
    }
    record = write_split(output, whole, parts, how, overwrite=overwrite)
    for note in dict.fromkeys(note for part in parts.values() for note in part.notes):
        typer.echo(f"Note: {note}", err=True)
    if json:
        typer.echo(dumps(record, ensure_ascii=False))
        return
    typer.echo(_render(record))
    typer.echo(_describe(output, record))


def _open(data: str, settings: "DataPart", group_by: str, group_pattern: str) -> "Source":
    """Return the undivided pictures, grouped as asked for."""
    from residua.base.errors import SettingError
    from residua.data.sources.open import open_source
    from residua.data.sources.parts import find_parts
    from residua.data.split import group_by_pattern

    if group_by and group_pattern:
        raise SettingError("Group by a column or by a pattern of the names, not by both.")
    found = find_parts(data, settings)
    if found:
        raise SettingError(
            f"{data} is divided already: {found.training} and {found.validation}.",
            next_step="Give one of them to divide it further.",
        )
    source = open_source(data, settings, group_column=group_by)
    return group_by_pattern(source, group_pattern) if group_pattern else source


def _render(record: dict[str, Any]) -> str:
    """Return the pictures of each class in each part as lines of text."""
    parts = {
        name.removesuffix("/val"): part
        for name, part in record["parts"].items()
        if not (record["folds"] and name.endswith("/train"))
    }
    if len(parts) > _COLUMNS:
        return _render_folds(parts)
    classes = record["classes"]
    shown = min(len(classes), _SHOWN)
    width = max(5, *(len(name) for name in classes[:shown]))
    columns = {name: max(7, len(name)) for name in parts}
    heading = "".join(f"  {name:>{size}}" for name, size in columns.items())
    lines = [f"  {'class':{width}}{heading}"]
    for number in range(shown):
        counts = (f"  {parts[name]['per_class'][number]:{size}}" for name, size in columns.items())
        lines.append(f"  {classes[number]:{width}}{''.join(counts)}")
    if shown < len(classes):
        lines.append(f"  … and {len(classes) - shown} classes more")
    totals = (f"  {parts[name]['pictures']:{size}}" for name, size in columns.items())
    lines.append(f"  {'all':{width}}{''.join(totals)}")
    return "\n".join(lines)


def _render_folds(parts: dict[str, Any]) -> str:
    """Return a line a fold: its pictures, and how many those of its classes are."""
    width = max(len(name) for name in parts)
    lines = [f"  {'fold':{width}}  pictures  of a class"]
    for name, part in parts.items():
        fewest, most = min(part["per_class"]), max(part["per_class"])
        lines.append(f"  {name:{width}}  {part['pictures']:8}  {fewest} … {most}")
    return "\n".join(lines)


def _describe(output: Path, record: dict[str, Any]) -> str:
    """Return where the split was written and what to do with it."""
    place = output / "fold-0" if record["folds"] else output
    option = " -o data.multi_label=true" if record["multi_label"] else ""
    lines = [""]
    if record["folds"]:
        lines.append("Each column counts the validation part of a fold.")
    if record["groups"]:
        lines.append(f"{record['groups']} groups were kept together.")
    lines.append(f"Wrote {output / 'split.json'} and its tables. Train on it with:")
    lines.append(f"  residua train {place}{option}")
    return "\n".join(lines)
