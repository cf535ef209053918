"""A KDE, a histogram and a Gaussian of points on a line, as one function to be exported."""

import math

import torch
from torch import Tensor

from gen_utils.likelihoods import normal_log_prob

ROUNDING = 1e-4  # points nearer to each other than this, in single precision, are taken to be the same


def density_pad(
    train: Tensor, train_weight: Tensor, held_out: Tensor, held_out_weight: Tensor, bandwidth: Tensor, grid: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit a KDE, a histogram and a Gaussian to points on a line, and score each.

    The cells of the histogram are √12 h wide, and 0 is the border of two. So h is the standard deviation of a kernel
    and of a uniform density on a cell. The Gaussian of points that are all the same has no width: its log-density is
    +∞ there and −∞ elsewhere.

    Args:
        train: the points that are fitted, `(N,)`.
        train_weight: 1 for each point, 0 for padding, `(N,)`.
        held_out: other points, `(M,)`.
        held_out_weight: 1 for each of them, 0 for padding, `(M,)`.
        bandwidth: h, `(1,)`.
        grid: where to compute the densities, `(G,)`.

    Returns:
        The densities `(3, G)` of KDE, histogram and Gaussian, 0 while there are no training points; and their mean
        log-likelihoods of the training and the held-out points, `(3,)` each, in nats. A mean over no points is NaN.
    """
    x, n = torch.cat([grid, train, held_out]), train_weight.sum()
    kernels = normal_log_prob(x[:, None, None], train[:, None], bandwidth[0])
    kde = (train_weight.log() + kernels).logsumexp(1) - n.log()

    width = math.sqrt(12) * bandwidth
    same_cell = (x / width).floor()[:, None] == (train / width).floor()
    histogram = (torch.where(same_cell, train_weight, 0).sum(1) / (n * width)).log()

    mu = (train_weight * train).sum() / n
    sigma = ((train_weight * (train - mu).square()).sum() / n).sqrt()
    spike = torch.where((x - mu).abs() < ROUNDING, math.inf, -math.inf)
    gaussian = torch.where(sigma < ROUNDING, spike, normal_log_prob(x[:, None], mu, sigma))

    log_p = torch.where(n > 0, torch.stack([kde, histogram, gaussian]), -math.inf)
    parts = log_p.split([len(grid), len(train), len(held_out)], 1)
    return parts[0].exp(), _mean_score(parts[1], train_weight), _mean_score(parts[2], held_out_weight)


def _mean_score(log_p: Tensor, weight: Tensor) -> Tensor:
    # Of the points with weight; one of them at −∞ outweighs any at +∞.
    kept = torch.where(weight > 0, log_p, 0)
    mean = kept.sum(1) / weight.sum()
    return torch.where(kept.amin(1) == -math.inf, -math.inf, mean)
