"""Model repositories: the layouts, that their models answer, that their configs can be read."""

import json

import numpy as np
import onnxruntime as ort
import openvino as ov
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from making import make_bundle
from residua.bundle.schema import Classes
from residua.bundle.store import read_bundle
from residua.engines.pytorch import compute_reference
from residua.export.repository import name_model, spell_labels, spell_triton
from residua.export.run import export_bundle
from residua.export.verify import verify_exports

NARROW = (16, 16, 32, 32)
STRING, INT32, INT64, BOOL, ENUM, MESSAGE = 9, 5, 3, 8, 14, 11
ONE, MANY = 1, 3

# The part of Triton's protobuf/model_config.proto that is used here.
PROTO = {
    "ModelInput": {"name": (STRING, ONE), "data_type": ("DataType", ONE), "dims": (INT64, MANY)},
    "ModelOutput": {
        "name": (STRING, ONE), "data_type": ("DataType", ONE), "dims": (INT64, MANY),
        "label_filename": (STRING, ONE),
    },
    "ModelDynamicBatching": {},
    "ModelParameter": {"string_value": (STRING, ONE)},
    "ParametersEntry": {"key": (STRING, ONE), "value": ("ModelParameter", ONE)},
    "Input": {"data_type": ("DataType", ONE), "dims": (INT64, MANY), "zero_data": (BOOL, ONE)},
    "InputsEntry": {"key": (STRING, ONE), "value": ("Input", ONE)},
    "ModelWarmup": {
        "name": (STRING, ONE), "batch_size": (INT32, ONE), "inputs": ("InputsEntry", MANY),
    },
    "ModelConfig": {
        "name": (STRING, ONE), "backend": (STRING, ONE), "max_batch_size": (INT32, ONE),
        "input": ("ModelInput", MANY), "output": ("ModelOutput", MANY),
        "dynamic_batching": ("ModelDynamicBatching", ONE),
        "parameters": ("ParametersEntry", MANY), "model_warmup": ("ModelWarmup", MANY),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def parse_config():
    """A reader of config.pbtxt: protobuf's own, with Triton's names and types."""
    file = descriptor_pb2.FileDescriptorProto(name="config.proto", package="t", syntax="proto3")
    kinds = file.enum_type.add(name="DataType")
    for number, name in enumerate(("TYPE_INVALID", "TYPE_BOOL", "TYPE_UINT8", "TYPE_FP32")):
        kinds.value.add(name=name, number=number)
    for name, fields in PROTO.items():
        message = file.message_type.add(name=name)
        for number, (field, (kind, label)) in enumerate(fields.items(), start=1):
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = (
                    (ENUM if kind == "DataType" else MESSAGE),
                    f".t.{kind}",
                )
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    config = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelConfig"))
    return lambda text: text_format.Parse(text, config())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("r") / "my flowers.bundle", widths=NARROW)


@pytest.fixture(scope="module")
def exported(bundle):
    outcomes = list(export_bundle(bundle, ["triton", "ovms"]))
    assert [outcome.error for outcome in outcomes] == [None, None]
    return read_bundle(bundle.path)


def crops():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def list_files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_triton_serves_the_folder(exported, parse_config):
    folder = exported.path / "exports/triton"
    assert list_files(folder) == [
        "my_flowers/1/model.onnx", "my_flowers/config.pbtxt", "my_flowers/labels.txt",
    ]  # fmt: skip
    config = parse_config((folder / "my_flowers/config.pbtxt").read_text())
    assert (config.name, config.backend) == ("my_flowers", "onnxruntime")
    assert config.HasField("dynamic_batching")
    session = ort.InferenceSession(folder / "my_flowers/1/model.onnx")
    [given], [wanted] = session.get_inputs(), session.get_outputs()
    # Triton leaves the batch out of dims where max_batch_size is above 0.
    assert config.max_batch_size == 64
    assert (config.input[0].name, list(config.input[0].dims)) == (given.name, given.shape[1:])
    assert (config.input[0].data_type, given.type) == (2, "tensor(uint8)")
    assert (config.output[0].name, list(config.output[0].dims)) == (wanted.name, [5])
    assert (config.output[0].data_type, wanted.type) == (3, "tensor(float)")
    labels = (folder / "my_flowers" / config.output[0].label_filename).read_text().splitlines()
    assert labels == list(exported.manifest.classes.names)
    [warmup] = config.model_warmup
    assert list(warmup.inputs[0].value.dims) == [64, 64, 3]
    told = {entry.key: entry.value.string_value for entry in config.parameters}
    assert json.loads(told["preprocess"])["crop_size"] == 64
    answers = session.run(None, {"image": crops()})[0]
    np.testing.assert_allclose(answers, compute_reference(exported, crops()), rtol=0, atol=2e-5)


def test_ovms_serves_the_folder(exported):
    folder = exported.path / "exports/ovms"
    assert list_files(folder) == [
        "config.json", "my_flowers/1/model.bin", "my_flowers/1/model.xml", "my_flowers/labels.txt",
    ]  # fmt: skip
    [entry] = json.loads((folder / "config.json").read_text())["model_config_list"]
    assert entry["config"]["base_path"] == "/models/my_flowers"
    model = ov.Core().read_model(folder / "my_flowers/1/model.xml")
    assert set(entry["config"]["layout"]) == {port.get_any_name() for port in model.inputs}
    compiled = ov.Core().compile_model(model, "CPU", entry["config"]["plugin_config"])
    answers = np.array(compiled(crops())[0])
    np.testing.assert_allclose(answers, compute_reference(exported, crops()), rtol=0, atol=2e-5)


def test_repositories_pass_the_gate_and_are_verified_again(exported):
    for name in ("triton", "ovms"):
        assert exported.manifest.exports[name].parity.agreement == 1
    assert [outcome.error for outcome in verify_exports(exported)] == [None, None]


def test_whole_pictures_have_any_size(tmp_path, parse_config):
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    [outcome] = export_bundle(bundle, ["triton"], takes="image")
    assert outcome.error is None
    config = parse_config((bundle.path / "exports/triton-image/x/config.pbtxt").read_text())
    assert list(config.input[0].dims) == [-1, -1, 3]
    assert min(config.model_warmup[0].inputs[0].value.dims) > 0


def test_names_cannot_break_the_files(bundle, parse_config):
    names = ('quote " and \\', "two\nlines", "Grüße, 世界", " spaced  out ", "plain")
    manifest = bundle.manifest.model_copy(update={"classes": Classes(names=names)})
    assert len(spell_labels(manifest).splitlines()) == 5
    changed = manifest.model_copy(update={"licence": 'a "licence"\nof two lines: ü'})
    config = parse_config(spell_triton('odd "name"', changed, _any_export(bundle)))
    told = {entry.key: entry.value.string_value for entry in config.parameters}
    assert (config.name, told["licence"]) == ('odd "name"', changed.licence)


def _any_export(bundle):
    return next(iter(read_bundle(bundle.path).manifest.exports.values()))


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.bundle", "a"), ("ResNet50.tv2.bundle", "ResNet50.tv2"), ("ü.bundle", "model"),
     ("x y/z w.bundle", "z_w"), (".hidden", "hidden")],
)  # fmt: skip
def test_a_name_is_plain(tmp_path, path, name):
    assert name_model(tmp_path / path) == name
