import argparse
import contextlib
import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.weights.files.read import read_tensors
from zoo.weights.files import written
from zoo.weights.program import exported


@pytest.fixture
def state():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    return network.state_dict()


def torch_bytes(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def read(tmp_path, content, name="file.bin"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_tensors(path)


def assert_same(found, state, tolerance=0.0):
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_allclose(found[name], tensor.float(), rtol=tolerance, atol=tolerance)
        if tensor.is_floating_point():
            assert found[name].dtype == np.float32
            assert found[name].flags.writeable


@pytest.mark.parametrize("name", ["weights.safetensors", "no suffix", "misleading.pth"])
def test_safetensors_by_content(tmp_path, state, name):
    assert_same(read(tmp_path, save(state), name), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(tmp_path, state, dtype):
    state = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    assert_same(read(tmp_path, save(state)), state)
    assert_same(read(tmp_path, torch_bytes(state)), state)
    assert_same(read(tmp_path, torch_bytes(state, _use_new_zipfile_serialization=False)), state)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        OrderedDict,
        lambda state: {"state_dict": state, "epoch": 3, "best_prec1": 91.5, "arch": "resnet20"},
        lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
        lambda state: {"net": state, "acc": torch.tensor(0.5)},
        lambda state: {"state_dict": {"model": state}},
        lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {f"_orig_mod.module.{name}": value for name, value in state.items()},
        lambda state: {
            "model": {name: value * 0 for name, value in state.items()},
            "model_ema": {
                "n_averaged": torch.tensor(5),
                **{f"module.{name}": value for name, value in state.items()},
            },
        },
        lambda state: {name: torch.nn.Parameter(v) if v.is_floating_point() else v
                       for name, v in state.items()},
    ],
)  # fmt: skip
def test_containers_and_prefixes(tmp_path, state, wrap, zipped):
    content = torch_bytes(wrap(state), _use_new_zipfile_serialization=zipped)
    assert_same(read(tmp_path, content, "checkpoint.pth.tar"), state)


def test_prefixes_that_only_some_names_have_stay(tmp_path, state):
    mixed = {"module.a": state["0.weight"], "b": state["0.bias"]}
    assert read(tmp_path, save(mixed)).keys() == mixed.keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_options_and_figures_of_training_scripts_are_left_aside(tmp_path, state, zipped):
    options = argparse.Namespace(lr=0.1, betas=(0.9, 0.99), data_path="imagenet", resume=None)
    figures = {"best_acc": np.float64(76.1), "epoch": np.int64(90), "done": np.bool_("yes")}
    path = tmp_path / "checkpoint.pth"
    torch.save(
        {"model": state, "args": options, **figures}, path, _use_new_zipfile_serialization=zipped
    )
    assert read_tensors(path).keys() == state.keys()


def test_options_that_hold_more_than_values_are_refused(tmp_path, state):
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    path = tmp_path / "checkpoint.pth"
    torch.save({"model": state, "args": argparse.Namespace(lr=Payload())}, path)
    with pytest.raises(UnsafeFileError, match="system"):
        read_tensors(path)
    assert not marker.exists()


def test_strided_views_come_back_whole(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    state = {"a": base.T, "b": base[:, ::2], "c": base[1]}
    assert_same(read(tmp_path, torch_bytes(state)), state)


def test_the_result_outlives_the_file(tmp_path, state):
    for content in (save(state), torch_bytes(state)):
        path = tmp_path / "file.bin"
        path.write_bytes(content)
        found = read_tensors(path)
        path.write_bytes(b"\0" * len(content))
        path.unlink()
        assert_same(found, state)


class PaddleTensor:
    """A tensor inside a container, as paddle.framework.io's reduce_varbase pickles it."""

    def __reduce__(self):
        return tuple, (("linear_0.b_0", np.arange(3, dtype=np.float32)),)


class TestPaddle:
    def test_keys_of_paddle_are_dropped(self, tmp_path):
        tensors = {"fc.weight": np.ones((3, 2), np.float32), "fc.bias": np.zeros(2, np.float32)}
        found = read(tmp_path, written.pdparams(tensors, 2))
        assert found.keys() == tensors.keys()

    def test_parts_are_joined(self, tmp_path):
        whole = np.arange(24, dtype=np.float32)
        content = {
            "w@@.0": whole[:10],
            "w@@.1": whole[10:],
            "UnpackBigParamInfor@@": {
                "w": {"OriginShape": (2, 3, 4), "slices": ["w@@.0", "w@@.1"]}
            },
        }
        found = read(tmp_path, pickle.dumps(content, 2))
        np.testing.assert_array_equal(found["w"], whole.reshape(2, 3, 4))
        assert found.keys() == {"w"}
        content["UnpackBigParamInfor@@"]["w"]["OriginShape"] = (5, 5)
        with pytest.raises(WeightsError, match="in parts"):
            read(tmp_path, pickle.dumps(content, 2))
        del content["w@@.1"]
        with pytest.raises(WeightsError, match="in parts"):
            read(tmp_path, pickle.dumps(content, 2))

    @pytest.mark.parametrize("protocol", [2, 4])
    def test_named_arrays_are_arrays(self, tmp_path, protocol):
        array = np.ones((3, 2), np.float32)
        content = {"state_dict": {"a": ("linear_0.w_0", array), "b": PaddleTensor()}, "epoch": 2}
        found = read(tmp_path, pickle.dumps(content, protocol))
        np.testing.assert_array_equal(found["a"], array)
        np.testing.assert_array_equal(found["b"], np.arange(3))

    def test_bfloat16_is_kept_as_uint16(self, tmp_path):
        values = torch.tensor([1.5, -3.25, 1e20]).bfloat16()
        bits = values.view(torch.int16).numpy().view(np.uint16)
        found = read(tmp_path, pickle.dumps({"a": bits}, 4))
        np.testing.assert_array_equal(found["a"], values.float())


class Payload:
    def __reduce__(self):
        return print, ("this must not be printed",)


class TestUnsafe:
    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("content", [Payload(), {"conv1.weight": Payload()}])
    def test_pickles_with_calls(self, tmp_path, capsys, content, zipped):
        data = torch_bytes(content, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UnsafeFileError, match=r"print.*Nothing of it was run"):
            read(tmp_path, data)
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("zipped", [True, False])
    def test_whole_networks(self, tmp_path, zipped):
        data = torch_bytes(torch.nn.Linear(2, 2), _use_new_zipfile_serialization=zipped)
        with pytest.raises(UnsafeFileError, match="state_dict"):
            read(tmp_path, data)

    def test_torch_tensors_in_a_plain_pickle(self, tmp_path, state):
        with pytest.raises(UnsafeFileError, match=r"names torch\._utils"):
            read(tmp_path, pickle.dumps(dict(state)))


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "is empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
            (b"<!DOCTYPE html><html>404", "web page"),
            (b"\x1f\x8b\x08\x00abc", "gzip"),
            (b"\x89HDF\r\n\x1a\n" + b"\0" * 600, "HDF5"),
            (b"just some text", "no weight file that residua reads"),
            (b"\x80\x04}.", "holds no tensors"),
            (pickle.dumps([1, 2]), "holds no tensors"),
            (pickle.dumps({"epoch": 1}), "'epoch'"),
            (pickle.dumps({"a": np.array(["text"])}), "array of type U"),
        ],
    )
    def test_what_is_no_weight_file(self, tmp_path, content, says):
        with pytest.raises(WeightsError, match=says) as caught:
            read(tmp_path, content, "some file.pth")
        assert "some file.pth" in str(caught.value)
        assert caught.value.next_step

    def test_missing_files_and_folders(self, tmp_path):
        with pytest.raises(WeightsError, match="No such file"):
            read_tensors(tmp_path / "absent.pth")
        with pytest.raises(WeightsError, match="is a folder, and no inference archive"):
            read_tensors(tmp_path)

    def test_zips_of_others(self, tmp_path, state):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("weights.npy", b"")
        with pytest.raises(WeightsError, match=r"not one that torch\.save wrote"):
            read(tmp_path, buffer.getvalue())
        packed = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(torch_bytes(state))) as source,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
        ):
            for name in source.namelist():
                target.writestr(name, source.read(name))
        with pytest.raises(WeightsError, match="compressed"):
            read(tmp_path, packed.getvalue())

    def test_torchscript(self, tmp_path):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model/data.pkl", b"")
            archive.writestr("model/constants.pkl", b"")
        with pytest.raises(WeightsError, match="TorchScript"):
            read(tmp_path, buffer.getvalue())

    def test_expanded_tensors_do_not_become_large(self, tmp_path):
        huge = torch.zeros(1).expand(1 << 20, 1 << 20)
        with pytest.raises(WeightsError, match="larger than the file"):
            read(tmp_path, torch_bytes({"a": huge}))

    def test_sparse_and_quantised_tensors(self, tmp_path):
        with pytest.raises(WeightsError, match="sparse"):
            read(tmp_path, torch_bytes({"a": torch.eye(3).to_sparse()}))


