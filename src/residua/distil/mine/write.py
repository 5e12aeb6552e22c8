"""What was chosen, on disk: a list with a path a line, or tar shards that hold the pictures."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import SettingError
from residua.base.files import replacing_folder
from residua.bundle.schema import Classes
from residua.data.packing.shard_writer import ShardWriter, pack_files
from residua.data.sources.open import LISTS
from residua.data.sources.unlabelled import Place
from residua.distil.mine.chunks import Chunk, cut_into_chunks

_SHARD_BYTES = 256_000_000


def check_target(output: Path, pictures: Place) -> None:
    """Refuse, before any work, what cannot be written. Raises SettingError."""
    if output.suffix.lower() in LISTS:
        if pictures.root is None:
            raise SettingError(
                f"{output} would name files, and the pictures are parts of shards.",
                next_step="Give a folder for --output: the chosen ones are written as shards.",
            )
        return
    if output.suffix:
        raise SettingError(
            f"Cannot tell from its name what {output} is to be.",
            next_step="Let it end in .txt for a list, or give a folder for shards.",
        )


def write_chosen(
    output: Path, pictures: Place, chosen: NDArray[np.void], classes: Classes, chunk: int
) -> None:
    """Write the pictures of ``chosen`` (class, score, place), in their order."""
    if pictures.root is not None and output.suffix:
        root = os.path.relpath(pictures.root, output.parent or ".")
        scratch = output.with_name(f".{output.name}.partial")
        with scratch.open("w", encoding="utf-8", errors="surrogateescape") as lines:
            for part, at, row in _find(pictures, chosen, chunk):
                name = Path(root, part.names[at]).as_posix()
                lines.write(f"{name}\t{classes.names[row['class']]}\t{row['score']:.4f}\n")
        scratch.replace(output)
        return
    with replacing_folder(output) as folder:
        folder.mkdir(exist_ok=True)
        _write_shards(folder, _find(pictures, chosen, chunk), classes)


def _find(
    pictures: Place, chosen: NDArray[np.void], chunk: int
) -> Iterator[tuple[Chunk, int, NDArray[np.void]]]:
    """Yield each chosen picture: its chunk, its position there, its row."""
    first = 0
    for part in cut_into_chunks(pictures, chunk):
        end = first + len(part.names)
        begun, ended = np.searchsorted(chosen["place"], (first, end))
        for row in chosen[begun:ended]:
            yield part, int(row["place"]) - first, row
        first = end


def _write_shards(
    folder: Path, found: Iterator[tuple[Chunk, int, NDArray[np.void]]], classes: Classes
) -> None:
    names = json.dumps(list(classes.names), ensure_ascii=False)
    (folder / "classes.json").write_text(names, encoding="utf-8")
    writer: ShardWriter | None = None
    number = 0
    for place, (part, at, row) in enumerate(found):
        if writer is None:
            writer, number = ShardWriter(folder / f"mined-{number:05}.tar"), number + 1
        said = {"label": classes.names[row["class"]], "score": round(float(row["score"]), 4)}
        suffix = Path(part.names[at]).suffix.lower()
        files = {
            f"{place:09}{suffix}": part.read(at),
            f"{place:09}.json": json.dumps(said, ensure_ascii=False).encode(),
        }
        writer.add(pack_files(files))
        if writer.size > _SHARD_BYTES:
            writer.commit()
            writer = None
    if writer is not None:
        writer.commit()
