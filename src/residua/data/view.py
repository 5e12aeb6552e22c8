"""What a network sees of a source: training crops, or exactly what prediction sees.

``EvaluationView`` is ``pixels.prepare`` and nothing else, so that evaluation, prediction, exports
and the server give one answer. ``TrainingView`` crops and mirrors at random.

A picture that cannot be decoded is a Failure of its batch in evaluation: counted, with its reason,
once. In training its place is taken by the next good picture of its class (in the order of the
source, round the end), so that batches keep their size, the schedule its length, and a run stays a
pure function of its seed; ``TrainingView.failures`` tells which.
"""

import hashlib
import math
import threading

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, ImageError
from residua.bundle.schema import Preprocess
from residua.data.cache import PixelCache
from residua.data.crop import CropRule, draw_crop
from residua.data.loader import Failure, describe_failure
from residua.data.source import Source
from residua.pixels.decode import decode
from residua.pixels.prepare import prepare
from residua.pixels.resize import resize


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

    def data_sha256(self) -> str:
        """Return the fingerprint of the pictures read so far: of contents and classes, not names.

        It is the SHA-256 of the sorted lines "SHA-256 of the file, tab, class".
        """
        names, labels = self.source.classes.names, self.source.labels
        lines = sorted(f"{digest}\t{names[labels[i]]}" for i, digest in self._digests.items())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class TrainingView:
    """Random crops of a source: a pure function of (seed, epoch, position)."""

    def __init__(
        self,
        source: Source,
        preprocess: Preprocess,
        rule: CropRule,
        *,
        seed: int,
        cache: PixelCache | None = None,
    ) -> None:
        """``preprocess`` gives size, colour and resampler; ``cache`` holds decoded pictures."""
        self.source, self.preprocess, self.rule, self.seed = source, preprocess, rule, seed
        self.cache = PixelCache() if cache is None else cache
        self.failures: dict[int, Failure] = {}
        self._lock = threading.Lock()
        # Even the smallest square crop of a picture reduced to this side is not enlarged. As in
        # ``prepare``, OpenCV's resampling, which skips pixels, gets pictures of full size.
        reduced = math.ceil(preprocess.crop_size / math.sqrt(rule.scale[0]))
        self._min_side = reduced if preprocess.resampler == "pillow" else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a crop."""
        return (self.preprocess.crop_size, self.preprocess.crop_size, self.preprocess.channels)

    def fill(self, epoch: int, index: int, out: NDArray[np.uint8]) -> None:
        """Write the crop of sample ``index`` in ``epoch`` into ``out``."""
        pixels = self._pixels(index)
        height, width = pixels.shape[:2]
        box, mirrored = draw_crop(
            width, height, self.rule, seed=self.seed, epoch=epoch, index=index
        )
        crop = resize(
            pixels,
            (self.preprocess.crop_size, self.preprocess.crop_size),
            resampler=self.preprocess.resampler,
            interpolation=self.preprocess.interpolation,
            box=box.edges,
        )
        crop = crop.reshape(self.shape)
        out[...] = crop[:, ::-1] if mirrored else crop

    def _pixels(self, index: int) -> NDArray[np.uint8]:
        """Return picture ``index`` decoded, or the next good one of its class."""
        pixels = self._decoded(index)
        if pixels is not None:
            return pixels
        same = np.flatnonzero(self.source.labels == self.source.labels[index])
        for candidate in np.roll(same, -int(np.searchsorted(same, index))):
            pixels = self._decoded(int(candidate))
            if pixels is not None:
                return pixels
        label = self.source.classes.names[int(self.source.labels[index])]
        raise DataError(
            f"None of the {len(same)} pictures of class {label!r} can be read. One of them: "
            f"{self.failures[index].message}",
            next_step="Replace the files, or take the class's folder away.",
        )

    def _decoded(self, index: int) -> NDArray[np.uint8] | None:
        pixels = self.cache.get(index)
        if pixels is not None or index in self.failures:
            return pixels
        name = self.source.names[index]
        try:
            pixels = decode(
                self.source.read(index),
                name=name,
                colour=self.preprocess.colour,
                min_side=self._min_side,
            )
        except (ImageError, OSError) as error:
            with self._lock:
                self.failures[index] = describe_failure(index, error)
            return None
        self.cache.offer(index, pixels)
        return pixels
