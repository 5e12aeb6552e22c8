"""Training and validation parts: given, found by their names, or split off."""

import pytest

from data.shapes import SHAPES, write_shapes
from data.test_shards import _pairs, _shard
from residua.base.errors import DataError
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.open import open_source
from residua.data.sources.parts import find_parts, open_parts
from residua.data.split import split


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def _lists(root, **parts):
    """List files (or tables) ``parts`` of lines, with the pictures x.jpg and y.jpg."""
    _touch(root, "x.jpg", "y.jpg")
    for name, lines in parts.items():
        (root / name.replace("__", ".")).write_text("\n".join(lines) + "\n")


def test_the_shared_lists_are_found_and_share_their_classes(shared_data):
    root = shared_data / "list-format"
    parts = open_parts(root)
    lines = (root / "val_list.txt").read_text().splitlines()
    assert (len(parts.training), len(parts.validation)) == (29, 15)
    assert parts.validation.names[0] == lines[0].split()[0]
    assert parts.validation.labels.tolist() == [int(line.split()[1]) for line in lines]
    assert parts.validation.classes == parts.training.classes
    assert len(parts.training.classes) == 995
    assert parts.listing_sha256 == ""


@pytest.mark.parametrize("order", [("train", "val"), ("val", "train")])
def test_numbers_count_up_to_the_largest_of_both_parts(tmp_path, order):
    small, large = order
    _lists(tmp_path, **{f"{small}_list__txt": ["x.jpg 1"], f"{large}_list__txt": ["y.jpg 4"]})
    parts = open_parts(tmp_path)
    assert parts.training.classes.names == parts.validation.classes.names == tuple("01234")


def test_train_and_val_folders_are_those_of_before(shared_data):
    root = shared_data / "flowers5"
    parts = open_parts(root)
    for part, name in ((parts.training, "train"), (parts.validation, "val")):
        assert part.listing_sha256() == read_folder(root / name).listing_sha256()
    assert (len(parts.training), len(parts.validation)) == (2931, 736)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["train.csv", "val.csv"], ("train.csv", "val.csv")),
        (["train.parquet", "validation.parquet"], ("train.parquet", "validation.parquet")),
        (["train.jsonl", "valid.jsonl", "test.jsonl"], ("train.jsonl", "valid.jsonl")),
        (["train.txt", "val.txt"], ("train.txt", "val.txt")),
        (["Train_list.txt", "Val_list.txt"], ("Train_list.txt", "Val_list.txt")),
        (["train-000.tar", "train-001.tar", "val-000.tar"], ("train-*.tar", "val-*.tar")),
        (["train-0.parquet", "validation_0.parquet"], ("train-*.parquet", "validation_*.parquet")),
        (["Training/a/1.jpg", "dev/a/1.jpg"], ("Training", "dev")),
        (["train/x-0.tar", "val/x-0.tar"], ("train", "val")),
        (["train.csv", "test.csv", "train/a/1.jpg", "val/a/1.jpg"], ("train", "val")),
    ],
)
def test_parts_are_found_by_their_names(tmp_path, files, expected):
    _touch(tmp_path, *files)
    found = find_parts(tmp_path)
    assert (found.training, found.validation) == tuple(str(tmp_path / name) for name in expected)
    assert found.notes == ()


@pytest.mark.parametrize(
    "files", [["train.csv"], ["a/1.jpg", "b/1.jpg"], ["val.csv", "test.csv"], ["x.tar"], []]
)
def test_what_is_not_divided_has_no_parts(tmp_path, files):
    _touch(tmp_path, *files)
    assert find_parts(tmp_path) is None
    assert find_parts(tmp_path / "train.csv") is None


def test_a_format_finds_parts_of_its_kind_alone(tmp_path):
    _touch(tmp_path, "train/a/1.jpg", "val/a/1.jpg", "train.csv", "val.csv")
    assert find_parts(tmp_path, DataPart(format="list")) is None
    assert find_parts(tmp_path, DataPart(format="table")).training.endswith("train.csv")
    assert find_parts(tmp_path, DataPart(format="shards")).training.endswith("train")


