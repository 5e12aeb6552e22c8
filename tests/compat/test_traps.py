"""What would differ in silence: pretrained weights left over, losses, operators, classes."""

from copy import deepcopy

import pytest
from safetensors.numpy import save_file

from making import make_bundle
from paddle_configurations import distilled, plain, training_steps, write
from residua.base.errors import SettingError
from residua.compat.config.read import read_configuration
from residua.compat.translate.whole import translate
from residua.compat.weights import open_source
from weight_files import draw_cifar_resnet20


def read(tmp_path, content, *said):
    return read_configuration(write(tmp_path, content), said)


def change(content, key, value):
    content = deepcopy(content)
    *path, last = key.split(".")
    part = content
    for name in path:
        part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
    part[last] = value
    return content


@pytest.mark.parametrize(
    ("changes", "said", "kept"),
    [
        ({}, [], False),
        ({}, ["Global.epochs=2"], False),  # a try of the long recipe
        ({}, ["Arch.pretrained=True"], True),
        ({"Global.epochs": 20}, [], True),
        ({"Global.epochs": 20}, ["Global.epochs=10"], True),
        ({"Optimizer.lr.learning_rate": 0.001}, [], True),
        ({"Arch.class_num": 102}, [], True),
        ({"Slim.quant": {"name": "pact"}}, ["Global.epochs=10"], True),
    ],
)
def test_pretrained_weights_of_a_file(tmp_path, changes, said, kept):
    content = plain("ResNet50")  # its file has pretrained: True
    for key, value in changes.items():
        content = change(content, key, value)
    configuration = read(tmp_path, content, *said)
    recipe = translate(configuration, cards=4).recipe
    assert recipe.model.pretrained == ("ResNet50" if kept else "")
    told = any("begins from scratch" in note for note in configuration.findings.notes)
    assert told != kept


def test_classes_of_a_student(tmp_path):
    content = distilled("wsl")
    del content["Arch"]["class_num"]
    for number, name in enumerate(("Teacher", "Student")):
        content["Arch"]["models"][number][name]["class_num"] = 5
    assert translate(read(tmp_path, content), cards=4).num_classes == 5


LOSSES = {"DistillationDISTLoss": {"weight": 2.0}}


@pytest.mark.parametrize(
    ("train", "frozen", "problem"),
    [
        ([LOSSES, LOSSES], True, "has DistillationDISTLoss twice"),
        ([LOSSES, {"DistillationWSLLoss": None}], True, "dist and wsl at once"),
        (
            [{"DistillationGTCELoss": {"model_names": ["Student"]}}, {"DistillationDMLLoss": None}],
            False,
            "Student and Teacher learn from labels",
        ),
        ([{"DistillationGTCELoss": {"model_names": ["Teacher"]}}, LOSSES], True, "Student learn"),
        ([{"DistillationGTCELoss": None}], True, "compares nothing with the teacher"),
        (
            [{"DistillationKLDivLoss": {"temperature": 4}}, {"DistillationWSLLoss": None}],
            True,
            "has temperatures",
        ),
        ([{"DistillationRKDLoss": {"student_keepkeys": ["blocks[3]"]}}], True, "pooled features"),
        ([{"DistillationDKDLoss": {"key": "features"}}], True, "answers are compared"),
    ],
)
def test_losses_that_would_be_others(tmp_path, train, frozen, problem):
    content = distilled("dist")
    content["Loss"]["Train"] = train
    if not frozen:
        content["Arch"]["freeze_params_list"] = [False, False]
        content["Arch"]["models"][0]["Teacher"]["pretrained"] = False
    with pytest.raises(SettingError, match=problem):
        translate(read(tmp_path, content), cards=4)


def test_mutual_learning_of_both(tmp_path):
    content = distilled("dist")
    content["Arch"]["freeze_params_list"] = [False, False]
    content["Arch"]["models"][0]["Teacher"]["pretrained"] = False
    both = ["Student", "Teacher"]
    content["Loss"]["Train"] = [
        {"DistillationGTCELoss": {"model_names": both, "weight": 1.0}},
        {"DistillationDMLLoss": {"weight": 1.0}},
        {"DistillationDistanceLoss": {"weight": 1.0, "key": "blocks[7]"}},
    ]
    part = translate(read(tmp_path, content), cards=4).recipe.distil
    assert (part.method, part.teacher, part.label_weight) == ("udml", "ResNet34", 1.0)
    assert (part.student_features, part.teacher_features) == (("stage4",), ("stage3.0",))


RATE, STEP = "Optimizer.lr", "DataLoader.Train.dataset.transform_ops.2"
ERASE, FLIP = {"RandomErasing": None}, {"RandFlipImage": {"flip_code": 1}}


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (training_steps(before=[ERASE]), "another order"),
        (training_steps(before=[FLIP]), "RandFlipImage twice"),
        (training_steps()[:-1], "no NormalizeImage"),
        ([{"ResizeImage": {"resize_short": 256}}, *training_steps()[1:]], "before it crops"),
        (
            [{"ResizeImage": {"resize_short": 288}}, {"CropImage": {"size": 224}},
             training_steps()[-1]],
            "not the 256 of evaluation",
        ),
        (training_steps(before=[{"AutoAugment": None}, {"RandAugment": None}]), "one is possible"),
        (training_steps(backend="pil"), "the same backend|resizes by pillow"),
    ],
)  # fmt: skip
def test_operators_that_would_give_other_pictures(tmp_path, steps, problem):
    content = plain("ResNet18")
    content["DataLoader"]["Train"]["dataset"]["transform_ops"] = steps
    with pytest.raises(SettingError, match=problem):
        translate(read(tmp_path, content), cards=4)


