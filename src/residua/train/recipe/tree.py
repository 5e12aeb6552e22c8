"""The recipe: everything that decides what a training run does, as one typed value.

A recipe is frozen, complete (no default is looked up later) and stored in the bundle that it made.
Files and command lines become one in ``train.recipe.file``. The text below a key is its meaning in
docs/recipe-keys.md.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from residua.bundle.schema import Fraction, Positive, Record
from residua.data.settings import AugmentPart, DataPart, NonNegative, Probability, Seed
from residua.train.recipe.descent import OptimiserPart, SchedulePart
from residua.train.recipe.distil import DistilPart


class ModelPart(Record):
    """The network."""

    name: str = ""
    """A row of the table: residua models."""
    pretrained: str = ""
    """Weights to start from: a zoo name, a bundle or a weight file; empty: from scratch."""
    small_images: bool = False
    """A stem of one 3x3 convolution without stride, for pictures of about 32 to 96 pixels."""
    widths: tuple[Positive, ...] = ()
    """Widths of the stages; empty: the row's."""
    stem_width: Positive | None = None
    """Channels that the stem gives out; null: the row's."""
    drop_path: Fraction = 0.0
    """Chance that the last block's branch is dropped, rising from 0 at the first."""
    zero_gamma: bool = True
    """Start every block as the identity (arXiv 1706.02677, section 5.1)."""
    freeze: str = ""
    """Last part (stem, stage1, …) that keeps its weights, as do all before it; empty: none."""
    train_last_norm: bool = False
    """Train the last normalisation before the classifier although its part is frozen (FixRes)."""


class LossPart(Record):
    """What is minimised."""

    kind: Literal["cross-entropy", "bce", "focal", "asymmetric"] = "cross-entropy"
    """The loss; "bce" is the binary cross-entropy of every class."""
    label_smoothing: Fraction = 0.0
    """Share of the target that is spread over all classes."""
    target_threshold: Probability | None = None
    """Of bce: mixed targets above it count as 1 (RSB); null: they stay as they are."""
    gamma: NonNegative = 2.0
    """Of focal: how much less sure answers count."""
    gamma_positive: NonNegative = 0.0
    """Of asymmetric: the same where the class applies."""
    gamma_negative: NonNegative = 4.0
    """Of asymmetric: the same where it does not."""
    clip: Fraction = 0.05
    """Of asymmetric: probabilities of classes that do not apply are lowered by it."""
    class_weights: Literal["none", "balanced", "ratio"] | tuple[NonNegative, ...] = "none"
    """Weights of the classes: "balanced" by the inverse of their share, or one number each; "ratio"
    of multi-label bce: exp(1 - share) where a class applies, exp(share) where it does not."""
    reduction: Literal["mean", "sum"] = "mean"
    """Of bce: over the classes of a picture; sums want rates that are as many times lower."""


class AveragePart(Record):
    """An average of the weights, which is then what is validated and written."""

    kind: Literal["none", "ema", "uniform"] = "none"
    """Exponential, or the plain mean of the weights after each epoch (SWA), whose statistics of
    normalisation are computed anew on 1024 training crops before each validation."""
    decay: Fraction = 0.9999
    """Of ema: share of the past."""
    every: Positive = 1
    """Of ema: taken every so many steps."""
    warmup: bool = True
    """Of ema: at first the decay rises, as (1 + n) / (10 + n)."""
    start_epoch: NonNegative = 0.0
    """Of uniform: the first epoch that is taken."""


class PrecisionPart(Record):
    """How the network computes while training; weights, validation and bundles are float32."""

    compute: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format; "auto" is bf16 where the hardware multiplies in it."""
    channels_last: bool = True
    """Lay pictures out with their channels last, which is faster."""
    compile: bool = False
    """Compile the network (torch.compile)."""
    deterministic: bool = False
    """Only algorithms that repeat bit by bit on a GPU; on a processor they always do."""
    quantise: bool = False
    """Train and validate trained weights with the rounding of int8, so that an int8 export of the
    bundle loses less; the bundle itself is float32 as ever."""


class LoopPart(Record):
    """Length, batch and seed of the run."""

    epochs: Positive
    """Passes over the pictures."""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Pictures of one update, over all processes."""
    micro_batch: Annotated[int, Field(ge=0)] = 0
    """Pictures that a device computes at once; 0: as many as fit. Normalisations see no more than
    these; nothing else of an update depends on it."""
    seed: Seed = 0
    """Of every random draw."""
    log_every: Positive = 20
    """Steps between two lines of the record."""
    sync_norm: bool = False
    """Normalisations see the micro-batches of all processes."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Stop after so many validations without a better one; 0: never."""
    budget_minutes: NonNegative = 0.0
    """Plan the epochs so as to end within so many minutes; 0: no limit."""


