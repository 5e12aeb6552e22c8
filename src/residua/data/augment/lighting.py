"""AlexNet's noise along the principal components of ImageNet's colours.

Krizhevsky, Sutskever and Hinton 2012, section 4.1. The eigenvalues and vectors of RGB in 0…1 are
those that fb.resnet.torch published (datasets/imagenet.lua), which everybody uses since.
"""

from collections.abc import Iterator

import numpy as np

from residua.data.augment.operations import Picture, change_colours, look_up
from residua.data.draws import draw_normal

EIGENVALUES = np.array([0.2175, 0.0188, 0.0045])
EIGENVECTORS = np.array(  # a column each; rows are R, G and B
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


def light(picture: Picture, deviation: float, numbers: Iterator[float]) -> Picture:
    """Return the picture (uint8 [H, W, C]) with one colour added to all its pixels.

    It is the sum of the eigenvectors, each times its eigenvalue and a normal number of standard
    deviation ``deviation``. Grey pictures have no such colours and stay as they are.
    """
    if not deviation or picture.shape[2] == 1:
        return picture
    strengths = deviation * np.array([draw_normal(numbers) for _ in range(3)])
    added = 255 * EIGENVECTORS @ (strengths * EIGENVALUES)
    table = np.clip(np.rint(np.arange(256)[:, None] + added), 0, 255).astype(np.uint8)
    return change_colours(picture, look_up, table)
