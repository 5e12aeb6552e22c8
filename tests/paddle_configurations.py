"""PaddleClas configurations as its documents describe them, written for the tests.

Facts: section 3 of the reference on PaddleClas (epochs, rates, decay, losses, operators), and its
section 4 for distillation. A configuration is a plain mapping; ``write`` makes a file of it.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LABELS = "ppcls/utils/imagenet1k_label_list.txt"

PIECEWISE = {
    "name": "Piecewise", "learning_rate": 0.1, "decay_epochs": [30, 60, 90],
    "values": [0.1, 0.01, 0.001, 0.0001],
}  # fmt: skip
COSINE = {"name": "Cosine", "learning_rate": 0.1}

# Model: (L2, whether mixup is on); of the first five 120 epochs and Piecewise, else 200 and Cosine.
PLAIN = ("ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152")
VD = {
    "ResNet18_vd": (7e-5, True), "ResNet34_vd": (7e-5, True), "ResNet50_vd": (7e-5, True),
    "ResNet101_vd": (1e-4, True), "ResNet152_vd": (1e-4, True), "ResNet200_vd": (1e-4, True),
    "SE_ResNet18_vd": (7e-5, True), "SE_ResNet34_vd": (7e-5, True), "SE_ResNet50_vd": (7e-5, True),
    "ResNet50_vc": (1e-4, False),
}  # fmt: skip
# (L2, operators between mirror and normalisation): version 2 of ResNet50_vd has AutoAugment.
SSLD = {
    "ResNet34_vd_ssld": (7e-5, []), "ResNet50_vd_ssld": (2e-5, [{"AutoAugment": None}]),
    "ResNet101_vd_ssld": (7e-5, []),
}  # fmt: skip
# One operator behind the mirror, or behind the normalisation, or of the batch.
AUGMENTED: dict[str, dict[str, Any]] = {
    "Baseline": {}, "AutoAugment": {"before": [{"AutoAugment": None}]},
    "RandAugment": {"before": [{"RandAugment": {"num_layers": 2, "magnitude": 5}}]},
    "Cutout": {"after": [{"Cutout": {"n_holes": 1, "length": 112}}]},
    "GridMask": {
        "after": [{"GridMask": {"d1": 96, "d2": 224, "rotate": 1, "ratio": 0.5, "mode": 0}}]
    },
    "HideAndSeek": {"after": [{"HideAndSeek": None}]},
    "RandomErasing": {
        "after": [
            {"RandomErasing": {"EPSILON": 0.5, "sl": 0.02, "sh": 0.4, "r1": 0.3, "mean": [0, 0, 0]}}
        ]
    },
    "Mixup": {"batch": [{"MixupOperator": {"alpha": 0.2}}]},
    "Cutmix": {"batch": [{"CutmixOperator": {"alpha": 0.2}}]},
}  # fmt: skip


def decode() -> dict[str, Any]:
    return {"DecodeImage": {"to_rgb": True, "channel_first": False}}


def normalise(scale: Any = "1.0/255.0") -> dict[str, Any]:
    return {"NormalizeImage": {"scale": scale, "mean": MEAN, "std": STD, "order": ""}}


def prepare_steps(short_side: int = 256, size: int = 224, **resize: Any) -> list[dict[str, Any]]:
    return [
        decode(), {"ResizeImage": {"resize_short": short_side, **resize}},
        {"CropImage": {"size": size}}, normalise(),
    ]  # fmt: skip


def training_steps(
    size: int = 224, before: list[Any] | None = None, after: list[Any] | None = None, **crop: Any
) -> list[dict[str, Any]]:
    return [
        decode(), {"RandCropImage": {"size": size, **crop}}, {"RandFlipImage": {"flip_code": 1}},
        *(before or []), normalise(), *(after or []),
    ]  # fmt: skip


def loader(listing: str, steps: list[Any], batch: int, *, training: bool) -> dict[str, Any]:
    return {
        "dataset": {
            "name": "ImageNetDataset", "image_root": "./dataset/ILSVRC2012/",
            "cls_label_path": f"./dataset/ILSVRC2012/{listing}", "transform_ops": steps,
        },
        "sampler": {
            "name": "DistributedBatchSampler", "batch_size": batch, "drop_last": False,
            "shuffle": training,
        },
        "loader": {"num_workers": 4, "use_shared_memory": True},
    }  # fmt: skip


def base(name: str, *, epochs: int, rate: dict[str, Any], decay: float) -> dict[str, Any]:
    """Return what all configurations of section 3.1 share."""
    return {
        "Global": {
            "checkpoints": None, "pretrained_model": None, "output_dir": "./output/",
            "device": "gpu", "save_interval": 1, "eval_during_train": True, "eval_interval": 1,
            "epochs": epochs, "print_batch_step": 10, "use_visualdl": False,
            "image_shape": [3, 224, 224], "save_inference_dir": "./inference", "to_static": False,
        },
        "AMP": {
            "use_amp": False, "use_fp16_test": False, "scale_loss": 128.0,
            "use_dynamic_loss_scaling": True, "use_promote": False, "level": "O1",
        },
        "Arch": {"name": name, "class_num": 1000},
        "Loss": {
            "Train": [{"CELoss": {"weight": 1.0}}], "Eval": [{"CELoss": {"weight": 1.0}}],
        },
        "Optimizer": {
            "name": "Momentum", "momentum": 0.9, "lr": deepcopy(rate),
            "regularizer": {"name": "L2", "coeff": decay},
        },
        "DataLoader": {
            "Train": loader("train_list.txt", training_steps(), 64, training=True),
            "Eval": loader("val_list.txt", prepare_steps(), 64, training=False),
        },
        "Infer": {
            "infer_imgs": "docs/images/inference_deployment/whl_demo.jpg", "batch_size": 10,
            "transforms": [*prepare_steps(), {"ToCHWImage": None}],
            "PostProcess": {"name": "Topk", "topk": 5, "class_id_map_file": LABELS},
        },
        "Metric": {
            "Train": [{"TopkAcc": {"topk": [1, 5]}}], "Eval": [{"TopkAcc": {"topk": [1, 5]}}],
        },
    }  # fmt: skip


def plain(name: str) -> dict[str, Any]:
    """Return the configuration of a plain network; ResNet50's says "pretrained: True"."""
    found = base(name, epochs=120, rate=PIECEWISE, decay=1e-4)
    if name == "ResNet50":
        found["Arch"]["pretrained"] = True
    return found


