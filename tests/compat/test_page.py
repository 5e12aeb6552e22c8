"""docs/paddleclas.md, line by line: each key does what the page says that it does."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main
import yaml

from paddle_configurations import deployment, distilled, plain, write
from residua.base.errors import SettingError
from residua.cli.main import app
from residua.compat.config.read import read_configuration
from residua.compat.inference import read_deployment, read_inference
from residua.compat.translate.whole import translate
from residua.train.recipe.keys import describe_keys

PAGE = (Path(__file__).parents[2] / "docs" / "paddleclas.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| `([^`]+)` \| (`[^`]+`|ignored|refused|without effect) \|")


def rows(heading, end):
    text = PAGE.split(heading)[1].split(end)[0]
    return [(theirs, ours.strip("`")) for theirs, ours in ROW.findall(text)]


PLAIN = rows("On a configuration as ResNet18.yaml", "On a DistillationModel")
TAUGHT = rows("On a DistillationModel", "## Keys of a prediction")
PREDICTED = rows("## Keys of a prediction", "The package's options")


def look(recipe, key):
    value = recipe.model_dump(mode="json")
    for name in key.split("."):
        value = value[name]
    return value


def check(path, theirs, ours):
    before = translate(read_configuration(path), cards=4).recipe
    configuration = read_configuration(path, [theirs])
    if ours == "refused":
        with pytest.raises(SettingError):
            translate(configuration, cards=4)
        return
    recipe = translate(configuration, cards=4).recipe
    if ours == "ignored":
        assert recipe == before
        key = theirs.partition("=")[0]
        assert any(key.startswith(name) for name in configuration.findings.ignored)
        return
    key, _, value = ours.partition("=")
    wanted = yaml.safe_load(f"v: {value}")["v"]
    wanted = float(wanted) if key == "optimiser.weight_decay" else wanted
    assert look(recipe, key) == pytest.approx(wanted)
    assert look(before, key) != wanted, f"{ours} is so without {theirs}"


@pytest.mark.parametrize(("theirs", "ours"), PREDICTED)
def test_keys_of_prediction(tmp_path, theirs, ours):
    deployed = theirs.startswith(("PreProcess", "PostProcess")) or (
        theirs.startswith("Global") and theirs != "Global.use_gpu=False"
    )
    path = write(tmp_path, deployment() if deployed else plain("ResNet18"))
    configuration = read_configuration(path, [theirs])

    def read(given):
        return read_deployment(given)[1] if deployed else read_inference(given)

    if ours == "refused":
        with pytest.raises(SettingError):
            read(configuration)
        return
    before, found = read(read_configuration(path)), read(configuration)
    key, _, value = ours.partition("=")
    if not value:
        assert replace(found, insisted=False) == replace(before, insisted=False)
        named = any(theirs.startswith(name) for name in configuration.findings.ignored)
        assert named == (ours == "ignored")
        return
    first, _, rest = key.partition(".")
    got = getattr(found, first)
    got = getattr(got, rest) if rest else got
    assert got == yaml.safe_load(value)


def test_the_options_of_the_package_exist():
    named = set(
        re.findall(r"`(--[a-z_0-9]+)`", PAGE.split("The package's options")[1].split("is not")[0])
    )
    command = next(
        c for c in typer.main.get_command(app).commands.values() if c.name == "paddleclas"
    )
    there = {name for parameter in command.params for name in parameter.opts if name[:2] == "--"}
    assert named - there == {"--build_gallery", "--index_dir", "--color_threshold"}
    assert there - named <= {"--help"}


def test_links_lead_somewhere():
    for path in (Path(__file__).parents[2] / "docs").glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{link} in {path.name}"


def test_the_page_has_its_lines():
    assert len(PLAIN) > 80
    assert len(TAUGHT) > 15


@pytest.mark.parametrize(("theirs", "ours"), PLAIN)
def test_keys(tmp_path, theirs, ours):
    check(write(tmp_path, plain("ResNet18")), theirs, ours)


@pytest.mark.parametrize(("theirs", "ours"), TAUGHT)
def test_keys_of_distillation(tmp_path, theirs, ours):
    check(write(tmp_path, distilled("dist")), theirs, ours)


BACK = re.findall(
    r"^\| ((?:`[a-z0-9_.]+`(?:, )?)+) \| (.+) \|$",
    PAGE.split("## Keys of a recipe")[1],
    re.MULTILINE,
)
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (Path(__file__).parents[2] / "src/residua/compat").rglob("*.py")
)


def test_every_key_of_a_recipe_has_its_line():
    named = [key for keys, _ in BACK for key in re.findall(r"`([^`]+)`", keys)]
    assert sorted(named) == sorted(key.key for key in describe_keys())


@pytest.mark.parametrize(("ours", "theirs"), BACK)
def test_what_says_a_key_is_read(ours, theirs):
    """Every name in the line is one that the translation looks for."""
    names = re.findall(r"`([^`]+)`", theirs)
    assert names or theirs.startswith("nothing")
    for name in names:
        for part in name.split("."):
            known = f'"{part}"' in SOURCE or part == "LinearTransformTeacher"
            assert known or f"_{part}" in SOURCE, f"nothing reads {part} of {name}"


def test_the_commands_of_the_page_exist():
    table = PAGE.split("## Commands")[1].split("##")[0]
    ours = re.findall(r"\| `[^`]+` \| `([^`]+)` \|", table)
    assert len(ours) > 8
    verbs = {command.name for command in app.registered_commands}
    for line in ours:
        if " import " in line:
            continue
        words = line.split()
        verb = words[words.index("residua") + 1] if "residua" in words else ""
        assert verb in verbs, line
