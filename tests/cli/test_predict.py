import json
import subprocess
import sys

import pytest

from making import make_bundle, save_noise

WIDTHS = (16, 16, 32, 32)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("cli")
    make_bundle(place / "x.bundle", widths=WIDTHS)
    for index in range(3):
        save_noise(place / "photos" / f"{index}.png", seed=index)
    return place


def residua(place, *arguments, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "residua", *arguments],
        cwd=place,
        input=stdin,
        capture_output=True,
        check=False,
    )


def test_a_pipe_gets_one_json_object_a_line(place):
    done = residua(place, "predict", "photos", "--model", "x.bundle", "--top-k", "2")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["filename"] for record in records] == [f"photos/{i}.png" for i in range(3)]
    assert all(len(record["class_ids"]) == len(record["scores"]) == 2 for record in records)


def test_unreadable_pictures_give_records_and_exit_code_3(place):
    done = residua(place, "predict", "photos/0.png", "nowhere.jpg", "-m", "x.bundle", "--json")
    assert done.returncode == 3
    good, bad = map(json.loads, done.stdout.splitlines())
    assert "error" not in good
    assert bad["filename"] == "nowhere.jpg"
    assert bad["reason"] == "unreadable"
    assert b"1 of 2 pictures could not be used" in done.stderr


@pytest.mark.parametrize("what", ["picture", "paths"])
def test_standard_input_is_a_picture_or_a_list_of_paths(place, what):
    picture = (place / "photos/1.png").read_bytes()
    stdin = picture if what == "picture" else b"photos/1.png\nphotos/2.png\n"
    done = residua(place, "predict", "-", "--model", "x.bundle", stdin=stdin)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line)["filename"] for line in done.stdout.splitlines()]
    assert found == (["-"] if what == "picture" else ["photos/1.png", "photos/2.png"])


def test_a_saved_json_is_one_document(place):
    done = residua(place, "predict", "photos", "-m", "x.bundle", "--save", "out/r.json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((place / "out/r.json").read_text())) == 3


def test_results_are_also_saved(place):
    done = residua(
        place, "predict", "photos", "-m", "x.bundle", "--format", "text", "--save", "out/r.csv"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"class_ids: [")
    rows = (place / "out/r.csv").read_text().splitlines()
    assert rows[0].startswith("filename,rank")
    assert len(rows) == 1 + 3 * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos", "--model", "nonsense"], b"Nearest"),
        (["photos", "-m", "x.bundle", "--json", "--csv"], b"one format"),
        (["photos", "-m", "x.bundle", "--engine", "tensorflow"], b"engine"),
        (["photos", "-m", "x.bundle", "--save", "a.xml"], b".json"),
        (["photos", "-m", ""], b"empty"),
        (["photos", "-m", "x.bundle", "--device", "cuda"], b"--device cpu"),
        (["photos", "-m", "x.bundle", "--save", "x.bundle/bundle.json/r.csv"], b"Error"),
        (["https://example.org/a.jpg", "-m", "x.bundle"], b"--allow-urls"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(place, arguments, message):
    done = residua(place, "predict", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(place):
    command = f"{sys.executable} -m residua predict photos photos photos -m x.bundle | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=place, capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_torch_is_loaded_at_the_first_use_of_weights_and_never_again(place):
    # At first the engines are compared with the reference network; then the choice is known.
    assert residua(place, "predict", "photos", "--model", "x.bundle").returncode == 0
    code = """
import sys
sys.argv = ["residua", "predict", "photos", "--model", "x.bundle"]
from residua.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
