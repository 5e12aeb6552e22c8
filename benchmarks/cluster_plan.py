"""Nodes and hours of three jobs on a cluster, from measured figures: a plan on paper.

RESIDUA_TEST_DATA=FOLDER python benchmarks/cluster_plan.py

A job is a chain of stages, each with a rate: reading from the storage (which all nodes share, up to
its own limit), decoding, computing, and for training the exchange of gradients, of which a ring
moves 2 (n - 1) / n over each link. The slowest stage sets the rate; the plan says which it is, for
more and more nodes. What one process does before, the listing of the pictures, is added to the
hours. Decoding, computing, listing and adding up gradients are measured when it runs, on two cores;
what is of other machines stands in ``main``, with where it comes from.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from recording import RESULTS, write_result
from residua.bundle.schema import Preprocess
from residua.cluster.pictures.listing import make_spans
from residua.cluster.storage import locate
from residua.pixels.prepare import prepare

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
EXCHANGE = """
import sys, time, torch
from torch import distributed
distributed.init_process_group("gloo")
values, times = torch.ones(int(sys.argv[1])), []
for _ in range(7):
    distributed.barrier()
    began = time.perf_counter()
    distributed.all_reduce(values)
    times.append(time.perf_counter() - began)
if distributed.get_rank() == 0:
    print(sorted(times)[3])
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine: its cores, rates in pictures a second, its network in bytes a second."""

    name: str
    cores: int
    decodes: float
    """Photos of 500 x 375 pixels that one core decodes and crops a second."""
    computes: float
    """Pictures that the node's engines compute a second (ResNet50_vd, 224 pixels, forward)."""
    trains: float
    """Pictures of training that the node computes a second."""
    network: float
    computes_on_cores: bool
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Storage:
    """A shared storage: bytes a second of all nodes together, and of one."""

    total: float
    each: float


@dataclass(frozen=True, slots=True)
class Job:
    """Pictures that go by, bytes of one in the storage, and what a training exchanges an update."""

    name: str
    pictures: float
    size: float
    kind: str
    gradients: float = 0.0
    batch: int = 0
    lists: float = 0.0
    """Pictures that one process lists a second, before the others begin."""


def rates(job: Job, node: Node, storage: Storage, nodes: int) -> dict[str, float]:
    """Return the pictures a second of each stage on all nodes together."""
    network = min(storage.total, nodes * min(storage.each, node.network)) / job.size
    decode = nodes * node.cores * node.decodes
    if job.kind == "train":
        # Below 32 pictures of a batch a GPU is as slow as with 32.
        compute = nodes * node.trains * min(1.0, job.batch / nodes / node.gpus / 32)
        seconds = job.batch / compute
        exchange = 2 * (nodes - 1) / nodes * job.gradients / node.network
        # Half of the exchange hides behind the backward pass.
        found = {"compute": compute, "exchange": job.batch / (seconds + exchange / 2)}
    else:
        found = {"compute": nodes * node.computes}
    found |= {"storage": network, "decode": decode}
    if node.computes_on_cores and job.kind != "train":
        # Decoding and computing share the cores: times add up.
        both = 1 / (1 / decode + 1 / found.pop("compute"))
        found.pop("decode")
        found["cores"] = both
    return found


def plan(job: Job, node: Node, storage: Storage, counts: list[int]) -> list[dict[str, object]]:
    """Return for each number of nodes the rate, the hours, and which stage bounds it."""
    lines = []
    for nodes in counts:
        found = rates(job, node, storage, nodes)
        bound = min(found, key=lambda stage: found[stage])
        rate = found[bound]
        listing = job.pictures / job.lists / 3600 if job.lists else 0.0
        working = job.pictures / rate / 3600
        lines.append(
            {
                "nodes": nodes, "images_per_second": round(rate),
                "bottleneck": "listing" if listing > working else bound,
                "hours": round(listing + working, 2) if job.pictures else None,
                "stages": {name: round(value) for name, value in found.items()},
            }
        )  # fmt: skip
    return lines


def nodes_for(job: Job, node: Node, storage: Storage, rate: float) -> int | None:
    """Return how many nodes give ``rate`` pictures a second; None where no number does."""
    for nodes in range(1, 10_001):
        if min(rates(job, node, storage, nodes).values()) >= rate:
            return nodes
    return None


