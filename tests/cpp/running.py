"""The C++ programs run, and what residua's Python gives for the same."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

from residua.base.errors import ImageError
from residua.bundle.schema import Preprocess
from residua.pixels.prepare import prepare

_LEAKS = Path(__file__).resolve().parents[2] / "cpp" / "leaks.supp"

Answer = np.ndarray | tuple[str, str]  # a crop, or reason and error


def classify(program: Path, *arguments, stdin: bytes | None = None, cwd: Path | None = None):
    """Run ``residua-classify``; what it printed is bytes, since file names may be anything."""
    return subprocess.run(
        [program, *map(str, arguments)], input=stdin, cwd=cwd, capture_output=True, check=False,
        env=os.environ | {"LSAN_OPTIONS": f"suppressions={_LEAKS}:print_suppressions=0"},
    )  # fmt: skip


def records(done) -> list[dict]:
    """The JSON lines of a run that ended as it should."""
    assert done.returncode in {0, 3}, (done.returncode, done.stderr.decode())
    return [json.loads(line) for line in done.stdout.splitlines()]


def crops_there(
    program: Path, preprocess: Preprocess, files: list[Path], scratch: Path
) -> list[Answer]:
    """What ``residua-crops`` makes of each file."""
    bundle = scratch / "pixels.bundle"
    bundle.mkdir(exist_ok=True)
    manifest = {"schema_version": 3, "preprocess": preprocess.model_dump(mode="json")}
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    output = scratch / "crops.bin"
    done = subprocess.run(
        [program, bundle, output, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    lines = done.stdout.splitlines()
    assert len(lines) == len(files)
    shape = (preprocess.crop_size, preprocess.crop_size, preprocess.channels)
    crops = iter(np.fromfile(output, np.uint8).reshape(-1, *shape))
    return [next(crops) if line == "ok" else tuple(line.split("\t")) for line in lines]


def crop_here(preprocess: Preprocess, file: Path) -> Answer:
    """What residua makes of a file."""
    try:
        return prepare(file.read_bytes(), preprocess, name=str(file))
    except ImageError as error:
        return error.reason, error.problem


def differ(one: Answer, other: Answer) -> int | None:
    """The largest difference of a value; None where not both are crops, or not of one reason."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        both = isinstance(one, tuple) and isinstance(other, tuple)
        return 0 if both and one[0] == other[0] else None
    return int(np.abs(one.astype(int) - other).max())
