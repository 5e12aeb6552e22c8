"""int8: calibrated, judged, and refused where it costs more than is allowed."""

import numpy as np
import onnx
import pytest

from making import make_bundle, save_noise
from residua.base.errors import DataError, EngineError
from residua.bundle.schema import Drop
from residua.bundle.store import read_bundle
from residua.engines.choose import open_engine
from residua.export import quantise
from residua.export.guard import Guard, open_guard
from residua.export.run import export_bundle
from residua.export.verify import verify_exports

NARROW = (16, 16, 32, 32)


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=NARROW)


@pytest.fixture
def pictures(tmp_path):
    for seed in range(12):
        save_noise(tmp_path / "flat" / f"{seed}.png", seed=seed)
    return tmp_path / "flat"


@pytest.fixture
def labelled(tmp_path):
    for part, first in (("train", 0), ("val", 100)):
        for label in range(5):
            for seed in range(2):
                path = tmp_path / "data" / part / f"class {label}" / f"{seed}.png"
                save_noise(path, seed=first + 10 * label + seed)
    return tmp_path / "data"


def test_pictures_without_labels_are_judged_by_agreement(bundle, pictures):
    guard = open_guard(bundle, str(pictures))
    assert (guard.score, guard.images, len(guard.crops)) == ("agreement", 12, 12)
    network = open_engine(bundle, engine="torch").run
    assert guard.judge(network) == 1
    assert guard.judge(lambda batch: np.roll(network(batch), 1, axis=1)) == 0
    assert "judged" in guard.notes[0]


def test_a_labelled_set_is_calibrated_on_train_and_judged_on_val(tmp_path, labelled):
    from residua.bundle.schema import Classes
    from residua.bundle.store import amend_bundle

    bundle = make_bundle(tmp_path / "y.bundle", widths=NARROW)
    names = Classes(names=tuple(f"class {label}" for label in range(5)))
    bundle = amend_bundle(bundle, {"classes": names})
    guard = open_guard(bundle, str(labelled), calibration=4)
    assert (guard.score, guard.images, len(guard.crops)) == ("top-1", 10, 4)
    assert guard.notes == ()

    def always_first(batch):
        answers = np.zeros((len(batch), 5), np.float32)
        answers[:, 0] = 1
        return answers

    assert guard.judge(always_first) == pytest.approx(2 / 10)


def test_a_folder_without_pictures_is_refused(bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        open_guard(bundle, str(tmp_path / "empty"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["openvino", "onnx"])
def test_an_int8_export_is_smaller_runs_and_says_what_it_costs(bundle, pictures, kind):
    guard = open_guard(bundle, str(pictures))
    [outcome] = export_bundle(bundle, [kind], precision="int8", guard=guard, max_drop=0.5)
    assert outcome.error is None, outcome.error
    export = outcome.export
    assert export.parity.inputs == export.parity.pictures == 12
    assert export.drop.layers == 1 + 16 + 4 + 1  # stem, blocks, projections, classifier
    assert export.drop.kept == 0
    assert export.drop.int8 >= 0.5
    whole = read_bundle(bundle.path)
    engine = open_engine(whole, engine={"onnx": "onnxruntime"}.get(kind, kind), precision="int8")
    assert "int8" in engine.name
    assert (engine.run(guard.crops).argmax(1) >= 0).all()
    [again] = verify_exports(whole)
    assert again.error is None
    assert open_engine(whole, precision="int8", device="cpu").name == engine.name
    if kind == "onnx":
        model = onnx.load(whole.path / export.entry)
        scales = {i.name: i for i in model.graph.initializer}
        weights = [
            node for node in model.graph.node
            if node.op_type == "DequantizeLinear" and node.input[0] in scales
        ]  # fmt: skip
        assert weights
        assert max(scales[node.input[1]].dims[0] for node in weights if scales[node.input[1]].dims)


def judging(*scores):
    """A guard that answers with ``scores`` in turn, then with the last."""
    left = list(scores)
    crops = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    return Guard(
        crops, lambda _: left.pop(0) if len(left) > 1 else left[0], "top-1", "here", 4, overlap=True
    )


@pytest.mark.slow
def test_a_drop_beyond_what_is_allowed_is_refused_with_the_figures(bundle):
    guard = judging(0.9, 0.9, 0.9, 0.6)  # float32 three times, then every int8 of 60 %
    with pytest.raises(EngineError, match=r"0\.5 points[\s\S]*90\.00%[\s\S]*60\.00%") as caught:
        quantise.quantise(bundle, quantise.for_openvino(), guard, 0.005)
    assert "layers left in float32" in str(caught.value)
    assert "--max-drop" in str(caught.value)


def test_the_drop_is_a_difference_of_scores():
    drop = Drop(
        data="x", images=10, score="top-1", fp32=0.75, int8=0.7, allowed=0.005, layers=20, kept=1,
        calibrated_on=10, reduced_range=False,
    )  # fmt: skip
    assert drop.drop == pytest.approx(0.05)
