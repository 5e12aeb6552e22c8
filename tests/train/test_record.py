"""The record of a run."""

import contextlib
import json

from residua.train.record import RunRecord


def test_lines_are_whole_at_once(tmp_path):
    path = tmp_path / "deep" / "run.jsonl"
    with RunRecord(path) as record:
        record.write("step", epoch=0.5, loss=float("nan"))
        part = tmp_path / "deep" / "run.jsonl.part"
        assert json.loads(part.read_text()) == {"event": "step", "epoch": 0.5, "loss": None}
        record.write("end", bundle="Blüten.bundle")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["step", "end"]
    assert lines[1]["bundle"] == "Blüten.bundle"


def test_a_run_that_breaks_off_leaves_the_record_of_the_one_before(tmp_path):
    path = tmp_path / "run.jsonl"
    with RunRecord(path) as record:
        record.write("end")
    with contextlib.suppress(KeyboardInterrupt), RunRecord(path) as record:
        record.write("start")
        raise KeyboardInterrupt
    assert json.loads(path.read_text()) == {"event": "end"}
    assert json.loads((tmp_path / "run.jsonl.part").read_text()) == {"event": "start"}


def test_without_a_path_nothing_is_written(tmp_path):
    with RunRecord(None) as record:
        record.write("step")
    assert list(tmp_path.iterdir()) == []
