"""The one door: zoo names, weight files and bundles, and the bundles made of them."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from file_server import Served
from residua.base.errors import (
    BundleDamagedError,
    BundleError,
    ChecksumError,
    DownloadError,
    SettingError,
    UnknownNameError,
    WeightsError,
    WeightsMismatchError,
)
from residua.base.files import sha256_of
from residua.bundle.schema import Preprocess
from residua.zoo.weights import cache, resolve
from residua.zoo.weights.resolve import import_file, open_bundle, open_entry
from weight_files import draw_cifar_resnet20, make_entry


@pytest.fixture
def cifar_file(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file(draw_cifar_resnet20(), path)
    return path


@pytest.fixture
def entry(server):
    """An entry that a server has: a ResNet20 with ten outputs, published as if for ImageNet."""
    server.files["/r20"] = Served(save(draw_cifar_resnet20(classes=1000)))
    return make_entry(
        f"{server.url}/r20", name="ResNet20.test", row="ResNet20", source="timm",
        file="r20.safetensors", preprocess=Preprocess(crop_size=40, short_side=48),
        top1=0.5, top5=0.75, licence="MIT",
    )  # fmt: skip


def test_a_zoo_name_is_fetched_made_and_then_only_opened(entry, server, monkeypatch):
    bundle = open_entry(entry)
    manifest = bundle.manifest
    assert bundle.path == cache.bundle_path("ResNet20.test")
    assert manifest.classes.names[0] == "tench, Tinca tinca"
    assert manifest.preprocess == entry.preprocess
    assert manifest.licence == "MIT"
    assert (manifest.metrics[0].source, manifest.metrics[0].top1) == ("published", 0.5)
    assert manifest.provenance.source == entry.urls[0]
    assert manifest.provenance.source_sha256 == sha256_of(cache.weights_folder() / entry.file)
    given = draw_cifar_resnet20(classes=1000)
    tensors = bundle.tensors()
    np.testing.assert_array_equal(tensors["head.weight"], given["linear.weight"])
    np.testing.assert_array_equal(
        tensors["stages.2.1.conv0.norm.running_var"], given["layer3.1.bn1.running_var"]
    )
    monkeypatch.setenv("RESIDUA_OFFLINE", "1")
    (cache.weights_folder() / entry.file).unlink()
    assert open_entry(entry).manifest == manifest
    assert server.paths() == ["/r20"]


def test_what_was_made_opens_without_torch(entry):
    open_entry(entry)
    program = (
        "import sys\n"
        "from residua.zoo.weights.catalogue import Entry\n"
        "from residua.zoo.weights.resolve import open_entry\n"
        "open_entry(Entry.model_validate_json(sys.argv[1]))\n"
        "assert not {'torch', 'cv2', 'urllib.request'} & set(sys.modules), 'too much is imported'\n"
    )
    subprocess.run([sys.executable, "-c", program, entry.model_dump_json()], check=True)


def test_many_first_uses_make_one_bundle(entry, server):
    server.files["/r20"].delay = 0.5
    program = (
        "import sys\n"
        "from residua.zoo.weights.catalogue import Entry\n"
        "from residua.zoo.weights.resolve import open_entry\n"
        "bundle = open_entry(Entry.model_validate_json(sys.argv[1]))\n"
        "print(bundle.path, bundle.path.stat().st_ino, len(bundle.tensors()))\n"
    )
    command = [sys.executable, "-c", program, entry.model_dump_json()]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 3
    assert len(said) == 1
    assert server.paths() == ["/r20"]


def test_a_bundle_in_the_search_path_is_used_as_it_is(entry, monkeypatch, tmp_path, server):
    made = open_entry(entry).path
    (tmp_path / "ready").mkdir()
    made.rename(tmp_path / "ready" / f"{entry.name}.bundle")
    monkeypatch.setenv("RESIDUA_WEIGHTS_PATH", str(tmp_path / "ready"))
    monkeypatch.setenv("RESIDUA_CACHE", "/dev/null/nothing")
    assert open_entry(entry).path == tmp_path / "ready" / f"{entry.name}.bundle"
    assert len(server.requests) == 1


def test_a_damaged_bundle_of_the_cache_says_how_to_mend_it(entry):
    path = open_entry(entry).path
    (path / "bundle.json").write_text("{}")
    with pytest.raises(BundleDamagedError, match=r"Delete .* made again at its next use"):
        open_entry(entry)


def test_offline_a_name_says_how_to_bring_its_file():
    with pytest.raises(DownloadError, match="residua weights import FILE --model ResNet50_vd_ssld"):
        open_bundle("resnet50-vd-ssld")


def test_a_weight_file_is_kept_under_its_content(cifar_file):
    first = open_bundle(cifar_file)
    assert first.manifest.architecture.name == "ResNet20"
    assert first.manifest.classes.names[:2] == ("class 0", "class 1")
    assert first.manifest.preprocess.crop_size == first.manifest.preprocess.short_side == 32
    assert first.manifest.metrics == ()
    assert first.manifest.provenance.source_sha256 == sha256_of(cifar_file)
    assert open_bundle(str(cifar_file)).path == first.path
    save_file(draw_cifar_resnet20(seed=1), cifar_file)
    assert open_bundle(cifar_file).path != first.path


def test_paths_and_names_that_lead_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("nothing/here", "weights.pdparams", "./ResNet50", tmp_path / "absent"):
        with pytest.raises(WeightsError, match="There is no file or folder"):
            open_bundle(path)
    (tmp_path / "flowers").mkdir()
    with pytest.raises(BundleError, match="is no bundle"):
        open_bundle("flowers")
    with pytest.raises(UnknownNameError, match="ResNet50"):
        open_bundle("ResNet5O")
    (tmp_path / "ResNet50").mkdir()  # somebody's folder does not hide the zoo
    with pytest.raises(DownloadError):
        open_bundle("ResNet50")


def test_the_architecture_must_agree(cifar_file, tmp_path):
    bundle = import_file(cifar_file, output=tmp_path / "a.bundle")
    assert open_bundle(bundle.path, architecture="resnet-20").manifest == bundle.manifest
    with pytest.raises(SettingError, match="holds a ResNet20, where a ResNet56 was asked for"):
        open_bundle(bundle.path, architecture="ResNet56")
    with pytest.raises(WeightsMismatchError, match="do not fit ResNet56"):
        open_bundle(cifar_file, architecture="ResNet56")


def test_an_import_keeps_the_classifier_and_names_its_outputs(cifar_file, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"kind {i}" for i in range(10)))
    bundle = import_file(
        cifar_file, model="ResNet20", output=tmp_path / "a.bundle", classes=names, licence="MIT",
        preprocess={"short_side": 40, "mean": (0.5, 0.5, 0.5)},
    )  # fmt: skip
    manifest = bundle.manifest
    assert manifest.classes.names[9] == "kind 9"
    assert (manifest.preprocess.crop_size, manifest.preprocess.short_side) == (32, 40)
    assert manifest.preprocess.mean == (0.5, 0.5, 0.5)
    assert manifest.licence == "MIT"
    names.write_text("one\ntwo\n")
    with pytest.raises(SettingError, match="10 outputs, and there are 2 classes"):
        import_file(cifar_file, output=tmp_path / "b.bundle", classes=names)
    with pytest.raises(SettingError, match="exists already"):
        import_file(cifar_file, output=bundle.path)
    import_file(cifar_file, output=bundle.path, overwrite=True)


def test_a_new_head_replaces_the_classifier_only(cifar_file, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\n")
    bundle = import_file(cifar_file, output=tmp_path / "a.bundle", head="new", classes=names)
    assert bundle.manifest.classes.names == ("cat", "dog")
    assert any("classifier" in note for note in bundle.manifest.provenance.notes)
    kept = import_file(cifar_file, output=tmp_path / "b.bundle").tensors()
    tensors = bundle.tensors()
    assert tensors.pop("head.weight").shape == (2, 64)
    assert tensors.pop("head.bias").shape == (2,)
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, kept[name])
    unnamed = import_file(cifar_file, output=tmp_path / "c.bundle", head="new", num_classes=3)
    assert len(unnamed.manifest.classes) == 3
    with pytest.raises(SettingError, match="--classes FILE"):
        import_file(cifar_file, output=tmp_path / "d.bundle", head="new")
    with pytest.raises(SettingError, match="--head new"):
        import_file(cifar_file, output=tmp_path / "d.bundle", num_classes=3)


def test_published_facts_are_only_for_published_files(cifar_file, tmp_path, monkeypatch):
    wanted = make_entry("https://example.invalid/r", row="ResNet20", sha256_prefix="0" * 8)
    monkeypatch.setattr(resolve, "find_entry", lambda name: wanted)
    monkeypatch.setattr(resolve, "find_architecture", lambda name: wanted.architecture)
    with pytest.raises(ChecksumError, match="--model ResNet20"):
        import_file(cifar_file, model="ResNet20.test", output=tmp_path / "a.bundle")
    found = wanted.model_copy(update={"sha256_prefix": sha256_of(cifar_file)[:8]})
    monkeypatch.setattr(resolve, "find_entry", lambda name: found)
    with pytest.raises(WeightsError, match="has 1000 outputs, and this file has 10"):
        import_file(cifar_file, model="ResNet20.test", output=tmp_path / "a.bundle")


def test_settings_that_do_not_go_together_are_ours(cifar_file, tmp_path):
    with pytest.raises(SettingError, match="preprocessing cannot be so"):
        import_file(cifar_file, output=tmp_path / "a.bundle", preprocess={"mean": (0.5,)})
    grey = {"colour": "grey", "mean": (0.5,), "std": (0.2,)}
    with pytest.raises(SettingError, match="gives 1"):
        import_file(cifar_file, output=tmp_path / "a.bundle", preprocess=grey)
    grey_file = tmp_path / "grey.safetensors"
    tensors = draw_cifar_resnet20()
    tensors["conv1.weight"] = tensors["conv1.weight"][:, :1]
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, grey_file)
    bundle = import_file(grey_file, output=tmp_path / "g.bundle")
    assert bundle.manifest.preprocess.colour == "grey"
    assert json.loads((bundle.path / "bundle.json").read_text())["preprocess"]["mean"] == [0.449]
