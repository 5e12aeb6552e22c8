"""Which pictures an evaluation takes."""

import pytest

from data.shapes import SHAPES, write_shapes
from making import ORIGIN
from residua.base.errors import DataError, SettingError, UnknownNameError
from residua.bundle.schema import Architecture, Classes, Manifest, Preprocess
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.parts import open_parts
from residua.evaluate.part import open_part, was_trained_on

SAID = "These are the pictures that the bundle was trained on: the figures say little about others."


def _manifest(listing="", training="", source=""):
    return Manifest(
        architecture=Architecture(name="x", block="basic", depths=(1, 1, 1, 1), num_classes=3),
        classes=Classes(names=tuple(reversed(SHAPES))),
        preprocess=Preprocess(),
        recipe={"data": {"val_fraction": 0.3, "split_seed": 7}},
        provenance=ORIGIN.model_copy(
            update={"source_sha256": listing, "training_sha256": training, "source": source}
        ),
    )


@pytest.fixture
def root(tmp_path):
    return write_shapes(tmp_path / "shapes", count=10)


def test_a_strange_folder_is_taken_whole(root):
    source, said = open_part(root, _manifest())
    assert len(source) == 30
    assert said.endswith(
        f"all of {root}. Pictures that the bundle was trained on may be among them."
    )
    assert not was_trained_on(source, _manifest())
    untrained = _manifest().model_copy(update={"recipe": None})
    assert open_part(root, untrained)[1] == f"Evaluating all of {root}."
    assert source.classes.names == tuple(reversed(SHAPES))


def test_the_folder_of_the_training_gives_its_held_out_part(root):
    parts = open_parts(root, DataPart(val_fraction=0.3, split_seed=7))
    manifest = _manifest(parts.listing_sha256)
    source, said = open_part(root, manifest)
    assert sorted(source.names) == sorted(parts.validation.names)
    assert "held out" in said
    assert sorted(open_part(root, manifest, "train")[0].names) == sorted(parts.training.names)
    whole, said = open_part(root, manifest, "all")
    assert len(whole) == 30
    assert "was trained on are among them" in said
    assert was_trained_on(whole, manifest)
    assert not was_trained_on(source, manifest)


@pytest.mark.parametrize("recorded", [True, False])
def test_the_training_part_is_known_again(root, recorded):
    parts = open_parts(root, DataPart(val_fraction=0.3, split_seed=7))
    fingerprint = parts.training.listing_sha256() if recorded else ""  # older bundles have none
    manifest = _manifest(parts.listing_sha256, fingerprint, parts.training.title)
    source, said = open_part(root, manifest, "train")
    assert SAID in said
    assert was_trained_on(source, manifest)
    assert not was_trained_on(open_part(root, manifest)[0], manifest)


def test_pictures_trained_on_are_known_at_another_place(root, tmp_path):
    fingerprint = read_folder(root).listing_sha256()
    manifest = _manifest("", fingerprint, "shapes/train")  # with --val, so that nothing was split
    moved = root.rename(tmp_path / "moved")
    source, said = open_part(moved, manifest)
    assert said == f"Evaluating all of {moved}. {SAID}"
    assert was_trained_on(source, manifest)
    (moved / "disc" / "000.png").unlink()
    source, said = open_part(moved, manifest)
    assert said.endswith("may be among them.")
    assert not was_trained_on(source, manifest)


def test_a_part_that_names_its_pictures_as_training_does_is_another_part(tmp_path):
    for name in ("train", "val"):
        write_shapes(tmp_path / name, count=3)
    training = read_folder(tmp_path / "train")
    manifest = _manifest("", training.listing_sha256(), training.title)
    source, said = open_part(tmp_path, manifest)
    assert said == f"Evaluating {tmp_path / 'val'}."
    assert not was_trained_on(source, manifest)
    source, said = open_part(tmp_path, manifest, "train")
    assert said == f"Evaluating {tmp_path / 'train'}. {SAID}"
    assert was_trained_on(source, manifest)


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
