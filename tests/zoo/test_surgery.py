"""Layers by depth: every parameter once, and how many blocks lie before the head."""

import pytest

from residua.zoo.create import create
from residua.zoo.surgery import freeze, group_parameters, list_layers


@pytest.mark.parametrize("row", ["ResNet18", "SE_ResNet18_vd", "ResNet50_vd", "Res2Net50_26w_4s"])
def test_layers_hold_every_parameter_once(row):
    network = create(row, widths=(8, 8, 16, 16), num_classes=2, seed=0)
    ids = [id(parameter) for layer in list_layers(network) for parameter in layer.parameters]
    assert sorted(ids) == sorted(id(parameter) for parameter in network.parameters())


def test_depth_is_counted_in_blocks_from_the_head():
    network = create("ResNet18", widths=(8, 8, 8, 8), num_classes=2, seed=0)
    layers = list_layers(network)
    assert [(layer.part, layer.blocks_after) for layer in layers] == [
        ("stem", 8), ("stage1", 7), ("stage1", 6), ("stage2", 5), ("stage2", 4),
        ("stage3", 3), ("stage3", 2), ("stage4", 1), ("stage4", 0), ("head", 0),
    ]  # fmt: skip
    last = network.stages[3][1]
    assert {id(p) for p in layers[8].parameters} == {id(p) for p in last.parameters()}


def test_layers_of_a_part_are_its_group():
    network = create("ResNet18", widths=(8, 8, 8, 8), num_classes=2, seed=0)
    freeze(network, "stage1")
    for part, group in group_parameters(network).items():
        found = [
            p for layer in list_layers(network) if layer.part == part for p in layer.parameters
        ]
        assert [id(p) for p in found] == [id(p) for p in group]
        assert bool(found) == (part not in {"stem", "stage1"})
