"""The layers of an exported program: each must be one that ``zoo.resnet`` has, set the same way."""

from collections.abc import Mapping
from dataclasses import dataclass

from residua.zoo.weights.program.graph import Graph, integers, number, require
from residua.zoo.weights.program.record import Operation, ProgramError

_NORM_EPS = (1e-5, 1e-6)  # as ours, and how much it may differ by being stored in float32


@dataclass(frozen=True, slots=True)
class Convolution:
    """What a convolution's tensor does not show; the same along both sides."""

    stride: int
    padding: int
    dilation: int
    groups: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A convolution and its normalisation; parameters under the names that the program has."""

    parameters: Mapping[str, str]  # ours ("conv.weight", "norm.bias") → the program's
    convolution: Convolution


def read_linear(graph: Graph, value: str) -> tuple[dict[str, str], str]:
    """Return weight and bias of the matrix product behind ``value``, and what it is made of."""
    add = graph.maker(value, "add")
    product = graph.maker(add.value("X"), "matmul")
    require(
        product, trans_x=(False,), trans_y=(False,), transpose_X=(False,), transpose_Y=(False,),
        transpose_x=(False,), transpose_y=(False,), alpha=(1.0,), x_num_col_dims=(1,),
        y_num_col_dims=(1,),
    )  # fmt: skip
    parameters = {"weight": graph.parameter(product, "Y"), "bias": graph.parameter(add, "Y")}
    return parameters, product.value("X")


def read_global_pool(graph: Graph, value: str) -> str:
    """Return what the global average pool behind ``value`` is taken of."""
    pool = graph.maker(graph.behind(value, reshapes=True), "pool2d")
    whole = pool.attributes.get("global_pooling") or (
        pool.attributes.get("adaptive") and pool.attributes.get("ksize") == [1, 1]
    )
    if pool.attributes.get("pooling_type") != "avg" or not whole:
        raise ProgramError("what stands before its classifier is no global average pool")
    return pool.value("X")


def read_unit(graph: Graph, value: str) -> tuple[Unit, str]:
    """Return the normalised convolution behind ``value``, and what it is made of."""
    norm = graph.maker(value, "batch_norm")
    epsilon = number(norm, "epsilon", _NORM_EPS[0])
    if abs(epsilon - _NORM_EPS[0]) > _NORM_EPS[1] * _NORM_EPS[0]:
        raise ProgramError(f"its {norm.source} has epsilon = {epsilon}")
    if not norm.attributes.get("is_test"):
        raise ProgramError(f"its {norm.source} is one of training")
    require(norm, trainable_statistics=(False,), fuse_with_relu=(False,))
    convolution = graph.maker(norm.value("X"), "conv2d")
    require(
        convolution, padding_algorithm=("EXPLICIT", "VALID"), fuse_activation=("",),
        fuse_relu=(False,), fuse_residual_connection=(False,),
    )  # fmt: skip
    if convolution.inputs.get("Bias") or convolution.inputs.get("ResidualData"):
        raise ProgramError(f"its {convolution.source} has a bias, as fused ones have")
    parameters = {"conv.weight": graph.parameter(convolution, "Filter")} | {
        f"norm.{ours}": graph.parameter(norm, role)
        for ours, role in (
            ("weight", "Scale"), ("bias", "Bias"), ("running_mean", "Mean"),
            ("running_var", "Variance"),
        )
    }  # fmt: skip
    return Unit(parameters, _geometry(convolution)), convolution.value("Input")


def read_average(graph: Graph, value: str) -> str:
    """Return what vd's average pool is taken of: 2x2, the divisor counting only real pixels."""
    pool = graph.maker(value, "pool2d")
    require_pool(pool, "avg", 2, padding=0)
    # "SAME" pads at the end where a side is odd, as rounding up does.
    if pool.attributes.get("padding_algorithm") != "SAME":
        require(pool, padding_algorithm=("EXPLICIT",))
        if not pool.attributes.get("ceil_mode"):
            raise ProgramError(f"its {pool.source} before a projection rounds down")
    return pool.value("X")


def require_pool(pool: Operation, kind: str, side: int, *, padding: int) -> None:
    """Raise ProgramError unless a pool is of that kind, ``side`` x ``side`` and of stride 2."""
    given = pool.attributes
    require(pool, global_pooling=(False,), adaptive=(False,), exclusive=(True,))
    found = (given.get("pooling_type"), given.get("ksize"), given.get("strides"))
    if found != (kind, [side, side], [2, 2]):
        raise ProgramError(f"its {pool.source} is {found[0]} of {found[1]}, stride {found[2]}")
    if set(integers(pool, "paddings", [0])) != {padding}:
        raise ProgramError(f"its {pool.source} has paddings = {given.get('paddings')}")


def _geometry(convolution: Operation) -> Convolution:
    given = convolution.attributes
    sides = {name: integers(convolution, name, [1, 1]) for name in ("strides", "dilations")}
    padding = integers(convolution, "paddings", [0, 0])
    if len(padding) == 4:  # top, bottom, left, right
        padding = padding[::2] if padding[::2] == padding[1::2] else padding
    for values in (*sides.values(), padding):
        if len(values) != 2 or values[0] != values[1]:
            raise ProgramError(f"its {convolution.source} is not the same along both sides")
    if given.get("padding_algorithm") == "VALID":
        padding = [0, 0]
    return Convolution(
        sides["strides"][0], padding[0], sides["dilations"][0], given.get("groups") or 1
    )
