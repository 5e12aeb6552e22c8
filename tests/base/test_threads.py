"""The policy is set in time, and the user's own stays."""

import os
import subprocess
import sys

import pytest

from residua.base.threads import wait_passively


@pytest.mark.parametrize(("given", "expected"), [(None, "passive"), ("active", "active")])
def test_a_fresh_process_waits_passively(given, expected):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if given is not None:
        environment["OMP_WAIT_POLICY"] = given
    code = (
        "import os, sys\n"
        "from residua.base.threads import wait_passively\n"
        "assert 'torch' not in sys.modules\n"
        "wait_passively()\n"
        "print(os.environ['OMP_WAIT_POLICY'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected


def test_after_torch_it_is_too_late(monkeypatch):
    import torch

    assert torch
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    wait_passively()
    assert "OMP_WAIT_POLICY" not in os.environ
