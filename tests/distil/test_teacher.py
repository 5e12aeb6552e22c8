"""The teacher answers as its bundle does, whatever the student's pictures are like."""

import numpy as np
import pytest
import torch

from making import make_bundle
from residua.base.errors import SettingError
from residua.bundle.schema import Classes
from residua.distil.teachers.teacher import make_teacher
from residua.pixels.graph import Normalize
from residua.train.update.precision import Precision
from residua.zoo.load import make_network

CPU = Precision("fp32", torch.device("cpu"), "a test")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("teacher") / "t.bundle", "ResNet20")


@pytest.fixture
def crops(bundle):
    side = bundle.manifest.preprocess.crop_size
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
    )


def answer(bundle, crops):
    manifest = bundle.manifest
    network = make_network(manifest.architecture, bundle.tensors()).eval()
    given = manifest.preprocess
    with torch.no_grad():
        return network(Normalize(given.mean, given.std)(crops))


def test_the_same_preprocessing(bundle, crops):
    seen, classes = bundle.manifest.preprocess, bundle.manifest.classes
    teacher = make_teacher(bundle, classes, seen, precision=CPU)
    found = teacher.observe(Normalize(seen.mean, seen.std)(crops)).logits
    torch.testing.assert_close(found, answer(bundle, crops))
    assert not found.requires_grad


def test_another_mean_and_deviation_are_undone(bundle, crops):
    changed = {"mean": (0.1, 0.5, 0.9), "std": (0.5, 0.3, 1.0)}
    seen = bundle.manifest.preprocess.model_copy(update=changed)
    teacher = make_teacher(bundle, bundle.manifest.classes, seen, precision=CPU)
    found = teacher.observe(Normalize(seen.mean, seen.std)(crops)).logits
    torch.testing.assert_close(found, answer(bundle, crops), rtol=1e-4, atol=1e-4)


def test_another_size_is_brought_to_the_teachers(bundle):
    side = bundle.manifest.preprocess.crop_size
    seen = bundle.manifest.preprocess.model_copy(update={"crop_size": side // 2})
    teacher = make_teacher(bundle, bundle.manifest.classes, seen, precision=CPU)
    plain = torch.full((1, 3, side // 2, side // 2), 0.3)
    torch.testing.assert_close(teacher.translate(plain), torch.full((1, 3, side, side), 0.3))


def test_classes_are_matched_by_name_in_the_students_order(bundle, crops):
    names = bundle.manifest.classes.names
    own = Classes(names=(names[3], names[0]))
    seen = bundle.manifest.preprocess
    teacher = make_teacher(bundle, own, seen, precision=CPU)
    found = teacher.observe(Normalize(seen.mean, seen.std)(crops)).logits
    torch.testing.assert_close(found, answer(bundle, crops)[:, [3, 0]])
    with pytest.raises(SettingError, match="does not know 1 of the student's 2 classes: moon"):
        make_teacher(bundle, Classes(names=(names[0], "moon")), seen, precision=CPU)


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_nothing_in_it_changes(bundle, crops, statistics):
    seen = bundle.manifest.preprocess
    teacher = make_teacher(
        bundle, bundle.manifest.classes, seen, precision=CPU, statistics=statistics
    )
    before = {name: tensor.clone() for name, tensor in teacher.network.state_dict().items()}
    pictures = Normalize(seen.mean, seen.std)(crops)
    teacher.train()
    found = teacher.observe(pictures).logits
    for name, tensor in teacher.network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    manifest = bundle.manifest
    network = make_network(manifest.architecture, bundle.tensors()).train(statistics == "batch")
    torch.testing.assert_close(found, network(pictures).detach())


def test_answers_that_are_no_distribution_teach_nobody(bundle):
    manifest = bundle.manifest.model_copy(update={"task": "multi-label"})
    with pytest.raises(SettingError, match="multi-label"):
        make_teacher(
            type(bundle)(bundle.path, manifest), manifest.classes, manifest.preprocess,
            precision=CPU,
        )  # fmt: skip
