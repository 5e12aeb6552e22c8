"""Everything of a run that a crash must not lose, in one place, and its way to tensors and numbers.

What is not here is a pure function of the recipe: the order of the pictures, every random draw, the
learning rate, when to validate.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from residua.train.update.average import Average
from residua.train.update.meter import Meter
from residua.train.update.reports import EpochReport
from residua.train.update.watch import Watch
from residua.zoo.resnet import ResNet

# Counts batches for a momentum of normalisation that residua never uses.
_LEFT_OUT = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Position:
    """The next update: its epoch, its number in it, and how many updates were done before."""

    epoch: int = 0
    step: int = 0
    updates: int = 0

    def advance(self, steps: int) -> "Position":
        """Return the position after one more update, of ``steps`` an epoch."""
        done = self.step + 1 == steps
        return Position(self.epoch + done, 0 if done else self.step + 1, self.updates + 1)


@dataclass(frozen=True, slots=True)
class Best:
    """The best validation so far, by its epoch; 0: none yet."""

    epoch: int = 0
    value: float = 0.0
    loss: float = 0.0


@dataclass(slots=True)
class TrainingState:
    """The state of a run on one process.

    Gradients are exchanged at every update, so parameters, optimiser and average are the same on
    all. Running statistics are each process's own; those of the first are the run's.
    """

    network: ResNet
    companions: nn.Module  # what is trained beside it and thrown away at the end
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: Average | None
    meter: Meter
    rate: float = 0.0  # of the last update
    ended: str = ""  # why no further epoch is trained, once that is decided
    position: Position = Position()
    history: tuple[EpochReport, ...] = ()
    best: Best = Best()
    watch: Watch = field(default_factory=Watch)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, as they are (no copies)."""
        found = {f"network.{name}": tensor for name, tensor in _of(self.network).items()}
        found |= {f"companions.{name}": tensor for name, tensor in _of(self.companions).items()}
        for number, entries in self.optimiser.state_dict()["state"].items():
            for key, value in entries.items():
                if isinstance(value, Tensor):
                    found[f"optimiser.{number}.{key}"] = value
        if self.average is not None:
            tensors = self.average.tensors()
            found |= {f"average.{name}": tensor for name, tensor in tensors.items()}
        return found

    def numbers(self) -> dict[str, Any]:
        """Return all else as plain JSON values; Python writes floats so that they read the same."""
        state = self.optimiser.state_dict()["state"]
        return {
            "position": {name: getattr(self.position, name) for name in Position.__slots__},
            "history": [report.as_record() for report in self.history],
            "best": {name: getattr(self.best, name) for name in Best.__slots__},
            "watch": self.watch.numbers,
            "rate": self.rate,
            "ended": self.ended,
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.numbers(),
            "optimiser": {
                str(number): {k: v for k, v in entries.items() if not isinstance(v, Tensor)}
                for number, entries in state.items()
            },
        }

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Take up the state that ``tensors`` and ``numbers`` spelt out."""
        for name, tensor in _of(self.network).items():
            tensor.copy_(tensors[f"network.{name}"])
        for name, tensor in _of(self.companions).items():
            tensor.copy_(tensors[f"companions.{name}"])
        self._load_optimiser(tensors, numbers["optimiser"])
        if self.average is not None:
            own = {
                name.removeprefix("average."): tensor
                for name, tensor in tensors.items()
                if name.startswith("average.")
            }
            self.average.load(own, numbers["average"])
        if numbers["scaler"]:
            self.scaler.load_state_dict(numbers["scaler"])
        self.position = Position(**numbers["position"])
        self.history = tuple(EpochReport.read(record) for record in numbers["history"])
        self.best = Best(**numbers["best"])
        self.watch = Watch(numbers["watch"])
        self.rate, self.ended = numbers["rate"], numbers["ended"]

    def _load_optimiser(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Fill the optimiser's state, laid out in memory as its parameters are.

        The same layout lets the same vector instructions meet the same elements, so that a resumed
        run rounds as an undisturbed one does.
        """
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Any]] = {int(number): dict(v) for number, v in plain.items()}
        for name, tensor in tensors.items():
            if not name.startswith("optimiser."):
                continue
            _, number, key = name.split(".", 2)
            parameter = parameters[int(number)]
            laid_out = tensor
            if tensor.shape == parameter.shape:
                laid_out = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
            state[int(number)][key] = laid_out
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _of(network: nn.Module) -> dict[str, Tensor]:
    state = network.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.endswith(_LEFT_OUT)}
