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
from residua.data.sources.unlabelled import Unlabelled, can_list
from residua.distil.mine.chunks import Chunk

NOTE = "mine.json"  # in the folder of the scores: of which choice they are
_SHARD_BYTES = 256_000_000


def check_target(output: Path, pictures: Unlabelled, work: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, what cannot be written, or what would be lost by it.

    What ``work`` says to be an earlier choice is replaced, or with ``overwrite`` a list and a
    report; of a folder never more than shards. Raises SettingError.
    """
    _refuse_kind(output, pictures)
    read = Path(pictures.place).resolve()
    target = output.resolve()
    if target == read or (target.is_dir() and target in read.parents):
        raise SettingError(
            f"{output} is where the pictures are read from.", next_step="Give another --output."
        )
    if target.is_dir() and (strange := [e for e in target.iterdir() if not _is_ours(e)]):
        raise SettingError(
            f"{output} is a folder that holds other things, as {strange[0].name}: shards would "
            "take its place.",
            next_step="Give a folder for --output that is not there yet.",
        )
    if output.exists() and not output.is_file() and not output.is_dir():
        raise SettingError(f"{output} is neither a file nor a folder.")
    beside = [output, output.with_suffix(".json"), output.with_suffix(".html")]
    there = [path for path in beside if path.exists()]
    if there and not overwrite and not (work / NOTE).exists():
        raise SettingError(
            f"{there[0]} exists already, and is of no earlier choice.",
            next_step="Give another --output, or add --overwrite.",
        )


def _is_ours(entry: Path) -> bool:
    """Tell whether something is what a folder of chosen pictures holds."""
    shard = entry.name.startswith("mined-") and entry.suffix == ".tar"
    return entry.is_file() and (shard or entry.name == "classes.json")


def _refuse_kind(output: Path, pictures: Unlabelled) -> None:
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
    output: Path,
    pictures: Unlabelled,
    chunks: Iterator[Chunk],
    chosen: NDArray[np.void],
    classes: Classes,
) -> int:
    """Write the pictures of ``chosen`` (class, score, place) of ``chunks``, in their order.

    Returns how many were left out because no list can name them.
    """
    if pictures.root is not None and output.suffix:
        root = os.path.relpath(pictures.root, output.parent or ".")
        scratch = output.with_name(f".{output.name}.partial")
        left_out = 0
        with scratch.open("w", encoding="utf-8", errors="surrogateescape") as lines:
            for part, at, row in _find(chunks, chosen):
                name = Path(root, part.names[at]).as_posix()
                if can_list(name):
                    lines.write(f"{name}\t{classes.names[row['class']]}\t{row['score']:.4f}\n")
                else:
                    left_out += 1
        scratch.replace(output)
        return left_out
    with replacing_folder(output) as folder:
        folder.mkdir(exist_ok=True)
        _write_shards(folder, _find(chunks, chosen), classes)
    return 0


def _find(
    chunks: Iterator[Chunk], chosen: NDArray[np.void]
) -> Iterator[tuple[Chunk, int, NDArray[np.void]]]:
    """Yield each chosen picture: its chunk, its position there, its row."""
    first = 0
    for part in chunks:
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
