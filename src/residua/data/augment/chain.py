"""What happens to one crop in a worker thread, and the size that an epoch has."""

import cv2
import numpy as np

from residua.bundle.schema import Preprocess
from residua.data.augment.crop import draw_flip
from residua.data.augment.jitter import jitter
from residua.data.augment.lighting import light
from residua.data.augment.operations import Picture
from residua.data.augment.policy import apply_policy
from residua.data.draws import Purpose, stream
from residua.data.settings import AugmentPart
from residua.pixels.resize import Interpolation


def augment(
    crop: Picture,
    part: AugmentPart,
    preprocess: Preprocess,
    *,
    seed: int,
    epoch: int,
    ticket: int,
    interpolation: Interpolation,
) -> Picture:
    """Mirror a crop (uint8 [H, W, C]), apply the policy, change colours: as drawn for ``ticket``.

    Erasing and mixing come later, on the device. ``interpolation`` is that of the crop: what the
    policy moves is resampled by it too.
    """
    if draw_flip(part.flip, seed=seed, epoch=epoch, ticket=ticket):
        crop = cv2.flip(crop, 1).reshape(crop.shape).astype(np.uint8, copy=False)
    if part.policy.kind != "none":
        numbers = stream(Purpose.POLICY, seed=seed, epoch=epoch, index=ticket)
        crop = apply_policy(
            crop, part.policy, numbers, interpolation=interpolation, mean=preprocess.mean
        )
    crop = jitter(crop, part.jitter, stream(Purpose.JITTER, seed=seed, epoch=epoch, index=ticket))
    numbers = stream(Purpose.LIGHTING, seed=seed, epoch=epoch, index=ticket)
    return light(crop, part.lighting, numbers)


def choose_interpolation(
    part: AugmentPart, preprocess: Preprocess, *, seed: int, epoch: int, ticket: int
) -> Interpolation:
    """Return how the crop of ``ticket`` is resampled."""
    match part.interpolation:
        case "given":
            return preprocess.interpolation
        case "random":
            numbers = stream(Purpose.INTERPOLATION, seed=seed, epoch=epoch, index=ticket)
            return "bilinear" if next(numbers) < 0.5 else "bicubic"
        case chosen:
            return chosen


def choose_size(part: AugmentPart, epoch: int) -> int:
    """Return the image size of ``epoch`` (counted from 0), in pixels."""
    growth = part.progressive
    if growth is None:
        return part.image_size
    if epoch <= growth.start_epoch:
        return growth.start_size
    if epoch >= growth.end_epoch:
        return growth.end_size
    done = (epoch - growth.start_epoch) / (growth.end_epoch - growth.start_epoch)
    size = growth.start_size + (growth.end_size - growth.start_size) * done
    rounded = round(size / growth.multiple) * growth.multiple
    return min(max(rounded, growth.start_size), growth.end_size)
