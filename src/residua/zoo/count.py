"""Parameters and multiply-adds of a row, counted over the real network without computing it.

``python -m residua.zoo.count`` counts the whole table and writes ``counts.json``, which
``residua models`` reads so as to need no torch; a test holds the file against a fresh count.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from residua.bundle.schema import Architecture

_FILE = "counts.json"
_SIZES = (224, 256, 320)  # of the published weights; small-image rows are counted at 32


@dataclass(frozen=True, slots=True)
class Counts:
    """``params``: trainable; ``macs``: multiply-adds of convolutions and classifier by image size.

    GFLOPs as PaddleClas prints them are twice the multiply-adds.
    """

    params: int
    macs: dict[int, int]

    def gflops(self, image_size: int) -> float:
        """Return 2 x multiply-adds in units of 1e9 for one image of ``image_size`` pixels."""
        return 2 * self.macs[image_size] / 1e9


def natural_size(row: Architecture) -> int:
    """Return the image size a row is made for: 32 with the small-image stem, else 224."""
    return 32 if row.stem == "3x3" else 224


def count(row: Architecture, sizes: tuple[int, ...] = ()) -> Counts:
    """Count a row by running shapes alone through its network (torch's meta device)."""
    import torch
    from torch import nn

    from residua.zoo.resnet import ResNet

    with torch.device("meta"):
        network = ResNet(row).eval()
    total = 0

    def add(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        del inputs
        if isinstance(module, nn.Conv2d):
            total += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel()

    counted = [m for m in network.modules() if isinstance(m, nn.Conv2d)] + [network.head]
    for module in counted:
        module.register_forward_hook(add)
    macs = {}
    for size in sizes or (natural_size(row),):
        total = 0
        network(torch.empty(1, row.input_channels, size, size, device="meta"))
        macs[size] = total
    return Counts(params=sum(p.numel() for p in network.parameters()), macs=macs)


@cache
def stored_counts() -> dict[str, Counts]:
    """Return the counts of every row of the table, by name, from ``counts.json``."""
    text = files("residua.zoo").joinpath(_FILE).read_text(encoding="utf-8")
    return {
        name: Counts(entry["params"], {int(size): macs for size, macs in entry["macs"].items()})
        for name, entry in json.loads(text).items()
    }


def _write() -> None:
    from residua.zoo.table import ROWS

    counts = {
        name: asdict(count(row, (32,) if natural_size(row) == 32 else _SIZES))
        for name, row in ROWS.items()
    }
    lines = ",\n".join(f'"{name}": {json.dumps(entry)}' for name, entry in counts.items())
    Path(__file__).with_name(_FILE).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
