"""What ``Global.pretrained_model`` and its relatives name: prefixes, files, published addresses.

PaddleClas names weights without a suffix, "output/ResNet50/best_model": here that is the bundle
``best_model.bundle`` which training has written, or a ``.pdparams`` file of PaddleClas's own.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from residua.base.errors import SettingError
from residua.bundle.store import Bundle, is_bundle
from residua.compat.config.read import Configuration
from residua.compat.translate.distil import find_pair
from residua.compat.translate.model import count_classes, find_network, find_published
from residua.zoo.weights.catalogue import entries, is_known
from residua.zoo.weights.resolve import open_bundle

_SUFFIXES = ("", ".bundle", ".pdparams", ".pdiparams")


def resolve(given: str) -> str:
    """Return the path, or the name of the zoo, that ``given`` stands for. Raises SettingError."""
    if given.startswith(("http://", "https://")):
        return _find_published_at(given)
    bases = [given, given.removesuffix("_student"), given.removesuffix(".pdparams")]
    for base in bases:
        for suffix in _SUFFIXES:
            path = Path(f"{base}{suffix}")
            if path.is_file() or (path.is_dir() and any(path.iterdir())):
                return str(path)
    raise SettingError(
        f"There are no weights {given}: looked for {', '.join(f'{given}{s}' for s in _SUFFIXES)}.",
        next_step="Training writes best_model.bundle once it has ended; or give a .pdparams file.",
    )


def _find_published_at(address: str) -> str:
    """Return the name of the published weights at an address, which are fetched as ever."""
    wanted = urlparse(address)
    for entry in entries():
        for known in entry.urls:
            if urlparse(known)[1:3] == wanted[1:3]:
                return entry.name
    raise SettingError(
        f"{address} is none of the published weights.",
        next_step="Fetch the file and give its path.",
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A classifier; ``own`` says that its preparation is its own, not guessed for a weight file."""

    bundle: Bundle
    own: bool


def open_source(source: str) -> Opened:
    """Return the classifier at ``source``, as ``resolve`` gave it."""
    return Opened(open_bundle(source), own=is_known(source) or is_bundle(Path(source)))


def open_weights(configuration: Configuration) -> Opened:
    """Return the classifier of a training configuration: its weights, else the published ones.

    Raises SettingError where it names neither, and what opening them raises.
    """
    general, arch = configuration.whole.part("Global"), configuration.whole.part("Arch")
    if arch.take("name") == "DistillationModel":
        arch = find_pair(arch).student
    name = find_network(arch)
    given = general.text("pretrained_model") or general.text("checkpoints")
    source = resolve(given) if given else find_published(arch, name)
    if not source:
        raise general.refused(
            "pretrained_model",
            "is missing, and Arch.pretrained is not True: there are no weights",
            "Give -o Global.pretrained_model=output/…/best_model, or -o Arch.pretrained=True",
        )
    opened = open_source(source)
    manifest = opened.bundle.manifest
    row, classes = manifest.architecture, len(manifest.classes)
    if row.name != name:
        raise arch.refused("name", f"is {name}, and {source} holds a {row.name}")
    said = configuration.says("Arch.class_num") or configuration.says("Global.class_num")
    wanted = count_classes(configuration)
    if wanted != classes and said:
        raise arch.refused("class_num", f"is {wanted}, and {source} has {classes}")
    return opened
