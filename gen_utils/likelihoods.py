"""Log-probabilities and divergences that several families use, in nats."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def kl_to_standard_normal(mu: Tensor, sigma: Tensor) -> Tensor:
    """Compute KL(N(μ, σ²) ‖ N(0, 1)) of each latent unit, in nats: same shape as `mu` and `sigma`."""
    return 0.5 * (mu**2 + sigma**2 - 1) - sigma.log()


def normal_log_prob(z: Tensor, mu: Tensor | float = 0.0, sigma: Tensor | float = 1.0) -> Tensor:
    """Compute log N(z | μ, σ²) summed over the last axis, in nats: `(…, K)` to `(…)`."""
    mu, sigma = (torch.as_tensor(value, dtype=z.dtype, device=z.device) for value in (mu, sigma))
    return -0.5 * (((z - mu) / sigma) ** 2 + LOG_2PI + 2 * sigma.log()).sum(-1)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Compute Σ_d x_d log p_d + (1 − x_d) log(1 − p_d), p = sigmoid(logits), over all axes but the first.

    In nats, `(B, …)` to `(B,)`. A log-likelihood where x is 0 or 1; for grey x it is the expectation of one
    over binarizations of x.
    """
    # log p = logit − softplus(logit) and log(1 − p) = −softplus(logit): fewer passes over memory than cross-entropy.
    logits = logits.flatten(1)
    return torch.linalg.vecdot(x.flatten(1), logits) - F.softplus(logits).sum(1)


def log_odds(p: Tensor) -> Tensor:
    """Compute log p − log(1 − p) of the probabilities that data show, same shape: what a last bias starts from.

    A pixel that was always black counts as white once in a thousand: no data proves that it never will be.
    """
    return p.clamp(1e-3, 1 - 1e-3).logit()
