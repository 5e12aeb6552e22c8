"""The second example: a network compiled by AOTInductor, run from C++."""

import subprocess

import pytest

from cpp.building import SOURCES, build
from cpp.bundles import NARROW, export
from making import make_bundle
from residua.predict.classifier import Classifier

pytestmark = pytest.mark.slow


def test_a_compiled_package_answers_as_the_network(tmp_path, pictures):
    program = build("aoti", sources=SOURCES / "aoti") / "residua-aoti"
    bundle = export(make_bundle(tmp_path / "x.bundle", **NARROW), "aoti")
    command = [program, bundle.path, bundle.path / "exports" / "aoti" / "model.pt2", pictures]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [line.split("\t") for line in done.stdout.splitlines()]
    predictions = Classifier(bundle, engine="torch", device="cpu").predict(str(pictures), top_k=1)
    expected = [prediction for prediction in predictions if prediction.ok]
    assert [name for name, *_ in found] == [prediction.filename for prediction in expected]
    assert [int(index) for _, index, _ in found] == [each.class_ids[0] for each in expected]
    scores = [each.scores[0] for each in expected]
    assert [float(score) for *_, score in found] == pytest.approx(scores, abs=2e-5)
    assert done.stderr.count("damaged") == 4
