"""The options of residua train, in the groups in which its help shows them."""

from pathlib import Path
from typing import Annotated

import typer

PICTURES = "Pictures"
NETWORK = "Network"
RECIPE = "Recipe"
RUN = "Result and run"
MACHINE = "Machine"

Data = Annotated[
    str,
    typer.Argument(
        help="A folder with one folder of pictures a class (or train/ and val/ with such folders), "
        "a list file, CSV, Parquet, JSONL, tar shards, or hf://NAME."
    ),
]

Val = Annotated[
    str,
    typer.Option(
        help="Where the validation pictures are; default: found, split.", rich_help_panel=PICTURES
    ),
]
ValFraction = Annotated[
    float | None,
    typer.Option(help="Held out where there is no val part.", rich_help_panel=PICTURES),
]
MultiLabel = Annotated[
    bool,
    typer.Option(
        "--multi-label",
        help="A picture may have several classes, or none.",
        rich_help_panel=PICTURES,
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(min=8, help="Side of the crops, in pixels.", rich_help_panel=PICTURES),
]

Model = Annotated[
    str, typer.Option(help="The network, from: residua models.", rich_help_panel=NETWORK)
]
Pretrained = Annotated[
    str,
    typer.Option(
        help="Start from these weights: a name of the zoo, a bundle or a file.",
        rich_help_panel=NETWORK,
    ),
]
Freeze = Annotated[
    str | None,
    typer.Option(
        help="Keep the weights up to this part: stem, stage1 … stage4.", rich_help_panel=NETWORK
    ),
]

Fix = Annotated[
    str,
    typer.Option(
        metavar="BUNDLE",
        help="Fit this bundle to pictures of --size pixels: only its last layers learn (FixRes).",
        rich_help_panel=NETWORK,
    ),
]
Size = Annotated[
    int | None, typer.Option(min=8, help="Of --fix: the size to test at.", rich_help_panel=NETWORK)
]

Config = Annotated[
    str,
    typer.Option(
        "--config", "-c",
        help="A recipe: a name (residua recipe list) or a file; or a PaddleClas configuration, "
        "which names the pictures too.",
        rich_help_panel=RECIPE,
    ),
]  # fmt: skip
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--override", "-o", metavar="KEY=VALUE",
        help="One value of the recipe: optimiser.lr=0.05 (all: residua recipe keys). Repeatable.",
        rich_help_panel=RECIPE,
    ),
]  # fmt: skip
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the pictures.", rich_help_panel=RECIPE)
]
Quantise = Annotated[
    bool,
    typer.Option(
        "--quantise",
        help="Fine-tune a bundle for int8, where its export costs too much: --pretrained "
        "YOUR.bundle. Short, at a low rate, unless told otherwise.",
        rich_help_panel=RECIPE,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Pictures of an update; the learning rate follows it.",
        rich_help_panel=RECIPE,
    ),
]
Rate = Annotated[
    float | None, typer.Option("--lr", help="Peak learning rate.", rich_help_panel=RECIPE)
]
WeightDecay = Annotated[
    float | None, typer.Option(help="Decay of the weights.", rich_help_panel=RECIPE)
]
Warmup = Annotated[
    float | None, typer.Option(help="Epochs of linear warm-up.", rich_help_panel=RECIPE)
]
Mixup = Annotated[
    float | None, typer.Option(help="Alpha of mixup; 0 is off.", rich_help_panel=RECIPE)
]
Smoothing = Annotated[
    float | None, typer.Option(help="Label smoothing, 0 to 1.", rich_help_panel=RECIPE)
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="The same seed gives the same weights.", rich_help_panel=RECIPE),
]
FindRate = Annotated[
    bool,
    typer.Option(
        "--find-lr",
        help="Only try learning rates, show the curve, suggest one.",
        rich_help_panel=RECIPE,
    ),
]

Output = Annotated[
    Path | None,
    typer.Option(help="The bundle to write; default DATA.bundle.", rich_help_panel=RUN),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the bundle if it exists.", rich_help_panel=RUN),
]
Restart = Annotated[
    bool,
    typer.Option(
        "--restart",
        help="Begin anew instead of going on with an interrupted run.",
        rich_help_panel=RUN,
    ),
]
TimeBudget = Annotated[
    str, typer.Option("--budget", help="End in time: 20min, 1.5h.", rich_help_panel=RUN)
]
Track = Annotated[
    list[str] | None,
    typer.Option(help="tensorboard, wandb or mlflow, besides the JSON lines.", rich_help_panel=RUN),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel=RUN),
]

Device = Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=MACHINE)]
Precision = Annotated[
    str | None, typer.Option(help="auto, fp32, bf16 or fp16.", rich_help_panel=MACHINE)
]
