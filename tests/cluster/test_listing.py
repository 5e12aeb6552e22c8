"""What a job reads: the same pictures in the same order as on one machine, and nothing twice."""

import io
import tarfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from making import save_noise
from residua.base.errors import DataError, SettingError, UnknownNameError
from residua.cluster.pictures.entries import list_entries
from residua.cluster.pictures.listing import make_spans
from residua.cluster.storage import locate, read_range
from residua.data.sources.shards import index_shards
from residua.predict.inputs import list_items


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for number in range(5):
        save_noise(folder / "deep" / f"{number}.png", seed=number)
    save_noise(folder / "first.jpg")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_what_predict_takes_is_listed_as_predict_lists_it(pictures, tmp_path):
    listing = tmp_path / "some.txt"
    listing.write_text("pictures/first.jpg\npictures/deep/3.png 7\nnowhere.png\n")
    inputs = [str(pictures), str(listing), f"{pictures}/deep/*.png", str(tmp_path / "none*.png")]
    items = list(list_items(inputs))
    entries = list(list_entries(inputs))
    assert [entry.name for entry in entries] == [item.name for item in items]
    assert [str(entry.error or entry.url) for entry in entries] == [
        str(item.content) for item in items
    ]


def test_urls_hold_the_same_pictures(pictures):
    local = [entry.url for entry in list_entries([str(pictures)])]
    remote = list(list_entries([f"file://{pictures}"]))
    assert sorted(entry.url.removeprefix("file://") for entry in remote) == sorted(local)
    for entry in remote:
        assert locate(entry.url).read() == locate(entry.url.removeprefix("file://")).read()
    listing = pictures / "all.txt"
    listing.write_text("deep/1.png\n\nfile:///elsewhere.png\n")
    assert [entry.url for entry in list_entries([f"file://{listing}"])] == [
        f"file://{pictures}/deep/1.png", "file:///elsewhere.png"
    ]  # fmt: skip


def test_many_folders_are_listed_in_order(tmp_path):
    """More than are asked about at once, of several depths."""
    wanted = []
    for number in range(40):
        folder = tmp_path / f"{number:02}"
        for deep in (folder, folder / "a", folder / "b" / "c"):
            deep.mkdir(parents=True, exist_ok=True)
            for name in ("2.txt", "1.txt", ".hidden"):
                (deep / name).touch()
            wanted += [str(deep / "1.txt"), str(deep / "2.txt")]
    assert [file.path for file in locate(tmp_path).files()] == wanted


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_shards_are_read_where_their_pictures_lie(pictures, tmp_path, scheme):
    shard = tmp_path / "web-0.tar"
    with tarfile.open(shard, "w") as archive:
        for file in sorted((pictures / "deep").iterdir()):
            archive.add(file, f"part/{file.name}")
            info = tarfile.TarInfo(f"part/{file.stem}.json")
            info.size = 2
            archive.addfile(info, io.BytesIO(b"{}"))
    entries = list(list_entries([f"{scheme}{shard}"]))
    names, read = index_shards(str(shard))
    assert [entry.name for entry in entries] == list(names)
    for index, entry in enumerate(entries):
        assert read_range(locate(entry.url), entry.start, entry.size) == read(index)


def test_spans_number_every_row_once(pictures, tmp_path):
    listing = tmp_path / "many.txt"
    listing.write_text("pictures/first.jpg\n" * 300)
    folder = locate(tmp_path / "own")
    spans = make_spans([str(listing)], folder)
    assert [(span.first, span.rows) for span in spans] == [(0, 128), (128, 128), (256, 44)]
    table = parquet.read_table(folder.path)
    assert table.column("filename").to_pylist() == [str(pictures / "first.jpg")] * 300


def test_parquet_data_are_read_where_they_lie(pictures, tmp_path):
    content = [file.read_bytes() for file in sorted((pictures / "deep").iterdir())]
    for number in range(2):
        table = pa.table({"key": [f"{number}{n}" for n in range(5)], "image": content})
        parquet.write_table(table, tmp_path / f"{number}.parquet", row_group_size=3)
    spans = make_spans([f"{tmp_path}/*.parquet"], locate(tmp_path / "own"), name="key")
    assert [(span.first, span.rows, span.within) for span in spans] == [
        (0, 3, 0), (3, 2, 3), (5, 3, 0), (8, 2, 3)
    ]  # fmt: skip
    assert {(span.image, span.name) for span in spans} == {("image", "key")}
    assert not (tmp_path / "own").exists()


def test_parquet_of_hugging_face_holds_its_bytes_within(tmp_path):
    table = pa.table({"image": [{"bytes": b"x", "path": "a.png"}], "label": [1]})
    parquet.write_table(table, tmp_path / "hub.parquet")
    (span,) = make_spans([str(tmp_path / "hub.parquet")], locate(tmp_path / "own"))
    assert span.image == "image.bytes"


def test_what_cannot_be_listed_is_refused(pictures, tmp_path):
    own = locate(tmp_path / "own")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        make_spans([f"file://{empty}"], own)
    path = tmp_path / "texts.parquet"
    parquet.write_table(pa.table({"image": ["a.png"], "key": ["a"]}), path)
    with pytest.raises(DataError, match="give a list file"):
        make_spans([str(path)], own)
    with pytest.raises(UnknownNameError, match="picture"):
        make_spans([str(path)], own, image="picture")
    parquet.write_table(pa.table({"image": [b"x"]}), path)
    with pytest.raises(SettingError, match="no column 'name'"):
        make_spans([str(path)], own, name="name")
    with pytest.raises(SettingError, match="given together"):
        make_spans([str(path), str(pictures)], own)
    path.write_bytes(b"no table")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        make_spans([str(path)], own)
