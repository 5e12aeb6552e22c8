"""Core ML: an .mlpackage for Apple's systems, which alone run it: here it is read back and checked.

Core ML takes pictures: an image of crop_size x crop_size, RGB or grey. Four channels are an array.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from residua.base.errors import EngineError
from residua.bundle.schema import Export, Manifest, Precision
from residua.bundle.store import Bundle
from residua.export.metadata import describe
from residua.export.quiet import keeping_quiet

_NAME = "model.mlpackage"
_PROGRAM = f"{_NAME}/Data/com.apple.CoreML/model.mlmodel"
_NOTE = "Converted and read back, but not run: Core ML runs on Apple's systems only."


def write_coreml(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.mlpackage`` into ``folder``; "fp16" keeps weights and computes in float16.

    Raises EngineError where what was written is not what was meant.
    """
    with keeping_quiet("coremltools", "torchao", "torch.utils._pytree"):
        from residua.engines.graph.coreml import build_model

        model = build_model(bundle.manifest, bundle.tensors(), precision)
        model.short_description = f"{bundle.manifest.architecture.name}, residua"
        model.license = bundle.manifest.licence
        for key, text in describe(bundle.manifest).items():
            model.user_defined_metadata[f"residua.{key}"] = text
        model.save(str(folder / _NAME))
        facts = inspect_package(folder / _NAME)
    if problem := _find_problem(facts, bundle.manifest):
        raise EngineError(f"The Core ML package is not as it should be: {problem}.")
    image = bundle.manifest.preprocess.channels in {1, 3}
    kind = "an image (RGB or grey)" if image else "an array"
    return Export(
        format="coreml", precision=precision, entry=_PROGRAM, files={}, pixels="float32",
        layout="NCHW", batch=1, versions={"coremltools": version("coremltools")},
        notes=(_NOTE, f"Its input is {kind}, values 0…255. For iOS 15, macOS 12 or newer."),
    )  # fmt: skip


def inspect_package(path: Path) -> dict[str, Any]:
    """Return what an .mlpackage says: names and shapes of input and output, bytes of weights."""
    import coremltools as ct

    spec = ct.models.MLModel(str(path), skip_model_load=True).get_spec()
    [taken], [given] = spec.description.input, spec.description.output
    image = taken.type.imageType
    array = tuple(taken.type.multiArrayType.shape)
    return {
        "input": taken.name,
        "input_shape": (image.height, image.width) if image.width else array,
        "output": given.name,
        "output_shape": tuple(given.type.multiArrayType.shape),
        "weights": (path / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size,
    }


def _find_problem(facts: dict[str, Any], manifest: Manifest) -> str:
    """Return what of a package's facts is not the manifest's, in words; nothing where all is."""
    side, channels = manifest.preprocess.crop_size, manifest.preprocess.channels
    shape = (side, side) if channels in {1, 3} else (1, channels, side, side)
    wanted = {
        "input": "image", "input_shape": shape,
        "output": "probabilities", "output_shape": (1, len(manifest.classes)),
    }  # fmt: skip
    return "; ".join(
        f"its {name} is {facts[name]!r}, not {value!r}"
        for name, value in wanted.items()
        if facts[name] != value
    )
