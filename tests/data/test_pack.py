"""Packing: read back by the standard library and by our own reader; killed and gone on with."""

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest
from PIL import Image

from data.scenes import draw_scene, encode, write_files
from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes
from residua.data.packing.gain import measure_gain, render_pack
from residua.data.packing.pack import make_keys, pack
from residua.data.packing.record import PackSettings
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.open import open_source
from residua.data.sources.parts import open_parts


def _scenes(count, *, first=0, width=160, height=120):
    return {
        f"{name}/{number}.jpg": encode(draw_scene(first + 50 * kind + number, width, height))
        for kind, name in enumerate(("cat", "dog"))
        for number in range(count)
    }


def _pack(root, output, **settings):
    settings = {"short_side": 60, "shard_size": 40_000, **settings}
    return pack({"train": open_source(root)}, output, PackSettings(**settings))


def _hashes(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
    }


def _read(folder, pattern="*.tar"):
    """The files of all shards by name, by the standard library."""
    files = {}
    for path in sorted(folder.glob(pattern)):
        with tarfile.open(path) as archive:
            for member in archive:
                assert member.name not in files
                assert (member.mtime, member.uid, member.mode) == (0, 0, 0o644)
                files[member.name] = archive.extractfile(member).read()
    return files


def test_pictures_and_labels_come_back(tmp_path):
    scenes = _scenes(10)
    record = _pack(write_files(tmp_path / "data", scenes), tmp_path / "out")
    files = _read(tmp_path / "out")
    assert len(files) == 2 * len(scenes)
    assert json.loads((tmp_path / "out/classes.json").read_text()) == ["cat", "dog"]
    for name in scenes:
        key = name.removesuffix(".jpg")
        assert files[f"{key}.cls"] == (b"0" if name.startswith("cat") else b"1")
        with Image.open(io.BytesIO(files[f"{key}.jpg"])) as image:
            assert image.size == (80, 60)
            with Image.open(io.BytesIO(scenes[name])) as before:
                small = before.resize((80, 60), Image.Resampling.BICUBIC)
            difference = np.asarray(image, float) - np.asarray(small, float)
            assert np.abs(difference).mean() < 6  # what JPEG at quality 90 changes
    shards = record.parts["train"].shards
    assert len(shards) > 1
    for shard in shards:
        path = tmp_path / "out" / shard.name
        assert path.stat().st_size == shard.bytes <= 40_000
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard.sha256
    assert sum(shard.pictures for shard in shards) == 20
    assert sum(shard.bytes_before for shard in shards) == sum(map(len, scenes.values()))


def test_our_own_reader_sees_the_same_data_set(tmp_path):
    files = {f"train/{name}": data for name, data in _scenes(8).items()}
    files |= {f"val/{name}": data for name, data in _scenes(3, first=500).items()}
    parts = open_parts(write_files(tmp_path / "data", files))
    pack(
        {"train": parts.training, "val": parts.validation}, tmp_path / "out",
        PackSettings(short_side=60, shard_size=40_000),
    )  # fmt: skip
    packed = open_parts(tmp_path / "out")
    for before, after in ((parts.training, packed.training), (parts.validation, packed.validation)):
        assert after.classes == before.classes
        labels = {name: before.spell_label(i) for i, name in enumerate(before.names)}
        found = {name.split("/", 1)[1]: after.spell_label(i) for i, name in enumerate(after.names)}
        assert found == labels
    first = [name.split("/")[1] for name in packed.training.names[:8]]
    assert {"cat", "dog"} == set(first)  # in random order, not by class


def test_small_pictures_are_copied_and_others_brought_into_form(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "a/small.jpg": encode(draw_scene(1, 60, 45), quality=55),
        "a/small.png": encode(draw_scene(2, 50, 50), "PNG"),
        "a/small.webp": encode(draw_scene(3, 50, 50), "WEBP"),
        "b/turned.jpg": encode(draw_scene(4, 50, 30), exif=turned),
        "b/palette.gif": encode(draw_scene(5, 40, 40).quantize(32), "GIF"),
        "b/cmyk.jpg": encode(draw_scene(6, 40, 40).convert("CMYK")),
        "b/grey.jpg": encode(draw_scene(7, 200, 150).convert("L")),
        "b/alpha.png": encode(draw_scene(8, 90, 70).convert("RGBA"), "PNG"),
    }
    root = write_files(tmp_path / "data", files)
    record = _pack(root, tmp_path / "out")
    packed = _read(tmp_path / "out")
    assert packed["a/small.jpg"] == files["a/small.jpg"]
    assert packed["a/small_2.png"] == files["a/small.png"]
    assert packed["a/small_3.webp"] == files["a/small.webp"]
    assert sum(shard.copied for shard in record.parts["train"].shards) == 3

    def see(name):
        with Image.open(io.BytesIO(packed[name])) as image:
            assert image.format == "JPEG"
            assert not image.getexif()
            return image.mode, image.size

    assert see("b/turned.jpg") == ("RGB", (30, 50))  # turned, never enlarged
    assert see("b/palette.jpg") == ("RGB", (40, 40))
    assert see("b/cmyk.jpg") == ("RGB", (40, 40))
    assert see("b/grey.jpg") == ("L", (80, 60))
    assert see("b/alpha.jpg") == ("RGB", (77, 60))

    again = _pack(root, tmp_path / "anew", reencode=True)
    assert sum(shard.copied for shard in again.parts["train"].shards) == 0
    assert _read(tmp_path / "anew")["a/small.jpg"] != files["a/small.jpg"]


