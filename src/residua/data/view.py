"""What a network sees of a source: training crops, or exactly what prediction sees.

``EvaluationView`` is ``pixels.prepare`` and nothing else, so that evaluation, prediction, exports
and the server give one answer. ``TrainingView`` crops at random and augments; its crops are made
for speed (``pixels.region``), and values may differ by one or two from what ``prepare`` would give.

A picture that cannot be decoded is a Failure of its batch in evaluation: counted, with its reason,
once. In training its place is taken by the next good picture of its class (in the order of the
source, round the end), so that batches keep their size, the schedule its length, and a run stays a
pure function of its seed; ``TrainingView.failures`` tells which.
"""

import hashlib
import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, ImageError
from residua.bundle.schema import Preprocess
from residua.data.augment.chain import augment, choose_interpolation, choose_size
from residua.data.augment.crop import draw_box, draw_shift, shift
from residua.data.cache import PixelCache
from residua.data.loader import Failure, describe_failure
from residua.data.regions import Draw, RegionReader
from residua.data.settings import AugmentPart
from residua.data.source import Source
from residua.pixels.orientation import Box
from residua.pixels.prepare import prepare
from residua.pixels.region import resize_part


class EvaluationView:
    """The crops of a source as prediction makes them; kept in memory within a budget."""

    def __init__(
        self, source: Source, preprocess: Preprocess, *, cache: PixelCache | None = None
    ) -> None:
        """``cache`` holds crops between passes; None makes one of the default budget."""
        self.source, self.preprocess = source, preprocess
        self.cache = PixelCache() if cache is None else cache
        self._digests: dict[int, str] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a crop."""
        return (self.preprocess.crop_size, self.preprocess.crop_size, self.preprocess.channels)

    def fill(self, index: int, out: NDArray[np.uint8]) -> None:
        """Write the crop of picture ``index`` into ``out``; raises ImageError or OSError."""
        crop = self.cache.get(index)
        if crop is None:
            data = self.source.read(index)
            self._digests[index] = hashlib.sha256(data).hexdigest()
            crop = prepare(data, self.preprocess, name=self.source.names[index])
            self.cache.offer(index, crop)
        out[...] = crop

    @property
    def digests(self) -> dict[int, str]:
        """The SHA-256 of each picture read so far, by position."""
        return dict(self._digests)

    def data_sha256(self, digests: Mapping[int, str] | None = None) -> str:
        """Return the fingerprint of the pictures read so far: of contents and classes, not names.

        It is the SHA-256 of the sorted lines "SHA-256 of the file, tab, class". ``digests``, by
        position, stand for the pictures that other processes have read as well.
        """
        known = self._digests if digests is None else digests
        lines = sorted(f"{digest}\t{self.source.spell_label(i)}" for i, digest in known.items())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class TrainingView:
    """Augmented crops of a source: a pure function of (seed, epoch, ticket)."""

    def __init__(
        self,
        source: Source,
        preprocess: Preprocess,
        augment: AugmentPart,
        *,
        seed: int,
        repeats: int = 1,
        cache: PixelCache | None = None,
    ) -> None:
        """``preprocess`` gives colour and resampler, ``augment`` the rest.

        ``repeats`` is that of the order (see ``order.py``); ``cache`` holds decoded pictures.
        """
        self.source, self.preprocess, self.part = source, preprocess, augment
        self.seed, self.repeats = seed, repeats
        self.cache = PixelCache() if cache is None else cache
        self.failures: dict[int, Failure] = {}
        self._lock = threading.Lock()
        # As in ``prepare``, OpenCV's resampling, which skips pixels, gets pictures of full size.
        self._regions = RegionReader(
            source,
            self.cache,
            colour=preprocess.colour,
            reducible=preprocess.resampler == "pillow",
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a crop of the recipe's image size."""
        return (self.part.image_size, self.part.image_size, self.preprocess.channels)

    def size_at(self, epoch: int) -> int:
        """Return the image size of ``epoch`` in pixels, which progressive resizing changes."""
        return choose_size(self.part, epoch)

    def shape_at(self, epoch: int) -> tuple[int, int, int]:
        """Return height, width and channels of a crop in ``epoch``."""
        size = self.size_at(epoch)
        return (size, size, self.preprocess.channels)

    def fill(self, epoch: int, ticket: int, out: NDArray[np.uint8]) -> None:
        """Write the crop of ``ticket`` in ``epoch`` into ``out``, whose shape says its size."""
        interpolation = choose_interpolation(
            self.part, self.preprocess, seed=self.seed, epoch=epoch, ticket=ticket
        )

        def draw(width: int, height: int) -> Box:
            keys = {"seed": self.seed, "epoch": epoch, "ticket": ticket}
            return draw_box(width, height, self.part.crop, **keys).edges

        crop = self._pixels(ticket // self.repeats, out.shape[0], draw)
        if self.part.crop.kind == "padded":
            padding = self.part.crop.padding
            place = draw_shift(padding, seed=self.seed, epoch=epoch, ticket=ticket)
            crop = shift(crop, padding, place)
        elif self.part.crop.kind == "random":
            crop = resize_part(
                crop,
                (out.shape[1], out.shape[0]),
                resampler=self.preprocess.resampler,
                interpolation=interpolation,
            )
        out[...] = augment(
            crop,
            self.part,
            self.preprocess,
            seed=self.seed,
            epoch=epoch,
            ticket=ticket,
            interpolation=interpolation,
        )

    def _pixels(self, index: int, size: int, draw: Draw) -> NDArray[np.uint8]:
        """Return what is cropped of picture ``index``, or of the next good one of its class.

        Of multi-label data those of the very same labels are a class.
        """
        pixels = self._loaded(index, size, draw)
        if pixels is not None:
            return pixels
        labels = self.source.labels.reshape(len(self.source), -1)
        same = np.flatnonzero((labels == labels[index]).all(axis=1))
        for candidate in np.roll(same, -int(np.searchsorted(same, index))):
            pixels = self._loaded(int(candidate), size, draw)
            if pixels is not None:
                return pixels
        label = self.source.spell_label(index)
        which = f"of class {label!r}" if label else "without a label"
        raise DataError(
            f"None of the {len(same)} pictures {which} can be read. One of them: "
            f"{self.failures[index].message}",
            next_step="Replace the files, or take them out of the data.",
        )

    def _loaded(self, index: int, size: int, draw: Draw) -> NDArray[np.uint8] | None:
        """Return what is cropped of picture ``index``; None where it cannot be read."""
        if index in self.failures:
            return None
        try:
            if self.part.crop.kind == "random":
                return self._regions.read(index, draw, (size, size))
            return self._prepare(index, size)
        except (ImageError, OSError) as error:
            with self._lock:
                self.failures[index] = describe_failure(index, error)
            return None

    def _prepare(self, index: int, size: int) -> NDArray[np.uint8]:
        """Return what evaluation at ``size`` would see of picture ``index``."""
        # Central crops are kept as crops, which does only where all have one size.
        kept = self.part.progressive is None
        crop = self.cache.get(index) if kept else None
        if crop is None:
            given = self.preprocess
            short_side = round(given.short_side * size / given.crop_size)
            sized = given.model_copy(update={"crop_size": size, "short_side": short_side})
            crop = prepare(self.source.read(index), sized, name=self.source.names[index])
            if kept:
                self.cache.offer(index, crop)
        return crop
