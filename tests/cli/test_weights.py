"""``residua weights``: its commands as they are typed."""

import json

import pytest
from safetensors.numpy import save, save_file
from typer.testing import CliRunner

from file_server import Served, serving
from residua.base.errors import SettingError, UnknownNameError, WeightsError
from residua.bundle.store import read_bundle
from residua.cli.weights import app
from residua.zoo.weights import cache, catalogue
from weight_files import draw_cifar_resnet20

FILE = "r20.safetensors"


def run(*words, code=0):
    """Run one command; errors of the family are left to the main program."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def server(monkeypatch):
    """A catalogue of one entry, "ResNet20.test", and the server that has its file."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESIDUA_OFFLINE", "0")
    with serving() as server:
        server.files[f"/{FILE}"] = Served(save(draw_cifar_resnet20(classes=1000)))
        content = {
            "sources": {"timm": {"base": f"{server.url}/", "licence": "MIT", "preprocess": "p"}},
            "preprocess": {"p": {"crop_size": 32, "short_side": 32}},
            "defaults": {},
            "entries": [
                {"name": "ResNet20.test", "row": "ResNet20", "source": "timm", "files": [FILE]}
            ],
            "not_equal": [],
        }
        monkeypatch.setattr(catalogue, "_catalogue", lambda: content)
        cached = (catalogue.entries, catalogue.not_equal, catalogue._by_spelling)
        for function in cached:
            function.cache_clear()
        yield server
        for function in cached:
            function.cache_clear()


def test_the_list_is_plain_and_on_single_lines_in_a_pipe():
    lines = run("list", "ResNet50_vd").splitlines()
    assert lines[0].split()[:4] == ["name", "network", "top-1", "top-5"]
    assert lines[1].split() == [
        "ResNet50_vd", "ResNet50_vd", "79.10", "94.40", "224", "~102.3", "MB", "Apache-2.0",
        "paddleclas", "-",
    ]  # fmt: skip
    assert any(line.startswith("ResNet50_vd_ssld.v1") for line in lines)
    assert any("ecaresnet50d.miil_in1k" in line and "ECA" in line for line in lines)
    assert not any(line.startswith("ResNet18") for line in lines)


def test_the_list_as_json():
    found = json.loads(run("list", "--json"))
    assert len(found) == len(catalogue.entries())
    ssld = next(line for line in found if line["name"] == "ResNet50_vd_ssld")
    assert (ssld["top1"], ssld["row"], ssld["file"]) == (0.83, "ResNet50_vd", None)
    assert json.loads(run("list", "--here", "--json")) == []


def test_pull_list_path_verify_remove(server):
    path = run("pull", "resnet20.TEST").strip()
    assert path == str(cache.bundle_path("ResNet20.test"))
    assert run("pull", "ResNet20.test", "--file-only") == run("path", "resnet20.test")
    assert run("path", "ResNet20.test", "--bundle").strip() == path
    assert run("path").strip() == str(cache.cache_folder())
    assert "file + bundle" in run("list", "--here")
    assert server.paths() == [f"/{FILE}"]

    lines = run("verify").splitlines()
    assert [line.split()[0] for line in lines] == ["good", "good"]
    weights = read_bundle(cache.bundle_path("ResNet20.test")).weights_path
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "differs" in run("verify", "ResNet20.test", code=1)
    assert "differs" in run("verify", path, code=1)

    assert run("remove", "ResNet20.test").count("removed") == 2
    assert json.loads(run("list", "--here", "--json")) == []
    assert [p.name for p in cache.weights_folder().glob("*.json")] == [f"{FILE}.json"]
    assert run("remove", "ResNet20.test", "--forget").count("removed") == 1
    assert "Nothing" in run("remove", "ResNet20.test")
    assert "No weights are here" in run("verify")
    assert "not on this machine" in run("verify", "ResNet20.test", code=1)
    with pytest.raises(WeightsError, match="weights pull"):
        run("path", "ResNet20.test")


def test_remove_all_empties_the_cache(server):
    run("pull", "ResNet20.test")
    assert run("remove", "--all").count("removed") == 2
    assert list(cache.cache_folder().iterdir()) == []
    for words in ([], ["ResNet20.test", "--all"]):
        with pytest.raises(SettingError, match="What is to be removed"):
            run("remove", *words)


def test_import_makes_a_bundle(tmp_path):
    file, output, names = tmp_path / "net.safetensors", tmp_path / "a.bundle", tmp_path / "c.txt"
    save_file(draw_cifar_resnet20(), file)
    names.write_text("\n".join("abcdefghij"))
    said = run(
        "import", file, "--model", "resnet-20", "--output", output, "--classes", names,
        "--crop-size", 28, "--mean", "0.5, 0.4,0.3", "--std", "1 1 1", "--licence", "CC0-1.0",
    )  # fmt: skip
    assert "ResNet20, 10 classes" in said
    manifest = read_bundle(output).manifest
    assert manifest.classes.names == tuple("abcdefghij")
    assert (manifest.preprocess.crop_size, manifest.preprocess.mean) == (28, (0.5, 0.4, 0.3))
    assert manifest.licence == "CC0-1.0"
    said = run("import", file, "-o", output, "--head", "new", "--num-classes", 3, "--overwrite")
    assert "ResNet20, 3 classes" in said
    for wrong, error in (
        (["--mean", "a,b"], "no list of numbers"),
        (["--resampler", "magic"], "preprocessing cannot be so"),
        (["--head", "old"], "neither keep nor new"),
    ):
        with pytest.raises(SettingError, match=error):
            run("import", file, "-o", tmp_path / "b.bundle", *wrong)
    with pytest.raises(UnknownNameError, match="ResNet20"):
        run("import", file, "-o", tmp_path / "b.bundle", "-m", "ResNet2O")


@pytest.mark.parametrize("command", ["list", "pull", "import", "verify", "path", "remove"])
def test_every_command_explains_itself(command):
    said = run(command, "--help")
    assert "--help" in said
    assert len(said.splitlines()) > 6
