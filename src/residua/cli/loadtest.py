"""``residua loadtest``: what a server does when requests come at given rates."""

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[
    str,
    typer.Argument(
        help="The server, or the whole address that takes a picture as the body of a POST.",
        show_default=False,
    ),
]
Images = Annotated[str, typer.Argument(help="A file, folder or glob.", show_default=False)]
Rates = Annotated[
    list[float] | None,
    typer.Option(
        help="Requests a second, several [default: 0.1, 0.5, 0.8, 1, 2 and 5 times what it can]."
    ),
]
Seconds = Annotated[float, typer.Option(min=0.1, help="For each rate.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds that an answer is waited for.")]
Token = Annotated[
    str, typer.Option(envvar="RESIDUA_TOKEN", help="Sent as Authorization: Bearer TOKEN.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of the moments of arrival.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write that to a .json file.")]
Picture = Annotated[Path | None, typer.Option(help="Draw it into an .svg file.")]


def loadtest(
    url: Url,
    images: Images,
    rates: Rates = None,
    seconds: Seconds = 10.0,
    timeout: Timeout = 30.0,
    token: Token = "",
    seed: Seed = 0,
    json: Json = False,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Send photos to a server at given rates; tell what was answered and how quickly.

    Requests come at random moments, whether the server keeps up or not, and times count from the
    moment when each was due. A request is one photo as the body of a POST to /v1/predict.

    For example:

      residua loadtest http://127.0.0.1:8000 photos/

      residua loadtest http://127.0.0.1:8000 photos/ --rates 20 50 100 --picture load.svg
    """
    import asyncio

    from residua.base.errors import MissingExtraError
    from residua.base.machine import describe_machine

    try:
        from residua.bench.load.client import run_steps
    except ImportError:
        raise MissingExtraError("aiohttp", "serve") from None
    from residua.bench.load.picture import draw_load
    from residua.bench.load.record import LoadTest, spell_table

    _refuse(picture, rates or [])
    pictures = _read_pictures(images)
    whole = url.count("/") > 2 and not url.endswith("/")
    address = url if whole else f"{url.rstrip('/')}/v1/predict"
    capacity, steps = asyncio.run(
        run_steps(
            address, pictures, rates or [], seconds=seconds, timeout=timeout, seed=seed,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            notify=lambda line: typer.echo(line, err=True),
        )
    )  # fmt: skip
    found = LoadTest(
        url=address, pictures=len(pictures), machine=describe_machine(), capacity=capacity,
        mean_bytes=sum(map(len, pictures)) // len(pictures), steps=tuple(steps),
    )  # fmt: skip
    if output is not None:
        output.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if picture is not None:
        picture.write_text(draw_load(found), encoding="utf-8")
    typer.echo(found.model_dump_json() if json else spell_table(found))
    if not any(step.statuses.get("200") for step in steps):
        raise typer.Exit(1)


def _read_pictures(images: str) -> list[bytes]:
    """Return the bytes of all pictures. Raises DataError where there is none."""
    from residua.base.errors import DataError
    from residua.pixels.limits import DEFAULT_LIMITS
    from residua.predict.inputs import list_items

    contents = [item.read(DEFAULT_LIMITS) for item in list_items(images)]
    pictures = [each for each in contents if isinstance(each, bytes)]
    if not pictures:
        raise DataError(f"There is no picture at {images}.")
    return pictures


def _refuse(picture: Path | None, rates: list[float]) -> None:
    """Refuse a picture of another kind, and rates that are none."""
    from residua.base.errors import SettingError

    if picture is not None and picture.suffix != ".svg":
        raise SettingError(f"--picture {picture}: it is drawn as SVG; name it .svg.")
    if not_above := [rate for rate in rates if not rate > 0]:
        raise SettingError(f"--rates {not_above[0]:g}: requests a second are more than 0.")
