"""The work of a child of the benchmark pins its process; here that process is the tests' own."""

import os

import pytest
import torch


@pytest.fixture(autouse=True)
def same_cores_afterwards():
    """Give the cores and torch's threads back: other tests would run on one core."""
    threads = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    yield
    torch.set_num_threads(threads)
    if cores is not None:
        os.sched_setaffinity(0, cores)
