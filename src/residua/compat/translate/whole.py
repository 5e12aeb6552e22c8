"""A whole PaddleClas configuration as a recipe, with where its pictures are."""

from dataclasses import dataclass
from typing import Any

from residua.bundle.schema import Preprocess
from residua.compat.config.read import Configuration
from residua.compat.config.section import Section
from residua.compat.lists import fit_label_map
from residua.compat.translate.data import (
    Listing,
    count_updates,
    ignore_evaluation,
    read_batch,
    read_listing,
    translate_data,
    translate_sampler,
)
from residua.compat.translate.distil import is_distillation, translate_distillation
from residua.compat.translate.general import (
    read_image_shape,
    translate_average,
    translate_general,
    translate_precision,
)
from residua.compat.translate.loss import translate_loss, translate_metric
from residua.compat.translate.mixing import translate_mixing
from residua.compat.translate.model import count_classes, translate_model
from residua.compat.translate.optimiser import find_optimiser, translate_optimiser
from residua.compat.translate.schedule import translate_schedule
from residua.compat.translate.testing_operators import read_preprocess, translate_testing
from residua.compat.translate.training_operators import (
    translate_resizing,
    translate_training,
)
from residua.train.recipe.file import read_values
from residua.train.recipe.tree import Recipe

PUBLISHED_CARDS = 4  # for which the rates of the configurations are written


@dataclass(frozen=True, slots=True)
class Translation:
    """A recipe, the lists of both parts, and how many classes there are."""

    recipe: Recipe
    training: Listing
    validation: Listing
    label_map: str
    num_classes: int


def translate(configuration: Configuration, *, cards: int) -> Translation:
    """Return what ``configuration`` says of training on so many ``cards`` (or processes).

    Raises SettingError for a key that would change the result and has no counterpart, or that
    nobody knows.
    """
    whole = configuration.whole
    loader = whole.part("DataLoader")
    if "UnLabelTrain" in loader or "UnLabelLoss" in whole:
        raise loader.refused("UnLabelTrain", "is set: FixMatch and its kind are not there")
    training, evaluation = loader.part("Train"), loader.part("Eval")
    label_map = fit_label_map(configuration, count_classes(configuration))
    if is_distillation(configuration):
        values = translate_distillation(configuration)
    else:
        values = translate_model(configuration) | translate_loss(configuration)
    values |= translate_general(configuration)
    values |= translate_precision(configuration) | translate_average(configuration)
    values |= translate_optimiser(configuration)
    values |= translate_data(training.part("dataset"), label_map) | translate_sampler(training)
    values |= _translate_pictures(training.part("dataset"), evaluation.part("dataset"))
    values |= _translate_batch(whole, training, cards, values)
    values |= translate_schedule(
        find_optimiser(configuration).part("lr"), epochs=values["loop.epochs"],
        updates=count_updates(training, values["loop.batch_size"]),
        values_said=configuration.says("Optimizer.lr.values")
        and not configuration.says("Optimizer.lr.learning_rate"),
    )  # fmt: skip
    _tell_of_mixed_labels(whole, values)
    values |= translate_metric(configuration, multi_label=values.get("data.multi_label", False))
    ignore_evaluation(evaluation)
    if values.get("data.multi_label") and values.get("loss.kind") == "cross-entropy":
        raise whole.refused("Loss", "is CELoss, and the lists have several labels a picture")
    _read_infer(whole.part("Infer"))
    _read_slim(whole.part("Slim"), values)
    _check_shape(whole.part("Global"), values)
    translation = Translation(
        read_values(values), read_listing(training.part("dataset")),
        read_listing(evaluation.part("dataset")), label_map, count_classes(configuration),
    )  # fmt: skip
    whole.close()
    return translation


def read_test_preprocess(configuration: Configuration) -> Preprocess:
    """Return how ``DataLoader.Eval`` prepares pictures."""
    dataset = configuration.whole.part("DataLoader").part("Eval").part("dataset")
    return read_preprocess(dataset.steps("transform_ops"), dataset.where("transform_ops"))


def _translate_pictures(training: Section, evaluation: Section) -> dict[str, Any]:
    place = evaluation.where("transform_ops")
    preprocess = read_preprocess(evaluation.steps("transform_ops"), place)
    values = translate_training(training) | translate_mixing(training)
    values |= translate_testing(preprocess, evaluation)
    return values | translate_resizing(training, preprocess)


def _translate_batch(
    whole: Section, training: Section, cards: int, values: dict[str, Any]
) -> dict[str, Any]:
    """Return the batch of an update: every card's, as often as ``update_freq`` gathers them."""
    each, gathered = read_batch(training), whole.part("Global").whole("update_freq", 1)
    if min(each, gathered) < 1:
        raise training.refused("sampler", f"has batches of {each}, {gathered} an update")
    batch = each * cards * gathered
    meant = 8 if values["optimiser.name"] == "adamw" else PUBLISHED_CARDS
    if cards * gathered != meant:
        whole.findings.note(
            f"An update sees {batch} pictures: {each} of each card, {cards} "
            f"card{'s' if cards > 1 else ''}{f', {gathered} times' if gathered > 1 else ''}. "
            f"PaddleClas's rates are meant for {meant} cards."
        )
    return {"loop.batch_size": batch} | ({"loop.micro_batch": each} if gathered > 1 else {})


def _tell_of_mixed_labels(whole: Section, values: dict[str, Any]) -> None:
    """Say what PaddleClas does to the loss of mixed labels without label smoothing."""
    mixed = values.get("augment.mix.mixup") or values.get("augment.mix.cutmix")
    plain = values.get("loss.kind") == "cross-entropy" and "loss.label_smoothing" not in values
    if mixed and plain:
        whole.findings.note(
            "PaddleClas takes a second softmax of mixed labels where there is no label smoothing; "
            "here the loss is the cross entropy of the mixed labels."
        )


def _read_slim(slim: Section, values: dict[str, Any]) -> None:
    """Translate ``Slim.quant``, training with the rounding of int8; refuse pruning."""
    if "prune" in slim:
        raise slim.refused(
            "prune", "is set, and training does not prune",
            "Prune the finished bundle: residua export BUNDLE --prune 0.3 --calibrate DATA",
        )  # fmt: skip
    if "quant" in slim:
        quant = slim.part("quant")
        if quant.text("name", "pact") != "pact":
            raise quant.refused("name", f"is {quant.take('name')}")
        quant.findings.note("Slim.quant: int8 is imitated with NNCF's levels, not PACT's.")
        values["precision.quantise"] = True


def _read_infer(infer: Section) -> None:
    """Take what is of predicting; other keys are nobody's."""
    for key in ("infer_imgs", "batch_size", "save_dir", "transforms"):
        infer.take(key)
    infer.part("PostProcess").skip()


def _check_shape(general: Section, values: dict[str, Any]) -> None:
    side, size = read_image_shape(general), values["augment.image_size"]
    if side and side not in {size, values["evaluate.image_size"]}:
        general.findings.note(
            f"Global.image_shape says {side} pixels and the pictures have {size}: these count."
        )
