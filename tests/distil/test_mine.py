"""Choosing unlabelled pictures: scores, near duplicates, the best of each class, going on."""

import io
import json
import tarfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from making import save_noise
from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes
from residua.data.sources.unlabelled import find_unlabelled, open_unlabelled
from residua.distil.mine import asking
from residua.distil.mine.choose import Chooser
from residua.distil.mine.known import look
from residua.distil.mine.run import Wanted, mine
from residua.distil.mine.scores import Scores, read_scores
from residua.predict.classifier import Classifier


@pytest.fixture(scope="module")
def classifier(teacher):
    return Classifier(teacher, engine="openvino", threads=1)


@pytest.fixture
def folder(more, tmp_path):
    """Sixty shapes in folders that say nothing, a broken file, and no picture."""
    root = tmp_path / "web"
    for number, path in enumerate(sorted(more.rglob("*.png"))):
        target = root / f"{number % 7}" / f"{number:03}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (root / "0" / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    (root / "0" / "notes.txt").write_text("no picture")
    return root


def expect(classifier, root):
    """The class and probability of each picture that can be read, by prediction."""
    found = {}
    for one in classifier.predict(sorted(root.rglob("*.*g"))):
        if not one.error:
            found[one.filename] = (one.label_names[0], one.scores[0])
    return found


def test_the_surest_of_each_class_are_chosen(classifier, folder, tmp_path):
    output = tmp_path / "mined.txt"
    report = mine(str(folder), classifier, output, Wanted(per_class=5), chunk=16)
    lines = [line.split("\t") for line in output.read_text().splitlines()]
    assert max(Counter(label for _, label, _ in lines).values()) == 5
    expected = expect(classifier, folder)
    by_class = {}
    for name, (label, score) in expected.items():
        by_class.setdefault(label, []).append((score, name))
    best = {name for own in by_class.values() for _, name in sorted(own, reverse=True)[:5]}
    chosen = {str(output.parent / path) for path, _, _ in lines}
    scores = {name: expected[name][1] for name in best | chosen}
    assert sorted(scores[n] for n in chosen) == pytest.approx(sorted(scores[n] for n in best))
    for path, label, score in lines:
        assert expected[str(output.parent / path)][0] == label
        assert float(score) == pytest.approx(expected[str(output.parent / path)][1], abs=2e-4)
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["pictures"] == 61
    assert record["unreadable"] == {"damaged": 1}
    assert record["chosen"] == len(lines) == report.chosen
    assert sum(record["probabilities"]) == 60
    assert "Chosen pictures" in output.with_suffix(".html").read_text()
    again = open_unlabelled(output, classifier.classes)
    assert len(again) == len(lines)
    assert again.read(0)


def test_a_threshold_leaves_the_unsure_out(classifier, folder, tmp_path):
    output = tmp_path / "mined.txt"
    expected = [score for _, score in expect(classifier, folder).values()]
    middle = float(np.median(expected))
    mine(str(folder), classifier, output, Wanted(1000, middle))
    assert len(output.read_text().splitlines()) == pytest.approx(30, abs=1)


def test_near_duplicates_of_validation_pictures_are_left_out(classifier, folder, parts, tmp_path):
    validation = parts.validation
    for number in range(3):  # written anew at another quality, and a little larger
        picture = Image.open(io.BytesIO(validation.read(number))).convert("RGB")
        larger = picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.LANCZOS)
        larger.save(folder / "0" / f"copy-{number}.jpg", quality=85)
    output = tmp_path / "mined.txt"
    report = mine(str(folder), classifier, output, Wanted(), validation=validation)
    record = report.as_record()
    named = {each["name"]: each["like"] for each in record["near_duplicates_named"]}
    for number in range(3):
        assert named[f"0/copy-{number}.jpg"] == validation.names[number]
    chosen = output.read_text()
    assert "copy-" not in chosen
    assert record["near_duplicates"] + report.chosen == 63


def test_an_interrupted_run_goes_on_with_the_scores_that_are_there(
    classifier, folder, tmp_path, monkeypatch
):
    undisturbed = tmp_path / "a.txt"
    mine(str(folder), classifier, undisturbed, Wanted(5), chunk=16)
    scored, real = [], asking.score

    def break_off(part, *rest):
        scored.append(part.names[0])
        if len(scored) == 3:
            raise KeyboardInterrupt
        return real(part, *rest)

    output = tmp_path / "b.txt"
    monkeypatch.setattr(asking, "score", break_off)
    with pytest.raises(KeyboardInterrupt):
        mine(str(folder), classifier, output, Wanted(5), chunk=16)
    assert not output.exists()
    mine(str(folder), classifier, output, Wanted(5), chunk=16)
    assert len(scored) == 3 + 2  # of four chunks two were there
    assert output.read_text() == undisturbed.read_text()
    mine(str(folder), classifier, output, Wanted(2), chunk=16)  # another choice asks nobody
    assert len(scored) == 5


