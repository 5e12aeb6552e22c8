"""The findings of a check as pictures: a sheet of them, or a page for a browser."""

import base64
import html
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import ImageError
from residua.base.files import write_atomic
from residua.data.doctor.findings import Checkup, Example, Finding, Spot
from residua.data.doctor.look import salvage
from residua.data.sheets.sheet import (
    SIDE,
    Tile,
    choose_format,
    draw_sheet,
    encode_sheet,
    fit_picture,
    stack_sheets,
)
from residua.data.source import Source
from residua.pixels.decode import decode

_COLOURS = {"error": (196, 43, 43), "warning": (222, 145, 20), "note": (120, 130, 150)}
_COLUMNS, _ROWS = 6, 2  # of a finding
_PAGES = frozenset({".html", ".htm"})
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:78rem;padding:0 1rem;color:#222}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .2rem;padding-left:.6rem}
p{margin:.2rem 0 .8rem;color:#555}section>div{display:flex;flex-wrap:wrap;gap:1.2rem}
.pair{display:flex;gap:.4rem}figure{margin:0;width:180px}
figure>img,figure>i{width:180px;height:180px;object-fit:contain;background:#eeeef2;display:block}
figcaption{font-size:.75rem;overflow-wrap:anywhere;color:#444}
"""


@dataclass(frozen=True, slots=True)
class _Section:
    """A finding with the tiles of its first examples; of pairs two and two belong together."""

    finding: Finding
    tiles: list[Tile]
    group: int


def check_sheet_name(path: Path) -> None:
    """Raise SettingError where the name of a sheet does not tell what to write."""
    if path.suffix.lower() not in _PAGES:
        choose_format(path, others=".html")


def write_check_sheet(checkup: Checkup, path: Path) -> int:
    """Write the pictures of the findings to ``path`` (.jpg, .png, .webp or .html).

    Each finding has its first twelve pictures or six pairs. Returns how many findings are shown;
    where there is none with pictures the sheet says so.
    """
    check_sheet_name(path)
    sections = list(_collect_sections(checkup))
    if path.suffix.lower() in _PAGES:
        write_atomic(path, _render_page(checkup, sections).encode(errors="replace"))
        return len(sections)
    sheets = [
        draw_sheet(
            section.tiles, columns=_COLUMNS, group=section.group, heading=_title(section.finding)
        )
        for section in sections
    ]
    image = stack_sheets(sheets or [draw_sheet((), columns=3, heading="No pictures to show.")])
    write_atomic(path, encode_sheet(image, path))
    return len(sections)


def _collect_sections(checkup: Checkup) -> Iterator[_Section]:
    for finding in checkup.findings:
        examples = [example for example in finding.examples if example.spots]
        if not examples:
            continue
        group = len(examples[0].spots)
        shown = examples[: _COLUMNS * _ROWS // group]
        tiles = [
            _make_tile(checkup, finding, example, spot)
            for example in shown
            for spot in example.spots
        ]
        yield _Section(finding, tiles, group)


def _make_tile(checkup: Checkup, finding: Finding, example: Example, spot: Spot) -> Tile:
    source = checkup.surveys[spot.part].source
    name = checkup.name(spot)
    text = example.text if spot == example.spots[-1] else ""
    lines = (name, source.spell_label(spot.position), text)
    pixels = _read_pixels(source, spot.position)
    return Tile(pixels, "\n".join(line for line in lines if line), _COLOURS[finding.severity])


def _read_pixels(source: Source, position: int) -> NDArray[np.uint8] | None:
    """Return what there is to see of a picture, damaged ones included."""
    try:
        data = source.read(position)
    except OSError:
        return None
    try:
        return decode(data, min_side=2 * SIDE)
    except ImageError:
        return salvage(data, source.names[position])


def _title(finding: Finding) -> str:
    return f"{finding.severity}: {finding.count} {finding.title}"


def _render_page(checkup: Checkup, sections: list[_Section]) -> str:
    """Return one page without anything outside of it."""
    titles = ", ".join(html.escape(part.source.title) for part in checkup.surveys)
    counts = ", ".join(
        f"{checkup.count(severity)} {severity}s" for severity in ("error", "warning", "note")
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>Data check: {titles}</title><style>{_STYLE}</style>",
            f"<h1>Data check: {titles}</h1><p>{counts}</p>",
            *(_render_section(section) for section in sections),
            "" if sections else "<p>No pictures to show.</p>",
            "</html>",
        ]
    )


def _render_section(section: _Section) -> str:
    finding = section.finding
    colour = f"rgb{_COLOURS[finding.severity]}"
    figures = [_render_figure(tile) for tile in section.tiles]
    groups = [
        f'<div class="pair">{"".join(figures[at : at + section.group])}</div>'
        for at in range(0, len(figures), section.group)
    ]
    return (
        f'<section><h2 style="border-left:5px solid {colour}">{html.escape(_title(finding))}</h2>'
        f"<p>{html.escape(finding.advice)}</p><div>{''.join(groups)}</div></section>"
    )


def _render_figure(tile: Tile) -> str:
    caption = "<br>".join(html.escape(line) for line in tile.caption.splitlines())
    if tile.picture is None:
        return f"<figure><i></i><figcaption>{caption}</figcaption></figure>"
    buffer = io.BytesIO()
    fit_picture(tile.picture, 2 * SIDE).save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    image = f'<img src="data:image/jpeg;base64,{data}" alt="">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
