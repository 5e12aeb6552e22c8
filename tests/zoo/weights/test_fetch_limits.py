"""What the fetcher refuses, where it looks first, and that many processes share one download."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import save

from file_server import Served
from residua.base.errors import ChecksumError, DownloadError, SettingError
from residua.zoo.weights import cache
from residua.zoo.weights.fetch import fetch
from weight_files import BODY, NAME, SHA, left_behind, make_entry

FETCH = """
import sys
from residua.zoo.weights.catalogue import Entry
from residua.zoo.weights.fetch import fetch
print(fetch(Entry.model_validate_json(sys.argv[1])))
"""


def start(entry):
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, entry.model_dump_json()],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "no_proxy": "127.0.0.1"},
    )  # fmt: skip


def test_many_processes_share_one_download(server):
    server.files["/a"].delay = 1.0
    entry = make_entry(f"{server.url}/a")
    processes = [start(entry) for _ in range(4)]
    paths = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert paths == {str(cache.weights_folder() / NAME)}
    assert server.paths() == ["/a"]


def test_a_killed_process_leaves_a_part_that_the_next_one_continues(server):
    server.files["/a"] = Served(BODY, stall=1_200_000)
    entry = make_entry(f"{server.url}/a")
    part = cache.weights_folder() / f"{NAME}.part"
    process = start(entry)
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    arrived = part.stat().st_size
    assert 0 < arrived < len(BODY)
    server.files["/a"].stall = None
    assert fetch(entry).read_bytes() == BODY
    assert server.requests[-1][1]["range"] == f"bytes={arrived}-"


def test_the_search_path_comes_first_and_is_only_read(server, monkeypatch, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / NAME).write_bytes(BODY)
    monkeypatch.setenv("RESIDUA_WEIGHTS_PATH", f"{first}{os.pathsep}{second}")
    assert fetch(make_entry(f"{server.url}/a")) == second / NAME
    assert [path.name for path in second.iterdir()] == [NAME]
    assert server.requests == []
    with pytest.raises(ChecksumError):
        fetch(make_entry(f"{server.url}/a", sha256="0" * 64))


def test_a_file_brought_by_hand_is_taken_and_recorded(server):
    cache.weights_folder().mkdir(parents=True)
    (cache.weights_folder() / NAME).write_bytes(BODY)
    entry = make_entry("https://example.invalid/a")
    fetch(entry)
    assert cache.recorded(entry) == {cache.BY_HAND: SHA}


def test_a_redirect_to_http_is_refused(server):
    server.files["/b"] = Served(b"", redirect=f"{server.url}/a")
    with pytest.raises(DownloadError, match=r"redirected to http://127.* not https"):
        fetch(make_entry(f"{server.url}/b"))
    assert server.paths() == ["/b"]


def test_plain_http_is_for_this_machine_and_for_mirrors_that_were_asked_for(monkeypatch):
    monkeypatch.setenv("RESIDUA_OFFLINE", "0")
    with pytest.raises(SettingError, match="not https"):
        fetch(make_entry("http://example.invalid/a"))
    monkeypatch.setenv("RESIDUA_MIRROR", "ftp://example.invalid")
    with pytest.raises(SettingError, match="RESIDUA_MIRROR holds 'ftp:"):
        fetch(make_entry("https://example.invalid/a"))


@pytest.mark.parametrize("framing", ["close", "chunked"])
def test_a_file_of_unknown_size_comes_whole(server, framing):
    server.files["/a"].framing = framing
    assert fetch(make_entry(f"{server.url}/a")).read_bytes() == BODY


def test_a_cut_between_chunks_is_noticed(server):
    server.files["/a"] = Served(BODY, framing="chunked", cuts=[2_000_000], ranges=False)
    assert fetch(make_entry(f"{server.url}/a")).read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_cut_of_an_unknown_size_is_noticed_by_the_form(server):
    server.files["/a"] = Served(BODY, framing="close", cuts=[2_000_000])
    with pytest.raises(DownloadError, match=r"2000000 bytes that are no whole \.pdparams file"):
        fetch(make_entry(f"{server.url}/a"))
    assert left_behind() == []


def test_an_error_page_is_not_recorded_as_weights(server):
    server.files["/a"] = Served(b"<html>Please log in to the network of this hotel.</html>")
    with pytest.raises(DownloadError, match=r"no whole \.pdparams"):
        fetch(make_entry(f"{server.url}/a"))
    assert left_behind() == []


def test_the_form_of_safetensors_is_known(server):
    whole = save({"a": np.zeros((3, 5), np.float32), "b": np.ones(7, np.float32)})
    entry = make_entry(f"{server.url}/s", file="r.safetensors")
    for wrong in (whole[:-1], whole[:20], b"", whole + b"x", b"<html></html>"):
        server.files["/s"] = Served(wrong)
        with pytest.raises(DownloadError, match=r"no whole \.safetensors"):
            fetch(entry)
    server.files["/s"] = Served(whole)
    assert fetch(entry).read_bytes() == whole


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("RESIDUA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.cache_folder() == tmp_path / "x" / "residua"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "residua"


def test_threads_share_one_download_too(server):
    server.files["/a"].delay = 0.3
    entry = make_entry(f"{server.url}/a")
    threads = [threading.Thread(target=fetch, args=(entry,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.paths() == ["/a"]
    assert cache.find_file(entry).read_bytes() == BODY
