"""The rows of a job as a data source of Ray: a task reads a span, and each row has its number."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from residua.cluster.pictures.listing import Span
from residua.cluster.pictures.span_rows import read_span

_TASKS = 10_000


class Rows(Datasource):
    """Numbers, names and places of pictures, or their bytes: a block a span, or several.

    A task reads a span; of very many, several.
    """

    def __init__(self, spans: list[Span]) -> None:
        """``spans`` are in order."""
        super().__init__()
        each = -(-len(spans) // _TASKS)
        self._parts = [spans[at : at + each] for at in range(0, len(spans), each)]

    @property
    def count(self) -> int:
        """The number of tasks."""
        return len(self._parts)

    def estimate_inmemory_data_size(self) -> int | None:
        """Return nothing: who reads it knows."""
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        """Return the tasks; ``parallelism`` is a wish of Ray's that is left."""
        del parallelism
        return [
            ReadTask(
                _reader(part),
                BlockMetadata(
                    num_rows=sum(span.rows for span in part), size_bytes=None,
                    input_files=None, exec_stats=None,
                ),
            )
            for part in self._parts
        ]  # fmt: skip


def _reader(part: list[Span]) -> Callable[[], Iterator[Any]]:
    return lambda: chain.from_iterable(map(read_span, part))
