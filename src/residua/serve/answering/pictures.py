"""Encoded pictures to probabilities: decoding in bounded threads, then the model's batcher."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import numpy as np

from residua.base.errors import ImageError
from residua.base.machine import usable_cores
from residua.bundle.schema import Preprocess
from residua.pixels.limits import Limits
from residua.pixels.prepare import prepare, prepare_pixels
from residua.pixels.sniff import sniff
from residua.predict.remote import fetch_picture
from residua.serve.admission.house import House
from residua.serve.metrics import Metrics
from residua.serve.models.model import Model
from residua.serve.refusals import Kind, Refusal, late, refuse_picture
from residua.serve.settings import Settings


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a request: encoded bytes, an https address, or pixels uint8 [H, W, C]."""

    name: str
    content: bytes | str | np.ndarray


Row = np.ndarray | Refusal
_SMALL, _FEW = 500_000, 1_000_000  # bytes, pixels of what is decoded beside the engine


class Answerer:
    """Answers pictures, for every protocol alike. Belongs to one event loop."""

    def __init__(self, settings: Settings, house: House, metrics: Metrics) -> None:
        """Start the threads that decode, one a core, and those that fetch."""
        self.settings = settings
        self.house = house
        self._metrics = metrics
        self._decoders = ThreadPoolExecutor(usable_cores(), "decode")
        self._fetchers = ThreadPoolExecutor(8, "fetch")

    def set_deadline(self, wanted: float | None) -> tuple[float, float]:
        """Return the seconds that a request may take, and the moment in the loop's time."""
        seconds = self.settings.timeout if wanted is None else wanted
        if not 0 < seconds <= self.settings.longest_timeout:
            raise Refusal(
                Kind.INVALID,
                f"A timeout of {seconds:g} s; it must lie in 0…{self.settings.longest_timeout:g}.",
            )
        return seconds, asyncio.get_running_loop().time() + seconds

    async def answer(
        self, model: Model, pictures: Sequence[Picture], timeout: float | None = None
    ) -> list[Row]:
        """Return for each picture its probabilities [classes], or why there are none, in order.

        Raises Refusal where the house is full, there are too many, or the deadline passes.
        """
        if not pictures:
            raise Refusal(Kind.INVALID, "The request holds no picture.")
        if len(pictures) > self.settings.max_images:
            raise Refusal(
                Kind.TOO_LARGE,
                f"{len(pictures)} pictures in one request; the limit is "
                f"{self.settings.max_images}.",
            )
        seconds, deadline = self.set_deadline(timeout)
        with self.house.admit_images(len(pictures), seconds) as stay:
            try:
                async with asyncio.timeout_at(deadline):
                    rows = await gather(
                        [self._answer(model, picture, deadline) for picture in pictures]
                    )
            except TimeoutError:
                raise late(seconds) from None
            found = sum(not isinstance(row, Refusal) for row in rows)
            if found == len(rows):  # what is refused takes no time to speak of
                stay.is_answered()
        self._metrics.images.labels(model.name, model.version).inc(found)
        for row in rows:
            if isinstance(row, Refusal):
                self._metrics.rejected.labels(row.kind.reason).inc()
        return rows

    async def _answer(self, model: Model, picture: Picture, deadline: float) -> Row:
        preprocess = model.manifest.preprocess
        try:
            if self.house.images == 1 and _is_small(picture):  # nobody else would wait for it
                row = await model.batcher.answer_alone(
                    partial(self._decode_here, picture, preprocess)
                )
                if row is not None:
                    return row
            crop = await self._decode(picture, preprocess)
            return await model.batcher.put(crop, deadline)
        except Refusal as refusal:
            if refusal.kind is Kind.LATE:
                raise TimeoutError from None
            return refusal

    async def _decode(self, picture: Picture, preprocess: Preprocess) -> np.ndarray:
        loop, settings = asyncio.get_running_loop(), self.settings
        if isinstance(picture.content, str):  # in threads of their own: hosts may be slow
            content = await loop.run_in_executor(
                self._fetchers, fetch, picture.content, settings.url_hosts, settings.limits
            )
            picture = Picture(picture.name, content)
        begun = loop.time()
        crop = await loop.run_in_executor(
            self._decoders, decode, picture, preprocess, settings.limits
        )
        self._metrics.decoding.observe(loop.time() - begun)
        return crop

    def _decode_here(self, picture: Picture, preprocess: Preprocess) -> np.ndarray | None:
        """Return the crop of a picture; None where making it would hold the engine up."""
        begun = time.perf_counter()
        if _count_pixels(picture, self.settings.limits) > _FEW:
            return None
        crop = decode(picture, preprocess, self.settings.limits)
        self._metrics.decoding.observe(time.perf_counter() - begun)
        return crop

    def close(self) -> None:
        """End the threads."""
        for threads in (self._decoders, self._fetchers):
            threads.shutdown(wait=False, cancel_futures=True)


def _is_small(picture: Picture) -> bool:
    """Tell whether a picture is there, and is small enough to look at its header."""
    return isinstance(picture.content, bytes) and len(picture.content) <= _SMALL


def _count_pixels(picture: Picture, limits: Limits) -> int:
    """Return what the header declares; of a picture that is refused for it nothing is decoded."""
    assert isinstance(picture.content, bytes)  # noqa: S101  # ours: those alone are small
    try:
        header = sniff(picture.content, limits=limits, name=picture.name)
    except ImageError:
        return 0
    return header.width * header.height


async def gather(answers: Sequence[Coroutine[None, None, Row]]) -> list[Row]:
    """Return all of them in order; what one raises ends the others."""
    if len(answers) == 1:
        return [await answers[0]]
    under_way = [asyncio.ensure_future(answer) for answer in answers]
    try:
        return await asyncio.gather(*under_way)
    finally:
        for each in under_way:
            each.cancel()


def decode(picture: Picture, preprocess: Preprocess, limits: Limits) -> np.ndarray:
    """Return the crop of a picture, uint8 [crop, crop, C]. Raises Refusal.

    Pixels that have the size of a crop are taken for one.
    """
    content = picture.content
    try:
        if isinstance(content, bytes):
            return prepare(content, preprocess, limits=limits, name=picture.name)
        assert isinstance(content, np.ndarray)  # noqa: S101  # ours: addresses are fetched before
        side = preprocess.crop_size
        if content.shape == (side, side, preprocess.channels):
            return np.ascontiguousarray(content)
        return prepare_pixels(content, preprocess, limits=limits, name=picture.name)
    except ImageError as error:
        refusal = refuse_picture(error)
    # Not from within: what it was caused by holds the frames of this thread, and through them the
    # model that answers, in a cycle.
    raise refusal


def fetch(address: str, hosts: Sequence[str], limits: Limits) -> bytes:
    """Return what lies at an https address of one of ``hosts``. Raises Refusal."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    if host not in hosts:
        raise Refusal(
            Kind.FORBIDDEN,
            "Addresses are not read from that host; the server's --allow-url-host names those "
            "that are.",
        )
    try:
        return fetch_picture(address, max_bytes=limits.max_bytes)
    except (OSError, ValueError) as error:  # ValueError: letters that no address has
        raise Refusal(Kind.UNREACHABLE, f"The picture could not be fetched: {error}.") from error