class EvaluatePart(Record):
    """Validation, and what makes a model the best."""

    every: Positive = 1
    """Epochs between two validations; the last epoch has one."""
    metric: Literal["top1", "loss", "map"] = "top1"
    """What is compared."""
    keep: Literal["best", "last"] = "best"
    """Whose weights the bundle gets: the best validation's or the last."""
    image_size: Positive | None = None
    """Pixels of the bundle's crops; null: as trained."""
    short_side: Positive | None = None
    """Pixels of the short side before the crop; null: with the margin of 256 to 224."""
    prepare: Literal["given", "torchvision", "timm", "paddle"] = "given"
    """Whose rules resize pictures, in training too: torchvision's (Pillow, bilinear), timm's
    (Pillow, bicubic), Paddle's (OpenCV, bilinear); "given": those of the weights started from,
    or torchvision's."""


class OutputPart(Record):
    """What a run leaves, besides the bundle and a checkpoint after each epoch."""

    checkpoint_every: Annotated[int, Field(ge=0)] = 0
    """Steps between two checkpoints; 0: every two minutes."""
    keep: Annotated[int, Field(ge=1)] = 2
    """The last so many checkpoints stay."""
    track: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    """Trackers that get the numbers besides the JSON lines."""


class Recipe(Record):
    """A whole training run, apart from the pictures."""

    model: ModelPart = ModelPart()
    data: DataPart = DataPart()
    augment: AugmentPart = AugmentPart()
    loss: LossPart = LossPart()
    distil: DistilPart = DistilPart()
    optimiser: OptimiserPart
    schedule: SchedulePart = SchedulePart()
    average: AveragePart = AveragePart()
    precision: PrecisionPart = PrecisionPart()
    loop: LoopPart
    evaluate: EvaluatePart = EvaluatePart()
    output: OutputPart = OutputPart()

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.schedule.warmup_epochs >= self.loop.epochs and self.loop.epochs > 1:
            raise ValueError(
                f"schedule.warmup_epochs of {self.schedule.warmup_epochs:g} leaves nothing of the "
                f"{self.loop.epochs} of loop.epochs"
            )
        schedule = self.schedule
        if schedule.per == "epoch" and schedule.warmup_epochs and not schedule.warmup_start:
            raise ValueError(
                "with schedule.per epoch a warm-up from 0 trains the first epoch at rate 0: give "
                "schedule.warmup_start"
            )
        if self.precision.quantise:
            _refuse_quantising(self.model, self.precision)
        if self.data.multi_label and self.loss.kind == "cross-entropy":
            raise ValueError("multi-label data need loss.kind bce, focal or asymmetric")
        if self.data.multi_label and self.evaluate.metric == "top1":
            raise ValueError("multi-label data need evaluate.metric map or loss")
        if self.data.multi_label and self.distil.method != "none":
            raise ValueError(
                "distil.method is of pictures of one class each, not of multi-label data"
            )
        if not self.data.multi_label and self.evaluate.metric == "map":
            raise ValueError("evaluate.metric map is of multi-label data: take top1 or loss")
        average = self.average
        if average.kind == "uniform" and average.start_epoch >= self.loop.epochs:
            raise ValueError(
                f"average.start_epoch {average.start_epoch:g} is not reached by loop.epochs "
                f"{self.loop.epochs}"
            )
        return self


def _refuse_quantising(model: ModelPart, precision: PrecisionPart) -> None:
    """Refuse what cannot be trained with the rounding of int8."""
    if not model.pretrained:
        raise ValueError(
            "precision.quantise makes trained weights fit for int8, and model.pretrained names "
            "none: train without it first, then with --pretrained YOUR.bundle --quantise"
        )
    if precision.compile:
        raise ValueError(
            "precision.quantise and precision.compile do not go together: set the latter to false"
        )
