import pytest
from pydantic import ValidationError

from residua.bundle import upgrade as upgrades
from residua.bundle.classes import imagenet_classes, match_classes, numbered_classes
from residua.bundle.schema import Architecture, Classes, Preprocess


def test_imagenet_has_the_documents_names_in_the_documents_places():
    names = imagenet_classes().names
    document = {
        8: "hen",
        7: "cock",
        86: "partridge",
        82: "ruffed grouse, partridge, Bonasa umbellus",
        80: "black grouse",
        153: "Maltese dog, Maltese terrier, Maltese",
        902: "whistle",
    }
    assert {index: names[index] for index in document} == document
    assert len(names) == len(set(imagenet_classes().ids)) == 1000


def test_imagenet_agrees_with_the_labels_of_the_test_photos(shared_data):
    lines = (shared_data / "photos" / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    classes = imagenet_classes()
    for line in lines:
        _, index, synset, name = line.split("\t")
        assert (classes.ids[int(index)], classes.names[int(index)]) == (synset, name)
    assert len(lines) == 60


def test_classes_are_matched_by_name_and_never_shifted():
    given = Classes(names=("ant", "bee", "cow"))
    wanted = Classes(names=("cow", "dog", "ant"))
    assert match_classes(given, wanted) == (2, None, 0)


def test_equal_names_are_matched_by_id_or_in_order():
    classes = imagenet_classes()
    cranes = [index for index, name in enumerate(classes.names) if name == "crane"]
    assert len(cranes) == 2
    only = Classes(names=("crane", "crane"), ids=tuple(classes.ids[i] for i in reversed(cranes)))
    assert match_classes(classes, only) == tuple(reversed(cranes))
    assert match_classes(classes, Classes(names=("crane", "crane"))) == tuple(cranes)


def test_numbered_classes_count_from_zero():
    assert numbered_classes(2).names == ("class 0", "class 1")


def test_records_are_checked():
    with pytest.raises(ValidationError, match="3 values for RGB"):
        Preprocess(mean=(0.5,), std=(0.5,))
    with pytest.raises(ValidationError, match="depths and widths"):
        Architecture(name="x", block="basic", depths=(1, 1))
    with pytest.raises(ValidationError, match="deep stem"):
        Architecture(name="x", block="basic", depths=(1, 1, 1, 1), stem="deep")


def test_older_manifests_are_brought_up_step_by_step(monkeypatch, tmp_path):
    monkeypatch.setattr(upgrades, "SCHEMA_VERSION", 3)
    steps = {1: lambda c: {**c, "a": 1}, 2: lambda c: {**c, "b": c["a"] + 1}}
    monkeypatch.setattr(upgrades, "STEPS", steps)
    upgraded = upgrades.upgrade({"schema_version": 1}, tmp_path)
    assert upgraded == {"schema_version": 3, "a": 1, "b": 2}
