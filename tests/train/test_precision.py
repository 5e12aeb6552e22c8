"""The choice of the number format, and that it is explained."""

import pytest
import torch

from residua.base.errors import SettingError
from residua.train.update import precision
from residua.train.update.precision import choose_device, choose_precision

_CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capable", "wanted", "name"),
    [
        (True, "auto", "bf16"),
        (False, "auto", "fp32"),
        (True, "fp32", "fp32"),
        (True, "bf16", "bf16"),
    ],
)
def test_the_choice_follows_the_hardware(monkeypatch, capable, wanted, name):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: capable)
    choice = choose_precision(wanted, _CPU)
    assert choice.name == name
    assert choice.reason.startswith(name)


def test_emulated_bf16_is_refused(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: False)
    with pytest.raises(SettingError, match="no hardware for it"):
        choose_precision("bf16", _CPU)


def test_computing_is_in_the_format(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: True)
    left, right = torch.randn(2, 2), torch.randn(2, 2)
    for wanted, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with choose_precision(wanted, _CPU).computing():
            assert (left @ right).dtype == dtype


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(SettingError, match="torch finds none"):
        choose_device("cuda")
    with pytest.raises(SettingError, match="no device 'tpu'"):
        choose_device("tpu")