def _damage(content, draw):
    """Cut the file short, or change a few bytes of it, or cut a piece out."""
    kind, place = draw.integers(3), int(draw.integers(len(content)))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + content[place + int(draw.integers(1, 40)) :]
    changed = bytearray(content)
    for _ in range(int(draw.integers(1, 4))):
        changed[int(draw.integers(len(changed) if draw.integers(2) else 200))] ^= (
            1 << draw.integers(8)
        )
    return bytes(changed)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy", "pdparams", "static", "program"])
def test_damage_gives_our_error_or_tensors_never_another_exception(tmp_path, state, kind):
    record = written.lod_record(np.ones((4, 3, 3, 3), np.float32))
    content = {
        "safetensors": lambda: save(state),
        "zip": lambda: torch_bytes(state),
        "legacy": lambda: torch_bytes(state, _use_new_zipfile_serialization=False),
        "pdparams": lambda: written.pdparams({k: v.numpy() for k, v in state.items()}),
        "static": lambda: written.tar_bytes({"n/conv1_weights": record}),
        "program": lambda: written.tar_bytes(
            {
                "i.pdmodel": exported.pdmodel([], dict.fromkeys("ab", (4, 3, 3, 3))),
                "i.pdiparams": record * 2,
            }
        ),
    }[kind]()
    draw = np.random.default_rng(7)
    refused = 0
    for _ in range(150):
        with contextlib.suppress(WeightsError):
            read(tmp_path, _damage(content, draw), "file.pdparams")
            continue
        refused += 1
    assert refused > 40


def test_a_file_cut_anywhere_is_refused(tmp_path, state):
    save_file(state, tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    for place in range(0, len(content), 13):
        with pytest.raises(WeightsError):
            read(tmp_path, content[:place], "cut.safetensors")
