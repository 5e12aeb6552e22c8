"""The products that the peak is measured with are products, in the precision that they name."""

import numpy as np
import pytest

from residua.bench.peak import _list_products, _multiply_by_openvino, measure_peak

# Of a sum of 64 products of normal numbers, standard deviation 8: float32 and bfloat16 by their
# significant bits; int8 by steps of 8/255 in either factor.
CLOSE = {"fp32": 1e-4, "bf16": 0.25, "int8": 1.5}


@pytest.mark.parametrize("precision", CLOSE)
def test_openvinos_product_is_numpys(precision):
    found = next(iter(_multiply_by_openvino(precision, "cpu", 64)().values()))
    left, right = np.random.default_rng(0).standard_normal((2, 64, 64))
    if precision == "int8":
        left, right = np.clip(left, -4, 4), np.clip(right, -4, 4)
    np.testing.assert_allclose(found, left @ right, atol=CLOSE[precision])


def test_every_precision_has_a_peak_and_float32_two_products():
    assert len(list(_list_products("fp32", "cpu", 64))) == 2
    assert all(measure_peak(name, "cpu", 0.05) > 0 for name in ("fp32", "bf16", "int8"))
