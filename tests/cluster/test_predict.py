"""Jobs on real clusters against predict on one machine, row by row, with losses on the way."""

import io
import json
import os
import signal
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from making import make_bundle, save_noise
from residua.base.errors import SettingError
from residua.base.files import try_lock
from residua.cluster.connect import connected
from residua.cluster.predict.job import Wanted, opened
from residua.cluster.predict.results import read_results
from residua.cluster.storage import locate
from residua.predict.classifier import load

from .conftest import processes_named, wait_until

pytest.importorskip("ray", reason="the extra cluster is not installed: make cluster")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray warns of its own code
]

HOW = Wanted(engine="torch", engines=(1, 1))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for number in range(24):
        save_noise(folder / f"{number:02}.png", seed=number)
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:200])
    return folder


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "net.bundle", widths=(8, 8, 8, 8), seed=1)


def predict(inputs, bundle, output, wanted, cluster):
    from residua.cluster.predict import flow

    with opened(inputs, bundle, output, wanted) as job:
        if not job.finished:
            flow.run(job, cluster)
        return job.conclude()


def expected(bundle, inputs):
    return list(load(bundle.path, engine="torch", threads=1).predict(inputs))


def assert_same(found, wanted):
    assert [each.filename for each in found] == [each.filename for each in wanted]
    assert [each.class_ids for each in found] == [each.class_ids for each in wanted]
    assert [each.label_names for each in found] == [each.label_names for each in wanted]
    assert [(each.error, each.reason) for each in found] == [
        (each.error, each.reason) for each in wanted
    ]
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-6)


def write_list(path, pictures, times):
    names = sorted(str(file) for file in pictures.iterdir())
    path.write_text("".join(f"{name}\n" for name in names * times))
    return path


def test_rows_are_those_of_one_machine(nodes, pictures, bundle, tmp_path):
    """Files, shards and Parquet; results as Parquet and JSON lines; bad pictures are rows."""
    wanted = expected(bundle, str(pictures))
    assert {each.reason for each in wanted} == {None, "not-an-image", "damaged"}
    with connected(nodes.add(count=2).address) as cluster:
        assert (cluster.cores, cluster.nodes) == (2, 3)
        output = locate(tmp_path / "results")
        summary = predict([str(pictures)], bundle, output, HOW, cluster)
        assert (summary.rows, summary.bad) == (26, 2)
        assert summary.reasons == {"damaged": 1, "not-an-image": 1}
        assert_same(read_results(output), wanted)
        assert predict([str(pictures)], bundle, output, HOW, cluster) == summary  # done already

        unlock = try_lock(Path(output.path) / "_residua" / ".lock")
        with pytest.raises(SettingError, match="Another command is predicting"):
            predict([str(pictures)], bundle, output, HOW, cluster)
        unlock()
        with pytest.raises(SettingError, match="another job: top_k differ"):
            predict([str(pictures)], bundle, output, Wanted(engine="torch", top_k=1), cluster)

        shards = _write_shards(tmp_path / "shards", pictures)
        lines = locate(tmp_path / "lines")
        predict([shards], bundle, lines, Wanted(engine="torch", form="json"), cluster)
        names = {f"all.tar/{Path(each.filename).name}": each for each in wanted}
        found = read_results(lines, "json")
        assert [each.filename for each in found] == list(names)
        assert [each.class_ids for each in found] == [each.class_ids for each in names.values()]

        table = _write_parquet(tmp_path / "table.parquet", pictures)
        rows = locate(tmp_path / "rows")
        predict([table], bundle, rows, Wanted(engine="torch", name="key"), cluster)
        found = read_results(rows)
        assert [each.filename for each in found] == [f"k{number}" for number in range(26)]
        assert [each.class_ids for each in found] == [each.class_ids for each in wanted]


def _write_shards(folder, pictures):
    folder.mkdir()
    with tarfile.open(folder / "all.tar", "w") as archive:
        for file in sorted(pictures.iterdir()):
            archive.add(file, file.name)
            info = tarfile.TarInfo(f"{file.stem}.cls")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"0"))
    return str(folder / "all.tar")


def _write_parquet(path, pictures):
    content = [file.read_bytes() for file in sorted(pictures.iterdir())]
    keys = [f"k{number}" for number in range(len(content))]
    parquet.write_table(pa.table({"key": keys, "image": content}), path, row_group_size=7)
    return str(path)


