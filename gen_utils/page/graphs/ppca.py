"""Monte Carlo estimates of log p(x) under probabilistic PCA, as a function to be exported."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gen_utils.likelihoods import LOG_2PI
from gen_utils.models.ppca import PPCA


def refine_log_prob(
    model: PPCA, x: Tensor, widening: float = 1.3
) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Build the function that estimates log p(x) from draws of z, one block of draws after another.

    The estimate is the log of the mean of p(x|z)p(z)/q(z) over z ~ q. There are two: in one q is the prior, so that
    the mean is that of p(x|z); in the other q is the exact posterior with all standard deviations times `widening`.
    The function takes

        eps        standard normal noise of n draws for each of R repetitions, `(n, R, K)`
        count      how many of the n draws are used, `(1,)`, at least 1
        before     how many draws the estimates were made from so far, `(1,)`; 0 at first
        estimate   the estimates so far, `(R, 2)`: from the prior, from the posterior; any finite numbers at first

    and returns the refined estimates, `(R, 2)` in nats.

    With W = U S Vᵀ, z is rotated by V. This changes neither p(z) nor p(x), but makes the dimensions of z independent
    given x: p(x|z) depends on x only through y = Uᵀ(x − μ), and a draw costs K operations, for any D.

    Raises:
        ValueError: not one example, or a widening that is not positive.
    """
    if len(model.check_x(x)) != 1:
        raise ValueError(f"x: expected one example, got {len(x)}")
    if not 0 < widening < math.inf:
        raise ValueError(f"widening: expected a positive number, got {widening}")
    U, s, _ = torch.linalg.svd(model.W.double(), full_matrices=False)
    centred, sigma = (x.flatten() - model.mu).double(), model.sigma.double()
    y = centred @ U
    log_height = -0.5 * ((centred - U @ y) / sigma).square().sum() - len(centred) * (sigma.log() + 0.5 * LOG_2PI)
    # z = mu + scale·ε, prior and posterior, `(2, K)` each.
    variance = sigma**2 / (s**2 + sigma**2)
    mu = torch.stack([torch.zeros_like(s), variance * s * y / sigma**2])
    scale = torch.stack([torch.ones_like(s), widening * variance.sqrt()])
    # So (y − s z)/σ = miss − slope·ε, and all of log p(x|z)p(z)/q(z) is a polynomial of second degree in ε.
    miss, slope = (y - s * mu) / sigma, s * scale / sigma
    constant = (log_height + scale.log().sum(1) - 0.5 * (miss.square() + mu.square()).sum(1)).to(x)
    linear = (miss * slope - mu * scale).T.to(x)
    quadratic = (-0.5 * (slope.square() + scale.square() - 1)).T.to(x)

    def refine(eps: Tensor, count: Tensor, before: Tensor, estimate: Tensor) -> Tensor:
        log_weight = constant + eps @ linear + eps.square() @ quadratic  # (n, R, 2)
        counts = torch.arange(len(eps))[:, None, None] < count
        terms = torch.cat([(estimate + before.log())[None], torch.where(counts, log_weight, -math.inf)])
        highest = terms.amax(0)  # written out, since onnxruntime's logsumexp fails where the first term is −∞
        return highest + (terms - highest).exp().sum(0).log() - (before + count).log()

    return refine
