"""Data sets as resized tar shards, written so that a kill loses nothing."""
