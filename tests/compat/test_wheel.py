"""``PaddleClas`` and its lines, as section 2.3, 3.5 and 4.2 of the document show them."""

import json

import numpy as np
import pytest
from PIL import Image

import residua
from making import make_bundle, save_noise
from residua.base.errors import SettingError, UnknownNameError
from residua.compat import PaddleClas
from residua.compat.lines import as_tool, in_batches, spell_deployed, spell_wheel
from residua.compat.wheel import read_bool
from residua.predict.results import Prediction

HEN = Prediction(
    "docs/images/whl_demo.jpg", [8, 7], [0.979684, 0.0202811], ["hen", "Maltese dog, Maltese"]
)
NONE = Prediction("a/b.jpg", error="b.jpg is no picture.", reason="not-an-image")


@pytest.fixture
def model(tmp_path):
    return make_bundle(tmp_path / "net.bundle").path


@pytest.fixture
def pictures(tmp_path):
    return [save_noise(tmp_path / "pictures" / f"{n}.png", seed=n) for n in range(3)]


def test_lines_of_the_document():
    assert spell_wheel(HEN) == (
        "class_ids: [8, 7], scores: [0.97968, 0.02028], "
        "label_names: ['hen', 'Maltese dog, Maltese'], filename: docs/images/whl_demo.jpg"
    )
    assert str([as_tool(HEN)]) == (
        "[{'class_ids': [8, 7], 'scores': [0.97968, 0.02028], "
        "'file_name': 'docs/images/whl_demo.jpg', 'label_names': ['hen', 'Maltese dog, Maltese']}]"
    )
    assert spell_deployed(HEN) == (
        "whl_demo.jpg:\tclass id(s): [8, 7], score(s): [0.98, 0.02], "
        "label_name(s): ['hen', 'Maltese dog, Maltese']"
    )


def test_lines_of_what_is_no_picture():
    assert spell_deployed(NONE) == "b.jpg:\terror: b.jpg is no picture."
    assert as_tool(NONE) == {
        "error": "b.jpg is no picture.", "reason": "not-an-image", "file_name": "a/b.jpg"
    }  # fmt: skip
    assert "error: b.jpg is no picture." in spell_wheel(NONE)


def test_batches_end_with_what_there_is():
    assert [len(batch) for batch in in_batches([HEN] * 5, 2)] == [2, 2, 1]
    assert list(in_batches([], 2)) == []


def test_predict_is_a_generator_of_lists(model, pictures):
    clas = PaddleClas(inference_model_dir=str(model), topk=3, batch_size=2)
    result = clas.predict(str(pictures[0].parent))
    first = next(result)
    assert [len(first), *(len(batch) for batch in result)] == [2, 1]
    assert list(first[0]) == ["class_ids", "scores", "label_names", "filename"]
    ours = [p.to_dict() for p in residua.load(model).predict(str(pictures[0].parent), top_k=3)]
    again = [record for batch in clas.predict(str(pictures[0].parent)) for record in batch]
    assert again == ours


def test_an_array_gives_a_single_result(model, pictures):
    array = np.asarray(Image.open(pictures[0]))
    clas = PaddleClas(inference_model_dir=str(model))
    ((from_array,),) = clas.predict(array)
    ((from_file,),) = clas.predict(str(pictures[0]))
    assert from_array["class_ids"] == from_file["class_ids"]
    assert from_array["scores"] == pytest.approx(from_file["scores"], abs=2e-5)


def test_results_are_written_and_printed(model, pictures, tmp_path, capsys):
    clas = PaddleClas(inference_model_dir=str(model), save_dir=str(tmp_path / "out"))
    batches = list(clas.predict(str(pictures[0].parent), print_pred=True))
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written == [record for batch in batches for record in batch]
    assert capsys.readouterr().out.count("label_names: ") == 3


def test_sizes_names_and_threshold(model, pictures, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{n} name of {n}\n" for n in range(5)))
    clas = PaddleClas(
        inference_model_dir=str(model), resize_short=40, crop_size=32, threshold=0.2,
        class_id_map_file=str(labels),
    )  # fmt: skip
    preprocess = clas.classifier.manifest.preprocess
    assert (preprocess.short_side, preprocess.crop_size) == (40, 32)
    ((record,),) = clas.predict(str(pictures[0]))
    assert all(name.startswith("name of ") for name in record["label_names"])
    assert all(score >= 0.2 for score in record["scores"])


def test_keys_of_the_packages_configuration(model, pictures):
    clas = PaddleClas(
        inference_model_dir=str(model), override=["PostProcess.Topk.topk=2", "Global.batch_size=3"],
        enable_mkldnn=True,
    )  # fmt: skip
    (batch,) = clas.predict(str(pictures[0].parent))
    assert [len(record["class_ids"]) for record in batch] == [2, 2, 2]
    assert any("Global.enable_mkldnn" in note for note in clas.notes)
    with pytest.raises(SettingError, match=r"PostProcess\.Topk\.topj"):
        PaddleClas(inference_model_dir=str(model), override=["PostProcess.Topk.topj=2"])


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({}, SettingError, "Neither model_name nor"),
        ({"model_name": "ResNet5O"}, UnknownNameError, "ResNet5O"),
        ({"inference_model_dir": "nowhere"}, SettingError, "no weights nowhere"),
        ({"model_name": "ResNet50", "build_gallery": True}, SettingError, "retrieval"),
        ({"model_name": "ResNet50", "top_k": 3}, TypeError, "no option 'top_k'"),
    ],
)
def test_options_that_fit_nothing(options, error, problem):
    with pytest.raises(error, match=problem):
        PaddleClas(**options)


def test_calls_that_fit_nothing(model, pictures):
    clas = PaddleClas(inference_model_dir=str(model))
    with pytest.raises(SettingError, match="retrieval"):
        next(clas.predict(str(pictures[0]), predict_type="shitu"))
    with pytest.raises(SettingError, match="input_data is a int"):
        next(clas.predict(3))
    with pytest.raises(SettingError, match="larger than resize_short"):
        PaddleClas(inference_model_dir=str(model), crop_size=300)


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("t", True), ("0", False), ("false", False)]
)
def test_truth_values(text, value):
    assert read_bool(text, "--use_gpu") is value


def test_no_truth_value():
    with pytest.raises(SettingError, match="--use_gpu is 'perhaps'"):
        read_bool("perhaps", "--use_gpu")
