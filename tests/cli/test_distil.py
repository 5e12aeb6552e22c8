"""``residua distil``, ``residua soup`` and ``residua train --fix`` from the command line."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from data.shapes import write_shapes
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.store import read_bundle, write_bundle
from residua.cli.main import app
from residua.distil.methods import METHODS

SMALL = (
    "-o", "model.small_images=true", "-o", "model.widths=[8,8,8,8]", "-o", "model.stem_width=8",
    "--image-size", "24", "--batch-size", "16", "--lr", "0.1",
)  # fmt: skip


def call(*words):
    """What a command prints; its errors come through."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("cli") / "shapes", count=20)


@pytest.fixture(scope="module")
def teacher(shapes, tmp_path_factory):
    output = tmp_path_factory.mktemp("cli") / "teacher.bundle"
    call(
        "train", shapes, "-c", "scratch", "--model", "ResNet18_vd", "--epochs", 4, *SMALL,
        "--output", output,
    )  # fmt: skip
    return output


def test_help_teaches_the_run_and_names_the_rest():
    words = call("distil", "--help")
    for said in ("--teacher", "--recipe", "--unlabelled", "residua distil mine"):
        assert said in words
    assert "--per-class" in call("distil", "mine", "--help")
    assert all(name in call("distil", "methods") for name in METHODS)


def test_a_student_with_what_was_said_over_the_methods_settings(shapes, teacher, tmp_path):
    output = tmp_path / "s.bundle"
    words = call(
        "distil", shapes, "--teacher", teacher, "--student", "ResNet18", "-c", "scratch",
        "--recipe", "skd", "-o", "distil.temperature=3", "--teacher-norms", "batch",
        "--epochs", 1, *SMALL, "--output", output, "--json",
    )  # fmt: skip
    assert json.loads(words)["bundle"] == str(output)
    said = read_bundle(output).manifest.recipe["distil"]
    assert (said["method"], said["alpha"], said["multiplier"]) == ("skd", 0.9, 2.0)
    assert (said["temperature"], said["statistics"]) == (3.0, "batch")
    assert said["teacher"] == str(teacher)


def test_the_chain_with_its_figures_and_a_size_at_the_end(shapes, teacher, tmp_path):
    output = tmp_path / "s.bundle"
    words = call(
        "distil", shapes, "--teacher", teacher, "--student", "ResNet18", "-c", "scratch",
        "--recipe", "ssld", "--epochs", 1, "--second-epochs", 1, "--fix-size", 32, *SMALL,
        "--output", output, "--json",
    )  # fmt: skip
    assert set(json.loads(words)["stages"]) == {"stage1", "stage2", "fix"}
    assert read_bundle(output).manifest.preprocess.crop_size == 32


def test_fix_and_soup(shapes, teacher, tmp_path):
    fixed = tmp_path / "fixed.bundle"
    call(
        "train", shapes, "--fix", teacher, "--size", 32, "--epochs", 1, "--batch-size", 16,
        "--output", fixed,
    )  # fmt: skip
    manifest = read_bundle(fixed).manifest
    assert manifest.preprocess.crop_size == 32
    assert manifest.recipe["model"]["freeze"] == "stage4"
    soup = tmp_path / "soup.bundle"
    other = tmp_path / "other.bundle"  # the last of whose weights differ by nothing that counts
    opened = read_bundle(teacher)
    tensors = opened.tensors()
    tensors["head.bias"] = tensors["head.bias"] + np.float32(1e-6)
    write_bundle(other, opened.manifest, tensors)
    words = call("soup", teacher, other, "--data", shapes, "--output", soup, "--json")
    assert set(json.loads(words)["joined"]) == {str(teacher), str(other)}
    assert read_bundle(soup).manifest.provenance.made_by == "residua soup"


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("distil", "DATA", "--teacher", "t"), SettingError, "Which network learns"),
        (("distil", "DATA", "--student", "ResNet18"), SettingError, "kd needs a teacher"),
        (
            ("distil", "DATA", "--student", "ResNet18", "--recipe", "magic"),
            UnknownNameError,
            "magic",
        ),
        (("train", "DATA", "--fix", "x.bundle"), SettingError, "--fix and --size"),
        (
            ("distil", "DATA", "--student", "ResNet18", "--teacher", "t", "--fix-size", "48"),
            SettingError,
            "--fix-size is of SSLD's chain",
        ),
        (("distil", "mine", "DATA", "--teacher", "t.onnx"), SettingError, "open as a bundle"),
    ],
)
def test_what_is_lacking_is_said(shapes, words, error, said):
    given = [str(shapes) if word == "DATA" else word for word in words]
    with pytest.raises(error, match=said):
        CliRunner().invoke(app, [*given, *SMALL[:6]], catch_exceptions=False)