def test_shards_give_shards(classifier, more, tmp_path):
    for number in range(3):
        with tarfile.open(tmp_path / f"web-{number}.tar", "w") as archive:
            for path in sorted(more.rglob("*.png"))[number::3]:
                archive.add(path, f"{path.parent.name}-{path.name}")
    place = str(tmp_path / "web-{0..2}.tar")
    with pytest.raises(SettingError, match="parts of shards"):
        mine(place, classifier, tmp_path / "mined.txt", Wanted())
    report = mine(place, classifier, tmp_path / "mined", Wanted(4))
    chosen = open_unlabelled(tmp_path / "mined", classifier.classes)
    assert len(chosen) == report.chosen
    assert Image.open(io.BytesIO(chosen.read(0))).format == "PNG"


def test_classes_of_the_student_are_matched_by_name(classifier, folder, tmp_path):
    names = classifier.classes.names
    output = tmp_path / "mined.txt"
    few = Classes(names=(names[2], "unknown", names[0]))
    report = mine(str(folder), classifier, output, Wanted(), classes=few)
    labels = Counter(line.split("\t")[1] for line in output.read_text().splitlines())
    expected = Counter(label for label, _ in expect(classifier, folder).values())
    assert labels == {names[2]: expected[names[2]], names[0]: expected[names[0]]}
    assert report.as_record()["of_other_classes"] == expected[names[1]]


def test_the_looks_of_a_mirror_image_are_those_of_the_mirrored_picture(tmp_path):
    whole = save_noise(tmp_path / "noise.png", size=(160, 96))  # of whole boxes for a thumbnail
    flipped = io.BytesIO()
    Image.open(whole).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(flipped, "PNG")
    (_, mirrored), (real,) = (
        look(whole.read_bytes(), "", mirrored=True), look(flipped.getvalue(), "")
    )  # fmt: skip
    assert (mirrored.code ^ real.code).bit_count() <= 1
    assert np.abs(mirrored.thumb.astype(int) - real.thumb.astype(int)).max() <= 1


@pytest.mark.parametrize(("per_class", "threshold"), [(1, 0.0), (3, 0.2), (1000, 0.0)])
def test_the_chooser_keeps_what_sorting_everything_keeps(per_class, threshold):
    rng = np.random.default_rng(0)
    classes = rng.integers(-1, 5, 5000).astype(np.int32)
    scores = (rng.integers(0, 50, 5000) / 50).astype(np.float32)  # with many equal ones
    usable = rng.random(5000) < 0.9
    chooser = Chooser(5, per_class, threshold)
    chooser._limit = 300  # cut again and again
    for first in range(0, 5000, 170):
        part = slice(first, first + 170)
        chooser.add(first, classes[part], scores[part], usable[part])
    expected = []
    for number in range(5):
        own = [
            i for i in range(5000) if classes[i] == number and usable[i] and scores[i] >= threshold
        ]
        expected += sorted(own, key=lambda i: (-scores[i], i))[:per_class]
    assert list(chooser.result()["place"]) == sorted(expected)


def test_scores_are_read_as_they_were_written(tmp_path):
    scores = Scores(
        ("a b.jpg", "ä.png"), np.array([1, -1], np.int32), np.array([0.5, 0], np.float32),
        np.array([-1, -1], np.int32), np.zeros(2, np.int32), ("", "damaged"),
    )  # fmt: skip
    scores.write(tmp_path / "0.npz")
    found = read_scores(tmp_path / "0.npz", scores.names)
    assert found.names == scores.names
    assert found.reasons == scores.reasons
    np.testing.assert_array_equal(found.classes, scores.classes)
    assert read_scores(tmp_path / "0.npz", ("others",)) is None
    (tmp_path / "0.npz").write_bytes(b"cut")
    assert read_scores(tmp_path / "0.npz", scores.names) is None


def test_places_that_hold_nothing_are_refused(classifier, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        mine(str(tmp_path / "empty"), classifier, tmp_path / "mined.txt", Wanted())
    with pytest.raises(DataError, match="There is no"):
        find_unlabelled(tmp_path / "nowhere")
