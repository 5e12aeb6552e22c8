import io
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import residua
from making import make_bundle, save_noise
from residua.base.errors import ResiduaError, SettingError
from residua.bundle.schema import Calibration
from residua.bundle.store import Bundle
from residua.pixels.limits import Limits

WIDTHS = (16, 16, 32, 32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("made") / "x.bundle", widths=WIDTHS)


@pytest.fixture(scope="module")
def classifier(bundle):
    return residua.load(bundle.path)


@pytest.fixture
def photos(tmp_path):
    for index, name in enumerate(["a.png", "b/c.JPG", "b/d.webp", "e.bmp"]):
        save_noise(tmp_path / "photos" / name, seed=index)
    return tmp_path / "photos"


def names(predictions):
    return [Path(p.filename).name for p in predictions]


def test_all_kinds_of_input_give_the_same_answer(classifier, photos):
    path = photos / "a.png"
    image = Image.open(path)
    kinds = [path, str(path), path.read_bytes(), image, np.asarray(image)]
    answers = list(classifier.predict(kinds))
    assert all(answer.ok for answer in answers)
    assert all(answer.scores == pytest.approx(answers[0].scores, abs=1e-6) for answer in answers)
    assert all(answer.class_ids == answers[0].class_ids for answer in answers)
    (alone,) = classifier.predict(path)
    assert alone.scores == pytest.approx(answers[0].scores, abs=1e-6)
    assert alone.filename == str(path)


def test_predict_is_a_generator_of_typed_results(classifier, photos):
    predictions = classifier.predict(str(photos / "a.png"), top_k=3)
    first = next(predictions)
    assert isinstance(first, residua.Prediction)
    assert len(first.class_ids) == len(first.scores) == len(first.label_names) == 3
    assert first.label_names[0] == f"class {first.class_ids[0]}"
    assert first.scores == sorted(first.scores, reverse=True)
    with pytest.raises(StopIteration):
        next(predictions)


def test_folders_globs_and_lists_name_their_pictures(classifier, photos, tmp_path):
    (photos / "notes.md").write_text("no picture")
    (photos / ".hidden.png").write_bytes((photos / "a.png").read_bytes())
    (photos / "nameless").write_bytes((photos / "a.png").read_bytes())
    assert names(classifier.predict(photos)) == ["a.png", "e.bmp", "nameless", "c.JPG", "d.webp"]
    assert names(classifier.predict(f"{photos}/*/*.webp")) == ["d.webp"]
    listing = photos / "list.txt"
    listing.write_text("b/c.JPG 7\na.png\n\ne.bmp\t3\nnot here.png 5\n")
    predictions = list(classifier.predict(listing))
    assert names(predictions)[:3] == ["c.JPG", "a.png", "e.bmp"]
    assert [p.reason for p in predictions] == [None, None, None, "unreadable"]


def test_names_with_spaces_and_odd_bytes_are_files_like_others(classifier, photos):
    odd = photos / os.fsdecode(b"caf\xe9 in the sun.png")
    odd.write_bytes((photos / "a.png").read_bytes())
    (photos / "list.txt").write_bytes(b"caf\xe9 in the sun.png 3\n")
    (prediction,) = classifier.predict(photos / "list.txt")
    assert prediction.ok


def test_bad_pictures_are_records_and_never_stop_the_run(classifier, photos, tmp_path):
    damaged = tmp_path / "cut.png"
    damaged.write_bytes((photos / "a.png").read_bytes()[:300])
    text = tmp_path / "text.jpg"
    text.write_text("this is no picture")
    inputs = [damaged, photos / "a.png", text, tmp_path / "missing.jpg", b"", tmp_path / "e.png"]
    predictions = list(classifier.predict(inputs))
    reasons = ["damaged", None, "not-an-image", "unreadable", "not-an-image", "unreadable"]
    assert [p.reason for p in predictions] == reasons
    assert "cut.png" in predictions[0].error
    assert "No such file" in predictions[3].error
    assert predictions[1].ok


def test_limits_are_configurable(bundle, photos):
    strict = residua.load(bundle.path, limits=Limits(max_pixels=100))
    (prediction,) = strict.predict(photos / "a.png")
    assert prediction.reason == "too-large"


def test_an_endless_stream_is_predicted_as_it_comes(classifier, photos):
    data = (photos / "a.png").read_bytes()
    stream = (data for _ in itertools.count())
    answers = list(itertools.islice(classifier.predict(stream, batch_size=1), 5))
    assert len(answers) == 5


def test_batch_size_does_not_change_the_answer(classifier, photos):
    paths = sorted(photos.rglob("*.*")) * 3
    one, many = (list(classifier.predict(paths, batch_size=size)) for size in (1, 5))
    assert [p.class_ids for p in one] == [p.class_ids for p in many]
    for a, b in zip(one, many, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-6)


