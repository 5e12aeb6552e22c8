"""Where runs start: from scratch by the seed, or from a bundle with classes matched by name."""

import numpy as np
import pytest
import torch

from making import make_network
from making_recipes import fine_tune, from_scratch
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Classes, Manifest, Preprocess, Provenance
from residua.bundle.store import write_bundle
from residua.train.recipe.compose import Wishes, compose_recipe
from residua.train.recipe.file import change, override
from residua.train.start import start
from residua.zoo.load import export_tensors
from residua.zoo.load import make_network as build

_CLASSES = Classes(names=("cat", "dog", "eel"))
_ORIGIN = Provenance(created="2026-01-01T00:00:00Z", residua="0", made_by="a test")


def _parent(path, row="ResNet18_vd", *, names=("ant", "dog", "cat"), tensors=None, **options):
    network = make_network(row, num_classes=len(names), widths=(8, 8, 16, 16), **options)
    network.row = network.row.model_copy(update={"name": row})
    manifest = Manifest(
        architecture=network.row,
        classes=Classes(names=names),
        preprocess=Preprocess(
            crop_size=64, short_side=73, resampler="opencv", rounding="paddle", mean=(0.5,) * 3
        ),
        provenance=_ORIGIN,
        licence="non-commercial",
    )
    return write_bundle(path, manifest, tensors or export_tensors(network))


def test_from_scratch_is_a_function_of_the_seed():
    recipe = change(from_scratch("ResNet18", epochs=2), {"model.widths": (8, 8, 16, 16)})
    first, second = start(recipe, _CLASSES), start(recipe, _CLASSES)
    other = start(change(recipe, {"loop.seed": 1}), _CLASSES)
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name
    assert not torch.equal(first.network.head.weight, other.network.head.weight)
    assert first.network.row.num_classes == 3
    assert first.preprocess == Preprocess(crop_size=224, short_side=256)
    assert "from scratch" in first.notes[0]


def test_small_pictures_are_used_whole():
    recipe = from_scratch("ResNet18", epochs=2, image_size=32)
    recipe = change(recipe, {"model.widths": (8, 8, 16, 16), "model.stem_width": 8})
    begun = start(recipe, _CLASSES)
    assert (begun.preprocess.crop_size, begun.preprocess.short_side) == (32, 32)
    assert begun.network.row.stem == "3x3"
    assert begun.network.stem[0].conv.out_channels == 8


def test_a_misspelt_network_gets_its_neighbours():
    with pytest.raises(UnknownNameError) as caught:
        start(from_scratch("ResNet18_vdd", epochs=2), _CLASSES)
    assert "ResNet18_vd" in caught.value.suggestions


def test_fine_tuning_keeps_body_known_classes_and_preprocessing(tmp_path):
    bundle = _parent(tmp_path / "parent.bundle")
    recipe = fine_tune(str(bundle.path), epochs=2, image_size=96)
    begun = start(recipe, _CLASSES.model_copy(update={"names": ("cat", "dog"), "ids": ()}))
    given, state = bundle.tensors(), begun.network.state_dict()
    for name, array in given.items():
        if not name.startswith("head."):
            np.testing.assert_array_equal(state[name].numpy(), array, err_msg=name)
    # cat was 2 and is 0, dog stays 1.
    np.testing.assert_array_equal(state["head.weight"][0].numpy(), given["head.weight"][2])
    np.testing.assert_array_equal(state["head.weight"][1].numpy(), given["head.weight"][1])
    np.testing.assert_array_equal(state["head.bias"][:2].numpy(), given["head.bias"][[2, 1]])
    assert begun.network.training
    # 73 / 64 of 96 pixels; the rest of the preprocessing is the parent's.
    assert (begun.preprocess.crop_size, begun.preprocess.short_side) == (96, 110)
    assert begun.preprocess.resampler == "opencv"
    assert begun.preprocess.mean == (0.5,) * 3
    assert begun.licence == "non-commercial"
    assert begun.parent == str(bundle.path)
    assert "2 classes matched by name" in begun.notes[0]


def test_a_head_known_in_part_begins_afresh(tmp_path):
    bundle = _parent(tmp_path / "parent.bundle")
    begun = start(fine_tune(str(bundle.path), epochs=2, image_size=96), _CLASSES)
    state = begun.network.state_dict()
    assert state["head.weight"].shape[0] == len(_CLASSES) == 3
    assert not state["head.weight"].any()
    assert not state["head.bias"].any()
    assert "new head for 3 classes" in begun.notes[0]


