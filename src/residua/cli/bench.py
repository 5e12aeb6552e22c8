"""``residua bench``: how fast models are on this machine, by engine, precision and batch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from residua.bench.record import Benchmark

FAILED = 1  # exit code: something was measured wrong, broke, or nothing was measured

Models = Annotated[
    list[str] | None,
    typer.Argument(help="Names from `residua models`, bundles or weight files.", metavar="MODELS…"),
]
Engines = Annotated[
    list[str] | None,
    typer.Option(help="Runtimes, several at once [default: all that are installed]."),
]
Precision = Annotated[list[str] | None, typer.Option(help="fp32, bf16, fp16, int8; several.")]
Batch = Annotated[list[str] | None, typer.Option(help="Pictures of a run; several: 1 4 8.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of each engine [default: one a core].")
]
Seconds = Annotated[float, typer.Option(help="Time for each configuration and mode.")]
Random = Annotated[
    bool, typer.Option("--random", help="Random weights for names, whatever is there.")
]
Throughput = Annotated[bool, typer.Option(help="Also images a second with several runs under way.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write that to a .json file.")]
Picture = Annotated[
    Path | None, typer.Option(help="Draw accuracy against latency into an .svg file.")
]


class ManyValues(TyperCommand):
    """A command whose options of several values take them one after the other: --batch 1 4 8."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat such an option's name before each word that follows, up to the next option."""
        many = {
            name
            for option in self.params
            if getattr(option, "multiple", False)
            for name in option.opts
        }
        spread: list[str] = []
        option = ""
        for word in args:
            if word.startswith("-"):
                option = word if word in many else ""
                if option:
                    continue
            spread += [option, word] if option else [word]
        return super().parse_args(ctx, spread)


def bench(
    models: Models = None,
    engines: Engines = None,
    precision: Precision = None,
    batch: Batch = None,
    device: Device = "cpu",
    threads: Threads = None,
    seconds: Seconds = 4.0,
    random: Random = False,
    throughput: Throughput = True,
    json: Json = False,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Measure models on this machine: latency, throughput, memory, load time, share of the peak.

    Each configuration runs in a process of its own, in turns with the others; one whose answers
    are not the network's is shown as wrong, not as fast. Models stand before the options. Weights
    that are not here are random: speed does not hang on them.

    For example:

      residua bench ResNet18_vd ResNet50_vd --precision fp32 bf16 --batch 1 4 8

      residua bench flowers.bundle --engines openvino onnxruntime --picture speed.svg
    """
    import sys

    from residua.bench.run import run_benchmark

    def notify(line: str) -> None:
        if not json:
            typer.echo(line, err=True)

    _check_target(output, ".json")
    _check_target(picture, ".svg")
    found = run_benchmark(
        models or [],
        engines=_split(engines),
        precisions=_split(precision) or ["fp32"],
        batches=_read_sizes(_split(batch)) or [1, 4, 8],
        device=device,
        threads=threads,
        seconds=seconds,
        random=random,
        throughput=throughput,
        command=" ".join(["residua", *sys.argv[1:]]),
        notify=notify,
    )
    _show(found, json=json, output=output, picture=picture)
    states = {one.status for one in found.measurements}
    if states & {"wrong", "failed"} or "measured" not in states:
        raise typer.Exit(FAILED)


def _show(found: "Benchmark", *, json: bool, output: Path | None, picture: Path | None) -> None:
    """Print what was found, and write the files that were asked for."""
    from residua.base.files import write_atomic

    text = found.model_dump_json(indent=1) + "\n"
    if output is not None:
        write_atomic(output, text.encode())
    if json:
        typer.echo(text, nl=False)
    else:
        from residua.bench.table import print_table

        print_table(found)
    if picture is not None:
        from residua.bench.picture import draw_picture

        write_atomic(picture, draw_picture(found).encode())


def _split(words: list[str] | None) -> list[str]:
    return [part for word in words or [] for part in word.split(",") if part]


def _read_sizes(words: list[str]) -> list[int]:
    from residua.base.errors import SettingError

    for word in words:
        if not word.isdecimal():
            raise SettingError(
                f"--batch {word}: that is no number of pictures.",
                next_step="Write --batch 1 4 8. Models stand before the options.",
            )
    return [int(word) for word in words]


def _check_target(path: Path | None, suffix: str) -> None:
    """Refuse before the work what could not be written after it."""
    from residua.base.errors import SettingError

    if path is not None and (path.suffix != suffix or not path.absolute().parent.is_dir()):
        raise SettingError(
            f"{path} cannot be written: it must be a {suffix} file in a folder that exists."
        )
