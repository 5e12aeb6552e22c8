"""``residua recipe``: the recipes that come with residua, and your own before they run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from residua.train.recipe.tree import Recipe

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List, show and check recipes, and plot their learning rate.",
    epilog="A recipe is a name from: residua recipe list, or a file ending in .yaml. Files may "
    "begin with extends: NAME and say only what differs.",
)

Given = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A name or a .yaml file.", show_default=False)
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "-o", "--override", metavar="KEY=VALUE", show_default=False,
        help="Change one value, as in optimiser.lr=0.05; may be repeated.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def show_all(
    pattern: Annotated[
        str, typer.Argument(help="Show names that contain this.", show_default=False)
    ] = "",
    json: Json = False,
) -> None:
    """List the recipes: network, length, size and what their source publishes.

    For example: residua recipe list vd
    """
    from json import dumps

    from residua.base.errors import UnknownNameError
    from residua.base.nearest import normalize
    from residua.train.recipe.book import list_recipes

    names = [name for name in list_recipes() if normalize(pattern) in normalize(name)]
    if not names:
        raise UnknownNameError("recipe", pattern, list_recipes())
    records = [_record(name) for name in names]
    if json:
        typer.echo(dumps(records, indent=1, ensure_ascii=False))
    else:
        _print_table(records)


@app.command()
def show(
    recipe: Given,
    override: Changes = None,
    full: Annotated[bool, typer.Option("--full", help="Also what is as by default.")] = False,
    json: Json = False,
) -> None:
    """Print a recipe whole: where it comes from, and its values with those it extends.

    For example:

      residua recipe show ResNet50_vd

      residua recipe show finetune -o optimiser.lr=0.02 > mine.yaml
    """
    from json import dumps

    from residua.train.recipe.book import read_head
    from residua.train.recipe.file import locate_recipe, read_recipe_file, spell_recipe

    found = read_recipe_file(recipe, override or ())
    if json:
        typer.echo(dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False))
        return
    head = read_head(locate_recipe(recipe).read_text(encoding="utf-8"))
    if override:
        head += f"\n\nChanged: {' '.join(override)}"
    for line in head.splitlines():
        typer.echo(f"# {line}".rstrip())
    typer.echo(f"\n{spell_recipe(found, full=full)}" if head else spell_recipe(found, full=full))


@app.command()
def check(recipe: Given, override: Changes = None) -> None:
    """Read a recipe and say whether it makes sense, without running it.

    The exit code is 1 if it does not.
    """
    from residua.train.recipe.file import read_recipe_file

    found = read_recipe_file(recipe, override or ())
    _refuse_unknown_network(found)
    typer.echo(f"{recipe} is fine.\n{_summarise(found)}")


@app.command()
def keys(
    pattern: Annotated[
        str, typer.Argument(help="Show keys that contain this.", show_default=False)
    ] = "",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all as the page docs/recipe-keys.md.")
    ] = False,
    json: Json = False,
) -> None:
    """List the keys of a recipe: type, default and meaning.

    For example: residua recipe keys crop
    """
    from dataclasses import asdict
    from json import dumps

    from residua.base.errors import UnknownNameError
    from residua.train.recipe.keys import describe_keys, write_page

    if markdown:
        typer.echo(write_page(), nl=False)
        return
    known = describe_keys()
    found = [key for key in known if pattern.lower() in key.key]
    if not found:
        raise UnknownNameError("recipe key", pattern, [key.key for key in known])
    if json:
        typer.echo(dumps([asdict(key) for key in found], indent=1, ensure_ascii=False))
        return
    for key in found:
        default = "required" if key.default == "required" else f"default {key.default}"
        typer.echo(f"{key.key}: {key.kind}; {default}\n    {key.meaning}".replace("`", ""))


@app.command("import")
def import_configuration(
    configuration: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A PaddleClas configuration (.yaml).")
    ],
    override: Changes = None,
    cards: Annotated[int, typer.Option(min=1, help="Cards (processes) that it is to run on.")] = 4,
) -> None:
    """Print a PaddleClas configuration as a recipe, with what differs and what is left out.

    For example: residua recipe import ppcls/configs/ImageNet/ResNet/ResNet50.yaml > mine.yaml
    """
    from residua.cli.paddle.imported import spell_import

    typer.echo(spell_import(configuration, override or [], cards=cards))


@app.command()
def schedule(
    recipe: Given,
    override: Changes = None,
    output: Annotated[
        Path | None, typer.Option(help="Write a figure here (.png, .svg, .pdf) instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Plot the learning rate over the epochs.

    With --json the rate at the start of each epoch, and at the end.
    """
    from json import dumps

    from residua.train.recipe.file import read_recipe_file
    from residua.train.recipe.plot import draw_rates, list_rates, save_plot

    found = read_recipe_file(recipe, override or ())
    if output is not None:
        save_plot(found, output, title=str(recipe))
    if json:
        points = [{"epoch": int(p.epoch), "lr": p.rate} for p in list_rates(found)]
        typer.echo(dumps(points, indent=1))
    elif output is not None:
        typer.echo(f"Wrote {output}.")
    else:
        typer.echo(f"{recipe}: {_describe_schedule(found)}\n{draw_rates(found)}")
        if found.schedule.curve == "plateau":
            typer.echo("Its falls depend on the validations to come; none is drawn.")


