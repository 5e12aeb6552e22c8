"""The parts of cluster jobs that need no cluster: what travels, is counted, is refused."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from making import make_bundle
from residua.base.errors import BundleDamagedError, MissingExtraError, SettingError
from residua.cli.cluster.options import read_range
from residua.cli.main import app
from residua.cluster.connect import Cluster, import_ray
from residua.cluster.data import share_out
from residua.cluster.predict.results import read_results, summarise
from residua.cluster.serve.bundles import fetch, place_models
from residua.cluster.ship import pack, unpack
from residua.cluster.storage import locate


def test_a_bundle_travels_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    bundle = make_bundle(tmp_path / "net.bundle")
    files = pack(bundle)
    there = unpack(files)
    assert there.path != bundle.path
    there.verify()
    assert there.manifest == bundle.manifest
    assert unpack(files).path == there.path  # once a machine
    (bundle.path / "weights.safetensors").write_bytes(b"altered")
    with pytest.raises(BundleDamagedError):
        pack(bundle)


def test_models_are_found_in_a_storage_or_at_their_path(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bundle = make_bundle(tmp_path / "net.bundle")
    (here,) = place_models([str(bundle.path)], None)
    assert here == f"net={bundle.path}"
    assert fetch(here) == here
    (there,) = place_models([f"rose:2={bundle.path}"], locate(tmp_path / "storage"))
    name, _, source = fetch(there).partition("=")
    assert name == "rose:2"
    assert source not in {there, str(bundle.path)}
    assert place_models([f"rose:2={bundle.path}"], locate(tmp_path / "storage")) == [there]


def write_part(path, rows, reasons):
    count = len(rows)
    parquet.write_table(
        pa.table(
            {
                "row": rows, "filename": [f"{row}.jpg" for row in rows],
                "class_ids": [[1]] * count, "scores": [[0.5]] * count,
                "label_names": [["one"]] * count,
                "error": pa.array(reasons, pa.string()), "reason": pa.array(reasons, pa.string()),
            }
        ),
        path,
    )  # fmt: skip


def test_rows_that_are_missing_or_there_twice_are_counted(tmp_path):
    write_part(tmp_path / "a.parquet", [3, 0, 1], [None, "damaged", None])
    write_part(tmp_path / "b.parquet", [1, 2, 2], [None, None, "too-large"])
    (tmp_path / "_residua" / "listing").mkdir(parents=True)
    write_part(tmp_path / "_residua" / "listing" / "0.parquet", [9], [None])
    summary = summarise(locate(tmp_path), 5, "parquet")
    assert (summary.rows, summary.twice) == (4, 2)
    assert summary.reasons == {"damaged": 1, "too-large": 1}
    names = [each.filename for each in read_results(locate(tmp_path))]
    assert names == ["0.jpg", "1.jpg", "1.jpg", "2.jpg", "2.jpg", "3.jpg"]


def test_lines_of_json_are_read_as_tables_are(tmp_path):
    record = {"row": 0, "filename": "ä.jpg", "class_ids": None, "scores": None,
              "label_names": None, "error": "bad", "reason": "damaged"}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(record) + "\n")
    (found,) = read_results(locate(tmp_path), "json")
    assert (found.filename, found.error, found.class_ids) == ("ä.jpg", "bad", [])


def test_all_kinds_of_workers_find_room():
    for cores in (1, 2, 3, 8, 64):
        shares = share_out(Cluster(cores, 0, 1, local=True), None, 1)
        least = shares.engines[0] * shares.engine
        # An engine, a decoder, a reader, a writer, and whoever knows the rows that are done.
        assert least + shares.decoder + 2 * shares.light <= cores
    assert share_out(Cluster(16, 4, 2, local=False), None, 1).engines == (1, 4)
    assert share_out(Cluster(16, 0, 2, local=False), (2, 3), 4).engines == (2, 3)


@pytest.mark.parametrize("text", ["0", "3:2", "a", "1:", ":2", "-1", "1:2:3"])
def test_senseless_ranges(text):
    with pytest.raises(SettingError, match="--workers is"):
        read_range(text, "--workers")


def test_ranges():
    assert read_range("", "--workers") is None
    assert read_range("3", "--workers") == (3, 3)
    assert read_range("1:8", "--workers") == (1, 8)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"residua\[cluster\]"):
        import_ray("auto")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["predict", "x.jpg"], "--save results"),
        (["predict", "x.jpg", "--save", "out", "--csv"], "--csv has no meaning on a cluster"),
        (["predict", "x.jpg", "--save", "out", "--batch-size", "3"], "--batch-size has no meaning"),
        (["predict", "x.jpg", "--save", "out", "--engines", "x"], "--engines is 'x'"),
        (["predict", "x.jpg", "--save", "out", "--format", "text"], "parquet"),
        (["train", "data", "--find-lr"], "--find-lr has no meaning on a cluster"),
        (["serve", "net.bundle", "--watch"], "--watch has no meaning on a cluster"),
        (["serve", "net.bundle", "--stop"], "without models"),
        (["serve"], "name one"),
    ],
)
def test_what_has_no_meaning_on_a_cluster(words, problem, monkeypatch):
    monkeypatch.setattr("residua.cluster.connect.import_ray", lambda _: None)
    told = CliRunner().invoke(app, [*words, "--cluster", "local"])
    assert problem in str(told.exception) + told.output


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "x.jpg", "--engines", "2"],
        ["train", "data", "--workers", "2"],
        ["train", "data", "--storage", "s3://bucket"],
        ["serve", "net.bundle", "--replicas", "1:2"],
        ["distil", "mine", "web", "--teacher", "net.bundle", "--engines", "2"],
    ],
)
def test_what_is_for_a_cluster_alone(words):
    told = CliRunner().invoke(app, words)
    assert f"{words[-2]} is for a cluster." in str(told.exception)


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (["predict", "x.jpg", "--save", "out", "--cluster"], "auto"),
        (["predict", "--cluster", "--save", "out", "x.jpg"], "auto"),
        (["predict", "--cluster", "s3://bucket/x.jpg", "--save", "out"], "auto"),
        (["predict", "x.jpg", "--save", "out", "--cluster", "head:6379"], "head:6379"),
        (["predict", "x.jpg", "--save", "out", "--cluster=local"], "local"),
        (["predict", "x.jpg", "--save", "out", "--cluster", "local"], "local"),
        (["predict", "--cluster", "./local/x.jpg", "--save", "out"], "auto"),
        (["predict", "x.jpg", "--cluster", "ray://head:1", "--save", "out"], "ray://head:1"),
    ],
)
def test_an_address_may_be_left_out(words, address, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local").mkdir()  # a folder of this name changes nothing
    asked = []
    monkeypatch.setattr("residua.cli.predict._predict_there", asked.append)
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert asked[0].cluster == address
    assert [Path(name).name for name in asked[0].images] == ["x.jpg"]
