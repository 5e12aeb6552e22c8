"""The fetcher against a real server on this machine that cuts, lies, hangs and changes its mind."""

import json
import socket
import threading

import pytest

from file_server import Served
from residua.base.errors import ChecksumError, DownloadError, WeightsError
from residua.zoo.weights import cache, download
from residua.zoo.weights.catalogue import find_entry
from residua.zoo.weights.fetch import fetch
from weight_files import BODY, NAME, OTHER, SHA, left_behind, make_entry


def test_a_file_comes_whole_and_only_once(server):
    entry = make_entry(f"{server.url}/a")
    path = fetch(entry)
    assert path == cache.weights_folder() / NAME
    assert path.read_bytes() == BODY
    assert fetch(entry) == path
    assert server.paths() == ["/a"]
    assert left_behind() == [NAME, f"{NAME}.json"]
    assert json.loads((path.parent / f"{NAME}.json").read_text()) == {f"{server.url}/a": SHA}


def test_a_cut_download_goes_on_where_it_stopped(server):
    server.files["/a"].cuts = [1_500_000, 700_000]
    assert fetch(make_entry(f"{server.url}/a", sha256=SHA)).read_bytes() == BODY
    ranges = [headers.get("range") for _, headers in server.requests]
    assert ranges == [None, "bytes=1500000-", "bytes=2200000-"]
    assert server.requests[1][1]["if-range"] == '"one"'


