"""residua export -c CONFIGURATION: weights for other runtimes."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from residua.cli.paddle.reading import Config, Json, Override, Profiler, read_theirs, tell

if TYPE_CHECKING:
    from residua.bundle.store import Bundle
    from residua.compat.config.section import Section


def export(
    config: Config,
    override: Override = None,
    profiler_options: Profiler = "",  # noqa: ARG001  # PaddleClas's own, left
    json: Json = False,
) -> None:
    """Write Global.pretrained_model for other runtimes into Global.save_inference_dir.

    That folder becomes a bundle with exports for OpenVINO and ONNX, compared with the network.
    """
    from residua.bundle.store import is_bundle, write_bundle
    from residua.cli.export import conclude
    from residua.compat.inference import adapt, read_inference
    from residua.compat.weights import open_weights
    from residua.export.run import export_bundle

    configuration = read_theirs(config, override)
    general = configuration.whole.part("Global")
    target = Path(general.text("save_inference_dir", "./inference"))
    opened = open_weights(configuration)
    wanted = read_inference(configuration)
    bundle = adapt(opened.bundle, wanted, configuration, own=opened.own)
    if target.exists() and any(target.iterdir()) and not is_bundle(target):
        raise general.refused("save_inference_dir", f"is {target}, where something else lies")
    if is_bundle(target):
        _refuse_another(target, bundle, general)
    configuration.hear()
    tell(configuration)
    written = write_bundle(target, bundle.manifest, bundle.tensors(), overwrite=True)
    outcomes = list(export_bundle(written, ("openvino", "onnx"), notify=lambda _: None))
    typer.echo(f"Wrote {target}.", err=True)
    conclude(outcomes, json=json)


def _refuse_another(target: Path, bundle: "Bundle", general: "Section") -> None:
    """Refuse to put a bundle in the place of one of other weights."""
    from residua.bundle.store import WEIGHTS, read_bundle

    there = read_bundle(target).manifest.files.get(WEIGHTS)
    if there is not None and there.sha256 != bundle.manifest.files[WEIGHTS].sha256:
        raise general.refused(
            "save_inference_dir", f"is {target}, where another bundle lies",
            "Name another folder, or remove that one.",
        )  # fmt: skip