def test_bad_pictures_are_listed_and_left_out(tmp_path):
    scenes = _scenes(6)
    scenes["cat/broken.jpg"] = scenes["cat/1.jpg"][:900]
    scenes["dog/text.jpg"] = b"nothing to see"
    record = _pack(write_files(tmp_path / "data", scenes), tmp_path / "out")
    listed = json.loads((tmp_path / "out/pack.json").read_text())["parts"]["train"]["failures"]
    reasons = {failure["name"]: failure["reason"] for failure in listed}
    assert reasons == {"cat/broken.jpg": "damaged", "dog/text.jpg": "not-an-image"}
    assert "cat/broken.jpg" not in _read(tmp_path / "out")
    assert "cannot be used: 2" in render_pack(record, None)
    assert _hashes(tmp_path / "out") == _hashes_after_again(tmp_path)
    for name in scenes:
        (tmp_path / "data" / name).write_bytes(b"")
    with pytest.raises(DataError, match="None of the 14 pictures"):
        _pack(tmp_path / "data", tmp_path / "none")


def _hashes_after_again(folder):
    _pack(folder / "data", folder / "out")
    return _hashes(folder / "out")


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_no_byte(tmp_path, threads):
    source = open_source(write_files(tmp_path / "data", _scenes(12)))
    settings = PackSettings(short_side=60, shard_size=40_000)
    pack({"train": source}, tmp_path / "one", settings, threads=1)
    pack({"train": source}, tmp_path / "many", settings, threads=threads)
    assert _hashes(tmp_path / "one") == _hashes(tmp_path / "many")


_PROGRAM = """
import sys
from pathlib import Path
from residua.data.sources.open import open_source
from residua.data.packing.pack import pack
from residua.data.packing.record import PackSettings
pack({"train": open_source(sys.argv[1])}, Path(sys.argv[2]),
     PackSettings(short_side=60, shard_size=40_000), threads=2)
"""


def test_killed_at_any_time_the_same_command_goes_on(tmp_path):
    scenes = _scenes(45, width=640, height=480)
    scenes["cat/bad.jpg"] = b"x"
    root = write_files(tmp_path / "data", scenes)
    _pack(root, tmp_path / "whole")
    whole, out = _hashes(tmp_path / "whole"), tmp_path / "out"
    kills = 0
    for wanted in (1, 3, 5, 99):
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, root, out])
        while process.poll() is None and len(list(out.glob("train-*.tar"))) < wanted:
            time.sleep(0.001)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        # What has its name is whole, whenever the process died.
        for name, digest in _hashes(out).items():
            assert name == "pack.json" or whole[name] == digest
    assert kills >= 2
    assert _hashes(out) == whole
    assert not list(out.glob(".*.partial"))


def test_going_on_keeps_finished_shards_and_remakes_damaged_ones(tmp_path):
    root, out = write_files(tmp_path / "data", _scenes(12)), tmp_path / "out"
    record = _pack(root, out)
    hashes, shards = _hashes(out), record.parts["train"].shards
    times = {shard.name: (out / shard.name).stat().st_mtime_ns for shard in shards}
    (out / shards[1].name).write_bytes(b"damaged")
    said = []
    settings = PackSettings(short_side=60, shard_size=40_000)
    pack({"train": open_source(root)}, out, settings, say=said.append)
    assert said[0].startswith(f"{shards[1].name} has changed")
    assert _hashes(out) == hashes
    assert (out / shards[0].name).stat().st_mtime_ns == times[shards[0].name]
    assert (out / shards[1].name).stat().st_mtime_ns != times[shards[1].name]


def test_other_settings_or_data_are_refused(tmp_path):
    root, out = write_files(tmp_path / "data", _scenes(4)), tmp_path / "out"
    _pack(root, out)
    before = _hashes(out)
    with pytest.raises(SettingError, match="quality was 90, now 80"):
        _pack(root, out, quality=80)
    (root / "cat" / "0.jpg").unlink()
    with pytest.raises(
        SettingError, match=r"names or labels of train differ \(8 pictures, now 7\)"
    ):
        _pack(root, out)
    assert _hashes(out) == before
    with pytest.raises(SettingError, match="holds other things"):
        _pack(root, root)


def test_multi_label_pictures_keep_all_their_labels(tmp_path):
    contents = [encode(draw_scene(number, 90, 70)) for number in range(3)]
    labels = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], bool)
    names = tuple(f"{number}.jpg" for number in range(3))
    source = Source(
        "made", Classes(names=("red", "green", "blue")), names, labels, contents.__getitem__
    )
    pack({"train": source}, tmp_path, PackSettings(short_side=60))
    packed = open_source(tmp_path, DataPart(multi_label=True))
    found = {name.split("/")[1]: row.tolist() for name, row in zip(packed.names, packed.labels,
                                                                     strict=True)}  # fmt: skip
    assert found == dict(zip(names, labels.tolist(), strict=True))


def test_keys_have_no_dots_and_no_doubles():
    names = ("a/1.jpg", "a/1.png", "a/v1.2.final.JPG", "/b/../x.jpg", "row 7", "a/1_2.jpg", ".jpg")
    source = Source(
        "x", Classes(names=("a",)), names, np.zeros(len(names), np.int64), lambda _: b""
    )
    assert make_keys(source) == [
        "a/1", "a/1_2", "a/v1_2_final", "b/x", "row 7", "a/1_2_2", "_",
    ]  # fmt: skip


def test_the_gain_is_measured_on_the_same_pictures(tmp_path):
    root = write_files(tmp_path / "data", _scenes(4, width=900, height=700))
    record = _pack(root, tmp_path / "out")
    gain = measure_gain(open_source(root), tmp_path / "out", record, "train")
    assert gain.pictures == record.parts["train"].shards[0].pictures
    assert 0 < gain.after < gain.before  # 100 times the pixels
    assert "before (measured on" in render_pack(record, gain)
