"""Tensors into a network and out of it, name by name; nothing is skipped in silence."""

from collections.abc import Mapping

import numpy as np
import torch

from residua.base.errors import WeightsMismatchError
from residua.bundle.schema import Architecture
from residua.bundle.store import Bundle
from residua.zoo.resnet import ResNet

# Counts batches for a momentum that residua never uses; no published file relies on it.
_LEFT_OUT = "num_batches_tracked"


def load_network(bundle: Bundle) -> ResNet:
    """Return the bundle's network with its weights, verified, in evaluation mode."""
    return make_network(bundle.manifest.architecture, bundle.tensors()).eval()


def make_network(row: Architecture, tensors: Mapping[str, np.ndarray]) -> ResNet:
    """Return the network of ``row`` with ``tensors`` in it.

    The network is built without drawing weights. Raises WeightsMismatchError with the table of
    what is missing, unexpected or differently shaped.
    """
    with torch.device("meta"):
        network = ResNet(row)
    network.to_empty(device="cpu")
    for name, buffer in network.named_buffers():
        if name.endswith(_LEFT_OUT):
            buffer.zero_()
    load_tensors(network, tensors)
    return network


def load_tensors(network: ResNet, tensors: Mapping[str, np.ndarray]) -> None:
    """Copy ``tensors`` into ``network``; they must be exactly its parameters and statistics."""
    state = {k: v for k, v in network.state_dict().items() if not k.endswith(_LEFT_OUT)}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if table := list_differences(shapes, {name: a.shape for name, a in tensors.items()}):
        raise WeightsMismatchError(
            f"The weights do not fit {network.row.name}: {len(table)} tensors differ.",
            table,
            next_step="Name the network that they belong to; all: residua models",
        )
    with torch.no_grad():
        for name, target in state.items():
            target.copy_(torch.from_numpy(np.array(tensors[name], dtype=np.float32)))


def list_differences(
    expected: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]]
) -> list[str]:
    """Return one line for each tensor that is missing, unexpected or differently shaped."""
    missing = [f"missing     {name}  {expected[name]}" for name in expected if name not in given]
    unexpected = [f"unexpected  {name}  {given[name]}" for name in given if name not in expected]
    shapes = [
        f"shape       {name}  expected {expected[name]}, given {given[name]}"
        for name in expected
        if name in given and tuple(given[name]) != tuple(expected[name])
    ]
    return missing + unexpected + shapes


def export_tensors(network: ResNet) -> dict[str, np.ndarray]:
    """Return copies of all parameters and running statistics as float32 arrays, by name."""
    return {
        name: tensor.detach().to("cpu", torch.float32).numpy().copy()
        for name, tensor in network.state_dict().items()
        if not name.endswith(_LEFT_OUT)
    }
