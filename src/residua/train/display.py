"""What a running training shows on standard error: a live line on a terminal, a line an epoch."""

import sys
import time

from residua.base.clock import spell_seconds
from residua.train.update.reports import EpochReport, StepReport


class Display:
    """Shows steps (on a terminal, rewriting one line) and epochs; ``quiet`` shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        """The clock for the time left starts with the first report."""
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._first: tuple[float, float] | None = None  # when, and at which epoch

    def say(self, text: str) -> None:
        """Show a line."""
        if not self._quiet:
            self._clear()
            self._write(f"{text}\n")

    def show_step(self, report: StepReport, epochs: int) -> None:
        """Rewrite the live line."""
        left = self._left(report.epoch, epochs)
        if self._live:
            self._clear()
            self._write(
                f"epoch {report.epoch:.2f} of {epochs}  loss {report.loss:.4f}  "
                f"lr {report.lr:.2g}  {report.images_per_second:.0f} images/s  {left}"
            )

    def show_count(self, done: int, total: int, text: str) -> None:
        """Rewrite the live line of work that is no epoch; the last one leaves it empty."""
        if self._live:
            self._clear()
            if done < total:
                self._write(f"{done} of {total}  {text}")

    def show_epoch(self, report: EpochReport, epochs: int) -> None:
        """Show the line of an epoch."""
        metrics = report.metrics
        validation = ""
        if metrics is not None:
            name, value = (
                ("mAP", metrics.map) if metrics.map is not None else ("top-1", metrics.top1)
            )
            validation = f"validation: {name} {value or 0:.2%}, loss {metrics.loss or 0:.4f}  "
        self.say(
            f"epoch {report.epoch} of {epochs}  loss {report.loss:.4f}  "
            f"{report.images_per_second:.0f} images/s  {validation}"
            f"{self._left(report.epoch, epochs)}"
        )

    def _left(self, epoch: float, epochs: int) -> str:
        """Return the time left, from the speed since the first report."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, epoch)
        started, since = self._first
        if epoch >= epochs or epoch <= since:
            return ""
        return f"{spell_seconds((now - started) / (epoch - since) * (epochs - epoch))} left"

    def _clear(self) -> None:
        if self._live:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
