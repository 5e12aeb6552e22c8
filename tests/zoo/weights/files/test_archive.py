import io
import tarfile

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.table import find_row
from residua.zoo.weights.files.read import read_tensors
from residua.zoo.weights.names.convert import convert
from zoo.weights.files import written
from zoo.weights.names import published


def tar(tmp_path, files, name="archive.tar"):
    path = tmp_path / name
    path.write_bytes(written.tar_bytes(files))
    return path


def tar_of(tmp_path, **changes):
    """An archive whose one member is unusual."""
    info = tarfile.TarInfo(changes.pop("name", "conv1_weights"))
    for key, value in changes.items():
        setattr(info, key, value)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(info, io.BytesIO(b"\0" * info.size))
    path = tmp_path / "archive.tar"
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize(
    "name", ["ResNet18", "ResNet50_vd", "SE_ResNet18_vd", "SE_ResNeXt50_32x4d"]
)
def test_a_static_archive_is_a_file_a_variable(tmp_path, name):
    row = published.shrink(find_row(name))
    ours = published.random_tensors(row)
    theirs = published.rename(row, ours, published.static)
    files = {f"{name}_pretrained/{key}": written.lod_record(v) for key, v in theirs.items()}
    files[f"{name}_pretrained/@LR_DECAY_COUNTER@"] = b"not a tensor"
    files[f"{name}_pretrained/conv1_weights_velocity_0"] = b"of the optimiser"
    files[f"{name}_pretrained/._fc_0.w_0"] = b"a companion file of macOS"
    tensors = read_tensors(tar(tmp_path, files, f"{name}_pretrained.tar"))
    found = convert(tensors, row)
    assert all(np.array_equal(found.tensors[key], array) for key, array in ours.items())


def test_one_weight_file_inside(tmp_path):
    tensors = {"conv1.weight": np.ones((2, 3), np.float32)}
    buffer = io.BytesIO()
    torch.save({"state_dict": {"conv1.weight": torch.ones(2, 3)}}, buffer)
    for suffix, content in (
        ("safetensors", save(tensors)),
        ("pdparams", written.pdparams(tensors)),
        ("pth", buffer.getvalue()),
    ):
        path = tar(tmp_path, {"README.md": b"hello", f"weights/model.{suffix}": content})
        np.testing.assert_array_equal(read_tensors(path)["conv1.weight"], tensors["conv1.weight"])


def test_a_damaged_file_inside_is_named(tmp_path):
    path = tar(tmp_path, {"weights/model.safetensors": save({"a": np.ones(3)})[:-2]})
    with pytest.raises(WeightsError, match=r"archive\.tar, in it weights/model\.safetensors,"):
        read_tensors(path)


@pytest.mark.parametrize(
    "files", [{}, {"a.txt": b""}, {"a.pth": b"x", "b.pth": b"y"}, {"inference.json": b"{}"}]
)
def test_none_or_several_weight_files(tmp_path, files):
    with pytest.raises(WeightsError):
        read_tensors(tar(tmp_path, files))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "/etc/conv1_weights"},
        {"name": "../conv1_weights"},
        {"name": "a/../../conv1_weights"},
        {"name": "a\\..\\conv1_weights"},
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "other"},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE},
    ],
)
def test_unsafe_members_are_refused(tmp_path, changes):
    with pytest.raises(UnsafeFileError, match="Nothing of it was unpacked"):
        read_tensors(tar_of(tmp_path, **changes))


def test_two_members_of_one_name_are_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("conv1_weights"), io.BytesIO())
    path = tmp_path / "archive.tar"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UnsafeFileError, match="two members"):
        read_tensors(path)


def test_a_member_larger_than_the_archive_is_refused(tmp_path):
    path = tar_of(tmp_path, size=4096)
    content = bytearray(path.read_bytes())
    header = tarfile.TarInfo("conv1_weights")
    header.size = 1 << 40
    content[:512] = header.tobuf(tarfile.GNU_FORMAT)[:512]
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        read_tensors(path)


def test_nothing_is_written_beside_the_archive(tmp_path):
    path = tar(tmp_path, {"weights/model.safetensors": save({"a": np.ones(3, np.float32)})})
    read_tensors(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["archive.tar"]
