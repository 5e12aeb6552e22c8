import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from residua.base.errors import (
    BundleDamagedError,
    BundleError,
    BundleVersionError,
    SettingError,
)
from residua.bundle.schema import (
    SCHEMA_VERSION,
    Architecture,
    Calibration,
    Classes,
    Manifest,
    Preprocess,
    Provenance,
)
from residua.bundle.store import MANIFEST, WEIGHTS, amend_bundle, read_bundle, write_bundle

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((), np.float32)}


def make_manifest(name="tiny"):
    return Manifest(
        architecture=Architecture(
            name=name, block="basic", depths=(1,), widths=(8,), stem="3x3", num_classes=2
        ),
        classes=Classes(names=("cat", "dog")),
        preprocess=Preprocess(crop_size=32, short_side=32),
        provenance=Provenance(created="2026-01-01T00:00:00Z", residua="0", made_by="a test"),
    )


@pytest.fixture
def path(tmp_path):
    write_bundle(tmp_path / "x.bundle", make_manifest(), TENSORS)
    return tmp_path / "x.bundle"


def edit(path, **changes):
    content = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps(content | changes))


def test_what_is_written_is_read(path):
    bundle = read_bundle(path)
    assert bundle.manifest.classes.names == ("cat", "dog")
    assert bundle.manifest.files[WEIGHTS].bytes == (path / WEIGHTS).stat().st_size
    tensors = bundle.tensors()
    assert tensors.keys() == TENSORS.keys()
    assert all(np.array_equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_bundle_is_readable_by_others(path):
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o644}
    assert path.stat().st_mode & 0o777 == 0o755


def test_nothing_in_a_bundle_is_a_pickle(path):
    assert sorted(file.name for file in path.rglob("*")) == [MANIFEST, WEIGHTS]
    header = (path / WEIGHTS).read_bytes()
    assert json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["a"]["dtype"] == "F32"


@pytest.mark.parametrize("cut", [0, 7, 100])
def test_a_truncated_file_is_named(path, cut):
    (path / WEIGHTS).write_bytes((path / WEIGHTS).read_bytes()[:cut])
    with pytest.raises(BundleDamagedError, match=WEIGHTS):
        read_bundle(path).tensors()


def test_an_altered_file_is_named(path):
    content = bytearray((path / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (path / WEIGHTS).write_bytes(content)
    with pytest.raises(BundleDamagedError, match=r"weights\.safetensors.*sha256"):
        read_bundle(path).tensors()


def test_a_missing_file_is_named(path):
    (path / WEIGHTS).unlink()
    with pytest.raises(BundleDamagedError, match=WEIGHTS):
        read_bundle(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "\udcff", "[" * 100_000, "{}", "nul"])
def test_a_manifest_that_is_none_is_refused(path, text):
    (path / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BundleDamagedError, match=MANIFEST):
        read_bundle(path)


def test_a_newer_bundle_says_how_to_upgrade(path):
    edit(path, schema_version=99)
    with pytest.raises(BundleVersionError, match="pip install --upgrade"):
        read_bundle(path)


def test_an_unknown_field_and_a_wrong_value_are_named(path):
    edit(path, colour_of_the_cat="black")
    with pytest.raises(BundleDamagedError, match="colour_of_the_cat"):
        read_bundle(path)
    edit(path, task="guessing")
    with pytest.raises(BundleDamagedError, match=r"task|colour"):
        read_bundle(path)


def test_classes_and_outputs_must_agree(path):
    edit(path, classes={"names": ["cat"], "ids": []})
    with pytest.raises(BundleDamagedError, match="1 class names for 2 outputs"):
        read_bundle(path)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", ""])
def test_a_manifest_cannot_name_files_outside(path, name):
    record = {"bytes": 1, "sha256": "0" * 64}
    edit(path, files=json.loads((path / MANIFEST).read_text())["files"] | {name: record})
    with pytest.raises(BundleDamagedError, match="outside"):
        read_bundle(path)


def test_what_is_no_bundle_is_said_to_be_none(tmp_path):
    with pytest.raises(BundleError, match=MANIFEST):
        read_bundle(tmp_path)


def test_a_full_disk_is_an_error_of_the_system_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left (os error 28)")

    monkeypatch.setattr("residua.bundle.store.save_file", refuse)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_bundle(tmp_path / "x.bundle", make_manifest(), {"w": np.zeros(3, np.float32)})
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_an_existing_path_is_not_overwritten_unasked(path, tmp_path):
    with pytest.raises(SettingError, match="--overwrite"):
        write_bundle(path, make_manifest(), TENSORS)
    write_bundle(path, make_manifest("other"), TENSORS, overwrite=True)
    assert read_bundle(path).manifest.architecture.name == "other"
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingError, match="is no bundle"):
        write_bundle(tmp_path / "folder", make_manifest(), TENSORS, overwrite=True)


