"""What lies beside an exported program about pixels and classes: ``inference.yml`` and the like.

Sources: PaddleClas's ``deploy/configs/inference_cls.yaml`` (the keys), ``deploy/python/
preprocess.py`` and ``postprocess.py`` (their meaning and defaults), and the ``inference.yml`` that
its export writes since 2.6 (``label_list`` in place of a file). What cannot be done the same way
here is refused, not left out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import yaml

from residua.base.errors import SettingError
from residua.bundle.classes import imagenet_classes
from residua.bundle.schema import Classes
from residua.zoo.weights.labels import parse_classes
from residua.zoo.weights.operators import read_operators

_IMAGENET_LIST = "imagenet1k_label_list.txt"
_SAY_IT = (
    "Correct the file; or take it away, and say how the network sees pictures: residua weights "
    "import … --crop-size N --short-side N --mean … --std …"
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is said: fields of Preprocess, the classes if they are named.

    ``zero_channel``: the fourth channel that the network takes is always zero. ``notes`` and
    ``missing`` are sentences: what was followed, and what it refers to that is not there.
    """

    preprocess: dict[str, Any] = field(default_factory=dict)
    classes: Classes | None = None
    zero_channel: bool = False
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_deployment(
    text: str, name: str, read_label_list: Callable[[str], str | None]
) -> Deployment:
    """Return what a deployment file says; ``read_label_list`` gives the texts that lie beside it.

    A label list is never looked for elsewhere, wherever the file says that it lies. Raises
    SettingError, naming the file, for steps that ``residua`` does not do the same way.
    """
    if "<<" in text:
        # PyYAML writes merged keys out, and a few lines of them can fill the memory.
        raise _refused(name, "it merges settings (<<), as PaddleClas's files do not")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _refused(name, f"it is no YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(content, Mapping):
        raise _refused(name, "it holds no settings by name")
    try:
        preprocess, zero_channel = _read_steps(content, name)
        classes, missing = _read_labels(content, name, read_label_list)
    except (AttributeError, TypeError, ValueError) as error:
        raise _refused(name, f"a setting has another form than PaddleClas's ({error})") from error
    followed = [what for what, found in (("pixels", preprocess), ("classes", classes)) if found]
    notes = (f"{' and '.join(followed)} as in {name}",) if followed else ()
    return Deployment(preprocess, classes, zero_channel, notes, missing)


def _read_steps(content: Mapping[str, Any], name: str) -> tuple[dict[str, Any], bool]:
    """Return the fields of Preprocess, and whether a channel of zeros is put behind the others."""
    steps = (content.get("PreProcess") or {}).get("transform_ops")
    return ({}, False) if steps is None else read_operators(steps, partial(_refused, name))


def _read_labels(
    content: Mapping[str, Any], name: str, read_label_list: Callable[[str], str | None]
) -> tuple[Classes | None, tuple[str, ...]]:
    """Return the classes that PostProcess names, and a sentence where they cannot be had."""
    post = content.get("PostProcess") or {}
    # Either {name: Topk, topk: 5, …}, or {Topk: {topk: 5, …}, …}.
    parts = [post, *(part for part in post.values() if isinstance(part, Mapping))]
    for part in parts:
        if labels := part.get("label_list"):
            return _named(Classes(names=tuple(_label(label) for label in labels))), ()
        if "label_0" in part and "label_1" in part:  # ThreshOutput: two classes
            return Classes(names=(_label(part["label_0"]), _label(part["label_1"]))), ()
    paths = [part.get("class_id_map_file") for part in parts]
    path = next((path for path in paths if isinstance(path, str) and path not in {"", "None"}), "")
    if not path:
        return None, ()
    file = PurePosixPath(path.replace("\\", "/")).name
    beside = read_label_list(file)
    if beside is None and file != _IMAGENET_LIST:
        return None, (f"{name} names the label list {file}, which is not beside it.",)
    return imagenet_classes() if beside is None else _named(parse_classes(beside, file)), ()


def _label(given: Any) -> str:
    if not isinstance(given, str | int | float):
        raise TypeError("a label is no text")
    return str(given)


def _named(classes: Classes) -> Classes:
    """Give ImageNet's names their synset ids."""
    known = imagenet_classes()
    return known if classes.names == known.names else classes


def _refused(name: str, what: str) -> SettingError:
    what = re.sub(r"\s+", " ", what)
    return SettingError(f"{name} beside the program cannot be followed: {what}.", next_step=_SAY_IT)
