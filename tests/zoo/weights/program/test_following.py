"""Programs that compute something else are refused by the operation; harmless ones are followed."""

import json

import numpy as np
import pytest

from residua.base.errors import WeightsError
from residua.zoo.table import find_row
from residua.zoo.weights.names.detect import detect_row
from residua.zoo.weights.names.recognise import recognise
from residua.zoo.weights.program.desc import read_program_desc
from residua.zoo.weights.program.pir import read_program_json
from residua.zoo.weights.program.protobuf import RecordError
from residua.zoo.weights.program.record import ProgramError
from zoo.weights.files import written
from zoo.weights.names import published
from zoo.weights.program import exported
from zoo.weights.program.exported import Op

READERS = {"pdmodel": read_program_desc, "json": read_program_json}
ROW = published.shrink(find_row("ResNet18_vd"))
SPLIT = published.shrink(find_row("Res2Net50_vd_26w_4s"))
GATED = published.shrink(find_row("SE_ResNet18_vd"))


def follow(form, change, row=ROW):
    """Read the row's program after ``change`` to its operations, and name the tensors by it."""
    theirs = published.rename(row, published.empty_tensors(row), published.own)
    ops = exported.operations(row, published.own)
    change(ops)
    shapes = {name: array.shape for name, array in theirs.items()}
    program = READERS[form](exported.FORMATS[form](ops, shapes))
    return recognise(theirs, program)


def nth(ops, kind, index=0, **attributes):
    """The operation of that kind, and of those attributes."""
    found = [
        op for op in ops
        if op.kind == kind and all(op.attributes.get(k) == v for k, v in attributes.items())
    ]  # fmt: skip
    return found[index]


def setting(kind, index=0, where=None, **values):
    def change(ops):
        nth(ops, kind, index, **(where or {})).attributes.update(values)

    return change


def behind(kind, index, op):
    """Put ``op`` behind an operation: it takes the result, and all that follow take its."""

    def change(ops):
        before = nth(ops, kind, index)
        (value,) = before.outputs
        place = ops.index(before) + 1
        for later in ops[place:]:
            for role, names in later.inputs.items():
                later.inputs[role] = ["inserted" if name == value else name for name in names]
        ops.insert(place, Op(op.kind, {"X": [value]}, ["inserted"], op.attributes))

    return change


def without(kind, index):
    """Take an operation out: all that follow take what it took."""

    def change(ops):
        gone = nth(ops, kind, index)
        for later in ops:
            for role, names in later.inputs.items():
                later.inputs[role] = [
                    gone.inputs["X"][0] if name == gone.outputs[0] else name for name in names
                ]
        ops.remove(gone)

    return change


def channels_last(ops):
    """The pictures are turned, then everything computes in NHWC, as PaddleClas's ultra networks."""
    behind("feed", 0, Op("transpose", {}, [], {"axis": [0, 2, 3, 1]}))(ops)
    for op in ops:
        if op.kind in {"conv2d", "pool2d"}:
            op.attributes["data_format"] = "NHWC"
        if op.kind == "batch_norm":
            op.attributes["data_layout"] = "NHWC"


def replacing(kind, index, other):
    def change(ops):
        nth(ops, kind, index).kind = other

    return change


def rewire(kind, index, role, value):
    def change(ops):
        nth(ops, kind, index).inputs[role] = [value]

    return change


