"""Exports for phones and boards: what the files say, and what is refused."""

import json
import sys

import numpy as np
import pytest

from making import make_bundle
from residua.base.errors import EngineError, MissingExtraError
from residua.bundle.store import read_bundle
from residua.engines.choose import open_engine
from residua.engines.engine import RUNTIMES
from residua.export.formats import FORMATS
from residua.export.run import export_bundle
from residua.export.verify import verify_exports

NARROW = (16, 16, 32, 32)
MOBILE = ("ncnn", "mnn", "litert", "executorch")


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=NARROW)


def export(bundle, kind, **options):
    """Export through the gate; skips where the library is not installed."""
    for library in FORMATS[kind].libraries:
        pytest.importorskip(library)
    [outcome] = export_bundle(bundle, [kind], **options)
    assert outcome.error is None, outcome.error
    return read_bundle(bundle.path)


@pytest.mark.parametrize("kind", [*MOBILE[:-1], pytest.param("executorch", marks=pytest.mark.slow)])
def test_an_export_passes_the_gate_and_is_used(bundle, kind):
    whole = export(bundle, kind)
    record = whole.manifest.exports[kind]
    assert record.parity.agreement == 1
    assert record.parity.inputs == 17
    assert record.versions
    whole.verify()
    engine = open_engine(whole, engine=kind, device="cpu")
    crops = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    expected = open_engine(whole, engine="torch", device="cpu").run(crops)
    np.testing.assert_allclose(engine.run(crops), expected, rtol=0, atol=5e-5)
    assert [outcome.error for outcome in verify_exports(whole)] == [None]


@pytest.mark.parametrize("kind", ["litert", "ncnn", "mnn"])
def test_half_precision_passes_the_gate(bundle, kind):
    record = export(bundle, kind, precision="fp16").manifest.exports[f"{kind}-fp16"]
    assert record.parity.difference < 0.02


@pytest.mark.parametrize("kind", ["ncnn", "mnn"])
def test_what_has_no_place_for_words_has_them_beside(bundle, kind):
    manifest = export(bundle, kind).manifest
    told = json.loads((bundle.path / f"exports/{kind}/model.json").read_text(encoding="utf-8"))
    assert json.loads(told["classes"]) == list(manifest.classes.names)
    assert told["weights_sha256"] == manifest.files["weights.safetensors"].sha256


def test_litert_says_what_it_is_in_its_metadata_and_signature(bundle):
    manifest = export(bundle, "litert").manifest
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    path = bundle.path / "exports/litert/model.tflite"
    content = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content)
    told = {
        entry.name.decode(): bytes(model.buffers[entry.buffer].data).decode()
        for entry in model.metadata
    }
    assert json.loads(told["classes"]) == list(manifest.classes.names)
    signature = Interpreter(str(path)).get_signature_list()["serving_default"]
    assert signature == {"inputs": ["image"], "outputs": ["probabilities"]}


def test_litert_lays_its_weights_at_multiples_of_16_bytes(bundle):
    # Some processors read them nowhere else.
    export(bundle, "litert")
    from ai_edge_litert import schema_py_generated as schema

    content = (bundle.path / "exports/litert/model.tflite").read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    tables = [model.Buffers(index)._tab for index in range(1, model.BuffersLength())]
    places = [table.Vector(table.Offset(4)) for table in tables]
    assert len(places) > 40
    assert {place % 16 for place in places} == {0}


def test_ncnn_has_no_blob_with_two_readers(bundle):
    export(bundle, "ncnn")
    lines = (bundle.path / "exports/ncnn/model.param").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "7767517"
    layers, blobs = map(int, lines[1].split())
    assert len(lines) == 2 + layers
    read, written = [], []
    for line in lines[2:]:
        _, _, inputs, outputs, *names = line.split()
        read += names[: int(inputs)]
        written += names[int(inputs) : int(inputs) + int(outputs)]
    assert len(set(read)) == len(read)
    assert len(set(written)) == len(written) == blobs
    assert set(written) - set(read) == {"probabilities"}


def test_mnn_is_converted_without_its_reporting_command(bundle, monkeypatch):
    from residua.export import mnn

    commands = []
    run = mnn.subprocess.run

    def watch(command, **options):
        commands.append(command)
        return run(command, **options)

    monkeypatch.setattr(mnn.subprocess, "run", watch)
    export(bundle, "mnn")
    [command] = commands
    assert "mnnconvert.main" not in " ".join(command)
    assert not [name for name in sys.modules if name.startswith("MNN.tools")]


def test_a_converter_that_fails_is_told_with_its_words(bundle, monkeypatch):
    pytest.importorskip("MNN")
    from residua.export import mnn

    monkeypatch.setattr(mnn, "_CONVERT", "raise SystemExit('no such operation')")
    [outcome] = export_bundle(bundle, ["mnn"])
    assert isinstance(outcome.error, EngineError)
    assert "no such operation" in str(outcome.error)
    assert not (bundle.path / "exports/mnn").exists()


def test_aoti_without_a_compiler_says_so(bundle, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    [outcome] = export_bundle(bundle, ["aoti"])
    assert isinstance(outcome.error, EngineError)
    assert "no-such-compiler" in str(outcome.error)
    assert "apt install g++" in str(outcome.error)


@pytest.mark.parametrize("kind", [*MOBILE, "coreml", "tensorrt"])
def test_a_missing_library_names_its_extra(bundle, kind, monkeypatch):
    monkeypatch.setattr("residua.export.write.find_spec", lambda _: None)
    [outcome] = export_bundle(bundle, [kind])
    assert isinstance(outcome.error, MissingExtraError)
    assert f"residua[{FORMATS[kind].extra}]" in str(outcome.error)


def test_every_format_with_an_engine_has_its_runtime():
    for name, form in FORMATS.items():
        if form.engine is not None:
            assert RUNTIMES[form.engine].format == (form.holds or name)
            assert set(form.precisions) <= set(RUNTIMES[form.engine].precisions)
