"""Run residua as `python -m residua`."""

from residua.cli.main import run

run()
