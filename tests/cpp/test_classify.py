"""residua-classify answers as ``residua predict`` does: the same classes, records and lines."""

import json
import os
import shutil

import pytest

from cpp.bundles import NARROW, ODD_NAMES, export
from cpp.running import classify, records
from making import make_bundle, save_noise
from residua.bundle.schema import Preprocess
from residua.bundle.store import Bundle, amend_bundle, read_bundle, write_bundle
from residua.pixels.limits import Limits
from residua.predict.classifier import Classifier
from residua.predict.writers import write_lines
from residua.zoo.weights.resolve import import_file

pytestmark = pytest.mark.slow


def predict(bundle: Bundle, inputs, **options):
    names = {"top_k", "threshold"} & set(options)
    asked = {name: options.pop(name) for name in names}
    return list(Classifier(bundle, engine="openvino", **options).predict(inputs, **asked))


@pytest.fixture(scope="module", params=["pillow", "opencv"])
def real(request, shared_data, tmp_path_factory):
    """The published ResNet18 with each family's preprocessing, exported."""
    rules = {"pillow": {}, "opencv": {"resampler": "opencv", "rounding": "paddle"}}[request.param]
    weights = shared_data / "weights" / "imagenet-resnet18-test.safetensors"
    path = tmp_path_factory.mktemp("real") / "ResNet18.bundle"
    return export(import_file(weights, output=path, model="ResNet18", preprocess=rules))


def test_photos_get_the_answers_of_python(program, real, shared_data):
    photos = shared_data / "photos"
    found = records(classify(program, real.path, photos, "--json"))
    expected = predict(real, str(photos))
    assert len(found) == 60
    for record, prediction in zip(found, expected, strict=True):
        assert record["filename"] == prediction.filename
        assert record["class_ids"] == prediction.class_ids
        assert record["label_names"] == prediction.label_names
        assert record["scores"] == pytest.approx(prediction.scores, abs=1e-3)


@pytest.mark.parametrize("real", ["pillow"], indirect=True)
def test_photos_get_the_golden_answers(program, real, shared_data):
    golden = json.loads((shared_data / "weights" / "golden.json").read_text())["predictions"]
    files = [shared_data / "photos" / entry["file"] for entry in golden]
    found = records(classify(program, real.path, *files, "--json", "--top-k", 1000))
    for record, entry in zip(found, golden, strict=True):
        scores = dict(zip(record["class_ids"], record["scores"], strict=True))
        expected = entry["top5_probabilities"]
        assert [scores[index] for index in entry["top5_ids"]] == pytest.approx(expected, abs=1e-4)
        assert record["class_ids"][0] == entry["top5_ids"][0]


def test_bad_images_get_the_records_of_python(program, real, shared_data):
    folder = shared_data / "bad-images"
    done = classify(program, real.path, folder, "--json")
    assert done.returncode == 3
    found = records(done)
    expected = [prediction.to_dict() for prediction in predict(real, str(folder))]
    assert [one["filename"] for one in found] == [one["filename"] for one in expected]
    count = sum("error" in one for one in found)
    assert f"{count} of {len(found)} pictures could not be used" in done.stderr.decode()
    compared = 0
    for one, other in zip(found, expected, strict=True):
        if "give a JPEG or PNG" in one.get("error", ""):
            continue  # a format that this program does not read (test_pixels.py)
        compared += 1
        assert one.keys() == other.keys()
        assert one.get("reason") == other.get("reason")
        assert one.get("class_ids") == other.get("class_ids")
    assert compared > 60


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_lines_are_those_of_python(program, small, pictures, form):
    options = ["--json"] if form == "json" else []
    done = classify(program, small.path, pictures, "--top-k", len(ODD_NAMES), *options)
    lines = done.stdout.decode().split("\n")[:-1]  # a name holds a line feed of another kind
    expected = list(write_lines(predict(small, str(pictures), top_k=len(ODD_NAMES)), form))
    assert len(lines) == 27
    for line, wanted in zip(lines, expected, strict=True):
        # The last digit of a score is of a sum in another order, and may round to its neighbour.
        strip = str.maketrans("", "", "0123456789") if "error" not in line else {}
        assert line.translate(strip) == wanted.rstrip("\n").translate(strip)


@pytest.mark.parametrize(
    "options",
    [
        ["--throughput"],
        ["--throughput", "--batch", "4"],
        ["--batch", "1"],
        ["--batch=5", "--threads=1"],
        ["--batch", "100"],
        ["--threads", "5"],
        ["--export", "onnx"],
    ],
)
def test_results_do_not_depend_on_how_they_are_computed(program, small, pictures, options):
    if "onnx" in options and "onnx" not in small.manifest.exports:
        pytest.skip("onnx or onnxruntime is not installed")
    usual = records(classify(program, small.path, pictures, "--json"))
    other = records(classify(program, small.path, pictures, "--json", *options))
    assert len(usual) == 27
    for one, two in zip(usual, other, strict=True):
        assert one.keys() == two.keys()
        assert one["filename"] == two["filename"]
        assert one.get("class_ids") == two.get("class_ids")
        assert one.get("scores", []) == pytest.approx(two.get("scores", []), abs=2e-5)


