"""Writing one format's files: which module does it, and what has to be installed for it."""

from importlib.util import find_spec
from pathlib import Path

from residua.base.errors import MissingExtraError, UnknownNameError
from residua.bundle.schema import Export, Precision, Takes
from residua.bundle.store import Bundle
from residua.export.formats import FORMATS
from residua.export.guard import Guard


def require_libraries(name: str, precision: str = "fp32") -> None:
    """Raise MissingExtraError where a library that the format needs is not installed."""
    for library in FORMATS[name].libraries:
        if find_spec(library) is None:
            raise MissingExtraError(library, FORMATS[name].extra)
    if precision == "int8" and find_spec("nncf") is None:
        raise MissingExtraError("nncf", "export")


def write_files(
    bundle: Bundle, folder: Path, name: str, precision: Precision, takes: Takes = "crop"
) -> Export:
    """Write the files of one format into ``folder`` and return its record. Imports its library."""
    export = _write_model(bundle, folder, FORMATS[name].holds or name, precision, takes)
    return _lay_out(name, bundle, folder, export)


def write_quantised(
    bundle: Bundle,
    folder: Path,
    name: str,
    guard: Guard,
    max_drop: float,
    takes: Takes = "crop",
) -> Export:
    """Write the int8 files of one format into ``folder`` and return the record with its drop."""
    from residua.export.quantise import for_onnx, for_openvino, quantise

    holds = FORMATS[name].holds or name
    if holds == "onnx":
        from residua.export.onnx import save_onnx

        model, drop = quantise(bundle, for_onnx(), guard, max_drop)
        export = save_onnx(model, bundle, folder, "int8", takes)
    else:
        from residua.export.openvino import save_openvino

        model, drop = quantise(bundle, for_openvino(), guard, max_drop)
        export = save_openvino(model, bundle, folder, "int8", takes)
    export = export.model_copy(update={"drop": drop, "notes": (*export.notes, *guard.notes)})
    return _lay_out(name, bundle, folder, export)


def _write_model(  # noqa: C901, PLR0911  # a case a format
    bundle: Bundle, folder: Path, name: str, precision: Precision, takes: Takes
) -> Export:
    match name:
        case "onnx":
            from residua.export.onnx import write_onnx

            return write_onnx(bundle, folder, precision, takes)
        case "openvino":
            from residua.export.openvino import write_openvino

            return write_openvino(bundle, folder, precision, takes)
        case "torch":
            from residua.export.program import write_program

            return write_program(bundle, folder, precision)
        case "aoti":
            from residua.export.aoti import write_aoti

            return write_aoti(bundle, folder, precision)
        case "ncnn":
            from residua.export.ncnn import write_ncnn

            return write_ncnn(bundle, folder, precision)
        case "mnn":
            from residua.export.mnn import write_mnn

            return write_mnn(bundle, folder, precision)
        case "litert":
            from residua.export.litert import write_litert

            return write_litert(bundle, folder, precision)
        case "executorch":
            from residua.export.executorch import write_executorch

            return write_executorch(bundle, folder, precision)
        case "coreml":
            from residua.export.coreml import write_coreml

            return write_coreml(bundle, folder, precision)
        case "tensorrt":
            from residua.export.tensorrt import write_tensorrt

            return write_tensorrt(bundle, folder, precision)
        case _:
            raise UnknownNameError("format", name, FORMATS)


def _lay_out(name: str, bundle: Bundle, folder: Path, export: Export) -> Export:
    """Make a repository of the model in ``folder`` where the format is one."""
    if FORMATS[name].holds is None:
        return export
    from residua.export.repository import lay_out

    return lay_out(name, bundle, folder, export)
