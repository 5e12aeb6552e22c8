"""What training sees of a data set, as a contact sheet: a row a picture, the original first.

The copies are those of a training with the same seed, one an epoch: cropped, augmented and erased
by the same code. Where the recipe mixes, a last row shows pairs as they are mixed in its first
steps, with the shares of their classes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from residua.base.errors import DataError, ImageError
from residua.bundle.schema import Preprocess
from residua.data.augment.erase import erase
from residua.data.augment.mix import mix, one_hot
from residua.data.cache import PixelCache
from residua.data.order import epoch_order
from residua.data.settings import AugmentPart
from residua.data.sheets.sheet import SIDE, Tile, draw_sheet
from residua.data.source import Source
from residua.data.view import TrainingView
from residua.pixels.decode import decode
from residua.pixels.graph import Normalize

_ORIGINAL = (70, 100, 160)
_NOTHING = np.full((1, 1, 3), 255, np.uint8)  # white as the paper


def draw_training(
    source: Source,
    preprocess: Preprocess,
    augment: AugmentPart,
    *,
    seed: int = 0,
    count: int = 8,
    copies: int = 6,
    epoch: int = 0,
    heading: str = "",
) -> Image.Image:
    """Return a sheet of ``count`` pictures of ``source``, of as many classes as there are.

    Each has ``copies``, those of ``epoch`` (from 0; captions count from 1) and the epochs after
    it. Raises DataError where no picture can be read.
    """
    view = TrainingView(source, preprocess, augment, seed=seed, cache=PixelCache())
    chosen = choose_pictures(source, count=count, seed=seed)
    if not chosen:
        raise DataError(f"None of the pictures of {source.title} can be read.")
    columns = [_augment_batch(view, chosen, epoch + number) for number in range(copies)]
    tiles = []
    for row, position in enumerate(chosen):
        tiles.append(_show_original(source, position))
        tiles += [
            Tile(_as_pixels(column[row], preprocess), f"epoch {epoch + number + 1}")
            for number, column in enumerate(columns)
        ]
    if (augment.mix.mixup or augment.mix.cutmix) and len(chosen) > 1 and not source.multi_label:
        tiles.append(Tile(_NOTHING, "pairs as mixed\nin the first steps"))
        tiles += [
            _mix_pair(view, columns[0], chosen, epoch=epoch, step=step) for step in range(copies)
        ]
    return draw_sheet(tiles, columns=copies + 1, heading=heading)


def choose_pictures(source: Source, *, count: int, seed: int) -> list[int]:
    """Return ``count`` positions of readable pictures: the classes take turns, in random order."""
    order = epoch_order(len(source), seed=seed, epoch=0)
    labels = source.labels.reshape(len(source), -1)[order]
    turns = np.zeros(len(order), np.int64)
    _, members = np.unique(labels, axis=0, return_inverse=True)
    for label in np.unique(members):
        same = np.flatnonzero(members.ravel() == label)
        turns[same] = np.arange(len(same))
    chosen: list[int] = []
    for position in order[np.argsort(turns, kind="stable")].tolist():
        if len(chosen) == count:
            break
        try:
            decode(source.read(position), name=source.names[position], min_side=SIDE)
        except (ImageError, OSError):
            continue
        chosen.append(position)
    return chosen


def _augment_batch(view: TrainingView, chosen: list[int], epoch: int) -> Tensor:
    """Return the pictures as the network gets them in ``epoch``, before they are mixed."""
    images = np.empty((len(chosen), *view.shape_at(epoch)), np.uint8)
    tickets = np.array(chosen, np.int64) * view.repeats
    for row, ticket in enumerate(tickets.tolist()):
        view.fill(epoch, ticket, images[row])
    normalize = Normalize(view.preprocess.mean, view.preprocess.std)
    pictures: Tensor = normalize(torch.from_numpy(images))
    return erase(pictures, view.part.erase, seed=view.seed, epoch=epoch, tickets=tickets)


def _mix_pair(
    view: TrainingView, pictures: Tensor, chosen: list[int], *, epoch: int, step: int
) -> Tile:
    """Return the first of a pair as ``step`` mixes it; steps take the pairs in turn."""
    first = 2 * (step % (len(chosen) // 2))
    labels = torch.from_numpy(view.source.labels[chosen[first : first + 2]])
    mixed, targets = mix(
        pictures[first : first + 2],
        one_hot(labels, len(view.source.classes)),
        view.part.mix,
        seed=view.seed, epoch=epoch, step=step,
    )  # fmt: skip
    shares = {
        view.source.classes.names[number]: float(targets[0, number])
        for number in torch.nonzero(targets[0]).flatten().tolist()
    }
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    caption = "\n".join(f"{share:.0%} {name}" for name, share in ranked if share >= 0.005)
    return Tile(_as_pixels(mixed[0], view.preprocess), caption)


def _show_original(source: Source, position: int) -> Tile:
    name = source.names[position]
    pixels = decode(source.read(position), name=name)
    height, width = pixels.shape[:2]
    caption = f"{name}\n{source.spell_label(position)}, {width} x {height}"
    return Tile(pixels, caption, _ORIGINAL)


def _as_pixels(picture: Tensor, preprocess: Preprocess) -> NDArray[np.uint8]:
    """Undo the normalisation: float [C, H, W] → uint8 [H, W, C]."""
    values = picture.permute(1, 2, 0).double().numpy()
    values = (values * np.array(preprocess.std) + np.array(preprocess.mean)) * 255
    pixels: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels
