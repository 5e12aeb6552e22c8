"""The record of a run: whole lines at once, cut back to a checkpoint, numbers to trackers."""

import json

from residua.train.storage.record import RunRecord


def _read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_are_whole_at_once(tmp_path):
    path = tmp_path / "deep" / "metrics.jsonl"
    with RunRecord(path) as record:
        record.write("step", epoch=0.5, loss=float("nan"))
        (line,) = _read(path)
        assert line.pop("seconds") >= 0
        assert line == {"event": "step", "epoch": 0.5, "loss": None}
        record.write("end", bundle="Blüten.bundle")
    assert [line["event"] for line in _read(path)] == ["step", "end"]
    assert _read(path)[1]["bundle"] == "Blüten.bundle"


def test_going_on_drops_what_comes_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with RunRecord(path) as record:
        record.write("step", update=1)
        kept = record.bytes_written
        record.write("step", update=2)
    with RunRecord(path, go_on_at=kept) as record:
        assert record.bytes_written == kept
        record.write("step", update=2)
        record.write("step", update=3)
    assert [line["update"] for line in _read(path)] == [1, 2, 3]


def test_trackers_get_the_numbers_of_steps_and_epochs(tmp_path):
    class Tracker:
        seen, closed = [], False

        def log(self, event, numbers):
            self.seen.append((event, numbers))

        def close(self):
            self.closed = True

    tracker = Tracker()
    with RunRecord(tmp_path / "metrics.jsonl", trackers=[tracker]) as record:
        record.write("start", recipe={"a": 1})
        record.write("step", update=4, loss=1.5, note="words")
        record.write("epoch", update=8, val_top1=0.5)
    assert tracker.seen == [
        ("step", {"update": 4, "loss": 1.5}), ("epoch", {"update": 8, "val_top1": 0.5})
    ]  # fmt: skip
    assert tracker.closed


def test_without_a_path_nothing_is_written(tmp_path):
    with RunRecord(None) as record:
        record.write("step")
        assert record.bytes_written == 0
    assert list(tmp_path.iterdir()) == []
