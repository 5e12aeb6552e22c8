"""The validation of a training run."""

import numpy as np
import torch

from data.shapes import write_shapes
from making import make_network
from residua.bundle.schema import Preprocess
from residua.data.folder import read_folder
from residua.evaluate.validation import Validation, run_module
from residua.pixels.graph import Deployed
from residua.pixels.prepare import prepare


def test_it_counts_what_the_network_answers(tmp_path):
    source = read_folder(write_shapes(tmp_path, count=5))
    preprocess = Preprocess(crop_size=24, short_side=24)
    network = make_network(num_classes=3, widths=(8, 8, 16, 16), small_images=True)
    graph = Deployed(network, preprocess).eval()
    validation = Validation(source, batch_size=4)
    metrics = validation(graph, preprocess)
    crops = np.stack([prepare(source.read(index), preprocess) for index in range(15)])
    with torch.no_grad():
        answers = graph(torch.from_numpy(crops)).argmax(1).numpy()
    assert metrics.top1 == (answers == source.labels).mean()
    assert validation.latest.metrics == metrics
    assert validation(graph, preprocess) == metrics
    # Another preprocessing is another set of crops.
    other = validation(graph, Preprocess(crop_size=16, short_side=24))
    assert other.image_size == 16


def test_a_module_runs_on_arrays():
    preprocess = Preprocess(crop_size=16, short_side=16)
    network = make_network(num_classes=3, widths=(8, 8, 16, 16), small_images=True)
    run = run_module(Deployed(network, preprocess).eval())
    probabilities = run(np.zeros((2, 16, 16, 3), dtype=np.uint8))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
