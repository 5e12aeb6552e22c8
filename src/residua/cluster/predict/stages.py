"""What a row goes through: decoded by one worker, computed by another, with predict's own parts.

A picture that cannot be used is a row with the reason, as everywhere.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from residua.base.errors import ImageError
from residua.bundle.schema import Preprocess
from residua.cluster.pictures.span_rows import ROW
from residua.cluster.predict.reading import read_ahead
from residua.cluster.ship import receive
from residua.pixels.limits import Limits
from residua.predict.classifier import Classifier
from residua.predict.crops import prepare_item
from residua.predict.results import Prediction, choose_cut, rank


@dataclass(frozen=True, slots=True)
class Decode:
    """Rows with places or bytes → rows with crops: uint8 [crop, crop, C] as bytes, or null."""

    preprocess: Preprocess
    limits: Limits
    exact: bool = False

    def __call__(self, table: pa.Table) -> pa.Table:
        """Decode the pictures of a batch, one after another."""
        crops: list[bytes | None] = []
        errors, reasons = [], []
        for row, item in read_ahead(_list_rows(table), self.limits):
            crop, error, reason = None, row.get("error"), row.get("reason")
            if error is None:
                try:
                    crop = prepare_item(item, self.preprocess, self.limits, exact=self.exact)
                except ImageError as problem:
                    error, reason = problem.problem, problem.reason
            crops.append(None if crop is None else crop.tobytes())
            errors.append(error)
            reasons.append(reason)
        return pa.table(
            {
                ROW: table.column(ROW), "filename": table.column("filename"),
                "crop": pa.array(crops, pa.large_binary()),
                "error": pa.array(errors, pa.string()), "reason": pa.array(reasons, pa.string()),
            }
        )  # fmt: skip


def _list_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=64):
        yield from batch.to_pylist()


class Compute:
    """Rows with crops → rows with classes: an engine that stays open."""

    def __init__(
        self, sent: Any, board: Any, *, top_k: int | None, threshold: float | None, **how: Any
    ) -> None:
        """``sent`` is the bundle, ``how`` what a Classifier takes; ``board`` counts the rows."""
        self._classifier = Classifier(receive(sent), hint="throughput", **how)
        self._top_k, self._threshold = choose_cut(self._classifier.manifest, top_k, threshold)
        self._board = board
        self._threads = ThreadPoolExecutor(self._classifier.engine.lanes, "compute")

    def __call__(self, table: pa.Table) -> pa.Table:
        """Run the network on the crops of a batch."""
        found = list(self._predict(table))
        self._board.count.remote(done=len(found), bad=sum(not each.ok for each in found))
        return pa.table(
            {
                ROW: table.column(ROW), "filename": table.column("filename"),
                "class_ids": pa.array([each.class_ids for each in found], pa.list_(pa.int32())),
                "scores": pa.array([each.scores for each in found], pa.list_(pa.float32())),
                "label_names": pa.array(
                    [each.label_names for each in found], pa.list_(pa.string())
                ),
                "error": table.column("error"), "reason": table.column("reason"),
            }
        )  # fmt: skip

    def _predict(self, table: pa.Table) -> Iterator[Prediction]:
        classifier = self._classifier
        names, crops = table.column("filename").to_pylist(), table.column("crop").to_pylist()
        side = classifier.manifest.preprocess.crop_size
        good = [crop for crop in crops if crop is not None]
        pixels = np.frombuffer(b"".join(good), dtype=np.uint8)
        answers = iter(self._run(pixels.reshape(len(good), side, side, -1)) if good else ())
        for name, crop, error in zip(names, crops, table.column("error").to_pylist(), strict=True):
            if crop is None:
                yield Prediction(name, error=error)
                continue
            yield rank(
                next(answers), classifier.classes, filename=name, top_k=self._top_k,
                threshold=self._threshold,
            )  # fmt: skip

    def _run(self, crops: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the probabilities of each crop; several runs are under way where that pays."""
        engine = self._classifier.engine
        size = engine.good_batch
        parts = [crops[at : at + size] for at in range(0, len(crops), size)]
        for found in self._threads.map(engine.run, parts):
            yield from found
