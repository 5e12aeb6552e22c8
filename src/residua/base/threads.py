"""Peace between the threads that decode and those that compute. Knows no torch."""

import os
import sys


def wait_passively() -> None:
    """Let torch's threads sleep while they wait for each other; to be called before torch loads.

    By default they spin, which takes the cores from the threads that decode, and from everybody
    else: on two busy cores the demo took 187 s of CPU spinning and 31 s sleeping. What the user has
    set in OMP_WAIT_POLICY stays.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
