"""residua export --prune: the options and the table of pruning."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from residua.bundle.store import Bundle
    from residua.export.prune import Pruned, Standing

Prune = Annotated[
    float | None,
    typer.Option(
        help="Take this share (0.3) of the channels inside the blocks out, repair by training on "
        "--calibrate DATA, and go on with the new bundle.",
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Of the training after --prune [default: 3].", show_default=False),
]


def prune_first(
    bundle: "Bundle",
    share: float,
    data: str,
    output: Path | None,
    *,
    epochs: int | None,
    overrides: list[str],
    overwrite: bool,
    json: bool,
) -> "tuple[Bundle, dict[str, Any]]":
    """Prune and repair ``bundle``; return the new one and the record of it, after the table."""
    from residua.base.errors import SettingError
    from residua.cli.data_options import read_data_part
    from residua.data.settings import DataPart
    from residua.evaluate.part import recall
    from residua.export.prune import prune_bundle
    from residua.train.display import Display

    if not data:
        raise SettingError("Pruning needs pictures to train on.", next_step="Add --calibrate DATA.")
    said = read_data_part([text for text in overrides if text.startswith("data.")])
    settings = (recall(bundle.manifest) or DataPart()).model_copy(
        update=said.model_dump(exclude_unset=True)
    )
    stem = bundle.path.name.removesuffix(".bundle")
    found = prune_bundle(
        bundle, data, share, output or Path(f"{stem}-pruned-{100 * share:.0f}.bundle"),
        epochs=epochs or 3, overrides=overrides, settings=settings, overwrite=overwrite,
        display=Display(),
    )  # fmt: skip
    if not json:
        typer.echo(_render(found))
    return found.bundle, _as_record(found)


def _render(found: "Pruned") -> str:
    """Return the table: before, pruned, repaired."""
    columns = (found.before, found.pruned, found.repaired)
    rows = [
        ("", ["before", "pruned", "repaired"]),
        ("parameters", [f"{each.params / 1e6:.2f} M" for each in columns]),
        ("GFLOPs", [f"{each.gflops:.2f}" for each in columns]),
        ("score", [f"{each.score:.2%}" for each in columns]),
        ("ms a picture", [_spell_time(each) for each in columns]),
        ("", ["" if each.milliseconds is None else _spell_spread(each) for each in columns]),
    ]
    judged = (
        f"Judged on {found.images} pictures of {found.data}; timed in turns with {found.engine}: "
        "median (least to greatest)."
    )
    lines = [
        "  ".join([f"  {name:13}", *(f"{cell:>14}" for cell in cells)]) for name, cells in rows
    ]
    return "\n".join(
        [
            *(line.rstrip() for line in lines),
            "",
            judged,
            f"Wrote {found.bundle.path}.",
        ]
    )


def _spell_time(standing: "Standing") -> str:
    return "" if standing.milliseconds is None else f"{standing.milliseconds[1]:.1f}"


def _spell_spread(standing: "Standing") -> str:
    least, _, greatest = standing.milliseconds or (0.0, 0.0, 0.0)
    return f"({least:.1f} to {greatest:.1f})"


def _as_record(found: "Pruned") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "bundle": str(found.bundle.path),
        "data": found.data,
        "images": found.images,
        "engine": found.engine,
        **{name: asdict(getattr(found, name)) for name in ("before", "pruned", "repaired")},
    }
