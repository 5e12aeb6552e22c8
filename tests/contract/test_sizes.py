"""The house rules that can be counted: sizes of files and functions, no drawers for odds."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "residua"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def name(path):
    return str(path.relative_to(PACKAGE))


def test_the_package_is_there():
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_stay_under_300_lines_and_functions_under_60(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines < 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_there_are_no_drawers():
    drawers = {"utils", "util", "common", "misc", "helpers", "helper"}
    assert not [path for path in SOURCES if path.stem in drawers or path.parent.name in drawers]
