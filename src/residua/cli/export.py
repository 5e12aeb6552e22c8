"""``residua export``: a bundle for other runtimes, each artefact compared before it is kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from residua.cli.export_checks import check_formats, check_options, refuse_with_verify
from residua.cli.prune import Epochs, Prune

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from residua.bundle.store import Bundle
    from residua.export.run import Outcome

FAILED = 1  # exit code: at least one format was not written, or does not answer as it should

Model = Annotated[
    str, typer.Argument(help="A bundle, or a name from `residua models`.", show_default=False)
]
More = Annotated[
    list[str] | None, typer.Argument(metavar="[MORE FORMATS]…", help="After --format FIRST.")
]
FormatNames = Annotated[
    list[str] | None,
    typer.Option("--format", "-f", help="What to write, from --list; several at once."),
]
Input = Annotated[
    str,
    typer.Option(
        "--input", help="crop, or image: resizing and cropping go into the graph (onnx, openvino)."
    ),
]
Precision = Annotated[str, typer.Option(help="fp32, fp16 or int8, as the format takes.")]
Pictures = Annotated[
    str,
    typer.Option(help="Real pictures (a file, a folder) that the comparison asks as well."),
]
Calibrate = Annotated[
    str,
    typer.Option(
        help="Data for int8: calibrates on train/, judges on val/, or both on the whole. With "
        "--prune: trains on train/."
    ),
]
MaxDrop = Annotated[
    float,
    typer.Option(min=0, max=100, help="Points of accuracy that int8 may cost; else not written."),
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--override",
        "-o",
        help="How that is read: data.label_column=species. With --prune any key of a recipe.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        help="Write into a copy of the bundle [default: into the bundle; of a name: NAME.bundle]."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the copy if it exists.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Write nothing: compare the exports that are there.")
]
ListFormats = Annotated[bool, typer.Option("--list", help="List the formats and what they need.")]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")]


def export(
    model: Model = "",
    more: More = None,
    format: FormatNames = None,
    precision: Precision = "fp32",
    takes: Input = "crop",
    calibrate: Calibrate = "",
    max_drop: MaxDrop = 0.5,
    prune: Prune = None,
    epochs: Epochs = None,
    override: Override = None,
    pictures: Pictures = "",
    output: Output = None,
    overwrite: Overwrite = False,
    verify: Verify = False,
    list_formats: ListFormats = False,
    json: Json = False,
) -> None:
    """Write a bundle in the formats of other runtimes, into the bundle.

    Every graph takes uint8 crops [N, H, W, C], or with --input image decoded pictures of any size,
    and gives probabilities: normalisation, calibration and softmax are inside. Each is run beside
    the network on the same pictures before it is kept; one that answers differently is not written,
    and the exit code is then 1. By a PaddleClas configuration: residua export -c CONFIG

    For example:

      residua export ResNet50_vd_ssld --format onnx openvino --pictures photos/

      residua export flowers.bundle --format openvino --input image

      residua export flowers.bundle --prune 0.3 --calibrate flowers/ --output small.bundle

      residua export flowers.bundle --verify
    """
    if list_formats:
        return _list(json=json)
    names = check_formats(model, format, more, takes, formless=verify or prune is not None)
    check_options(
        names, precision, takes,
        calibrate=calibrate, pruned=prune is not None, epochs=epochs, verify=verify,
    )  # fmt: skip
    if verify:
        refuse_with_verify(output=output, overwrite=overwrite)
        return conclude(list(_verify(model, pictures, names)), json=json, verified=True)
    overrides, pruned = override or [], None
    if prune is None:
        bundle = _open_target(model, output, overwrite=overwrite)
    else:
        bundle, pruned = _prune(
            model, prune, calibrate, output,
            epochs=epochs, overrides=overrides, overwrite=overwrite, json=json,
        )  # fmt: skip
        overrides = [text for text in overrides if text.startswith("data.")]
    outcomes = _export(
        bundle, names, precision, takes, pictures,
        calibrate=calibrate, override=overrides, max_drop=max_drop, json=json,
    ) if names else ()  # fmt: skip
    return conclude(list(outcomes), json=json, pruned=pruned)


def _list(*, json: bool) -> None:
    from residua.cli.export_lines import spell_formats

    typer.echo(spell_formats(json=json))


def _export(
    bundle: "Bundle", names: list[str], precision: Any, takes: Any, pictures: str,
    *, calibrate: str, override: list[str], max_drop: float, json: bool,
) -> "Iterable[Outcome]":  # fmt: skip
    from residua.cli.data_options import read_data_part
    from residua.export.guard import open_guard
    from residua.export.run import export_bundle

    def notify(line: str) -> None:
        if not json:
            typer.echo(line, err=True)

    read = _read_images if takes == "image" else _read_crops
    settings = read_data_part(override) if override else None
    guard = open_guard(bundle, calibrate, settings=settings) if calibrate else None
    return export_bundle(
        bundle, names, precision=precision, takes=takes, pictures=read(bundle, pictures),
        guard=guard, max_drop=max_drop / 100, notify=notify,
    )  # fmt: skip


def _prune(model: str, share: float, data: str, output: Path | None, **options: Any) -> Any:
    from residua.cli.prune import prune_first
    from residua.zoo.weights.resolve import open_bundle

    return prune_first(open_bundle(model), share, data, output, **options)


def _verify(model: str, pictures: str, names: list[str]) -> "Iterable[Outcome]":
    from residua.base.errors import SettingError
    from residua.export.verify import verify_exports
    from residua.zoo.weights.resolve import open_bundle

    bundle = open_bundle(model)
    if not bundle.manifest.exports:
        raise SettingError(
            f"{bundle.path} has no exports.", next_step="Make one: residua export --format onnx"
        )
    there = {export.format for export in bundle.manifest.exports.values()}
    if missing := [name for name in names if name not in there]:
        raise SettingError(
            f"{bundle.path} has no export of the format {missing[0]}.",
            next_step=f"It has: {', '.join(sorted(there))}.",
        )
    kinds = {export.input for export in bundle.manifest.exports.values()}
    crops = _read_crops(bundle, pictures) if "crop" in kinds else None
    images = _read_images(bundle, pictures) if "image" in kinds else None
    return verify_exports(bundle, crops, images, formats=names)


def _open_target(model: str, output: Path | None, *, overwrite: bool) -> "Bundle":
    """Return the bundle to write into: the one given, or a copy of it (of a name: always)."""
    import os

    from residua.base.errors import SettingError
    from residua.bundle.store import is_bundle, write_bundle
    from residua.zoo.weights.resolve import open_bundle

    bundle = open_bundle(model)
    if output is None and is_bundle(Path(model).expanduser()):
        if not os.access(bundle.path, os.W_OK):
            raise SettingError(
                f"{bundle.path} cannot be written.", next_step="Add --output COPY.bundle"
            )
        return bundle
    source = Path(model)
    target = output or Path(f"{source.stem if source.is_file() else source.name}.bundle")
    if output is None and is_bundle(target):
        return open_bundle(target)  # the copy of an earlier call
    return write_bundle(target, bundle.manifest, bundle.tensors(), overwrite=overwrite)


def _read_crops(bundle: "Bundle", pictures: str) -> "np.ndarray | None":
    """Return the crops of the pictures that can be read, 64 at the most."""
    if not pictures:
        return None
    import numpy as np

    from residua.base.errors import DataError
    from residua.predict.crops import read_crops

    crops = list(read_crops(pictures, bundle.manifest.preprocess, limit=64))
    if not crops:
        raise DataError(f"No picture of {pictures} could be read.")
    return np.stack(crops)


def _read_images(bundle: "Bundle", pictures: str) -> "list[np.ndarray] | None":
    """Return the pictures that can be read, whole, 64 at the most."""
    if not pictures:
        return None
    from residua.base.errors import DataError
    from residua.predict.crops import read_images

    images = list(read_images(pictures, bundle.manifest.preprocess, limit=64))
    if not images:
        raise DataError(f"No picture of {pictures} could be read.")
    return images


def conclude(
    outcomes: "list[Outcome]",
    *,
    json: bool,
    pruned: dict[str, Any] | None = None,
    verified: bool = False,
) -> None:
    """Print a line a format, and exit with 1 where one failed."""
    from json import dumps

    from residua.cli.export_lines import as_record, spell_outcome

    if json:
        record = {"pruned": pruned} if pruned else {}
        record |= {o.name: as_record(o) for o in outcomes}
        typer.echo(dumps(record, ensure_ascii=False))
    else:
        for outcome in outcomes:
            typer.echo(spell_outcome(outcome, verified=verified))
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(FAILED)
