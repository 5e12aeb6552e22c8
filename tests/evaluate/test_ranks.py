"""What users see of an error under torchrun: once what all share, and always what one has alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from residua.evaluate.ranks import SINGLE

pytestmark = pytest.mark.slow

_SCRIPT = str(Path(__file__).with_name("failing.py"))


def _run(*words):
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
             "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]  # fmt: skip
    result = subprocess.run(
        [*start, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode != 0
    return result.stderr + result.stdout


def test_an_error_of_all_is_printed_once_and_without_a_traceback():
    words = _run(_SCRIPT, "01", "glass")
    assert words.count("Error: broken glass") == 1
    assert 'raise DataError(f"broken' not in words


def test_an_error_of_one_is_printed_by_that_one():
    assert _run(_SCRIPT, "1", "heart").count("Process 1 of 2: Error: broken heart") == 1
    assert _run(_SCRIPT, "0", "heart").count("Error: broken heart") == 1


def test_errors_that_differ_are_both_printed():
    words = _run(_SCRIPT, "01", "toe RANK")
    assert "Error: broken toe 0" in words


def test_a_mistake_of_the_command_line_is_printed_once():
    words = _run("-m", "residua", "train", "anywhere", "--budget", "soon")
    assert words.count("'soon' is no length of time.") == 1
    words = _run("-m", "residua", "train", "nowhere-at-all", "--device", "cpu")
    assert len([line for line in words.splitlines() if line.startswith("Error: ")]) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_work_may_take_longer_than_processes_wait(fails):
    script = Path(__file__).with_name("waiting.py")
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [sys.executable, *words, *(["fail"] if fails else [])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if fails:
        assert done.returncode == 1
        assert "Error: The first could not do it." in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "process 0 has 0" in done.stdout
        assert "process 1 has 10" in done.stdout


def test_one_process_works_as_it_is():
    assert SINGLE.together(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        SINGLE.together(lambda: 1 / 0)
