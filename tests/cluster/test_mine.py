"""Teachers asked on real clusters: the list of one process, also when a machine or one is lost."""

import os
import signal
import threading

import pytest

from making import make_bundle, save_noise
from residua.cluster.connect import connected
from residua.distil.mine.run import Wanted, mine
from residua.predict.classifier import load

from .conftest import processes_named, wait_until

pytest.importorskip("ray", reason="the extra cluster is not installed: make cluster")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray warns of its own code
]
TEACHER = "ray::MapWorker(MapBatches(_Teacher))"
WANTED = Wanted(per_class=20)


@pytest.fixture
def web(tmp_path):
    for number in range(40):
        save_noise(tmp_path / "web" / f"{number:02}.png", seed=number)
    (tmp_path / "web" / "bad.png").write_bytes(b"no picture")
    names = sorted(path.name for path in (tmp_path / "web").iterdir())
    path = tmp_path / "web" / "all.txt"
    path.write_text("".join(f"{name}\n" for name in names * 60))
    return path


@pytest.mark.parametrize("loss", ["machine", "process"])
def test_the_list_is_that_of_one_process(nodes, web, tmp_path, loss):
    from residua.cluster.mine.run import ClusterScoring

    bundle = make_bundle(tmp_path / "net.bundle", widths=(8, 8, 8, 8), seed=1)
    teacher = load(bundle.path, engine="torch", threads=1)
    alone = mine(str(web), teacher, tmp_path / "alone.txt", WANTED, chunk=48)
    work = tmp_path / "mined.txt.mine"
    lost = []

    def lose():
        wait_until(lambda: len(list(work.glob("*.npz"))) > 3, what="the first scores")
        asking = processes_named(TEACHER)
        if loss == "machine":
            nodes.lose(asking[0])
        else:
            os.kill(asking[0], signal.SIGKILL)
        lost.append(asking[0])

    nodes.add(count=3)
    with connected(nodes.address) as cluster:
        scoring = ClusterScoring(cluster, (2, 2), 1, {"engine": "torch"})
        thread = threading.Thread(target=lose, daemon=True)
        thread.start()
        report = mine(
            str(web), teacher, tmp_path / "mined.txt", WANTED, chunk=48, scoring=scoring.score
        )
        thread.join(60)
    assert lost
    assert (tmp_path / "mined.txt").read_text() == (tmp_path / "alone.txt").read_text()
    assert (report.seen, report.chosen) == (alone.seen, alone.chosen)
    assert report.seen == 41 * 60