def test_a_later_process_goes_on_too(server, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.files["/a"].cuts = [900_000]
    entry = make_entry(f"{server.url}/a")
    with pytest.raises(DownloadError, match="ended after 900000 of 3670002 bytes"):
        fetch(entry)
    assert left_behind() == [f"{NAME}.part", f"{NAME}.part.json"]
    assert fetch(entry).read_bytes() == BODY
    assert server.requests[1][1]["range"] == "bytes=900000-"
    assert left_behind() == [NAME, f"{NAME}.json"]


@pytest.mark.parametrize("manners", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"weak"'}])
def test_without_ranges_or_a_validator_it_starts_again(server, manners):
    server.files["/a"] = Served(BODY, cuts=[1_000_000], **manners)
    assert fetch(make_entry(f"{server.url}/a")).read_bytes() == BODY
    assert len(server.requests) == 2
    if manners != {"ranges": False}:
        assert "range" not in server.requests[1][1]


def test_a_file_that_changed_meanwhile_is_not_mixed(server, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.files["/a"].cuts = [900_000]
    entry = make_entry(f"{server.url}/a")
    with pytest.raises(DownloadError):
        fetch(entry)
    server.files["/a"] = Served(OTHER, etag='"two"')
    assert fetch(entry).read_bytes() == OTHER


@pytest.mark.parametrize("answer", [{"content_range": "bytes 5-9/10"}, {"statuses": [416]}])
def test_a_wrong_range_makes_it_start_again(server, monkeypatch, answer):
    server.files["/a"].cuts = [900_000]
    with monkeypatch.context() as once:
        once.setattr(download, "ATTEMPTS", 1)
        with pytest.raises(DownloadError):
            fetch(make_entry(f"{server.url}/a"))
    server.files["/a"] = Served(BODY, **answer)
    assert fetch(make_entry(f"{server.url}/a")).read_bytes() == BODY


@pytest.mark.parametrize("digest", [{"sha256": "0" * 64}, {"sha256_prefix": "0" * 8}])
def test_another_file_than_the_published_one_is_refused(server, digest):
    with pytest.raises(ChecksumError, match=SHA):
        fetch(make_entry(f"{server.url}/a", **digest))
    assert left_behind() == []


def test_the_first_digits_are_enough(server):
    assert fetch(make_entry(f"{server.url}/a", sha256_prefix=SHA[:8])).read_bytes() == BODY


def test_a_wrong_mirror_does_not_keep_the_right_one_from_being_asked(server, monkeypatch):
    server.files[f"/mirror/{NAME}"] = Served(OTHER)
    monkeypatch.setenv("RESIDUA_MIRROR", f"{server.url}/mirror/")
    assert fetch(make_entry(f"{server.url}/a", sha256=SHA)).read_bytes() == BODY
    assert server.paths() == [f"/mirror/{NAME}", "/a"]


def test_what_was_recorded_at_first_use_is_enforced(server):
    entry = make_entry(f"{server.url}/a")
    fetch(entry).unlink()
    server.files["/a"] = Served(OTHER, etag='"two"')
    with pytest.raises(ChecksumError, match="than at its first use"):
        fetch(entry)
    assert left_behind() == [f"{NAME}.json"]


def test_a_cached_file_that_was_altered_is_noticed(server):
    entry = make_entry(f"{server.url}/a")
    fetch(entry).write_bytes(OTHER)
    with pytest.raises(ChecksumError, match="weights pull ResNet18"):
        fetch(entry)


def test_two_addresses_may_hold_the_same_weights_in_other_bytes(server):
    server.files["/b"] = Served(OTHER)
    entry = make_entry(f"{server.url}/a", f"{server.url}/b")
    fetch(entry).unlink()
    del server.files["/a"]
    assert fetch(entry).read_bytes() == OTHER
    assert fetch(entry).read_bytes() == OTHER


@pytest.mark.parametrize("fault", ["absent", "status", "hang", "refused"])
def test_mirrors_are_tried_in_order(server, monkeypatch, fault):
    broken = {
        "status": Served(BODY, statuses=[500] * 9),
        "hang": Served(BODY, hang=threading.Event()),
    }.get(fault)
    if broken:
        server.files[f"/one/{NAME}"] = broken
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    first = "http://127.0.0.1:9" if fault == "refused" else f"{server.url}/one"
    server.files[f"/two/{NAME}"] = Served(BODY)
    monkeypatch.setenv("RESIDUA_MIRROR", f"{first}, {server.url}/two")
    assert fetch(make_entry(f"{server.url}/a")).read_bytes() == BODY
    asked = list(dict.fromkeys(server.paths()))
    assert asked == ([f"/one/{NAME}"] if fault != "refused" else []) + [f"/two/{NAME}"]


def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_not(server):
    server.files["/a"].statuses = [503, 429]
    server.files["/b"] = Served(BODY, statuses=[403] * 9)
    fetch(make_entry(f"{server.url}/b", f"{server.url}/a"))
    assert server.paths() == ["/b", "/a", "/a", "/a"]


def test_attempts_are_bounded(server):
    server.files["/a"] = Served(BODY, cuts=[2_000_000] * 99, ranges=False)
    with pytest.raises(DownloadError):
        fetch(make_entry(f"{server.url}/a"))
    assert len(server.requests) == download.ATTEMPTS + 1  # the first one brought new bytes


@pytest.mark.parametrize("name", ["RESIDUA_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_opens_no_socket_and_says_how_to_bring_the_file(monkeypatch, name):
    monkeypatch.delenv("RESIDUA_OFFLINE", raising=False)
    monkeypatch.setenv(name, "1")

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    entry = find_entry("ResNet50.tv2")
    with pytest.raises(DownloadError) as caught:
        fetch(entry)
    message = str(caught.value)
    for part in (
        "resnet50-11ad3fa6.pth",
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        "SHA-256 begins with 11ad3fa6",
        str(cache.weights_folder() / "resnet50-11ad3fa6.pth"),
        "RESIDUA_WEIGHTS_PATH",
        "residua weights import FILE --model ResNet50.tv2 --output ResNet50.tv2.bundle",
    ):
        assert part in message


def test_a_full_disk_is_noticed_before_anything_is_written(server, monkeypatch):
    usage = download.shutil.disk_usage("/")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(WeightsError, match=r"needs 3\.7 MB, and .* has 1\.0 kB free"):
        fetch(make_entry(f"{server.url}/a"))
    assert left_behind() == []


def test_a_cache_that_cannot_be_written_is_our_error(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="RESIDUA_CACHE"):
        fetch(make_entry(f"{server.url}/a"))