def test_both_engines_agree(bundle, photos):
    answers = [
        list(residua.load(bundle.path, engine=engine).predict(photos))
        for engine in ("openvino", "torch")
    ]
    for a, b in zip(*answers, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-5)


@pytest.mark.parametrize(
    "options", [{"top_k": 0}, {"batch_size": 0}, {"threshold": 1.5}, {"threshold": -1}]
)
def test_senseless_options_are_refused_at_the_call(classifier, photos, options):
    with pytest.raises(SettingError, match=next(iter(options))):
        classifier.predict(photos, **options)


def test_inputs_of_other_types_are_refused(classifier):
    for wrong in (7, [7], [None]):
        with pytest.raises(SettingError, match="type"):
            list(classifier.predict(wrong))


def test_urls_are_off_unless_asked(classifier):
    with pytest.raises(SettingError, match="--allow-urls"):
        list(classifier.predict("https://example.org/cat.jpg"))


def test_a_name_that_is_nothing_is_explained(tmp_path):
    with pytest.raises(ResiduaError, match="ResNet50"):
        residua.load("ResNet50_vdd")
    with pytest.raises(ResiduaError):
        residua.load(tmp_path / "nothing.bundle")


def test_what_a_folder_cannot_give_is_a_record(classifier, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(photos / "pipe.jpg")
    inputs = [tmp_path / "empty", str(tmp_path / "*.nothing"), "a\0b", photos]
    predictions = list(classifier.predict(inputs))
    assert [p.reason for p in predictions] == ["unreadable"] * 3 + [None] * 4
    assert "no picture" in predictions[0].error


def test_an_empty_path_is_not_this_folder(classifier):
    with pytest.raises(SettingError, match="empty path"):
        list(classifier.predict(""))


def test_open_files_are_read(classifier, photos):
    with (photos / "a.png").open("rb") as file:
        (prediction,) = classifier.predict(file)
    assert prediction.ok


def test_lists_may_begin_with_a_mark_and_hold_comments(classifier, photos):
    (photos / "list.txt").write_bytes(b"\xef\xbb\xbfa.png\n# a comment\n")
    assert names(classifier.predict(photos / "list.txt")) == ["a.png"]


def test_a_size_is_told_as_it_is(bundle, photos):
    (prediction,) = residua.load(bundle.path, limits=Limits(max_bytes=50)).predict(photos / "e.bmp")
    assert prediction.reason == "too-large"
    size = (photos / "e.bmp").stat().st_size
    assert f"{size / 1000:.1f} kB; the limit is 50 B" in prediction.error


def test_orientation_counts_for_every_kind_of_input(classifier, tmp_path):
    upright = np.random.default_rng(1).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(np.rot90(upright).copy()).save(buffer, "PNG", exif=exif)
    turned = Image.open(io.BytesIO(buffer.getvalue()))
    answers = list(classifier.predict([upright, buffer.getvalue(), turned]))
    for answer in answers[1:]:
        assert answer.scores == pytest.approx(answers[0].scores, abs=1e-6)


def _changed(bundle, **changes):
    """The bundle with another manifest, as it would be read from disk."""
    return Bundle(bundle.path, bundle.manifest.model_copy(update=changes))


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_temperature_of_the_bundle_softens_predictions(bundle, photos, engine):
    softer = _changed(bundle, calibration=Calibration(temperature=3.0))
    plain, softened = (
        list(residua.Classifier(b, engine=engine).predict(photos)) for b in (bundle, softer)
    )
    for before, after in zip(plain, softened, strict=True):
        assert before.class_ids == after.class_ids
        powers = np.array(before.scores) ** (1 / 3)  # softmax(z / T) is p^(1/T), normalised
        assert after.scores == pytest.approx(powers / powers.sum(), abs=1e-5)
        assert after.scores[0] < before.scores[0] - 1e-3


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_a_multi_label_classifier_answers_all_classes_above_the_threshold(bundle, photos, engine):
    several = residua.Classifier(_changed(bundle, task="multi-label"), engine=engine)
    everything = list(several.predict(photos, threshold=0.0))
    assert all(len(answer.class_ids) == 5 for answer in everything)
    assert any(abs(sum(answer.scores) - 1) > 0.1 for answer in everything)
    answers = list(several.predict(photos))
    expected = [[s for s in answer.scores if s >= 0.5] for answer in everything]
    assert [answer.scores for answer in answers] == [pytest.approx(row) for row in expected]
    counts = {len(row) for row in expected}
    assert counts != {5}
    assert max(counts) > 0
    (first, *_) = several.predict(photos, threshold=0.0, top_k=2)
    assert len(first.class_ids) == 2


def test_a_single_label_classifier_answers_five_classes(tmp_path, photos):
    many = make_bundle(tmp_path / "many.bundle", widths=WIDTHS, num_classes=8)
    (first, *_) = residua.load(many.path).predict(photos)
    assert len(first.class_ids) == 5
