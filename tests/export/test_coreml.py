"""Core ML packages, which run on Apple's systems only: read back here, and computed with torch.

The program in the file is read operation by operation and done by torch's functions, as its
documentation describes them: what was written is right, whatever Apple's runtime makes of it.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional

from kinds import KINDS, ROUNDING, deploy, make_kind
from making import make_bundle
from residua.base.errors import EngineError
from residua.bundle.schema import Preprocess
from residua.bundle.store import read_bundle
from residua.export.run import export_bundle
from residua.export.verify import verify_exports
from residua.export.write import write_files

pytestmark = [
    pytest.mark.slow,  # importing coremltools alone takes ten seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # within coremltools
]
NARROW = (16, 16, 32, 32)
PACKAGE = "model.mlpackage"


def open_spec(path):
    from coremltools.models import MLModel

    return MLModel(str(path), skip_model_load=True).get_spec()


def read_program(path):
    """The operations of the package's program, in order."""
    from coremltools.converters.mil.frontend.milproto.load import load

    weights = path / "Data/com.apple.CoreML/weights"
    spec = open_spec(path)
    return load(spec, spec.specificationVersion, str(weights)).functions["main"].operations


def pad(x, op, value=0.0):
    """Rows and columns around ``x`` where the operation has custom padding."""
    if op.pad_type.val != "custom":
        return x
    top, bottom, left, right = op.pad.val
    return functional.pad(x, (left, right, top, bottom), value=value)


def pool_averages(x, op, get):
    kernel, strides = op.kernel_sizes.val.tolist(), op.strides.val.tolist()
    assert op.exclude_padding_from_average.val
    count = pad(torch.ones_like(x), op)
    total = pad(x, op)
    if op.ceil_mode.val:
        rest = [-(side - k) % s for side, k, s in zip(x.shape[2:], kernel, strides, strict=True)]
        count, total = (functional.pad(each, (0, rest[1], 0, rest[0])) for each in (count, total))
    pooled = functional.avg_pool2d(total, kernel, strides)
    return pooled / functional.avg_pool2d(count, kernel, strides)


def convolve(x, op, get):
    weight, bias = get(op.weight), get(op.bias)
    strides = op.strides.val.tolist()
    return functional.conv2d(pad(x, op), weight, bias, strides, groups=int(op.groups.val))


def pool_maxima(x, op, get):
    padded = pad(x, op, -torch.inf)
    return functional.max_pool2d(padded, op.kernel_sizes.val.tolist(), op.strides.val.tolist())


def expand(x, op, get):
    for axis in op.axes.val.tolist():
        x = x.unsqueeze(axis)
    return x


def slice_with_steps(x, op, get):
    assert op.begin_mask.val.all()
    assert op.end_mask.val.all()
    return x[tuple(slice(None, None, int(step)) for step in op.stride.val)]


# Each takes its input ``x``, the operation, and a function that gives the value of other inputs.
OPERATIONS = {
    "cast": lambda x, op, get: x,
    "mul": lambda x, op, get: x * get(op.y),
    "add": lambda x, op, get: x + get(op.y),
    "relu": lambda x, op, get: x.relu(),
    "sigmoid": lambda x, op, get: x.sigmoid(),
    "softmax": lambda x, op, get: x.softmax(int(op.axis.val)),
    "conv": convolve,
    "max_pool": pool_maxima,
    "avg_pool": pool_averages,
    "reduce_mean": lambda x, op, get: x.mean(op.axes.val.tolist(), keepdim=bool(op.keep_dims.val)),
    "linear": lambda x, op, get: functional.linear(x, get(op.weight), get(op.bias)),
    "split": lambda x, op, get: x.chunk(int(op.num_splits.val), int(op.axis.val)),
    "concat": lambda x, op, get: torch.cat([get(value) for value in op.values], int(op.axis.val)),
    "expand_dims": expand,
    "slice_by_index": slice_with_steps,
    "pad": lambda x, op, get: functional.pad(x, op.pad.val.reshape(-1, 2)[::-1].ravel().tolist()),
}


