"""The report of a choice: of each class how many and how sure, and what was left out and why."""

import html
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residua.base.files import write_atomic
from residua.base.words import count_of
from residua.bundle.schema import Classes
from residua.bundle.store import WEIGHTS
from residua.data.source import Source
from residua.distil.mine.scores import Scores
from residua.predict.classifier import Classifier

_SHOWN = 1000  # near duplicates that are named
_BINS = 20  # of the probabilities


class Report:
    """Counts while the pictures go by."""

    def __init__(
        self, place: str, teacher: Classifier, classes: Classes, per_class: int, threshold: float,
        validation: Source | None,
    ) -> None:  # fmt: skip
        """Nothing has gone by yet."""
        self.classes = classes
        self._said: dict[str, Any] = {
            "unlabelled": place, "teacher": teacher.manifest.architecture.name,
            "teacher_sha256": teacher.manifest.files[WEIGHTS].sha256,
            "engine": teacher.engine.name, "per_class": per_class, "threshold": threshold,
        }  # fmt: skip
        self._validation = validation
        self._unreadable: Counter[str] = Counter()
        self._near: list[dict[str, Any]] = []
        self.near = self.seen = self.others = self.unnameable = 0
        self._of_classes = np.zeros(len(self.classes), dtype=np.int64)
        self._bins = np.zeros(_BINS, dtype=np.int64)
        self._chosen: NDArray[np.void] = np.empty(0, dtype=[("class", "i4"), ("score", "f4")])

    @property
    def chosen(self) -> int:
        """How many pictures were chosen."""
        return len(self._chosen)

    @property
    def unreadable(self) -> int:
        """How many could not be read."""
        return self._unreadable.total()

    def see(self, scores: Scores, classes: NDArray[np.int32]) -> None:
        """Count a chunk; ``classes`` are the places of its classes among the wanted, or -1."""
        self.seen += len(scores.names)
        self._unreadable.update(reason for reason in scores.reasons if reason)
        for index in np.flatnonzero(scores.like >= 0):
            self.near += 1
            if len(self._near) < _SHOWN and self._validation is not None:
                like = self._validation.names[int(scores.like[index])]
                self._near.append(
                    {"name": scores.names[index], "like": like, "bits": int(scores.bits[index])}
                )
        good = (classes >= 0) & (scores.like < 0)
        self.others += int(np.sum((scores.classes >= 0) & (classes < 0)))
        self._of_classes += np.bincount(classes[good], minlength=len(self.classes))
        self._bins += np.histogram(scores.scores[good], bins=_BINS, range=(0, 1))[0]

    def leave_out(self, count: int) -> None:
        """Note how many of the chosen no list can name: tabs, line breaks, blanks at an end."""
        self.unnameable = count

    def choose(self, chosen: NDArray[np.void]) -> None:
        """Note what was chosen: class, score, place."""
        self._chosen = chosen

    def as_record(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        classes = {}
        for number, name in enumerate(self.classes.names):
            own = self._chosen["score"][self._chosen["class"] == number]
            classes[name] = {
                "candidates": int(self._of_classes[number]), "chosen": len(own),
                "least": _round(own.min()) if len(own) else None,
                "median": _round(np.median(own)) if len(own) else None,
            }  # fmt: skip
        return self._said | {
            "pictures": self.seen, "chosen": self.chosen,
            "unreadable": dict(sorted(self._unreadable.items())), "near_duplicates": self.near,
            "of_other_classes": self.others, "not_to_be_listed": self.unnameable,
            "probabilities": [int(count) for count in self._bins],
            "classes": classes, "near_duplicates_named": self._near,
        }  # fmt: skip

    def spell(self) -> str:
        """Return it in a few lines."""
        record = self.as_record()
        counts = [each["chosen"] for each in record["classes"].values()]
        full = sum(count == record["per_class"] for count in counts)
        classes, most = count_of(len(counts), "class", "classes"), record["per_class"]
        lines = [f"{count_of(self.seen, 'picture')} looked at, {self.chosen} chosen."]
        lines.append(
            f"Of each class {min(counts)} to {max(counts)}, in the middle "
            f"{int(np.median(counts))}; {full} of {classes} have all {most}."
        )
        if self.near:
            lines.append(
                f"{count_of(self.near, 'near duplicate')} of validation pictures left out."
            )
        if self.others:
            lines.append(f"{self.others} are of classes that the student has not.")
        if self.unnameable:
            lines.append(
                f"{self.unnameable} of the chosen have a tab, a line break or a blank at an end of "
                "their names, which no list can hold: rename them, or write shards."
            )
        if self.unreadable:
            reasons = ", ".join(f"{n} {reason}" for reason, n in record["unreadable"].items())
            lines.append(f"{self.unreadable} could not be read: {reasons}.")
        return "\n".join(lines)

    def write(self, output: Path) -> None:
        """Write the JSON and the page beside ``output``."""
        record = self.as_record()
        content = json.dumps(record, ensure_ascii=False, indent=1)
        write_atomic(output.with_suffix(".json"), content.encode(errors="surrogateescape"))
        page = _draw(record, self.spell())
        write_atomic(output.with_suffix(".html"), page.encode(errors="surrogateescape"))


def _round(value: np.floating[Any]) -> float:
    return round(float(value), 4)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Chosen pictures</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.45 system-ui,sans-serif;max-width:860px;
margin:0 auto;padding:20px 16px 60px}}table{{border-collapse:collapse;width:100%}}
td,th{{padding:3px 8px;text-align:right}}td:first-child,th:first-child{{text-align:left;
overflow-wrap:anywhere}}tr:nth-child(even){{background:#8881}}
.bar{{display:inline-block;height:9px;background:#1f6f8b;border-radius:4px;vertical-align:middle}}
.track{{width:160px;text-align:left}}</style>
<h1>Chosen pictures</h1><p>{said}</p>
<p>From {place}, by {teacher}, at most {per_class} of a class, at least {threshold:.2f} sure.</p>
<h2>How sure the teacher is of all</h2><table>{bins}</table>
<h2>Classes</h2><table><tr><th>class</th><th>candidates</th><th>chosen</th><th></th>
<th>least sure</th><th>median</th></tr>{rows}</table>
<h2>Near duplicates of validation pictures</h2><table>{near}</table></html>
"""


def _draw(record: dict[str, Any], said: str) -> str:
    most = max(*record["probabilities"], 1)
    bins = "".join(
        f"<tr><td>{at / _BINS:.2f}…{(at + 1) / _BINS:.2f}</td><td>{count}</td>"
        f"<td class=track>{_bar(count / most)}</td></tr>"
        for at, count in enumerate(record["probabilities"])
    )
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{each['candidates']}</td><td>{each['chosen']}</td>"
        f"<td class=track>{_bar(each['chosen'] / record['per_class'])}</td>"
        f"<td>{_spell(each['least'])}</td><td>{_spell(each['median'])}</td></tr>"
        for name, each in record["classes"].items()
    )
    near = "".join(
        f"<tr><td>{html.escape(each['name'])}</td><td>{html.escape(each['like'])}</td>"
        f"<td>{each['bits']} bits</td></tr>"
        for each in record["near_duplicates_named"]
    )
    return _PAGE.format(
        said=html.escape(said).replace("\n", "<br>"), place=html.escape(record["unlabelled"]),
        teacher=html.escape(record["teacher"]), per_class=record["per_class"],
        threshold=record["threshold"], bins=bins, rows=rows,
        near=near or "<tr><td>none</td></tr>",
    )  # fmt: skip


def _bar(share: float) -> str:
    return f'<span class="bar" style="width:{160 * min(1.0, share):.0f}px"></span>'


def _spell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
