"""CSV, TSV, JSON lines and Parquet, with paths or bytes."""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from residua.base.errors import DataError, MissingExtraError, NotAnImageError, UnknownNameError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.sources.open import open_source
from residua.data.sources.parquet import RowGroups

MULTI = DataPart(multi_label=True)


def _pictures(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def _text(folder, name, *lines):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _parquet(path, columns, *, metadata=None, group=None):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    table = pa.table(columns).replace_schema_metadata(metadata)
    parquet.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("t.csv", ["id,Image_Path,label", '7,"a, b.jpg",dog', "8,c.jpg,cat"]),
        ("t.csv", ["file;class", "a, b.jpg;dog", "c.jpg;cat"]),
        ("t.tsv", ["filename\ttarget", "a, b.jpg\tdog", "c.jpg\tcat"]),
        (
            "t.jsonl",
            ['{"path": "a, b.jpg", "label": "dog"}', "", '{"label": "cat", "path": "c.jpg"}'],
        ),
        (
            "t.ndjson",
            [
                '{"image": {"path": "a, b.jpg"}, "label": "dog"}',
                '{"image": {"path": "c.jpg"}, "label": "cat"}',
            ],
        ),
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path, name, lines):
    _pictures(tmp_path, "a, b.jpg", "c.jpg")
    source = open_source(_text(tmp_path, name, *lines))
    assert source.names == ("a, b.jpg", "c.jpg")
    assert source.classes.names == ("cat", "dog")
    assert source.labels.tolist() == [1, 0]
    assert source.read(0) == b"a, b.jpg"
    assert source.file(1) == tmp_path / "c.jpg"


def test_columns_can_be_given(tmp_path):
    _pictures(tmp_path, "x.jpg", "y.jpg")
    path = _text(tmp_path, "t.csv", "path,thumb,label,species", "x.jpg,y.jpg,1,daisy")
    source = open_source(path, DataPart(image_column="thumb", label_column="species"))
    assert (source.names, source.classes.names) == (("y.jpg",), ("daisy",))
    with pytest.raises(UnknownNameError, match="specie") as caught:
        open_source(path, DataPart(label_column="specie"))
    assert caught.value.suggestions[0] == "species"


def test_columns_of_strange_names_are_listed(tmp_path):
    path = _text(tmp_path, "t.csv", "x.jpg,daisy", "y.jpg,rose")
    with pytest.raises(DataError, match=r"its columns are: x.jpg, daisy") as caught:
        open_source(path)
    assert "data.format=list" in caught.value.next_step
    _pictures(tmp_path, "x.jpg")
    assert len(open_source(path, DataPart(format="list"))) == 2


def test_numbers_in_text_are_numbers_and_codes_are_names(tmp_path):
    _pictures(tmp_path, "x.jpg")
    numbers = open_source(_text(tmp_path, "n.csv", "path,label", "x.jpg,2", "y.jpg,0"))
    assert numbers.classes.names == ("0", "1", "2")
    assert numbers.labels.tolist() == [2, 0]
    codes = open_source(_text(tmp_path, "c.csv", "path,label", "x.jpg,007", "y.jpg,7"))
    assert codes.classes.names == ("007", "7")


@pytest.mark.parametrize(
    "cells",
    [
        ["red|round", "round", ""],
        ["red; round", "round", ""],
        ['"red,round"', "round", ""],
        ['"[""red"", ""round""]"', '"[""round""]"', "[]"],
    ],
)
def test_multi_label_cells_of_csv(tmp_path, cells):
    _pictures(tmp_path, "0.jpg")
    rows = [f"{number}.jpg,{cell}" for number, cell in enumerate(cells)]
    source = open_source(_text(tmp_path, "t.csv", "path,labels", *rows), MULTI)
    assert source.classes.names == ("red", "round")
    assert source.labels.tolist() == [[True, True], [False, True], [False, False]]


