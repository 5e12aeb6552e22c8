"""Batch normalisations folded into their convolutions: the same function with fewer layers."""

from typing import cast

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from residua.zoo.block import ConvNorm
from residua.zoo.resnet import ResNet
from residua.zoo.shortcut import Projection


def fold_norms(network: ResNet) -> ResNet:
    """Fold every normalisation of ``network``, in place, and return it; evaluation mode only.

    What it computes changes by the rounding of float32. It cannot be trained or saved any more.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, ConvNorm | Projection) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = cast("nn.BatchNorm2d", nn.Identity())
    return network
