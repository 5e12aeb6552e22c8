"""Which engine is the fastest here whose answers are right: measured once, then remembered.

$RESIDUA_CACHE/engines/KEY.json, one file for each set of weights, machine, set of versions and
wish; deleting it measures again.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from residua.base.errors import BundleDamagedError, EngineError, ResiduaError
from residua.base.machine import describe_machine
from residua.bundle.schema import Parity
from residua.engines.engine import RUNTIMES, Demand, Engine
from residua.engines.findings import Trial, recall, remember, spell_cost
from residua.engines.open import open_runtime
from residua.engines.parity import ELSEWHERE, Tolerance, compare, run_in_parts, tolerance_for
from residua.engines.probes import make_probes
from residua.engines.reference import find_answers, identify, make_reference
from residua.zoo.weights.cache import cache_folder

Candidate = tuple[str, Demand]
_SECONDS = 1.0  # of timing, for each candidate
_ROUNDS = 9
_AT_ONCE = 4  # pictures of a run where many are to be expected


def choose_measured(candidates: Sequence[Candidate], notify: Callable[[str], None]) -> Candidate:
    """Return the candidate that is remembered for this machine, or the best after a trial.

    ``notify`` gets a line for each candidate of a trial, and whenever another precision than
    float32 is taken what that costs. Where one candidate alone is there and no reference can be
    computed (no torch), it is taken, with a warning.
    """
    path = cache_folder() / "engines" / f"{_key(candidates)}.json"
    if (kept := recall(path, len(candidates))) is not None:
        place, parity = kept
        _tell_cost(candidates[place], parity, notify)
        return candidates[place]
    demand = candidates[0][1]
    reference = make_reference(demand.bundle)
    if reference is None:
        warnings.warn("torch is missing: answers were not compared on this machine.", stacklevel=4)
        return candidates[0]
    notify("First use of these weights here: comparing and timing the engines once.")
    trials = try_candidates(candidates, reference)
    for trial in trials:
        notify(f"  {trial.spell()}")
    passed = [place for place, trial in enumerate(trials) if trial.milliseconds is not None]
    if not passed:
        findings = "; ".join(trial.spell() for trial in trials)
        raise EngineError(
            f"No engine gives the reference network's answers here. {findings}",
            next_step="Use --engine torch, and report these lines.",
        )
    best = min(passed, key=lambda place: trials[place].milliseconds or 0)
    remember(path, best, trials)
    _tell_cost(candidates[best], trials[best].parity, notify)
    return candidates[best]


def _tell_cost(chosen: Candidate, parity: Parity | None, notify: Callable[[str], None]) -> None:
    name, demand = chosen
    if demand.precision != "fp32":
        notify(spell_cost(name, demand, parity))


def try_candidates(candidates: Sequence[Candidate], reference: np.ndarray) -> list[Trial]:
    """Compare each candidate with ``reference`` on the probes; time those that pass, in turn."""
    crops = make_probes(candidates[0][1].bundle.manifest.preprocess)
    engines: dict[int, Engine] = {}
    trials: list[Trial] = []
    for place, (name, demand) in enumerate(candidates):
        parity, problem = None, ""
        try:
            engine = open_runtime(name, demand)
            answers = run_in_parts(engine.run, crops)
            expected, tolerance = expect(demand, reference)
            parity, excesses = compare(expected, answers, tolerance)
            problem = "; ".join(excesses)
        except BundleDamagedError:
            raise  # said at once, not first when the remembered one is opened
        except (ResiduaError, RuntimeError, ImportError) as error:
            problem = str(error).splitlines()[0]
        if not problem:
            engines[place] = engine
        trials.append(Trial(name, demand.precision, parity, None, problem))
    many = candidates[0][1].hint == "throughput"
    for place, milliseconds in _time(engines, crops[: _AT_ONCE if many else 1], many=many).items():
        trial = trials[place]
        trials[place] = Trial(trial.engine, trial.precision, trial.parity, milliseconds)
    return trials


def expect(demand: Demand, reference: np.ndarray) -> tuple[np.ndarray, Tolerance]:
    """Return the answers to the probes that a candidate shall give, and how closely."""
    if demand.precision == "int8" and demand.export is not None:
        own = find_answers(demand.bundle, demand.export)
        if own is not None:
            return own, ELSEWHERE
    return reference, tolerance_for(demand.precision)


def _time(engines: Mapping[int, Engine], crops: np.ndarray, *, many: bool) -> dict[int, float]:
    """Return the median milliseconds of one picture, the engines measured in turn.

    Where ``many`` pictures are to be expected, as many runs are under way as the engine has lanes.
    """
    rounds = _ROUNDS if len(engines) > 1 else 3  # of one alone nothing hangs on the figure
    times: dict[int, list[float]] = {place: [] for place in engines}
    started = time.perf_counter()
    for _ in range(rounds):
        for place, engine in engines.items():
            times[place].append(_time_once(engine, crops, engine.lanes if many else 1))
        if time.perf_counter() - started > _SECONDS * len(engines):
            break
    return {place: 1000 * statistics.median(each) for place, each in times.items()}


def _time_once(engine: Engine, crops: np.ndarray, lanes: int) -> float:
    """Return the seconds of one picture with ``lanes`` runs of ``crops`` under way."""
    begun = time.perf_counter()
    if lanes == 1:
        engine.run(crops)
    else:
        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(engine.run, [crops] * lanes))
    return (time.perf_counter() - begun) / (lanes * len(crops))


def _key(candidates: Sequence[Candidate]) -> str:
    """Return a fingerprint of weights, machine, versions and wish."""
    machine = describe_machine()
    parts = [identify(candidates[0][1].bundle.manifest), machine["processor"], machine["features"]]
    for name, demand in candidates:
        library = RUNTIMES[name].library
        export = demand.export.files[demand.export.entry].sha256 if demand.export else ""
        parts += [name, demand.precision, _version(library), export, demand.device]
        parts += [str(demand.threads or machine["cores"]), demand.hint]
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
