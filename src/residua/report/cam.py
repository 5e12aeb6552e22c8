"""Class activation maps: which places of a picture speak for a class, and by how much.

For this family the map is exact, not an approximation by gradients: what the last stage gives out
is averaged over all places and then weighed, so that weighing before averaging gives the same
logit. CAM_c(x, y) = Σ_k w_ck f_k(x, y) (Zhou et al. 2016, arXiv 1512.04150, equation 2), and its
mean plus the bias of the class is the logit.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from residua.bundle.schema import Preprocess
from residua.pixels.graph import Normalize
from residua.zoo.resnet import ResNet

# Heat from nothing to the ceiling: violet, crimson, orange, yellow. It lies over the picture in
# grey, dimmed to _DIM of its brightness, and follows its light and shade down to _SHADE.
_HUES = np.array([[88, 28, 120], [190, 38, 88], [240, 112, 40], [255, 222, 90]], np.float64)
_DIM, _SHADE = 0.62, 0.45


def map_classes(
    network: ResNet,
    preprocess: Preprocess,
    crops: NDArray[np.uint8],
    classes: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the maps of ``classes`` [N, K] for ``crops`` uint8 [N, H, W, C]: [N, K, h, w].

    The mean of a map plus the bias of its class is the class's logit. ``network`` must be in
    evaluation mode; h and w are the sides of what its last stage gives out.
    """
    head = network.head
    if not isinstance(head, nn.Linear):
        raise TypeError(f"a map needs a linear classifier on pooled features, not {type(head)}")
    last = f"stage{len(network.stages)}"
    normalize = Normalize(preprocess.mean, preprocess.std)
    with torch.inference_mode():
        images = normalize(torch.from_numpy(np.ascontiguousarray(crops)))
        features = network.features(images, [last])[last]  # [N, channels, h, w]
        weights = head.weight[torch.from_numpy(classes)]  # [N, K, channels]
        maps = torch.einsum("nkc,nchw->nkhw", weights, features)
    result: NDArray[np.float32] = maps.numpy()
    return result


def enlarge(maps: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return maps [N, K, h, w] in the size of the crop, bilinearly: [N, K, height, width]."""
    tensor = torch.from_numpy(np.ascontiguousarray(maps))
    larger = functional.interpolate(tensor, (height, width), mode="bilinear", align_corners=False)
    result: NDArray[np.float32] = larger.numpy()
    return result


def paint(crop: NDArray[np.uint8], heat: NDArray[np.float32], ceiling: float) -> NDArray[np.uint8]:
    """Lay ``heat`` [H, W] over an RGB ``crop`` [H, W, 3]; at ``ceiling`` the colour is full.

    Only what speaks for the class is coloured; the rest of the picture recedes.
    """
    level = np.clip(heat / ceiling, 0, 1) if ceiling > 0 else np.zeros_like(heat)
    place = level * (len(_HUES) - 1)
    lower = np.minimum(place.astype(np.int64), len(_HUES) - 2)
    part = (place - lower)[..., None]
    hue = _HUES[lower] * (1 - part) + _HUES[lower + 1] * part
    grey = crop.astype(np.float64).mean(axis=2, keepdims=True)
    tinted = hue * (_SHADE + (1 - _SHADE) * grey / 255)
    opacity = np.minimum(1, 1.6 * level)[..., None] * 0.9
    painted = grey * _DIM * (1 - opacity) + tinted * opacity
    pixels: NDArray[np.uint8] = np.clip(np.rint(painted), 0, 255).astype(np.uint8)
    return pixels
