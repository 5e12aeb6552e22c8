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
