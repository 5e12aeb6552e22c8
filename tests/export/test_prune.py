"""residua export --prune: the new bundle, its table, and what is refused."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from data.shapes import write_shapes
from making import make_bundle
from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes, Preprocess
from residua.bundle.store import read_bundle, write_bundle
from residua.cli.main import app
from residua.data.sources.open import open_source
from residua.export.prune import make_recipe, prune_bundle, time_in_turns
from residua.zoo.load import load_network

PLAIN = Preprocess(crop_size=24, short_side=24)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", count=8)


def with_classes(folder, names, name="x"):
    made = make_bundle(
        folder / f"made-{name}.bundle", "ResNet20", num_classes=len(names), preprocess=PLAIN
    )
    manifest = made.manifest.model_copy(update={"classes": Classes(names=tuple(names))})
    return write_bundle(folder / f"{name}.bundle", manifest, made.tensors())


@pytest.fixture
def bundle(shapes, tmp_path):
    return with_classes(tmp_path, open_source(shapes).classes.names)


def parameters(bundle):
    return sum(each.numel() for each in load_network(bundle).parameters())


def test_a_smaller_bundle_that_has_learnt_and_says_where_it_comes_from(bundle, shapes, tmp_path):
    found = prune_bundle(bundle, str(shapes), 0.5, tmp_path / "y.bundle", epochs=1)
    small = read_bundle(tmp_path / "y.bundle")
    assert found.before.params == parameters(bundle)
    assert found.repaired.params == found.pruned.params == parameters(small)
    assert found.repaired.params < 0.6 * found.before.params
    assert found.repaired.gflops < 0.6 * found.before.gflops
    assert small.manifest.classes == bundle.manifest.classes
    assert small.manifest.preprocess == bundle.manifest.preprocess
    assert small.manifest.architecture.inner_widths == (8,) * 3 + (16,) * 3 + (32,) * 3
    assert small.manifest.provenance.made_by == "residua export --prune"
    assert small.manifest.provenance.parent == str(bundle.path)
    [note] = small.manifest.provenance.notes
    assert f"{found.repaired.score:.2%} repaired" in note
    [metrics] = small.manifest.metrics
    assert metrics.top1 == pytest.approx(found.repaired.score)
    cut = load_network(small).stages[0][0].conv0.conv.weight
    whole = load_network(bundle).stages[0][0].conv0.conv.weight
    distances = torch.cdist(cut.flatten(1), whole.flatten(1)).min(1).values
    assert 0 < distances.max() < 0.1 * whole.flatten(1).norm(dim=1).mean()  # repaired, not redrawn


def test_the_table_and_the_export_that_follows(bundle, shapes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["export", str(bundle.path), "--prune", "0.5", "--calibrate", str(shapes),
               "--epochs", "1", "--format", "openvino"]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "before" in done.stdout
    assert "GFLOPs" in done.stdout
    assert "openvino" in read_bundle(tmp_path / "x-pruned-50.bundle").manifest.exports
    done = CliRunner().invoke(app, [*command[:-2], "--json", "--overwrite"])
    record = json.loads(done.stdout)["pruned"]
    assert record["before"]["params"] > record["repaired"]["params"]


def test_classes_stay_in_the_order_of_the_bundle(bundle, shapes, tmp_path):
    names = bundle.manifest.classes.names[::-1]
    turned = with_classes(tmp_path, names, "turned")
    prune_bundle(turned, str(shapes), 0.5, tmp_path / "y.bundle", epochs=1)
    small = read_bundle(tmp_path / "y.bundle")
    assert small.manifest.classes.names == names
    kept = load_network(small).head.weight
    distances = torch.cdist(kept, load_network(turned).head.weight)
    assert distances.argmin(1).tolist() == list(range(len(names)))


def test_an_interrupted_repair_goes_on(bundle, shapes, tmp_path):
    def begin(name):
        command = [
            sys.executable, "-m", "residua", "export", bundle.path, "--prune", "0.5",
            "--calibrate", shapes, "--epochs", "6", "--output", tmp_path / f"{name}.bundle",
        ]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    assert begin("a").wait(120) == 0
    interrupted, lines = begin("b"), tmp_path / "b.run" / "metrics.jsonl"
    while not (lines.is_file() and '"event":"epoch"' in lines.read_text().replace(" ", "")):
        assert interrupted.poll() is None
        time.sleep(0.01)
    interrupted.send_signal(signal.SIGTERM)
    assert interrupted.wait(120) == 143
    started = lines.read_bytes()
    assert begin("b").wait(120) == 0
    assert lines.read_bytes().startswith(started)
    whole, resumed = (read_bundle(tmp_path / f"{name}.bundle").tensors() for name in "ab")
    assert all(np.array_equal(resumed[name], tensor) for name, tensor in whole.items())
    assert not list(tmp_path.glob("*-cut-*"))


def test_what_would_not_be_heard_is_refused_before_any_work(bundle, shapes, tmp_path):
    def refusal(*words):
        done = CliRunner().invoke(app, ["export", str(bundle.path), *words])
        return str(done.exception or done.output)

    assert "--epochs" in refusal("--format", "onnx", "--epochs", "2")
    assert "do not go together" in refusal("--prune", "0.3", "--verify")
    assert "format named 'onx'" in refusal(
        "--prune", "0.3", "--calibrate", str(shapes), "-f", "onx"
    )
    assert not list(tmp_path.glob("*.run"))


@pytest.mark.parametrize(
    ("share", "message"), [(0.0, "cannot be pruned"), (1.0, "cannot be pruned")]
)
def test_shares_outside_are_refused(bundle, shapes, tmp_path, share, message):
    with pytest.raises(SettingError, match=message):
        prune_bundle(bundle, str(shapes), share, tmp_path / "y.bundle")
    assert not (tmp_path / "y.bundle").exists()


def test_other_classes_and_an_existing_bundle_are_refused(bundle, shapes, tmp_path):
    other = make_bundle(tmp_path / "o.bundle", "ResNet20", num_classes=4, preprocess=PLAIN)
    with pytest.raises(DataError, match="class"):
        prune_bundle(other, str(shapes), 0.3, tmp_path / "y.bundle")
    wide = with_classes(tmp_path, (*bundle.manifest.classes.names, "unseen"), "wide")
    with pytest.raises(SettingError, match=r"no picture of 1 of the bundle's classes.*unseen"):
        prune_bundle(wide, str(shapes), 0.3, tmp_path / "y.bundle")
    with pytest.raises(SettingError, match="exists already"):
        prune_bundle(bundle, str(shapes), 0.3, other.path)
    with pytest.raises(SettingError, match="is the bundle that is pruned"):
        prune_bundle(bundle, str(shapes), 0.3, bundle.path, overwrite=True)


def test_the_recipe_follows_the_bundle_and_what_was_said(bundle):
    from residua.data.settings import DataPart

    recipe = make_recipe(bundle, DataPart(val_fraction=0.4), 3, ["optimiser.lr=0.005"])
    assert recipe.augment.image_size == recipe.evaluate.image_size == 24
    assert (recipe.loop.epochs, recipe.optimiser.lr, recipe.data.val_fraction) == (3, 0.005, 0.4)


def test_networks_are_timed_in_turns():
    order = []

    class Recorder:
        def __init__(self, name):
            self.name = name

        def run(self, _):
            order.append(self.name)

    times = time_in_turns([Recorder("a"), Recorder("b")], None)
    assert order == ["a", "b"] * (len(order) // 2)
    assert all(least <= median <= greatest for least, median, greatest in times)
