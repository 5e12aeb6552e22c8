"""Scoring on a cluster: one worker lists the chunks, others ask their teachers about them.

The scores of a chunk are a file of the shared folder, written whole or not at all: a chunk that is
asked about twice, since a machine was lost, is there once.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from ray.data import ActorPoolStrategy, Datasource, ReadTask, read_datasource
from ray.data.block import BlockMetadata

from residua.base.progress import Progress
from residua.cluster.connect import Cluster
from residua.cluster.data import configured, share_out
from residua.cluster.herald import listening
from residua.cluster.ship import receive, send
from residua.data.source import Source
from residua.data.sources.unlabelled import Unlabelled
from residua.distil.mine.asking import Asker, Run
from residua.evaluate.ranks import Ranks
from residua.predict.classifier import Classifier


@dataclass(frozen=True, slots=True)
class ClusterScoring:
    """``score`` is a ``Scoring`` of ``distil.mine``, with so many engines (None: as there is room).

    ``how`` is what a Classifier takes, besides ``threads``.
    """

    cluster: Cluster
    engines: tuple[int, int] | None
    threads: int
    how: dict[str, Any]

    def score(self, run: Run, _: Ranks) -> int:
        """Ask about all chunks of ``run`` that have no scores; return how many chunks there are."""
        shares = share_out(self.cluster, self.engines, self.threads)
        progress = Progress("Asking the teacher")

        def hear(_: list[str], counts: dict[str, int]) -> None:
            progress.advance(counts.get("done", 0) - progress.done)

        # A block a chunk: each may go to another machine.
        with configured(self.cluster, target_max_block_size=1), listening(hear) as board:
            sent = send(run.teacher.bundle)
            chunks = read_datasource(_Chunks(_listing(run)), num_cpus=shares.light)
            asked = chunks.map_batches(
                _Teacher,
                fn_constructor_args=(sent, board, _listing(run), run.validation),
                fn_constructor_kwargs={"threads": self.threads, **self.how},
                batch_size=1, batch_format="pyarrow",
                compute=ActorPoolStrategy(min_size=shares.engines[0], max_size=shares.engines[1]),
                num_cpus=shares.engine, num_gpus=shares.gpu or None,
            )  # fmt: skip
            count = 0
            for batch in asked.iter_batches(batch_size=None, batch_format="pyarrow"):
                count = max(count, *(1 + number for number in batch.column("number").to_pylist()))
        progress.close()
        return count


@dataclass(frozen=True, slots=True)
class _Listing:
    """What of a ``Run`` travels: everything but the teacher."""

    pictures: Unlabelled
    work: Any
    chunk: int

    def run(self) -> Run:
        """Return a run that lists and keeps, and asks nobody."""
        nobody: Any = None
        return Run(self.pictures, self.work, self.chunk, nobody, None)


def _listing(run: Run) -> _Listing:
    from pathlib import Path

    root = run.pictures.root
    pictures = replace(
        run.pictures, place=str(Path(run.pictures.place).absolute()),
        root=None if root is None else root.absolute(),
    )  # fmt: skip
    return _Listing(pictures, run.work.absolute(), run.chunk)


class _Chunks(Datasource):
    """One task that lists the chunks, as fast as they are asked about."""

    def __init__(self, listing: _Listing) -> None:
        super().__init__()
        self._listing = listing

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        del parallelism
        metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        listing = self._listing
        return [ReadTask(lambda: _list(listing), metadata)]


def _list(listing: _Listing) -> Iterator[Any]:
    """Yield the number of each chunk, with the chunk where it has no scores."""
    run = listing.run()
    for number, part in run.cut():
        known = run.has(number, part)
        content = pa.array([None if known else pickle.dumps(part)], pa.large_binary())
        yield pa.table({"number": pa.array([number], pa.int64()), "chunk": content})


class _Teacher:
    """A worker that asks its teacher about chunks, and keeps what it says."""

    def __init__(
        self, sent: Any, board: Any, listing: _Listing, validation: Source | None, **how: Any
    ) -> None:
        self._asker = Asker(Classifier(receive(sent), hint="throughput", **how), validation)
        self._board, self._run = board, listing.run()

    def __call__(self, table: pa.Table) -> pa.Table:
        """Ask about the chunks of a batch that are there to be asked about."""
        for row in table.to_pylist():
            if row["chunk"] is None:
                continue
            part = pickle.loads(row["chunk"])  # noqa: S301  # of a worker of the same job
            self._run.keep(row["number"], self._asker.ask(part))
            self._board.count.remote(done=len(part.names))
        return table.select(["number"])
