"""Whether a command line means a PaddleClas configuration: ``-c ppcls/configs/…/ResNet50.yaml``.

Then ``residua train`` and its kind take no pictures as an argument, for the configuration names
them. Looked at before the command line is read.
"""

from collections.abc import Sequence
from pathlib import Path

VERBS = {
    "train": "train", "evaluate": "evaluate", "eval": "evaluate", "predict": "predict",
    "infer": "predict", "export": "export", "export_model": "export",
}  # fmt: skip


def find_configured(arguments: Sequence[str]) -> list[str] | None:
    """Return the arguments for the commands of configurations; None where they are not meant.

    ``residua train PICTURES -c FILE`` takes recipes too: there the file has to look like a
    configuration. Nothing else takes a file behind -c.
    """
    if not arguments or arguments[0] not in VERBS:
        return None
    path = _find_config(arguments[1:])
    if path is None or path.suffix.lower() not in {".yaml", ".yml"}:
        return None
    from residua.compat.config.read import is_configuration

    recipes_too = arguments[0] == "train" and not arguments[1].startswith("-")
    if (recipes_too or path.is_file()) and not is_configuration(path):
        return None if arguments[0] == "train" else [VERBS[arguments[0]], *arguments[1:]]
    return [VERBS[arguments[0]], *arguments[1:]]


def _find_config(arguments: Sequence[str]) -> Path | None:
    for index, argument in enumerate(arguments):
        if argument in {"-c", "--config"}:
            return Path(arguments[index + 1]) if index + 1 < len(arguments) else None
        for prefix in ("--config=", "-c"):
            if argument.startswith(prefix):
                return Path(argument.removeprefix(prefix))
    return None