def test_names_with_commas_survive_where_a_bar_divides(tmp_path):
    _pictures(tmp_path, "x.jpg")
    lines = ["path,labels", 'x.jpg,"crane, bird|owl"', 'y.jpg,"crane, bird"']
    source = open_source(_text(tmp_path, "t.csv", *lines), MULTI)
    assert source.classes.names == ("crane, bird", "owl")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([["red"], ["red", "blue"], None], [[0, 1], [1, 1], [0, 0]]),
        ([[0, 1, 0], [1, 1, 0], [0, 0, 1]], [[0, 1, 0], [1, 1, 0], [0, 0, 1]]),
        ([[2], [0, 2], []], [[0, 0, 1], [1, 0, 1], [0, 0, 0]]),
    ],
)
def test_lists_in_json_and_parquet(tmp_path, cells, expected):
    _pictures(tmp_path, "0.jpg")
    lines = [json.dumps({"path": f"{i}.jpg", "labels": cell}) for i, cell in enumerate(cells)]
    source = open_source(_text(tmp_path, "t.jsonl", *lines), MULTI)
    assert source.labels.astype(int).tolist() == expected
    columns = {"path": [f"{i}.jpg" for i in range(3)], "labels": cells}
    parquet = open_source(_parquet(tmp_path / "t.parquet", columns), MULTI)
    assert parquet.labels.astype(int).tolist() == expected
    assert parquet.classes == source.classes


@pytest.mark.parametrize("mark", ["|", ";"])
def test_labels_that_look_like_several_are_noted(tmp_path, mark):
    _pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    rows = ("path,label", "a.jpg,red", f"b.jpg,red{mark}round", "c.jpg,round")
    [note] = open_source(_text(tmp_path, "x.csv", *rows)).notes
    assert f"'red{mark}round'" in note
    assert "--multi-label" in note
    plain = ("path,label", "a.jpg,red", f"b.jpg,green{mark}round", "c.jpg,blue")
    assert open_source(_text(tmp_path, "y.csv", *plain)).notes == ()


def test_several_labels_of_single_label_data_are_refused(tmp_path):
    _pictures(tmp_path, "x.jpg")
    path = _text(tmp_path, "t.jsonl", '{"path": "x.jpg", "label": ["a", "b"]}')
    with pytest.raises(DataError, match=r"pictures with 2 labels") as caught:
        open_source(path)
    assert "data.multi_label=true" in caught.value.next_step


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("t.csv", ["path,label", "x.jpg,a", "x.jpg"], "line 3 has 1 cells"),
        ("t.csv", ["path,label", "x.jpg,a", "y.jpg,"], "1 of 2 pictures of .* have no label"),
        ("t.csv", ["path,label"], "has no rows"),
        ("t.jsonl", ['{"path": "x.jpg", "label": "a"}', "{"], "line 2 is no JSON"),
        ("t.jsonl", ['{"path": "x.jpg", "label": "a"}', "[]"], "line 2 is no JSON object"),
        ("t.jsonl", ['{"path": 7, "label": "a"}'], "does not hold a path"),
        ("t.jsonl", ['{"path": "x.jpg", "label": 0.5}'], "has the label 0.5"),
        ("t.jsonl", ['{"path": "x.jpg", "label": null}'], "have no label"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path, name, lines, message):
    _pictures(tmp_path, "x.jpg")
    with pytest.raises(DataError, match=message):
        open_source(_text(tmp_path, name, *lines))


def test_groups_come_from_a_column(tmp_path):
    _pictures(tmp_path, "x.jpg")
    csv = _text(tmp_path, "t.csv", "path,label,who", "x.jpg,a,ann", "y.jpg,b,bob")
    assert open_source(csv, group_column="who").groups == ("ann", "bob")
    assert open_source(csv).groups == ()
    columns = {"image": [b"1", b"2"], "label": ["a", "b"], "who": [7, None]}
    parquet = _parquet(tmp_path / "t.parquet", columns)
    assert open_source(parquet, group_column="who").groups == ("7", "")
    with pytest.raises(UnknownNameError, match="whom"):
        open_source(csv, group_column="whom")


def test_the_shared_parquet_is_read_as_it_stands(shared_data):
    path = shared_data / "cifar10-jpeg" / "test.parquet"
    source = open_source(path)
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(path)
    assert source.classes.names[:3] == ("airplane", "automobile", "bird")
    assert source.labels.tolist() == table["label"].to_pylist()
    assert source.names[17] == "test.parquet:17"
    chosen = [9_999, 0, 5_000, 4_999, 123]  # both row groups, and their ends
    for position in chosen:
        assert source.read(position) == table["image"][position].as_py()
    assert source.file(0) is None
    assert source.notes == ()


