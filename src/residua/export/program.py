"""torch.export: the deployed network as a program that torch loads without residua."""

from pathlib import Path

import torch

from residua.bundle.schema import Export, Precision
from residua.bundle.store import Bundle
from residua.export.metadata import describe
from residua.pixels.graph import Deployed
from residua.zoo.fold import fold_norms
from residua.zoo.load import load_network


def export_program(bundle: Bundle, *, batch: int | None = None) -> torch.export.ExportedProgram:
    """Return the deployed network as an exported program of ``batch`` crops, or of any number."""
    manifest = bundle.manifest
    network = fold_norms(load_network(bundle))
    deployed = Deployed(network, manifest.preprocess, manifest.calibration, manifest.task).eval()
    side, channels = manifest.preprocess.crop_size, manifest.preprocess.channels
    example = torch.zeros((batch or 2, side, side, channels), dtype=torch.uint8)
    shapes = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    with torch.no_grad():
        return torch.export.export(deployed, (example,), dynamic_shapes=shapes)


def write_program(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.pt2`` into ``folder``."""
    program = export_program(bundle)
    extra = {f"{name}.txt": text for name, text in describe(bundle.manifest).items()}
    torch.export.save(program, folder / "model.pt2", extra_files=extra)
    return Export(
        format="torch", precision=precision, entry="model.pt2", files={},
        versions={"torch": torch.__version__},
        notes=("It opens with the torch release that wrote it, and often with newer ones.",),
    )  # fmt: skip
