"""Log-probabilities and divergences that several families use, in nats.

They are written by hand, and not taken from `torch.distributions`, because the chapters derive them, and because
every training step calls them: they build no objects and check no arguments. The tests compare them with
`torch.distributions`.
"""

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

    In nats, `(B, …)` to `(B,)`. If x is 0 or 1, it is a log-likelihood. If x is grey, it is the expectation of the
    log-likelihood over binarizations of x.
    """
    # log p = logit − softplus(logit) and log(1 − p) = −softplus(logit): fewer passes over memory than cross-entropy.
    logits = logits.flatten(1)
    return torch.linalg.vecdot(x.flatten(1), logits) - F.softplus(logits).sum(1)


def log_odds(p: Tensor) -> Tensor:
    """Compute log p − log(1 − p), same shape, of the frequencies p in data: a start for the biases of a decoder.

    p is at least 0.001 and at most 0.999: a pixel that was always black in the data may be white in other data.
    """
    p = p.to(torch.promote_types(p.dtype, torch.float32))  # in 16 bits 0.999 may be 1
    return p.clamp(1e-3, 1 - 1e-3).logit()
