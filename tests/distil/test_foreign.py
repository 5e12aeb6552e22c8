"""An .onnx teacher, as another framework writes it: logits or probabilities, either layout."""

import numpy as np
import pytest
import torch

from distil.test_learner import CPU
from residua.base.errors import SettingError
from residua.bundle.schema import Classes, Preprocess
from residua.distil.teachers.foreign import OnnxTeacher
from residua.distil.teachers.teacher import open_teacher
from residua.train.recipe.distil import DistilPart

onnx = pytest.importorskip("onnx")
SEEN = Preprocess(crop_size=8, short_side=8)


def write(path, *, shape=("N", 3, 8, 8), softmax=False, kind=None):
    """A global average, and a linear layer of 4 classes with fixed weights."""
    helper, floats = onnx.helper, kind or onnx.TensorProto.FLOAT
    weight = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    axes = [1, 2] if shape[-1] == 3 else [2, 3]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["y"], axis=1))
    output = "y" if softmax else "logits"
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", floats, list(shape))],
        [helper.make_tensor_value_info(output, floats, ["N", 4])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return weight


@pytest.fixture
def pictures():
    return torch.from_numpy(np.random.default_rng(0).standard_normal((5, 3, 8, 8))).float()


@pytest.mark.parametrize(
    "shape", [("N", 3, 8, 8), (1, 3, 8, 8), ("N", 8, 8, 3), ("N", 3, "H", "W")]
)
def test_it_answers_as_the_graph_says(tmp_path, pictures, shape):
    weight = write(tmp_path / "t.onnx", shape=shape)
    teacher = OnnxTeacher(tmp_path / "t.onnx", 4, SEEN)
    found = teacher.observe(pictures).logits
    np.testing.assert_allclose(found, pictures.numpy().mean((2, 3)) @ weight, rtol=1e-4, atol=1e-5)


def test_probabilities_become_logarithms(tmp_path, pictures):
    weight = write(tmp_path / "t.onnx", softmax=True)
    teacher = OnnxTeacher(tmp_path / "t.onnx", 4, SEEN)
    logits = torch.from_numpy(pictures.numpy().mean((2, 3)) @ weight)
    torch.testing.assert_close(teacher.observe(pictures).logits, logits.log_softmax(1))


def test_what_is_no_teacher_is_said(tmp_path, pictures):
    path = tmp_path / "t.onnx"
    write(path)
    with pytest.raises(SettingError, match="the student has 7 classes"):
        OnnxTeacher(path, 7, SEEN)
    with pytest.raises(SettingError, match="answers only"):
        OnnxTeacher(path, 4, SEEN).observe(pictures, ("stage4",))
    path.write_bytes(b"no graph")
    with pytest.raises(SettingError, match="cannot be read as ONNX"):
        OnnxTeacher(path, 4, SEEN)


def test_a_suffix_chooses_it(tmp_path):
    write(tmp_path / "t.onnx")
    classes = Classes(names=("a", "b", "c", "d"))
    found = open_teacher(str(tmp_path / "t.onnx"), DistilPart(), classes, SEEN, CPU)
    assert isinstance(found, OnnxTeacher)


@pytest.mark.parametrize("values", [{"statistics": "batch"}, {"precision": "bf16"}])
def test_what_a_graph_cannot_be_told_is_refused(tmp_path, values):
    write(tmp_path / "T.ONNX")
    classes = Classes(names=("a", "b", "c", "d"))
    with pytest.raises(SettingError, match="answers as its file says"):
        open_teacher(str(tmp_path / "T.ONNX"), DistilPart(**values), classes, SEEN, CPU)
