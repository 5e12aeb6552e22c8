"""Hugging Face data sets from disk: written by the library itself, where it is installed."""

import sys

import pytest

from residua.base.errors import DataError, MissingExtraError, UnknownNameError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.sources.hub import is_hub
from residua.data.sources.open import open_source
from residua.data.sources.parts import open_parts


@pytest.fixture
def library(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    found = pytest.importorskip("datasets", reason="the library datasets is not installed")
    found.disable_progress_bars()
    return found


def _rows(library, labels, *, names=("zebra", "ant"), paths=False):
    images = [
        {"bytes": f"picture {number}".encode(), "path": f"{number}.jpg" if paths else None}
        for number in range(len(labels))
    ]
    features = library.Features(
        {
            "photo": library.Image(),
            "who": library.Value("string"),
            "kind": library.ClassLabel(names=list(names)),
        }
    )
    columns = {"photo": images, "who": [f"p{i % 2}" for i in range(len(labels))], "kind": labels}
    return library.Dataset.from_dict(columns, features=features)


def test_a_saved_data_set_is_read_by_its_types(library, tmp_path):
    _rows(library, [0, 1, 1]).save_to_disk(tmp_path / "saved")
    assert is_hub(str(tmp_path / "saved"))
    source = open_source(tmp_path / "saved", group_column="who")
    assert source.classes.names == ("zebra", "ant")
    assert source.labels.tolist() == [0, 1, 1]
    assert [source.read(index) for index in (2, 0)] == [b"picture 2", b"picture 0"]
    assert source.names == ("saved:0", "saved:1", "saved:2")
    assert source.groups == ("p0", "p1", "p0")
    turned = open_source(tmp_path / "saved", classes=Classes(names=("ant", "zebra")))
    assert turned.labels.tolist() == [1, 0, 0]
    with pytest.raises(UnknownNameError, match="whom"):
        open_source(tmp_path / "saved", group_column="whom")


def test_chosen_rows_keep_their_order(library, tmp_path):
    rows = _rows(library, [0, 1, 1, 0], paths=True).select([3, 1])
    rows.save_to_disk(tmp_path / "saved")
    source = open_source(tmp_path / "saved")
    assert source.names == ("3.jpg", "1.jpg")
    assert [source.read(0), source.read(1)] == [b"picture 3", b"picture 1"]
    assert source.labels.tolist() == [0, 1]


def test_splits_are_parts(library, tmp_path):
    whole = library.DatasetDict(
        train=_rows(library, [0, 1, 1]), validation=_rows(library, [1]), test=_rows(library, [0])
    )
    whole.save_to_disk(tmp_path / "saved")
    parts = open_parts(tmp_path / "saved")
    assert (len(parts.training), len(parts.validation)) == (3, 1)
    assert parts.validation.labels.tolist() == [1]
    assert parts.validation.classes == parts.training.classes
    with pytest.raises(DataError, match="3 splits: train, validation, test") as caught:
        open_source(tmp_path / "saved")
    assert str(tmp_path / "saved" / "train") in caught.value.next_step
    assert len(open_source(tmp_path / "saved" / "test")) == 1


def test_lists_of_classes(library, tmp_path):
    label = library.ClassLabel(names=["a", "b", "c"])
    features = library.Features({"image": library.Image(), "labels": library.Sequence(label)})
    images = [{"bytes": b"x", "path": None}] * 3
    rows = library.Dataset.from_dict(
        {"image": images, "labels": [[2], [0, 2], []]}, features=features
    )
    rows.save_to_disk(tmp_path / "saved")
    source = open_source(tmp_path / "saved", DataPart(multi_label=True))
    assert source.classes.names == ("a", "b", "c")
    assert source.labels.astype(int).tolist() == [[0, 0, 1], [1, 0, 1], [0, 0, 0]]


def test_what_cannot_be_had_is_explained(library):
    with pytest.raises(DataError, match="cannot be opened") as caught:
        open_source("hf://nobody/nothing:train")
    assert "save_to_disk" in caught.value.next_step


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"residua\[hub\]"):
        open_source("hf://owner/name")
