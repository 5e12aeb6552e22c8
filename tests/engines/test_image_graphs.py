"""Crops cut inside a graph are those of ``prepare``, to 1 level of 255, in every runtime.

The graph here ends with the crop; ``tests/export/test_gate.py`` has whole networks behind it.
"""

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import checker

from pixels.pictures import noise
from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.engines.graph import onnx_image, openvino_image
from residua.pixels.decode import decode
from residua.pixels.prepare import prepare, prepare_pixels

RUNTIMES = ["onnx", "openvino"]
# Lying and standing, of simple ratios and odd ones, grey, tiny, large, more than twice as high as
# wide; with the usual 256 pixels most are reduced, ten enlarged.
PHOTOS = [
    "n01440764_tench", "n01748264_Indian_cobra", "n01871265_tusker", "n02096051_Airedale",
    "n02107908_Appenzeller", "n02268853_damselfly", "n02391049_zebra", "n02894605_breakwater",
    "n03337140_file", "n03759954_microphone", "n03866082_overskirt", "n04310018_steam_locomotive",
]  # fmt: skip


def open_graph(runtime, preprocess):
    """The graph from whole pictures to crops, ready to run."""
    if runtime == "onnx":
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 2
        model = onnx_image.build_crop_model(preprocess)
        checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        return lambda images: session.run(None, {"image": images})[0]
    model = openvino_image.build_crop_model(preprocess)
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    compiled = openvino.Core().compile_model(model, "CPU", options)
    return lambda images: compiled({0: images})[0]


def list_gaps(run, images, preprocess):
    """By how much each crop is off, in levels: the most, and the share of values."""
    gaps = []
    for image in images:
        crop = run(image[None])[0]
        assert crop.dtype == np.uint8
        gap = np.abs(crop.astype(int) - prepare_pixels(image, preprocess))
        gaps.append((gap.max(), (gap > 0).mean()))
    return np.array(gaps)


@pytest.fixture(scope="module")
def photos(shared_data):
    return [(shared_data / "photos" / f"{name}.JPEG").read_bytes() for name in PHOTOS]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resampler", ["pillow", "opencv"])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("rounding", ["torchvision", "paddle"])
def test_photos_come_out_as_prepared(photos, runtime, resampler, interpolation, rounding):
    preprocess = Preprocess(resampler=resampler, interpolation=interpolation, rounding=rounding)
    run = open_graph(runtime, preprocess)
    for data in photos:
        crop = run(decode(data)[None])[0]
        gap = np.abs(crop.astype(int) - prepare(data, preprocess, exact=True))
        assert gap.max() <= 1
        assert (gap > 0).mean() < 1e-3  # most are equal to the last bit


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pillows_crops_of_noise_are_equal_to_the_last_bit(runtime, interpolation):
    # Noise shows the order of the two passes, which the height of the last two turns round.
    preprocess = Preprocess(crop_size=56, short_side=64, interpolation=interpolation)
    sizes = [(100, 75), (75, 100), (64, 64), (64, 90), (41, 30), (128, 96), (80, 100), (1, 1)]
    sizes += [(3, 200), (400, 7), (80, 200), (65, 4000)]
    gaps = list_gaps(open_graph(runtime, preprocess), [noise(*size) for size in sizes], preprocess)
    assert gaps[:, 0].max() <= 1
    assert gaps[:, 1].max() < 2e-4


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_opencvs_crops_of_noise(runtime, interpolation):
    preprocess = Preprocess(
        crop_size=56, short_side=64, resampler="opencv", interpolation=interpolation
    )
    sizes = [(100, 75), (75, 100), (64, 64), (64, 90), (41, 30), (128, 96), (80, 100), (1, 1)]
    sizes += [(3, 200), (400, 7), (128, 128), (65, 4000)]
    gaps = list_gaps(open_graph(runtime, preprocess), [noise(*size) for size in sizes], preprocess)
    assert gaps[:, 0].max() <= 1


@pytest.mark.parametrize(
    ("aspect", "short", "rounding", "colour"),
    [
        ("crop", 40, "torchvision", "RGB"),
        ("crop", 41, "paddle", "grey"),
        ("squash", 71, "torchvision", "RGB"),
        ("pad", 71, "torchvision", "grey"),
        ("pad", 71, "paddle", "RGB"),
    ],
)
@pytest.mark.parametrize("resampler", ["pillow", "opencv"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_squashed_padded_and_small_pictures(runtime, resampler, aspect, short, rounding, colour):
    channels = 3 if colour == "RGB" else 1
    preprocess = Preprocess(
        crop_size=61, short_side=short, aspect=aspect, resampler=resampler, rounding=rounding,
        colour=colour, mean=(0.3, 0.5, 0.9)[:channels], std=(0.2,) * channels,
    )  # fmt: skip
    sizes = [(100, 75), (75, 101), (40, 40), (9, 230), (2, 1)]
    images = [noise(*size, channels).reshape(size[1], size[0], channels) for size in sizes]
    gaps = list_gaps(open_graph(runtime, preprocess), images, preprocess)
    assert gaps[:, 0].max() <= 1
    assert gaps[:, 1].max() < 2e-3


@pytest.mark.parametrize("resampler", ["pillow", "opencv"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_several_pictures_at_once(runtime, resampler):
    preprocess = Preprocess(crop_size=56, short_side=64, resampler=resampler)
    run = open_graph(runtime, preprocess)
    images = np.stack([noise(90, 150, seed=seed) for seed in range(5)])
    alone = np.concatenate([run(image[None]) for image in images])
    np.testing.assert_array_equal(run(images), alone)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_four_channels(runtime):
    values = {"colour": "RGBA", "mean": (0.5,) * 4, "std": (0.25,) * 4}
    preprocess = Preprocess(crop_size=56, short_side=64, resampler="opencv", **values)
    gaps = list_gaps(open_graph(runtime, preprocess), [noise(100, 75, 4)], preprocess)
    assert gaps[:, 0].max() <= 1
    # Pillow multiplies by alpha and divides again: one level more or less becomes many.
    with pytest.raises(SettingError, match="--input crop"):
        open_graph(runtime, Preprocess(crop_size=56, short_side=64, **values))


def test_openvino_reads_the_onnx_graph():
    preprocess = Preprocess(crop_size=56, short_side=64, interpolation="bicubic", rounding="paddle")
    content = onnx_image.build_crop_model(preprocess).SerializeToString()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), "CPU", options)
    images = [noise(*size) for size in [(80, 200), (100, 75), (30, 41)]]
    gaps = list_gaps(lambda batch: compiled({0: batch})[0], images, preprocess)
    assert gaps[:, 0].max() <= 1


def test_the_onnx_graph_keeps_to_plain_operations():
    model = onnx_image.build_crop_model(Preprocess(interpolation="bicubic", rounding="paddle"))
    used = {node.op_type for node in model.graph.node}
    assert not used & {"Resize", "Upsample", "GridSample", "If", "Loop", "Scan"}
    assert isinstance(model, onnx.ModelProto)
    assert [entry.name for entry in model.graph.input] == ["image"]