def measure_decode(seconds: float = 5.0) -> float:
    """Return how many of the test photos one thread makes crops of a second."""
    photos = [path.read_bytes() for path in sorted((DATA / "photos").glob("*.JPEG"))]
    preprocess = Preprocess()
    prepare(photos[0], preprocess)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        prepare(photos[done % len(photos)], preprocess)
        done += 1
    return done / (time.perf_counter() - began)


def measure_exchange(size: float) -> float:
    """Return the seconds in which two processes of this machine add up ``size`` bytes by gloo."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "exchange.py"
        script.write_text(EXCHANGE)
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
             str(script), str(int(size / 4))],
            check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    return float(done.stdout.split()[-1])


def measure_listing(count: int = 200_000) -> float:
    """Return how many pictures of a list are numbered and written down a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        path.write_text("".join(f"s3://bucket/photos/{n:08}.jpg\n" for n in range(count)))
        began = time.perf_counter()
        make_spans([str(path)], locate(Path(folder) / "own"))
        return count / (time.perf_counter() - began)


def measure_compute() -> float:
    """Return the pictures a second of ResNet50_vd on the cores of this machine, by OpenVINO."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.json"
        subprocess.run(
            [sys.executable, "-m", "residua", "bench", "ResNet50_vd", "--random", "--engines",
             "openvino", "--precision", "fp32", "--batch", "1", "8", "--seconds", "5",
             "--throughput", "--output", str(path)],
            check=True, capture_output=True,
        )  # fmt: skip
        found = json.loads(path.read_text())["measurements"]
    return max(float(each["images_per_second"]) for one in found for each in one["throughput"])


def main() -> None:
    """Print the plan and write results/cluster_plan.json."""
    decode, compute, listing = measure_decode(), measure_compute(), measure_listing()
    exchange = measure_exchange(102e6)
    cpu = Node("16 cores as measured", 16, decode, 8 * compute, 0.0, 1.25e9, True)
    # Assumed, not measured here: an A100 trains ResNet50 in mixed precision at about 2,500 pictures
    # a second and computes 11,000 (TensorRT, fp16, batches of 128), as NVIDIA's tables have it.
    gpu = Node("8 A100, 128 cores, 100 Gbit/s", 128, decode, 88_000.0, 20_000.0, 12.5e9, False, 8)
    shared = Storage(total=40e9, each=5e9)  # a parallel file system, or S3 within a region
    # A storage names 1,000 pictures a request, which takes about 0.1 s; 16 folders at once.
    mining = Job(
        "mine 14.2 million pictures of ImageNet-22k", 14.2e6, 93e3, "score",
        lists=min(listing, 16 * 10_000.0),
    )  # fmt: skip
    training = Job(
        "train ResNet50 120 epochs on ImageNet", 120 * 1.281e6, 110e3, "train", 102e6, 2048
    )
    serving = Job("serve 10,000 pictures a second", 0, 110e3, "score")
    counts = [int(word) for word in sys.argv[2:]] or [1, 2, 4, 8, 16, 32, 64]
    plans = [
        {"job": asdict(job), "node": asdict(node), "storage": asdict(shared),
         "plan": plan(job, node, shared, counts)}
        for job, node in ((mining, cpu), (mining, gpu), (training, gpu), (serving, cpu))
    ]  # fmt: skip
    # With three tenths of each node left for bursts, and for Ray Serve's proxies.
    needed = nodes_for(serving, cpu, shared, 10_000.0 / 0.7)
    slow = replace(shared, total=5e9)
    figures = {
        "measured": {
            "decodes_a_core": round(decode, 1),
            "computes_two_cores": round(compute, 1),
            "lists": round(listing),
            "seconds_to_add_up_102_MB_of_two_processes": round(exchange, 4),
        },
        "plans": plans,
        "nodes_for_10000_a_second": needed,
        "mining_with_a_storage_of_5_GB_a_second": plan(mining, gpu, slow, counts),
    }
    for each in plans:
        print(f"{each['job']['name']}, {each['node']['name']}")
        for line in each["plan"]:
            print(f"  {line['nodes']:4} nodes  {line['images_per_second']:8} images/s  "
                  f"{line['hours'] or '':>8} h  bound by {line['bottleneck']}")  # fmt: skip
    print(f"10,000 pictures a second: {needed} nodes of {cpu.name}")
    write_result(
        "cluster_plan",
        "A plan on paper, from measured rates",
        "python benchmarks/cluster_plan.py",
        figures,
    )


if __name__ == "__main__":
    main()
