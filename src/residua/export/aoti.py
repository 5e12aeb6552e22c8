"""AOTInductor: the deployed network as machine code, in a package that torch loads.

It is compiled for the kind of processor that it is made on, by the system's C++ compiler.
"""

import os
import shutil
from pathlib import Path

import torch

from residua.base.errors import EngineError
from residua.base.machine import describe_machine
from residua.bundle.schema import Export, Precision
from residua.bundle.store import Bundle
from residua.export.metadata import describe
from residua.export.program import export_program
from residua.export.quiet import keeping_quiet


def write_aoti(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.pt2`` into ``folder``. Raises EngineError where there is no C++ compiler."""
    _require_compiler()
    program = export_program(bundle)
    with keeping_quiet():  # torch 2.13 finds fault with its own code here
        torch._inductor.aoti_compile_and_package(  # noqa: SLF001  # its name in torch's documentation
            program,
            package_path=str(folder / "model.pt2"),
            inductor_configs={"aot_inductor.metadata": describe(bundle.manifest)},
        )
    machine = describe_machine()
    return Export(
        format="aoti", precision=precision, entry="model.pt2", files={},
        versions={"torch": torch.__version__},
        notes=(
            f"Compiled for {machine['processor']} ({machine['features']}).",
            "It runs with this torch release, on processors with the same features.",
        ),
    )  # fmt: skip


def _require_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise EngineError(
            f"AOTInductor compiles with {compiler}, which is not installed.",
            next_step="Install it (Debian: apt install g++), or set CXX to another C++ compiler.",
        )
