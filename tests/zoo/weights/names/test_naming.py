import numpy as np
import pytest

from residua.zoo.table import ROWS, find_row
from residua.zoo.weights.names.convert import convert
from zoo.weights.names import published

CASES = [
    pytest.param(
        name,
        namer,
        id=f"{name}-{namer.__name__}",
        # ResNet101 stands for the deep ones, whose third stage is named otherwise.
        marks=pytest.mark.slow if sum(row.depths) > 16 and name != "ResNet101" else (),
    )
    for name, row in ROWS.items()
    for namer in published.families(row)
]


@pytest.mark.parametrize(("name", "namer"), CASES)
def test_every_row_returns_from_every_naming(name, namer):
    row = published.shrink(ROWS[name])
    ours = published.random_tensors(row)
    theirs = published.rename(row, ours, namer)
    assert len(theirs) == len(ours), "the test's own names are distinct"
    found = convert(theirs, row)
    assert found.tensors.keys() == ours.keys()
    for key, array in ours.items():
        np.testing.assert_array_equal(found.tensors[key], array, err_msg=key)
        assert found.tensors[key].dtype == np.float32
        assert found.tensors[key].flags.c_contiguous
    assert found.row == row
    assert found.notes == ()


def test_one_dimensional_attention_of_timm_is_a_convolution():
    row = published.shrink(find_row("SE_ResNeXt50_32x4d"))
    ours = published.random_tensors(row)
    theirs = published.rename(row, ours, published.torch_names)
    theirs = {
        k: v[:, :, None, None] if ".se." in k and v.ndim == 2 else v for k, v in theirs.items()
    }
    found = convert(theirs, row)
    for key, array in ours.items():
        np.testing.assert_array_equal(found.tensors[key], array, err_msg=key)


def test_kuangliu_names_its_shortcut_and_classifier_otherwise():
    row = published.shrink(find_row("ResNet50")).model_copy(update={"stem": "3x3"})
    ours = published.random_tensors(row)
    theirs = {
        key.replace(".downsample.", ".shortcut."): array
        for key, array in published.rename(row, ours, published.cifar).items()
    }
    found = convert(theirs, row)
    assert all(np.array_equal(found.tensors[key], array) for key, array in ours.items())


def test_paddle_vision_has_torch_names_and_paddle_layout():
    row = published.shrink(find_row("ResNet50"))
    ours = published.random_tensors(row)
    theirs = {
        k.replace("running_mean", "_mean").replace("running_var", "_variance"): v.T
        if v.ndim == 2
        else v
        for k, v in published.rename(row, ours, published.torch_names).items()
    }
    found = convert(theirs, row)
    assert all(np.array_equal(found.tensors[key], array) for key, array in ours.items())
