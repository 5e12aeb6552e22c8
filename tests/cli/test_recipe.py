"""``residua recipe``: its commands as they are typed."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from residua.base.errors import MissingExtraError, SettingError, UnknownNameError
from residua.cli.recipe import app
from residua.train.recipe.book import find_recipe, list_recipes
from residua.train.recipe.file import read_recipe_file


def run(*words):
    """Run one command; errors of the family are left to the main program."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_shows_what_is_published():
    lines = run("list").splitlines()
    assert lines[0].split()[:5] == ["name", "model", "epochs", "px", "top-1"]
    line = next(line for line in lines if line.startswith("imagenet/ResNet50_vd "))
    assert line.split()[:5] == ["imagenet/ResNet50_vd", "ResNet50_vd", "200", "224", "79.12"]
    assert len([line for line in lines if "/ResNet50_vd" in line]) == 3
    assert run("list", "tv2").count("imagenet/") == 1


def test_the_list_as_json_holds_every_recipe():
    records = json.loads(run("list", "--json"))
    assert [record["name"] for record in records] == list(list_recipes())
    ladder = next(record for record in records if record["name"].endswith("ResNet50-16"))
    assert (ladder["epochs"], ladder["test_size"], ladder["top1"]) == (16, 256, 0.738)


def test_a_pattern_of_nothing_offers_the_nearest():
    with pytest.raises(UnknownNameError):
        run("list", "nonsense")


def test_show_prints_head_and_values_that_read_as_the_same_recipe(tmp_path):
    text = run("show", "ResNet50_vd", "-o", "loop.epochs=30", "-o", "optimizer.lr=2e-1")
    assert text.startswith("# ResNet50_vd on ImageNet-1k")
    assert "# Published: top-1 79.12 %" in text
    assert "# Changed: loop.epochs=30 optimizer.lr=2e-1" in text
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_recipe_file(path) == find_recipe(
        "ResNet50_vd", ["loop.epochs=30", "optimiser.lr=0.2"]
    )


def test_show_full_has_the_defaults_too():
    assert "channels_last" not in run("show", "tv2")
    assert "channels_last: true" in run("show", "tv2", "--full")


def test_show_as_json_is_the_whole_recipe():
    shown = json.loads(run("show", "finetune", "--json", "-o", "optimiser.clip_norm=1"))
    assert shown["optimiser"]["clip_norm"] == 1.0
    assert shown["precision"]["channels_last"] is True


def test_check_says_fine_with_a_summary(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: imagenet/budget/ResNet18-32\n", encoding="utf-8")
    text = run("check", path)
    assert f"{path} is fine." in text
    assert "32 epochs of batches of 1024" in text
    assert "160 to 192 pixels" in text


def test_check_refuses_what_makes_no_sense(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: tv1\nloop:\n  epochs: many\n", encoding="utf-8")
    with pytest.raises(SettingError, match=r"loop\.epochs[\s\S]*line 3"):
        run("check", path)
    path.write_text("extends: finetune\nschedule: {curve: multistep}\n", encoding="utf-8")
    with pytest.raises(SettingError, match="multistep needs milestones"):
        run("check", path)
    with pytest.raises(UnknownNameError, match="architecture named 'ResNet5'"):
        run("check", "tv1", "-o", "model.name=ResNet5")


def test_the_schedule_as_json_has_each_epoch_and_the_end():
    points = json.loads(run("schedule", "imagenet/ResNet50", "--json"))
    assert [point["epoch"] for point in points] == list(range(121))
    rates = {point["epoch"]: point["lr"] for point in points}
    assert rates[29] == pytest.approx(0.1)
    assert rates[30] == pytest.approx(0.01)
    assert rates[119] == pytest.approx(1e-4)


def test_the_schedule_as_text_falls_where_it_does():
    lines = run("schedule", "imagenet/ResNet50").splitlines()
    assert "multistep from 0.1" in lines[0]
    bars = [line.partition("┤")[2] for line in lines if "┤" in line]
    # 30 of 120 epochs are a quarter of the 72 columns; a tenth of the peak is above half a line.
    assert bars[0] == "█" * 18
    assert len(bars[-1].rstrip()) == 54
    assert bars[-1][18] == bars[-1][35] == "█"
    assert lines[-1].endswith("120 epochs")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_schedule_as_a_figure(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"rate.{suffix}"
    assert str(path) in run("schedule", "ResNet50_vd", "--output", path)
    if suffix == "svg":
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314 (our own file)
    else:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_figures_need_a_suffix_and_matplotlib(tmp_path, monkeypatch):
    with pytest.raises(SettingError, match=r"\.png"):
        run("schedule", "tv1", "--output", tmp_path / "rate.bmp")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="report"):
        run("schedule", "tv1", "--output", tmp_path / "rate.png")


def test_listing_and_showing_load_no_torch():
    code = (
        "import sys\nfrom residua.cli.recipe import app\n"
        "app(['show', 'tv2'], standalone_mode=False)\napp(['list'], standalone_mode=False)\n"
        "heavy = {'torch', 'cv2', 'openvino', 'matplotlib'}\n"
        "assert not heavy & {name.partition('.')[0] for name in sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
