"""residua compare: two classifiers on the same pictures, and whether the difference is chance."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from residua.cli.counting import (
    BatchSize,
    Data,
    Device,
    Json,
    Part,
    Reading,
    end,
    print_either,
    read_as,
)  # fmt: skip

if TYPE_CHECKING:
    from residua.bundle.store import Bundle
    from residua.data.settings import DataPart
    from residua.data.source import Source

First = Annotated[
    str, typer.Argument(metavar="A", help="A bundle, a name of the zoo or a weight file.")
]
Second = Annotated[str, typer.Argument(metavar="B", help="Another one, of the same classes.")]


def compare(
    a: First,
    b: Second,
    data: Data,
    part: Part = "auto",
    override: Reading = None,
    batch_size: BatchSize = 32,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Tell whether A or B is better, or that they are not distinguishable on these pictures.

    Both answer the same pictures. Shown are the difference with a 95 % interval (paired bootstrap),
    McNemar's exact test, and the classes that differ most. Classes are matched by name.
    """
    from residua.evaluate.compare import class_differences, match_both, pair
    from residua.evaluate.model import evaluate_bundle, open_network
    from residua.evaluate.ranks import joining
    from residua.evaluate.verdict import record_comparison, render_comparison
    from residua.zoo.weights.resolve import open_bundle

    with joining(device) as ranks:
        bundles = (open_bundle(a), open_bundle(b))
        order = match_both(bundles[0].manifest.classes, bundles[1].manifest.classes)
        source, which = _open_common(bundles, data, part, read_as(override))
        if ranks.first:
            typer.echo(which, err=True)
        first, second = (
            evaluate_bundle(
                bundle, source, open_network(bundle, device=device, ranks=ranks),
                batch_size=batch_size, ranks=ranks, show_progress=True, keep_probabilities=True,
                order=columns,
            )
            for bundle, columns in zip(bundles, (None, order), strict=True)
        )  # fmt: skip
        if not ranks.first:
            return
        comparison, rows = pair(first, second, source), class_differences(first, second)
        failures = {failure.index: failure for failure in (*first.failures, *second.failures)}
        record: dict[str, Any] = {
            "a": a, "b": b, **record_comparison(comparison, rows, source),
            "errors": [
                {"filename": source.names[f.index], "reason": f.reason, "error": f.message}
                for f in failures.values()
            ],
        }  # fmt: skip
        text = render_comparison(comparison, rows, source, (a, b))
        if failures:
            text += f"\n\n{len(failures)} pictures cannot be read and are in no figure (--json)."
        print_either(text, record, json=json)
    end(len(failures), ranks)


def _open_common(
    bundles: tuple["Bundle", "Bundle"], data: str, part: str, settings: "DataPart | None"
) -> tuple["Source", str]:
    """Return the pictures that both may be judged by, with the classes of the first."""
    from residua.base.errors import DataError
    from residua.evaluate.compare import take_common
    from residua.evaluate.part import open_part, was_trained_on

    tasks = [bundle.manifest.task for bundle in bundles]
    if tasks[0] != tasks[1]:
        raise DataError(f"A is a {tasks[0]} classifier and B a {tasks[1]} one: no comparison.")
    (of_a, which), (of_b, other) = (
        open_part(data, bundle.manifest, part, settings=settings) for bundle in bundles
    )
    source = take_common(of_a, of_b)
    whole = len(source) == len(of_a) == len(of_b)
    if which == other and whole:
        return source, which
    learnt = (
        was_trained_on(part_of, bundle.manifest)
        for part_of, bundle in zip((of_a, of_b), bundles, strict=True)
    )
    if whole or any(learnt):
        common = f"Comparing on {len(source)} pictures of {data}."
        return source, f"{common}\n  For A: {which}\n  For B: {other}"
    return source, (
        f"Comparing on the {len(source)} pictures of {data} that neither learnt from, as far as "
        "the bundles tell."
    )
