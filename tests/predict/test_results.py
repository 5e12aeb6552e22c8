import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from residua.bundle.schema import Classes
from residua.predict.results import Prediction, rank
from residua.predict.table import print_table
from residua.predict.writers import format_for, write_lines

# The document's example (section 2.3), as numbers and as the line that it prints.
HEN = Prediction(
    filename="docs/images/inference_deployment/whl_demo.jpg",
    class_ids=[8, 7, 86, 82, 80],
    scores=[0.979681, 0.020283, 3.4e-05, 1.2e-05, 2e-06],
    label_names=[
        "hen",
        "cock",
        "partridge",
        "ruffed grouse, partridge, Bonasa umbellus",
        "black grouse",
    ],
)
LINE = (
    "class_ids: [8, 7, 86, 82, 80], scores: [0.97968, 0.02028, 3e-05, 1e-05, 0.0], label_names: "
    "['hen', 'cock', 'partridge', 'ruffed grouse, partridge, Bonasa umbellus', 'black grouse'], "
    "filename: docs/images/inference_deployment/whl_demo.jpg\n"
)
BAD = Prediction(filename="bad.jpg", error="bad.jpg is damaged.", reason="damaged")


def test_the_documents_line_is_one_of_the_formats():
    assert list(write_lines([HEN], "text")) == [LINE]


def test_json_is_one_object_a_line():
    lines = list(write_lines([HEN, BAD], "json"))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    first, second = map(json.loads, lines)
    assert list(first) == ["class_ids", "scores", "label_names", "filename"]
    assert first["label_names"][3] == "ruffed grouse, partridge, Bonasa umbellus"
    assert second == {"filename": "bad.jpg", "error": "bad.jpg is damaged.", "reason": "damaged"}


def test_csv_survives_commas_and_errors():
    rows = list(csv.DictReader(io.StringIO("".join(write_lines([HEN, BAD], "csv")))))
    assert len(rows) == 6
    assert rows[3]["label_name"] == "ruffed grouse, partridge, Bonasa umbellus"
    assert float(rows[0]["score"]) == 0.97968
    assert rows[5]["error"] == "bad.jpg is damaged."
    none = Prediction("dark.jpg")
    (row,) = csv.DictReader(io.StringIO("".join(write_lines([none], "csv"))))
    assert (row["filename"], row["class_id"]) == ("dark.jpg", "")


def test_file_names_that_are_no_unicode_stay_valid_json():
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    (line,) = write_lines([Prediction(name, [0], [1.0], ["x"])], "json")
    assert line.encode("utf-8")
    assert json.loads(line)["filename"] == name


def test_the_table_holds_names_scores_and_errors():
    console = Console(file=io.StringIO(), width=100)
    print_table(iter([HEN, BAD] * 20), console)
    text = console.file.getvalue()
    assert text.count("98.0%") == text.count("bad.jpg ") == text.count(" is damaged.") == 20
    assert text.count("picture") == 1


@pytest.mark.parametrize(
    ("name", "form"), [("a.json", "json"), ("b.CSV", "csv"), ("c.txt", "text"), ("d.xml", None)]
)
def test_the_suffix_chooses_the_format(name, form):
    assert format_for(name) == form


def test_ranking_is_bounded_stable_and_cut_by_the_threshold():
    classes = Classes(names=("a", "b", "c"))
    even = np.array([0.25, 0.5, 0.25], np.float32)
    assert rank(even, classes, filename="", top_k=9, threshold=0).class_ids == [1, 0, 2]
    assert rank(even, classes, filename="", top_k=2, threshold=0).label_names == ["b", "a"]
    assert rank(even, classes, filename="", top_k=3, threshold=0.3).scores == [0.5]
    assert rank(even, classes, filename="", top_k=3, threshold=0.6).class_ids == []
