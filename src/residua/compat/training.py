"""Between a translated configuration and its training: paths, the learner, going on or anew."""

from collections.abc import Callable, Sequence
from pathlib import Path

from residua.bundle.schema import Classes
from residua.compat.config.findings import Findings
from residua.compat.config.read import Configuration
from residua.compat.lists import name_classes
from residua.compat.translate.whole import Translation
from residua.compat.weights import resolve
from residua.data.source import Parts
from residua.distil.run import distil, name_teacher
from residua.distil.teachers.peer import find_fresh_row
from residua.distil.teachers.teacher import is_onnx
from residua.train.recipe.file import change, override
from residua.train.recipe.tree import Recipe
from residua.train.run import Trained
from residua.train.storage.run_folder import RunFolder, identify
from residua.train.update.precision import choose_device
from residua.zoo.weights.catalogue import is_known
from residua.zoo.weights.resolve import open_bundle


def settle(recipe: Recipe, overrides: Sequence[str], *, opened: bool = True) -> Recipe:
    """Return the recipe with ``overrides`` of residua's own, its weights found on the disk.

    Unless ``opened`` a teacher is not opened, nor fetched, and its fingerprint is found later.
    Raises what overriding raises, SettingError for weights that are not there.
    """
    recipe = override(recipe, overrides) if overrides else recipe
    for key, given in (
        ("model.pretrained", recipe.model.pretrained), ("distil.teacher", recipe.distil.teacher)
    ):  # fmt: skip
        if given and not is_known(given):
            recipe = change(recipe, {key: resolve(given)})
    return name_teacher(recipe) if opened and recipe.distil.method != "none" else recipe


def fit_precision(recipe: Recipe, device: str, findings: Findings) -> Recipe:
    """Return the recipe with a number format that the device has: float16 is for GPUs."""
    if recipe.precision.compute != "fp16" or choose_device(device).type != "cpu":
        return recipe
    findings.note("AMP on a processor: bfloat16 where it multiplies in it, else float32.")
    return change(recipe, {"precision.compute": "auto"})


def choose_classes(translation: Translation, recipe: Recipe) -> Classes:
    """Return what the numbers of the lists are called.

    Without a label map by the names of the weights that training starts from, or of the teacher, if
    these have as many: to PaddleClas a class is its number.
    """
    if not translation.label_map:
        for source in (recipe.model.pretrained, recipe.distil.teacher):
            if source and not is_onnx(source) and find_fresh_row(source) is None:
                classes = open_bundle(source).manifest.classes
                if len(classes) == translation.num_classes:
                    return classes
    return name_classes(translation.label_map, translation.num_classes)


def find_trainer(recipe: Recipe) -> Callable[..., Trained] | None:
    """Return what trains by a teacher; None where the recipe has none."""
    return None if recipe.distil.method == "none" else distil


def begins_anew(configuration: Configuration, recipe: Recipe, parts: Parts, output: Path) -> bool:
    """Tell whether a run begins anew: PaddleClas goes on only where Global.checkpoints says so.

    An interrupted run of the very same recipe and pictures goes on in any case. Raises SettingError
    for checkpoints that residua has not written.
    """
    folder = RunFolder(output.with_suffix(".run"))
    general = configuration.whole.part("Global")
    given = general.text("checkpoints")
    if not given:
        return not (folder.is_unfinished() and folder.is_of(identify(recipe, parts)))
    if folder.is_unfinished() and not folder.is_of(identify(recipe, parts)):
        raise general.refused(
            "checkpoints", f"is {given}, of a run with another recipe or other pictures",
            "Leave it out to begin anew, or give the settings that the run began with.",
        )  # fmt: skip
    if not folder.is_unfinished() or Path(given).parent != output.parent:
        raise general.refused(
            "checkpoints", f"is {given}, and no interrupted run of residua lies there",
            "To start from weights: -o Global.pretrained_model=… instead.",
        )  # fmt: skip
    return False
