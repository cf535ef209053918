"""How good a model is: bounds and exact values of log p(x), and what its latent units carry."""

import math

import torch
from torch import Tensor

from gen_utils.base import batch, positive
from gen_utils.likelihoods import bernoulli_log_prob, normal_log_prob
from gen_utils.vae import VAE


def importance_weighted_bound(log_weights: Tensor, k: int) -> Tensor:
    """Estimate the bound L_k = E log (1/k) Σ w_i from `(K, B)` log-weights: `(B,)` in nats.

    The K draws are cut into K/k groups, each gives one estimate, and their mean is returned. Since k draws are
    k/j groups of j draws, the result never decreases from j to a multiple of j: exactly, not only on average.
    Burda, Grosse and Salakhutdinov 2015, theorem 1.

    Raises:
        ValueError: k does not divide the number of draws.
    """
    if log_weights.ndim != 2 or len(log_weights) == 0 or len(log_weights) % positive("k", k):
        raise ValueError(f"expected log-weights (K, B) with K a multiple of {k}, got {tuple(log_weights.shape)}")
    return (log_weights.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)


@torch.no_grad()
def grid_log_joint(model: VAE, x: Tensor, points: int = 201, limit: float = 6.0) -> tuple[Tensor, Tensor, Tensor]:
    """Tabulate log p(x, z) over a grid of a two-dimensional latent space, so that every integral is a sum.

    Returns the grid's coordinates `(points,)`, `log_joint` of shape `(B, points, points)` (z₁ across, z₂ down)
    in nats, and `log p(x)` `(B,)`: the sum over the grid times the cell's area. The decoder is smooth and p(z)
    beyond ±6 holds less than 4e-9, so the sum's error is far below the digits that the course prints.

    Raises:
        ValueError: the latent space is not two-dimensional, or x is not a batch of the model.
    """
    if model.latent_dim != 2:
        raise ValueError(f"a grid needs a two-dimensional latent space, got {model.latent_dim}")
    model.check_x(x)
    axis = torch.linspace(-limit, limit, positive("points", points), device=x.device)
    z = torch.cartesian_prod(axis, axis).flip(1)  # z₁ varies fastest: rows are z₂
    logits = model.decode(z)
    log_prior = normal_log_prob(z)
    log_joint = torch.stack([bernoulli_log_prob(one.expand_as(logits), logits) + log_prior for one in x]).unflatten(
        1, (points, points)
    )
    area = (axis[1] - axis[0]) ** 2
    return axis, log_joint, log_joint.flatten(1).logsumexp(1) + area.log()


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Say which latent units the encoder uses: those whose mean varies over the data by more than `threshold`.

    `(B, K)` posterior means to `(K,)` booleans. Burda et al. 2015, section 5.1: Cov_x(E_q[z_k]) > 0.01.

    Raises:
        ValueError: fewer than two examples: one has no variance.
    """
    batch("mu", mu, mu.shape[1:])
    if len(mu) < 2:
        raise ValueError(f"mu: expected at least 2 examples to take a variance over, got {len(mu)}")
    return mu.var(0) > threshold
