"""Weight files and catalogue entries made up for tests."""

import hashlib

import numpy as np

from residua.bundle.schema import Preprocess
from residua.zoo.weights.cache import weights_folder
from residua.zoo.weights.catalogue import Entry

NAME = "ResNet18_test.pdparams"
# Three and a half chunks of the fetcher, beginning and ending as a pickle does.
BODY = b"\x80" + np.random.default_rng(1).bytes(3_670_000) + b"."
SHA = hashlib.sha256(BODY).hexdigest()
OTHER = b"\x80" + np.random.default_rng(2).bytes(3_000_000) + b"."


def make_entry(*urls, **changes):
    facts = {
        "name": "ResNet18.test", "row": "ResNet18", "source": "paddleclas", "urls": urls,
        "file": NAME, "licence": "Apache-2.0", "preprocess": Preprocess(), **changes,
    }  # fmt: skip
    return Entry(**facts)


def left_behind():
    """Return the names in the cache's folder of weight files that are no locks."""
    return sorted(p.name for p in weights_folder().glob("*") if not p.name.startswith("."))


def draw_cifar_resnet20(*, classes=10, seed=0):
    """Return the tensors of a ResNet20 as the usual CIFAR code names them (option A shortcuts)."""
    draw = np.random.default_rng(seed)
    tensors = {}

    def conv_norm(conv, norm, outputs, inputs):
        tensors[f"{conv}.weight"] = draw.normal(0, 0.1, (outputs, inputs, 3, 3))
        for name in ("weight", "running_var"):
            tensors[f"{norm}.{name}"] = draw.uniform(0.5, 1.5, outputs)
        for name in ("bias", "running_mean"):
            tensors[f"{norm}.{name}"] = draw.normal(0, 0.1, outputs)

    conv_norm("conv1", "bn1", 16, 3)
    inputs = 16
    for stage, width in enumerate((16, 32, 64), start=1):
        for block in range(3):
            prefix = f"layer{stage}.{block}"
            conv_norm(f"{prefix}.conv1", f"{prefix}.bn1", width, inputs)
            conv_norm(f"{prefix}.conv2", f"{prefix}.bn2", width, width)
            inputs = width
    tensors["linear.weight"] = draw.normal(0, 0.1, (classes, 64))
    tensors["linear.bias"] = draw.normal(0, 0.1, classes)
    return {name: array.astype(np.float32) for name, array in tensors.items()}
