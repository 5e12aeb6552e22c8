"""Views: evaluation is ``prepare`` and nothing else; training is a function of its keys."""

import hashlib
import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from data.shapes import write_shapes
from residua.base.errors import DataError, ImageError
from residua.bundle.schema import Preprocess
from residua.data.augment.chain import augment, choose_size
from residua.data.augment.crop import draw_box, draw_flip, draw_shift
from residua.data.cache import PixelCache
from residua.data.loader import batches, cut
from residua.data.settings import (
    AugmentPart,
    CropPart,
    JitterPart,
    PolicyPart,
    ProgressivePart,
)
from residua.data.sources.folder import read_folder
from residua.data.view import EvaluationView, TrainingView
from residua.pixels.prepare import prepare

_PREPROCESS = Preprocess(crop_size=16, short_side=18)
_AUGMENT = AugmentPart(image_size=16)
_WHOLE = AugmentPart(image_size=16, crop=CropPart(scale=(1, 1), ratio=(1, 1)), flip=0)
_EVERYTHING = AugmentPart(
    image_size=16,
    interpolation="random",
    policy=PolicyPart(kind="randaugment"),
    jitter=JitterPart(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    lighting=0.1,
)


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


@pytest.mark.parametrize("rule", ["torchvision", "paddle"])
def test_training_crops_are_the_drawn_box(source, rule):
    """Against Pillow by hand: crop the box, resize, mirror; rounded otherwise here and there."""
    part = AugmentPart(image_size=16, crop=CropPart(scale=(0.3, 1.0), rule=rule))
    view = TrainingView(source, _PREPROCESS, part, seed=4)
    mirrored_any = False
    for index in range(len(source)):
        keys = {"seed": 4, "epoch": 2, "ticket": index}
        image = Image.open(io.BytesIO(source.read(index)))
        box = draw_box(*image.size, part.crop, **keys)
        expected = image.crop(box.edges).resize((16, 16), Image.Resampling.BILINEAR)
        if draw_flip(0.5, **keys):
            expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            mirrored_any = True
        steps = np.abs(_crop(view, index, epoch=2).astype(int) - np.asarray(expected))
        assert steps.max() <= 1
        assert steps.mean() < 0.1
    assert mirrored_any


def test_everything_else_follows_the_crop(source):
    plain = AugmentPart(image_size=16, interpolation="bicubic", flip=0)
    part = _EVERYTHING.model_copy(update={"interpolation": "bicubic"})
    bare = TrainingView(source, _PREPROCESS, plain, seed=4)
    view = TrainingView(source, _PREPROCESS, part, seed=4)
    for index in range(len(source)):
        expected = augment(
            _crop(bare, index), part, _PREPROCESS,
            seed=4, epoch=0, ticket=index, interpolation="bicubic",
        )  # fmt: skip
        np.testing.assert_array_equal(_crop(view, index), expected)


def test_interpolation_is_given_chosen_or_drawn(source):
    def crops(interpolation):
        part = AugmentPart(image_size=16, interpolation=interpolation)
        view = TrainingView(source, _PREPROCESS, part, seed=0)
        return [_crop(view, index).tobytes() for index in range(len(source))]

    given, bilinear, bicubic, drawn = map(crops, ("given", "bilinear", "bicubic", "random"))
    assert given == bilinear != bicubic
    linear = [drawn[i] == bilinear[i] for i in range(len(source))]
    assert 0 < sum(linear) < len(source)
    assert all(drawn[i] in {bilinear[i], bicubic[i]} for i in range(len(source)))


def test_central_crops_are_what_evaluation_sees(source):
    part = AugmentPart(image_size=16, crop=CropPart(kind="centre"), flip=0)
    view = TrainingView(source, _PREPROCESS, part, seed=0)
    for _ in range(2):
        for index in range(len(source)):
            np.testing.assert_array_equal(
                _crop(view, index), prepare(source.read(index), _PREPROCESS)
            )


def test_padded_crops_are_what_evaluation_sees_shifted(source):
    part = AugmentPart(image_size=16, crop=CropPart(kind="padded", padding=3))
    view = TrainingView(source, _PREPROCESS, part, seed=5)
    for index in range(len(source)):
        keys = {"seed": 5, "epoch": 2, "ticket": index}
        left, top = draw_shift(3, **keys)
        border = np.pad(prepare(source.read(index), _PREPROCESS), ((3, 3), (3, 3), (0, 0)))
        expected = border[top : top + 16, left : left + 16]
        if draw_flip(0.5, **keys):
            expected = expected[:, ::-1]
        np.testing.assert_array_equal(_crop(view, index, epoch=2), expected)


def test_progressive_sizes_are_those_of_ffcv():
    """rn50_configs/rn50_16_epochs.yaml: 160 to 192 pixels from epoch 11 to 13."""
    growth = ProgressivePart(start_size=160, end_size=192, start_epoch=11, end_epoch=13)
    part = AugmentPart(image_size=192, progressive=growth)
    sizes = [choose_size(part, epoch) for epoch in range(16)]
    assert sizes == [160] * 12 + [192] * 4  # 176 in the middle: 5.5 times 32 goes to 6 times 32
    odd = ProgressivePart(start_size=79, end_size=95, end_epoch=3)
    sizes = [choose_size(part.model_copy(update={"progressive": odd}), n) for n in range(4)]
    assert sizes == [79, 95, 95, 95]  # 96 would be beyond the end, as 64 before the start
    growth = growth.model_copy(update={"start_epoch": 6})
    fine = part.model_copy(update={"progressive": growth.model_copy(update={"multiple": 8})})
    assert [choose_size(fine, epoch) for epoch in range(6, 14)] == [
        160, 168, 168, 176, 176, 184, 184, 192,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["random", "centre"])
def test_sizes_follow_the_epoch_whatever_is_in_memory(source, kind):
    growth = ProgressivePart(start_size=8, end_size=24, end_epoch=2, multiple=4)
    part = AugmentPart(image_size=16, crop=CropPart(kind=kind, scale=(0.3, 1)), progressive=growth)
    view = TrainingView(source, _PREPROCESS, part, seed=0)
    reference = TrainingView(source, _PREPROCESS, part, seed=0, cache=PixelCache(0))
    assert [view.size_at(epoch) for epoch in range(4)] == [8, 16, 24, 24]
    for epoch in (0, 2, 1):
        shape = view.shape_at(epoch)
        assert shape == (view.size_at(epoch),) * 2 + (3,)
        for index in (0, 7):
            ours, theirs = np.zeros(shape, np.uint8), np.ones(shape, np.uint8)
            view.fill(epoch, index, ours)
            reference.fill(epoch, index, theirs)
            np.testing.assert_array_equal(ours, theirs)


def test_copies_of_a_picture_are_augmented_differently(source):
    view = TrainingView(source, _PREPROCESS, _AUGMENT, seed=0, repeats=3)
    whole = TrainingView(source, _PREPROCESS, _WHOLE, seed=0, repeats=3)
    copies = {_crop(view, 3 * 4 + copy).tobytes() for copy in range(3)}
    assert len(copies) == 3
    for copy in range(3):
        np.testing.assert_array_equal(
            _crop(whole, 3 * 4 + copy),
            _crop(TrainingView(source, _PREPROCESS, _WHOLE, seed=0), 4),
        )


@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize("budget", [0, 5000, 1 << 20])
def test_crops_depend_neither_on_threads_nor_on_memory(source, threads, budget):
    reference = TrainingView(source, _PREPROCESS, _EVERYTHING, seed=1, cache=PixelCache(0))
    view = TrainingView(source, _PREPROCESS, _EVERYTHING, seed=1, cache=PixelCache(budget))
    for epoch in range(2):
        loading = batches(
            partial(view.fill, epoch), cut(np.arange(len(source))[::-1], 4),
            shape=view.shape, threads=threads,
        )  # fmt: skip
        seen = 0
        for batch in loading:
            for image, index in zip(batch.images, batch.indices, strict=True):
                np.testing.assert_array_equal(image, _crop(reference, int(index), epoch))
                seen += 1
        assert seen == len(source)


def test_another_epoch_is_another_crop(source):
    view = TrainingView(source, _PREPROCESS, _AUGMENT, seed=1)
    assert (_crop(view, 0, epoch=0) != _crop(view, 0, epoch=1)).any()


@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("RGBA", 4)])
def test_colours_have_their_channels(source, colour, channels):
    statistics = {"mean": (0.5,) * channels, "std": (0.5,) * channels}
    preprocess = Preprocess(crop_size=16, short_side=18, colour=colour, **statistics)
    view = TrainingView(source, preprocess, _EVERYTHING, seed=0)
    for index in range(len(source)):
        assert _crop(view, index).shape == (16, 16, channels)
    evaluation = EvaluationView(source, preprocess)
    evaluation.fill(0, np.empty((16, 16, channels), dtype=np.uint8))
    assert evaluation.shape == (16, 16, channels)


