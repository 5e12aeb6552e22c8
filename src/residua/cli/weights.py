"""``residua weights``: the published weights: which there are, which are here, and your own."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from residua.cli.import_weights import import_weights

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List, fetch, import, check and remove weights.",
    epilog="Environment: RESIDUA_CACHE (where they are kept), RESIDUA_WEIGHTS_PATH (read-only "
    "folders searched first), RESIDUA_MIRROR (addresses tried first), RESIDUA_OFFLINE=1 (never "
    "connect).",
)

Names = Annotated[
    list[str], typer.Argument(help="Names from: residua weights list.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print a list of objects.")]


@app.command("list")
def show(
    pattern: Annotated[
        str, typer.Argument(help="Show names and networks that contain this.", show_default=False)
    ] = "",
    here: Annotated[bool, typer.Option("--here", help="Only what is on this machine.")] = False,
    json: Json = False,
) -> None:
    """List the published weights, and which of them are here.

    Accuracies are the publishers' figures on the validation part of ImageNet-1k. A size with ~ is
    estimated from the number of parameters.

    For example:

      residua weights list ResNet50

      residua weights list --here
    """
    from residua.zoo.weights.inventory import list_entries, list_not_equal

    found = [line for line in list_entries(pattern) if line["file"] or line["bundle"] or not here]
    if json:
        _print_json(found)
        return
    _print_table(("name", "network", "top-1", "top-5", "at", "size", "licence", "source", "here"),
                 [_spell(line) for line in found])  # fmt: skip
    others = [] if here else list_not_equal(pattern)
    if others:
        typer.echo("\nPublished under similar names, but for other networks:")
    for other in others:
        typer.echo(f"  {', '.join(other.names)}: {other.reason}")


@app.command()
def pull(
    names: Names,
    file_only: Annotated[
        bool, typer.Option("--file-only", help="Fetch the files, and make no bundles yet.")
    ] = False,
) -> None:
    """Fetch weights and make their bundles.

    Later use needs no network then. Prints the path of each. A file that is here already is checked
    and not fetched again; a broken download goes on where it stopped.

    For example: residua weights pull ResNet50_vd_ssld ResNet18
    """
    from residua.zoo.weights import inventory
    from residua.zoo.weights.catalogue import find_entry
    from residua.zoo.weights.fetch import fetch
    from residua.zoo.weights.resolve import open_entry

    for entry in [find_entry(name) for name in names]:
        if "NC" in entry.licence:
            typer.echo(f"{entry.name} is licensed {entry.licence}: no commercial use.", err=True)
        bad = [path for path, complaint in inventory.check(entry) if complaint]
        if bad:
            typer.echo(f"{entry.name} is damaged here; fetching and making it anew.", err=True)
            inventory.remove([entry.name])
        typer.echo(fetch(entry) if file_only else open_entry(entry).path)


app.command("import")(import_weights)


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names or bundles [default: all that is here].", show_default=False),
    ] = None,
) -> None:
    """Check what is here against its SHA-256.

    A file is compared with what was published, or else recorded at its first use; a bundle with its
    manifest. The exit code is 1 if anything differs.
    """
    from residua.bundle.store import is_bundle
    from residua.zoo.weights import inventory
    from residua.zoo.weights.catalogue import entries, find_entry

    results: list[tuple[Path, str]] = []
    for name in names or []:
        if is_bundle(Path(name)):
            results.append((Path(name), inventory.check_bundle(Path(name))))
        else:
            found = list(inventory.check(find_entry(name)))
            results += found or [(Path(name), f"{name} is not on this machine.")]
    if not names:
        results = [result for entry in entries() for result in inventory.check(entry)]
    for path, complaint in results:
        typer.echo(f"differs  {complaint}" if complaint else f"good     {path}")
    if not results:
        typer.echo("No weights are here yet.")
    if any(complaint for _, complaint in results):
        raise typer.Exit(1)


@app.command()
def path(
    name: Annotated[
        str,
        typer.Argument(help="A name; without one, the folder of the cache.", show_default=False),
    ] = "",
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Its bundle instead of its file.")
    ] = False,
) -> None:
    """Print where the weights of a name lie."""
    from residua.zoo.weights import inventory
    from residua.zoo.weights.cache import cache_folder
    from residua.zoo.weights.catalogue import find_entry

    typer.echo(inventory.locate(find_entry(name), bundle=bundle) if name else cache_folder())


@app.command()
def remove(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names to remove.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Empty the whole cache.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget also the recorded SHA-256.")
    ] = False,
) -> None:
    """Delete weights from the cache.

    That is their files and the bundles made of them. The SHA-256 of their first use stays recorded,
    so that another file under the same name is noticed. Folders of RESIDUA_WEIGHTS_PATH are never
    touched.
    """
    from residua.base.clock import spell_bytes
    from residua.base.errors import SettingError
    from residua.zoo.weights import inventory

    if bool(names) == everything:
        raise SettingError(
            "What is to be removed?",
            next_step="Give names (residua weights list --here), or --all.",
        )
    removed = inventory.remove_all() if everything else inventory.remove(names or [], forget=forget)
    for path, size in removed:
        typer.echo(f"removed {path} ({spell_bytes(size)})")
    if not removed:
        typer.echo("Nothing to remove.")


def _spell(line: dict[str, Any]) -> list[str]:
    from residua.base.clock import spell_bytes

    size = spell_bytes(line["bytes"])
    places = [kind for kind in ("file", "bundle") if line[kind]]
    return [
        line["name"],
        line["row"],
        *("-" if line[key] is None else f"{100 * line[key]:.2f}" for key in ("top1", "top5")),
        str(line["image_size"]),
        f"~{size}" if line["estimated"] else size,
        line["licence"],
        line["source"],
        " + ".join(places) or "-",
    ]


def _print_json(lines: list[dict[str, Any]]) -> None:
    from json import dumps

    typer.echo(dumps(lines, indent=1, ensure_ascii=False))


def _print_table(header: tuple[str, ...], rows: list[list[str]]) -> None:
    """Print a table: by rich on a terminal, else in plain columns that stay on one line."""
    numbers = {"top-1", "top-5", "at", "size"}
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in header:
            table.add_column(name, justify="right" if name in numbers else "left")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    for line in [header, *rows]:
        cells = [
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for cell, width, name in zip(line, widths, header, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())
