"""What both doors of the protocol are asked, and what torch says of it."""

import numpy as np
import pytest

from residua.engines.open import make_demand, open_runtime
from residua.pixels.prepare import prepare


@pytest.fixture(scope="session")
def crops(served_bundle, photos):
    return np.stack([prepare(each, served_bundle.manifest.preprocess) for each in photos[:3]])


@pytest.fixture(scope="session")
def expected(served_bundle, crops):
    return open_runtime("torch", make_demand(served_bundle, "torch", "fp32")).run(crops)
