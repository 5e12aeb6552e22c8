import time

from residua.base import progress as module
from residua.base.clock import spell_bytes, spell_seconds
from residua.base.progress import Progress, progressing


def test_short_work_is_silent(capsys):
    assert list(progressing(range(3), "counting")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_long_work_tells_count_rate_and_time_left(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert module.time is time
    progress = Progress("reading", total=100)
    for _ in range(40):
        now[0] += 1
        progress.advance()
    assert capsys.readouterr().err == "reading: 31 of 100 images, 1.0 a second, 1 min 9 s left\n"


def test_durations_and_sizes_read_well():
    assert spell_seconds(0.5) == "0.5 s"
    assert spell_seconds(3661) == "1 h 1 min"
    assert spell_bytes(0) == "0 B"
    assert spell_bytes(102_500_000) == "102.5 MB"
