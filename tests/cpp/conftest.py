"""The programs and the bundles that the tests of C++ share."""

from importlib.util import find_spec

import pytest

from cpp.building import build
from cpp.bundles import NARROW, ODD_NAMES, export
from making import make_bundle, save_noise
from residua.bundle.schema import Classes
from residua.bundle.store import write_bundle


@pytest.fixture(scope="session")
def programs():
    return build()


@pytest.fixture(scope="session")
def sanitized():
    return build("sanitized", "-DRESIDUA_SANITIZE=ON")


@pytest.fixture(scope="session")
def crops(programs):
    return programs / "residua-crops"


@pytest.fixture(scope="session")
def program(programs):
    return programs / "residua-classify"


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A narrow network with odd class names, exported for both formats that OpenVINO reads."""
    place = tmp_path_factory.mktemp("small")
    made = make_bundle(place / "first.bundle", num_classes=len(ODD_NAMES), **NARROW)
    manifest = made.manifest.model_copy(update={"classes": Classes(names=ODD_NAMES)})
    bundle = write_bundle(place / "x.bundle", manifest, made.tensors())
    onnx = ["onnx"] if find_spec("onnx") and find_spec("onnxruntime") else []
    return export(bundle, "openvino", *onnx)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    for index in range(23):
        save_noise(place / f"{index:02}.{'jpg' if index % 3 else 'png'}", seed=index)
    for index in (3, 11, 12, 22):
        (place / f"{index:02}x.jpg").write_bytes(b"\xff\xd8\xff damaged")
    return place
