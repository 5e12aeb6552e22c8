"""What PaddleClas's deployment files say of pixels and classes."""

import numpy as np
import pytest

from residua.base.errors import SettingError
from residua.bundle.classes import imagenet_classes
from residua.bundle.schema import Preprocess
from residua.zoo.weights.deployment import read_deployment

# ``deploy/configs/inference_cls.yaml`` of PaddleClas 2.6.0, the parts that matter.
CLS = """
Global:
  inference_model_dir: "./models"
  use_gpu: True
PreProcess:
  transform_ops:
    - ResizeImage:
        resize_short: 256
    - CropImage:
        size: 224
    - NormalizeImage:
        scale: 0.00392157
        mean: [0.485, 0.456, 0.406]
        std: [0.229, 0.224, 0.225]
        order: ""
        channel_num: 3
    - ToCHWImage:
PostProcess:
  main_indicator: Topk
  Topk:
    topk: 5
    class_id_map_file: "../ppcls/utils/imagenet1k_label_list.txt"
  SavePreLabel:
    save_dir: ./pre_label/
"""
OPENCV = {"resampler": "opencv", "rounding": "paddle", "interpolation": "bilinear"}


def read(text, lists=None):
    return read_deployment(text, "inference.yml", (lists or {}).get)


def steps(*lines):
    """A file with these steps, each a line of YAML."""
    return "PreProcess:\n  transform_ops:\n" + "".join(f"    - {line}\n" for line in lines)


USUAL = ("ResizeImage: {resize_short: 256}", "CropImage: {size: 224}", "NormalizeImage:")


def test_the_file_that_paddleclas_ships():
    said = read(CLS)
    preprocess = Preprocess.model_validate(said.preprocess)
    assert preprocess == Preprocess(**OPENCV, short_side=256, crop_size=224)
    assert said.classes == imagenet_classes()
    assert (said.zero_channel, said.missing) == (False, ())
    assert said.notes == ("pixels and classes as in inference.yml",)


def test_a_label_list_beside_it_counts_for_more_than_the_name():
    said = read(CLS, {"imagenet1k_label_list.txt": "0 cat\n1 dog\n"})
    assert said.classes.names == ("cat", "dog")
    ours = imagenet_classes()
    text = "\n".join(f"{index} {name}" for index, name in enumerate(ours.names))
    assert read(CLS, {"imagenet1k_label_list.txt": text}).classes.ids == ours.ids


def test_a_label_list_that_is_not_there_is_told():
    said = read('PostProcess: {Topk: {topk: 1, class_id_map_file: "/etc/flowers.txt"}}')
    assert said.classes is None
    assert said.missing == (
        "inference.yml names the label list flowers.txt, which is not beside it.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "PostProcess: {name: Topk, topk: 5, class_id_map_file: a/names.txt}",
        "PostProcess: {name: Topk, topk: 5, class_id_map_file: 'C:\\a\\names.txt'}",
        "PostProcess: {main_indicator: Topk, Topk: {class_id_map_file: names.txt}}",
        "PostProcess: {Topk: {topk: 1, label_list: [cat, dog]}}",
        "PostProcess: {MultiLabelThreshOutput: {threshold: 0.5, label_list: [cat, dog]}}",
        "PostProcess: {ThreshOutput: {threshold: 0.9, label_0: cat, label_1: dog}}",
    ],
)
def test_every_way_to_name_classes(text):
    said = read(text, {"names.txt": "0 cat\n1 dog"})
    assert said.classes.names == ("cat", "dog")
    assert said.notes == ("classes as in inference.yml",)
    assert said.preprocess == {}


@pytest.mark.parametrize(
    "text",
    ["Global: {a: 1}", "PostProcess: {MultiLabelTopk: {topk: 5, class_id_map_file: None}}",
     "PostProcess: {NormalizeFeatures: null}", "PostProcess: null", "PreProcess: null"],
)  # fmt: skip
def test_files_that_say_nothing(text):
    said = read(text)
    assert (said.preprocess, said.classes, said.notes, said.missing) == ({}, None, (), ())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (USUAL, {"aspect": "crop", "short_side": 256, "crop_size": 224}),
        (("DecodeImage: {to_rgb: true, channel_first: false}", *USUAL, "ToCHWImage:"), {}),
        (("ResizeImage: {resize_short: 366}", "CropImage: {size: [320, 320]}", USUAL[2]),
         {"short_side": 366, "crop_size": 320}),
        (("ResizeImage: {size: 160}", USUAL[2]), {"aspect": "squash", "crop_size": 160}),
        (("ResizeImage: {size: [192, 192]}", "CropImage: {size: 192}", USUAL[2]),
         {"aspect": "squash", "crop_size": 192}),
        (("ResizeImage: {resize_short: 256, interpolation: bicubic, backend: pil}", *USUAL[1:]),
         {"resampler": "pillow", "interpolation": "bicubic", "rounding": "paddle"}),
        (("ResizeImage: {resize_short: 256, backend: cv2}", *USUAL[1:]), OPENCV),
    ],
)  # fmt: skip
def test_geometry(lines, expected):
    found = read(steps(*lines)).preprocess
    assert expected.items() <= found.items()
    Preprocess.model_validate(found)


