"""Drawing: everything is escaped, ticks are round, labels keep apart."""

import numpy as np
import pytest

from report.pages import Page
from residua.report.counted import cut_confusion
from residua.report.plots import (
    Series,
    draw_histogram,
    draw_lines,
    draw_matrix,
    draw_reliability,
)
from residua.report.svg import Drawing, Scale, round_ticks, spread_labels, whole_ticks

HOSTILE = "</title><script>alert('1')</script>\"&"


def classes_of(svg):
    return [attributes.get("class") for _, attributes in Page(svg).elements]


def test_text_attributes_and_hover_are_escaped():
    drawing = Drawing(10, 20, HOSTILE)
    drawing.add("text", text=HOSTILE, hover=HOSTILE, class_=HOSTILE, fill_opacity=0.5)
    page = Page(drawing.render())
    assert [tag for tag, _ in page.elements] == ["svg", "text", "title"]
    (_, svg), (_, text), _ = page.elements
    assert svg["aria-label"] == text["class"] == HOSTILE
    assert text["fill-opacity"] == "0.5"
    assert page.texts == {"title": [HOSTILE], "text": [HOSTILE]}


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.5, 1]),
        (0.31, 0.88, [0.2, 0.4, 0.6, 0.8, 1]),
        (80.98, 87.77, [80, 82, 84, 86, 88]),
        (0, 487, [0, 200, 400, 600]),
        (3, 3, [3, 4, 5, 6]),
        (0.0001, 0.01, [0, 0.005, 0.01]),
    ],
)
def test_ticks_are_round_and_span_the_range(low, high, ticks):
    assert round_ticks(low, high) == pytest.approx(ticks)


def test_whole_ticks_are_few_and_whole():
    assert whole_ticks(1, 6) == [1, 2, 3, 4, 5, 6]
    assert whole_ticks(1, 1) == [1]
    ticks = whole_ticks(0, 600)
    assert ticks == [0, 100, 200, 300, 400, 500, 600]


def test_labels_keep_apart_and_stay_near():
    assert spread_labels([10, 50], 15) == [10, 50]
    assert spread_labels([50, 52], 15) == [43.5, 58.5]
    placed = spread_labels([30, 31, 32, 90], 10)
    assert placed == [21, 31, 41, 90]
    assert spread_labels([32, 30, 31], 10) == [41, 21, 31]


def test_a_scale_is_linear():
    assert [Scale(2, 4, 100, 0).at(value) for value in (2, 3, 4)] == [100, 50, 0]


def test_lines_have_a_point_for_each_value_and_their_name():
    training = Series("training", ((1, 0.9), (2, 0.5), (3, 0.4)))
    svg = draw_lines("Loss", [training, Series("validation", ((1, 0.6), (3, 0.5)), tone=1)], str)
    kinds = classes_of(svg)
    assert kinds.count("dot tone0") == 3
    assert kinds.count("dot tone1") == 2
    page = Page(svg)
    assert {"training", "validation", "epoch"} <= set(page.texts["text"])
    assert "training, epoch 2: 0.5" in page.texts["title"]


def test_a_run_of_one_epoch_is_drawn():
    svg = draw_lines("Loss", [Series("training", ((1, 0.9),))], str)
    assert "nan" not in svg
    assert classes_of(svg).count("dot tone0") == 1


@pytest.mark.parametrize(
    "values", [(0.3302, 0.3309), (0.81, 0.9), (0.5, 0.5), (0.0, 0.0), (0.99991, 0.99996)]
)
@pytest.mark.parametrize("share", [True, False])
def test_no_two_ticks_of_an_axis_are_spelt_alike(values, share):
    line = Series("mAP", tuple(enumerate(values, start=1)))
    page = Page(draw_lines("mAP", [line], "{:.2f}".format, share=share))
    marks = [text for text in page.texts["text"] if text.endswith("%") == share and "e" not in text]
    marks = marks[: len(marks) if share else -2]  # without the numbers of the epochs
    assert len(marks) >= 3
    assert len(set(marks)) == len(marks)
    numbers = [float(mark.removesuffix("\u202f%")) / (100 if share else 1) for mark in marks]
    assert numbers == sorted(numbers)
    assert numbers[0] - 1e-12 <= min(values) <= max(values) <= numbers[-1] + 1e-12
    assert np.ptp(np.diff(numbers)) == pytest.approx(0, abs=1e-9)  # not rounded to uneven steps


def test_few_answers_are_counted_in_whole_numbers():
    page = Page(draw_histogram(np.array([0, 1]), np.array([0, 0])))
    marks = [text for text in page.texts["text"] if text.isdigit()]
    assert marks == ["0", "1", "2", "3", "4"]


def test_the_matrix_shows_every_count_with_its_share():
    matrix = np.array([[8, 2, 0], [0, 5, 0], [1, 0, 3]])
    svg, width = draw_matrix(cut_confusion(matrix, ("a", "b", "c")))
    assert width > 200
    kinds = classes_of(svg)
    assert (kinds.count("good"), kinds.count("bad")) == (3, 2)
    hovers = Page(svg).texts["title"]
    assert "a taken for b: 2 of 10 (20.0\u202f%)" in hovers
    assert "b recognised: 5 of 5 (100\u202f%)" in hovers


def test_reliability_marks_too_sure_and_too_shy():
    confidence, accuracy = np.array([0.1, 0.5, 0.9]), np.array([0.3, 0.2, 0.0])
    kinds = classes_of(draw_reliability(confidence, accuracy, np.array([4, 5, 0])))
    assert (kinds.count("good"), kinds.count("under"), kinds.count("over")) == (2, 1, 1)


def test_the_histogram_stacks_wrong_on_right():
    svg = draw_histogram(np.array([0, 3, 6]), np.array([0, 1, 2]))
    bars = [attributes for tag, attributes in Page(svg).elements if tag == "rect"]
    heights = [float(bar.get("height")) for bar in bars]
    assert [bar.get("class") for bar in bars] == ["good", "bad", "good", "bad"]
    assert heights[0] == pytest.approx(3 * heights[1], rel=0.01)
    assert heights[2] == pytest.approx(2 * heights[0], rel=0.01)
