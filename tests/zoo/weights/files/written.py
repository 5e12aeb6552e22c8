"""Weight files as others write them, made from their sources without their libraries."""

import io
import pickle
import struct
import tarfile

import numpy as np


def pdparams(tensors, protocol=4):
    """What paddle.save writes for a state dict."""
    content = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    content["StructuredToParameterName@@"] = {name: f"param_{name}" for name in tensors}
    return pickle.dumps(content, protocol=protocol)


def lod_record(array):
    """One tensor as Paddle's save operator writes it (lod_tensor.cc, tensor_util.cc)."""
    description = b"\x08\x05" + b"".join(b"\x10" + varint(side) for side in array.shape)
    head = struct.pack("<IQI", 0, 0, 0) + struct.pack("<i", len(description))
    return head + description + np.ascontiguousarray(array, "<f4").tobytes()


def program(names):
    """A ProgramDesc (framework.proto) with one block: parameters, a feed and a temporary."""
    block = field(1, 0, 0) + field(2, 0, 0)
    for name in names:
        tensor_type = field(1, 0, 7) + field(3, 2, field(1, 2, field(1, 0, 5)))
        block += field(3, 2, field(1, 2, name.encode()) + field(2, 2, tensor_type) + field(3, 0, 1))
    feed = field(1, 2, b"feed") + field(2, 2, field(1, 0, 9)) + field(3, 0, 1)
    temporary = field(1, 2, b"relu_0.tmp_0") + field(2, 2, field(1, 0, 7)) + field(3, 0, 0)
    return field(1, 2, block + field(3, 2, feed) + field(3, 2, temporary)) + field(
        4, 2, b"\x08\x00"
    )


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number, wire, value):
    body = varint(value) if wire == 0 else varint(len(value)) + value
    return varint(number << 3 | wire) + body


def tar_bytes(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
