"""Sweeps over test sizes: what is asked, what is seen, what is chosen."""

import numpy as np
import pytest

from data.shapes import write_shapes
from making import make_bundle
from residua.base.errors import SettingError
from residua.bundle.schema import Metrics, Preprocess
from residua.data.sources.folder import read_folder
from residua.data.view import EvaluationView
from residua.engines.choose import open_engine
from residua.evaluate.metrics import Tally
from residua.evaluate.multilabel import count_labels
from residua.evaluate.resolution import Trial, choose, read_sizes, scale_preprocess, sweep
from residua.evaluate.run import Evaluation, evaluate


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("160..320", (160, 192, 224, 256, 288, 320)),
        ("160..224:16", (160, 176, 192, 208, 224)),
        ("160 .. 200 : 30", (160, 190)),
        ("224,160, 192,160", (160, 192, 224)),
        ("64", (64,)),
    ],
)
def test_sizes_are_read(text, sizes):
    assert read_sizes(text) == sizes


@pytest.mark.parametrize(
    "text", ["", "big", "320..160", "160..320:0", "0", "9000", "1..8000:1", "160-320", "160,,192"]
)
def test_what_names_no_sizes_is_refused(text):
    with pytest.raises(SettingError, match="--sizes"):
        read_sizes(text)


def test_the_short_side_goes_with_the_crop():
    given = Preprocess(crop_size=224, short_side=256)
    scaled = scale_preprocess(given, 160)
    assert (scaled.crop_size, scaled.short_side) == (160, 183)  # 256 · 160 / 224 = 182.86
    assert scale_preprocess(given, 224) == given


def _trial(size, right, seen=None):
    """A trial of a single class that gets the pictures ``right``."""
    right = np.array(right, dtype=bool)
    tally = Tally(2)
    probabilities = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]]).astype(np.float32)
    tally.add(probabilities, np.zeros(len(right), np.int64))
    evaluation = Evaluation(Metrics(source="measured", data="x"), tally, (), ())
    return Trial(scale_preprocess(Preprocess(), size), evaluation, right, 1.0, 8)


def test_the_best_is_chosen_where_it_can_be_told():
    trials = [
        _trial(128, [True] * 60 + [False] * 40),
        _trial(160, [True] * 90 + [False] * 10),
        _trial(192, [True] * 60 + [False] * 40),
    ]
    chosen, reason = choose(trials, 192)
    assert chosen is trials[1]
    # Thirty pictures that only one gets right: p = 2 · (1/2)³⁰ = 1.9e-9.
    assert reason == (
        "160 pixels are the best, better than the present 192 (McNemar p = 1.9e-09; 30.00 points)."
    )
    assert choose(trials, 160) == (trials[1], "160 pixels, the present size, are the best.")


def test_equals_go_to_the_smaller_size():
    good, poor = [True] * 90 + [False] * 10, [True] * 60 + [False] * 40
    trials = [_trial(192, good), _trial(160, good), _trial(128, poor)]
    assert choose(trials, 128)[0].size == 160


def test_what_cannot_be_told_from_the_best_stays_only_if_it_is_present():
    trials = [
        _trial(128, [True] * 70 + [False] * 30),
        _trial(160, [True] * 88 + [False] * 12),
        _trial(192, [True] * 90 + [False] * 10),
    ]
    chosen, reason = choose(trials, 160)
    assert chosen.size == 160
    # Two pictures that only one gets right: p = 2 · (1/2)² = 0.5.
    assert "not distinguishable from the present size, 160 (McNemar p = 0.5; 2.00 points)" in reason
    assert choose(trials, 128)[0].size == 192


def test_multi_label_pictures_go_by_mean_average_precision():
    labels = np.array([[True, False], [False, True], [True, True]])
    good = labels.astype(np.float32)
    trials = []
    for size, scores in ((96, 1 - good), (128, good), (160, good)):
        counts = count_labels(scores, labels)
        evaluation = Evaluation(Metrics(source="measured", data="x"), counts, (), ())
        trials.append(
            Trial(scale_preprocess(Preprocess(), size), evaluation, np.zeros(3, bool), 1.0, 8)
        )
    assert choose(trials, 160)[0].size == 128


def test_a_sweep_sees_what_each_size_shows(tmp_path):
    source = read_folder(write_shapes(tmp_path / "shapes", count=4))
    bundle = make_bundle(
        tmp_path / "x.bundle", num_classes=3, widths=(8, 8, 16, 16),
        preprocess=Preprocess(crop_size=32, short_side=36),
    )  # fmt: skip
    trials = sweep(bundle, source, (24, 32), batch_size=5)
    assert [trial.size for trial in trials] == [24, 32]
    assert [trial.preprocess.short_side for trial in trials] == [27, 36]
    assert all(trial.milliseconds > 0 for trial in trials)
    assert all(trial.evaluation.scores is None for trial in trials)
    own = evaluate(
        open_engine(bundle).run, EvaluationView(source, bundle.manifest.preprocess), batch_size=5
    )
    assert trials[1].evaluation.metrics == own.metrics
    assert trials[1].right.sum() == own.tally.right.sum()
    assert trials[0].evaluation.metrics.image_size == 24
    assert trials[0].evaluation.metrics.loss != own.metrics.loss
