"""Bench: how fast which model answers on this machine, by engine, precision and batch."""