def test_evaluation_in_another_order(tmp_path):
    content = plain("ResNet18")
    steps = content["DataLoader"]["Eval"]["dataset"]["transform_ops"]
    steps[1], steps[2] = steps[2], steps[1]
    with pytest.raises(SettingError, match="its order is DecodeImage, CropImage, ResizeImage"):
        translate(read(tmp_path, content), cards=4)


def test_chances_above_one(tmp_path):
    content = plain("ResNet18")
    content["DataLoader"]["Train"]["dataset"]["batch_transform_ops"] = [
        {"OpSampler": {"MixupOperator": {"prob": 0.7}, "CutmixOperator": {"prob": 0.5}}}
    ]
    with pytest.raises(SettingError, match=r"add up to 1\.2"):
        translate(read(tmp_path, content), cards=4)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Global.epochs=0", "is 0"),
        ("DataLoader.Train.sampler.batch_size=0", "batches of 0"),
        ("DataLoader.Train.dataset.name=MultiLabelDataset", "several labels a picture"),
        ("Arch.name=ResNet18_dbb", "not in the series"),
        ("Arch.class_num=-5", "class_num is -5"),
        ("Global.epochs=99999999999999999999999", "epochs is 9999"),
        ("Optimizer.clip_norm=-1", "a bound is above 0"),
        (
            "Optimizer.lr={'name': 'OneCycleLR', 'max_learning_rate': 1, 'divide_factor': 0}",
            "at le",
        ),
        (
            "Optimizer.lr={'name': 'ReduceOnPlateau', 'learning_rate': 1, 'threshold': 0.5}",
            "better",
        ),
        ("DataLoader.Train.dataset.transform_ops.1.RandCropImage.scale=0.5", "from, to"),
        (f"{STEP}={{'TimmAutoAugment': {{'config_str': 'rand-m9-mstd0.5'}}}}", "inc1"),
        (f"{STEP}={{'AugMix': {{'mixture_depth': 5}}}}", "three operations"),
        ("Infer.PostProces.topk=1", "PostProces"),
    ],
)
def test_values_that_make_no_sense(tmp_path, said, problem):
    with pytest.raises(SettingError, match=problem):
        translate(read(tmp_path, plain("ResNet18"), said), cards=4)


def test_whose_preparation_is_its_own(tmp_path):
    make_bundle(tmp_path / "net.bundle")
    assert open_source(str(tmp_path / "net.bundle")).own
    save_file(draw_cifar_resnet20(), tmp_path / "resnet20.safetensors")
    assert not open_source(str(tmp_path / "resnet20.safetensors")).own


def find_notes(tmp_path, *said):
    configuration = read(tmp_path, plain("ResNet18"), *said)
    return translate(configuration, cards=4).recipe, " ".join(configuration.findings.notes)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"{STEP}={{'AutoAugment': None}}", "leaves black behind the edges"),
        (f"{STEP}={{'RandAugment': None}}", "PaddleClas's turns one way"),
        (f"{STEP}={{'PCALighting': None}}", "follows its paper"),
        ("Optimizer.one_dim_param_no_weight_decay=True", "heeds it with AdamW alone"),
        ("Optimizer.lr.values=[0.1, 0.05, 0.025, 0.0125]", "falls as it says, at 30, 60, 90"),
    ],
)
def test_what_differs_is_said(tmp_path, said, told):
    extra = ["Optimizer.lr.learning_rate=0.1"] if "values" in said else []
    assert told in find_notes(tmp_path, said, *extra)[1]
    assert told not in find_notes(tmp_path)[1]


def test_sides_that_are_taken_out_are_pixels(tmp_path):
    """length is absolute there, and of a picture of 224 here."""
    for size, side in ((224, 112), (448, 56), (112, 224)):
        content = plain("ResNet18")
        content["DataLoader"]["Train"]["dataset"]["transform_ops"] = [
            {"RandCropImage": {"size": size}}, {"NormalizeImage": None},
            {"Cutout": {"length": 112}},
        ]  # fmt: skip
        assert translate(read(tmp_path, content), cards=4).recipe.augment.erase.size == side


def test_an_optimiser_in_a_list(tmp_path):
    content = plain("ResNet18")
    part = dict(content["Optimizer"])
    name = part.pop("name")
    content["Optimizer"] = [{name: {"scope": "all", **part}}]
    wanted = translate(read(tmp_path, plain("ResNet18")), cards=4).recipe
    assert translate(read(tmp_path, content), cards=4).recipe == wanted
    content["Optimizer"][0][name]["momentun"] = 0.8
    with pytest.raises(SettingError, match="momentun"):
        translate(read(tmp_path, content), cards=4)