OTHERWISE = {
    "average stem": (setting("pool2d", 0, pooling_type="avg"), "pool2d is avg of"),
    "stem pool of 2": (setting("pool2d", 0, ksize=[2, 2]), r"pool2d is max of \[2, 2\]"),
    "stem pool unpadded": (setting("pool2d", 0, paddings=[0, 0]), "paddings"),
    "stem pool rounding up": (setting("pool2d", 0, ceil_mode=True), "ceil_mode = True"),
    "max pool at the end": (setting("pool2d", -1, pooling_type="max"), "no global average pool"),
    "local pool at the end": (setting("pool2d", -1, adaptive=False), "no global average pool"),
    "shortcut rounding down": (setting("pool2d", 1, ceil_mode=False), "rounds down"),
    "divisor with padding": (setting("pool2d", 1, exclusive=False), "exclusive = False"),
    "pool in one shortcut": (without("pool2d", 2), "only some of its shortcuts pool"),
    "no activation": (without("relu", 1), "comes from batch_norm.*has feed|where the series has"),
    "another activation": (replacing("relu", 4, "relu6"), "joins what (1.)?relu6 and"),
    "swish stem": (replacing("relu", 0, "swish"), "comes from (1.)?swish"),
    "epsilon": (setting("batch_norm", 3, epsilon=1e-3), "epsilon = 0.00"),
    "training": (setting("batch_norm", 3, is_test=False), "is one of training"),
    "uneven stride": (setting("conv2d", 0, strides=[2, 1]), "not the same along both sides"),
    "uneven padding": (setting("conv2d", 0, paddings=[1, 1, 0, 2]), "not the same along both"),
    "same padding": (setting("conv2d", 0, padding_algorithm="SAME"), "padding_algorithm = SAME"),
    "statistics of training": (
        setting("batch_norm", 3, trainable_statistics=True), "trainable_statistics = True"
    ),
    "two layouts": (setting("conv2d", 3, data_format="NHWC"), "the layouts NCHW and NHWC"),
    "turned pictures": (
        behind("feed", 0, Op("transpose", {}, [], {"axis": [0, 2, 3, 1]})), "comes from"
    ),
    "pictures as whole numbers": (
        behind("feed", 0, Op("cast", {}, [], {"in_dtype": 5, "out_dtype": 2})),
        "comes from (1.)?cast",
    ),
    "activation within": (setting("conv2d", 3, fuse_activation="relu"), "fuse_activation = relu"),
    "classes in groups": (
        behind("elementwise_add", -1, Op("reshape2", {}, [], {"shape": [-1, 7]})), "reshape"
    ),
    "strides of another type": (setting("conv2d", 3, strides=2), "strides of another type"),
    "epsilon of another type": (setting("batch_norm", 3, epsilon="small"), "of another type"),
    "turned matrix": (setting("matmul_v2", 0, trans_y=True), "trans_y = True"),
    "softmax over pictures": (setting("softmax", 0, axis=0), "axis = 0"),
    "doubled": (
        behind("elementwise_add", 2, Op("scale", {}, [], {"scale": 2.0})), "neither of them"
    ),
    "shifted": (
        behind("elementwise_add", 2, Op("scale", {}, [], {"scale": 1.0, "bias": 1.0})),
        "neither of them",
    ),
    "dropout that scales": (
        behind("relu", 8, Op("dropout", {}, [], {"dropout_implementation": "downgrade_in_infer"})),
        "dropout",
    ),
    "an operation of its own": (behind("relu", 8, Op("gelu", {}, [])), "joins what (1.)?gelu and"),
    "joined to the stem": (
        rewire("elementwise_add", 1, "X", "relu_9.tmp_0"), "joins what (1.)?relu and"
    ),
    "no matrix": (replacing("matmul_v2", 0, "bmm"), "comes from (1.)?bmm"),
}  # fmt: skip


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("case", OTHERWISE)
def test_what_computes_something_else_is_refused(case, form):
    change, words = OTHERWISE[case]
    with pytest.raises((WeightsError, ProgramError), match=words):
        follow(form, change)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(
    ("row", "change", "words"),
    [
        (SPLIT, setting("concat", 0, axis=2), "axis = "),
        (SPLIT, setting("pool2d", 1, ksize=[5, 5]), "pool2d is avg of|rounds down"),
        (SPLIT, setting("conv2d", 1, {"strides": [2, 2]}, strides=[1, 1]), "only some branches"),
        (SPLIT, without("elementwise_add", 0), "comes from|hang together"),
        (GATED, replacing("sigmoid", 0, "hardsigmoid"), "hardsigmoid"),
        (GATED, replacing("relu", 4, "swish"), "swish"),
        (GATED, setting("pool2d", 1, pooling_type="max"), "no global average pool"),
        (GATED, setting("unsqueeze2", 0, axes=[1, 2]), "elsewhere than to channels"),
        (GATED, without("unsqueeze2", 0), "no factor for each channel"),
    ],
)
def test_so_are_other_splits_and_gates(row, change, words, form):
    with pytest.raises(WeightsError, match=words):
        follow(form, change, row)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(
    "change",
    [
        behind("softmax", 0, Op("scale", {}, [], {"scale": 1.0, "bias": 0.0})),
        behind("relu", 8, Op("assign", {}, [])),
        behind("feed", 0, Op("cast", {}, [], {"in_dtype": 5, "out_dtype": 5})),
        behind("relu", 8, Op("dropout", {}, [], {"dropout_implementation": "upscale_in_train"})),
        behind("pool2d", 0, Op("share_data", {}, [])),
        channels_last,
        setting("pool2d", 1, padding_algorithm="SAME", ceil_mode=False),
        setting("conv2d", 0, paddings=[1, 1, 1, 1]),
        replacing("flatten_contiguous_range", 0, "reshape2"),
        setting("pool2d", -1, adaptive=False, global_pooling=True),
        replacing("batch_norm", 0, "sync_batch_norm"),
    ],
)
def test_what_computes_the_same_is_followed(change, form):
    assert follow(form, change).tensors.keys() == published.our_shapes(ROW).keys()


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(
    ("source", "words", "advice"),
    [
        ("fake_quantize_dequantize_moving_average_abs_max", "quantised", "--precision int8"),
        ("fake_channel_wise_dequantize_max_abs", "quantised", "--precision int8"),
        ("quantize_linear", "quantised", "--precision int8"),
        ("fused_conv2d_add_act", "fused by an inference library", "before it was optimised"),
        ("conv2d_fusion", "fused by an inference library", "before it was optimised"),
        ("fc", "fused by an inference library", "before it was optimised"),
        ("tensorrt_engine", "fused by an inference library", "before it was optimised"),
    ],
)
def test_quantised_and_fused_programs_are_called_so(source, words, advice, form):
    with pytest.raises(WeightsError, match=rf"{words} \({source}\)\.") as caught:
        follow(form, behind("relu", 3, Op(source, {}, [])))
    assert advice in caught.value.next_step