def test_a_bundle_of_the_first_schema_is_read(path):
    old = {"source": "measured", "data": "x", "top1": 0.5, "per_class": {"cat": 0.5}}
    edit(path, schema_version=1, calibration={"temperature": 1.5}, metrics=[old])
    manifest = read_bundle(path).manifest
    assert manifest.schema_version == SCHEMA_VERSION
    assert manifest.calibration == Calibration(temperature=1.5)
    assert (manifest.metrics[0].top1, manifest.metrics[0].ece) == (0.5, None)


def test_fields_are_amended_in_place(path):
    before = (path / WEIGHTS).stat()
    amended = amend_bundle(read_bundle(path), {"calibration": Calibration(temperature=2.0)})
    assert read_bundle(path).manifest == amended.manifest
    assert amended.manifest.calibration.temperature == 2
    amended.verify()
    assert (path / WEIGHTS).stat().st_ino == before.st_ino
    assert sorted(file.name for file in path.iterdir()) == [MANIFEST, WEIGHTS]


def test_fields_are_amended_in_a_copy(path, tmp_path):
    text = (path / MANIFEST).read_text()
    changes = {"calibration": Calibration(temperature=2.0)}
    copy = amend_bundle(read_bundle(path), changes, output=tmp_path / "y.bundle")
    assert copy.manifest.calibration.temperature == 2
    assert np.array_equal(read_bundle(copy.path).tensors()["a"], TENSORS["a"])
    assert (path / MANIFEST).read_text() == text
    with pytest.raises(SettingError, match="exists"):
        amend_bundle(read_bundle(path), changes, output=tmp_path / "y.bundle")


def test_what_exports_hold_is_not_amended_under_them(path):
    entry = "exports/onnx/model.onnx"
    files = {entry: {"bytes": 1, "sha256": "0" * 64}}
    export = {"format": "onnx", "entry": entry, "files": files}
    edit(path, exports={"onnx": export})
    bundle = read_bundle(path)
    with pytest.raises(SettingError, match=r"calibration as they are: onnx[\s\S]*--output"):
        amend_bundle(bundle, {"calibration": Calibration(temperature=2.0)})
    assert read_bundle(path).manifest.calibration.temperature == 1


WRITE_FOR_EVER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import numpy as np
from test_store import make_manifest
from residua.bundle.store import write_bundle
round_ = 0
while True:
    round_ += 1
    tensors = {"round": np.full(200_000, round_, np.float32)}
    write_bundle(Path(sys.argv[1]), make_manifest(f"r{round_}"), tensors, overwrite=True)
    print(round_, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_bundle(tmp_path):
    path = tmp_path / "x.bundle"
    here = str(Path(__file__).parent)
    seen = set()
    for attempt in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(path), here], stdout=subprocess.PIPE
        )
        process.stdout.readline()  # one bundle is there; now kill at an odd moment
        time.sleep(0.013 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        bundle = read_bundle(path)
        round_ = bundle.tensors()["round"]
        assert bundle.manifest.architecture.name == f"r{int(round_[0])}"
        assert (round_ == round_[0]).all()
        seen.add(int(round_[0]))
    assert len(seen) > 1


@pytest.mark.parametrize("entry", ["../../etc/passwd", "/etc/passwd", "exports/onnx/other.onnx"])
def test_an_export_opens_no_file_that_is_not_among_its_own(path, entry):
    record = {"bytes": 1, "sha256": "0" * 64}
    export = {"format": "onnx", "entry": entry, "files": {"exports/onnx/model.onnx": record}}
    edit(path, exports={"onnx": export})
    with pytest.raises(BundleDamagedError, match="without its file"):
        read_bundle(path)
