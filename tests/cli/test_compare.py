"""residua compare: two bundles on the same pictures."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from data.shapes import write_shapes
from making import make_bundle
from residua.base.errors import DataError
from residua.bundle.schema import Classes, Preprocess
from residua.bundle.store import write_bundle
from residua.cli.main import app
from residua.data.sources.folder import read_folder
from residua.predict.classifier import Classifier

NAMES = ("disc", "frame", "stripe")


@pytest.fixture
def root(tmp_path):
    return write_shapes(tmp_path / "shapes", count=8)


def _bundle(path, names=NAMES, *, seed=0, size=32, **changes):
    made = make_bundle(
        path.with_suffix(".made"), num_classes=len(names), widths=(8, 8, 16, 16), seed=seed,
        preprocess=Preprocess(crop_size=size, short_side=size),
    )  # fmt: skip
    manifest = made.manifest.model_copy(update={"classes": Classes(names=names), **changes})
    return write_bundle(path, manifest, made.tensors())


def _reorder(bundle, path, order):
    """The same classifier with its outputs in another order."""
    tensors = bundle.tensors()
    for name in ("head.weight", "head.bias"):
        tensors[name] = tensors[name][list(order)]
    names = tuple(bundle.manifest.classes.names[place] for place in order)
    manifest = bundle.manifest.model_copy(update={"classes": Classes(names=names)})
    return write_bundle(path, manifest, tensors)


def _run(*arguments, expect=0):
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def _right(bundle, root):
    """Which pictures ``predict`` answers rightly, one by one."""
    source = read_folder(root)
    answers = Classifier(bundle).predict([root / name for name in source.names], top_k=1)
    pairs = zip(answers, source.labels, strict=True)
    return np.array([a.label_names[0] == source.classes.names[label] for a, label in pairs])


def test_the_counts_are_those_of_prediction(root, tmp_path):
    a, b = _bundle(tmp_path / "a.bundle"), _bundle(tmp_path / "b.bundle", seed=3, size=24)
    right_a, right_b = _right(a, root), _right(b, root)
    assert (right_a != right_b).any()
    record = json.loads(_run(a.path, b.path, root, "--json").stdout)
    assert record["images"] == 24
    assert (record["right_a"], record["right_b"]) == (right_a.sum(), right_b.sum())
    assert record["only_a"] == (right_a & ~right_b).sum()
    assert record["only_b"] == (right_b & ~right_a).sum()
    assert record["difference"] == pytest.approx(right_b.mean() - right_a.mean())
    for number, row in enumerate(record["per_class"]):
        part = slice(8 * number, 8 * number + 8)
        assert (row["class"], row["images"]) == (NAMES[number], 8)
        assert row["a"] == right_a[part].mean()
        assert row["b"] == right_b[part].mean()
    text = _run(a.path, b.path, root).stdout
    assert record["verdict"] in text
    assert "McNemar" in text


def test_a_classifier_is_not_distinguishable_from_itself_in_another_order(root, tmp_path):
    a = _bundle(tmp_path / "a.bundle")
    b = _reorder(a, tmp_path / "b.bundle", (2, 0, 1))
    record = json.loads(_run(a.path, b.path, root, "--json").stdout)
    assert record["only_a"] == record["only_b"] == 0
    assert record["right_a"] == record["right_b"] == _right(a, root).sum()
    assert (record["verdict"], record["p_value"]) == ("not distinguishable", 1)
    assert record["interval"] == [0, 0]


def test_different_classes_are_refused_with_the_differences(root, tmp_path):
    a = _bundle(tmp_path / "a.bundle")
    b = _bundle(tmp_path / "b.bundle", ("disc", "frame", "blob"))
    with pytest.raises(DataError, match=r"Only in A: stripe\. Only in B: blob"):
        _run(a.path, b.path, root)


def test_different_tasks_are_refused(root, tmp_path):
    a = _bundle(tmp_path / "a.bundle")
    b = _bundle(tmp_path / "b.bundle", task="multi-label")
    with pytest.raises(DataError, match="A is a single-label classifier and B a multi-label one"):
        _run(a.path, b.path, root)


def test_an_unreadable_picture_is_in_no_figure(root, tmp_path):
    (root / "disc" / "000.png").write_bytes(b"no picture")
    a, b = _bundle(tmp_path / "a.bundle"), _bundle(tmp_path / "b.bundle", seed=3)
    result = _run(a.path, b.path, root, "--json", expect=3)
    record = json.loads(result.stdout)
    assert record["images"] == 23
    assert [error["filename"] for error in record["errors"]] == ["disc/000.png"]


def test_only_what_neither_was_trained_on_counts(root, tmp_path):
    """A was trained on a part of the folder and B on another part: both held-out parts share."""
    listing = read_folder(root).listing_sha256()

    def trained(name, split_seed):
        made = _bundle(tmp_path / name)
        manifest = made.manifest.model_copy(
            update={
                "recipe": {"data": {"val_fraction": 0.5, "split_seed": split_seed}},
                "provenance": made.manifest.provenance.model_copy(
                    update={"source_sha256": listing}
                ),
            }
        )
        return write_bundle(made.path, manifest, made.tensors(), overwrite=True)

    a, b = trained("a.bundle", 1), trained("b.bundle", 2)
    result = _run(a.path, b.path, root, "--json")
    images = json.loads(result.stdout)["images"]
    assert 0 < images < 12
    assert f"the {images} pictures" in result.stderr
    every = _run(a.path, b.path, root, "--json", "--part", "all")
    assert json.loads(every.stdout)["images"] == 24
    assert "neither learnt" not in every.stderr
    assert "was trained on are among them" in every.stderr


def test_what_one_of_them_learnt_is_said_of_that_one(root, tmp_path):
    a, b = _bundle(tmp_path / "a.bundle"), _bundle(tmp_path / "b.bundle", seed=3)
    origin = a.manifest.provenance.model_copy(
        update={"training_sha256": read_folder(root).listing_sha256(), "source": "elsewhere"}
    )
    manifest = a.manifest.model_copy(update={"provenance": origin, "recipe": {"data": {}}})
    write_bundle(a.path, manifest, a.tensors(), overwrite=True)
    lines = _run(a.path, b.path, root).stderr.splitlines()
    (of_a,) = (line for line in lines if "For A" in line)
    (of_b,) = (line for line in lines if "For B" in line)
    assert "These are the pictures that the bundle was trained on" in of_a
    assert "trained on" not in of_b