def test_a_folded_normalisation_is_told():
    def fold(ops):
        norm = nth(ops, "batch_norm", 0)
        ops[ops.index(norm)] = Op(
            "elementwise_add", {"X": norm.inputs["X"], "Y": norm.inputs["Bias"]}, norm.outputs
        )

    with pytest.raises(
        WeightsError, match="comes from elementwise_add, where the series has batch"
    ):
        follow("pdmodel", fold)


@pytest.mark.parametrize("form", READERS)
def test_several_results_are_refused(form):
    def twice(ops):
        ops.append(Op("fetch", {"X": ["image"]}, ["another"], {"col": 1}))

    with pytest.raises(WeightsError, match="has 2 results"):
        follow(form, twice)


def test_a_name_may_be_used_again_in_the_old_format():
    """What Paddle 1.x did to spare memory: a later value under the name of an earlier one."""

    def reuse(ops):
        names = {}
        for index, op in enumerate(ops):
            op.inputs = {
                role: [names.get(n, n) for n in given] for role, given in op.inputs.items()
            }
            if index < 10:  # the stem, where each value is used once
                names[op.outputs[0]] = f"again_{index % 2}"
                op.outputs = [f"again_{index % 2}"]

    assert follow("pdmodel", reuse).tensors.keys() == published.our_shapes(ROW).keys()


def test_a_value_must_be_made_before_it_is_used():
    ops = exported.operations(ROW, published.own)
    ops[5], ops[6] = ops[6], ops[5]
    with pytest.raises(RecordError, match="nothing makes"):
        read_program_desc(exported.pdmodel(ops, published.our_shapes(ROW)))


def test_numbers_that_nothing_made_in_the_new_format():
    text = exported.json_text(exported.operations(ROW, published.own), published.our_shapes(ROW))
    content = json.loads(text)
    ops = content["program"]["regions"][0]["blocks"][0]["ops"]
    ops[-1]["I"][0]["%"] = 10**9
    with pytest.raises(ProgramError, match="nothing makes its value 1000000000"):
        read_program_json(json.dumps(content).encode())
    ops[-1]["I"][0]["%"] = ops[-1]["O"][0]["%"]
    with pytest.raises(ProgramError, match="nothing makes"):
        read_program_json(json.dumps(content).encode())
    ops.append(ops[-2])
    ops[-2]["I"][0]["%"] = ops[-3]["O"][0]["%"]
    with pytest.raises(ProgramError, match="two operations make"):
        read_program_json(json.dumps(content).encode())


