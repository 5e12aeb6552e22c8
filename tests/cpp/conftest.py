"""The programs and the bundles that the tests of C++ share."""

import pytest

from cpp.building import build


@pytest.fixture(scope="session")
def programs():
    return build()


@pytest.fixture(scope="session")
def sanitized():
    return build(sanitized=True)


@pytest.fixture(scope="session")
def crops(programs):
    return programs / "residua-crops"


@pytest.fixture(scope="session")
def program(programs):
    return programs / "residua-classify"
