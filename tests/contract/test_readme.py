"""What the README tells people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from paddle_configurations import plain, write
from residua.cli.main import app
from residua.cli.paddle.configured import app as by_configuration
from residua.cli.paddle.dispatch import find_configured

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.strip()
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", TEXT, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip() and not line.strip().startswith("#")
]
COMMANDS = [line for line in LINES if "residua " in line and not line.startswith("pip")]
TARGETS = [line for line in LINES if line.startswith("make ")]


def test_the_readme_is_finished():
    assert "@@" not in TEXT
    assert len(list((ROOT / "results").glob("*.json"))) >= 5


def test_the_readme_shows_commands():
    assert len(COMMANDS) >= 8
    assert {"make demo", "make test"} <= {line.partition("#")[0].strip() for line in TARGETS}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_their_options_exist(line, tmp_path):
    write(tmp_path / "configs/ImageNet/ResNet", plain("ResNet50"), "ResNet50.yaml")
    words = shlex.split(line[line.index("residua ") :].partition("|")[0], comments=True)[1:]
    configured = find_configured([word.replace("ppcls/", f"{tmp_path}/") for word in words])
    command = typer.main.get_command(by_configuration if configured else app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if default := getattr(command, "default_command", ""):
        command = command.commands[default]
    assert not getattr(command, "commands", None), f"no verb in: {line}"
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    for word in words:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in options, f"{word} in: {line}"


@pytest.mark.parametrize("line", TARGETS)
def test_make_targets_exist(line):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    target = line.split()[1]
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", TEXT))
def test_linked_files_exist(path):
    assert (ROOT / path).exists()
