"""What is shown of the answers: the worst, the surest right ones, the most confused."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from making import make_network
from residua.bundle.schema import Classes, Preprocess
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.evaluate.confusion import Confused
from residua.evaluate.scores import Scores
from residua.report.thumbnails import as_rgb, as_uri, fit
from residua.report.worst import Answers, find_mistakes, show_mistakes, show_pairs, show_right

NAN = float("nan")
# Pictures 0 to 6; picture 3 cannot be read, picture 6 gets no numbers.
LABELS = [0, 0, 1, 1, 2, 1, 0]
INDICES = [0, 1, 2, 4, 5, 6]
PROBABILITIES = [
    [0.7, 0.2, 0.1],  # right
    [0.9, 0.05, 0.05],  # right, surer
    [0.3, 0.5, 0.2],  # right
    [0.98, 0.015, 0.005],  # wrong: 2 taken for 0, firmly
    [0.1, 0.4, 0.5],  # wrong: 1 taken for 2
    [NAN, 0.5, 0.5],
]


def picture(number):
    buffer = io.BytesIO()
    colour = (30 * number, 255 - 30 * number, 128)
    Image.new("RGB", (40, 32), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def answers():
    source = Source(
        title="test",
        classes=Classes(names=("a", "b", "c")),
        names=tuple(f"{number}.png" for number in range(len(LABELS))),
        labels=np.array(LABELS),
        read=picture,
    )
    scores = Scores(np.array(INDICES), np.array(PROBABILITIES, np.float32))
    return Answers(EvaluationView(source, Preprocess(crop_size=32, short_side=32)), scores)


def decode(uri):
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def test_mistakes_come_by_loss_and_pictures_without_an_answer_not_at_all(answers):
    assert answers.indices.tolist() == [0, 1, 2, 4, 5]
    rows = find_mistakes(answers)
    assert [answers.name(int(row)) for row in rows] == ["4.png", "5.png"]
    assert answers.losses[rows] == pytest.approx(-np.log([0.005, 0.4]), rel=1e-5)


def test_a_mistake_is_shown_with_its_answers_and_maps(answers):
    network = make_network("ResNet18", num_classes=3, widths=(8, 8, 16, 16))
    first, second = show_mistakes(answers, network, find_mistakes(answers))
    assert (first.truth, first.answers[0].name, first.doubtful) == ("c", "a", True)
    assert [(a.name, a.right) for a in second.answers] == [("c", False), ("b", True), ("a", False)]
    assert not second.doubtful
    assert (second.answer_map.caption, second.truth_map.caption) == (
        "speaks for c",
        "speaks for b",
    )
    seen = decode(first.picture.uri)
    assert np.abs(seen - [120, 135, 128]).max() < 8  # picture 4, in one colour
    assert seen.shape == decode(first.answer_map.uri).shape == (160, 160, 3)


def test_the_right_answer_is_shown_even_if_it_is_far_behind():
    count = 8
    probabilities = np.full((1, count), 0.01, np.float32)
    probabilities[0, :6] = [0.5, 0.2, 0.1, 0.08, 0.06, 0.05]
    source = Source("t", Classes(names=tuple("abcdefgh")), ("x",), np.array([7]), lambda _: b"")
    view = EvaluationView(source, Preprocess(crop_size=32, short_side=32))
    view.cache.offer(0, np.zeros((32, 32, 3), np.uint8))
    answers = Answers(view, Scores(np.array([0]), probabilities))
    network = make_network("ResNet18", num_classes=count, widths=(8, 8, 16, 16))
    (mistake,) = show_mistakes(answers, network, find_mistakes(answers))
    assert [answer.name for answer in mistake.answers] == ["a", "b", "c", "d", "e", "h"]
    assert [answer.right for answer in mistake.answers] == [False] * 5 + [True]


def test_of_each_class_the_surest_right_answer_is_shown(answers):
    shown = show_right(answers)
    assert [(p.caption, p.name) for p in shown] == [("a", "1.png"), ("b", "2.png")]
    assert [p.caption for p in show_right(answers, limit=1)] == ["a"]


def test_pairs_have_their_mistakes(answers):
    pair, other = show_pairs(answers, [Confused(2, 0, 1, 1), Confused(1, 2, 1, 3)])
    assert (pair.truth, pair.answer, [p.name for p in pair.pictures]) == ("c", "a", ["4.png"])
    assert other.share == pytest.approx(1 / 3)


def test_crops_of_any_channels_become_rgb():
    grey = np.full((2, 2, 1), 7, np.uint8)
    assert as_rgb(grey).tolist() == np.full((2, 2, 3), 7).tolist()
    half = np.array([[[0, 100, 200, 51]]], np.uint8)  # a fifth opaque, over white
    assert as_rgb(half).tolist() == [[[204, 224, 244]]]


@pytest.mark.parametrize(("own", "shown"), [(32, 160), (24, 168), (224, 160), (160, 160)])
def test_thumbnails_have_about_one_size(own, shown):
    pixels = np.random.default_rng(0).integers(0, 256, (own, own, 3), dtype=np.uint8)
    assert fit(pixels).shape == (shown, shown, 3)
    assert abs(decode(as_uri(fit(pixels))).mean() - pixels.mean()) < 3
