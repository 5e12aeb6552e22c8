"""The other network of mutual learning: from scratch, or from weights of the same classes."""

from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Architecture, Classes
from residua.zoo.create import create
from residua.zoo.load import make_network
from residua.zoo.resnet import ResNet
from residua.zoo.table import find_row
from residua.zoo.weights.resolve import open_bundle


def make_peer(source: str, student: Architecture, classes: Classes, *, seed: int) -> ResNet:
    """Return a network to train beside the student's, in training mode.

    ``source`` is empty (the student's own row, other weights), a row of the table, which begins
    from scratch, or a bundle of the same classes in the same order. Raises SettingError.
    """
    row = find_fresh_row(source, student)
    if row is not None:
        small = student.stem == "3x3"
        return create(
            row, num_classes=len(classes), small_images=small, drop_path=0.0, seed=seed
        ).train()
    bundle = open_bundle(source)
    if bundle.manifest.classes.names != classes.names:
        raise SettingError(
            f"The classes of {source} are not those of the data.",
            next_step="Name a network instead, which then begins from scratch: --teacher ResNet34",
        )
    return make_network(bundle.manifest.architecture, bundle.tensors()).train()


def find_fresh_row(source: str, student: Architecture | None = None) -> Architecture | None:
    """Return the row that begins from scratch; None where ``source`` has weights."""
    if not source:
        return student
    try:
        return find_row(source)
    except UnknownNameError:
        return None
