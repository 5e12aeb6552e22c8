"""residua evaluate -c CONFIGURATION: a model on the pictures of ``DataLoader.Eval``."""

from typing import Any

from residua.cli.paddle.reading import Config, Json, Override, Profiler, read_theirs, tell


def evaluate(
    config: Config,
    override: Override = None,
    profiler_options: Profiler = "",  # noqa: ARG001  # PaddleClas's own, left
    json: Json = False,
) -> None:
    """Count how often a model is right on the pictures of DataLoader.Eval.

    The model is Global.pretrained_model, or with Arch.pretrained=True the published one.
    """
    from residua.cli.counting import end, print_either
    from residua.compat.inference import prepare_as
    from residua.compat.lists import open_list
    from residua.compat.translate.data import read_listing
    from residua.compat.translate.general import find_device
    from residua.compat.translate.whole import read_test_preprocess
    from residua.compat.weights import open_weights
    from residua.evaluate.model import evaluate_bundle, open_network
    from residua.evaluate.ranks import joining
    from residua.evaluate.table import as_record, render

    configuration = read_theirs(config, override)
    device = find_device(configuration.whole.part("Global"))
    with joining(device) as ranks:
        opened = open_weights(configuration)
        said = configuration.says("DataLoader.Eval.dataset.transform_ops")
        manifest = prepare_as(
            opened.bundle.manifest, read_test_preprocess(configuration), configuration,
            insisted=said or not opened.own,
        )  # fmt: skip
        bundle = type(opened.bundle)(opened.bundle.path, manifest)
        dataset = configuration.whole.part("DataLoader").part("Eval").part("dataset")
        source = open_list(read_listing(dataset), manifest.classes)
        configuration.hear()
        tell(configuration, quiet=not ranks.first)
        engine = open_network(bundle, device=device, ranks=ranks)
        evaluation = evaluate_bundle(bundle, source, engine, ranks=ranks, show_progress=True)
        if ranks.first:
            text = f"{render(evaluation, source)}\n\n{spell_evaluation(evaluation.metrics)}"
            print_either(text, as_record(evaluation, source), json=json)
    end(len(evaluation.failures), ranks)


def spell_evaluation(metrics: Any) -> str:
    """Return the figures of an evaluation as PaddleClas's last line has them."""
    kind = "CELoss" if metrics.map is None else "MultiLabelLoss"
    parts = {kind: metrics.loss, "loss": metrics.loss, "top1": metrics.top1, "top5": metrics.top5,
             "mAP": metrics.map}  # fmt: skip
    said = ", ".join(f"{name}: {value:.5f}" for name, value in parts.items() if value is not None)
    return f"[Eval][Epoch 0][Avg]{said}"
