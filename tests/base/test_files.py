import contextlib
import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from residua.base.files import locked, replacing_folder, sha256_of, try_lock, write_atomic


def test_sha256_is_that_of_the_standard_example(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # the one-block example of FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(path) == digest


def test_a_failed_write_leaves_the_old_file_and_no_scrap(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    target = tmp_path / "folder"
    with replacing_folder(target) as folder:
        (folder / "a").write_text("old")
    with contextlib.suppress(KeyError), replacing_folder(target) as folder:
        (folder / "a").write_text("new")
        raise KeyError
    assert (target / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "folder"
    for round_ in ("old", "new"):
        with replacing_folder(target) as folder:
            (folder / round_).write_text(round_)
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_where_the_system_cannot_swap_the_folder_is_still_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr("residua.base.files._exchange", lambda first, second: False)
    test_a_folder_is_replaced_whole(tmp_path)


def test_a_lock_for_whoever_comes_first_leaves_no_file(tmp_path):
    path = tmp_path / "folder" / "lock"
    unlock = try_lock(path)
    assert try_lock(path) is None
    unlock()
    assert list(path.parent.iterdir()) == []
    again = try_lock(path)
    path.unlink()  # by somebody else, who then has a lock of his own
    other = try_lock(path)
    again()
    assert path.exists()
    other()
    assert not path.exists()


def test_no_two_hold_it_though_the_file_comes_and_goes(tmp_path):
    inside, held = [], []

    def hold(number):
        for _ in range(300):
            unlock = try_lock(tmp_path / "lock")
            if unlock is not None:
                inside.append(number)
                held.append(len(inside))
                inside.remove(number)
                unlock()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hold, range(4)))
    assert set(held) == {1}
    assert list(tmp_path.iterdir()) == []


def _hold(path, held):
    with locked(path):
        held.set()
        time.sleep(60)


def test_a_lock_excludes_others_and_dies_with_its_holder(tmp_path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "lock", held))
    holder.start()
    assert held.wait(30)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with locked(tmp_path / "lock"):
        pass
