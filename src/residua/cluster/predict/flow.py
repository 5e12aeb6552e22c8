"""The flow of a job: its rows through two kinds of workers into files."""

from typing import Any

from residua.base.errors import ResiduaError
from residua.base.progress import Progress
from residua.cluster.connect import Cluster
from residua.cluster.data import configured, share_out
from residua.cluster.herald import listening
from residua.cluster.predict.job import OWN, Job
from residua.cluster.ship import send
from residua.cluster.storage import Place

_DECODED = 64  # rows that a decoding worker takes at once
_COMPUTED = 256  # rows that an engine takes at once
_FILES = 20  # of the results, about: what is not in a file yet is lost with a machine
_FILE_ROWS = (64, 100_000)  # the least and the most of one
_CALLS = 1_000_000  # never; that it is said keeps Ray from joining both stages in one worker
_BLOCK = 8 << 20  # bytes that are handed on at once, from one kind of worker to the next


def run(job: Job, cluster: Cluster) -> None:
    """Do what is left of ``job`` on the cluster that the process is connected to.

    Raises what a worker has failed of.
    """
    import ray.data
    from ray.exceptions import RayError

    from residua.cluster.pictures.rows import Rows
    from residua.cluster.predict.stages import Compute, Decode

    bundle, output, wanted, total = job.bundle, job.output, job.wanted, job.total
    shares = share_out(cluster, wanted.engines, wanted.threads)
    decode = Decode(bundle.manifest.preprocess, wanted.limits, wanted.exact)
    progress = Progress("Predicting", total)

    def hear(_: list[str], counts: dict[str, int]) -> None:
        progress.advance(min(counts.get("done", 0), total) - progress.done)

    settings = {
        "checkpoint_config": _note_rows(output / OWN / "rows"), "target_max_block_size": _BLOCK
    }  # fmt: skip
    with configured(cluster, **settings), listening(hear) as board:
        sent = send(bundle)  # and kept until the end, for workers that begin anew
        source = Rows(job.spans)
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
