"""What an exported program computes, read back as a residual network: stem, blocks, classifier.

The program is followed from its result backwards, so that neither names nor the order of layers
matter: what is added to what tells branch from shortcut. Every operation must be one that the
networks of ``zoo.resnet`` have, with the same settings; anything else is refused by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from residua.zoo.weights.program.graph import Graph, integers, require
from residua.zoo.weights.program.layers import (
    Unit,
    read_average,
    read_global_pool,
    read_linear,
    read_unit,
    require_pool,
)
from residua.zoo.weights.program.record import Operation, Program, ProgramError

Ending = Literal["softmax", "sigmoid", "logits"]


@dataclass(frozen=True, slots=True)
class Block:
    """One residual block; ``units`` are its branch in order.

    ``splits`` are the branches within a Res2Net's middle, which stand between the two units.
    ``pooled`` tells of an average pool before the projection.
    """

    units: tuple[Unit, ...]
    splits: tuple[Unit, ...]
    attention: Mapping[str, str]
    projection: Unit | None
    pooled: bool


@dataclass(frozen=True, slots=True)
class Network:
    """All of the program; ``head`` gives the classifier's weight and bias."""

    stem: tuple[Unit, ...]
    blocks: tuple[Block, ...]
    head: Mapping[str, str]
    ending: Ending


def read_network(program: Program) -> Network:
    """Follow the program; raises ProgramError at the first operation the series has not."""
    graph = Graph(program)
    results = [op for op in program.operations if op.kind == "fetch"]
    if len(results) != 1:
        raise ProgramError(f"it has {len(results)} results where the series has one")
    value = results[0].value("X")
    ending: Ending = "logits"
    if (last := graph.kind(value)) in {"softmax", "sigmoid"}:
        require(graph.maker(value), axis=(-1, 1))
        ending = "softmax" if last == "softmax" else "sigmoid"
        value = graph.maker(value).value("X")
    head, value = read_linear(graph, value)
    value = read_global_pool(graph, value)
    blocks: list[Block] = []
    while graph.kind(value) == "relu":
        block, value = _read_block(graph, value)
        blocks.append(block)
    stem = _read_stem(graph, value)
    return Network(stem, tuple(reversed(blocks)), head, ending)


def _read_stem(graph: Graph, value: str) -> tuple[Unit, ...]:
    pool = graph.maker(value, "pool2d")
    require_pool(pool, "max", 3, padding=1)
    require(pool, ceil_mode=(False,), padding_algorithm=("EXPLICIT",))
    units: list[Unit] = []
    value = pool.value("X")
    while graph.kind(value) == "relu":
        unit, value = read_unit(graph, graph.maker(value).value("X"))
        units.append(unit)
    if graph.channels_last:  # pictures come in as NCHW all the same
        turn = graph.maker(value, "transpose")
        require(turn, axis=([0, 2, 3, 1],), perm=([0, 2, 3, 1],))
        value = turn.value("X")
    graph.maker(value, "feed")
    return tuple(reversed(units))


def _read_block(graph: Graph, value: str) -> tuple[Block, str]:
    """Return the block whose result is ``value``, and what it is made of."""
    add = graph.maker(graph.maker(value, "relu").value("X"), "add")
    sides = [graph.behind(add.value("X")), graph.behind(add.value("Y"))]
    for short, branch in (sides, sides[::-1]):
        found = _read_shortcut(graph, short)
        if found is not None:
            projection, pooled, entry = found
            units, splits, attention = _read_branch(graph, branch, entry)
            return Block(units, splits, attention, projection, pooled), entry
    made = " and ".join(graph.maker(side).source for side in sides)
    raise ProgramError(
        f"its {add.source} into {add.outputs[0]} joins what {made} make, and neither of them is a "
        "shortcut from the block before"
    )


def _read_shortcut(graph: Graph, value: str) -> tuple[Unit | None, bool, str] | None:
    """Return the projection, whether it pools, and what the block is made of; None: a branch."""
    if _begins_block(graph, value):
        return None, False, value
    if graph.kind(value) != "batch_norm":
        return None
    unit, entry = read_unit(graph, value)
    pooled = graph.kind(entry) == "pool2d" and not _begins_block(graph, entry)
    if pooled:
        entry = read_average(graph, entry)
    entry = graph.behind(entry)
    return (unit, pooled, entry) if _begins_block(graph, entry) else None


