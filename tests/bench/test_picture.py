"""The picture: every model once, marks where they belong, a file that stands alone."""

import re
from xml.etree import ElementTree as ET  # of our own writing

import pytest

from residua.base.errors import SettingError
from residua.bench.labels import measure_text, place_labels
from residua.bench.picture import choose_marks, draw_picture
from residua.bench.record import Benchmark, Measurement, make_latency

SVG = "{http://www.w3.org/2000/svg}"
MODELS = {
    "ResNet18": (0.710, 18), "ResNet18_vd": (0.723, 20), "ResNet50": (0.765, 40),
    "ResNet50_vd": (0.791, 42), "ResNet50_vd_ssld": (0.830, 42), "ResNeXt50_32x4d": (0.777, 50),
}  # fmt: skip
FACTORS = {"fp32": 1, "bf16": 2, "int8": 4}


def measured(model, engine, precision, milliseconds, top1):
    return Measurement(
        model=model, architecture="ResNet18", image_size=224, macs=10, engine=engine, top1=top1,
        top1_of="ImageNet", precision=precision, device="cpu", status="measured",
        latency=(make_latency(1, [milliseconds], 10, None), make_latency(4, [1.0], 10, None)),
    )  # fmt: skip


def benchmark(*measurements):
    return Benchmark(
        command="", date="", residua="0", machine={"processor": "A <fast> one"}, versions={},
        threads=2, seconds=1.0, measurements=measurements,
    )  # fmt: skip


@pytest.fixture
def series():
    return benchmark(
        *(
            measured(model, engine, precision, slow * time / factor, top1)
            for model, (top1, time) in MODELS.items()
            for precision, factor in FACTORS.items()
            for engine, slow in (("openvino", 1), ("torch", 2))
        )
    )


def test_each_model_is_named_once_and_marked_once_a_precision(series):
    root = ET.fromstring(draw_picture(series))  # noqa: S314  # of our own writing
    words = [text.text for text in root.iter(f"{SVG}text")]
    for model in MODELS:
        assert words.count(model) == 1
    dots = [dot for dot in root.iter(f"{SVG}circle") if dot.find(f"{SVG}title") is not None]
    assert len(dots) == len(MODELS) * len(FACTORS)
    titles = [dot.find(f"{SVG}title").text for dot in dots]
    assert all("openvino" in title for title in titles)  # the quicker one
    for precision in FACTORS:
        assert any(word.startswith(f"{precision}, openvino") for word in words)


def test_marks_lie_on_a_logarithmic_and_a_linear_axis(series):
    root = ET.fromstring(draw_picture(series))  # noqa: S314  # of our own writing
    place = {}
    for dot in root.iter(f"{SVG}circle"):
        if (title := dot.find(f"{SVG}title")) is not None:
            model, rest = title.text.split(", ", 1)
            place[model, rest.split()[1].rstrip(":")] = float(dot.get("cx")), float(dot.get("cy"))
    # Twice as quick is the same way to the left everywhere.
    steps = {round(place[m, "fp32"][0] - place[m, "bf16"][0], 0) for m in MODELS}
    steps |= {round(place[m, "bf16"][0] - place[m, "int8"][0], 0) for m in MODELS}
    assert max(steps) - min(steps) <= 1
    slope = (place["ResNet50_vd_ssld", "fp32"][1] - place["ResNet18", "fp32"][1]) / (0.83 - 0.71)
    middle = place["ResNet18", "fp32"][1] + slope * (0.765 - 0.71)
    assert place["ResNet50", "fp32"][1] == pytest.approx(middle, abs=0.1)


def test_the_file_stands_alone(series):
    text = draw_picture(series)
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "A &lt;fast&gt; one" in text
    assert not re.search(r"href|url\(|var\(|@import|<script", text)


def test_names_do_not_lie_on_one_another():
    names = [(f"Model{n}", (100.0 + n, 100.0 + 3 * n)) for n in range(6)]
    labels = place_labels(names, [mark for _, mark in names], [], (0, 0, 400, 300))
    assert [label.text for label in labels] == [name for name, _ in names]
    for number, one in enumerate(labels):
        assert one.x >= 0
        assert one.x + measure_text(one.text) <= 400
        for other in labels[:number]:
            beside = one.x + one.width < other.x or other.x + other.width < one.x
            assert beside or abs(one.y - other.y) >= 12


def test_what_is_wrong_or_of_unknown_accuracy_is_not_drawn():
    right = measured("a", "openvino", "fp32", 10.0, 0.7)
    wrong = right.model_copy(update={"model": "b", "status": "wrong", "latency": ()})
    unknown = measured("c", "openvino", "fp32", 10.0, None)
    assert [mark.model for mark in choose_marks(benchmark(right, wrong, unknown), 1)] == ["a"]
    assert draw_picture(benchmark(right))  # one mark alone has its axes too
    with pytest.raises(SettingError, match="nothing to draw"):
        draw_picture(benchmark(wrong, unknown))