def test_a_test_part_is_the_last_resort_and_this_is_said(tmp_path):
    _touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg")
    parts = open_parts(tmp_path)
    assert parts.validation.names == ("a/2.jpg",)
    assert any("not independent" in note for note in parts.validation.notes)


def test_lists_win_over_folders_and_this_is_said(tmp_path):
    _touch(tmp_path, "train/a/1.jpg", "val/a/2.jpg")
    (tmp_path / "train.txt").write_text("train/a/1.jpg 1\n")
    (tmp_path / "val.txt").write_text("val/a/2.jpg 0\n")
    parts = open_parts(tmp_path)
    assert parts.training.labels.tolist() == [1]
    assert any("data.format=folder" in note for note in parts.validation.notes)
    folders = open_parts(tmp_path, DataPart(format="folder"))
    assert folders.training.classes.names == ("a",)


def test_shards_of_two_parts(tmp_path):
    _shard(tmp_path / "train-0.tar", _pairs(1, 0))
    _shard(tmp_path / "train-1.tar", _pairs(2, first=2))
    _shard(tmp_path / "val-0.tar", _pairs(0))
    parts = open_parts(tmp_path)
    assert parts.training.labels.tolist() == [1, 0, 2]
    assert parts.validation.labels.tolist() == [0]
    assert parts.validation.classes.names == ("0", "1", "2")
    assert parts.validation.read(0) == b"picture 0"


def test_a_given_validation_part_wins(tmp_path):
    write_shapes(tmp_path / "whole", count=3)
    write_shapes(tmp_path / "other", count=2, seed=50)
    parts = open_parts(tmp_path / "whole", validation=tmp_path / "other")
    assert (len(parts.training), len(parts.validation)) == (9, 6)
    write_shapes(tmp_path / "divided" / "train", count=1)
    write_shapes(tmp_path / "divided" / "val", count=1)
    parts = open_parts(tmp_path / "divided", validation=tmp_path / "other")
    assert (len(parts.training), len(parts.validation)) == (3, 6)


def test_kinds_may_differ_and_classes_still_match_by_name(tmp_path):
    write_shapes(tmp_path / "train", count=2)
    rows = [f"train/{name}/000.png,{name}" for name in reversed(list(SHAPES))]
    (tmp_path / "val.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    parts = open_parts(tmp_path / "train", validation=tmp_path / "val.csv")
    assert parts.validation.labels.tolist() == [2, 1, 0]
    (tmp_path / "val.csv").write_text("path,label\ntrain/disc/000.png,dist\n")
    with pytest.raises(DataError, match="dist") as caught:
        open_parts(tmp_path / "train", validation=tmp_path / "val.csv")
    assert "disc" in caught.value.next_step


def test_what_is_not_divided_is_split_as_ever(tmp_path):
    write_shapes(tmp_path, count=10)
    settings = DataPart(val_fraction=0.3, split_seed=7)
    parts = open_parts(tmp_path, settings)
    whole = read_folder(tmp_path)
    _, validation = split(whole, fraction=0.3, seed=7)
    assert parts.validation.names == validation.names
    assert parts.listing_sha256 == whole.listing_sha256()


def test_a_parquet_file_is_split_by_its_rows(shared_data):
    path = shared_data / "cifar10-jpeg" / "test.parquet"
    parts = open_parts(path, DataPart(val_fraction=0.1))
    assert parts.validation.count_classes().tolist() == [100] * 10
    whole = open_source(path)
    row = int(parts.validation.names[5].rpartition(":")[2])
    assert parts.validation.read(5) == whole.read(row)
    assert parts.validation.labels[5] == whole.labels[row]


def test_the_test_rows_of_cifar_stand_in_for_a_validation_part(shared_data):
    parts = open_parts(shared_data / "cifar10-jpeg")
    assert (len(parts.training), len(parts.validation)) == (50_000, 10_000)
    assert any("no validation part" in note for note in parts.validation.notes)
