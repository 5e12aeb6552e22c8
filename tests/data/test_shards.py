"""Tar shards, written by the standard library in each of its formats, read by our own index."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.sources.open import open_source
from residua.data.sources.tar import list_members, read_at

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def _shard(path, files, *, kind=tarfile.GNU_FORMAT):
    """An archive of ``files`` (name, content); a content of None is a folder."""
    with tarfile.open(path, "w", format=kind) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def _pairs(*labels, first=0):
    for number, label in enumerate(labels, start=first):
        yield f"{number:04}.jpg", f"picture {number}".encode()
        yield f"{number:04}.cls", str(label).encode()


@pytest.mark.parametrize("kind", FORMATS)
def test_members_are_those_that_tarfile_finds(tmp_path, kind):
    names = ["short.jpg", "d" * 90 + "/" + "n" * 60 + ".jpg", "empty.jpg", "after.jpg"]
    if kind != "ustar":
        names += ["ä/" + "long" * 60 + "/ö.jpg", "last.jpg"]
    files = [(name, bytes([number]) * (511 + number)) for number, name in enumerate(names)]
    files[2] = (names[2], b"")
    path = _shard(tmp_path / "x.tar", [("folder", None), *files], kind=FORMATS[kind])
    with tarfile.open(path) as archive:
        expected = [(m.name, m.offset_data, m.size) for m in archive if m.isfile()]
    assert [tuple(member) for member in list_members(path)] == expected
    assert [read_at(path, at, size) for _, at, size in expected] == [data for _, data in files]


def test_links_and_sizes_in_base_256_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "t" * 150  # needs a GNU long link
        archive.addfile(link)
        info = tarfile.TarInfo("a.jpg")
        info.size, info.uid = 3, 2**30  # a number too large for octal digits
        archive.addfile(info, io.BytesIO(b"abc"))
    (member,) = list_members(tmp_path / "x.tar")
    assert (member.name, read_at(tmp_path / "x.tar", *member[1:])) == ("a.jpg", b"abc")


def test_a_size_in_base_256_is_read(tmp_path):
    path = _shard(tmp_path / "x.tar", [("a.jpg", b"abc"), ("b.jpg", b"de")])
    data = bytearray(path.read_bytes())
    data[124:136] = b"\x80" + (3).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    path.write_bytes(data)
    assert [member.size for member in list_members(path)] == [3, 2]


def test_damage_is_found(tmp_path):
    path = _shard(tmp_path / "x.tar", _pairs(0, 1))
    data = path.read_bytes()
    path.write_bytes(data[:1024] + b"x" + data[1025:])
    with pytest.raises(DataError, match="header at byte 1024 is damaged"):
        list(list_members(path))
    path.write_bytes(data[:515])
    with pytest.raises(DataError, match="is cut off: a file at byte 0 ends 6 bytes beyond"):
        list(list_members(path))
    with pytest.raises(OSError, match="has become shorter"):
        read_at(path, 512, 9)
    path.write_bytes(b"\x1f\x8b" + bytes(600))
    with pytest.raises(DataError, match="no tar archive"):
        open_source(path)


@pytest.fixture
def shards(tmp_path):
    _shard(tmp_path / "train-000.tar", _pairs(2, 0))
    _shard(tmp_path / "train-001.tar", _pairs(0, first=2))
    return tmp_path


@pytest.mark.parametrize("place", ["", "train-*.tar", "train-{000..001}.tar"])
def test_shards_are_found_in_every_spelling(shards, place):
    source = open_source(f"{shards}/{place}")
    assert source.names == (
        "train-000.tar/0000.jpg", "train-000.tar/0001.jpg", "train-001.tar/0002.jpg",
    )  # fmt: skip
    assert source.labels.tolist() == [2, 0, 0]
    assert source.classes.names == ("0", "1", "2")
    assert [source.read(index) for index in (2, 0, 1)] == [b"picture 2", b"picture 0", b"picture 1"]
    assert source.file(0) is None


def test_threads_read_at_once(tmp_path):
    path = _shard(tmp_path / "x.tar", _pairs(*[0] * 200))
    source = open_source(path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, range(199, -1, -1)))
    assert found == [f"picture {number}".encode() for number in range(199, -1, -1)]


def test_a_missing_shard_of_a_range_is_named(shards):
    with pytest.raises(DataError, match=r"train-002\.tar"):
        open_source(str(shards / "train-{000..002}.tar"))
    with pytest.raises(DataError, match="No file matches"):
        open_source(str(shards / "val-*.tar"))
    with pytest.raises(DataError, match="ends before it begins"):
        open_source(str(shards / "train-{3..1}.tar"))


def test_classes_beside_the_shards_name_the_numbers(shards):
    (shards / "classes.json").write_text('["cat", "dog", "eel"]')
    source = open_source(shards)
    assert source.classes.names == ("cat", "dog", "eel")
    assert open_source(shards, classes=Classes(names=("eel", "cat"))).labels.tolist() == [0, 1, 1]
    (shards / "classes.json").unlink()
    (shards / "classes.txt").write_text("cat\ndog\neel\n")
    assert open_source(shards).classes == source.classes


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("cls", "1"),
        ("label", "1"),
        ("txt", " 1\n"),
        ("json", '{"label": 1}'),
        ("json", '{"id": 3, "class": "1"}'),
    ],
)
def test_labels_of_every_kind(tmp_path, suffix, content):
    path = _shard(tmp_path / "x.tar", [("s.1/a.jpg", b"a"), (f"s.1/a.{suffix}", content.encode())])
    assert open_source(path).labels.tolist() == [1]


def test_names_as_labels_and_labels_before_pictures(tmp_path):
    files = [("a.txt", b"dog"), ("a.PNG", b"1"), ("b.txt", b"cat"), ("b.png", b"2")]
    source = open_source(_shard(tmp_path / "x.tar", files))
    assert (source.classes.names, source.labels.tolist()) == (("cat", "dog"), [1, 0])


def test_multi_label_json(tmp_path):
    files = [
        file
        for number, labels in enumerate([["a", "b"], ["b"], []])
        for file in [
            (f"{number}.jpg", b"x"),
            (f"{number}.json", json.dumps({"labels": labels}).encode()),
        ]
    ]
    source = open_source(_shard(tmp_path / "x.tar", files), DataPart(multi_label=True))
    assert source.labels.tolist() == [[True, True], [False, True], [False, False]]


def test_suffixes_can_be_chosen(tmp_path):
    files = [("a.jpg", b"1"), ("a.png", b"2"), ("a.cls", b"1"), ("a.json", b'{"label": 7, "k": 0}')]
    path = _shard(tmp_path / "x.tar", files)
    with pytest.raises(DataError, match="2 pictures: jpg, png"):
        open_source(path)
    source = open_source(path, DataPart(image_column="png", label_column="k"))
    assert (source.read(0), source.labels.tolist()) == (b"2", [0])
    with pytest.raises(DataError, match="has no label"):
        open_source(path, DataPart(image_column="png", label_column="kind"))


def test_files_that_are_no_picture_are_told_and_one_without_label_is_refused(tmp_path):
    path = _shard(tmp_path / "x.tar", [*_pairs(0), ("readme.md", b"")])
    assert "1 files in" in open_source(path).notes[0]
    bare = _shard(tmp_path / "y.tar", [*_pairs(0), ("0001.jpg", b"x")])
    with pytest.raises(DataError, match="0001 has no label") as caught:
        open_source(bare)
    assert "0001.cls" in caught.value.next_step
    mask = _shard(tmp_path / "z.tar", [("a.mask.png", b"")])  # the key ends at the first dot
    with pytest.raises(DataError, match="holds no pictures"):
        open_source(mask)
