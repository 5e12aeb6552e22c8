"""The digits of scikit-learn as files."""

import sys

import numpy as np
import pytest
from PIL import Image

from residua.base.errors import MissingExtraError, SettingError
from residua.data.digits import write_digits
from residua.data.settings import DataPart
from residua.data.sources.parts import open_parts


def test_every_digit_is_written_once(tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    assert write_digits(tmp_path / "digits") == 1797
    assert write_digits(tmp_path / "digits") == 1797  # again, in its own place
    parts = open_parts(tmp_path / "digits", DataPart(val_fraction=0.5, split_seed=0))
    assert parts.training.classes.names == tuple("0123456789")
    assert len(parts.training) + len(parts.validation) == 1797
    assert 0.19 < len(parts.validation) / 1797 < 0.21
    digits = datasets.load_digits()
    for part, folder in ((parts.training, "train"), (parts.validation, "val")):
        for name, label in list(zip(part.names, part.labels, strict=True))[::100]:
            number = int(name.split("/")[1].removesuffix(".png"))
            assert digits.target[number] == label
            image = Image.open(tmp_path / "digits" / folder / name)
            assert image.size == (32, 32)
            small = np.asarray(image.resize((8, 8), Image.Resampling.BOX), dtype=float)
            assert np.corrcoef(small.ravel(), digits.images[number].ravel())[0, 1] > 0.95


def test_without_scikit_learn_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"residua\[demo\]"):
        write_digits(tmp_path / "digits")


def test_a_folder_of_the_user_is_not_replaced(tmp_path):
    pytest.importorskip("sklearn.datasets")
    mine = tmp_path / "digits" / "train" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"dear to me")
    with pytest.raises(SettingError, match="holds other things"):
        write_digits(tmp_path / "digits")
    assert mine.read_bytes() == b"dear to me"
