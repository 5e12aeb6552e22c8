"""The choice of an engine: by measurement, once, and only among those that answer right."""

import json

import numpy as np
import pytest

from making import make_bundle
from residua.base.errors import EngineError, MissingExtraError, SettingError, UnknownNameError
from residua.engines import trial
from residua.engines.choose import list_candidates, open_engine
from residua.engines.open import open_runtime
from residua.zoo.weights.cache import cache_folder

NARROW = (16, 16, 32, 32)


class Wrong:
    """An engine that shifts its answers by a class, as a shuffled class list would."""

    name, lanes, good_batch = "wrong", 1, 8

    def __init__(self, engine):
        self.engine = engine

    def run(self, batch):
        return np.roll(self.engine.run(batch), 1, axis=1)


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=NARROW)


def remembered():
    [file] = (cache_folder() / "engines").glob("*.json")
    return json.loads(file.read_text())


def test_the_fastest_of_those_that_agree_is_taken_and_remembered(bundle, monkeypatch):
    told = []
    first = open_engine(bundle, device="cpu", notify=told.append)
    assert any("openvino" in line for line in told)
    assert any("onnxruntime" in line for line in told)
    record = remembered()
    times = [each["milliseconds"] for each in record["trials"]]
    assert record["chosen"] == times.index(min(times))
    assert all(each["parity"]["agreement"] == 1 for each in record["trials"])
    assert first.name.startswith(record["trials"][record["chosen"]]["engine"])

    def forbidden(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(trial, "try_candidates", forbidden)
    again = open_engine(bundle, device="cpu", notify=told.append)
    assert again.name == first.name


def test_what_another_precision_costs_is_told_each_time(bundle):
    """The figures are those of the file, taken here against float32's answers."""
    for _ in range(2):
        told = []
        open_engine(bundle, engine="torch", precision="bf16", device="cpu", notify=told.append)
        [trial_] = remembered()["trials"]
        difference = trial_["parity"]["difference"]
        assert difference > 1e-5  # bfloat16 was really computed in
        assert told[-1].startswith("torch computes in bf16: beside float32 the best class agrees")
        assert told[-1].endswith(f"probabilities within {difference:.2g}.")
    told = []
    open_engine(bundle, engine="openvino", device="cpu", notify=told.append)
    assert told == []


@pytest.mark.parametrize("liar", ["openvino", "onnxruntime"])
def test_an_engine_that_answers_wrongly_is_never_chosen(bundle, monkeypatch, liar):
    def lying(name, demand):
        engine = open_runtime(name, demand)
        return Wrong(engine) if name == liar else engine

    monkeypatch.setattr(trial, "open_runtime", lying)
    engine = open_engine(bundle, device="cpu")
    assert not engine.name.startswith(liar)
    [wrong] = [each for each in remembered()["trials"] if each["engine"] == liar]
    assert "a probability differs" in wrong["problem"]
    assert wrong["milliseconds"] is None


def test_where_none_answers_right_there_is_an_error(bundle, monkeypatch):
    monkeypatch.setattr(
        trial, "open_runtime", lambda name, demand: Wrong(open_runtime(name, demand))
    )
    with pytest.raises(EngineError, match="differs"):
        open_engine(bundle, device="cpu")


def test_other_weights_or_another_wish_are_measured_by_themselves(bundle, tmp_path):
    open_engine(bundle, device="cpu")
    open_engine(bundle, device="cpu", threads=1)
    open_engine(make_bundle(tmp_path / "y.bundle", widths=NARROW, seed=1), device="cpu")
    assert len(list((cache_folder() / "engines").glob("*.json"))) == 3


def test_a_damaged_memory_is_measured_anew(bundle):
    open_engine(bundle, device="cpu")
    [file] = (cache_folder() / "engines").glob("*.json")
    file.write_text('{"chosen": 99}')
    open_engine(bundle, device="cpu")
    assert remembered()["chosen"] in {0, 1}


def test_torch_stays_out_where_another_runs_the_bundle(bundle):
    names = ["openvino", "onnxruntime", "torch", "torch-compiled"]
    found = list_candidates(bundle, names, "fp32", "cpu", None, "latency")
    assert [name for name, _ in found] == ["openvino", "onnxruntime"]
    with pytest.warns(UserWarning, match="openvino is missing"):
        [(alone, _)] = list_candidates(bundle, ["torch"], "fp32", "cpu", None, "latency")
    assert alone == "torch"


def test_what_does_not_go_together_is_refused_with_the_next_step(bundle):
    with pytest.raises(SettingError, match=r"residua export .* --precision int8"):
        open_engine(bundle, engine="openvino", precision="int8")
    with pytest.raises(SettingError, match="does not compute in bf16"):
        open_engine(bundle, engine="onnxruntime", precision="bf16")
    with pytest.raises(UnknownNameError, match="fp32"):
        open_engine(bundle, precision="fp23")
    with pytest.raises(SettingError, match="No engine"):
        open_engine(bundle, precision="int8", device="cpu")


def test_a_missing_library_names_its_extra(bundle, monkeypatch):
    monkeypatch.setattr("residua.engines.choose.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"residua\[export\]"):
        open_engine(bundle, engine="onnxruntime")
