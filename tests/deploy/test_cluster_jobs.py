"""The jobs for clusters: well-formed, and of commands and options that there are."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from residua.cli.main import app

FOLDER = Path(__file__).parents[2] / "deploy" / "cluster"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
MANIFESTS = sorted(FOLDER.glob("*.yaml"))


def commands_of(path):
    """The residua commands in a file, as lists of words."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    if path.suffix == ".sh":
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        found = re.findall(r"(?:-m )?residua ((?:predict|train|serve) .*)", "\n".join(lines))
        return [shlex.split(line) for line in found]
    found = []
    for document in yaml.safe_load_all(text):
        found += list(_walk(document))
    return found


def _walk(node):
    if isinstance(node, dict):
        if str(node.get("entrypoint", "")).startswith("residua "):
            yield shlex.split(node["entrypoint"])[1:]
        args = node.get("args")
        if isinstance(args, list) and (node.get("command") == ["residua"] or "residua" in args):
            yield args[args.index("residua") + 1 :] if "residua" in args else args
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_shell(path):
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_name_what_they_are(path):
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        assert {"apiVersion", "kind", "metadata", "spec"} <= document.keys()


def test_options_are_those_of_the_commands():
    told = {verb: CliRunner().invoke(app, [verb, "--help"]).stdout
            for verb in ("predict", "train", "serve")}  # fmt: skip
    seen = 0
    for path in SCRIPTS + MANIFESTS:
        for words in commands_of(path):
            verb = next(word for word in words if word in told)
            for option in (word for word in words if word.startswith("-")):
                assert option in told[verb], (path.name, option)
            seen += 1
    assert seen == 5