def improved(name: str) -> dict[str, Any]:
    """Return the configuration of a vd, vc or SE network."""
    decay, mixed = VD[name]
    found = base(name, epochs=200, rate=COSINE, decay=decay)
    found["Loss"]["Train"] = [{"CELoss": {"weight": 1.0, "epsilon": 0.1}}]
    if mixed:
        dataset = found["DataLoader"]["Train"]["dataset"]
        dataset["batch_transform_ops"] = [{"MixupOperator": {"alpha": 0.2}}]
        found["Metric"]["Train"] = None
    return found


def augmented(kind: str) -> dict[str, Any]:
    """Return one of the nine configurations of DataAugment: ResNet50, 300 epochs."""
    found = base("ResNet50", epochs=300, rate=COSINE, decay=1e-4)
    parts = AUGMENTED[kind]
    dataset = found["DataLoader"]["Train"]["dataset"]
    dataset["transform_ops"] = training_steps(before=parts.get("before"), after=parts.get("after"))
    if "batch" in parts:
        dataset["batch_transform_ops"] = parts["batch"]
        found["Metric"]["Train"] = None
    return found


def taught(
    teacher: dict[str, Any], student: dict[str, Any], losses: list[Any], **of_base: Any
) -> dict[str, Any]:
    """Return a DistillationModel with a frozen teacher."""
    found = base("DistillationModel", **of_base)
    found["Arch"] = {
        "name": "DistillationModel", "class_num": 1000, "pretrained_list": None,
        "freeze_params_list": [True, False], "infer_model_name": "Student",
        "models": [{"Teacher": teacher}, {"Student": student}],
    }  # fmt: skip
    found["Loss"] = {"Train": losses, "Eval": [{"CELoss": {"weight": 1.0}}]}
    accuracy = {"DistillationTopkAcc": {"model_key": "Student", "topk": [1, 5]}}
    found["Metric"] = {"Train": [accuracy], "Eval": [deepcopy(accuracy)]}
    return found


def ssld(name: str) -> dict[str, Any]:
    """Return stage 1 of SSLD (section 4.1): 32 cards of 32 pictures, a warm-up of five epochs."""
    decay, before = SSLD[name]
    rate = {"name": "Cosine", "learning_rate": 0.4, "warmup_epoch": 5}
    found = taught(
        {"name": "ResNeXt101_32x16d_wsl", "class_num": 1000, "pretrained": True},
        {"name": name.removesuffix("_ssld"), "class_num": 1000, "pretrained": False},
        [{"DistillationDMLLoss": {"weight": 1.0, "model_name_pairs": [["Student", "Teacher"]]}}],
        epochs=360, rate=rate, decay=decay,
    )  # fmt: skip
    train = found["DataLoader"]["Train"]
    train["dataset"]["transform_ops"] = training_steps(before=before)
    train["sampler"]["batch_size"] = 32
    return found


def fixed() -> dict[str, Any]:
    """Return a fit to 320 pixels: all but the classifier stands still (section 3.4)."""
    found = base("ResNet50_vd", epochs=5, rate={"name": "Cosine", "learning_rate": 0.001}, decay=0)
    found["Arch"] |= {"pretrained": True, "use_ssld": True, "lr_mult_list": [0, 0, 0, 0, 0]}
    for part in ("Train", "Eval"):
        found["DataLoader"][part]["dataset"]["transform_ops"] = prepare_steps(366, 320)
    found["Global"]["image_shape"] = [3, 320, 320]
    return found


