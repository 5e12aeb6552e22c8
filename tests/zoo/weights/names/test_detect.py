import numpy as np
import pytest

from residua.base.errors import WeightsError, WeightsMismatchError
from residua.zoo.table import ROWS, find_row
from residua.zoo.weights.names.convert import convert
from residua.zoo.weights.names.detect import detect_row
from zoo.weights.names import published

CASES = [
    pytest.param(
        name,
        namer,
        id=f"{name}-{namer.__name__}",
        marks=pytest.mark.slow if sum(row.depths) > 16 and name != "ResNet101" else (),
    )
    for name, row in ROWS.items()
    for namer in published.families(row)
]


def file_of(row, namer):
    return published.rename(row, published.empty_tensors(row), namer)


@pytest.mark.parametrize(("name", "namer"), CASES)
def test_every_row_is_found_in_every_naming(name, namer):
    row = ROWS[name]
    theirs = file_of(row, namer)
    assert detect_row(theirs, f"/somewhere/{name}_pretrained.pdparams") == row
    twins = {f"{name[:-3]}_vc", f"{name[:-3]}_vd"}
    silent = {published.own, published.by_stage, published.static, published.generated}
    if name in twins and twins <= ROWS.keys() and namer in silent:
        with pytest.raises(WeightsError, match=f"fit .*{name}.*neither") as caught:
            detect_row(theirs, "best_model.pdparams")
        assert "--architecture NAME" in caught.value.next_step
    else:
        assert detect_row(theirs) == row


@pytest.mark.parametrize("name", ["ResNet18", "ResNet34", "ResNet18_vd", "ResNet34_vd"])
def test_torchvision_and_timm_lack_the_first_projection(name):
    row = find_row(name)
    theirs = file_of(row.model_copy(update={"first_projection": False}), published.torch_names)
    assert detect_row(theirs, "model.safetensors") == row


def test_classes_and_channels_come_from_the_file():
    row = find_row("ResNet50").model_copy(update={"num_classes": 12, "input_channels": 1})
    assert detect_row(file_of(row, published.current)) == row


def test_a_file_without_classifier_is_found():
    theirs = file_of(find_row("ResNet50_vd"), published.torch_names)
    theirs = {name: array for name, array in theirs.items() if not name.startswith("fc.")}
    assert detect_row(theirs) == find_row("ResNet50_vd")


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("ResNet50_vd_ssld_pretrained.pdparams", "ResNet50_vd"),
        ("/a_vc_folder/Fix_ResNet50_vd_ssld_v2_pretrained.pdparams", "ResNet50_vd"),
        ("ResNet50_vc_pretrained.pdparams", "ResNet50_vc"),
        ("ResNet50_vc_infer.tar", "ResNet50_vc"),
        ("resnet50c.safetensors", "ResNet50_vc"),
        ("resnet50d_ra2.safetensors", "ResNet50_vd"),
    ],
)
def test_the_file_name_decides_between_twins(filename, name):
    assert detect_row(file_of(find_row(name), published.by_stage), filename) == find_row(name)


def test_a_file_name_that_contradicts_the_names_is_refused():
    theirs = file_of(find_row("ResNet50_vd"), published.current)
    with pytest.raises(WeightsError, match="file is named ResNet50_vc_pretrained"):
        detect_row(theirs, "ResNet50_vc_pretrained.pdparams")


def test_cifar_networks_and_imagenet_networks_are_not_confused():
    small = find_row("ResNet18").model_copy(
        update={"stem": "3x3", "num_classes": 10, "first_projection": False}
    )
    theirs = {
        name.replace(".downsample.", ".shortcut."): array
        for name, array in file_of(small, published.cifar).items()
    }
    found = detect_row(theirs, "resnet18_cifar10.pth")
    assert found == small.model_copy(update={"first_projection": True})
    assert convert(theirs, found).row == found

    imagenet_names = file_of(small, published.torch_names)
    with pytest.raises(WeightsError, match="single 3x3 convolution"):
        detect_row(imagenet_names, "resnet18.pth")


def test_a_network_with_other_depths_is_described():
    row = find_row("ResNet50").model_copy(update={"depths": (3, 24, 36, 3)})
    with pytest.raises(WeightsError, match=r"bottleneck blocks, 3 \+ 24 \+ 36 \+ 3"):
        detect_row(file_of(row, published.torch_names), "resnet200.pth")


def test_the_nearest_row_is_shown_with_its_differences():
    row = find_row("ResNet50_vd").model_copy(update={"stem_widths": (24, 48, 64)})
    with pytest.raises(WeightsMismatchError, match="The nearest is ResNet50_vd") as caught:
        detect_row(file_of(row, published.torch_names), "resnet50t.safetensors")
    assert any(line.startswith("shape       conv1.0.weight") for line in caught.value.differences)


def test_average_pools_without_a_deep_stem_are_no_row():
    plain = find_row("ResNet50").model_copy(update={"shortcut": "average"})
    with pytest.raises(WeightsMismatchError, match="shortcut    the file pools before"):
        detect_row(file_of(plain, published.torch_names))


@pytest.mark.parametrize(
    "filename",
    ["resnetaa50d.sw_in12k.safetensors", "resnetblur50_bt.pth", "seresnextaa101d_32x8d.bin",
     "ResNet50_last_stage_stride1.pdparams", "resnet50_caffe-788b5fa3.pth"],
)  # fmt: skip
def test_networks_that_only_the_file_name_tells_are_refused(filename):
    theirs = file_of(find_row("ResNet50"), published.torch_names)
    with pytest.raises(WeightsError, match="by its name"):
        detect_row(theirs, filename)


def test_an_incomplete_file_is_no_row():
    theirs = file_of(find_row("ResNet50"), published.torch_names)
    del theirs["layer3.4.bn2.weight"]
    with pytest.raises(
        WeightsMismatchError, match=r"missing     stages\.2\.4\.conv1\.norm\.weight"
    ):
        detect_row(theirs)


def test_something_else_entirely():
    with pytest.raises(WeightsError, match="of no kind"):
        detect_row({"embeddings.weight": np.zeros((4, 4), np.float32)})
    with pytest.raises(WeightsError, match="of no kind"):
        detect_row({})
