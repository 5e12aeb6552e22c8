"""The sheet of what training sees holds what training sees."""

import numpy as np
import pytest

from data.scenes import draw_scene, encode, write_files
from residua.base.errors import DataError
from residua.bundle.schema import Preprocess
from residua.data.settings import AugmentPart, CropPart, ErasePart, MixPart, PolicyPart
from residua.data.sheets.show import choose_pictures, draw_training
from residua.data.sources.folder import read_folder
from residua.data.view import TrainingView

SIDE, STEP = 180, 188  # of a tile, and from one to the next


@pytest.fixture
def source(tmp_path):
    files = {
        f"{name}/{number}.png": encode(draw_scene(50 * kind + number, 60, 60), "PNG")
        for kind, name in enumerate(("ant", "bee", "cat"))
        for number in range(5)
    }
    files["bee/0.png"] = b"broken"
    return read_folder(write_files(tmp_path, files))


def _tile(sheet, row, column, *, lines):
    top = 8 + row * (SIDE + lines * 17 + 16)
    return np.asarray(sheet)[top : top + SIDE, 8 + column * STEP : 8 + column * STEP + SIDE]


def test_copies_are_those_of_the_training_with_that_seed(source):
    part = AugmentPart(image_size=60, policy=PolicyPart(kind="trivialaugment"))
    preprocess = Preprocess(crop_size=60, short_side=60)
    sheet = draw_training(source, preprocess, part, seed=5, count=2, copies=3, epoch=4)
    chosen = choose_pictures(source, count=2, seed=5)
    view = TrainingView(source, preprocess, part, seed=5)
    seen = []
    for row, position in enumerate(chosen):
        for column in range(3):
            out = np.empty(view.shape, np.uint8)
            view.fill(4 + column, position, out)
            enlarged = out.repeat(3, axis=0).repeat(3, axis=1)
            assert np.array_equal(_tile(sheet, row, 1 + column, lines=2), enlarged)
            seen.append(out.tobytes())
    assert len(set(seen)) == 6


def test_classes_take_turns_and_bad_pictures_are_passed_over(source):
    chosen = choose_pictures(source, count=9, seed=0)
    labels = [source.spell_label(position) for position in chosen]
    assert all(set(labels[at : at + 3]) == {"ant", "bee", "cat"} for at in (0, 3, 6))
    assert source.names.index("bee/0.png") not in choose_pictures(source, count=99, seed=0)
    assert len(choose_pictures(source, count=99, seed=0)) == 14


def test_erasing_is_shown_in_the_mean_colour(source):
    part = AugmentPart(
        image_size=60, flip=0, crop=CropPart(kind="centre"),
        erase=ErasePart(kind="cutout", size=112),
    )  # fmt: skip
    preprocess = Preprocess(crop_size=60, short_side=60)
    sheet = draw_training(source, preprocess, part, count=1, copies=4)
    mean = np.rint(255 * np.array(preprocess.mean))
    for column in range(1, 5):
        erased = (_tile(sheet, 0, column, lines=2) == mean).all(axis=2).mean()
        assert 0.05 < erased <= 0.26  # a half by a half, cut off at the edges


def test_a_last_row_shows_pairs_as_they_are_mixed(source):
    preprocess = Preprocess(crop_size=60, short_side=60)
    plain = AugmentPart(image_size=60, crop=CropPart(kind="centre"), flip=0)
    mixing = plain.model_copy(update={"mix": MixPart(cutmix=1.0)})
    without = draw_training(source, preprocess, plain, count=2, copies=3)
    mixed = draw_training(source, preprocess, mixing, count=2, copies=3)
    assert mixed.height - without.height == SIDE + 2 * 17 + 16
    first, second = (_tile(mixed, row, 1, lines=2) for row in (0, 1))
    for column in range(1, 4):
        tile = _tile(mixed, 2, column, lines=2)
        own, other = (tile == first).all(axis=2), (tile == second).all(axis=2)
        assert (own | other).all()  # cutmix takes each pixel of one of the two


def test_nothing_readable_is_an_error(tmp_path):
    source = read_folder(write_files(tmp_path, {"a/1.jpg": b"x", "b/1.jpg": b"y"}))
    with pytest.raises(DataError, match="None of the pictures"):
        draw_training(source, Preprocess(), AugmentPart())
