"""Every network of the zoo at its full width, in ONNX and OpenVINO, beside the plain network."""

import pytest

from residua.bench.stand_in import make_stand_in
from residua.bundle.schema import Preprocess
from residua.export.run import export_bundle
from residua.zoo.table import ROWS

# Small crops: what is compared is the structure, and it sees every layer at any size.
SMALL = Preprocess(crop_size=64, short_side=64)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_every_row_passes_the_gate(tmp_path, name):
    row = ROWS[name]
    bundle = make_stand_in(tmp_path / "x.bundle", row, None if row.stem == "3x3" else SMALL)

    for outcome in export_bundle(bundle, ["onnx", "openvino"]):
        assert outcome.error is None, outcome.error
        parity = outcome.export.parity
        assert parity.agreement == 1
        assert parity.difference < 2e-4
        assert parity.inputs == 17
