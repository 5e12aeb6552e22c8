"""What a report is about, and the curves that a run's folder gives."""

import json

import pytest

from making import make_bundle
from residua.base.errors import DataError, SettingError
from residua.report.history import find_subject, read_history

LINES = [
    {"event": "start", "images": 90, "precision": "fp32"},
    {"event": "step", "epoch": 0.5, "loss": 2.0, "lr": 0.1},
    {"event": "epoch", "epoch": 1, "train_loss": 1.5, "val_loss": 1.2, "val_top1": 0.5},
    {"event": "step", "epoch": 1.5, "loss": 1.4, "lr": 0.05},
    {"event": "epoch", "epoch": 2, "train_loss": 1.0, "val_loss": None, "val_top1": 0.4},
    # Taken up again after a crash: the second epoch is run anew.
    {"event": "step", "epoch": 1.5, "loss": 1.3, "lr": 0.06},
    {"event": "epoch", "epoch": 2, "train_loss": 0.9, "val_loss": 0.8, "val_top1": 0.7},
    {"event": "end", "epoch": 2},
]


def write_run(folder, lines=LINES, *, finished=True):
    folder.mkdir()
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    (folder / "recipe.yaml").write_text("loop:\n  epochs: 2\n", encoding="utf-8")
    (folder / "run.json").write_text(
        json.dumps({"finished": True} if finished else {}), encoding="utf-8"
    )
    return folder


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "net.bundle", widths=(8, 8, 8, 8))


def test_the_curves_of_a_run(tmp_path):
    history = read_history(write_run(tmp_path / "net.run"))
    assert [(one.epoch, one.train_loss, one.val_loss, one.top1) for one in history.epochs] == [
        (1, 1.5, 1.2, 0.5),
        (2, 0.9, 0.8, 0.7),
    ]
    assert history.rates == ((0.5, 0.1), (1.5, 0.06))
    assert (history.start["images"], history.end["epoch"]) == (90, 2)
    assert history.recipe.startswith("loop:")


def test_a_line_being_written_is_left_out_and_a_damaged_one_is_not(tmp_path):
    folder = write_run(tmp_path / "net.run")
    file = folder / "metrics.jsonl"
    file.write_bytes(file.read_bytes() + b'{"event": "epo')
    assert len(read_history(folder).epochs) == 2
    file.write_bytes(b"no json\n" + file.read_bytes())
    with pytest.raises(DataError, match="Line 1 of"):
        read_history(folder)


def test_many_steps_are_thinned_out(tmp_path):
    steps = [{"event": "step", "epoch": n / 100, "lr": n} for n in range(5000)]
    history = read_history(write_run(tmp_path / "net.run", steps))
    assert 200 <= len(history.rates) <= 300
    assert history.rates[0] == (0, 0)


def test_a_run_is_known_by_its_folder_and_by_its_bundle(tmp_path, bundle):
    folder = write_run(tmp_path / "net.run")
    for given in (folder, bundle.path):
        subject = find_subject(str(given))
        assert subject.bundle.path == bundle.path
        assert subject.history.folder == folder
        assert not subject.notes


def test_the_folder_one_stands_in_has_a_name(tmp_path, bundle, monkeypatch):
    folder = write_run(tmp_path / "net.run")
    for place in (folder, bundle.path):
        monkeypatch.chdir(place)
        subject = find_subject(".")
        assert subject.bundle.manifest == bundle.manifest
        assert subject.history.folder == folder


def test_a_bundle_alone_has_no_history(bundle):
    subject = find_subject(str(bundle.path))
    assert subject.history is None
    assert "net.run" in subject.notes[0]


def test_a_run_begun_anew_is_not_taken_for_that_of_the_old_bundle(tmp_path, bundle):
    folder = write_run(tmp_path / "net.run", finished=False)
    subject = find_subject(str(bundle.path))
    assert subject.history is None
    assert "has not ended" in subject.notes[0]
    with pytest.raises(SettingError, match="has not written a bundle"):
        find_subject(str(folder))


def test_a_bundle_elsewhere_is_found_through_the_run(tmp_path):
    folder = write_run(tmp_path / "a.run")
    bundle = make_bundle(tmp_path / "elsewhere" / "b.bundle", widths=(8, 8, 8, 8))
    facts = {"finished": True, "bundle": str(bundle.path)}
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    assert find_subject(str(folder)).bundle.path == bundle.path
