"""The answers picture by picture, and the files of them."""

import csv
import json

import numpy as np
import pytest

from residua.base.errors import SettingError
from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.evaluate.scores import Scores, merge_scores, save_scores

SCORES = Scores(np.array([0, 2]), np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], dtype=np.float32))


def _source(labels):
    return Source(
        "x", Classes(names=("a", "b, c", "d")), ("1.png", "2.png", 'x "y"/3.png'),
        np.array(labels), lambda i: b"",
    )  # fmt: skip


SINGLE = _source([1, 0, 2])
MULTI = _source([[False, True, False], [True, True, True], [True, False, True]])


def test_who_is_right():
    assert SCORES.right(SINGLE).tolist() == [True, False]
    assert SCORES.right(MULTI).tolist() == [True, False]
    np.testing.assert_allclose(SCORES.losses(SINGLE), -np.log([0.5, 0.2]), rtol=1e-6)


def test_shares_of_processes_are_put_in_order():
    probabilities = np.arange(10, dtype=np.float32).reshape(5, 2)
    merged = merge_scores(
        [Scores(np.arange(rank, 5, 3), probabilities[rank::3]) for rank in (2, 0, 1)]
    )
    assert merged.indices.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(merged.probabilities, probabilities)


def test_csv_is_read_back(tmp_path):
    save_scores(tmp_path / "x.csv", SCORES, SINGLE, top_k=2)
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["filename"] for row in rows] == ["1.png", 'x "y"/3.png']
    assert [row["label"] for row in rows] == ["b, c", "d"]
    assert [row["right"] for row in rows] == ["1", "0"]
    assert [(row["class_1"], row["class_2"]) for row in rows] == [("b, c", "d"), ("a", "d")]
    assert float(rows[1]["probability_1"]) == pytest.approx(0.7, abs=1e-6)


def test_json_lines_are_read_back(tmp_path):
    save_scores(tmp_path / "x.jsonl", SCORES, MULTI)
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["b, c", "a,d"]
    assert [len(row["answers"]) for row in rows] == [3, 3]
    assert rows[0]["answers"][0] == {"class": "b, c", "probability": 0.5}


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(SettingError, match="jsonl"):
        save_scores(tmp_path / "x.xls", SCORES, SINGLE)
