"""``residua data``: a data set looked at, divided, and packed, before it is trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from residua.cli.data_split import split

if TYPE_CHECKING:
    from residua.bundle.schema import Preprocess
    from residua.data.settings import DataPart
    from residua.data.source import Source
    from residua.train.recipe.tree import Recipe

ERRORS = 3  # exit code: done, but there are pictures that cannot be used, or worse

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Check, look at, divide and pack data sets.",
)

Data = Annotated[
    str,
    typer.Argument(
        help="A folder with one folder of pictures a class (or train/ and val/ with such folders), "
        "a list file, CSV, Parquet, JSONL, tar shards, or hf://NAME.",
        show_default=False,
    ),
]
Val = Annotated[str, typer.Option(help="Where the validation pictures are; default: found.")]
Override = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", help="How to read DATA: data.label_column=species."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads that read pictures [default: one a core].")
]
ImageSize = Annotated[
    int, typer.Option(min=8, help="The size to be trained at: smaller pictures are reported.")
]
Distance = Annotated[
    int, typer.Option(min=0, max=15, help="Near duplicates differ in so many of 64 hash bits.")
]
CheckSheet = Annotated[
    Path | None, typer.Option(help="Show the findings as pictures: .jpg, .png or .html.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, all pictures named.")]
Output = Annotated[Path, typer.Argument(help="The folder for the shards.", show_default=False)]
ShortSide = Annotated[int, typer.Option(min=8, help="Larger pictures are reduced to this.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of the JPEGs that are written.")]
ShardSize = Annotated[str, typer.Option(help="Bytes of a shard: 256MB, 1GB.")]
Reencode = Annotated[
    bool, typer.Option("--reencode", help="Write small pictures anew, too, instead of copying.")
]
SheetFile = Annotated[Path, typer.Option(help="The sheet to write: .jpg, .png or .webp.")]
Config = Annotated[
    str, typer.Option("--config", "-c", help="A recipe: a name (residua recipe list) or a file.")
]
Augment = Annotated[
    list[str] | None,
    typer.Option(help="Switch this on: autoaugment, randaugment, mixup, cutout … Repeatable."),
]
RecipeOverride = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", help="One value of the recipe: augment.crop.scale=[0.5,1]."),
]


@app.command(short_help="Find damage, duplicates, leaks and more.")
def check(
    data: Data,
    val: Val = "",
    image_size: ImageSize = 224,
    distance: Distance = 6,
    sheet: CheckSheet = None,
    json: Json = False,
    threads: Threads = None,
    override: Override = None,
) -> None:
    """Find what is wrong with a data set, reading every picture once.

    Damaged files, duplicates, pictures that are in training and in validation, pictures of two
    classes, classes that are missing or tiny, odd sizes and formats. Exit code 3 where something is
    an error.

    For example:

      residua data check photos/ --sheet findings.html

      residua data check train.csv --val val.csv --json > findings.json
    """
    from json import dumps

    from residua.cli.data_options import read_data_part
    from residua.data.doctor.check import check as examine
    from residua.data.doctor.check import open_for_check
    from residua.data.doctor.findings import as_record, render
    from residua.data.doctor.findings_sheet import check_sheet_name, write_check_sheet

    if sheet:
        check_sheet_name(sheet)
    parts = open_for_check(data, read_data_part(override or []), validation=val or None)
    checkup = examine(
        parts, image_size=image_size, distance=distance, threads=threads, show_progress=True
    )
    typer.echo(dumps(as_record(checkup)) if json else render(checkup))
    if sheet:
        write_check_sheet(checkup, sheet)
        typer.echo(f"Wrote {sheet}.", err=True)
    if checkup.count("error"):
        raise typer.Exit(ERRORS)


@app.command(short_help="Small pictures in tar shards, for fast training.")
def pack(
    data: Data,
    output: Output,
    val: Val = "",
    short_side: ShortSide = 256,
    quality: Quality = 90,
    shard_size: ShardSize = "256MB",
    reencode: Reencode = False,
    threads: Threads = None,
    override: Override = None,
) -> None:
    """Make pictures small and put them into tar shards (WebDataset layout), for fast training.

    Pictures are turned upright and never enlarged; those that are small already are copied byte for
    byte. The same data and settings give the same bytes. Interrupted at any time, the same command
    goes on. A picture that cannot be used is left out and listed in pack.json; the exit code is
    then 3.

    For example:

      residua data pack photos/ packed/

      residua train packed/
    """
    from residua.cli.data_options import read_data_part
    from residua.data.packing.gain import measure_gain, render_pack
    from residua.data.packing.pack import pack as write
    from residua.data.packing.record import PackSettings

    settings = PackSettings(
        short_side=short_side, quality=quality, shard_size=_read_size(shard_size), reencode=reencode
    )
    parts = _open_undivided(data, read_data_part(override or []), val)
    record = write(
        parts, output, settings, threads=threads, show_progress=True,
        say=lambda text: typer.echo(text, err=True),
    )  # fmt: skip
    gain = measure_gain(parts["train"], output, record, "train")
    typer.echo(render_pack(record, gain))
    option = " -o data.multi_label=true" if parts["train"].multi_label else ""
    typer.echo(f"Train on it with: residua train {output}{option}")
    if any(part.failures for part in record.parts.values()):
        raise typer.Exit(ERRORS)


@app.command(short_help="A contact sheet of what training sees.")
def show(
    data: Data,
    output: SheetFile,
    val: Val = "",
    config: Config = "finetune",
    augment: Augment = None,
    override: RecipeOverride = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Pictures, a row each.")] = 8,
    copies: Annotated[int, typer.Option(min=1, max=20, help="Epochs, a column each.")] = 6,
    epoch: Annotated[int, typer.Option(min=1, help="The first epoch that is shown.")] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the training.")] = None,
) -> None:
    """Write a contact sheet of what training sees: pictures, and their augmented copies.

    The copies are those of the recipe, by the code that trains; pairs that it mixes come last.

    For example:

      residua data show photos/ --output sheet.jpg -c rsb-a2

      residua data show photos/ --output sheet.jpg --augment autoaugment --augment cutmix
    """
    from residua.base.files import write_atomic
    from residua.data.sheets.sheet import choose_format, encode_sheet
    from residua.data.sheets.show import draw_training
    from residua.data.sources.parts import open_parts
    from residua.train.recipe.file import read_recipe_file

    choose_format(output)
    changes = [*_switch_on(augment or []), *(override or [])]
    changes += [] if seed is None else [f"loop.seed={seed}"]
    recipe = read_recipe_file(config, changes)
    source = open_parts(data, recipe.data, validation=val or None).training
    title = f"{source.title}, recipe {' '.join([config, *changes])}"
    image = draw_training(
        source, _choose_preprocess(recipe), recipe.augment, seed=recipe.loop.seed,
        count=count, copies=copies, epoch=epoch - 1, heading=title,
    )  # fmt: skip
    write_atomic(output, encode_sheet(image, output))
    typer.echo(f"Wrote {output}.")


app.command("split", short_help="Divide into train and val, or into folds.")(split)


def _read_size(text: str) -> int:
    """Return a number of bytes: "256MB", "1.5 GB", "64MiB" or "100000"."""
    import re

    from residua.base.errors import SettingError

    units = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if match is None or (match[3] and not match[2]):
        raise SettingError(f"{text!r} is no size of a shard.", next_step="Give it as 256MB or 1GB.")
    factor = 1024 ** ("kmgt".index(match[2]) + 1) if match[3] else units[match[2]]
    size = int(float(match[1]) * factor)
    if size < 10_000:
        raise SettingError(
            f"Shards of {size} bytes hold no picture.", next_step="Give it as 256MB or 1GB."
        )
    return size


def _open_undivided(data: str, settings: "DataPart", val: str) -> "dict[str, Source]":
    """Return the parts of a data set that is divided, else all of it for training."""
    from residua.data.sources.open import open_source
    from residua.data.sources.parts import find_parts, open_parts

    if not val and not find_parts(data, settings):
        return {"train": open_source(data, settings)}
    parts = open_parts(data, settings, validation=val or None)
    return {"train": parts.training, "val": parts.validation}


def _switch_on(names: list[str]) -> list[str]:
    """Return the overrides of a recipe that switch augmentations on."""
    from itertools import combinations

    from residua.base.errors import SettingError, UnknownNameError

    known = {
        **{
            kind: f"augment.policy.kind={kind}"
            for kind in ("autoaugment", "randaugment", "trivialaugment", "augmix")
        },
        **{
            kind: f"augment.erase.kind={kind}"
            for kind in ("erasing", "cutout", "gridmask", "hideandseek")
        },
        "mixup": "augment.mix.mixup=0.2",
        "cutmix": "augment.mix.cutmix=1.0",
        "jitter": "augment.jitter={brightness: 0.4, contrast: 0.4, saturation: 0.4}",
        "lighting": "augment.lighting=0.1",
    }
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownNameError("augmentation", unknown[0], known)
    for one, other in combinations(names, 2):
        key = known[one].partition("=")[0]
        if known[other].partition("=")[0] == key:
            raise SettingError(
                f"{one} and {other} are both {key}, of which a recipe has one.",
                next_step="Write a sheet for each.",
            )
    return [known[name] for name in names]


def _choose_preprocess(recipe: "Recipe") -> "Preprocess":
    """Return how a training from scratch by ``recipe`` prepares pictures."""
    from residua.bundle.schema import Preprocess
    from residua.train.start import RULES

    size = recipe.augment.image_size
    short_side = size if recipe.model.small_images else round(size * 256 / 224)
    rules = RULES[recipe.evaluate.prepare]
    return Preprocess(crop_size=size, short_side=short_side, **rules)
