"""ExecuTorch: torch's format for phones and boards, with XNNPACK's kernels; one crop at a time.

Its releases come in pairs with torch's: 1.4 with 2.13 (executorch's ``torch_pin.py``).
"""

from importlib.metadata import version
from pathlib import Path

import torch

from residua.bundle.schema import Export, Precision
from residua.bundle.store import Bundle
from residua.export.metadata import save_description
from residua.export.program import export_program
from residua.export.quiet import keeping_quiet


def write_executorch(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.pte`` into ``folder``: uint8 comes in.

    What XNNPACK does not take (the cast from uint8, averages in ceil mode, means of
    squeeze-and-excitation) is left to ExecuTorch's portable kernels.
    """
    with keeping_quiet("torchao", "torch.utils._pytree"):
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = export_program(bundle, batch=1)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        content = lowered.to_executorch().buffer
    (folder / "model.pte").write_bytes(content)
    save_description(bundle.manifest, folder)
    return Export(
        format="executorch", precision=precision, entry="model.pte", files={}, batch=1,
        versions={"executorch": version("executorch"), "torch": torch.__version__},
    )  # fmt: skip
