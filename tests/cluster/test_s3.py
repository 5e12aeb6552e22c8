"""Pictures, lists, shards and results in a storage of S3: read and written as files here are."""

import io
import tarfile
import threading

import pytest
from pyarrow import parquet, table

from making import save_noise
from residua.base.errors import DataError, SettingError
from residua.cluster import claim
from residua.cluster.pictures.entries import list_entries
from residua.cluster.pictures.listing import make_spans
from residua.cluster.pictures.span_rows import read_span
from residua.cluster.predict import reading
from residua.cluster.predict.reading import AHEAD, read_ahead
from residua.cluster.storage import locate, read_range
from residua.cluster.urls import join, parent, split, suffix
from residua.pixels.limits import DEFAULT_LIMITS

# Each is a name of a picture that people have; %20 is no space.
NAMES = [
    "a b.png",
    "a%20b.png",
    "a#b.png",
    "a?b.png",
    "é.png",
    "a{1..2}.png",
    "[a].png",
    "z/a+b.png",
]


@pytest.fixture
def pictures(bucket, tmp_path):
    """The same pictures in a folder of the bucket and in one of this machine."""
    for number, name in enumerate(NAMES):
        path = save_noise(tmp_path / "pictures" / name, seed=number)
        put(f"{bucket}/pictures/{name}", path.read_bytes())
    return tmp_path / "pictures"


def put(url, content):
    place = locate(url)
    with place.system.open_output_stream(place.path) as file:
        file.write(content)


def as_rows(entries):
    return [
        {"filename": each.name, "url": each.url, "start": each.start, "size": each.size,
         "error": None, "data": None}
        for each in entries
    ]  # fmt: skip


def test_names_are_taken_as_they_are(pictures, bucket):
    local = list(list_entries([str(pictures)]))
    found = list(list_entries([f"{bucket}/pictures"]))
    assert [e.url.removeprefix(bucket) for e in found] == [
        e.url.removeprefix(str(pictures.parent)) for e in local
    ]
    pairs = list(read_ahead(as_rows(found), DEFAULT_LIMITS))
    assert [row["filename"] for row, _ in pairs] == [entry.name for entry in found]
    for (_, item), entry in zip(pairs, local, strict=True):
        assert item.content == locate(entry.url).read()
    for entry in found:  # each by itself, and in a list
        assert [each.url for each in list_entries([entry.url])] == [entry.url]


def test_lists_ranges_and_wildcards(pictures, bucket, tmp_path):
    lines = [
        "z/a+b.png\t3",
        "a b.png 7",
        "# a note",
        "",
        f"{bucket}/elsewhere/x.jpg 0",
        "a%20b.png",
    ]
    wanted = [
        f"{bucket}/pictures/z/a+b.png", f"{bucket}/pictures/a b.png", f"{bucket}/elsewhere/x.jpg",
        f"{bucket}/pictures/a%20b.png",
    ]  # fmt: skip
    put(f"{bucket}/pictures/list.txt", "\n".join(lines).encode())
    assert [e.url for e in list_entries([f"{bucket}/pictures/list.txt"])] == wanted
    # A list of this machine names what is there, and what is here.
    (pictures / "here.txt").write_text(f"{wanted[0]} 3\na b.png 7\n")
    assert [e.url for e in list_entries([str(pictures / "here.txt")])] == [
        wanted[0], str(pictures / "a b.png")
    ]  # fmt: skip
    assert [e.url for e in list_entries([f"{bucket}/pict*/a?b.png"])] == [
        f"{bucket}/pictures/{name}" for name in ("a b.png", "a#b.png", "a?b.png")
    ]
    with pytest.raises(DataError, match="Nothing matches"):
        list(list_entries([f"{bucket}/pictures/none*.png"]))
    with pytest.raises(DataError, match="There is no"):
        list(list_entries([f"{bucket}/nowhere"]))
    with pytest.raises(DataError, match="cannot be read"):
        list(list_entries([f"{bucket}/nowhere.txt"]))


def test_shards_and_tables(pictures, bucket):
    for number in range(2):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as writer:
            writer.add(pictures / "é.png", f"{number}.png")
        put(f"{bucket}/shards/part-{number}.tar", archive.getvalue())
    for given in ("shards", "shards/part-{0..1}.tar", "shards/*.tar"):
        found = list(list_entries([f"{bucket}/{given}"]))
        assert [each.name for each in found] == ["part-0.tar/0.png", "part-1.tar/1.png"]
        for each in found:
            content = read_range(locate(each.url), each.start, each.size)
            assert content == (pictures / "é.png").read_bytes()
    place = locate(f"{bucket}/tables/a b.parquet")
    parquet.write_table(table({"image": [b"x", b"y"]}), place.path, filesystem=place.system)
    for given in ("tables", "tables/*.parquet", "tables/a b.parquet"):
        (span,) = make_spans([f"{bucket}/{given}"], locate(f"{bucket}/own"))
        (rows,) = read_span(span)
        assert rows.column("data").to_pylist() == [b"x", b"y"]
        assert rows.column("filename").to_pylist() == ["a b.parquet:0", "a b.parquet:1"]


