"""Bundles with exports, for the C++ program to open."""

from residua.bundle.store import Bundle, read_bundle
from residua.export.run import export_bundle

NARROW = {"widths": (16, 16, 32, 32)}
ODD_NAMES = (
    "plain",
    "potter's wheel",
    'a "quote"',
    "both ' and \"",
    "tab\t\\ back",
    "é ü 狗",
    "\x7f\x85",
)


def export(bundle: Bundle, *formats: str) -> Bundle:
    outcomes = list(export_bundle(bundle, formats or ("openvino",)))
    assert [outcome.error for outcome in outcomes] == [None] * len(outcomes)
    return read_bundle(bundle.path)