def run_program(path, image):
    values = {"image": image}

    def get(var):
        return values[var.name] if var.val is None else torch.as_tensor(var.val).double()

    for op in read_program(path):
        if op.op_type == "const":
            continue
        x = get(op.x) if "x" in op.inputs else None
        result = OPERATIONS[op.op_type](x, op, get)
        results = result if len(op.outputs) > 1 else [result]
        values.update(zip((var.name for var in op.outputs), results, strict=True))
    return values["probabilities"].numpy()


@pytest.mark.parametrize("side", [61, 64])
@pytest.mark.parametrize("row", KINDS)
def test_the_program_in_the_package_is_the_network(row, side, tmp_path):
    pytest.importorskip("coremltools")
    bundle, network = make_kind(tmp_path / "x.bundle", row, side=side, shallow=True)
    write_files(bundle, tmp_path, "coreml", "fp32")
    crops = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    image = torch.from_numpy(crops).permute(0, 3, 1, 2).double()
    expected = deploy(network, bundle.manifest)(crops)
    answers = run_program(tmp_path / PACKAGE, image)
    np.testing.assert_allclose(answers, expected, rtol=0, atol=ROUNDING)


def test_an_export_says_what_it_takes_and_that_it_was_not_run(tmp_path):
    pytest.importorskip("coremltools")
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    [outcome] = export_bundle(bundle, ["coreml"])
    assert outcome.error is None
    whole = read_bundle(bundle.path)
    record = whole.manifest.exports["coreml"]
    assert record.parity is None
    assert (record.pixels, record.layout, record.batch) == ("float32", "NCHW", 1)
    assert any("not run" in note for note in record.notes)
    whole.verify()
    spec = open_spec(bundle.path / "exports/coreml" / PACKAGE)
    [taken], [given] = spec.description.input, spec.description.output
    assert (taken.name, given.name) == ("image", "probabilities")
    assert (taken.type.imageType.width, taken.type.imageType.height) == (64, 64)
    assert list(given.type.multiArrayType.shape) == [1, 5]
    told = dict(spec.description.metadata.userDefined)
    assert told["residua.weights_sha256"] == whole.manifest.files["weights.safetensors"].sha256
    [outcome] = verify_exports(whole)
    assert outcome.error is None
    assert outcome.export.parity is None


def test_half_precision_halves_the_weights(tmp_path):
    pytest.importorskip("coremltools")
    from residua.export.coreml import inspect_package

    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    sizes = {}
    for precision in ("fp32", "fp16"):
        folder = tmp_path / precision
        folder.mkdir()
        write_files(bundle, folder, "coreml", precision)
        facts = inspect_package(folder / PACKAGE)
        sizes[precision] = facts["weights"]
    parameters = sum(array.size for array in bundle.tensors().values())
    # Batch normalisations are folded: 4 numbers a channel become 1; small constants stay inside.
    assert 0.97 * parameters < sizes["fp32"] / 4 < 1.05 * parameters
    assert sizes["fp16"] < 0.55 * sizes["fp32"]


def test_four_channels_come_as_an_array(tmp_path):
    pytest.importorskip("coremltools")
    from residua.export.coreml import inspect_package

    preprocess = Preprocess(
        crop_size=64, short_side=64, colour="RGBA", mean=(0.5,) * 4, std=(0.2,) * 4
    )
    bundle = make_bundle(
        tmp_path / "x.bundle", widths=NARROW, input_channels=4, preprocess=preprocess
    )
    write_files(bundle, tmp_path, "coreml", "fp32")
    assert inspect_package(tmp_path / PACKAGE)["input_shape"] == (1, 4, 64, 64)


def test_a_package_that_is_not_as_meant_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("coremltools")
    from residua.export import coreml

    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    inspect = coreml.inspect_package
    monkeypatch.setattr(
        coreml, "inspect_package", lambda path: inspect(path) | {"output_shape": (1, 4)}
    )
    [outcome] = export_bundle(bundle, ["coreml"])
    assert isinstance(outcome.error, EngineError)
    assert "output_shape" in str(outcome.error)
    assert not (bundle.path / "exports/coreml").exists()
