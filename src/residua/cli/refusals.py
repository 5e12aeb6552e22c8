"""What `residua evaluate` refuses before it counts anything."""

from pathlib import Path
from typing import TYPE_CHECKING

from residua.base.errors import SettingError

if TYPE_CHECKING:
    from residua.bundle.store import Bundle
    from residua.data.source import Source


def check_options(
    sizes: str,
    *,
    write_size: bool,
    calibrate: bool,
    output: Path | None,
    predictions: Path | None,
    confusion: Path | None,
    chosen: tuple[str, str],
) -> None:
    """Refuse, before any work, what does not go together or could not be written."""
    if sizes and (calibrate or predictions or confusion):
        raise SettingError(
            "--sizes is an evaluation of its own, without --calibrate, --save-predictions and "
            "--confusion.",
            next_step="Write the size first, then evaluate again.",
        )
    if chosen != ("auto", "fp32") and (sizes or calibrate):
        raise SettingError(
            "--sizes and --calibrate are of the network in float32, by whatever engine.",
            next_step="Leave --engine and --precision out.",
        )
    if write_size and not sizes:
        raise SettingError("--write-size needs sizes.", next_step="Add --sizes 160..320.")
    if output and not (calibrate or write_size):
        raise SettingError(
            "--output is for the bundle that --calibrate or --write-size change.",
            next_step="Add one of them, or leave --output out.",
        )
    if output and output.exists():
        raise SettingError(f"{output} exists already.", next_step="Choose another --output.")
    for path, suffixes in ((predictions, (".csv", ".jsonl")), (confusion, (".csv",))):
        if path and path.suffix.lower() not in suffixes:
            raise SettingError(
                f"Cannot tell the format of {path} from its name.",
                next_step=f"Let it end in {' or '.join(suffixes)}.",
            )


def refuse_foreign(bundle: "Bundle", model: str) -> None:
    """Refuse to change a bundle of the cache: it stays as published."""
    from residua.zoo.weights.cache import cache_folder, search_path

    path = bundle.path.resolve()
    if any(path.is_relative_to(root.resolve()) for root in (cache_folder(), *search_path())):
        raise SettingError(
            f"{model} is kept in the cache of published weights, where nothing is changed.",
            next_step="Add --output NAME.bundle: a copy takes the change.",
        )


def refuse_multi_label(bundle: "Bundle") -> None:
    """Refuse a confusion matrix where no answer excludes another."""
    if bundle.manifest.task == "multi-label":
        raise SettingError(
            "A confusion matrix is for classifiers that answer one class a picture.",
            next_step="Leave --confusion out; the figures of each class are in --json.",
        )


def refuse_trained_on(bundle: "Bundle", source: "Source") -> None:
    """Refuse to calibrate on pictures that the network has learnt."""
    from residua.evaluate.part import was_trained_on

    if was_trained_on(source, bundle.manifest):
        raise SettingError(
            f"The bundle was trained on pictures of {source.title}: the network is right too often "
            "there, and the temperature would make it too sure of others.",
            next_step="Give pictures that were held out: other DATA, or --part val where the "
            "training held out a part of it.",
        )
