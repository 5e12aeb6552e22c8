"""``Arch`` (and ``Global.pretrained_model``): which network, from which weights."""

from typing import Any

from residua.base.errors import UnknownNameError
from residua.compat.config.read import Configuration
from residua.compat.config.section import Section
from residua.zoo.table import find_row
from residua.zoo.weights.catalogue import find_architecture, is_known

_STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")
_SERIES = "residua has the ResNet series: residua models"
_FULL_RATE = 0.05  # of an update of 128 pictures or more that begins with random weights
RETRIEVAL = "retrieval (RecModel, PP-ShiTu) is not what residua does"


def translate_model(configuration: Configuration) -> dict[str, Any]:
    """Return the keys of ``model`` and those that ``Arch`` says of the optimiser and the loop."""
    arch = configuration.whole.part("Arch")
    name = find_network(arch)
    values: dict[str, Any] = {"model.name": name, "model.zero_gamma": False}
    values |= read_rates(arch)
    read_details(arch)
    if arch.flag("use_sync_bn"):
        values["loop.sync_norm"] = True
    if start := find_start(configuration, arch, name):
        values["model.pretrained"] = start
    return values


def find_network(arch: Section) -> str:
    """Return the row of the table that a section names. Raises SettingError for other networks."""
    given = arch.text("name")
    if given == "RecModel":
        raise arch.refused("name", f"is {given}: {RETRIEVAL}")
    if arch.take("layer_type", "ConvBNLayer") != "ConvBNLayer":
        raise arch.refused(
            "layer_type", f"is {arch.take('layer_type')}: no such blocks here", _SERIES
        )
    try:
        return find_row(given).name
    except UnknownNameError as error:
        if is_known(given):
            return find_architecture(given).name
        near = ", ".join(error.suggestions)
        raise arch.refused(
            "name", f"is {given!r}, which is not in the series", f"Nearest: {near}."
        ) from error


def read_rates(arch: Section) -> dict[str, Any]:
    """Return the factors of the rate that ``lr_mult_list`` gives stem and stages."""
    factors = arch.numbers("lr_mult_list")
    if not factors:
        return {}
    if len(factors) != len(_STAGES):
        arch.findings.note(
            f"{arch.where('lr_mult_list')} has {len(factors)} numbers, not five: as in PaddleClas "
            "all parts learn at the same rate."
        )
        return {}
    given = {part: f for part, f in zip(_STAGES, factors, strict=True) if f != 1}
    return {"optimiser.lr_multipliers": given} if given else {}


def read_details(arch: Section) -> None:
    """Look at what else a network is built with: what would change it is refused."""
    arch.expect(
        "use_first_short_conv", True, why="which leaves out a projection that the row has",
        next_step="Start from weights without it: they bring their own row.",
    )  # fmt: skip
    arch.expect("use_ml_decoder", False, why="and there is no ML-Decoder here")
    arch.expect("stem_act", "relu", why="and stems here have a ReLU")
    if arch.number("dropout_prob", 0.0):
        raise arch.refused("dropout_prob", "is not 0, and heads here have no dropout")
    if arch.whole("input_image_channel", 3) == 4:
        arch.findings.note(
            f"{arch.where('input_image_channel')} of 4 pads pictures with a channel of zeros for "
            "speed; here there are three, with the same result."
        )
    arch.ignore("data_format", reason="the layout in memory changes no result, and is the fast one")
    arch.ignore(
        "infer_output_key", "infer_add_softmax", "infer_model_name",
        reason="exports give probabilities, softmax included",
    )  # fmt: skip
    arch.ignore("return_patterns", "return_stages", reason="features are taken by what needs them")
    for key in ("Backbone", "Head", "Neck", "BackboneStopLayer"):
        if key in arch:
            raise arch.refused(key, f"is set: {RETRIEVAL}")


def count_classes(configuration: Configuration) -> int:
    """Return how many classes there are: ``Arch.class_num``, or the older ``Global.class_num``."""
    arch, general = configuration.whole.part("Arch"), configuration.whole.part("Global")
    found = [arch.whole("class_num", 0), general.whole("class_num", 0)]
    if "models" in arch:  # of a DistillationModel the student's
        key = arch.text("infer_model_name", "Student")
        found += [part.whole("class_num", 0) for name, part in arch.steps("models") if name == key]
    count = next((count for count in found if count), 1000)
    if count < 1:
        raise arch.refused("class_num", f"is {count}")
    return count


def find_start(configuration: Configuration, arch: Section, name: str) -> str:
    """Return the weights that training starts from; "" from scratch.

    ``Global.pretrained_model`` wins over ``Arch.pretrained``, as there.
    """
    given = configuration.whole.part("Global").text("pretrained_model")
    published = find_published(arch, name)
    if given:
        return given
    if published == name and _is_left_over(configuration, arch):
        arch.findings.note(
            f"{arch.where('pretrained')} is True in the file, so that PaddleClas would train the "
            "published weights once more at the full rate; this begins from scratch, as the "
            "published figures did. To start from the weights: -o Arch.pretrained=True"
        )
        return ""
    return published


def find_published(arch: Section, name: str) -> str:
    """Return what ``pretrained`` and ``use_ssld`` name: a zoo name, a path, or ""."""
    ssld, given = arch.flag("use_ssld"), arch.take("pretrained", False)
    arch.expect("use_ssld_stage1_pretrained", False, why="and no such weights are published")
    if isinstance(given, str):
        given = arch.text("pretrained")
        if given.lower() not in {"true", "false"}:
            return given
    if not arch.flag("pretrained"):
        return ""
    named = arch.text("name")  # ResNeXt101_32x16d_wsl is a name of weights, not of a row
    found = f"{name}_ssld" if ssld else named if is_known(named) else name
    if not is_known(found):
        raise arch.refused("use_ssld", f"is True, and no SSLD weights of {name} are published")
    return found


def _is_left_over(configuration: Configuration, arch: Section) -> bool:
    """Tell whether ``pretrained`` stands in an ImageNet recipe that is there to begin afresh.

    That is a file of at least 90 epochs on 1000 classes at the rate of a beginning.
    """
    if configuration.says("Arch.pretrained") or arch.flag("use_ssld"):
        return False
    if "Slim" in configuration.whole.content:
        return False
    epochs = configuration.in_file("Global.epochs", 0)
    rate = configuration.in_file("Optimizer.lr.learning_rate", 0)
    classes = configuration.in_file("Arch.class_num", 1000)
    given = (epochs, rate, classes)
    if not all(isinstance(number, int | float) for number in given):
        return False
    return bool(epochs >= 90 and rate >= _FULL_RATE and classes == 1000)