_PAIR = [["Student", "Teacher"]]
_LABELS = {"DistillationGTCELoss": {"weight": 1.0, "key": "logits", "model_names": ["Student"]}}
# Method: the losses beside that of the labels (section 4.4).
DISTILLED: dict[str, list[Any]] = {
    "dist": [{"DistillationDISTLoss": {"weight": 2.0, "model_name_pairs": _PAIR}}],
    "wsl": [{"DistillationWSLLoss": {"weight": 2.5, "temperature": 2, "model_name_pairs": _PAIR}}],
    "dkd": [{"DistillationDKDLoss": {
        "weight": 1.0, "temperature": 1, "alpha": 1.0, "beta": 1.0, "model_name_pairs": _PAIR}}],
    "skd": [{"DistillationSKDLoss": {
        "weight": 1.0, "temperature": 1.0, "multiplier": 2.0, "alpha": 0.9,
        "model_name_pairs": _PAIR}}],
    "mgd": [{"DistillationPairLoss": {
        "weight": 1.0, "base_loss_name": "MGDLoss", "model_name_pairs": _PAIR,
        "s_key": "blocks[7]", "t_key": "blocks[15]", "student_channels": 512,
        "teacher_channels": 512, "name": "loss_mgd"}}],
    "pefd": [{"DistillationPairLoss": {
        "weight": 25.0, "base_loss_name": "PEFDLoss", "model_name_pairs": _PAIR,
        "s_key": "avg_pool", "t_key": "avg_pool", "student_channel": 512, "teacher_channel": 512,
        "name": "loss_pefd"}}],
    "afd": [
        {"DistillationKLDivLoss": {"weight": 0.9, "temperature": 4, "model_name_pairs": _PAIR}},
        {"AFDLoss": {"weight": 50.0, "model_name_pair": ["Student", "Teacher"],
                     "student_keys": ["bilinear_key", "value"], "teacher_keys": ["query", "value"],
                     "s_shapes": [[64, 56, 56]], "t_shapes": [[64, 56, 56]]}},
    ],
}  # fmt: skip


def distilled(method: str) -> dict[str, Any]:
    """Return one of the seven configurations in which ResNet34 teaches ResNet18."""
    losses = DISTILLED[method] if method == "skd" else [_LABELS, *DISTILLED[method]]
    teacher = {"name": "ResNet34", "pretrained": True}
    student = {"name": "ResNet18", "pretrained": False}
    if method == "mgd":
        teacher["return_patterns"], student["return_patterns"] = ["blocks[15]"], ["blocks[7]"]
    rate = {
        "name": "MultiStepDecay", "learning_rate": 0.2 if method == "dkd" else 0.1,
        "milestones": [30, 60, 90], "step_each_epoch": 1, "gamma": 0.1,
    }  # fmt: skip
    found = taught(teacher, student, deepcopy(losses), epochs=100, rate=rate, decay=1e-4)
    if method == "afd":
        _wrap(found["Arch"]["models"])
    if method == "dkd":
        found["DataLoader"]["Train"]["sampler"]["batch_size"] = 128
    return found


def _wrap(models: list[dict[str, Any]]) -> None:
    """Put both networks into AttentionModels, as AFD has them."""
    for model in models:
        ((role, network),) = model.items()
        part = f"LinearTransform{role}"
        model[role] = {
            "name": "AttentionModel", "pretrained_list": None,
            "freeze_params_list": [role == "Teacher", False],
            "models": [
                {network["name"]: network},
                {part: {"name": part, "qk_dim": 128, "keys": ["blocks[0]"]}},
            ],
        }  # fmt: skip


def deployment() -> dict[str, Any]:
    """Return deploy/configs/inference_cls.yaml (sections 2.1 and 5.4)."""
    return {
        "Global": {
            "infer_imgs": "./images/ImageNet/ILSVRC2012_val_00000010.jpeg",
            "inference_model_dir": "./models", "batch_size": 1, "use_gpu": True,
            "enable_mkldnn": True, "cpu_num_threads": 10, "enable_benchmark": True,
            "use_fp16": False, "ir_optim": True, "use_tensorrt": False, "gpu_mem": 8000,
            "enable_profile": False,
        },
        "PreProcess": {"transform_ops": [*_deployed_steps(), {"ToCHWImage": None}]},
        "PostProcess": {
            "main_indicator": "Topk",
            "Topk": {"topk": 5, "class_id_map_file": f"../{LABELS}"},
            "SavePreLabel": {"save_dir": "./pre_label/"},
        },
    }  # fmt: skip


def _deployed_steps() -> list[dict[str, Any]]:
    _, resize, crop, _ = prepare_steps()
    return [resize, crop, {"NormalizeImage": {
        "scale": 0.00392157, "mean": MEAN, "std": STD, "order": "", "channel_num": 3}}]  # fmt: skip


def write(folder: Path, content: dict[str, Any], name: str = "config.yaml") -> Path:
    """Write a configuration and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