def test_a_model_of_other_order_gets_its_own_labels(shared_data):
    path = shared_data / "cifar10-jpeg" / "test.parquet"
    plain = open_source(path)
    turned = Classes(names=tuple(reversed(plain.classes.names)))
    assert (open_source(path, classes=turned).labels == 9 - plain.labels).all()
    with pytest.raises(DataError, match="horse, ship, truck"):
        open_source(path, classes=Classes(names=plain.classes.names[:7]))


def test_row_groups_are_read_by_threads_within_a_budget(tmp_path, monkeypatch):
    blobs = [hashlib.sha256(str(i).encode()).digest() * 40 for i in range(200)]
    path = _parquet(tmp_path / "t.parquet", {"bytes": blobs, "label": [0] * 200}, group=20)
    source = open_source(path)
    assert isinstance(source.read, RowGroups)
    source.read._budget = 3 * 20 * 32 * 40
    order = np.random.default_rng(0).permutation(200).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(source.read, order)) == [blobs[index] for index in order]
    assert 1 <= len(source.read._kept) <= 3
    assert source.read._used == sum(column.nbytes for column in source.read._kept.values())
    monkeypatch.setattr("residua.data.sources.parquet.available_memory", lambda: 1000)
    assert "residua data pack" in open_source(path).notes[0]


def test_pictures_as_hugging_face_stores_them(tmp_path):
    _pictures(tmp_path, "c.jpg")
    images = [{"bytes": b"1", "path": "a.jpg"}, {"bytes": b"2", "path": "b.jpg"},
              {"bytes": None, "path": "c.jpg"}]  # fmt: skip
    info = {"info": {"features": {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}}}
    path = _parquet(
        tmp_path / "t.parquet", {"image": images, "label": [1, 0, 1]},
        metadata={"huggingface": json.dumps(info)},
    )  # fmt: skip
    source = open_source(path)
    assert source.names == ("a.jpg", "b.jpg", "c.jpg")
    assert source.classes.names == ("zebra", "ant")
    assert [source.read(index) for index in range(3)] == [b"1", b"2", b"c.jpg"]


def test_several_files_are_one_table(tmp_path):
    for number in range(2):
        columns = {"image": [bytes([number, row]) for row in range(3)], "label": ["b", "a", "b"]}
        _parquet(tmp_path / f"train-{number:02}.parquet", columns)
    for place in (tmp_path, tmp_path / "train-*.parquet", tmp_path / "train-{00..01}.parquet"):
        source = open_source(str(place))
        assert [source.read(index) for index in (0, 2, 3, 5)] == [
            b"\0\0", b"\0\2", b"\1\0", b"\1\2",
        ]  # fmt: skip
        assert source.names[3] == "train-01.parquet:0"
        assert source.labels.tolist() == [1, 0, 1, 1, 0, 1]
    _parquet(tmp_path / "train-02.parquet", {"image": [b"1"], "kind": ["a"]})
    with pytest.raises(DataError, match="different columns"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["b", "a", "b"], [1, 0, 1]),
        ([True, False, True], [1, 0, 1]),
        (np.array([1, 0, 1], dtype=np.uint8), [1, 0, 1]),
    ],
)
def test_types_of_label_columns(tmp_path, labels, expected):
    source = open_source(_parquet(tmp_path / "t.parquet", {"image": [b"x"] * 3, "label": labels}))
    assert source.labels.tolist() == expected


def test_a_dictionary_column_is_read_by_its_values(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    labels = pa.array(["b", "a", "b"]).dictionary_encode()
    source = open_source(_parquet(tmp_path / "t.parquet", {"image": [b"x"] * 3, "label": labels}))
    assert (source.classes.names, source.labels.tolist()) == (("a", "b"), [1, 0, 1])


def test_columns_of_other_types_are_refused(tmp_path):
    path = _parquet(tmp_path / "a.parquet", {"image": [1.0], "label": ["a"]})
    with pytest.raises(DataError, match="does not hold bytes or paths"):
        open_source(path)
    path = _parquet(tmp_path / "b.parquet", {"image": [b"1"], "label": [0.5]})
    with pytest.raises(DataError, match="does not hold labels"):
        open_source(path)
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_source(tmp_path / "c.parquet")
    path = _parquet(tmp_path / "d.parquet", {"image": [b"1", None], "label": ["a", "a"]})
    with pytest.raises(NotAnImageError, match=r"d\.parquet:1 is empty"):
        open_source(path).read(1)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"residua\[data\]"):
        open_source(tmp_path / "t.parquet")
