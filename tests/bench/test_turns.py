"""Taking turns: the order, and what becomes of processes that die, hang or answer wrong."""

import pytest

from making import make_bundle
from residua.base.errors import EngineError
from residua.bench import turns
from residua.bench.plan import Configuration, plan
from residua.bench.process import Child, OrderError
from residua.bench.run import run_benchmark
from residua.bench.subject import open_subject
from residua.bench.turns import ROUNDS, Entrant, Pace, PeakMeter, alternate, race

NARROW = (16, 16, 32, 32)


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=NARROW).path


@pytest.fixture
def subject(bundle, tmp_path):
    return open_subject(str(bundle), tmp_path)


@pytest.fixture(autouse=True)
def two_rounds(monkeypatch):
    monkeypatch.setattr(turns, "ROUNDS", 2)


def pace(tmp_path):
    return Pace(0.05, 1, tmp_path / "cache", rounds=2)


def test_the_order_is_reversed_from_round_to_round():
    orders = list(alternate("abc", 4))
    assert orders == [list("abc"), list("cba"), list("abc"), list("cba")]


def test_a_steady_drift_hits_all_alike():
    # Each turn is one slower than the turn before: over an even number of rounds all means agree.
    clock = iter(range(100))
    seen = {name: [] for name in "abcd"}
    for order in alternate("abcd", ROUNDS):
        for name in order:
            seen[name].append(next(clock))
    assert len({sum(times) for times in seen.values()}) == 1


def test_everyone_has_a_turn_in_every_round(subject, tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_OVERDRAFT", float("inf"))  # however slow the machine is
    entrants = [
        Entrant(Configuration(subject, name, "fp32", "cpu", (1, 3)), hint)
        for name, hint in (("openvino", "latency"), ("onnxruntime", "throughput"))
    ]
    advanced = []
    meter = PeakMeter("cpu", pace(tmp_path))
    race(entrants, None, pace(tmp_path), meter, ("fp32",), lambda: advanced.append(1))
    meter.close()
    assert len(advanced) == 2 + 2 * 3
    quick, flowing = entrants
    assert [entrant.out for entrant in entrants] == [None, None]
    assert all(len(quick.figures[batch]) >= 2 for batch in (1, 3))
    assert {batch: len(rates) for batch, rates in flowing.figures.items()} == {1: 2, 3: 2}
    assert all(entrant.peak_memory > 20e6 for entrant in entrants)
    assert all(entrant.waiting < 0.5 for entrant in entrants)
    assert all(entrant.child is None for entrant in entrants)
    assert len(meter.rates["fp32"]) == 2
    assert meter.find("fp32") == max(meter.rates["fp32"])
    assert meter.find("int8") is None


def test_one_that_has_used_its_time_up_is_not_waited_for(subject, tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_OVERDRAFT", 0.0)
    wish = Configuration(subject, "openvino", "fp32", "cpu", (1, 3))
    meter = PeakMeter("cpu", pace(tmp_path))
    entrant = Entrant(wish, "throughput")
    race([entrant], None, pace(tmp_path), meter, ())
    assert {batch: len(rates) for batch, rates in entrant.figures.items()} == {1: 1, 3: 1}


def test_a_child_that_dies_is_a_record_and_no_hang(bundle, tmp_path, monkeypatch):
    killed = []

    class Mortal(Child):
        def ask(self, do, patience=None, **order):
            if do == "run" and not killed:
                killed.append(self._process.pid)
                self._process.kill()
            return super().ask(do, patience, **order)

    monkeypatch.setattr(turns, "Child", Mortal)
    found = run_benchmark(
        [str(bundle)], engines=["openvino", "onnxruntime"], batches=[1], seconds=0.05, threads=1,
        throughput=False,
    )  # fmt: skip
    dead, alive = found.measurements
    assert dead.status == "failed"
    assert "signal 9" in dead.reason
    assert not dead.latency
    assert alive.status == "measured"
    assert alive.latency


def test_a_child_that_says_nothing_is_ended(tmp_path):
    with Child(1, tmp_path) as child:
        with pytest.raises(EngineError, match=r"within 0\.2 seconds"):
            child.ask("peak", patience=0.2, precision="fp32", device="cpu", threads=1, seconds=60)
        with pytest.raises(EngineError, match="ended by signal 9"):
            child.ask("end")


def test_a_program_that_is_no_child_is_told(tmp_path):
    lost = pytest.raises(EngineError, match=r"exit code 1.*no_such")
    with Child(1, tmp_path, module="residua.bench.no_such") as child, lost:
        child.ask("end")


def test_what_an_order_raises_comes_back(bundle, tmp_path):
    with Child(1, tmp_path) as child:
        with pytest.raises(OrderError, match="No engine is open") as refused:
            child.ask("run", batch=1, seconds=0.1)
        assert not refused.value.refused
        with pytest.raises(OrderError, match="AttributeError") as other:
            child.ask("dance")
        assert not other.value.refused
        with pytest.raises(OrderError, match="does not compute in int8") as refused:
            child.ask(
                "open", bundle=str(bundle), engine="torch", precision="int8", device="cpu",
                threads=1, hint="latency", sizes=[1], reference="",
            )  # fmt: skip
        assert refused.value.refused
        assert child.ask("end")["peak_memory"] > 1e6


def test_what_cannot_be_measured_says_why(subject):
    found = list(plan(subject, ["openvino", "onnxruntime"], ["fp32", "int8", "bf16"], [1], "cpu"))
    able = [(c.engine, c.precision) for c in found if isinstance(c, Configuration)]
    assert ("openvino", "fp32") in able
    reasons = {(m.engine, m.precision): m.reason for m in found if not isinstance(m, Configuration)}
    assert "has no int8 export" in reasons["openvino", "int8"]
    assert "residua export" in reasons["onnxruntime", "int8"]
    assert "does not compute in bf16" in reasons["onnxruntime", "bf16"]
    [gpu] = plan(subject, ["openvino"], ["fp32"], [1], "cuda")
    assert gpu.status == "skipped"