def _begins_block(graph: Graph, value: str) -> bool:
    """Tell whether a block can be made of ``value``: another block's result, or the max pool's."""
    match graph.kind(value):
        case "pool2d":
            return graph.maker(value).attributes.get("pooling_type") == "max"
        case "relu":
            return graph.kind(graph.maker(value).value("X")) == "add"
    return False


def _read_branch(
    graph: Graph, value: str, entry: str
) -> tuple[tuple[Unit, ...], tuple[Unit, ...], dict[str, str]]:
    """Return units, splits and attention of the branch that leads from ``entry`` to ``value``."""
    attention: dict[str, str] = {}
    splits: tuple[Unit, ...] = ()
    if graph.kind(value) == "multiply":
        attention, value = _read_attention(graph, value)
    units: list[Unit] = []
    while True:
        unit, value = read_unit(graph, value)
        units.append(unit)
        value = graph.behind(value)
        if value == entry:
            return tuple(reversed(units)), splits, attention
        if graph.kind(value) == "concat" and not splits:
            splits, value = _read_splits(graph, value)
        value = graph.behind(graph.maker(value, "relu").value("X"))


def _read_attention(graph: Graph, value: str) -> tuple[dict[str, str], str]:
    """Return squeeze and excitation, and the value that they weigh."""
    product = graph.maker(value)
    sides = [graph.behind(product.value("X")), graph.behind(product.value("Y"))]
    weighed = next((side for side in sides if graph.kind(side) == "batch_norm"), sides[0])
    gate = _read_gate(graph, product, sides[1 - sides.index(weighed)])
    excite, inner = read_linear(graph, graph.maker(gate, "sigmoid").value("X"))
    inner = graph.behind(inner, reshapes=True)
    squeeze, inner = read_linear(graph, graph.maker(inner, "relu").value("X"))
    if graph.behind(read_global_pool(graph, inner)) != weighed:
        raise ProgramError("what its attention weighs is not what it is made of")
    parameters = {f"squeeze.{name}": parameter for name, parameter in squeeze.items()}
    return parameters | {f"excite.{name}": part for name, part in excite.items()}, weighed


def _read_gate(graph: Graph, product: Operation, value: str) -> str:
    """Return the factors [N, C] that ``value`` is, put into the form [N, C, 1, 1]."""
    if graph.kind(value) != "reshape":
        if product.attributes.get("axis") != 0:  # Paddle 1.x: to the first axes
            raise ProgramError(f"its {product.source} has no factor for each channel")
        return value
    form = graph.maker(value)
    given = integers(form, "axes", integers(form, "shape", []))
    right = given == [2, 3] if "unsqueeze" in form.source else len(given) == 4
    if not right or (len(given) == 4 and given[2:] != [1, 1]):
        raise ProgramError(f"its {form.source} puts factors elsewhere than to channels")
    return form.value("X")


def _read_splits(graph: Graph, value: str) -> tuple[tuple[Unit, ...], str]:
    """Return the branches that a Res2Net joins again, and what they are parts of."""
    join = graph.maker(value, "concat")
    require(join, axis=(1, [1]))
    results = [graph.behind(part) for part in join.inputs.get("X", ())]
    last = results[-1] if results else value
    pooled = graph.kind(last) == "pool2d"
    if pooled:
        pool = graph.maker(last)
        require_pool(pool, "avg", 3, padding=1)
        require(pool, ceil_mode=(False,), padding_algorithm=("EXPLICIT",))
        last = graph.behind(pool.value("X"))
    cut = graph.maker(last, "split")
    require(cut, axis=(1, [1]))
    parts = list(cut.outputs)
    if len(parts) != len(results) or last != parts[-1]:
        raise ProgramError(f"its {join.source} joins other parts than {cut.source} made")
    units: list[Unit] = []
    for index, result in enumerate(results[:-1]):
        unit, source = read_unit(graph, graph.maker(result, "relu").value("X"))
        _check_part(graph, graph.behind(source), parts[index], None if pooled or not index
                    else results[index - 1])  # fmt: skip
        units.append(unit)
    if any((unit.convolution.stride == 2) != pooled for unit in units):
        raise ProgramError("only some branches of its split have a stride")
    return tuple(units), graph.behind(cut.value("X"))


def _check_part(graph: Graph, source: str, part: str, neighbour: str | None) -> None:
    """A branch sees its part; in a block without stride, all but the first see the neighbour's."""
    if neighbour is None:
        right = source == part
    else:
        add = graph.maker(source, "add")
        right = {graph.behind(add.value("X")), graph.behind(add.value("Y"))} == {part, neighbour}
    if not right:
        raise ProgramError("the branches of its split hang together in another way")
