"""Which kind of data set a place is, and what is said of places that are none."""

import numpy as np
import pytest

from data.shapes import write_shapes
from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.labels import Cells, Known, collect, label
from residua.data.sources.open import kind_of, open_source
from residua.data.sources.place import is_pattern


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("files", "place", "kind"),
    [
        (["a/1.jpg"], "", "folder"),
        ([], "nowhere", "folder"),
        (["x.tar", "classes.json"], "", "shards"),
        (["x.tar", "a/1.jpg"], "", "folder"),
        (["x.parquet"], "", "table"),
        (["list.LST"], "list.LST", "list"),
        (["x.jsonl"], "x.jsonl", "table"),
        (["x.tar"], "x.tar", "shards"),
        ([], "x-*.tar", "shards"),
        ([], "x-{0..9}.parquet", "table"),
        (["dataset_info.json", "state.json"], "", "hub"),
        (["dataset_dict.json", "train/state.json"], "", "hub"),
    ],
)
def test_kinds_are_told_by_content_and_suffix(tmp_path, files, place, kind):
    _touch(tmp_path, *files)
    assert kind_of(f"{tmp_path}/{place}") == kind


def test_the_format_overrides(tmp_path):
    (tmp_path / "list.csv").write_text("x.jpg,7\n")
    _touch(tmp_path, "x.jpg")
    assert kind_of(tmp_path / "list.csv") == "table"
    assert kind_of(tmp_path / "list.csv", DataPart(format="list")) == "list"
    assert open_source(tmp_path / "list.csv", DataPart(format="list")).labels.tolist() == [7]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data.zip", "packed archive"),
        ("data.tar.gz", "packed archive"),
        ("1.JPG", "is one picture"),
        ("data.bin", "unknown kind"),
    ],
)
def test_strange_files_are_refused(tmp_path, name, message):
    _touch(tmp_path, name)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path / name)
    with pytest.raises(DataError, match="unknown kind"):
        open_source(f"{tmp_path}/*.bin")


def test_a_class_folder_is_the_source_of_before(tmp_path):
    write_shapes(tmp_path, count=2)
    source, before = open_source(str(tmp_path)), read_folder(tmp_path)
    assert source.listing_sha256() == before.listing_sha256()
    assert source.file(1) == tmp_path / source.names[1]
    part = source.take(np.array([4, 1]), "part").take(np.array([1]), "part of part")
    assert part.file(0) == tmp_path / source.names[1]
    assert part.read(0) == source.read(1)


def test_class_folders_have_neither_columns_nor_several_labels(tmp_path):
    write_shapes(tmp_path, count=1)
    with pytest.raises(SettingError, match="is no table"):
        open_source(tmp_path, group_column="who")
    with pytest.raises(SettingError, match="multi_label"):
        open_source(tmp_path, DataPart(multi_label=True))


def test_a_misspelt_file_gets_its_neighbours(tmp_path):
    _touch(tmp_path, "labels.csv")
    with pytest.raises(DataError, match="no file") as caught:
        open_source(tmp_path / "label.csv")
    assert "labels.csv" in caught.value.next_step


def test_wildcards_in_the_name_of_what_exists_are_letters(tmp_path):
    _touch(tmp_path, "set [1]/x.tar")
    assert not is_pattern(str(tmp_path / "set [1]"))
    assert kind_of(tmp_path / "set [1]") == "shards"


def test_distinct_cells_are_kept_once():
    cells = collect(["b", "a", "b", ("a", 1)])
    assert cells.values == ("b", "a", ("a", 1))
    assert cells.codes.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        # Zeros and ones for each class, only where there are as many as classes.
        ((("0", "1"), ("1", "1")), ("cat", "dog"), [[0, 1], [1, 1]]),
        ((("0", "1"), ("1", "1")), ("cat", "dog", "eel"), [[1, 1, 0], [0, 1, 0]]),
        ((("0", "1"),), ("1", "0"), [[0, 1]]),
    ],
)
def test_zeros_and_ones_are_told_from_numbers(values, classes, expected):
    cells = Cells(values, np.arange(len(values)))
    found = label(cells, Known(wanted=Classes(names=classes)), place="x", multi_label=True)
    assert found.array.astype(int).tolist() == expected


def test_a_column_without_any_class_is_refused():
    with pytest.raises(DataError, match="No picture of x has any class"):
        label(collect(["", ""]), Known(), place="x", multi_label=True)
