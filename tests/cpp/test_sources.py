"""The house rules hold for the sources in C++ too."""

import pytest

from cpp.building import SOURCES

FILES = sorted(
    path
    for suffix in ("cpp", "hpp")
    for path in SOURCES.rglob(f"*.{suffix}")
    if "build" not in path.relative_to(SOURCES).parts
)


def name(path):
    return str(path.relative_to(SOURCES))


def test_the_sources_are_there():
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_stay_under_300_lines_of_100_columns(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 300
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".hpp"], ids=name)
def test_every_header_says_what_it_is_for(path):
    assert path.read_text(encoding="utf-8").startswith("// ")


def test_every_source_is_built():
    text = (SOURCES / "CMakeLists.txt").read_text(encoding="utf-8")
    sources = [name(path) for path in FILES if path.suffix == ".cpp"]
    assert [source for source in sources if source not in text] == ["aoti/classify.cpp"]
