"""Starting is cheap: no torch, no decoder, no engine before they are needed."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "cv2", "PIL", "openvino", "numpy", "pydantic", "rich", "safetensors", "sklearn"}
REPORT = """
import json, sys
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print("\\n" + json.dumps(loaded))
"""


def modules_after(code):
    output = subprocess.run(
        [sys.executable, "-c", code + REPORT], capture_output=True, text=True, check=True
    ).stdout
    return set(json.loads(output.splitlines()[-1]))


def test_importing_residua_loads_none_of_the_heavy_libraries():
    assert not modules_after("import residua") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"]])
def test_help_loads_none_of_the_heavy_libraries(arguments):
    code = f"""
import sys
sys.argv = ["residua", *{arguments!r}]
from residua.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
"""
    assert not modules_after(code) & HEAVY


def test_listing_the_models_loads_no_torch():
    code = """
import sys
sys.argv = ["residua", "models"]
from residua.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
"""
    assert "torch" not in modules_after(code)
