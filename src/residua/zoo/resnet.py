"""The network: one class for the whole series, assembled from one row of the table."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn
from torch.nn import functional

from residua.base.errors import UnknownNameError
from residua.bundle.schema import Architecture
from residua.zoo.block import BLOCKS, EXPANSION, ConvNorm


class ResNet(nn.Module):
    """A network of the series. ``row`` says which; ``zoo.create`` makes one with options.

    Input is float [N, C, H, W], normalised; output is logits [N, classes]. The tensors are named
    ``stem.I``, ``stages.S.B.conv0…``, ``.shortcut``, ``.attention`` and ``head``.
    """

    def __init__(self, row: Architecture) -> None:
        """Assemble the network with freshly drawn weights (``zoo.create`` initialises them)."""
        super().__init__()
        self.row = row
        self.stem = _make_stem(row)
        self.pool: nn.Module = nn.Identity() if row.stem == "3x3" else nn.MaxPool2d(3, 2, 1)
        self.stages = _make_stages(row)
        self.num_features = row.widths[-1] * EXPANSION[row.block]
        self.head: nn.Module = nn.Linear(self.num_features, row.num_classes)
        self.frozen: tuple[nn.Module, ...] = ()  # see ``zoo.surgery.freeze``
        self.thawed: tuple[nn.Module, ...] = ()  # what learns within frozen parts

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → logits [N, classes]."""
        logits: Tensor = self.head(self.embed(x))
        return logits

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        for part in self.thawed:
            part.train(mode)
        return self

    def embed(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the pooled features before the classifier, [N, num_features]."""
        x = self._stem_features(x)
        for stage in self.stages:
            x = stage(x)
        return functional.adaptive_avg_pool2d(x, 1).flatten(1)

    def features(self, x: Tensor, names: Sequence[str] = ()) -> dict[str, Tensor]:
        """Return what the stem and the stages give out, by name: "stem", "stage1" and so on.

        ``names`` chooses; empty means all. Each is [N, C, H, W]; "stem" is after the max pool.
        """
        known = ["stem", *(f"stage{index + 1}" for index in range(len(self.stages)))]
        wanted = list(names) or known
        self._refuse_unknown(wanted, known)
        return self._run(x, wanted)[1]

    def observe(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits, and what lies on the way to them by name, in one pass.

        Besides those of ``features`` the names are "stage1.0", …, for what single blocks give out,
        and "pooled" [N, num_features]. Raises UnknownNameError.
        """
        self._refuse_unknown(names, self.list_features())
        x, found = self._run(x, names)
        pooled = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        if "pooled" in names:
            found["pooled"] = pooled
        logits: Tensor = self.head(pooled)
        return logits, {name: found[name] for name in names}

    def list_features(self) -> list[str]:
        """Return the names that ``observe`` knows, in the order of the network."""
        return list_features(self.row)

    def _refuse_unknown(self, wanted: Sequence[str], known: Sequence[str]) -> None:
        if unknown := set(wanted) - set(known):
            raise UnknownNameError("feature", min(unknown), list(known))

    def _run(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the last stage gives out, and what the parts in ``names`` did."""
        x = self._stem_features(x)
        found = {"stem": x}
        for number, stage in enumerate(self.stages, 1):
            for place, block in enumerate(stage.children()):
                x = block(x)
                if f"stage{number}.{place}" in names:
                    found[f"stage{number}.{place}"] = x
            if f"stage{number}" in names:
                found[f"stage{number}"] = x
        return x, {name: found[name] for name in names if name in found}

    def _stem_features(self, x: Tensor) -> Tensor:
        for conv in self.stem:
            x = functional.relu(conv(x))
        pooled: Tensor = self.pool(x)
        return pooled


def _make_stem(row: Architecture) -> nn.ModuleList:
    kernel = 7 if row.stem == "7x7" else 3
    stride = 1 if row.stem == "3x3" else 2
    layers = [ConvNorm(row.input_channels, row.stem_widths[0], kernel, stride=stride)]
    for inputs, outputs in zip(row.stem_widths[:-1], row.stem_widths[1:], strict=True):
        layers.append(ConvNorm(inputs, outputs, kernel))
    return nn.ModuleList(layers)


def _make_stages(row: Architecture) -> nn.ModuleList:
    """Stack the stages; the drop-path rate rises linearly from 0 to the row's over the blocks."""
    make_block = BLOCKS[row.block]
    last = max(1, sum(row.depths) - 1)
    inputs, done, inner = row.stem_widths[-1], 0, row.list_inner_widths()
    stages = nn.ModuleList()
    for stage_index, (depth, width) in enumerate(zip(row.depths, row.widths, strict=True)):
        blocks = nn.Sequential()
        for index in range(depth):
            blocks.append(
                make_block(
                    row,
                    inputs,
                    width,
                    inner[done],
                    stride=2 if index == 0 and stage_index > 0 else 1,
                    first=index == 0 and stage_index == 0,
                    drop=row.drop_path * done / last,
                )
            )
            inputs, done = width * EXPANSION[row.block], done + 1
        stages.append(blocks)
    return stages


def list_features(row: Architecture) -> list[str]:
    """Return the names of what a network of ``row`` computes on the way, in its order."""
    known = ["stem"]
    for number, depth in enumerate(row.depths, 1):
        known += [f"stage{number}.{block}" for block in range(depth)]
        known.append(f"stage{number}")
    return [*known, "pooled"]
