"""What residua-classify refuses, in words; and that nothing of it is a crash or a leak."""

import json
import shutil

import pytest

from cpp.running import classify
from residua.bundle.store import Bundle

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--help"),
        (["x.bundle"], 2, "at least one picture"),
        (["x.bundle", "a.jpg", "--top-k", "0"], 2, "whole number"),
        (["x.bundle", "a.jpg", "--threads", "5000"], 2, "1...1024"),
        (["x.bundle", "a.jpg", "--max-bytes", "1e6"], 2, "whole number"),
        (["x.bundle", "a.jpg", "--batch", "9" * 30], 2, "whole number"),
        (["x.bundle", "a.jpg", "--batch"], 2, "needs a value"),
        (["x.bundle", "a.jpg", "--threshold", "2"], 2, "0...1"),
        (["x.bundle", "a.jpg", "--fast"], 2, "--fast"),
        (["x.bundle", "a.jpg", "--json=1"], 2, "--json"),
        (["nowhere.bundle", "a.jpg"], 1, "no bundle.json"),
        (["x.bundle", "a.jpg", "--export", "ncnn"], 1, "it has: "),
        (["x.bundle", "-"], 1, "no picture"),
    ],
)
def test_mistakes_are_explained(program, small, arguments, code, message):
    done = classify(program, *arguments, cwd=small.path.parent, stdin=b"")
    assert done.returncode == code
    assert message in done.stderr.decode()
    assert done.stdout == b""


def test_help(program):
    done = classify(program, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(b"residua-classify BUNDLE IMAGES...")


def spoil(bundle: Bundle, target, change) -> None:
    """A copy of the bundle whose manifest ``change`` has altered."""
    shutil.copytree(bundle.path, target)
    manifest = json.loads((target / "bundle.json").read_text())
    change(manifest)
    (target / "bundle.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema_version=99), "schema version 99"),
        (lambda m: m.update(schema_version=2), "residua export"),
        (lambda m: m["preprocess"].update(resampler="best"), "preprocess.resampler"),
        (lambda m: m["preprocess"].update(crop_size=0), "side"),
        (lambda m: m["preprocess"].update(crop_size=32), "were expected"),
        (lambda m: m["classes"]["names"].append("more"), "were expected"),
        (lambda m: m.pop("preprocess"), "preprocess"),
        (lambda m: m["exports"]["openvino"].update(layout="NCHW"), "uint8 crops"),
        (lambda m: m["exports"]["openvino"].update(batch=1), "uint8 crops"),
        (lambda m: m["exports"]["openvino"].update(format="ncnn"), "does not open"),
        (lambda m: m["exports"]["openvino"].update(entry="../x.xml"), "does not list"),
        (
            lambda m: m["exports"]["openvino"]["files"].update({"../x": {}}),
            "outside the bundle",
        ),
        (
            lambda m: m["exports"]["openvino"]["files"].update({"gone": {}}),
            "missing",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(program, small, tmp_path, change, message):
    spoil(small, tmp_path / "y.bundle", change)
    done = classify(program, tmp_path / "y.bundle", "a.jpg")
    assert done.returncode == 1
    assert message in done.stderr.decode()


def test_an_altered_file_is_refused(program, small, tmp_path):
    shutil.copytree(small.path, tmp_path / "y.bundle")
    weights = tmp_path / "y.bundle" / "exports" / "openvino" / "model.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    done = classify(program, tmp_path / "y.bundle", "a.jpg")
    assert done.returncode == 1
    assert "model.bin has another content" in done.stderr.decode()


def test_the_sanitizers_find_nothing(sanitized, small, pictures, shared_data, tmp_path):
    program = sanitized / "residua-classify"
    folder = shared_data / "bad-images"
    for options in ([], ["--throughput", "--json"]):
        done = classify(program, small.path, folder, pictures, *options)
        assert done.returncode == 3, done.stderr.decode()[-3000:]
    text = (small.path / "bundle.json").read_bytes()
    (tmp_path / "y.bundle").mkdir()
    for cut in range(0, len(text), max(1, len(text) // 40)):
        (tmp_path / "y.bundle" / "bundle.json").write_bytes(text[:cut] + b"\\u12" + text[cut + 9 :])
        done = classify(program, tmp_path / "y.bundle", "a.jpg")
        assert done.returncode == 1
        assert b"Sanitizer" not in done.stderr
