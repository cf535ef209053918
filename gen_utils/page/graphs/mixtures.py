"""One step of EM on a mixture of Gaussians as a pure function, and what a picture of the step shows.

Graphs for the browser have no Cholesky factor, so Gaussian elimination takes its place. Examples have weights, so
that a graph of a fixed size can take fewer examples.
"""

import math

import torch
from torch import Tensor

from gen_utils.likelihoods import LOG_2PI


def em_picture(
    x: Tensor, weight: Tensor, pi: Tensor, mu: Tensor, covariance: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Do one step of EM in the plane, and compute what a picture of the parameters *before* it shows.

    The arguments are those of `gaussian_em_step` with D = 2.

    Returns:
        The new `pi`, `mu` and `covariance`; under the old ones the mean log p(x), `(1,)` in nats, and the
        responsibilities, `(N, K)`; 64 points on the ellipse two standard deviations from each old mean, `(K, 64, 2)`.
        Of a component that has become singular, all but the weight is not finite.
    """
    new_pi, new_mu, new_covariance, log_likelihood = gaussian_em_step(pi, mu, covariance, x, weight)
    whitener = whiten(covariance)
    r = gaussian_log_joint(pi, mu, whitener, x)[0].softmax(0).T
    angle = torch.arange(64).to(mu) * (2 * math.pi / 64)
    circle = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    outline = mu[:, None] + circle @ whitener @ covariance  # W Σ is the transposed inverse of W
    return new_pi, new_mu, new_covariance, log_likelihood[None], r, outline


def gaussian_em_step(
    pi: Tensor, mu: Tensor, covariance: Tensor, x: Tensor, weight: Tensor, reg: float | Tensor = 0.0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Do one step of EM on a mixture of Gaussians, as `GaussianMixture.em_step` does. Bishop 2006, section 9.2.2.

    Args:
        pi: weights of the components, `(K,)`.
        mu: their means, `(K, D)`.
        covariance: their covariances, `(K, D, D)`.
        x: the data, `(N, D)`.
        weight: how often each example counts, `(N,)`, not negative, not all 0: 0 masks it out.
        reg: added to each variance.

    Returns:
        The new `pi`, `mu` and `covariance`, and the mean log p(x) under the old ones, `()` in nats. A component with
        no example keeps its mean.
    """
    whitener = whiten(covariance)
    log_joint, centred = gaussian_log_joint(pi, mu, whitener, x)
    log_px = log_joint.logsumexp(0)
    r = (log_joint - log_px).exp() * weight  # (K, N)
    counts, N = r.sum(1), weight.sum()
    weighted = centred * (r / counts.clamp_min(torch.finfo(pi.dtype).tiny)[:, None])[:, None]
    # Moments about the old means: little is lost to rounding where the data lie far from the origin.
    shift = weighted.sum(2)
    new_covariance = weighted @ centred.mT - shift[:, :, None] * shift[:, None]
    return counts / N, mu + shift, new_covariance + reg * torch.eye(mu.shape[1]).to(mu), weight @ log_px / N


def whiten(covariance: Tensor) -> Tensor:
    """Compute the lower triangular W with W Σ Wᵀ = I of each covariance Σ, `(K, D, D)` both.

    The method is Gaussian elimination on [Σ, I]. W is not finite where Σ is singular.
    """
    K, D, _ = covariance.shape
    rest = torch.cat([covariance, torch.eye(D).to(covariance).expand(K, D, D)], dim=2)
    rows = []
    for d in range(D):
        row, rest = rest[:, :1], rest[:, 1:]
        pivot = row[:, :, d : d + 1]
        rest = rest - rest[:, :, d : d + 1] / pivot * row
        rows.append(row[:, :, D:] / pivot.sqrt())
    return torch.cat(rows, dim=1)


def gaussian_log_joint(pi: Tensor, mu: Tensor, whitener: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute log π_k + log N(x | μ_k, Σ_k), `(K, N)` in nats, and x − μ_k, `(K, D, N)`, from Σ's `whitener`."""
    centred = x.T - mu[:, :, None]
    log_height = pi.log() + whitener.diagonal(dim1=1, dim2=2).log().sum(1) - 0.5 * mu.shape[1] * LOG_2PI
    return log_height[:, None] - 0.5 * (whitener @ centred).square().sum(1), centred
