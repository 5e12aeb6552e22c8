"""What asking a teacher costs, over its forward pass and the student's step by themselves.

    python benchmarks/teacher_overhead.py

In pairs: an update of the distillation's learner, against the teacher's forward and a plain step of
the student on the same pictures, one after the other.
"""

import tempfile
import time
from pathlib import Path

import torch

from recording import measure_pairs, write_result
from residua.bench.stand_in import make_stand_in
from residua.bundle.schema import Preprocess
from residua.distil.compare.criteria import make_criterion
from residua.distil.learner import Distilling
from residua.distil.teachers.teacher import make_teacher
from residua.train.recipe.distil import DistilPart
from residua.train.recipe.tree import LossPart
from residua.train.update.learner import Place, Supervised
from residua.train.update.losses import make_loss
from residua.train.update.precision import choose_precision
from residua.zoo.create import create
from residua.zoo.weights.catalogue import find_architecture

ROWS, SIZE, CLASSES = 16, 128, 1000
PRECISION = choose_precision("auto", torch.device("cpu"))
PART = DistilPart(method="ssld")


def main() -> None:
    """Measure pairs and write results/teacher_overhead.json."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_stand_in(Path(folder) / "t.bundle", find_architecture("ResNet50_vd"))
        seen = bundle.manifest.preprocess.model_copy(update={"crop_size": SIZE})
        given = bundle.manifest.model_copy(update={"preprocess": Preprocess(**seen.model_dump())})
        teacher = make_teacher(
            type(bundle)(bundle.path, given), given.classes, seen, precision=PRECISION
        )
    student = create("ResNet18", num_classes=CLASSES, seed=0).train()
    student.to(memory_format=torch.channels_last)
    loss = make_loss(LossPart(), num_classes=CLASSES)
    assert teacher.row is not None
    distilling = Distilling(
        student, loss, PRECISION, teacher=teacher, part=PART,
        criterion=make_criterion(PART, student.row, teacher.row),
    )  # fmt: skip
    alone = Supervised(student, loss, PRECISION)
    optimiser = torch.optim.SGD(student.parameters(), 1e-3)
    pictures = torch.randn(ROWS, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    labels, place = torch.arange(ROWS), Place(0, 0, 0, 0)

    def together() -> float:
        began = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        distilling(pictures, labels, place).mean().backward()
        optimiser.step()
        return time.perf_counter() - began

    def apart() -> float:
        began = time.perf_counter()
        with torch.no_grad(), PRECISION.computing():
            teacher.network(pictures)
        optimiser.zero_grad(set_to_none=True)
        alone(pictures, labels, place).mean().backward()
        optimiser.step()
        return time.perf_counter() - began

    for _ in range(3):
        together(), apart()
    write_result(
        "teacher_overhead",
        "seconds an update: with a teacher (a) against its forward pass and a plain step (b)",
        "python benchmarks/teacher_overhead.py",
        {
            "unit": "s an update", "teacher": "ResNet50_vd", "student": "ResNet18",
            "precision": PRECISION.name, "batch": ROWS, "size": SIZE,
            **measure_pairs(together, apart, pairs=25),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