def test_a_bad_picture_is_replaced_by_the_next_of_its_class(source, tmp_path):
    clean = TrainingView(source, _PREPROCESS, _WHOLE, seed=0)
    wanted = _crop(clean, 0)
    broken = tmp_path / "shapes" / "disc" / "004.png"
    broken.write_bytes(b"no picture")
    view = TrainingView(source, _PREPROCESS, _WHOLE, seed=0)
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
    view = TrainingView(source, _PREPROCESS, _AUGMENT, seed=0)
    with pytest.raises(DataError, match="None of the 5 pictures of class 'disc'"):
        _crop(view, 2)


def test_of_multi_label_data_the_same_labels_are_a_class(source, tmp_path):
    labels = np.zeros((len(source), 3), dtype=bool)
    labels[[0, 7, 9], 1] = labels[[0, 7], 2] = True
    many = replace(source, labels=labels)
    wanted = _crop(TrainingView(many, _PREPROCESS, _WHOLE, seed=0), 7)
    (tmp_path / "shapes" / source.names[0]).write_bytes(b"no picture")
    view = TrainingView(many, _PREPROCESS, _WHOLE, seed=0)
    np.testing.assert_array_equal(_crop(view, 0), wanted)
    (tmp_path / "shapes" / source.names[9]).write_bytes(b"no picture")
    with pytest.raises(DataError, match="None of the 1 pictures"):
        _crop(view, 9)
