"""``Classifier``: a bundle ready to predict. ``residua.load`` makes one from a name or a path."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from residua.base.errors import ImageError, SettingError
from residua.bundle.schema import Classes, Manifest
from residua.bundle.store import Bundle
from residua.engines.choose import Notify, open_engine
from residua.engines.engine import Hint
from residua.pixels.limits import DEFAULT_LIMITS, Limits
from residua.predict.crops import prepare_item
from residua.predict.inputs import Item, list_items
from residua.predict.pipeline import run_ahead
from residua.predict.results import Prediction, choose_cut, rank
from residua.zoo.weights.resolve import open_bundle


class Classifier:
    """A network with its classes and its preprocessing, ready to predict pictures."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "fp32",
        threads: int | None = None,
        hint: Hint = "latency",
        limits: Limits = DEFAULT_LIMITS,
        exact: bool = False,
        notify: Notify | None = None,
    ) -> None:
        """Open an engine for ``bundle`` (see ``residua.load``)."""
        self.bundle = bundle
        self.limits = limits
        self.exact = exact
        self.engine = open_engine(
            bundle, engine=engine, device=device, precision=precision, threads=threads, hint=hint,
            notify=notify,
        )  # fmt: skip

    def __repr__(self) -> str:
        """The row, the number of classes and the engine."""
        row = self.manifest.architecture.name
        return f"<Classifier {row}, {len(self.classes)} classes, {self.engine.name}>"

    @property
    def manifest(self) -> Manifest:
        """Everything that the bundle says of the classifier."""
        return self.bundle.manifest

    @property
    def classes(self) -> Classes:
        """The classes in the order of the outputs."""
        return self.manifest.classes

    def predict(
        self,
        inputs: Any,
        *,
        top_k: int | None = None,
        batch_size: int | None = None,
        threshold: float | None = None,
        allow_urls: bool = False,
    ) -> Iterator[Prediction]:
        """Yield one Prediction for each picture of ``inputs``, in order.

        Args:
            inputs: a path (file, folder, glob, list file), encoded bytes, a PIL image, a uint8
                array [H, W, 3] in RGB or [H, W] in grey, or any iterable of these.
            top_k: how many classes at the most; None: five, of a multi-label classifier all that
                reach the threshold.
            batch_size: pictures for one run of the network; None takes the engine's own. Inputs
                are read a few batches ahead: give 1 for a live source.
            threshold: leaves out classes of a smaller probability; None: none, of a multi-label
                classifier those below 0.5.
            allow_urls: permits https addresses among the inputs.

        A picture that cannot be used yields a Prediction with ``error`` and ``reason``; it never
        ends the run. Memory does not grow with the number of pictures.
        """
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise SettingError(f"batch_size is {batch_size}; it must be a whole number from 1 on.")
        top_k, threshold = choose_cut(self.manifest, top_k, threshold)
        items = list_items(inputs, allow_urls=allow_urls)
        return self._predict(items, top_k, batch_size or self.engine.good_batch, threshold)

    def _predict(
        self, items: Iterator[Item], top_k: int, batch_size: int, threshold: float
    ) -> Iterator[Prediction]:
        prepare = partial(
            prepare_item, preprocess=self.manifest.preprocess, limits=self.limits, exact=self.exact
        )
        for item, outcome in run_ahead(items, prepare, self.engine, batch_size=batch_size):
            if isinstance(outcome, ImageError):
                yield Prediction(item.name, error=outcome.problem, reason=outcome.reason)
            else:
                yield rank(
                    outcome, self.classes, filename=item.name, top_k=top_k, threshold=threshold
                )


def load(
    name_or_path: str | Path,
    *,
    architecture: str | None = None,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
    hint: Hint = "latency",
    limits: Limits = DEFAULT_LIMITS,
    exact: bool = False,
    notify: Notify | None = None,
) -> Classifier:
    """Return a Classifier for a zoo name ("ResNet50_vd_ssld"), a bundle or a weight file.

    The weights of a zoo name are fetched at its first use. ``architecture`` names the row of a
    weight file whose tensors fit several. ``engine`` is "auto" or a name (``engines/engine.py``);
    ``device`` "auto", "cpu" or "cuda"; ``precision`` "fp32", "bf16", "fp16", "int8" or "fastest";
    ``threads`` None means all cores; ``hint`` "throughput" suits many pictures, "latency" one at a
    time. ``limits`` bound what a picture may claim to be; ``exact`` decodes very large photos at
    full size, which is slower. ``notify`` hears what the choice of an engine found.

    >>> classifier = load("flowers.bundle")                    # doctest: +SKIP
    >>> next(classifier.predict("rose.jpg")).label_names[0]    # doctest: +SKIP
    'roses'
    """
    bundle = open_bundle(name_or_path, architecture=architecture)
    return Classifier(
        bundle, engine=engine, device=device, precision=precision, threads=threads, hint=hint,
        limits=limits, exact=exact, notify=notify,
    )  # fmt: skip