def test_another_network_than_the_weights_is_refused(tmp_path):
    bundle = _parent(tmp_path / "parent.bundle")
    with pytest.raises(SettingError, match="ResNet18_vd"):
        start(fine_tune(str(bundle.path), model="ResNet50", epochs=2), _CLASSES)
    assert start(fine_tune(str(bundle.path), model="resnet18-vd", epochs=2), _CLASSES)


@pytest.mark.parametrize(
    ("key", "value", "undone"),
    [
        ("model.small_images", True, "-o model.small_images=false"),
        ("model.widths", (8, 8, 8, 8), "-o model.widths=[]"),
        ("model.stem_width", 4, "-o model.stem_width=null"),
    ],
)
def test_weights_fix_the_shape(tmp_path, key, value, undone):
    recipe = fine_tune(str(_parent(tmp_path / "parent.bundle").path), epochs=2)
    with pytest.raises(SettingError, match=f"fix the stem and the widths.*: {key}") as caught:
        start(change(recipe, {key: value}), _CLASSES)
    assert undone in caught.value.next_step
    override(change(recipe, {key: value}), [undone.removeprefix("-o ")])


def test_a_recipe_for_small_pictures_goes_on_from_its_own_weights_only(tmp_path):
    """``-c cifar --pretrained BUNDLE``: the stem that the bundle has is no reason to refuse it."""
    small = _parent(tmp_path / "small.bundle", "ResNet18", small_images=True)
    large = _parent(tmp_path / "large.bundle", "ResNet18")
    for bundle, fits in ((small, True), (large, False)):
        wishes = Wishes("cifar", {"model.pretrained": str(bundle.path)})
        recipe = compose_recipe(wishes, source=None, gpu=False).recipe
        assert recipe.model.small_images
        if fits:
            assert start(recipe, _CLASSES).network.row.stem == "3x3"
        else:
            with pytest.raises(SettingError, match=r"asks for others: model\.small_images"):
                start(recipe, _CLASSES)


def test_an_identity_projection_is_taken_out(tmp_path):
    """In evaluation nothing changes; in training the shortcut stays what was pretrained."""
    network = make_network("ResNet18", num_classes=3, widths=(64, 8, 8, 8))
    tensors = export_tensors(network)
    prefix = "stages.0.0.shortcut."
    tensors[f"{prefix}conv.weight"] = np.eye(64, dtype=np.float32)[:, :, None, None]
    for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1 - 1e-5)):
        tensors[f"{prefix}norm.{name}"] = np.full(64, value, np.float32)
    manifest = Manifest(
        architecture=network.row, classes=_CLASSES, preprocess=Preprocess(), provenance=_ORIGIN
    )
    bundle = write_bundle(tmp_path / "parent.bundle", manifest, tensors)
    begun = start(fine_tune(str(bundle.path), epochs=2), _CLASSES)
    assert not begun.network.row.first_projection
    images = torch.randn(2, 3, 64, 64)
    whole = build(network.row, tensors).eval()
    with torch.no_grad():
        torch.testing.assert_close(begun.network.eval()(images), whole(images))
    assert type(begun.network)(begun.network.row)  # the row says all that the network is


def test_a_projection_that_does_something_stays(tmp_path):
    recipe = fine_tune(str(_parent(tmp_path / "parent.bundle").path), epochs=2)
    assert start(recipe, _CLASSES).network.row.first_projection


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("paddle", ("opencv", "bilinear", "paddle")),
        ("timm", ("pillow", "bicubic", "torchvision")),
        ("torchvision", ("pillow", "bilinear", "torchvision")),
    ],
)
def test_a_recipe_says_whose_rules_resize_pictures(rules, expected):
    recipe = change(from_scratch("ResNet18", epochs=1), {"evaluate.prepare": rules})
    begun = start(recipe, Classes(names=("a", "b")))
    for preprocess in (begun.preprocess, begun.deployed):
        given = (preprocess.resampler, preprocess.interpolation, preprocess.rounding)
        assert given == expected


def test_the_bundle_may_be_tested_at_another_size():
    recipe = change(
        from_scratch("ResNet18", epochs=1), {"augment.image_size": 176, "evaluate.image_size": 224}
    )
    begun = start(recipe, Classes(names=("a", "b")))
    assert (begun.preprocess.crop_size, begun.deployed.crop_size) == (176, 224)
    assert begun.deployed.short_side == 256
    short = change(recipe, {"evaluate.short_side": 232})
    assert start(short, Classes(names=("a", "b"))).deployed.short_side == 232


def test_frozen_parts_stay_as_they_were():
    recipe = change(from_scratch("ResNet18", epochs=1), {"model.freeze": "stage2"})
    network = start(recipe, Classes(names=("a", "b"))).network.train()
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert all(name.startswith(("stages.2.", "stages.3.", "head.")) for name in trained)
    assert not network.stages[1][0].conv0.norm.training
