"""What a bundle says about the training that made it."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import torch

from residua.base.errors import TrainingError
from residua.base.version import __version__
from residua.bundle.schema import Manifest, Metrics, Provenance
from residua.data.loader import Failure
from residua.data.source import Parts
from residua.train.recipe.tree import Recipe
from residua.train.start import Start


def describe_bundle(
    begun: Start,
    recipe: Recipe,
    parts: Parts,
    metrics: Metrics,
    notes: tuple[str, ...],
) -> Manifest:
    """Return the manifest of the bundle that a run ends with."""
    model = recipe.model.model_copy(update={"name": begun.network.row.name})
    return Manifest(
        architecture=begun.network.row,
        classes=parts.training.classes,
        preprocess=begun.deployed,
        task="multi-label" if parts.training.multi_label else "single-label",
        metrics=(metrics,),
        recipe=recipe.model_copy(update={"model": model}).model_dump(mode="json"),
        licence=begun.licence,
        provenance=Provenance(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            residua=__version__,
            made_by="residua train",
            source=parts.training.title,
            source_sha256=parts.listing_sha256,
            training_sha256=parts.training.listing_sha256(),
            parent=begun.parent,
            versions={
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": version("numpy"),
            },
            notes=notes,
        ),
    )


def describe_failures(failures: Mapping[int, Failure], pictures: int) -> tuple[str, ...]:
    """Return a note on the pictures that could not be read, if there are any, of all processes."""
    if not failures:
        return ()
    shown = [f"  {failures[index].message.splitlines()[0]}" for index in sorted(failures)][:5]
    count = f"{len(failures)} of {pictures} pictures cannot be read; each was replaced"
    return ("\n".join([f"{count} by the next of its class:", *shown]),)


def refuse_infinite(tensors: dict[str, np.ndarray]) -> None:
    """Refuse to write weights that a step too large has made infinite or undefined."""
    broken = [name for name, array in tensors.items() if not np.isfinite(array).all()]
    if broken:
        raise TrainingError(
            f"The training diverged: {len(broken)} tensors are not finite, {broken[0]} first.",
            next_step="Lower the learning rate (--lr), or add a warm-up. No bundle was written.",
        )
