"""The tensors of an exported program, named by what the program computes with them.

Whatever the parameters are called there (``conv2d_7.w_0``, ``res2a_branch2a_weights``, …) and in
whatever order they were made, the operations tell their places.
"""

import functools

import torch

from residua.bundle.schema import Architecture
from residua.zoo.resnet import ResNet
from residua.zoo.weights.names.naming import Named
from residua.zoo.weights.program.layers import Convolution, Unit
from residua.zoo.weights.program.network import Block, read_network
from residua.zoo.weights.program.record import Program, ProgramError


def name_program(program: Program) -> Named:
    """Map a program's parameters to our names; raises ProgramError where it is no such network."""
    network = read_network(program)
    if not network.blocks:
        raise ProgramError("it has no residual blocks")
    units: dict[str, Unit] = {f"stem.{index}": unit for index, unit in enumerate(network.stem)}
    ours = {name: f"head.{role}" for role, name in network.head.items()}
    pooled: set[bool] = set()
    stage, index = -1, 0
    for block in network.blocks:
        begins = stage < 0 or block.projection is not None
        stage, index = (stage + 1, 0) if begins else (stage, index + 1)
        place = f"stages.{stage}.{index}"
        units |= {f"{place}.{layer}": unit for layer, unit in _layers(block).items()}
        ours |= {name: f"{place}.attention.{role}" for role, name in block.attention.items()}
        if stage > 0 and block.projection is not None:
            pooled.add(block.pooled)
        elif block.pooled:
            raise ProgramError("the shortcut of its first block pools")
    if len(pooled) > 1:
        raise ProgramError("only some of its shortcuts pool")
    for place, unit in units.items():
        ours |= {name: f"{place}.{role}" for role, name in unit.parameters.items()}
    return Named(
        f"Paddle's program ({program.format})",
        ours,
        transposed=True,
        average=next(iter(pooled), None),
        may_lack_projection=True,
        multi_label=network.ending == "sigmoid",
        convolutions={f"{place}.conv": unit.convolution for place, unit in units.items()},
    )


def _layers(block: Block) -> dict[str, Unit]:
    """Return the units of a block by our names; the middle of a Res2Net is ``split``."""
    numbers = (0, 2) if block.splits else range(len(block.units))
    if len(block.units) != len(numbers):
        raise ProgramError("a block of it has another number of convolutions than a Res2Net's")
    layers = {f"conv{number}": unit for number, unit in zip(numbers, block.units, strict=True)}
    layers |= {f"split.{index}": unit for index, unit in enumerate(block.splits)}
    return layers | ({"shortcut": block.projection} if block.projection else {})


@functools.lru_cache(maxsize=128)
def expected_convolutions(row: Architecture) -> dict[str, Convolution]:
    """Return the convolutions of the row's network, by name."""
    with torch.device("meta"):
        network = ResNet(row)
    return {
        name: Convolution(
            module.stride[0], int(module.padding[0]), module.dilation[0], module.groups
        )
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    }


def computed_differences(named: Named, row: Architecture) -> list[str]:
    """One line for each convolution of a program that computes otherwise than the row's."""
    if named.convolutions is None:
        return []
    expected = expected_convolutions(row)
    return [
        f"computes    {name}  {_spell(found)}, {row.name} {_spell(expected[name])}"
        for name, found in named.convolutions.items()
        if name in expected and found != expected[name]
    ]


def _spell(convolution: Convolution) -> str:
    return (
        f"stride {convolution.stride}, padding {convolution.padding}, "
        f"dilation {convolution.dilation}, groups {convolution.groups}"
    )
