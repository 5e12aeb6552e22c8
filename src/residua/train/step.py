"""One step of the training: pictures in, gradients out, without a wait for the device."""

from torch import Tensor, autograd, nn

from residua.data.mix import draw_share, mix, one_hot
from residua.train.losses import cross_entropy
from residua.train.precision import Precision
from residua.train.recipe import Recipe
from residua.zoo.resnet import ResNet


def run_backward(
    network: ResNet,
    normalize: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    precision: Precision,
    *,
    epoch: int,
    step: int,
) -> Tensor:
    """Add the gradients of a batch to the network's and return its mean loss, detached.

    ``images`` is uint8 [N, H, W, C] and ``labels`` int64 [N], both on the device of the network.
    """
    pictures, targets = normalize(images), labels  # [N, C, H, W]
    if recipe.augment.mix.mixup > 0:
        share = draw_share(recipe.augment.mix.mixup, seed=recipe.loop.seed, epoch=epoch, step=step)
        soft = one_hot(labels, network.row.num_classes)
        pictures, targets = mix(pictures, soft, share)
    with precision.computing():
        logits = network(pictures)
    loss = cross_entropy(logits, targets, smoothing=recipe.loss.label_smoothing)
    autograd.backward(loss)
    return loss.detach()
