"""What a recipe says of learning from a teacher; ``residua distil`` runs those that do."""

from typing import Annotated, Literal

from pydantic import Field

from residua.bundle.schema import Fraction, Positive, Record
from residua.data.settings import NonNegative

Method = Literal[
    "none", "ssld", "kd", "dkd", "dist", "skd", "wsl", "rkd", "feature", "mgd", "afd", "pefd",
    "dml", "udml",
]  # fmt: skip


class DistilPart(Record):
    """What is learnt from a teacher.

    A row's loss is the sum of three: ``label_weight`` of the loss of its label, ``soft_weight`` of
    the divergence from the teacher's answer at ``temperature``, and ``weight`` of the method's.
    Rows without a label lack the first.
    """

    method: Method = "none"
    """What is compared with the teacher; "none" learns from labels alone. Of dml and udml the
    teacher learns too."""
    teacher: str = ""
    """A bundle, a name from residua models, a weight file or an .onnx file; of dml and udml empty
    or a row of the table that begins from scratch."""
    teacher_sha256: str = ""
    """Of the teacher's weights; an interrupted run goes on with no others."""
    weight: NonNegative = 1.0
    """Of the method's loss."""
    label_weight: NonNegative = 0.0
    """Of the loss of the labels, which loss.kind says."""
    soft_weight: NonNegative = 0.0
    """Of the divergence from the teacher's answers, beside methods that compare features."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Of softmaxes: logits are divided by it."""
    alpha: NonNegative = 1.0
    """Of dkd: weight of the right class's mass; of skd: share of the teacher's answers."""
    beta: NonNegative = 1.0
    """Of dkd: weight of the other classes; of dist: of the correlation of rows."""
    gamma: NonNegative = 1.0
    """Of dist: weight of the correlation of columns."""
    multiplier: Annotated[float, Field(gt=0)] = 2.0
    """Of skd: what standardised logits are multiplied by."""
    distance: NonNegative = 1.0
    """Of rkd: weight of the distances."""
    angle: NonNegative = 2.0
    """Of rkd: weight of the angles."""
    likeness: Literal["l2", "cosine"] = "l2"
    """Of feature and udml: how features are compared."""
    hidden: Fraction = 0.15
    """Of mgd: chance that a channel is hidden."""
    projectors: Positive = 3
    """Of pefd: how many projections are averaged."""
    width: Positive = 128
    """Of afd: width of queries and keys."""
    student_features: tuple[str, ...] = ()
    """Of feature, mgd, afd, udml: which of the student's are compared ("stage4", "stage2.0");
    empty: the last stage, of afd every block."""
    teacher_features: tuple[str, ...] = ()
    """The same of the teacher's, one for each of the student's but for afd."""
    statistics: Literal["running", "batch"] = "running"
    """What the teacher's normalisations use: "running" as for predictions, "batch" those of the
    pictures at hand, as PaddleClas leaves its SSLD teachers."""
    precision: Literal["same", "fp32", "bf16", "fp16"] = "same"
    """Number format of the teacher; "same" as the student's."""
