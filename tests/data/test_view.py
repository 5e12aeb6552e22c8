"""Views: evaluation is ``prepare`` and nothing else; training is a function of its keys."""

import hashlib
from functools import partial

import numpy as np
import pytest

from data.shapes import write_shapes
from residua.base.errors import DataError, ImageError
from residua.bundle.schema import Preprocess
from residua.data.cache import PixelCache
from residua.data.crop import CropRule, draw_crop
from residua.data.folder import read_folder
from residua.data.loader import batches, cut
from residua.data.view import EvaluationView, TrainingView
from residua.pixels.prepare import prepare

_PREPROCESS = Preprocess(crop_size=16, short_side=18)


@pytest.fixture
def source(tmp_path):
    return read_folder(write_shapes(tmp_path / "shapes", count=5))


def _crop(view, index, epoch=0):
    out = np.empty(view.shape, dtype=np.uint8)
    view.fill(epoch, index, out)
    return out


def test_evaluation_sees_what_prediction_sees(source):
    view = EvaluationView(source, _PREPROCESS)
    for _ in range(2):  # decoded, then from memory
        for index in range(len(source)):
            out = np.empty(view.shape, dtype=np.uint8)
            view.fill(index, out)
            np.testing.assert_array_equal(out, prepare(source.read(index), _PREPROCESS))


def test_the_fingerprint_knows_contents_and_classes_not_names(source, tmp_path):
    def fingerprint(folder):
        data = read_folder(folder)
        view = EvaluationView(data, _PREPROCESS)
        list(batches(view.fill, cut(np.arange(len(data)), 4), shape=view.shape))
        return view.data_sha256()

    lines = [
        f"{hashlib.sha256(source.read(i)).hexdigest()}\t{source.classes.names[label]}"
        for i, label in enumerate(source.labels)
    ]
    expected = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    assert fingerprint(tmp_path / "shapes") == expected
    (tmp_path / "shapes" / "disc" / "000.png").rename(tmp_path / "shapes" / "disc" / "z.png")
    assert fingerprint(tmp_path / "shapes") == expected
    (tmp_path / "shapes" / "disc" / "z.png").rename(tmp_path / "shapes" / "frame" / "z.png")
    assert fingerprint(tmp_path / "shapes") != expected


def test_training_crops_are_the_drawn_box(source):
    """Against Pillow by hand: crop the box, resize, mirror."""
    import io

    from PIL import Image

    view = TrainingView(source, _PREPROCESS, CropRule(scale=(0.3, 1.0)), seed=4)
    mirrored_any = False
    for index in range(len(source)):
        image = Image.open(io.BytesIO(source.read(index)))
        box, mirrored = draw_crop(*image.size, view.rule, seed=4, epoch=2, index=index)
        expected = image.resize((16, 16), Image.Resampling.BILINEAR, box=box.edges)
        if mirrored:
            expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            mirrored_any = True
        np.testing.assert_array_equal(_crop(view, index, epoch=2), np.asarray(expected))
    assert mirrored_any


@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize("budget", [0, 5000, 1 << 20])
def test_crops_depend_neither_on_threads_nor_on_memory(source, threads, budget):
    reference = TrainingView(source, _PREPROCESS, CropRule(), seed=1, cache=PixelCache(0))
    view = TrainingView(source, _PREPROCESS, CropRule(), seed=1, cache=PixelCache(budget))
    for epoch in range(2):
        loading = batches(
            partial(view.fill, epoch), np.arange(len(source))[::-1],
            batch_size=4, shape=view.shape, threads=threads,
        )  # fmt: skip
        for batch in loading:
            for image, index in zip(batch.images, batch.indices, strict=True):
                np.testing.assert_array_equal(image, _crop(reference, int(index), epoch))


def test_another_epoch_is_another_crop(source):
    view = TrainingView(source, _PREPROCESS, CropRule(), seed=1)
    assert (_crop(view, 0, epoch=0) != _crop(view, 0, epoch=1)).any()


@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("RGBA", 4)])
def test_colours_have_their_channels(source, colour, channels):
    statistics = {"mean": (0.5,) * channels, "std": (0.5,) * channels}
    preprocess = Preprocess(crop_size=16, short_side=18, colour=colour, **statistics)
    for view, crop in (
        (TrainingView(source, preprocess, CropRule(), seed=0), _crop),
        (EvaluationView(source, preprocess), None),
    ):
        out = np.empty(view.shape, dtype=np.uint8)
        view.fill(*((0, 0) if crop else (0,)), out)
        assert out.shape == (16, 16, channels)


def test_a_bad_picture_is_replaced_by_the_next_of_its_class(source, tmp_path):
    clean = TrainingView(source, _PREPROCESS, CropRule(scale=(1, 1), flip=0), seed=0)
    wanted = _crop(clean, 0)
    broken = tmp_path / "shapes" / "disc" / "004.png"
    broken.write_bytes(b"no picture")
    view = TrainingView(source, _PREPROCESS, CropRule(scale=(1, 1), flip=0), seed=0)
    for _ in range(2):
        # Disc 4 is the last of its class: the next one is disc 0.
        np.testing.assert_array_equal(_crop(view, 4), wanted)
    assert [(f.index, f.reason) for f in view.failures.values()] == [(4, "not-an-image")]
    assert "004.png" in view.failures[4].message


def test_evaluation_raises_for_a_bad_picture(source, tmp_path):
    (tmp_path / "shapes" / "disc" / "000.png").write_bytes(b"no picture")
    view = EvaluationView(source, _PREPROCESS)
    with pytest.raises(ImageError, match=r"disc/000\.png"):
        view.fill(0, np.empty(view.shape, dtype=np.uint8))


def test_a_class_of_bad_pictures_ends_the_training(source, tmp_path):
    for path in (tmp_path / "shapes" / "disc").iterdir():
        path.write_bytes(b"no picture")
    view = TrainingView(source, _PREPROCESS, CropRule(), seed=0)
    with pytest.raises(DataError, match="None of the 5 pictures of class 'disc'"):
        _crop(view, 2)
