import csv
import json

import pytest
from typer.testing import CliRunner

from residua.cli.main import app


def run(*arguments):
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_json_holds_the_published_figures_of_the_nineteen(shared_data):
    path = shared_data.parent / "reference" / "models.tsv"
    if not path.is_file():
        pytest.skip(f"the table of published figures is not here: {path}")
    records = {record["name"]: record for record in json.loads(run("--json"))}
    with path.open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    assert len(lines) == 19
    for line in lines:
        record = records[line["name"]]
        assert record["params"] == int(line["exact_params"])
        assert record["top1"] == float(line["top1"])
        assert record["top5"] == float(line["top5"])
        assert record["licence"] == "Apache-2.0"
        if line["gflops"] and "34_vd" not in line["name"]:
            assert record["gflops"] == pytest.approx(float(line["gflops"]), rel=0.006)


def test_every_name_has_its_size_and_its_work():
    records = json.loads(run("--json"))
    assert len(records) == len({record["name"] for record in records}) > 100
    assert all(record["params"] > 0 and record["gflops"] > 0 for record in records)


def test_the_table_can_be_narrowed():
    text = run("se_resnet")
    assert "SE_ResNet50_vd" in text
    assert "Wide" not in text
    assert "28.1 M" in text
