"""The options of residua distil that are not residua train's."""

from pathlib import Path
from typing import Annotated

import typer

from residua.cli import train_options as option

TEACHER = "Teacher"
CHAIN = "Stages of ssld"

Teacher = Annotated[
    str,
    typer.Option(
        help="A bundle, a name from residua models, a weight file or an .onnx file. Of dml and "
        "udml the other network, which learns too: empty (the student's own), a row or a bundle.",
        rich_help_panel=TEACHER,
    ),
]
Student = Annotated[
    str,
    typer.Option(help="The network that learns, from: residua models.", rich_help_panel=TEACHER),
]
Method = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="How it learns: kd, ssld, funmatch, dkd, dist, skd, wsl, rkd, feature, mgd, afd, "
        "pefd, dml, udml (residua distil methods explains them).",
        rich_help_panel=TEACHER,
    ),
]
Unlabelled = Annotated[
    str,
    typer.Option(
        help="More pictures, without labels: a folder, tar shards, or a list with a path a line.",
        rich_help_panel=option.PICTURES,
    ),
]
PerClass = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Of ssld: the most unlabelled pictures of a class [default: 1000].",
        rich_help_panel=CHAIN,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Of ssld: the least probability of the teacher's class.", rich_help_panel=CHAIN
    ),
]
SecondEpochs = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Of ssld: epochs of stage 2, on labelled pictures at a hundredth of the rate; 0: a "
        "sixth of the first.",
        rich_help_panel=CHAIN,
    ),
]
FixSize = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Of ssld: fit the classifier to this larger size at the end; 0: not.",
        rich_help_panel=CHAIN,
    ),
]
Output = Annotated[
    Path, typer.Option("--output", help="The bundle to write.", rich_help_panel=option.RUN)
]
TeacherPrecision = Annotated[
    str | None,
    typer.Option(
        help="Of the teacher: fp32, bf16, fp16 [default: the student's].", rich_help_panel=TEACHER
    ),
]
TeacherNorms = Annotated[
    str | None,
    typer.Option(
        help="What the teacher's normalisations use: running (as for predictions) or batch (as "
        "PaddleClas leaves them).",
        rich_help_panel=TEACHER,
    ),
]
