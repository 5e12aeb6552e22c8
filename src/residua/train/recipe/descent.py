"""The parts of a recipe that say how weights move: the optimiser, and its rate over the epochs.

``train.recipe.tree`` puts the whole recipe together. The text below a key is its meaning in
docs/recipe-keys.md.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from residua.bundle.schema import Fraction, Positive, Record
from residua.data.settings import NonNegative, Probability


class OptimiserPart(Record):
    """The optimiser."""

    name: Literal["sgd", "adamw", "adam", "rmsprop", "lamb", "lion", "muon"] = "sgd"
    """Whose step is taken."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate, for the recipe's batch size."""
    momentum: Fraction = 0.9
    """Of sgd, rmsprop and muon's matrices."""
    nesterov: bool = True
    """Nesterov's momentum, of sgd and muon's matrices."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Of the others: shares of the past in the averages of gradients and of their squares; rmsprop
    has the second alone."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Of the others: what is added to the root of the squares; of rmsprop, within the root."""
    weight_decay: NonNegative = 1e-4
    """Coupled (L2) for sgd, adam and rmsprop, decoupled for the others."""
    l1_decay: NonNegative = 0.0
    """Times the signs of the weights that may decay, added to their gradients (L1)."""
    decay_all: bool = False
    """Decay scales and shifts of normalisations, and biases, too."""
    lr_multipliers: dict[str, NonNegative] = Field(default_factory=dict)
    """Factors of the rate by part (stem, stage1, …, head); what is not named has 1."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor of the rate for every block between a layer and the head."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """Bound of the norm of all gradients; null: none, but for lamb, which has 1 of its own."""
    clip_tensor_norm: Annotated[float, Field(gt=0)] | None = None
    """Bound of the norm of each tensor's gradient by itself; null: none."""
    agc: Annotated[float, Field(gt=0)] | None = None
    """Bound of each unit's gradient relative to its weights (arXiv 2102.06171); null: none."""


class SchedulePart(Record):
    """The learning rate over the epochs, as a factor of ``optimiser.lr``."""

    curve: Literal[
        "cosine",
        "step",
        "multistep",
        "polynomial",
        "one-cycle",
        "cyclic",
        "fixmatch",
        "plateau",
        "constant",
    ] = "cosine"
    """How it falls after the warm-up, which all may have; one-cycle rises along a cosine too,
    cyclic rises and falls in turns, fixmatch is a piece of a cosine."""
    per: Literal["step", "epoch"] = "step"
    """When the rate changes."""
    warmup_epochs: NonNegative = 0.0
    """Epochs of the rise to 1."""
    warmup_start: Probability = 0.0
    """Where the rise begins."""
    final: Probability = 0.0
    """Where cosine, polynomial and one-cycle end, and each cycle of cyclic begins and ends."""
    step_epochs: Annotated[float, Field(gt=0)] = 30.0
    """Of step: epochs between two falls."""
    milestones: tuple[NonNegative, ...] = ()
    """Of multistep: the epochs of the falls."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Of step, multistep and plateau: the factor of a fall; of cyclic, see cycle_fall."""
    factors: tuple[NonNegative, ...] = ()
    """Of multistep: the factor from each milestone on; empty: powers of gamma."""
    cycle_epochs: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (4.0, 4.0)
    """Of cyclic: epochs of a rise and of a fall (arXiv 1506.01186)."""
    cycle_fall: Literal["none", "steps", "smooth"] = "none"
    """Of cyclic: its height falls by gamma after each cycle, or smoothly by gamma a cycle."""
    cycles: Annotated[float, Field(gt=0, le=0.5)] = 7 / 16
    """Of fixmatch: the factor is cos(π cycles progress) (arXiv 2001.07685, section 2.4)."""
    power: Annotated[float, Field(gt=0)] = 1.0
    """Of polynomial: power of what is left of the run."""
    patience: Positive = 5
    """Of plateau: validations without a better one before a fall."""
    momentum: tuple[Fraction, Fraction] | None = None
    """Of one-cycle: lowest and highest momentum (or first beta), which goes against the rate, as
    [0.85, 0.95]; null: it stays."""

    @model_validator(mode="after")
    def _curve_is_whole(self) -> Self:
        if self.curve == "multistep" and not self.milestones:
            raise ValueError(
                "multistep needs milestones, the epochs at which the rate falls: [30, 60, 90]"
            )
        if self.factors and len(self.factors) != len(self.milestones):
            raise ValueError(
                f"factors are {len(self.factors)} for {len(self.milestones)} milestones: one each"
            )
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"milestones rise: {sorted(self.milestones)}")
        if self.momentum is not None and self.curve != "one-cycle":
            raise ValueError("a cycle of the momentum belongs to the curve one-cycle")
        if self.momentum is not None and self.momentum[0] > self.momentum[1]:
            raise ValueError("momentum is [lowest, highest]")
        return self
