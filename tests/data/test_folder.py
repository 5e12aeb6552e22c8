"""Class folders as people really have them."""

from pathlib import Path

import numpy as np
import pytest

from data.shapes import write_shapes
from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.parts import open_parts


def _touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_classes_are_the_folders_in_sorted_order(tmp_path):
    _touch(tmp_path, "b/2.jpg", "a/x.PNG", "b/1.jpeg", "Z/3.webp")
    source = read_folder(tmp_path)
    assert source.classes.names == ("Z", "a", "b")
    assert source.names == ("Z/3.webp", "a/x.PNG", "b/1.jpeg", "b/2.jpg")
    assert source.labels.tolist() == [0, 1, 2, 2]
    assert source.read(2) == b"b/1.jpeg"
    assert source.count_classes().tolist() == [1, 1, 2]
    assert source.notes == ()


def test_hidden_and_system_files_do_not_count(tmp_path):
    _touch(tmp_path, "a/1.jpg", "a/.2.jpg", "a/.trash/3.jpg", ".git/4.jpg", "__MACOSX/5.jpg",
           "a/Thumbs.db")  # fmt: skip
    source = read_folder(tmp_path)
    assert source.names == ("a/1.jpg",)
    assert source.notes == ()


def test_pictures_lie_at_any_depth(tmp_path):
    _touch(tmp_path, "a/deep/er/1.jpg", "a/2.jpg")
    assert read_folder(tmp_path).names == ("a/2.jpg", "a/deep/er/1.jpg")


def test_what_is_left_out_is_told(tmp_path):
    _touch(tmp_path, "a/1.jpg", "a/notes.txt", "stray.jpg")
    (tmp_path / "empty").mkdir()
    source = read_folder(tmp_path)
    assert source.classes.names == ("a",)
    told = "\n".join(source.notes)
    assert "empty holds no pictures" in told
    assert "1 pictures directly in" in told
    assert "1 files below" in told


def test_given_classes_fix_the_labels_by_name(tmp_path):
    _touch(tmp_path, "cat/1.jpg", "eel/2.jpg")
    source = read_folder(tmp_path, Classes(names=("eel", "dog", "cat")))
    assert dict(zip(source.names, source.labels.tolist(), strict=True)) == {
        "cat/1.jpg": 2,
        "eel/2.jpg": 0,
    }
    assert source.notes == (f"{tmp_path} has no pictures of 1 of 3 classes: dog.",)


def test_given_classes_match_by_id_too(tmp_path):
    _touch(tmp_path, "n02/1.jpg", "crane/2.jpg")
    classes = Classes(names=("bird", "crane"), ids=("n02", "n01"))
    assert read_folder(tmp_path, classes).labels.tolist() == [1, 0]


def test_decomposed_names_equal_composed_ones(tmp_path):
    _touch(tmp_path, "Mu\u0308nze/1.jpg")
    assert read_folder(tmp_path, Classes(names=("M\u00fcnze",))).labels.tolist() == [0]
    assert read_folder(tmp_path).classes.names == ("M\u00fcnze",)


def test_an_unknown_class_is_refused_with_the_nearest(tmp_path):
    _touch(tmp_path, "tulip/1.jpg", "roses/2.jpg")
    with pytest.raises(DataError, match="tulip") as caught:
        read_folder(tmp_path, Classes(names=("roses", "tulips")))
    assert "Nearest to 'tulip': tulips" in caught.value.next_step


def test_a_name_of_two_classes_is_refused(tmp_path):
    _touch(tmp_path, "crane/1.jpg")
    with pytest.raises(DataError, match="fits 2 classes"):
        read_folder(tmp_path, Classes(names=("crane", "crane"), ids=("n1", "n2")))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.jpg"], "it has no folders"),
        (["a/readme.txt"], r"its folders \(a\) hold no pictures"),
        ([], "it has no folders"),
    ],
)
def test_nothing_to_read_says_what_was_seen(tmp_path, files, message):
    _touch(tmp_path, *files)
    with pytest.raises(DataError, match=message) as caught:
        read_folder(tmp_path)
    assert "DATA/daisy/1.jpg" in caught.value.next_step


def test_a_misspelt_folder_gets_its_neighbours(tmp_path):
    (tmp_path / "flowers").mkdir()
    with pytest.raises(DataError, match="no folder") as caught:
        read_folder(tmp_path / "flower")
    assert "flowers" in caught.value.next_step


def test_a_file_is_no_folder(tmp_path):
    _touch(tmp_path, "data.zip")
    with pytest.raises(DataError, match="is a file"):
        read_folder(tmp_path / "data.zip")


def test_train_and_val_are_recognised(tmp_path):
    write_shapes(tmp_path / "train", count=4)
    write_shapes(tmp_path / "val", count=2, seed=9)
    parts = open_parts(tmp_path, DataPart(val_fraction=0.5, split_seed=0))
    assert (len(parts.training), len(parts.validation)) == (12, 6)
    assert parts.listing_sha256 == ""


def test_a_class_missing_in_val_shifts_nothing(tmp_path):
    """Where val/ lacks a class, the labels behind it stay (peers.md (c) 15)."""
    _touch(
        tmp_path, "train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg", "val/a/2.jpg", "val/c/2.jpg"
    )
    validation = open_parts(tmp_path, DataPart(val_fraction=0.5, split_seed=0)).validation
    assert validation.classes.names == ("a", "b", "c")
    assert validation.labels.tolist() == [0, 2]
    assert "no pictures of 1 of 3 classes: b" in validation.notes[0]


def test_one_folder_is_split(tmp_path):
    write_shapes(tmp_path, count=10)
    parts = open_parts(tmp_path, DataPart(val_fraction=0.2, split_seed=1))
    assert (len(parts.training), len(parts.validation)) == (24, 6)
    assert parts.listing_sha256 == read_folder(tmp_path).listing_sha256()
    taken = parts.validation.take(np.array([3]), "one")
    assert taken.read(0) == (tmp_path / taken.names[0]).read_bytes()


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "valid", "test"), ("train",)])
def test_parts_are_not_taken_for_classes(tmp_path, names):
    _touch(tmp_path, *(f"{name}/a/1.jpg" for name in names))
    with pytest.raises(DataError, match="look like parts") as caught:
        read_folder(tmp_path)
    assert "train/ and val/" in caught.value.next_step


def test_titles_do_not_tell_where_a_folder_lies(tmp_path, monkeypatch):
    _touch(tmp_path, "set/a/1.jpg")
    monkeypatch.chdir(tmp_path)
    assert read_folder(tmp_path / "set").title == f"{tmp_path.name}/set"
    assert read_folder(Path("set")).title == "set"
