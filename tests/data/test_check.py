"""The data doctor against data sets whose ills we have made ourselves."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from data.scenes import draw_scene, encode, write_files
from residua.data.doctor.check import check, open_for_check
from residua.data.doctor.findings import as_record, render
from residua.data.doctor.findings_sheet import write_check_sheet
from residua.data.settings import DataPart


def _healthy(*, count=12, first=0):
    """Scenes in two classes, larger than what training needs here."""
    return {
        f"{name}/{number}.jpg": encode(draw_scene(first + 50 * kind + number))
        for kind, name in enumerate(("cat", "dog"))
        for number in range(count)
    }


def _check(root, **options):
    parts = open_for_check(root, DataPart(), validation=options.pop("validation", None))
    return check(parts, image_size=48, **options)


def _codes(checkup):
    return {finding.code: (finding.severity, finding.count) for finding in checkup.findings}


def _names(checkup, code):
    (finding,) = [finding for finding in checkup.findings if finding.code == code]
    return [tuple(checkup.name(spot) for spot in e.spots) for e in finding.examples]


def _texts(checkup, code):
    (finding,) = [finding for finding in checkup.findings if finding.code == code]
    return [example.text for example in finding.examples]


def test_a_healthy_data_set_has_no_findings(tmp_path):
    checkup = _check(write_files(tmp_path, _healthy()))
    assert checkup.findings == ()
    text = render(checkup)
    assert "24 pictures of 2 classes" in text
    assert "Nothing was found" in text


def _segments(data):
    """The height of a JPEG, read from its frame header by hand."""
    at = data.index(b"\xff\xc0")
    return int.from_bytes(data[at + 5 : at + 7], "big")


def test_files_that_cannot_be_used_are_errors_with_their_reasons(tmp_path):
    whole = encode(draw_scene(900, 320, 240), quality=95)
    cut = whole[: len(whole) // 2]
    root = write_files(tmp_path, {
        **_healthy(),
        "cat/cut.jpg": cut,
        "cat/empty.jpg": b"",
        "dog/page.jpg": b"<html>404</html>",
        "dog/cut.png": encode(draw_scene(901), "PNG")[:-3000],
        "dog/bomb.bmp": b"BM" + (70).to_bytes(4, "little") + bytes(8) + (40).to_bytes(4, "little")
        + (90_000).to_bytes(4, "little") + (10).to_bytes(4, "little") + bytes(100),
    })  # fmt: skip
    (root / "dog" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    checkup = _check(root)
    assert _codes(checkup) == {
        "unreadable": ("error", 1),
        "not-an-image": ("error", 2),
        "damaged": ("error", 2),
        "too-large": ("error", 1),
    }
    assert _names(checkup, "not-an-image") == [("cat/empty.jpg",), ("dog/page.jpg",)]
    texts = dict(zip(_names(checkup, "damaged"), _texts(checkup, "damaged"), strict=True))
    text = texts[("cat/cut.jpg",)]
    assert f"ends at byte {len(cut):,}, without the end mark" in text
    rows = int(text.split(" rows decode")[0].split()[-3])
    assert f"{rows} of {_segments(whole)} rows" in text
    # Half of the bytes are about half of the rows; blocks of 8 rows of noise cost alike.
    assert 0.4 * 240 < rows < 0.65 * 240
    assert f"byte {len(encode(draw_scene(901), 'PNG')) - 3000:,}" in texts[("dog/cut.png",)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_was_cut_and_closed_is_told_by_its_grey_end(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    whole = encode(draw_scene(7, 160, 120), quality=95, exif=exif)
    files = _healthy() | {"cat/cut.jpg": whole[: len(whole) * 2 // 3] + b"\xff\xd9"}
    files["cat/meant.jpg"] = encode(Image.new("RGB", (90, 90), (128, 128, 128)))
    checkup = _check(write_files(tmp_path, files))
    assert _names(checkup, "cut") == [("cat/cut.jpg",)]
    assert _names(checkup, "blank") == [("cat/meant.jpg",)]
    assert ("orientation" in _codes(checkup)) == (orientation > 1)


def test_unusual_pictures_are_notes_and_odd_sizes_are_told(tmp_path):
    scene, wide = draw_scene(500), draw_scene(501, 240, 70)
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = np.arange(80 * 60, dtype=np.uint16).reshape(60, 80) * 13
    root = write_files(tmp_path, {
        **_healthy(),
        "cat/cmyk.jpg": encode(draw_scene(510).convert("CMYK")),
        "cat/grey.jpg": encode(draw_scene(511).convert("L")),
        "cat/deep.png": encode(Image.fromarray(deep), "PNG"),
        "cat/alpha.png": encode(draw_scene(512).convert("RGBA"), "PNG"),
        "cat/palette.gif": encode(draw_scene(513).quantize(64), "GIF"),
        "cat/moving.webp": encode(scene, "WEBP", save_all=True, append_images=[draw_scene(502)]),
        "cat/turned.jpg": encode(draw_scene(514), exif=turned),
        "cat/really.png": encode(draw_scene(515)),
        "dog/wide.jpg": encode(wide),
        "dog/small.jpg": encode(draw_scene(516, 60, 40)),
        "dog/tiny.jpg": encode(draw_scene(517, 16, 11)),
    })  # fmt: skip
    checkup = _check(root)
    assert _codes(checkup) == {
        "tiny": ("warning", 1), "long": ("warning", 1),
        "cmyk": ("note", 1), "deep": ("note", 1), "alpha": ("note", 1), "animated": ("note", 1),
        "palette": ("note", 1), "grey": ("note", 2), "misnamed": ("note", 1),
        "orientation": ("note", 1), "small": ("note", 1),
    }  # fmt: skip
    assert _names(checkup, "grey") == [("cat/deep.png",), ("cat/grey.jpg",)]
    assert _names(checkup, "misnamed") == [("cat/really.png",)]
    assert _texts(checkup, "long") == ["240 x 70"]
    assert _texts(checkup, "orientation") == ["orientation 6"]


@pytest.fixture
def doubled(tmp_path):
    """Each kind of double, made by hand."""
    files = {f"train/{name}": content for name, content in _healthy().items()}
    files |= {f"val/{name}": content for name, content in _healthy(first=1000).items()}
    scenes = {number: draw_scene(2000 + number) for number in range(6)}
    bits = {number: encode(scene) for number, scene in scenes.items()}
    lossless = encode(Image.open(io.BytesIO(bits[1])), "PNG")  # the same pixels in another file
    files |= {
        "train/cat/a.jpg": bits[0], "val/cat/a-again.jpg": bits[0],
        "train/cat/b.jpg": bits[1], "train/dog/b.png": lossless,
        "train/cat/c.jpg": bits[2], "train/cat/c2.jpg": bits[2], "train/cat/c3.jpg": bits[2],
        "train/dog/d.jpg": bits[3], "val/dog/d.jpg": encode(scenes[3], quality=40),
        "train/dog/e.jpg": bits[4], "train/cat/e.jpg": encode(scenes[4].resize((80, 60))),
        "val/dog/f.jpg": bits[5], "val/dog/f2.jpg": encode(scenes[5], quality=50),
    }  # fmt: skip
    return write_files(tmp_path, files)


def test_doubles_are_leaks_conflicts_or_repeats(doubled):
    checkup = _check(doubled)
    assert _codes(checkup) == {
        "leak": ("error", 1), "conflict": ("error", 1),
        "near-leak": ("warning", 1), "near-conflict": ("warning", 1), "repeat": ("warning", 2),
        "near-repeat": ("note", 1),
    }  # fmt: skip
    assert _names(checkup, "leak") == [("train/cat/a.jpg", "val/cat/a-again.jpg")]
    assert _texts(checkup, "leak") == ["the same file"]
    assert _names(checkup, "conflict") == [("train/cat/b.jpg", "train/dog/b.png")]
    assert _texts(checkup, "conflict") == ["the same pixels; cat and dog"]
    assert _names(checkup, "repeat") == [
        ("train/cat/c.jpg", "train/cat/c2.jpg"), ("train/cat/c.jpg", "train/cat/c3.jpg"),
    ]  # fmt: skip
    assert _names(checkup, "near-leak") == [("train/dog/d.jpg", "val/dog/d.jpg")]
    assert _names(checkup, "near-conflict") == [("train/cat/e.jpg", "train/dog/e.jpg")]
    assert _names(checkup, "near-repeat") == [("val/dog/f.jpg", "val/dog/f2.jpg")]


def test_a_leak_of_another_class_is_a_conflict_too(tmp_path):
    files = {f"train/{name}": content for name, content in _healthy().items()}
    files |= {f"val/{name}": content for name, content in _healthy(first=1000).items()}
    files |= {"val/dog/x.jpg": files["train/cat/3.jpg"]}
    checkup = _check(write_files(tmp_path, files))
    pair = [("train/cat/3.jpg", "val/dog/x.jpg")]
    assert _names(checkup, "leak") == _names(checkup, "conflict") == pair


def test_classes_are_counted_and_compared(tmp_path):
    files = {f"train/{name}": content for name, content in _healthy(count=30).items()}
    files |= {f"train/eel/{n}.jpg": encode(draw_scene(700 + n)) for n in range(3)}
    files |= {f"val/cat/{n}.jpg": encode(draw_scene(800 + n)) for n in range(2)}
    files |= {"val/kitten/1.jpg": encode(draw_scene(900))}
    checkup = _check(write_files(tmp_path, files))
    codes = _codes(checkup)
    assert codes["unknown-classes"] == ("error", 1)
    assert _texts(checkup, "unknown-classes") == ["kitten"]
    assert _texts(checkup, "absent-classes") == ["dog", "eel"]
    assert _texts(checkup, "few-pictures") == ["eel: 3"]
    (finding,) = [finding for finding in checkup.findings if finding.code == "imbalance"]
    assert "10 times" in finding.title


def test_one_class_alone_is_an_error(tmp_path):
    files = {name: content for name, content in _healthy().items() if name.startswith("cat")}
    assert _codes(_check(write_files(tmp_path, files)))["one-class"] == ("error", 1)


def test_threads_change_nothing(doubled):
    assert as_record(_check(doubled, threads=1)) == as_record(_check(doubled, threads=5))


def test_json_names_every_picture_and_its_file(doubled):
    record = json.loads(json.dumps(as_record(_check(doubled))))
    assert record["errors"] == 2
    assert [part["pictures"] for part in record["parts"]] == [33, 28]
    leak = next(finding for finding in record["findings"] if finding["code"] == "leak")
    (example,) = leak["examples"]
    assert example["files"] == [
        str(doubled / "train/cat/a.jpg"), str(doubled / "val/cat/a-again.jpg"),
    ]  # fmt: skip


def test_the_sheet_shows_pairs_and_the_page_needs_nothing_else(doubled):
    checkup = _check(doubled)
    folder = doubled.parent
    assert write_check_sheet(checkup, folder / "sheet.png") == 6
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > 6 * 180
    write_check_sheet(checkup, folder / "sheet.html")
    page = (folder / "sheet.html").read_text(encoding="utf-8")
    assert page.count("<section>") == 6
    assert page.count("<img") == 14
    assert "http" not in page
    assert "train/cat/a.jpg" in page


def test_hostile_files_end_as_findings(shared_data, tmp_path):
    lines = (shared_data / "bad-images" / "CASES.tsv").read_text(encoding="utf-8").splitlines()[1:]
    cases = {line.split("\t")[0]: line.split("\t")[2] for line in lines}
    for number, name in enumerate(cases):
        place = tmp_path / "data" / f"class {number % 2}" / f"{name}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(shared_data / "bad-images" / name)
    checkup = _check(tmp_path / "data")
    (survey,) = checkup.surveys
    readable = dict(zip(survey.source.names, survey.readable.tolist(), strict=True))
    for number, (name, expected) in enumerate(cases.items()):
        seen = readable[f"class {number % 2}/{name}.jpg"]
        assert seen or expected != "decode", name
        assert not seen or expected not in {"error", "too-large"}, name
    assert write_check_sheet(checkup, tmp_path / "sheet.jpg")