NO_PROGRAMS = (
    "{}",
    "{",
    "[]",
    '{"base_code": {"magic": "onnx"}}',
    "[" * 100_000,
    '{"base_code": {"magic": "pir"}, "program": {"regions": 3}}',
    '{"base_code": {"magic": "pir"}, "program": {"regions": []}}',
    '{"base_code": {"magic": "pir"}, "program": {"regions": [{"blocks": [{"ops": [{}]}]}]}}',
    '{"base_code": {"magic": "pir"}, "program": {"regions": [{"blocks": [{"ops": [5]}]}]}}',
    '{"base_code": "\xfc"}',
)


@pytest.mark.parametrize("text", NO_PROGRAMS)
def test_texts_that_are_no_program(text):
    with pytest.raises(ProgramError):
        read_program_json(text.encode("latin-1"))


@pytest.mark.parametrize("kind", ["while", "conditional_block"])
def test_branches_and_loops_are_refused(kind):
    data = exported.pdmodel(exported.operations(ROW, published.own), published.our_shapes(ROW))
    second = written.field(1, 0, 1) + written.field(4, 2, written.field(3, 2, kind.encode()))
    with pytest.raises(ProgramError, match="branches or loops"):
        read_program_desc(data + written.field(1, 2, second))
    content = json.loads(
        exported.json_text(exported.operations(ROW, published.own), published.our_shapes(ROW))
    )
    content["program"]["regions"][0]["blocks"][0]["ops"][-1]["regions"] = [{"blocks": []}]
    with pytest.raises(ProgramError, match="branches or loops"):
        read_program_json(json.dumps(content).encode())


def test_damaged_bytes_never_raise_anything_else():
    ops, shapes = exported.operations(ROW, published.own), published.our_shapes(ROW)
    tensors = published.empty_tensors(ROW)
    draw = np.random.default_rng(0)
    for form, read in READERS.items():
        whole = exported.FORMATS[form](ops, shapes)
        for _ in range(100):
            data = bytearray(whole)
            for _ in range(3):
                data[draw.integers(len(data))] = draw.integers(256)
            for damaged in (bytes(data), bytes(data[: draw.integers(1, len(data))])):
                _read_or_refuse(read, damaged, tensors)


def test_altered_settings_never_raise_anything_else():
    """Values of other types, inputs of other operations, in every place of a program."""
    text = exported.json_text(
        exported.operations(GATED, published.own), published.our_shapes(GATED)
    )
    tensors = published.empty_tensors(GATED)
    draw = np.random.default_rng(1)
    odd = [None, True, -1, 0, 3, 1 << 70, 0.5, "", "NHWC", [], [1], [[1, 1], [1]], {}, {"a": 1}]
    for _ in range(300):
        content = json.loads(text)
        ops = content["program"]["regions"][0]["blocks"][0]["ops"]
        op = ops[draw.integers(len(ops))]
        value = odd[draw.integers(len(odd))]
        match draw.integers(5):
            case 0 if op.get("A") and op["#"] != "p":
                op["A"][draw.integers(len(op["A"]))]["AT"]["D"] = value
            case 1 if op.get("I"):
                op["I"][draw.integers(len(op["I"]))]["%"] = int(draw.integers(len(ops)))
            case 2:
                op[str(draw.choice(list(op)))] = value
            case 3 if op["#"] != "p":
                op["#"] = ops[draw.integers(len(ops))]["#"]
            case _:
                ops.remove(op)
        _read_or_refuse(read_program_json, json.dumps(content).encode(), tensors)


def _read_or_refuse(read, data, tensors):
    try:
        program = read(data)
    except RecordError:
        return
    if program.parameters.keys() <= tensors.keys():
        try:
            detect_row(tensors, program=program)
        except WeightsError:
            return