def test_places_hold_what_is_written(bucket):
    place = (locate(bucket) / "runs" / "my run").make()
    (place / "state.json").write(b"{}")
    (place / "deep" / ".hidden").write(b"")
    assert (place / "state.json").read() == b"{}"
    assert [file.url for file in place.files()] == [f"{bucket}/runs/my run/state.json"]
    assert place.names() == ["deep", "state.json"]
    assert [(place / name).kind() for name in ("deep", "state.json", "no")] == [
        "folder", "file", ""
    ]  # fmt: skip
    place.remove()
    assert place.kind() == ""


def test_options_of_a_url_are_kept(s3_server, bucket, monkeypatch):
    """Where the server is may be said by the URL, and is then said of all that lies there."""
    put(f"{bucket}/photos/a b.png", b"x")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    options = f"?scheme=http&endpoint_override={s3_server.removeprefix('http://')}"
    (entry,) = list_entries([f"{bucket}/photos{options}"])
    assert entry.url == f"{bucket}/photos/a b.png{options}"
    assert locate(entry.url).read() == b"x"


def test_pictures_are_asked_for_at_once_and_errors_are_theirs(monkeypatch):
    together = threading.Barrier(AHEAD)

    def slowly(url, *_):
        together.wait(timeout=30)  # until all are asked for
        if url.endswith("7.png"):
            raise OSError("gone")
        return url.encode()

    monkeypatch.setattr(reading, "_read", slowly)
    rows = [
        {"filename": f"{n}", "url": f"s3://b/{n}.png", "start": 0, "size": -1, "error": None,
         "data": None} for n in range(2 * AHEAD)
    ]  # fmt: skip
    found = [item.content for _, item in read_ahead(rows, DEFAULT_LIMITS)]
    told = {n: str(content) for n, content in enumerate(found) if not isinstance(content, bytes)}
    assert told == {n: f"{n}: gone" for n in (7, 17, 27)}
    assert found[3] == b"s3://b/3.png"


def test_web_servers_are_off_until_asked_for(tmp_path):
    (tmp_path / "list.txt").write_text("https://example.org/a.jpg\n")
    with pytest.raises(SettingError, match="web server"):
        list(list_entries([str(tmp_path / "list.txt")]))
    (entry,) = list_entries([str(tmp_path / "list.txt")], allow_urls=True)
    assert entry.url == "https://example.org/a.jpg"
    with pytest.raises(SettingError, match="standard input"):
        list(list_entries(["-"]))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket", ("s3://bucket/", "", "")),
        ("s3://bucket/a/b.tar?region=eu", ("s3://bucket/", "a/b.tar", "?region=eu")),
        ("s3://bucket/what?.jpg", ("s3://bucket/", "what?.jpg", "")),
        ("https://host/a?size=3", ("https://host/", "a?size=3", "")),
        ("zip://a.png::s3://bucket/b.zip", ("zip://a.png::s3://bucket/b.zip", "", "")),
        ("file:///a/b", ("file:///", "a/b", "")),
        ("photos/a.jpg", ("photos/a.jpg", "", "")),
    ],
)
def test_urls_come_apart(url, parts):
    assert split(url) == parts


def test_urls_are_put_together():
    assert join("s3://bucket", "a") == join("s3://bucket/", "a") == "s3://bucket/a"
    assert join("s3://bucket/a?region=eu", "b c") == "s3://bucket/a/b c?region=eu"
    assert join("/here/", "a") == "/here/a"
    assert parent("s3://bucket/a/b.txt?region=eu") == "s3://bucket/a?region=eu"
    assert parent("s3://bucket/b.txt") == "s3://bucket/"
    assert suffix("s3://bucket/a.JPG?region=eu") == suffix("what?.jpg") == ".jpg"


def test_a_claim_keeps_others_out_until_it_is_nobodys(bucket, monkeypatch):
    monkeypatch.setattr(claim, "BEAT", 0.2)
    monkeypatch.setattr(claim, "DEAD", 3.0)
    monkeypatch.setattr(claim, "_LOOK", 0.1)
    folder = locate(f"{bucket}/results/_residua")
    said = []
    with (
        claim.claimed(folder, "here"),
        pytest.raises(SettingError, match="Another command is here now"),
        claim.claimed(folder, "here", said.append),
    ):
        pass
    assert len(said) == 1
    assert folder.names() in ([], [".claims"])
    with claim.claimed(folder, "here", said.append):  # it has gone
        assert len(said) == 1
    (folder / ".claims").make()
    put(f"{folder.url}/.claims/0001-killed", b"running 7")
    with claim.claimed(folder, "here", said.append):
        assert len(said) == 2
    # Of two that begin at once one goes on.
    outcomes = []

    def begin():
        try:
            with claim.claimed(folder, "here"):
                outcomes.append("in")
                threading.Event().wait(1.0)
        except SettingError:
            outcomes.append("out")

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in", "out"]
