"""Random networks to measure with: their answers hold in half precision, as trained ones' do."""

import numpy as np
import pytest
import torch

from residua.bench.stand_in import make_stand_in
from residua.engines.parity import TOLERANCES, compare
from residua.engines.probes import make_probes
from residua.engines.pytorch import compute_reference
from residua.zoo.load import load_network
from residua.zoo.weights.catalogue import find_architecture


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ResNet50_vd", "Res2Net50_vd_26w_4s", "ResNet20"])
def test_answers_hold_in_bfloat16_and_differ_between_pictures(tmp_path, model):
    bundle = make_stand_in(tmp_path / "x.bundle", find_architecture(model))
    preprocess = bundle.manifest.preprocess
    crops = make_probes(preprocess)
    reference = compute_reference(bundle, crops)
    mean, std = (torch.tensor(each)[:, None, None] for each in (preprocess.mean, preprocess.std))
    images = (torch.from_numpy(crops).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        answers = load_network(bundle)(images).float().softmax(1).numpy()

    _, excesses = compare(reference, answers, TOLERANCES["bf16"])

    assert not excesses
    assert len(np.unique(reference.argmax(1))) > 3