def test_many_pictures_stay_in_order(program, small, pictures):
    names = [str(pictures / "01.jpg"), str(pictures / "03x.jpg"), str(pictures / "06.png")] * 200
    done = classify(
        program, small.path, "-", "--json", "--throughput", stdin="\n".join(names).encode()
    )
    assert [record["filename"] for record in records(done)] == names


def test_a_multi_label_bundle_answers_every_class_above_the_threshold(program, tmp_path, pictures):
    made = make_bundle(tmp_path / "first.bundle", **NARROW)
    manifest = made.manifest.model_copy(update={"task": "multi-label"})
    bundle = export(write_bundle(tmp_path / "x.bundle", manifest, made.tensors()))
    for options, asked in (([], {}), (["--threshold", "0.3"], {"threshold": 0.3})):
        found = records(classify(program, bundle.path, pictures, "--json", *options))
        expected = predict(bundle, str(pictures), **asked)
        classes = [record.get("class_ids", []) for record in found]
        assert classes == [prediction.class_ids for prediction in expected]
        assert len({len(each) for each in classes}) > 1


def test_grey_crops_and_other_sizes(program, tmp_path, pictures):
    preprocess = Preprocess(
        crop_size=61, short_side=61, colour="grey", mean=(0.4,), std=(0.3,), aspect="pad"
    )
    made = make_bundle(tmp_path / "x.bundle", preprocess=preprocess, input_channels=1, **NARROW)
    bundle = export(made)
    found = records(classify(program, bundle.path, pictures, "--json"))
    for record, prediction in zip(found, predict(bundle, str(pictures)), strict=True):
        assert record.get("scores", []) == pytest.approx(prediction.scores, abs=2e-5)


def test_large_photos_are_decoded_at_full_size_when_asked(program, small, tmp_path):
    photo = save_noise(tmp_path / "large.jpg", size=(1300, 1201))
    (usual,) = records(classify(program, small.path, photo, "--json"))
    (exact,) = records(classify(program, small.path, photo, "--json", "--exact"))
    (here,), (there,) = predict(small, photo), predict(small, photo, exact=True)
    assert usual["scores"] == pytest.approx(here.scores, abs=1e-5)
    assert exact["scores"] == pytest.approx(there.scores, abs=1e-5)
    assert here.scores != there.scores


def test_limits_are_those_that_were_given(program, small, pictures):
    limits = {"max_bytes": 9000, "max_pixels": 6000}
    options = [f"--max-bytes={limits['max_bytes']}", f"--max-pixels={limits['max_pixels']}"]
    found = records(classify(program, small.path, pictures, "--json", *options))
    expected = predict(small, str(pictures), limits=Limits(**limits))
    assert [one.get("error") for one in found] == [one.error for one in expected]
    assert {one.get("reason") for one in found} == {"too-large", "damaged"}


def test_folders_are_walked_as_in_python(program, small, pictures, tmp_path, monkeypatch):
    for name in ("b.jpg", "a/2.jpg", "a/1.png", "Z/x.jpg", ".hidden/x.jpg", "a/.x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(pictures / "01.jpg", tmp_path / name)
    shutil.copy(pictures / "00.png", tmp_path / "a" / "no suffix")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "broken.jpg").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "empty").mkdir()
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.jpg", os.O_CREAT))
    monkeypatch.chdir(tmp_path)
    for place in (".", "./", "a//", f"{tmp_path}/", "empty", "nowhere.jpg"):
        done = classify(program, small.path, place, "--json", cwd=tmp_path)
        found = records(done)
        expected = [json.loads(line) for line in write_lines(predict(small, place), "json")]
        assert [one["filename"] for one in found] == [one["filename"] for one in expected]
        assert [one.get("reason") for one in found] == [one.get("reason") for one in expected]


def test_a_cache_of_compiled_graphs_changes_nothing(program, small, pictures, tmp_path):
    options = [small.path, pictures, "--json", "--cache", tmp_path / "cache"]
    first = records(classify(program, *options))
    assert any((tmp_path / "cache").iterdir())
    assert records(classify(program, *options)) == first


def test_recipes_and_metrics_do_not_matter(program, small, pictures, tmp_path):
    shutil.copytree(small.path, tmp_path / "y.bundle")
    amend_bundle(read_bundle(tmp_path / "y.bundle"), {"recipe": {"a": [1.5e-3, None, True, "\\"]}})
    usual = records(classify(program, small.path, pictures, "--json"))
    assert records(classify(program, tmp_path / "y.bundle", pictures, "--json")) == usual
