"""Class activation maps: exact, in the size of the crop, and painted where they are high."""

import numpy as np
import pytest
import torch

from making import make_network
from residua.bundle.schema import Preprocess
from residua.pixels.graph import Normalize
from residua.report.cam import enlarge, map_classes, paint

PREPROCESS = Preprocess(crop_size=96, short_side=96)


@pytest.mark.parametrize("row", ["ResNet18", "ResNet50_vd", "SE_ResNet50_vd", "Res2Net50_26w_4s"])
def test_the_mean_of_a_map_and_the_bias_are_the_logit(row):
    network = make_network(row, num_classes=7, widths=(8, 8, 16, 16))
    torch.nn.init.normal_(network.head.bias)
    crops = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    classes = np.array([[0, 6], [3, 3], [5, 1]])
    maps = map_classes(network, PREPROCESS, crops, classes)
    assert maps.shape == (3, 2, 3, 3)
    with torch.no_grad():
        images = Normalize(PREPROCESS.mean, PREPROCESS.std)(torch.from_numpy(crops))
        logits = network(images).numpy()
    bias = network.head.bias.detach().numpy()
    for picture, pair in enumerate(classes):
        for place, label in enumerate(pair):
            found = maps[picture, place].mean(dtype=np.float64) + bias[label]
            assert found == pytest.approx(logits[picture, label], abs=1e-5)
    assert np.ptp(maps[0, 0]) > 1e-3  # the places do differ


def test_a_larger_map_keeps_levels_and_sides():
    maps = np.array([[[[0, 1], [2, 3]], [[5, 5], [5, 5]]]], np.float32)
    larger = enlarge(maps, 8, 8)
    assert larger.shape == (1, 2, 8, 8)
    assert np.all(larger[0, 1] == 5)
    corners = larger[0, 0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [0, 1, 2, 3]
    assert np.all(np.diff(larger[0, 0], axis=1) >= 0)


def test_only_what_speaks_for_the_class_is_coloured():
    crop = np.full((2, 3, 3), 120, np.uint8)
    heat = np.array([[-4, 0, 1], [2, 4, 9]], np.float32)
    painted = paint(crop, heat, 4.0).astype(int)
    grey = np.ptp(painted, axis=2)
    assert grey[0, 0] == grey[0, 1] == 0
    assert grey[0, 2] > 20
    assert (painted[1, 1] == painted[1, 2]).all()  # the ceiling is the end of the scale
    assert painted[1, 1].sum() > painted[1, 0].sum() > painted[0, 2].sum()


def test_where_nothing_speaks_for_the_class_all_is_grey():
    crop = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    painted = paint(crop, np.full((4, 4), -1, np.float32), -1.0)
    assert (np.ptp(painted, axis=2) == 0).all()
