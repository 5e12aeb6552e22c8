"""The catalogue of published weights: data in ``catalogue.json``, read here as frozen records.

Sources of its facts: PaddleClas at d178931f and its release/2.1 (URLs; accuracies of
``docs/zh_CN/models/ImageNet1k/README.md``, and of the origin document for its 19 models; sizes of
the Fix models from their speed tables); torchvision ``models/resnet.py`` (URLs with the first
digits of each file's SHA-256, accuracies, sizes); timm ``models/resnet.py`` and
``results/results-imagenet.csv`` at aa4b5850. timm's size is the one it predicts with, or where
that is below 224 pixels the one it tests with; its short side is the size divided by ``crop_pct``,
rounded down. None of the weights has been trained here, and no figure was measured here.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import Field

from residua.base.errors import UnknownNameError, WeightsError
from residua.base.nearest import normalize
from residua.bundle.schema import Architecture, Metrics, Preprocess, Record
from residua.zoo.table import ROWS, find_row

Source = Literal["paddleclas", "torchvision", "timm"]
Accuracy = Annotated[float, Field(gt=0, lt=1)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+\.(pdparams|pth|safetensors)$")]


class Entry(Record):
    """One published weight file, of the network ``row``.

    ``urls`` are tried in order; they hold the same weights, though not always the same bytes
    (PaddleClas renamed its tensors once). ``file`` is the file's name in the cache, on a mirror and
    in the search path. ``sha256`` or its first digits are given where the publisher gives them.
    ``top1`` and ``top5`` are published fractions on ImageNet-1k's validation set.
    """

    name: str
    row: str
    source: Source
    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    file: FileName
    licence: str
    preprocess: Preprocess
    top1: Accuracy | None = None
    top5: Accuracy | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    sha256_prefix: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] | None = None
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def architecture(self) -> Architecture:
        """The row of the table that these weights belong to."""
        return ROWS[self.row]

    @property
    def metrics(self) -> tuple[Metrics, ...]:
        """The published accuracy as a record, empty where none was published."""
        if self.top1 is None:
            return ()
        return (
            Metrics(
                source="published",
                data=f"ImageNet-1k validation, by {self.source}",
                top1=self.top1,
                top5=self.top5,
                images=50_000,
                image_size=self.preprocess.crop_size,
            ),
        )


class NotEqual(Record):
    """Published weights that one could take for those of the row ``near``, and why they are not."""

    names: tuple[str, ...]
    near: str
    reason: str


@cache
def _catalogue() -> dict[str, Any]:
    text = files("residua.zoo.weights").joinpath("catalogue.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


@cache
def entries() -> tuple[Entry, ...]:
    """Return every published weight file, PaddleClas's first, then torchvision's and timm's."""
    content = _catalogue()
    return tuple(_make_entry(line, content) for line in content["entries"])


def _make_entry(line: dict[str, Any], content: dict[str, Any]) -> Entry:
    """Join a line of the file with what it shares with others: base of URLs, licence, pixels."""
    shared, line = content["sources"][line["source"]], dict(line)
    paths = line.pop("files")
    line["urls"] = [shared["base"] + path for path in paths]
    line.setdefault("file", paths[0].rpartition("/")[2])
    line.setdefault("licence", shared["licence"])
    line["preprocess"] = content["preprocess"][line.get("preprocess", shared["preprocess"])]
    return Entry.model_validate(line)


@cache
def not_equal() -> tuple[NotEqual, ...]:
    """Return the published weights that look like a row's but belong to another network."""
    return tuple(NotEqual.model_validate(line) for line in _catalogue()["not_equal"])


@cache
def _by_spelling() -> dict[str, Entry]:
    found = {normalize(name): entry for entry in entries() for name in (entry.name, *entry.aliases)}
    for row, name in _catalogue()["defaults"].items():
        found[normalize(row)] = found[normalize(name)]
    return found


def entries_of(row: str) -> tuple[Entry, ...]:
    """Return the published weight files of one row, in the order of the catalogue."""
    return tuple(entry for entry in entries() if entry.row == row)


def find_default(row: str) -> Entry | None:
    """Return the weights that the name of a row stands for, or None."""
    return _by_spelling().get(normalize(row))


def is_known(name: str) -> bool:
    """Tell whether ``name`` is a row, an entry or an alias, in any spelling."""
    spelling = normalize(name)
    return spelling in _by_spelling() or spelling in {normalize(row) for row in ROWS}


def find_entry(name: str) -> Entry:
    """Return the entry of ``name``, whatever its case, ``-`` or ``_``.

    A row's name stands for its default weights: PaddleClas's, or where it published none, others
    that anyone may use. Raises UnknownNameError with the five nearest names, and WeightsError where
    the network is known but has no such weights, or the weights are of another network.

    >>> find_entry("resnet50-VD-ssld").row
    'ResNet50_vd'
    """
    spelling = normalize(name)
    if spelling in _by_spelling():
        return _by_spelling()[spelling]
    for other in not_equal():
        if spelling in {normalize(known) for known in other.names}:
            raise WeightsError(
                f"{name} is no network of the table: {other.reason}.",
                next_step=f"The nearest row is {other.near}; its weights: residua weights list "
                f"{other.near}",
            )
    row = find_architecture(name)
    named = ", ".join(f"{entry.name} ({entry.licence})" for entry in entries_of(row.name))
    raise WeightsError(
        f"{row.name} has no weights that are used by default."
        if named
        else f"No weights are published for {row.name}.",
        next_step=f"Name them, and mind the licence: {named}."
        if named
        else f"Train it (residua train FOLDER --model {row.name}), or import a file: "
        f"residua weights import FILE --model {row.name} --output BUNDLE",
    )


def find_architecture(name: str) -> Architecture:
    """Return the row of any model name: of the table, of the catalogue, or an alias.

    Raises UnknownNameError with the five nearest of all names.

    >>> find_architecture("ResNet50_vd.ra2").name
    'ResNet50_vd'
    """
    spelling = normalize(name)
    if spelling in _by_spelling():
        return _by_spelling()[spelling].architecture
    if spelling in {normalize(row) for row in ROWS}:
        return find_row(name)
    known = dict.fromkeys([*ROWS, *(entry.name for entry in entries())])
    raise UnknownNameError("model", name, known, next_step="All: residua weights list")
