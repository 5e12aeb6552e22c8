"""Programs as Paddle exports them, written from its sources without Paddle and not by our readers.

``operations(row)`` lists the operations of a network as ``framework.proto``'s operators have them;
``pdmodel`` and ``json_text`` write them in the two formats. Both name the parameters of ``row`` by
``namer`` (``names/published.py``); the real files that Paddle wrote are in ``files/paddle``.
"""

import json
import struct
from dataclasses import dataclass, field

from zoo.weights.files.written import field as proto
from zoo.weights.files.written import lod_record, tar_bytes, varint
from zoo.weights.names.published import rename


@dataclass
class Op:
    kind: str
    inputs: dict
    outputs: list
    attributes: dict = field(default_factory=dict)


class Tape:
    """Operations in the order in which they run; methods return the value that they make."""

    def __init__(self, row, namer):
        self.row, self.namer = row, namer
        self.ops = []

    def op(self, kind, attributes=None, **inputs):
        value = f"{kind}_{len(self.ops)}.tmp_0"
        listed = {role: v if isinstance(v, list) else [v] for role, v in inputs.items()}
        self.ops.append(Op(kind, listed, [value], attributes or {}))
        return value

    def parameter(self, name):
        return self.namer(self.row, name)

    def unit(self, x, place, kernel, stride=1, groups=1, relu=True):
        x = self.op(
            "conv2d",
            {
                "strides": [stride] * 2, "paddings": [(kernel - 1) // 2] * 2, "dilations": [1, 1],
                "groups": groups, "padding_algorithm": "EXPLICIT", "data_format": "NCHW",
            },
            Input=x, Filter=self.parameter(f"{place}.conv.weight"),
        )  # fmt: skip
        statistics = {
            "Scale": "weight", "Bias": "bias", "Mean": "running_mean", "Variance": "running_var",
        }  # fmt: skip
        x = self.op(
            "batch_norm", {"epsilon": 1e-5, "is_test": True, "use_global_stats": False}, X=x,
            **{r: self.parameter(f"{place}.norm.{ours}") for r, ours in statistics.items()},
        )  # fmt: skip
        return self.op("relu", X=x) if relu else x

    def pool(self, x, kind, side, stride, padding, **more):
        given = {
            "pooling_type": kind, "ksize": [side] * 2, "strides": [stride] * 2,
            "paddings": [padding] * 2, "global_pooling": False, "adaptive": False,
            "exclusive": True, "ceil_mode": False, "padding_algorithm": "EXPLICIT",
        }  # fmt: skip
        return self.op("pool2d", given | more, X=x)

    def linear(self, x, place):
        x = self.op("matmul_v2", {"trans_x": False, "trans_y": False}, X=x,
                    Y=self.parameter(f"{place}.weight"))  # fmt: skip
        return self.op("elementwise_add", {"axis": -1}, X=x, Y=self.parameter(f"{place}.bias"))

    def branch(self, x, place, stage, stride):
        row = self.row
        if row.block == "basic":
            x = self.unit(x, f"{place}.conv0", 3, stride)
            return self.unit(x, f"{place}.conv1", 3, relu=False)
        x = self.unit(x, f"{place}.conv0", 1)
        if row.block == "bottleneck":
            x = self.unit(x, f"{place}.conv1", 3, stride, row.groups)
        else:
            parts = [f"split_{len(self.ops)}.tmp_{index}" for index in range(row.scale)]
            self.ops.append(Op("split", {"X": [x]}, parts, {"num": row.scale, "axis": 1}))
            results = []
            for index, part in enumerate(parts[:-1]):
                joined = part
                if index and stride == 1:
                    joined = self.op("elementwise_add", {"axis": -1}, X=part, Y=results[-1])
                results.append(self.unit(joined, f"{place}.split.{index}", 3, stride))
            last = parts[-1] if stride == 1 else self.pool(parts[-1], "avg", 3, 2, 1)
            x = self.op("concat", {"axis": 1}, X=[*results, last])
        return self.unit(x, f"{place}.conv2", 1, relu=False)

    def attention(self, x, place):
        y = self.pool(x, "avg", 1, 1, 0, adaptive=True)
        y = self.op("squeeze2", {"axes": [2, 3]}, X=y)
        y = self.op("relu", X=self.linear(y, f"{place}.attention.squeeze"))
        y = self.op("sigmoid", X=self.linear(y, f"{place}.attention.excite"))
        return self.op("elementwise_mul", X=x, Y=self.op("unsqueeze2", {"axes": [2, 3]}, X=y))

    def block(self, x, place, stage, first):
        row, stride = self.row, 2 if first and stage else 1
        y = self.branch(x, place, stage, stride)
        if row.se_reduction:
            y = self.attention(y, place)
        if first and (stage or row.first_projection):
            average = row.shortcut == "average" and stage > 0
            if average:
                x = self.pool(x, "avg", 2, 2, 0, ceil_mode=True)
            x = self.unit(x, f"{place}.shortcut", 1, 1 if average else stride, relu=False)
        return self.op("relu", X=self.op("elementwise_add", {"axis": -1}, X=x, Y=y))


def operations(row, namer, ending="softmax"):
    """All operations of the network of ``row``."""
    tape = Tape(row, namer)
    tape.ops.append(Op("feed", {"X": ["feed"]}, ["image"], {"col": 0}))
    x = "image"
    for index in range(len(row.stem_widths)):
        x = tape.unit(x, f"stem.{index}", 3 if row.stem == "deep" else 7, 2 if index == 0 else 1)
    x = tape.pool(x, "max", 3, 2, 1)
    for stage, depth in enumerate(row.depths):
        for index in range(depth):
            x = tape.block(x, f"stages.{stage}.{index}", stage, index == 0)
    x = tape.pool(x, "avg", 1, 1, 0, adaptive=True)
    x = tape.op("flatten_contiguous_range", {"start_axis": 1, "stop_axis": 3}, X=x)
    x = tape.linear(x, "head")
    if ending:
        x = tape.op(ending, {"axis": -1} if ending == "softmax" else {}, X=x)
    tape.ops.append(Op("fetch", {"X": [x]}, ["fetch"], {"col": 0}))
    return tape.ops


def pdmodel(ops, shapes, input_shape=(-1, 3, 224, 224)):
    """A ProgramDesc (framework.proto): the old format. ``shapes`` are those of the parameters."""
    block = proto(1, 0, 0) + proto(2, 0, 0)
    block += proto(3, 2, _variable("feed", 9, None, persistent=True))
    for name, shape in [*shapes.items(), ("image", input_shape)]:
        block += proto(3, 2, _variable(name, 7, shape, persistent=name in shapes))
    for op in ops:
        body = b"".join(proto(1, 2, _role(role, names)) for role, names in op.inputs.items())
        result = {"conv2d": "Output", "batch_norm": "Y"}.get(op.kind, "Out")
        body += proto(2, 2, _role(result, op.outputs)) + proto(3, 2, op.kind.encode())
        body += b"".join(proto(4, 2, _attribute(*item)) for item in op.attributes.items())
        block += proto(4, 2, body)
    return proto(1, 2, block) + proto(4, 2, b"\x08\x00")


def _variable(name, kind, shape, *, persistent):
    body = proto(1, 0, kind)
    if shape is not None:
        tensor = proto(1, 0, 5) + b"".join(proto(2, 0, side % (1 << 64)) for side in shape)
        body += proto(3, 2, proto(1, 2, tensor))
    return proto(1, 2, name.encode()) + proto(2, 2, body) + proto(3, 0, int(persistent))


def _role(role, names):
    return proto(1, 2, role.encode()) + b"".join(proto(2, 2, name.encode()) for name in names)


def _attribute(name, value):
    body = proto(1, 2, name.encode())
    if isinstance(value, bool):
        return body + proto(2, 0, 6) + proto(10, 0, int(value))
    if isinstance(value, int):
        return body + proto(2, 0, 0) + proto(3, 0, value % (1 << 64))
    if isinstance(value, float):
        return body + proto(2, 0, 1) + varint(4 << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, str):
        return body + proto(2, 0, 2) + proto(5, 2, value.encode())
    return body + proto(2, 0, 3) + b"".join(proto(6, 0, item % (1 << 64)) for item in value)


# What Paddle 3 calls the operators, and in which order it lists their inputs.
_PIR = {
    "feed": "1.data", "batch_norm": "1.batch_norm_", "elementwise_add": "1.add",
    "elementwise_mul": "1.multiply", "matmul_v2": "1.matmul", "split": "1.split_with_num",
    "flatten_contiguous_range": "1.flatten", "squeeze2": "1.squeeze", "unsqueeze2": "1.unsqueeze",
}  # fmt: skip
_ORDER = ("Input", "X", "Filter", "Y", "Mean", "Variance", "Scale", "Bias")
# Attributes that are inputs there, made by an operation of their own.
_MADE = {"ksize": "1.full_int_array", "axes": "1.full_int_array", "axis": "1.full"}
_MOVED = {("pool2d", "ksize"), ("squeeze2", "axes"), ("unsqueeze2", "axes"), ("concat", "axis"),
          ("split", "axis")}  # fmt: skip


def json_text(ops, shapes, input_shape=(-1, 3, 224, 224)):
    """A PIR program as Paddle 3 writes it."""
    writer = _Pir()
    for name, shape in shapes.items():
        output = writer.output(name, shape)
        writer.ops.append({"#": "p", "A": [0, 1, 1, name], "O": output, "OA": [1, 0, 1]})
    for op in ops:
        writer.write(op, input_shape)
    block = {"#": "block_0", "args": [], "ops": writer.ops}
    program = {"regions": [{"#": "region_0", "blocks": [block]}]}
    base = {"magic": "pir", "trainable": True, "version": 4}
    return json.dumps({"base_code": base, "program": program}).encode()


class _Pir:
    def __init__(self):
        self.ops, self.numbers = [], {}

    def output(self, name, shape=(-1,)):
        self.numbers[name] = len(self.numbers) + 1
        kind = {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, list(shape), "NCHW", [], 0]}
        return {"%": self.numbers[name], "TT": kind}

    def add(self, kind, attributes, inputs, outputs, shape=(-1,)):
        self.ops.append({
            "#": kind,
            "A": [{"N": name, "AT": _typed(value)} for name, value in attributes.items()],
            "I": [{"%": self.numbers[name]} for name in inputs],
            "O": [self.output(name, shape) for name in outputs],
            "OA": [],
        })  # fmt: skip

    def write(self, op, input_shape):
        kind = _PIR.get(op.kind, f"1.{op.kind}")
        if op.kind == "feed":
            self.add(kind, {"name": "x", "shape": list(input_shape)}, [], op.outputs, input_shape)
            return
        inputs = [name for role in _ORDER for name in op.inputs.get(role, [])]
        attributes = dict(op.attributes)
        moved = [name for name in attributes if (op.kind, name) in _MOVED]
        extra = []
        for name in moved:
            value = attributes.pop(name)
            extra.append(f"{name} of {op.outputs[0]}")
            self.add(_MADE[name], {"value": value}, [], extra[-1:])
        vector = f"vector of {op.outputs[0]}"
        if op.kind == "concat":
            self.add("0.combine", {}, inputs, [vector])
            inputs = [vector]
        attributes.pop("num", None)
        split = op.kind == "split"
        self.add(kind, attributes, [*inputs, *extra], [vector] if split else op.outputs)
        if split:
            self.add("0.split", {}, [vector], op.outputs)


def _typed(value):
    for kind, name in ((bool, "bool"), (int, "i32"), (float, "f32"), (str, "str")):
        if isinstance(value, kind):
            return {"#": f"0.a_{name}", "D": value}
    return {"#": "0.a_array", "D": [_typed(item) for item in value]}


FORMATS = {"pdmodel": pdmodel, "json": json_text}


def archive(row, tensors, namer, form, *, ending="softmax", change=None, **options):
    """The files of an inference archive. ``change`` may alter the list of operations."""
    theirs = rename(row, tensors, namer)
    ops = operations(row, namer, ending)
    if change is not None:
        change(ops)
    shapes = {name: array.shape for name, array in theirs.items()}
    return {
        f"inference.{form}": FORMATS[form](ops, shapes, **options),
        "inference.pdiparams": b"".join(lod_record(theirs[name]) for name in sorted(theirs)),
    }


def write_folder(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def write_tar(path, files, inside="x_infer"):
    named = {f"{inside}/{name}": content for name, content in files.items()}
    path.write_bytes(tar_bytes({
        name: content if isinstance(content, bytes) else content.encode()
        for name, content in named.items()
    }))  # fmt: skip
    return path
