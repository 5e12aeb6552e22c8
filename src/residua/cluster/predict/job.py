"""A prediction job: a source, two stages and files of results, each picture once in them.

    OUTPUT/….parquet (or .json)    the results; the column row has the number of each picture
    OUTPUT/_residua/job.json       what the job is of, and whether it is done
    OUTPUT/_residua/listing/       the pictures, as they were listed when it began
    OUTPUT/_residua/rows/          which rows are done (Ray Data's checkpoint, in two phases)

The same command goes on with what an interrupted job has left.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

from residua.base.errors import ResiduaError, SettingError
from residua.bundle.store import Bundle
from residua.cluster.claim import claimed
from residua.cluster.pictures.listing import Span, make_spans
from residua.cluster.predict.results import Summary, summarise
from residua.cluster.storage import Place
from residua.cluster.urls import suffix
from residua.pixels.limits import DEFAULT_LIMITS, Limits

Form = Literal["parquet", "json"]
OWN = "_residua"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a job gives, and how: as ``Classifier.predict`` and ``residua.load`` take it.

    ``engines`` are the fewest and the most processes that compute, each with ``threads`` threads,
    or a GPU; all else of the cluster decodes. ``image`` and ``name`` are columns of Parquet data;
    ``allow_urls`` lets pictures come from web servers.
    """

    top_k: int | None = None
    threshold: float | None = None
    form: Form = "parquet"
    engine: str = "auto"
    precision: str = "fp32"
    engines: tuple[int, int] | None = None
    threads: int = 1
    limits: Limits = DEFAULT_LIMITS
    exact: bool = False
    image: str = ""
    name: str = ""
    allow_urls: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is open: what it reads, and where its results go."""

    spans: list[Span]
    bundle: Bundle
    output: Place
    wanted: Wanted

    @property
    def total(self) -> int:
        """The number of pictures."""
        return sum(span.rows for span in self.spans)

    @property
    def finished(self) -> bool:
        """Whether all of them are done."""
        return bool(_read_job(self.output / OWN).get("finished"))

    def conclude(self) -> Summary:
        """Count the results and note that all are there. Raises ResiduaError where not."""
        own, total = self.output / OWN, self.total
        summary = summarise(self.output, total, self.wanted.form)
        if summary.rows != total or summary.twice:
            raise ResiduaError(
                f"{self.output.url} holds {summary.rows} of {total} pictures, "
                f"{summary.twice} twice.",
                next_step="Add --overwrite." if summary.twice else "Start the same command again.",
            )
        _write_job(own, _read_job(own) | {"finished": True})
        (own / "rows").remove()
        return summary


@contextmanager
def opened(
    inputs: list[str], bundle: Bundle, output: Place, wanted: Wanted,
    *, overwrite: bool = False, say: Callable[[str], None] = lambda _: None,
) -> Iterator[Job]:  # fmt: skip
    """Begin a job in ``output``, or go on with the one there; no other command may meanwhile.

    No cluster is needed for it. Raises DataError, SettingError where ``output`` holds something
    else or another command is in it.
    """
    own = output / OWN
    said = _identify(inputs, bundle, wanted)
    _refuse_others(output, said, overwrite=overwrite)
    with claimed(own.make(), f"predicting into {output.url}", say):
        known = _read_job(own)
        if known and not overwrite:
            spans = [Span(**span) for span in known["spans"]]
        else:
            _clear(output)
            spans = make_spans(
                inputs, own / "listing", image=wanted.image, name=wanted.name,
                allow_urls=wanted.allow_urls,
            )  # fmt: skip
            _write_job(own, {"of": said, "spans": [span.as_record() for span in spans]})
        yield Job(spans, bundle, output, wanted)


def _refuse_others(output: Place, said: dict[str, Any], *, overwrite: bool) -> None:
    """Raise SettingError where ``output`` holds what is not of this job."""
    known = _read_job(output / OWN)
    if known and not overwrite and known["of"] != said:
        differing = ", ".join(key for key in said if known["of"].get(key) != said[key])
        raise SettingError(
            f"{output.url} holds the results of another job: {differing} differ.",
            next_step="Choose another --save, or add --overwrite.",
        )
    strange = (file for file in output.files() if f"/{OWN}/" not in file.path)
    if output.kind() == "file" or (not known and next(strange, None) is not None):
        raise SettingError(
            f"{output.url} is there and holds no job of residua.",
            next_step="Choose another --save.",
        )


def _clear(output: Place) -> None:
    """Remove the results of a job, and what one that was killed while it listed has left."""
    for file in list(output.files()):
        if f"/{OWN}/" in file.path or suffix(file.path) in {".parquet", ".json"}:
            file.system.delete_file(file.path)


def _identify(inputs: list[str], bundle: Bundle, wanted: Wanted) -> dict[str, Any]:
    """Return what makes two jobs the same."""
    manifest = bundle.manifest
    return {
        "inputs": inputs, "weights": {n: r.sha256 for n, r in sorted(manifest.files.items())},
        "preprocess": manifest.preprocess.model_dump(mode="json"),
        "top_k": wanted.top_k, "threshold": wanted.threshold, "format": wanted.form,
        "engine": wanted.engine, "precision": wanted.precision, "exact": wanted.exact,
        "limits": asdict(wanted.limits),
        "image_column": wanted.image, "name_column": wanted.name,
    }  # fmt: skip


def _read_job(own: Place) -> dict[str, Any]:
    place = own / "job.json"
    if place.kind() != "file":
        return {}
    content: dict[str, Any] = json.loads(place.read())
    return content


def _write_job(own: Place, content: dict[str, Any]) -> None:
    (own / "job.json").write(json.dumps(content).encode())
