"""Hostile files in a process whose memory is capped: it neither dies nor grows."""

import subprocess
import sys

import pytest

_SCRIPT = """
import pathlib, resource, sys
from residua.base.errors import ImageError
from residua.bundle.schema import Preprocess
from residua.pixels.prepare import prepare

names, reasons = sys.argv[3:], set()
ways = [Preprocess(), Preprocess(resampler="opencv", rounding="paddle")]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
cap = used + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
for name in names:
    data = pathlib.Path(sys.argv[2], name).read_bytes()
    for way in ways:
        try:
            prepare(data, way, name=name)
        except ImageError as error:
            reasons.add(error.reason)
print(*reasons)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def _run(cap, folder, names):
    """Prepare files under an address space of ``cap`` more: growth in MiB, and the refusals."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(cap), str(folder), *names],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *reasons, growth = done.stdout.split()
    return int(growth), set(reasons)


def _names(folder, *categories):
    lines = (folder / "CASES.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t")[0] for line in lines if line.split("\t")[1] in categories]


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and sets RLIMIT_AS")


@linux
def test_bombs_leave_memory_as_it_is(shared_data):
    folder = shared_data / "bad-images"
    assert _run(512 << 20, folder, _names(folder, "bomb"))[0] < 32


@linux
def test_odd_aspects_stay_bounded(shared_data):
    folder = shared_data / "bad-images"
    names = _names(folder, "huge/odd aspect", "oom/crash regress", "truncated/corrupt")
    # 2198 x 5 pixels become 112,538 x 256 for OpenCV, which are 86 MB.
    assert _run(1 << 30, folder, names)[0] < 300


@linux
def test_too_little_memory_is_our_error(shared_data):
    folder = shared_data / "bad-images"
    names = ["exiforient-Portrait_1.jpg", "imagers-large-gif-anim-combine.gif"]
    assert _run(3 << 20, folder, names)[1] == {"too-large"}