def test_pictures_and_results_in_a_storage(bucket, nodes, start, pictures, bundle):
    """Of a folder there; the command is killed, and its like goes on from what is there."""
    place = (locate(bucket) / "pictures").make()
    for number in range(40):
        for file in pictures.iterdir():
            with place.system.open_output_stream(f"{place.path}/{number:02} {file.name}") as copy:
                copy.write(file.read_bytes())
    output = locate(f"{bucket}/results")
    words = ["predict", f"{bucket}/pictures", "--model", bundle.path, "--save", output.url,
             "--cluster", nodes.add(count=2).address, "--engine", "torch", "--json"]  # fmt: skip
    first = start(*words)
    wait_until(lambda: _files(output), what="first results")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = start(*words)
    assert second.wait(timeout=120) == 3, second.log.read_text()  # some pictures are bad
    assert json.loads(second.log.read_text().splitlines()[-1])["images"] == 26 * 40
    wanted = expected(bundle, str(pictures)) * 40
    found = read_results(output)
    assert [each.filename for each in found] == [
        f"{bucket}/pictures/{number:02} {name}"
        for number in range(40) for name in sorted(file.name for file in pictures.iterdir())
    ]  # fmt: skip
    assert [each.class_ids for each in found] == [each.class_ids for each in wanted]
    assert [each.reason for each in found] == [each.reason for each in wanted]


def test_a_machine_is_lost(nodes, pictures, bundle, tmp_path):
    listing = write_list(tmp_path / "many.txt", pictures, 80)
    output = locate(tmp_path / "results")
    nodes.add(count=3)
    with connected(nodes.address) as cluster:
        lost = []

        def lose_one():
            nodes.lose()
            lost.append(True)

        with AtFirstResult(output, lose_one):
            summary = predict(
                [str(listing)], bundle, output, Wanted(engine="torch", engines=(2, 2)), cluster
            )
    assert lost
    assert (summary.rows, summary.twice) == (26 * 80, 0)
    assert_same(read_results(output), expected(bundle, str(listing)))


def test_an_engine_is_killed(nodes, pictures, bundle, tmp_path):
    listing = write_list(tmp_path / "many.txt", pictures, 80)
    output = locate(tmp_path / "results")
    with connected(nodes.add(count=2).address) as cluster:
        killed = []

        def kill():
            for process in processes_named("ray::MapWorker(MapBatches(Compute))"):
                os.kill(process, signal.SIGKILL)
                killed.append(process)

        with AtFirstResult(output, kill):
            summary = predict([str(listing)], bundle, output, HOW, cluster)
    assert killed
    assert (summary.rows, summary.twice) == (26 * 80, 0)
    assert_same(read_results(output), expected(bundle, str(listing)))


def test_the_command_is_stopped_and_goes_on(nodes, start, pictures, bundle, tmp_path):
    listing = write_list(tmp_path / "many.txt", pictures, 120)
    words = ["predict", listing, "--model", bundle.path, "--cluster", nodes.add(count=2).address,
             "--save", tmp_path / "results", "--engine", "torch", "--json"]  # fmt: skip
    output = locate(tmp_path / "results")
    first = start(*words)
    wait_until(lambda: _files(output), what="first results")
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 143
    assert first.log.read_text().splitlines()[-2:] == [
        "Error: Stopped.", "The same command goes on with what is left."
    ]  # fmt: skip
    left = {file.path for file in _files(output)}
    assert left
    second = start(*words)
    assert second.wait(timeout=120) == 3, second.log.read_text()  # some pictures are bad
    said = json.loads(second.log.read_text().splitlines()[-1])
    assert (said["images"], said["unusable"]) == (26 * 120, 240)
    done = {file.path for file in _files(output)}
    assert done & left, "what had been written was computed again"
    assert_same(read_results(output), expected(bundle, str(listing)))


def _files(output):
    return [file for file in output.files() if "/_residua/" not in file.path]


class AtFirstResult:
    """Do something once in a thread, as soon as there are results."""

    def __init__(self, output, do):
        import threading

        def watch():
            wait_until(lambda: _files(output), what="first results")
            do()

        self._thread = threading.Thread(target=watch, daemon=True)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._thread.join(120)
