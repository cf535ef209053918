"""How good a model is: bounds and exact values of log p(x), and what its latent units carry."""

import math

import torch
from torch import Tensor

from gen_utils.base import batch, positive
from gen_utils.likelihoods import normal_log_prob
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
def grid_log_joint(model: VAE, x: Tensor, points: int = 401, limit: float = 6.0) -> tuple[Tensor, Tensor]:
    """Tabulate log p(x, z) over a grid of a two-dimensional latent space, so that every integral is a sum.

    Returns the grid `(points², 2)` and the table `(B, points²)`, in nats; `grid_log_sum` integrates it. The sum
    over equal cells of a smooth function that vanishes at the border converges faster than any power of the
    cell's side: at a standard deviation of one side, its relative error is about 5e-9. p(z) beyond ±6 holds 4e-9.

    Raises:
        ValueError: the latent space is not two-dimensional, or x is not a batch of the model.
    """
    if model.latent_dim != 2:
        raise ValueError(f"a grid needs a two-dimensional latent space, got latent_dim={model.latent_dim}")
    model.check_x(x)
    if positive("points", points) < 2:
        raise ValueError(f"points: expected at least 2, for a grid with cells, got {points}")
    axis = torch.linspace(-limit, limit, points, dtype=x.dtype, device=x.device)
    grid = torch.cartesian_prod(axis, axis)
    # Row by row: all logits at once would take gigabytes.
    rows = [model.log_likelihood_table(x, z) + normal_log_prob(z) for z in grid.split(points)]
    return grid, torch.cat(rows, dim=1)


def grid_log_sum(grid: Tensor, log_values: Tensor) -> Tensor:
    """Compute log ∫ exp(f(z)) dz from f on an equally spaced square grid: `(B, points²)` to `(B,)`."""
    area = (grid[1, 1] - grid[0, 1]) ** 2
    return log_values.logsumexp(1) + area.log()


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Say which latent units the encoder uses: those whose mean varies over the data by more than `threshold`.

    `(B, K)` posterior means to `(K,)` booleans. Burda et al. 2015, section 5.1: Cov_x(E_q[z_k]) > 0.01.

    Raises:
        ValueError: fewer than two examples: one has no variance.
    """
    batch("mu", mu, mu.shape[-1:])
    if len(mu) < 2:
        raise ValueError(f"mu: expected at least 2 examples to take a variance over, got {len(mu)}")
    return mu.var(0) > threshold


def bic(log_px: Tensor, free_parameters: int) -> float:
    """Compute the Bayesian information criterion −2 Σ_n log p(x_n) + P log N of P parameters: less is better.

    From `(N,)` exact log-likelihoods in nats of the data that the model was fitted to. Schwarz 1978.

    Raises:
        ValueError: log-likelihoods of another shape, or a number of parameters that is not positive.
    """
    batch("log_px", log_px, ())
    return positive("free_parameters", free_parameters) * math.log(len(log_px)) - 2 * log_px.double().sum().item()