@pytest.mark.parametrize(
    "settings",
    [
        "scale: 1.0/255.0, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]",
        "scale: 0.00392157, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]",
        "scale: 0.00392156862745098, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]",
        "scale: 1, mean: [127.5, 102, 76.5], std: [51, 76.5, 102], order: hwc",
        "scale: 1/127.5, mean: [1, 0.8, 0.6], std: [0.4, 0.6, 0.8], order: chw",
    ],
)
def test_normalisation_is_of_values_in_0_to_1(settings):
    """Whatever the scale: our network sees what PaddleClas's NormalizeImage computes."""
    found = read(steps(*USUAL[:2], f"NormalizeImage: {{{settings}}}")).preprocess
    np.testing.assert_allclose(found["mean"], [0.5, 0.4, 0.3], rtol=1e-12)
    np.testing.assert_allclose(found["std"], [0.2, 0.3, 0.4], rtol=1e-12)


def test_a_fourth_channel_of_zeros():
    said = read(steps(*USUAL[:2], "NormalizeImage: {channel_num: 4}"))
    assert said.zero_channel
    assert said.preprocess["mean"] == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (steps(USUAL[1], USUAL[2]), "does not resize"),
        (steps(USUAL[0], USUAL[2]), "no CropImage follows"),
        (steps(*USUAL[:2]), "has no NormalizeImage"),
        (steps("DecodeImage: {to_rgb: false}", *USUAL), "decodes to BGR"),
        (steps(*USUAL, "Padv2: {size: 224}"), "has the step Padv2, which residua does not do"),
        (steps(*USUAL, USUAL[1]), "two steps CropImage"),
        (steps("ResizeImage: {size: [160, 80]}", USUAL[2]), r"makes \[160, 80\] pixels, and"),
        (steps("ResizeImage: {size: 256}", *USUAL[1:]), "squashes pictures to 256 pixels and then"),
        (steps("ResizeImage: {size: big}", USUAL[2]), "has the size big"),
        (steps("ResizeImage: {}", *USUAL[1:]), "has the size None"),
        (steps("ResizeImage: {resize_short: -1}", *USUAL[1:]), "has the size -1"),
        (steps("ResizeImage: {resize_short: 256, interpolation: area}", *USUAL[1:]), "is area by"),
        (steps("ResizeImage: {resize_short: 256, backend: gpu}", *USUAL[1:]), "bilinear by gpu"),
        (steps(*USUAL[:2], "NormalizeImage: {scale: os.system}"), "has os.system where a number"),
        (steps(*USUAL[:2], "NormalizeImage: {scale: 1/0}"), "has 1/0 where a number"),
        (steps(*USUAL[:2], "NormalizeImage: {mean: 3}"), "another form"),
        (steps(*USUAL[:2], "NormalizeImage: [1]"), "another form"),
        (steps("ResizeImage"), "is ResizeImage, not one name with settings"),
        (steps(*USUAL[:2], "NormalizeImage: {scale: {a: 1}}"), "has a dict where a number"),
        ("PreProcess: 3", "another form"),
        ("PreProcess: {transform_ops: 3}", "another form"),
        ("PostProcess: 3", "another form"),
        ("PostProcess: {Topk: {label_list: 3}}", "another form"),
        ("a: [", "no YAML"),
        ("a: !!python/object/apply:os.system ['true']", "no YAML"),
        ("just words", "no settings by name"),
        ("", "no settings by name"),
    ],
)
def test_what_cannot_be_followed_is_refused(text, words):
    with pytest.raises(SettingError, match=rf"inference.yml beside the program .*{words}") as e:
        read(text)
    assert "--crop-size" in e.value.next_step


def test_a_bomb_of_aliases_does_no_harm():
    """Each line names the one before ten times: 10^30 values if anybody wrote them out."""
    lines = ["a0: &a0 [x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 31)
    ]
    bomb = "\n".join(lines) + "\n"
    assert read(f"{bomb}PostProcess: {{Topk: {{label_list: *a0}}}}").classes.names == ("x",)
    for text in (
        "PostProcess: {Topk: {label_list: *a30}}",
        "PreProcess: {transform_ops: *a30}",
        "PreProcess: {transform_ops: [{ResizeImage: {size: *a30}}]}",
        steps("ResizeImage: {size: 8}", "NormalizeImage: {scale: *a30}"),
        "PreProcess: {transform_ops: [{ResizeImage: {resize_short: 8, backend: *a30}}]}",
    ):
        with pytest.raises(SettingError):
            read(bomb + text)
    with pytest.raises(SettingError, match="merges settings"):
        read("a: &a {b: 1}\nc: {<<: [*a, *a]}")
