"""Mixup against its formula."""

import numpy as np
import torch

from residua.data.mix import draw_share, mix, one_hot


def test_mixing_is_the_formula_of_the_paper():
    images = torch.randn(4, 3, 2, 2)
    targets = one_hot(torch.tensor([0, 2, 1, 1]), 3)
    mixed, soft = mix(images, targets, 0.3)
    for index in range(4):
        other = 3 - index
        torch.testing.assert_close(mixed[index], 0.3 * images[index] + 0.7 * images[other])
        torch.testing.assert_close(soft[index], 0.3 * targets[index] + 0.7 * targets[other])
    torch.testing.assert_close(soft.sum(1), torch.ones(4))


def test_a_share_of_one_changes_nothing():
    images, targets = torch.randn(4, 3, 2, 2), one_hot(torch.tensor([0, 1, 2, 0]), 3)
    mixed, soft = mix(images, targets, 1.0)
    torch.testing.assert_close(mixed, images)
    torch.testing.assert_close(soft, targets)


def test_shares_follow_beta():
    shares = np.array([draw_share(0.2, seed=0, epoch=1, step=step) for step in range(4000)])
    # Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2a + 1)).
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs(shares.var() - 1 / (4 * 1.4)) < 0.01


def test_a_share_is_a_function_of_its_keys():
    def draw(seed=0, epoch=1, step=2):
        return draw_share(0.4, seed=seed, epoch=epoch, step=step)

    assert draw() == draw()
    assert len({draw(), draw(seed=1), draw(epoch=2), draw(step=3)}) == 4