def _record(name: str) -> dict[str, Any]:
    from residua.train.recipe.book import describe, find_recipe

    recipe, description = find_recipe(name), describe(name)
    return {
        "name": name,
        "model": recipe.model.name or recipe.model.pretrained,
        "epochs": recipe.loop.epochs,
        "image_size": recipe.augment.image_size,
        "test_size": recipe.evaluate.image_size or recipe.augment.image_size,
        "top1": description.top1,
        "title": description.title,
        "source": description.source,
        "measured": description.measured,
    }


def _print_table(records: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for heading, width in (("epochs", 6), ("px", 3), ("top-1", 5)):
        table.add_column(heading, justify="right", min_width=width, no_wrap=True)
    table.add_column("what it is", no_wrap=True, overflow="ellipsis")
    for record in records:
        top1 = "-" if record["top1"] is None else f"{100 * record['top1']:.2f}"
        size = str(record["image_size"])
        table.add_row(
            record["name"], record["model"], str(record["epochs"]), size, top1, record["title"]
        )
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=160)).print(table)
    typer.echo("\ntop-1: what the source publishes. One of them whole: residua recipe show NAME")


def _summarise(recipe: "Recipe") -> str:
    from residua.base.words import count_of

    augment, optimiser = recipe.augment, recipe.optimiser
    epochs = count_of(recipe.loop.epochs, "epoch")
    sizes = f"{augment.image_size} pixels"
    if augment.progressive:
        sizes = f"{augment.progressive.start_size} to {augment.progressive.end_size} pixels"
    start = f"from {recipe.model.pretrained}" if recipe.model.pretrained else "from scratch"
    name = recipe.model.name or recipe.model.pretrained or "a network that is still to be named"
    decayed = " of all parameters" if optimiser.decay_all else ""
    return "\n".join(
        [
            f"  network    {name}, {start}",
            f"  length     {epochs} of batches of {recipe.loop.batch_size}",
            f"  pictures   {sizes}",
            f"  loss       {recipe.loss.kind}, label smoothing {recipe.loss.label_smoothing:g}",
            f"  optimiser  {optimiser.name}, decay {optimiser.weight_decay:g}{decayed}",
            f"  rate       {_describe_schedule(recipe)}",
        ]
    )


def _describe_schedule(recipe: "Recipe") -> str:
    part = recipe.schedule
    warmup = f", warm-up of {part.warmup_epochs:g} epochs" if part.warmup_epochs else ""
    falls = part.curve in ("step", "multistep", "plateau", "constant") and not part.warmup_epochs
    often = "" if falls else f", set every {part.per}"
    return f"{part.curve} from {recipe.optimiser.lr:g}{warmup}{often}"


def _refuse_unknown_network(recipe: "Recipe") -> None:
    from residua.zoo.table import find_row

    if recipe.model.name:
        find_row(recipe.model.name)
