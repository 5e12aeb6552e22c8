"""MNN: one .mnn file, by MNN's own converter from our ONNX graph.

The converter is called as the module that it is (``_tools``), in a process of its own, since it
prints and can end its process. ``mnnconvert``, the command, is not used: importing it installs a
logging client by pip and reports each conversion to its maker (MNN/tools/utils/log.py of 3.6.1).
"""

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from residua.base.errors import EngineError
from residua.bundle.schema import Export, Manifest, Precision
from residua.bundle.store import Bundle
from residua.engines.graph.onnx import OnnxEmitter
from residua.engines.graph.walk import emit
from residua.export.metadata import save_description

_CONVERT = "import sys, _tools; _tools.mnnconvert(sys.argv)"


class _MnnEmitter(OnnxEmitter):
    """ONNX in the words that MNN 3.6.1 understands rightly.

    It converts GlobalAveragePool to a pool that reads beyond its picture: means came out wrong by
    more than their size, on 2x2 to 16x16 pixels.
    """

    def pool_globally(self, x: str) -> str:
        """The means over height and width."""
        axes = self.hold(np.array([2, 3], np.int64), exact=True)
        return self.emit("ReduceMean", x, axes, keepdims=0)[0]


def build_model(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """Return the deployed graph as ONNX for MNN's converter.

    Raises KeyError or ValueError where the tensors are not those of the row.
    """
    emitter = _MnnEmitter(manifest.preprocess)
    emit(manifest, tensors, emitter)
    return emitter.finish(manifest)


def write_mnn(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.mnn`` into ``folder``; "fp16" keeps the weights in half of the space."""
    with TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "model.onnx", folder / "model.mnn"
        onnx.save(build_model(bundle.manifest, bundle.tensors()), source)
        _convert(source, target, ["--fp16"] if precision == "fp16" else [])
    save_description(bundle.manifest, folder)
    return Export(
        format="mnn", precision=precision, entry="model.mnn", files={},
        versions={"MNN": version("MNN"), "onnx": onnx.__version__},
        notes=('The input is [N, H, W, C] in that order: MNN calls the plain order "NCHW".',),
    )  # fmt: skip


def _convert(source: Path, target: Path, options: list[str]) -> None:
    """Run the converter. Raises EngineError with what it printed where it fails."""
    command = [
        sys.executable, "-c", _CONVERT, "-f", "ONNX", "--modelFile", str(source),
        "--MNNModel", str(target), "--bizCode", "residua", "--keepInputFormat", *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not target.is_file():
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()][-8:]
        raise EngineError(
            "MNN's converter failed:\n" + "\n".join(f"  {line}" for line in lines),
            next_step="Please report this.",
        )
