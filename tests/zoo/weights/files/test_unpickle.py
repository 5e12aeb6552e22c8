"""Pickles that must not run: each is shown to be live by Python's own unpickler."""

import builtins
import copyreg
import functools
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.weights.files.read import read_tensors
from residua.zoo.weights.files.unpickle import unpickle


class Call:
    """An object whose unpickling calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class WithState:
    """An object whose unpickling calls __setstate__, and an instance dictionary before it."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return functools.partial, (print,), self.state


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def named(module, name):
    return b"c" + f"{module}\n{name}\n".encode()


def payloads(command):
    """Pickles that run ``command``, in as many ways as a pickle has."""
    system = Call(os.system, command)
    for protocol in range(6):
        yield f"reduce-{protocol}", pickle.dumps(system, protocol=protocol)
        yield (
            f"in a state dict-{protocol}",
            pickle.dumps({"conv1.weight": system}, protocol=protocol),
        )
    code = f"__import__('os').system({command!r})"
    yield "eval", pickle.dumps(Call(eval, code))
    yield "exec", pickle.dumps(Call(exec, code))
    found = Call(getattr, Call(__import__, "os"), "system")
    yield "getattr chain", pickle.dumps(Call(map, found, [command])) + b""
    yield "posix", b"\x80\x02" + named("posix", "system") + text(command) + b"\x85R."
    yield (
        "nt by stack",
        b"\x80\x04" + text("posix") + text("system") + b"\x93" + text(command) + b"\x85R.",
    )
    yield "inst", b"(S" + repr(command).encode() + b"\nios\nsystem\n."
    yield "obj", b"\x80\x02(" + named("os", "system") + text(command) + b"o."
    yield "in an object array", pickle.dumps(np.array([system, None], dtype=object))
    yield "in an ordered dictionary", pickle.dumps(OrderedDict(a=system))
    yield "as a key", b"\x80\x02}(" + pickle.dumps(system, 2)[2:-1] + b"Nu."
    yield (
        "in a type",
        b"\x80\x02" + named("numpy", "dtype") + pickle.dumps(system, 2)[2:-1] + b"\x85R.",
    )
    yield (
        "in an array's shape",
        b"\x80\x02" + named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray")
        + pickle.dumps(system, 2)[2:-1] + text("b") + b"\x87R.",
    )  # fmt: skip
    yield "as a state", b"\x80\x02}" + pickle.dumps(system, 2)[2:-1] + b"b."
    yield "popped", pickle.dumps(system, 2)[:-1] + b"0}."
    yield "after the end of a dictionary", b"\x80\x02}" + pickle.dumps(system, 2)[2:-1] + b"0."


LIVE_LATER = {"getattr chain"}  # a map object runs when it is iterated


@pytest.mark.parametrize("number", range(len(list(payloads("")))))
def test_no_payload_runs(number, tmp_path):
    marker = tmp_path / "ran"
    name, content = list(payloads(f"touch {marker}"))[number]
    for file in (tmp_path / "w.pdparams", tmp_path / "w"):
        file.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            read_tensors(file)
        assert isinstance(caught.value, UnsafeFileError) or file.suffix == "", name
        with pytest.raises(UnsafeFileError, match="Nothing of it was run"):
            unpickle(file)
    assert not marker.exists(), name

    try:
        result = pickle.loads(content)
        if name in LIVE_LATER:
            list(result)
    except (TypeError, ValueError, AttributeError, pickle.UnpicklingError):
        pass
    assert marker.exists(), f"{name} proves nothing: Python's unpickler does not run it either"


def test_extension_codes_are_refused(tmp_path):
    marker = tmp_path / "ran"
    copyreg.add_extension("posix", "system", 240)
    try:
        content = b"\x80\x02\x82\xf0" + text(f"touch {marker}") + b"\x85R."
        file = tmp_path / "w.pdparams"
        file.write_bytes(content)
        with pytest.raises(UnsafeFileError, match="EXT1"):
            read_tensors(file)
        assert not marker.exists()
        pickle.loads(content)
        assert marker.exists()
    finally:
        copyreg.remove_extension("posix", "system", 240)


