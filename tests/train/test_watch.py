"""The watch ends what is not finite and speaks once of what climbs or waits."""

import pytest

from residua.base.errors import TrainingError
from residua.train.update.reports import StepReport
from residua.train.update.watch import Watch


def _report(loss, *, norm=1.0, waiting=0.0):
    return StepReport(1.5, loss, 0.1, norm, 100.0, waiting)


def _watch(losses, watch=None):
    watch = watch or Watch()
    return [warning for loss in losses if (warning := watch.check(_report(loss)))]


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_what_is_not_finite_ends_the_run(loss, norm):
    watch = Watch()
    watch.check(_report(2.5))
    with pytest.raises(TrainingError, match="diverged") as caught:
        watch.check(_report(loss, norm=norm))
    assert "2.5" in str(caught.value)
    assert "--lr" in caught.value.next_step


def test_a_noisy_falling_loss_is_no_reason_to_speak():
    losses = [2.3 / (1 + 0.1 * n) + (0.3 if n % 3 else -0.3) for n in range(60)]
    assert _watch(losses) == []


def test_a_climbing_loss_is_said_once():
    warnings = _watch([1.0] * 20 + [4.0] * 30)
    assert len(warnings) == 1
    assert "climbs" in warnings[0]


def test_a_loss_that_leaps_at_the_beginning_is_said_at_once():
    [warning] = _watch([2.2, 52.0])
    assert "climbs" in warning
    assert "had been 2.2" in warning
    assert _watch([2.2, 2.6, 3.0, 2.4, 2.1, 1.9, 1.7]) == []


def test_the_last_look_is_what_was_seen_last():
    watch = Watch()
    _watch([2.0, 3.0, 5.0], watch)
    with pytest.raises(TrainingError, match="At the last look the loss was 5"):
        watch.check(_report(float("nan")))


def test_the_numbers_carry_the_watch_over_an_interruption():
    before = Watch()
    _watch([1.0] * 20 + [4.0] * 2, before)
    whole, resumed = Watch(), Watch(dict(before.numbers))
    _watch([1.0] * 20 + [4.0] * 2, whole)
    assert _watch([4.0] * 10, resumed) == _watch([4.0] * 10, whole)


def test_waiting_for_pictures_is_said_once():
    watch = Watch()
    warnings = [watch.check(_report(1.0, waiting=0.5)) for _ in range(20)]
    assert len([warning for warning in warnings if "waits for pictures" in warning]) == 1
