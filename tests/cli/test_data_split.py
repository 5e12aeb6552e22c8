"""residua data split: tables that training reads back."""

import csv
import json

import pytest
import typer
from typer.testing import CliRunner

from data.shapes import write_shapes
from residua.base.errors import DataError, SettingError, UnknownNameError
from residua.cli.data_split import split
from residua.data.settings import DataPart
from residua.data.sources.open import open_source
from residua.data.sources.parts import open_parts
from residua.data.split import split as divide

_APP = typer.Typer()
_APP.command("split")(split)
_APP.command("other")(lambda: None)  # with two commands, verbs are named


def _run(*arguments):
    result = CliRunner().invoke(_APP, ["split", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def shapes(tmp_path):
    return write_shapes(tmp_path / "shapes", count=10)


def test_what_is_written_is_the_split_and_reads_back(shapes, tmp_path):
    output = tmp_path / "deep" / "out"
    result = _run(shapes, "--output", output, "--val-fraction", "0.3", "--seed", "7")
    training, validation = divide(open_source(shapes), fraction=0.3, seed=7)
    parts = open_parts(output)
    for part, expected in ((parts.training, training), (parts.validation, validation)):
        assert part.classes == expected.classes
        assert part.labels.tolist() == expected.labels.tolist()
        assert [part.read(i) for i in range(len(part))] == [
            expected.read(i) for i in range(len(expected))
        ]
    with (output / "val.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["path"].startswith("../../shapes/disc/")
    assert "disc          7        3" in result.stdout
    assert "all          21        9" in result.stdout
    assert f"residua train {output}" in result.stdout


def test_the_record_says_what_was_done(shapes, tmp_path):
    result = _run(shapes, "--output", tmp_path / "out", "--json")
    record = json.loads(result.stdout)
    assert record == json.loads((tmp_path / "out" / "split.json").read_text())
    assert record["listing_sha256"] == open_source(shapes).listing_sha256()
    assert (record["seed"], record["val_fraction"], record["folds"]) == (0, 0.2, None)
    assert record["classes"] == ["disc", "frame", "stripe"]
    assert record["parts"]["val"] == {"file": "val.csv", "pictures": 6, "per_class": [2, 2, 2]}


def test_folds_are_pairs_of_tables(shapes, tmp_path):
    result = _run(shapes, "--output", tmp_path / "out", "--folds", "5")
    seen = []
    for number in range(5):
        parts = open_parts(tmp_path / "out" / f"fold-{number}")
        assert (len(parts.training), len(parts.validation)) == (24, 6)
        seen += [parts.validation.file(i).resolve() for i in range(6)]
    assert sorted(seen) == sorted(path.resolve() for path in shapes.rglob("*.png"))
    assert "fold-4" in result.stdout


def test_many_folds_get_a_line_each(shapes, tmp_path):
    lines = _run(shapes, "--output", tmp_path / "out", "--folds", 10).output.splitlines()
    whole = open_source(shapes)
    each = len(whole) // 10
    assert lines[0].split() == ["fold", "pictures", "of", "a", "class"]
    share = each // len(whole.classes)
    assert [line.split() for line in lines[1:11]] == [
        [f"fold-{number}", str(each), str(share), "…", str(share)] for number in range(10)
    ]


def test_groups_by_a_pattern_and_by_a_column(shapes, tmp_path):
    _run(shapes, "--output", tmp_path / "a", "--group-pattern", r"/\d\d(\d)", "--folds", "2")
    parts = open_parts(tmp_path / "a" / "fold-0")
    ends = [{name[-5] for name in part.names} for part in (parts.training, parts.validation)]
    assert not ends[0] & ends[1]
    rows = [f"{path},{path.parent.name},g{int(path.stem) % 4}" for path in shapes.rglob("*.png")]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path,kind,group", *rows]) + "\n")
    result = _run(
        table, "--output", tmp_path / "b", "--group-by", "group", "-o", "data.label_column=kind"
    )
    parts = open_parts(tmp_path / "b")
    groups = [
        {int(name[-7:-4]) % 4 for name in p.names} for p in (parts.training, parts.validation)
    ]
    assert not groups[0] & groups[1]
    assert "4 groups were kept together" in result.stdout


@pytest.mark.parametrize("names", [("red", "round"), ("red, dark", "round")])
def test_multi_label_tables_read_back(tmp_path, names):
    red, round_ = names
    cells = [[red], [red, round_], [round_], [], [red], [round_]]
    lines = []
    for number, cell in enumerate(cells):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
        lines.append(json.dumps({"path": f"{number}.jpg", "labels": cell}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    settings = ("-o", "multi_label=true")
    result = _run(tmp_path / "all.jsonl", "--output", tmp_path / "out", "--folds", 2, *settings)
    assert "-o data.multi_label=true" in result.stdout
    parts = open_parts(tmp_path / "out" / "fold-1", DataPart(multi_label=True))
    assert parts.training.classes.names == names
    for part in (parts.training, parts.validation):
        for position, name in enumerate(part.names):
            expected = ",".join(cells[int(name.rpartition("/")[2][0])])
            assert part.spell_label(position) == expected


def test_classes_keep_their_order_and_those_without_pictures(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    (tmp_path / "list.txt").write_text("0.jpg 3\n1.jpg 3\n2.jpg 0\n3.jpg 0\n")
    (tmp_path / "map.txt").write_text("0 crane\n1 owl\n2 adder\n3 crane\n")
    _run(tmp_path / "list.txt", "--output", tmp_path / "out", "-o", f"label_map={tmp_path}/map.txt",
         "--val-fraction", "0.5")  # fmt: skip
    parts = open_parts(tmp_path / "out")
    assert parts.training.classes.names == ("crane", "owl", "adder", "crane")
    assert sorted(parts.training.labels.tolist()) == [0, 3]


def test_a_split_is_not_written_over_unasked(shapes, tmp_path):
    _run(shapes, "--output", tmp_path)
    before = (tmp_path / "train.csv").read_bytes()
    with pytest.raises(SettingError, match="is there already"):
        _run(shapes, "--output", tmp_path, "--seed", "1")
    assert (tmp_path / "train.csv").read_bytes() == before
    _run(shapes, "--output", tmp_path, "--seed", "1", "--overwrite")
    assert (tmp_path / "train.csv").read_bytes() != before


def test_what_cannot_be_split_is_refused(shapes, tmp_path):
    write_shapes(tmp_path / "divided" / "train", count=2)
    write_shapes(tmp_path / "divided" / "val", count=2)
    with pytest.raises(SettingError, match="divided already"):
        _run(tmp_path / "divided", "--output", tmp_path / "out")
    with pytest.raises(SettingError, match="not by both"):
        _run(shapes, "--output", tmp_path / "out", "--group-by", "a", "--group-pattern", "b")
    with pytest.raises(UnknownNameError, match=r"data\.lable_column") as caught:
        _run(shapes, "--output", tmp_path / "out", "-o", "data.lable_column=x")
    assert caught.value.suggestions[0] == "data.label_column"
    with pytest.raises(SettingError, match="format makes no sense"):
        _run(shapes, "--output", tmp_path / "out", "-o", "format=tar")
    with pytest.raises(SettingError, match="changes nothing"):
        _run(shapes, "--output", tmp_path / "out", "-o", "format")
    assert not (tmp_path / "out").exists()


def test_rows_of_bytes_have_no_paths_to_write(shared_data, tmp_path):
    with pytest.raises(DataError, match="no files of their own") as caught:
        _run(shared_data / "cifar10-jpeg" / "test.parquet", "--output", tmp_path / "out")
    assert "data.split_seed" in caught.value.next_step
    assert not (tmp_path / "out").exists()
