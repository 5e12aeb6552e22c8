"""The records of a report: all that the page shows, in the order in which it shows it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from residua.bundle.schema import Manifest, Metrics
from residua.evaluate.reliability import Reliability
from residua.report.history import History
from residua.report.speed import Speed


@dataclass(frozen=True, slots=True)
class Figure:
    """A big figure of the head: what, the number as text, and a smaller line below it."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the data as the network saw it: a data URI, and where it comes from."""

    uri: str
    name: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The figures of a class that has ``pictures``.

    ``average_precision`` is of multi-label data only; precision, recall and F1 are there those at a
    probability of 0.5.
    """

    name: str
    pictures: int
    precision: float
    recall: float
    f1: float
    average_precision: float | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix, or the most confused block of one with many classes.

    ``counts`` [rows, columns]: pictures of each class of ``rows`` by answer. ``right`` is the
    column of each row's own class; ``total`` is the number of classes.
    """

    counts: NDArray[np.int64]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    right: tuple[int, ...]
    total: int

    @property
    def whole(self) -> bool:
        """Whether every class is shown."""
        return len(self.rows) == self.total


@dataclass(frozen=True, slots=True)
class Pair:
    """Pictures of the class ``truth`` that were taken for ``answer``, with some of them."""

    truth: str
    answer: str
    count: int
    share: float
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the best answers to a picture."""

    name: str
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer: the picture, what speaks for the answer in it, and what for the truth.

    ``answers`` are the best ones, and the right one if it is not among them. The maps have one
    scale. ``doubtful`` marks a label that the network contradicts firmly.
    """

    picture: Picture
    answer_map: Picture
    truth_map: Picture
    truth: str
    loss: float
    answers: tuple[Answer, ...]
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """The network's cost: measured speed, size on disk, parameters, work for one picture."""

    engine: str
    speeds: tuple[Speed, ...]
    weight_bytes: int
    params: int
    gflops: float
    described: dict[str, str]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that is in no figure, with the reason."""

    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything on the page.

    What does not apply is empty or None, and ``omitted`` says why by the name of the section.
    ``made`` is the date of the report; ``part`` says which pictures were evaluated.
    """

    title: str
    made: str
    part: str
    manifest: Manifest
    metrics: Metrics
    figures: tuple[Figure, ...]
    classes: tuple[ClassRow, ...]
    reliability: Reliability
    machine: Machine
    counts: tuple[tuple[str, int], ...]
    unreadable: tuple[Unreadable, ...]
    notes: tuple[str, ...]
    history: History | None = None
    gallery: tuple[Picture, ...] = ()
    confusion: Confusion | None = None
    pairs: tuple[Pair, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    mistakes_total: int = 0
    omitted: dict[str, str] = field(default_factory=dict)
