"""residua report: one page, whole in itself, with the figures of evaluate."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from data.shapes import write_shapes
from making import make_bundle
from report.pages import Page
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Classes, Preprocess
from residua.bundle.store import write_bundle
from residua.cli.main import app
from residua.data.sources.folder import read_folder
from residua.predict.classifier import Classifier
from residua.report.collect import Choices, collect
from residua.report.history import Subject
from residua.report.html import render

NAMES = ('"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} & <b>", "it's; <!-- ]]>")


@pytest.fixture
def root(tmp_path):
    """Shapes in folders of hostile names, one picture of a hostile name among them."""
    shapes = write_shapes(tmp_path / "shapes", count=5)
    for shape, name in zip(("disc", "frame", "stripe"), NAMES, strict=True):
        (shapes / shape).rename(shapes / name)
    for picture in (shapes / NAMES[0]).glob("*.png"):
        picture.rename(picture.with_name(f"<script>{picture.stem}'\".png"))
    return shapes


def rewrite(bundle, **changes):
    manifest = bundle.manifest.model_copy(update=changes)
    return write_bundle(bundle.path, manifest, bundle.tensors(), overwrite=True)


@pytest.fixture
def bundle(tmp_path):
    made = make_bundle(
        tmp_path / "x.bundle", num_classes=3, widths=(8, 8, 16, 16),
        preprocess=Preprocess(crop_size=32, short_side=32),
    )  # fmt: skip
    return rewrite(made, classes=Classes(names=NAMES))


def run(*arguments, expect=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def assert_menu_is_that_of_the_sections(page):
    links = [attributes["href"][1:] for tag, attributes in page.elements if tag == "a"]
    sections = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert links == sections
    assert links


def test_the_page_has_the_figures_of_evaluate(root, bundle, tmp_path):
    output = tmp_path / "page.html"
    assert "Wrote" in run("report", bundle.path, root, "--output", output).stdout
    page = Page(output.read_text(encoding="utf-8"))
    record = json.loads(run("evaluate", bundle.path, root, "--json").stdout)
    words = page.words()
    assert f"Top-1 {100 * record['top1']:.1f} % 95 % interval" in words
    assert f"Loss {record['loss']:.3f} nats" in words
    assert "Pictures 15 of 3 classes" in words
    assert record["data_sha256"] in page.words("provenance")
    wrong = record["images"] - record["right"]
    assert f"{min(wrong, 12)} of {wrong} mistakes" in page.words("mistakes")
    for row in record["per_class"]:
        assert f"{row['class']} 5 {100 * row['accuracy']:.1f}".removesuffix(".0") in page.words(
            "classes"
        )


def test_the_page_is_whole_in_itself_and_hostile_names_are_text(root, bundle, tmp_path):
    output = tmp_path / "page.html"
    run("report", bundle.path, root, "--output", output)
    text = output.read_text(encoding="utf-8")
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "base", "form"}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            place = attributes.get(name)
            assert place is None or place.startswith(("data:image/jpeg;base64,", "#")), place
    assert "url(" not in text
    assert "@import" not in text
    for name in NAMES:
        assert name in page.words("classes")
    assert "<script>" in page.words("mistakes")
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(images) > 12
    anchors = {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"}
    assert anchors == {attributes["id"] for tag, attributes in page.elements if "id" in attributes}


def test_a_bundle_without_its_run_says_so(root, bundle):
    page = Page(render(collect(Subject(bundle, None, ("No run.",)), read_folder(root))))
    assert "training" not in page.sections
    assert "No curves of the training: No run." in page.words("provenance")
    assert_menu_is_that_of_the_sections(page)
    assert "temperature" in page.words("confidence")


def test_the_curves_of_its_run(root, bundle, tmp_path):
    folder = tmp_path / "x.run"
    folder.mkdir()
    command = "/opt/venv/lib/residua/__main__.py train 'my flowers' --epochs 1"
    lines = [
        {"event": "start", "command": command},
        {"event": "step", "epoch": 1.0, "loss": 1.0, "lr": 0.1},
        {"event": "epoch", "epoch": 1, "train_loss": 1.25, "val_loss": 1.5, "val_top1": 0.625},
    ]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (folder / "recipe.yaml").write_text("model: <ResNet18>\n")
    run("report", folder, root, "--output", tmp_path / "page.html", "--limit", 0)
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    for point in ("training, epoch 1: 1.25", "validation, epoch 1: 1.50", "top-1, epoch 1: 62.5 %"):
        assert point in page.words("training")
    assert "Command python -m residua train 'my flowers' --epochs 1" in page.words("provenance")
    assert_menu_is_that_of_the_sections(page)
    assert "model: <ResNet18>" in page.words("provenance")
    assert page.words("mistakes") == "Worst mistakes No mistakes were asked for."


def test_pictures_that_cannot_be_read_are_listed(root, bundle, tmp_path):
    (root / NAMES[1] / "000.png").write_bytes(b"no picture")
    run("report", bundle.path, root, "--output", tmp_path / "page.html", expect=3)
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "14 pictures counted; 1 cannot be read and is in no figure" in page.words("data")
    assert "not-an-image" in page.words("data")


def test_multi_label_bundles_leave_out_what_does_not_apply(root, bundle):
    source = read_folder(root, bundle.manifest.classes)
    labels = np.eye(3, dtype=bool)[source.labels]
    labels[:, 2] |= labels[:, 0]
    many = rewrite(bundle, task="multi-label")
    facts = collect(Subject(many, None), replace(source, labels=labels))
    page = Page(render(facts))
    assert "mAP" in page.words()
    assert "average precision" in page.words("classes")
    assert_menu_is_that_of_the_sections(page)
    assert not {"confusion", "mistakes", "training"} & set(page.sections)
    for lacking in ("there is no confusion matrix", "no single answer that could be the mistake"):
        assert lacking in page.words("classes")
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert facts.metrics.map == pytest.approx(
        np.mean([row.average_precision for row in facts.classes])
    )


def test_a_faultless_classifier_has_no_mistakes(root, bundle):
    source = read_folder(root, bundle.manifest.classes)
    pictures = [source.read(index) for index in range(len(source))]
    given = [answer.class_ids[0] for answer in Classifier(bundle).predict(pictures)]
    page = Page(render(collect(Subject(bundle, None), replace(source, labels=np.array(given)))))
    assert "Top-1 100 %" in page.words()
    assert page.words("mistakes") == "Worst mistakes There is no mistake."
    assert "No picture was taken for another class." in page.words("confusion")


def test_what_makes_no_sense_is_refused(root, bundle, tmp_path):
    with pytest.raises(UnknownNameError, match="part"):
        run("report", bundle.path, root, "--part", "vall")
    with pytest.raises(SettingError, match="-1"):
        collect(Subject(bundle, None), read_folder(root), choices=Choices(limit=-1))
