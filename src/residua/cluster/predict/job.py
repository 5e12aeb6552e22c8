"""A prediction job: a source, two stages and files of results, each picture once in them.

    OUTPUT/….parquet (or .json)    the results; the column row has the number of each picture
    OUTPUT/_residua/job.json       what the job is of, and whether it is done
    OUTPUT/_residua/listing/       the pictures, as they were listed when it began
    OUTPUT/_residua/rows/          which rows are done (Ray Data's checkpoint, in two phases)

The same command goes on with what an interrupted job has left.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from residua.base.errors import ResiduaError, SettingError
from residua.base.files import try_lock
from residua.base.progress import Progress
from residua.bundle.store import Bundle
from residua.cluster.connect import Cluster
from residua.cluster.data import configured, share_out
from residua.cluster.herald import listening
from residua.cluster.pictures.listing import Span, make_spans
from residua.cluster.predict.results import Summary, summarise
from residua.cluster.ship import send
from residua.cluster.storage import Place
from residua.pixels.limits import DEFAULT_LIMITS, Limits

Form = Literal["parquet", "json"]
_OWN = "_residua"
_DECODED = 64  # rows that a decoding worker takes at once
_COMPUTED = 256  # rows that an engine takes at once
_FILES = 20  # of the results, about: what is not in a file yet is lost with a machine
_FILE_ROWS = (64, 100_000)  # the least and the most of one
_CALLS = 1_000_000  # never; that it is said keeps Ray from joining both stages in one worker
_BLOCK = 8 << 20  # bytes that are handed on at once, from one kind of worker to the next


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


def predict(
    inputs: list[str], bundle: Bundle, output: Place, wanted: Wanted, cluster: Cluster,
    *, overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Predict ``inputs`` on the cluster that the process is connected to; return what came of it.

    Raises SettingError where ``output`` holds something else, ResiduaError where workers fail.
    """
    own = output / _OWN
    spans = _begin(inputs, bundle, output, wanted, overwrite=overwrite)
    with _alone(own):
        total = sum(span.rows for span in spans)
        if not _read_job(own).get("finished"):
            _run(spans, total, bundle, output, wanted, cluster)
        summary = summarise(output, total, wanted.form)
        if summary.rows != total or summary.twice:
            raise ResiduaError(
                f"{output.url} holds {summary.rows} of {total} pictures, {summary.twice} twice.",
                next_step="Add --overwrite." if summary.twice else "Start the same command again.",
            )
        _write_job(own, _read_job(own) | {"finished": True})
        (own / "rows").remove()
    return summary


@contextmanager
def _alone(own: Place) -> Iterator[None]:
    """Keep other commands of this machine out of a job. Raises SettingError where one is in it."""
    unlock = None if own.is_remote else try_lock(Path(own.path) / ".lock")
    if unlock is None and not own.is_remote:
        raise SettingError(
            f"Another command is predicting into {Path(own.path).parent} now.",
            next_step="Wait for it, stop it, or choose another --save.",
        )
    try:
        yield
    finally:
        if unlock is not None:
            unlock()


def _begin(
    inputs: list[str], bundle: Bundle, output: Place, wanted: Wanted, *, overwrite: bool
) -> list[Span]:
    """Return the rows of the job that lies in ``output``, or of one that begins there."""
    own = output / _OWN
    said = _identify(inputs, bundle, wanted)
    known = _read_job(own)
    if known and not overwrite:
        if known["of"] != said:
            differing = ", ".join(key for key in said if known["of"].get(key) != said[key])
            raise SettingError(
                f"{output.url} holds the results of another job: {differing} differ.",
                next_step="Choose another --save, or add --overwrite.",
            )
        return [Span(**span) for span in known["spans"]]
    strange = (file for file in output.files() if f"/{_OWN}/" not in file.path)
    if overwrite and known:
        output.remove()
    elif output.kind() == "file" or next(strange, None) is not None:
        raise SettingError(
            f"{output.url} is there and holds no job of residua.",
            next_step="Choose another --save.",
        )
    own.remove()  # of a job that was killed while it listed its pictures
    own.make()
    spans = make_spans(
        inputs, own / "listing", image=wanted.image, name=wanted.name, allow_urls=wanted.allow_urls
    )
    _write_job(own, {"of": said, "spans": [span.as_record() for span in spans]})
    return spans


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


def _run(
    spans: list[Span], total: int, bundle: Bundle, output: Place, wanted: Wanted, cluster: Cluster
) -> None:
    import ray.data
    from ray.exceptions import RayError

    from residua.cluster.pictures.rows import Rows
    from residua.cluster.predict.stages import Compute, Decode

    shares = share_out(cluster, wanted.engines, wanted.threads)
    decode = Decode(bundle.manifest.preprocess, wanted.limits, wanted.exact)
    progress = Progress("Predicting", total)

    def hear(_: list[str], counts: dict[str, int]) -> None:
        progress.advance(min(counts.get("done", 0), total) - progress.done)

    settings = {
        "checkpoint_config": _note_rows(output / _OWN / "rows"), "target_max_block_size": _BLOCK
    }  # fmt: skip
    with configured(cluster, **settings), listening(hear) as board:
        sent = send(bundle)  # and kept until the end, for workers that begin anew
        source = Rows(spans)
        rows = ray.data.read_datasource(
            source, num_cpus=shares.light, override_num_blocks=source.count
        )
        crops = rows.map_batches(
            decode, batch_size=_DECODED, batch_format="pyarrow", num_cpus=shares.decoder,
            zero_copy_batch=True, max_calls=_CALLS,
        )  # fmt: skip
        results = crops.map_batches(
            Compute,
            fn_constructor_args=(sent, board),
            fn_constructor_kwargs={
                "top_k": wanted.top_k, "threshold": wanted.threshold, "engine": wanted.engine,
                "precision": wanted.precision, "threads": wanted.threads,
            },
            batch_size=_COMPUTED, batch_format="pyarrow", zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(
                min_size=shares.engines[0], max_size=shares.engines[1]
            ),
            num_cpus=shares.engine, num_gpus=shares.gpu or None,
        )  # fmt: skip
        least, most = _FILE_ROWS
        write = results.write_parquet if wanted.form == "parquet" else results.write_json
        try:
            write(
                output.path, filesystem=output.system,
                min_rows_per_file=max(least, min(most, total // _FILES)),
                ray_remote_args={"num_cpus": shares.light},
            )  # fmt: skip
        except RayError as error:
            raise _explain(error) from error
        finally:
            progress.close()


def _note_rows(rows: Place) -> Any:
    """Return how Ray Data notes which rows are done."""
    from ray.data.checkpoint import CheckpointConfig

    config = CheckpointConfig(
        "row", rows.make().path, override_filesystem=rows.system,
        delete_checkpoint_on_success=False,
    )  # fmt: skip
    # Ray asks for a GB for whoever knows the rows that are done; a number takes 8 bytes.
    config.checkpoint_actor_memory_bytes = 0
    return config


def _explain(error: BaseException) -> BaseException:
    """Return what of a failure in a worker the user shall see: residua's own error if there is."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ResiduaError):
            return seen
        seen = getattr(seen, "cause", None) or seen.__cause__
    return error


def _read_job(own: Place) -> dict[str, Any]:
    place = own / "job.json"
    if place.kind() != "file":
        return {}
    content: dict[str, Any] = json.loads(place.read())
    return content


def _write_job(own: Place, content: dict[str, Any]) -> None:
    (own / "job.json").write(json.dumps(content).encode())
