"""The C++ programs built for the tests, and what keeps them from being built."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "cpp"
_INSTALL = "apt-get install cmake g++ libjpeg-dev zlib1g-dev"
_HEADERS = "#include <stdio.h>\n#include <jpeglib.h>\n#include <zlib.h>\n"


def build(what: str = "", *options: str, sources: Path = SOURCES) -> Path:
    """Build ``sources`` and return the folder of the programs; skip where it cannot be built.

    The folder is that of ``make cpp`` or ``what`` in it, so that only changes are compiled again.
    """
    _require_tools()
    folder = SOURCES / "build" / what
    folder.mkdir(parents=True, exist_ok=True)
    python = f"-DRESIDUA_PYTHON={sys.executable}"
    with (folder / ".lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        _run("cmake", "-S", str(sources), "-B", str(folder), python, *options)
        printed = _run("cmake", "--build", str(folder), "--parallel", str(os.cpu_count() or 1))
    assert "warning:" not in printed, printed
    return folder


def _require_tools() -> None:
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: {_INSTALL}")
    command = ["g++", "-E", "-x", "c++", "-"]
    done = subprocess.run(command, input=_HEADERS, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the headers of libjpeg or zlib are not installed: {_INSTALL}")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr
