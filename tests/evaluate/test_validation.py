"""The validation of a training run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.shapes import write_shapes
from evaluate.together import run_together
from making import make_network
from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.data.sources.folder import read_folder
from residua.evaluate.ranks import SINGLE
from residua.evaluate.validation import Validation, run_module
from residua.pixels.graph import Deployed
from residua.pixels.prepare import prepare


def test_it_counts_what_the_network_answers(tmp_path):
    source = read_folder(write_shapes(tmp_path, count=5))
    preprocess = Preprocess(crop_size=24, short_side=24)
    network = make_network(num_classes=3, widths=(8, 8, 16, 16), small_images=True)
    validation = Validation(network, preprocess, source, batch_size=4)
    with pytest.raises(SettingError, match="Nothing has been validated"):
        _ = validation.latest
    metrics = validation.run()
    crops = np.stack([prepare(source.read(index), preprocess) for index in range(15)])
    with torch.no_grad():
        answers = Deployed(network, preprocess).eval()(torch.from_numpy(crops)).argmax(1).numpy()
    assert metrics.top1 == (answers == source.labels).mean()
    assert validation.latest.metrics == metrics
    assert validation.run() == metrics
    # The network is used as it is at each run.
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([0.0, 9.0, 0.0]))
    validation.run()
    assert validation.latest.tally.right.tolist() == [0, 5, 0]


def test_several_labels_and_several_processes(tmp_path):
    source = read_folder(write_shapes(tmp_path, count=5))
    source = replace(source, labels=source.labels[:, None] <= np.arange(3))
    preprocess = Preprocess(crop_size=24, short_side=24)
    network = make_network(num_classes=3, widths=(8, 8, 16, 16), small_images=True)

    def work(ranks):
        validation = Validation(
            network, preprocess, source, batch_size=4, ranks=ranks, keep_probabilities=True
        )
        validation.run()
        return validation.latest

    alone = work(SINGLE)
    for result in run_together(2, work):
        np.testing.assert_allclose(
            result.scores.probabilities, alone.scores.probabilities, atol=1e-6
        )
        assert result.metrics.map == pytest.approx(alone.metrics.map, abs=1e-6)
    crops = np.stack([prepare(source.read(index), preprocess) for index in range(15)])
    with torch.no_grad():
        deployed = Deployed(network, preprocess, task="multi-label").eval()
        expected = deployed(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(alone.scores.probabilities, expected, atol=1e-6)


def test_a_module_runs_on_arrays():
    preprocess = Preprocess(crop_size=16, short_side=16)
    network = make_network(num_classes=3, widths=(8, 8, 16, 16), small_images=True)
    run = run_module(Deployed(network, preprocess).eval())
    probabilities = run(np.zeros((2, 16, 16, 3), dtype=np.uint8))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
