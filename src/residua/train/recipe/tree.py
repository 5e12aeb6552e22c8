"""The recipe: everything that decides what a training run does, as one typed value.

A recipe is frozen, complete (no default is looked up later) and stored in the bundle that it made.
Files and command lines become one in ``train.recipe_file``.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from residua.bundle.schema import Fraction, Positive, Record
from residua.data.settings import AugmentPart, DataPart, NonNegative, Probability, Seed


class ModelPart(Record):
    """The network. ``pretrained`` is a zoo name, a bundle or a weight file; empty: from scratch.

    ``freeze`` names the last part ("stem", "stage1", …) that keeps its weights, as do all before
    it; empty: all are trained.
    """

    name: str = ""
    pretrained: str = ""
    small_images: bool = False
    widths: tuple[Positive, ...] = ()
    stem_width: Positive | None = None
    drop_path: Fraction = 0.0
    zero_gamma: bool = True
    freeze: str = ""


class LossPart(Record):
    """What is minimised.

    "cross-entropy" with ``label_smoothing`` of the target spread over all classes; "bce", binary
    cross entropy of every class, with targets above ``target_threshold`` counted as 1 (RSB);
    "focal" with ``gamma``; "asymmetric" with ``gamma_positive``, ``gamma_negative`` and ``clip``.
    ``class_weights`` "balanced" weighs a class by the inverse of its share; or one number a class.
    """

    kind: Literal["cross-entropy", "bce", "focal", "asymmetric"] = "cross-entropy"
    label_smoothing: Fraction = 0.0
    target_threshold: Probability | None = None
    gamma: NonNegative = 2.0
    gamma_positive: NonNegative = 0.0
    gamma_negative: NonNegative = 4.0
    clip: Fraction = 0.05
    class_weights: Literal["none", "balanced"] | tuple[NonNegative, ...] = "none"


class OptimiserPart(Record):
    """The optimiser. ``lr`` is the peak rate for the recipe's batch size.

    ``weight_decay`` is coupled (L2) for sgd, decoupled for the others. The rate of a part is
    multiplied by its entry in ``lr_multipliers`` and by ``layer_decay`` once for every block that
    lies between it and the head. ``clip_norm`` bounds the norm of all gradients, ``agc`` that of
    each unit relative to its weights (arXiv 2102.06171); None is off. LAMB bounds the norm by
    itself, to 1, where ``clip_norm`` is None.
    """

    name: Literal["sgd", "adamw", "lamb", "lion", "muon"] = "sgd"
    lr: Annotated[float, Field(gt=0)]
    momentum: Fraction = 0.9
    nesterov: bool = True
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: NonNegative = 1e-4
    # Decay scales and shifts of normalisations, and biases, too.
    decay_all: bool = False
    # "stem", "stage1", …, "head" → factor of the learning rate; what is not named has 1.
    lr_multipliers: dict[str, NonNegative] = Field(default_factory=dict)
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    agc: Annotated[float, Field(gt=0)] | None = None


class SchedulePart(Record):
    """The learning rate over the epochs, as a factor of ``lr``.

    cosine: falls from 1 to ``final``. step: times ``gamma`` every ``step_epochs``. multistep:
    times ``gamma`` at each of ``milestones`` (epochs). polynomial: falls to ``final`` as the power
    ``power`` of what is left. one-cycle: rises from ``warmup_start`` to 1 during
    ``warmup_epochs``, then falls to ``final``, both as cosines. plateau: times ``gamma`` whenever
    ``patience`` validations brought nothing better. constant: 1. All but one-cycle may start with
    a linear rise from ``warmup_start`` over ``warmup_epochs``. ``per`` says when the rate changes.
    """

    curve: Literal[
        "cosine", "step", "multistep", "polynomial", "one-cycle", "plateau", "constant"
    ] = "cosine"
    per: Literal["step", "epoch"] = "step"
    warmup_epochs: NonNegative = 0.0
    warmup_start: Probability = 0.0
    final: Probability = 0.0
    step_epochs: Annotated[float, Field(gt=0)] = 30.0
    milestones: tuple[NonNegative, ...] = ()
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    power: Annotated[float, Field(gt=0)] = 1.0
    patience: Positive = 5
    momentum: tuple[Fraction, Fraction] | None = None

    @model_validator(mode="after")
    def _curve_is_whole(self) -> Self:
        if self.curve == "multistep" and not self.milestones:
            raise ValueError(
                "multistep needs milestones, the epochs at which the rate falls: [30, 60, 90]"
            )
        if self.momentum is not None and self.curve != "one-cycle":
            raise ValueError("a cycle of the momentum belongs to the curve one-cycle")
        if self.momentum is not None and self.momentum[0] > self.momentum[1]:
            raise ValueError("momentum is [lowest, highest]")
        return self


class AveragePart(Record):
    """An average of the weights, which is then what is validated and written.

    "ema": exponential with ``decay``, taken ``every`` so many steps; with ``warmup`` the decay
    rises as (1 + n) / (10 + n) at first. "uniform": the plain mean of the weights after each epoch
    from ``start_epoch`` on (SWA), whose statistics of normalisation are computed anew on 1024
    training crops before each validation.
    """

    kind: Literal["none", "ema", "uniform"] = "none"
    decay: Fraction = 0.9999
    every: Positive = 1
    warmup: bool = True
    start_epoch: NonNegative = 0.0


class PrecisionPart(Record):
    """How the network computes while training; weights, validation and bundles are float32.

    ``deterministic`` asks torch for algorithms that repeat bit by bit on a GPU (on a processor
    they always do).
    """

    compute: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: bool = True
    compile: bool = False
    deterministic: bool = False


class LoopPart(Record):
    """Length, batch and seed of the run.

    ``batch_size`` is the effective one: pictures of one update over all processes, whatever the
    ``micro_batch`` that a device computes at once (0: as many as fit). ``log_every`` counts steps.
    ``sync_norm`` lets normalisations see the micro-batches of all processes. The run stops early
    after ``patience`` validations without a better one (0: never), and plans its epochs so as to
    end within ``budget_minutes`` (0: no limit).
    """

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)] = 64
    micro_batch: Annotated[int, Field(ge=0)] = 0
    seed: Seed = 0
    log_every: Positive = 20
    sync_norm: bool = False
    patience: Annotated[int, Field(ge=0)] = 0
    budget_minutes: NonNegative = 0.0


class EvaluatePart(Record):
    """Validation: ``every`` so many epochs, and after the last; what makes a model the best.

    ``image_size`` and ``short_side`` are those of the bundle; None: as trained, with the margin
    of 256 to 224. ``prepare`` says whose rules resize pictures, in training too: torchvision's
    (Pillow, bilinear), timm's (Pillow, bicubic) or Paddle's (OpenCV, bilinear); "given": those of
    the weights started from, or torchvision's. ``keep`` says whose weights the bundle gets: the
    best validation's or the last.
    """

    every: Positive = 1
    metric: Literal["top1", "loss", "map"] = "top1"
    keep: Literal["best", "last"] = "best"
    image_size: Positive | None = None
    short_side: Positive | None = None
    prepare: Literal["given", "torchvision", "timm", "paddle"] = "given"


class OutputPart(Record):
    """What a run leaves: a checkpoint after each epoch and ``checkpoint_every`` so many steps.

    0 steps: every two minutes. The last ``keep`` checkpoints stay. ``track`` names the trackers
    that get the metrics besides the JSON lines.
    """

    checkpoint_every: Annotated[int, Field(ge=0)] = 0
    keep: Annotated[int, Field(ge=1)] = 2
    track: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()


class Recipe(Record):
    """A whole training run, apart from the pictures."""

    model: ModelPart = ModelPart()
    data: DataPart = DataPart()
    augment: AugmentPart = AugmentPart()
    loss: LossPart = LossPart()
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
                f"a warm-up of {self.schedule.warmup_epochs:g} epochs leaves nothing of "
                f"{self.loop.epochs}"
            )
        schedule = self.schedule
        if schedule.per == "epoch" and schedule.warmup_epochs and not schedule.warmup_start:
            raise ValueError(
                "with schedule.per epoch a warm-up from 0 trains the first epoch at rate 0; "
                "give schedule.warmup_start"
            )
        if self.data.multi_label and self.loss.kind == "cross-entropy":
            raise ValueError("multi-label data need loss.kind bce, focal or asymmetric")
        if self.data.multi_label and self.evaluate.metric == "top1":
            raise ValueError("multi-label data need evaluate.metric map or loss")
        return self
