"""Which pictures an evaluation takes."""

import pytest

from data.shapes import SHAPES, write_shapes
from making import ORIGIN
from residua.base.errors import DataError, SettingError, UnknownNameError
from residua.bundle.schema import Architecture, Classes, Manifest, Preprocess
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.parts import open_parts
from residua.evaluate.part import open_part


def _manifest(listing=""):
    return Manifest(
        architecture=Architecture(name="x", block="basic", depths=(1, 1, 1, 1), num_classes=3),
        classes=Classes(names=tuple(reversed(SHAPES))),
        preprocess=Preprocess(),
        recipe={"data": {"val_fraction": 0.3, "split_seed": 7}},
        provenance=ORIGIN.model_copy(update={"source_sha256": listing}),
    )


@pytest.fixture
def root(tmp_path):
    return write_shapes(tmp_path / "shapes", count=10)


def test_a_strange_folder_is_taken_whole(root):
    source, said = open_part(root, _manifest())
    assert len(source) == 30
    assert "all of" in said
    assert source.classes.names == tuple(reversed(SHAPES))


def test_the_folder_of_the_training_gives_its_held_out_part(root):
    parts = open_parts(root, DataPart(val_fraction=0.3, split_seed=7))
    manifest = _manifest(parts.listing_sha256)
    source, said = open_part(root, manifest)
    assert sorted(source.names) == sorted(parts.validation.names)
    assert "held out" in said
    assert sorted(open_part(root, manifest, "train")[0].names) == sorted(parts.training.names)
    assert len(open_part(root, manifest, "all")[0]) == 30


def test_a_changed_folder_has_no_held_out_part(root):
    manifest = _manifest(read_folder(root).listing_sha256())
    (root / "disc" / "000.png").rename(root / "disc" / "new.png")
    assert len(open_part(root, manifest)[0]) == 30
    with pytest.raises(SettingError, match="no 'val' part"):
        open_part(root, manifest, "val")


def test_divided_folders_give_val(tmp_path):
    write_shapes(tmp_path / "train", count=3)
    write_shapes(tmp_path / "val", count=2)
    assert len(open_part(tmp_path, _manifest())[0]) == 6
    assert len(open_part(tmp_path, _manifest(), "train")[0]) == 9
    with pytest.raises(SettingError, match="no whole"):
        open_part(tmp_path, _manifest(), "all")


def test_other_parts_are_unknown(root):
    with pytest.raises(UnknownNameError, match="valid"):
        open_part(root, _manifest(), "valid")


def test_every_kind_of_data_set_has_its_parts(root, tmp_path):
    rows = [f"shapes/{name}/{i:03}.png,{name}" for name in SHAPES for i in range(10)]
    (tmp_path / "all.csv").write_text("\n".join(["path,species", *rows]) + "\n")
    settings = DataPart(val_fraction=0.3, split_seed=7, label_column="species")
    parts = open_parts(tmp_path / "all.csv", settings)
    manifest = _manifest(parts.listing_sha256)
    manifest = manifest.model_copy(update={"recipe": {"data": settings.model_dump()}})
    source, said = open_part(str(tmp_path / "all.csv"), manifest)
    assert "held out" in said
    assert sorted(source.names) == sorted(parts.validation.names)
    assert source.classes == manifest.classes
    assert [source.spell_label(i) for i in range(9)] == [
        parts.validation.spell_label(i) for i in range(9)
    ]
    for name, chosen in (("train", rows[:20]), ("val", rows[20:])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,species", *chosen]) + "\n")
    source, said = open_part(tmp_path, manifest)
    assert (len(source), said) == (10, f"Evaluating {tmp_path / 'val.csv'}.")


def test_numbers_of_a_list_are_positions_in_the_bundle_without_its_label_map(root, tmp_path):
    (tmp_path / "list.txt").write_text("shapes/stripe/000.png 0\nshapes/disc/000.png 2\n")
    recipe = {"data": {"label_map": "/gone/map.txt", "root": "/gone", "format": "folder"}}
    manifest = _manifest().model_copy(update={"recipe": recipe})
    source, _ = open_part(tmp_path / "list.txt", manifest)
    assert [source.spell_label(index) for index in range(2)] == ["stripe", "disc"]
    with pytest.raises(DataError, match="gone"):
        open_part(tmp_path / "list.txt", manifest, settings=DataPart(label_map="/gone/map.txt"))
