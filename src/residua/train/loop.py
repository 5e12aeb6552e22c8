"""The training loop, read top to bottom.

Nothing in a step waits for the device: losses add up there and are read at logging steps only.
A loss or gradient that is not finite is therefore noticed at the next logging step at the latest,
and the last step of every epoch is one.
"""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format, get_total_norm

from residua.base.errors import TrainingError
from residua.bundle.schema import Metrics
from residua.data.loader import batches, cut
from residua.data.order import epoch_order
from residua.data.view import TrainingView
from residua.pixels.graph import Normalize
from residua.train.display import Display
from residua.train.meter import Meter
from residua.train.optimiser import make_optimiser, set_rate
from residua.train.precision import Precision
from residua.train.recipe import Recipe
from residua.train.record import RunRecord
from residua.train.reports import EpochReport, StepReport
from residua.train.schedule import rate_factor
from residua.train.step import run_backward
from residua.zoo.resnet import ResNet

Validate = Callable[[], Metrics]


def fit(
    network: ResNet,
    view: TrainingView,
    recipe: Recipe,
    *,
    precision: Precision,
    validate: Validate,
    record: RunRecord,
    display: Display,
) -> tuple[EpochReport, ...]:
    """Train ``network`` on ``view`` as ``recipe`` says, and validate it after every epoch.

    Every random draw is a function of the seed in ``recipe``. Raises TrainingError where the loss
    or a gradient stops being finite.
    """
    device, loop = precision.device, recipe.loop
    network.to(device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    normalize = Normalize(view.preprocess.mean, view.preprocess.std).to(device)
    labels = torch.from_numpy(view.source.labels)
    optimiser = make_optimiser(network, recipe.optimiser)
    size = min(loop.batch_size, len(view.source))
    steps = len(view.source) // size
    torch.manual_seed(loop.seed)  # drop path draws from torch
    reports = []
    for epoch in range(loop.epochs):
        network.train()
        meter = Meter(device)
        order = epoch_order(len(view.source), seed=loop.seed, epoch=epoch)
        fill = partial(view.fill, epoch)
        loading = batches(fill, cut(order, size)[:steps], shape=view.shape)
        with closing(loading):
            for step, batch in enumerate(loading):
                # Every step: rate, forward, loss, backward; the update comes last.
                rate = recipe.optimiser.lr * rate_factor(
                    recipe.schedule, epoch + (step + 0.5) / steps, loop.epochs
                )
                set_rate(optimiser, rate)
                images = torch.from_numpy(batch.images).to(device)
                targets = labels[batch.indices].to(device)
                optimiser.zero_grad(set_to_none=True)
                loss = run_backward(network, normalize, images, targets, recipe, precision,
                                    epoch=epoch, step=step)  # fmt: skip
                meter.add(loss, len(batch.indices))
                # At logging steps, the last of the epoch among them: wait for the device and look.
                logging = (step + 1) % loop.log_every == 0 or step + 1 == steps
                if logging:
                    done = epoch + (step + 1) / steps
                    report = meter.read(done, rate, _gradient_norm(network))
                    _check_finite(report, recipe)
                    record.write("step", **asdict(report))
                    display.show_step(report, loop.epochs)
                optimiser.step()
        # Every epoch: validate with what a bundle would hold, on what prediction would see.
        network.eval()
        reports.append(EpochReport(epoch + 1, *meter.whole(), validate()))
        record.write("epoch", **_flat(reports[-1]))
        display.show_epoch(reports[-1], loop.epochs)
    return tuple(reports)


def _gradient_norm(network: ResNet) -> Tensor:
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return get_total_norm(gradients)


def _check_finite(report: StepReport, recipe: Recipe) -> None:
    for what, value in (("loss", report.loss), ("gradient's norm", report.gradient_norm)):
        if not math.isfinite(value):
            raise TrainingError(
                f"The {what} is {value} after {report.epoch:.2f} epochs: the training diverged.",
                next_step=f"Lower the learning rate (it was {recipe.optimiser.lr:g}), "
                "or add a warm-up.",
            )


def _flat(report: EpochReport) -> dict[str, object]:
    metrics = report.metrics.model_dump(include={"top1", "top5", "loss", "images"})
    return {
        "epoch": report.epoch,
        "train_loss": report.loss,
        "images_per_second": report.images_per_second,
        **{f"val_{name}": value for name, value in metrics.items()},
    }
