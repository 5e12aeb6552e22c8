"""The cores that a process may use: those of its affinity, no more than its container has."""

import os

import pytest

from residua.base import machine


@pytest.fixture
def limit(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(machine, "_CPU_CFS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))

    def write(**files):
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        machine._read_quota.cache_clear()
        return machine.usable_cores()

    yield write
    machine._read_quota.cache_clear()


@pytest.mark.parametrize(
    ("said", "cores"),
    [("200000 100000\n", 2), ("150000 100000\n", 2), ("5000 100000\n", 1), ("max 100000\n", 64),
     ("9900000 100000\n", 64), ("nonsense\n", 64)],
)  # fmt: skip
def test_control_groups_of_version_2(limit, said, cores):
    assert limit(cpu__max=said) == cores


def test_control_groups_of_version_1(limit):
    assert limit(cpu__cfs_quota_us="300000\n", cpu__cfs_period_us="100000\n") == 3
    assert limit(cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n") == 64


def test_none_at_all(limit):
    assert limit() == 64
