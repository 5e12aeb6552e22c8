"""The style of the page: what a browser would have to lay out is held by its rules."""

import re
from importlib.resources import files


def _declarations(selector):
    """All declarations for exactly this selector, those of narrow pages included."""
    style = files("residua.report").joinpath("style.css").read_text(encoding="utf-8")
    pattern = rf"(?:^|[}}\s]){re.escape(selector)}\s*{{([^}}]*)}}"
    return " ".join(re.findall(pattern, style))


def test_names_in_the_table_of_the_data_are_not_broken_within_words():
    """A table of free layout gives a column its longest word, where no word may break."""
    assert "overflow-wrap: normal" in _declarations("table.counts td.name")
    style = files("residua.report").joinpath("style.css").read_text(encoding="utf-8")
    fixed = [rule for rule in re.findall(r"[^{}]+{[^}]*}", style) if "table-layout: fixed" in rule]
    assert fixed
    assert not [rule for rule in fixed if "counts" in rule]
