"""Which pictures an evaluation takes."""

import pytest

from data.shapes import SHAPES, write_shapes
from making import ORIGIN
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Architecture, Classes, Manifest, Preprocess
from residua.data.folder import read_folder, read_parts
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
    parts = read_parts(root, fraction=0.3, seed=7)
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