CALLS_NOTHING = {
    "copyreg": pickle.dumps(WithState({}), 1),
    "new object": pickle.dumps(Exception("x"), 2),
    "partial with a state": pickle.dumps(WithState((print, (), {}, None)), 4),
    "builtins": pickle.dumps(builtins.getattr),
    "a set": pickle.dumps({"a"}, 4),
    "complex": pickle.dumps(1j),
    "persistent id": b"\x80\x02" + text("id") + b"Q.",
    "buffer from outside": b"\x80\x05\x97.",
    "a matrix": pickle.dumps(np.array([["a"]])),
    "records": pickle.dumps(np.zeros(2, [("a", "f4")])),
    "another numpy function": b"\x80\x02" + named("numpy", "load") + text("x") + b"\x85R.",
    "a dotted name": b"\x80\x04" + text("numpy") + text("dtype.__init__.__globals__") + b"\x93.",
    "the array class called": b"\x80\x02" + named("numpy", "ndarray") + b"\x8a\x06" + b"\xff" * 5
    + b"\x00\x85\x85R.",
    "a subclass of the array": b"\x80\x02" + named("numpy.core.multiarray", "_reconstruct")
    + named("numpy", "dtype") + b"K\x00\x85" + text("b") + b"\x87R.",
    "state on a name": b"\x80\x02" + named("numpy", "dtype") + b"N}\x86b.",
    "state on a dictionary": b"\x80\x02}}" + text("__class__") + b"Nsb.",
    "a number as key": pickle.dumps({1: 2}),
    "another encoding": b"\x80\x02" + named("_codecs", "encode") + text("x") + text("rot13")
    + b"\x86R.",
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS_NOTHING)
def test_anything_but_data_is_refused(name, tmp_path):
    file = tmp_path / "w.pdparams"
    file.write_bytes(CALLS_NOTHING[name])
    with pytest.raises(UnsafeFileError):
        read_tensors(file)


def array_of(shape, data=b"\0" * 8, code="f4"):
    """A tiny pickle of an array that says it is large."""
    sides = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", side) for side in shape) + b"t"
    dtype = (
        named("numpy", "dtype") + text(code) + b"K\x00K\x01\x87R(K\x03" + text("<")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )  # fmt: skip
    return (
        b"\x80\x03}" + text("conv1.weight") + named("numpy.core.multiarray", "_reconstruct")
        + named("numpy", "ndarray") + sides + text("b") + b"\x87R(K\x01" + sides + dtype
        + b"\x89C" + bytes([len(data)]) + data + b"tbs."
    )  # fmt: skip


def memo_bomb():
    """Tuples of tuples, each ten times the one before by memo: 10 ** 40 elements."""
    level = b")\x94" + b"".join(
        b"(" + b"h" + bytes([i]) + (b"h" + bytes([i])) * 9 + b"t\x94" for i in range(40)
    )
    return b"\x80\x04}" + text("a") + b"(" + level + b"ts."


BOMBS = {
    "shape without bytes": array_of((1 << 40,)),
    "product overflows": array_of((1 << 62, 1 << 62)),
    "negative": array_of((-1,)),
    "nothing, but wide": array_of((0, 1 << 62), b""),
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"abc",
    "text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"abc",
    "a number that is not there": b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"abc",
    "a negative length": b"\x80\x02\x8b" + struct.pack("<i", -5) + b"abc",
    "memo": memo_bomb(),
    "a place in the memo": b"\x80\x02}r\xff\xff\xff\xff.",
    "many small objects": b"\x80\x02(" + b"}" * 5_000_000 + b"t.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_little_memory(name, tmp_path):
    file = tmp_path / "w.pdparams"
    file.write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError):
            read_tensors(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


def test_one_buffer_cannot_become_many_tensors(tmp_path):
    shared = np.zeros(100_000, np.float32)
    content = {f"conv{i}.weight": shared.reshape(1000, 100) for i in range(3)}
    content |= {f"copy{i}": content["conv0.weight"] for i in range(50)}
    file = tmp_path / "w.pdparams"
    file.write_bytes(pickle.dumps(content, 4))
    with pytest.raises(WeightsError, match="larger than the file"):
        read_tensors(file)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_arrays_come_back_as_they_were(protocol, tmp_path):
    draw = np.random.default_rng(0)
    arrays = {
        "float": draw.standard_normal((2, 3, 4), np.float32),
        "half": draw.standard_normal((3, 3)).astype(np.float16),
        "double": draw.standard_normal(5),
        "big endian": np.arange(5, dtype=">f4"),
        "fortran": np.asfortranarray(draw.standard_normal((4, 5), np.float32)),
        "whole": np.arange(4),
        "empty": np.zeros((0, 3), np.float32),
        "single": np.array(1.5, np.float32),
    }
    content = OrderedDict(
        arrays, epoch=3, best=np.float64(0.5), name="x", pair=(1, [2.5, None, True])
    )
    file = tmp_path / "w.pdparams"
    file.write_bytes(pickle.dumps(content, protocol))
    found = unpickle(file)
    assert found.keys() == content.keys()
    assert found["pair"] == (1, [2.5, None, True])
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_python_2_wrote_bytes_as_text(tmp_path):
    data = np.arange(3, dtype="<f4")
    content = array_of((3,)).replace(b"C\x08" + b"\0" * 8, b"U\x0c" + data.tobytes())
    file = tmp_path / "w.pdparams"
    file.write_bytes(content)
    np.testing.assert_array_equal(unpickle(file)["conv1.weight"], data)


def test_an_array_shared_by_two_names_is_two_tensors(tmp_path):
    array = np.ones((2, 2), np.float32)
    file = tmp_path / "w.pdparams"
    file.write_bytes(pickle.dumps({"a": array, "b": array}, 4))
    found = read_tensors(file)
    assert np.array_equal(found["a"], found["b"])
    found["a"][0, 0] = 5
    assert found["b"][0, 0] == 1
