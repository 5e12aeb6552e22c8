"""Tensors on the wire: what is written is read back, and nothing else is accepted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from residua.serve.protocol.json_form import read_question
from residua.serve.protocol.tensors import DATATYPES, Tensor, from_raw, to_raw
from residua.serve.refusals import Refusal

MOST = 10**6


@given(st.data())
def test_numbers_come_back(data):
    name = data.draw(st.sampled_from(sorted(DATATYPES)))
    shape = data.draw(arrays.array_shapes(max_dims=4, max_side=5))
    values = data.draw(arrays.arrays(DATATYPES[name], shape))
    back = from_raw("x", name, shape, to_raw(Tensor("x", name, shape, values)), MOST)
    np.testing.assert_array_equal(back.data, values)


@given(st.lists(st.binary(max_size=40), min_size=1))
def test_bytes_come_back(elements):
    shape = (len(elements),)
    back = from_raw("x", "BYTES", shape, to_raw(Tensor("x", "BYTES", shape, elements)), MOST)
    assert back.data == elements


@given(st.binary(max_size=60), st.integers(0, 4))
def test_any_bytes_are_read_or_refused(raw, count):
    try:
        tensor = from_raw("x", "BYTES", (count,), raw, MOST)
    except Refusal:
        return
    assert to_raw(tensor) == raw


@given(st.binary(max_size=200), st.one_of(st.none(), st.text(max_size=4)))
def test_any_body_is_read_or_refused(body, header):
    try:
        question = read_question(body, header, MOST)
    except Refusal:
        return
    assert question.inputs or header != "0"


def test_half_floats_are_two_bytes():
    raw = to_raw(Tensor("x", "FP16", (2,), np.array([1.0, -2.0])))
    assert raw == bytes.fromhex("003c00c0")


@pytest.mark.parametrize("size", [0, 11, 13])
def test_sizes_that_do_not_agree_are_refused(size):
    with pytest.raises(Refusal, match="12"):
        from_raw("x", "UINT8", (1, 2, 2, 3), bytes(size), MOST)
