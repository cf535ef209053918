r"""Probabilistic PCA: a latent variable that can be integrated out exactly, since all there is of it is Gaussian.

    z ~ N(0, I)          x|z ~ N(Wz + μ, σ² I)          x ~ N(μ, WWᵀ + σ² I)          z|x ~ N(M⁻¹Wᵀ(x − μ), σ²M⁻¹)

with M = WᵀW + σ² I.

References: Tipping and Bishop 1999, *Probabilistic principal component analysis*; Bishop 2006, *Pattern Recognition
and Machine Learning*, section 12.2.
"""

import math
from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, batch, positive
from gen_utils.likelihoods import LOG_2PI


class PPCA(GenerativeModel):
    """Probabilistic PCA: z ~ N(0, I), x|z ~ N(Wz + μ, σ² I), so that x ~ N(μ, WWᵀ + σ² I).

    Buffers `W` `(D, K)`, `mu` `(D,)` and `sigma` `()`. Before `fit`: W = 0, μ = 0 and σ = 1, the standard Gaussian.

    Args:
        latent_dim: number of latent units, K.
        event_shape: shape of one example; K < D.

    Raises:
        ValueError: a size that is not positive, or as many latent units as dimensions.
    """

    def __init__(self, latent_dim: int, event_shape: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__(event_shape)
        D = math.prod(self.event_shape)
        if positive("latent_dim", latent_dim) >= D:
            raise ValueError(f"latent_dim: expected fewer than the {D} dimensions of an example, got {latent_dim}")
        self.latent_dim = latent_dim
        self.W: Tensor
        self.mu: Tensor
        self.sigma: Tensor
        self.register_buffer("W", torch.zeros(D, latent_dim))
        self.register_buffer("mu", torch.zeros(D))
        self.register_buffer("sigma", torch.ones(()))

    @torch.no_grad()
    def fit(self, x: Tensor) -> Self:
        """Fit by maximum likelihood in closed form, and return the model. Tipping and Bishop 1999, eqs. 7 and 8.

        With the eigenvalues λ and eigenvectors U of the data's covariance (divided by N): σ² is the mean of the
        D − K smallest λ, and W = U (Λ − σ² I)^½ of the K largest. Any rotation of z would do as well.

        Raises:
            ValueError: data inside a plane of at most K dimensions, for which σ would be 0.
        """
        x = self.check_x(x).flatten(1)
        K = self.latent_dim
        mu = x.mean(0, dtype=torch.float64)
        covariance = mu.new_zeros(len(mu), len(mu))
        for part in x.split(4096):  # in double precision, which all of x might not fit in
            centred = part.double() - mu
            covariance.addmm_(centred.T, centred, alpha=1 / len(x))
        values, vectors = torch.linalg.eigh(covariance)  # in ascending order
        variance = values[:-K].mean()
        if not variance > 1e-12 * values[-1]:
            raise ValueError(
                f"x: expected examples that span more than latent_dim={K} dimensions, got {len(x)} that "
                "do not; take fewer latent units"
            )
        # The largest first. Rounding may leave an eigenvalue below the mean of smaller ones where all are equal.
        self.W.copy_((vectors[:, -K:] * (values[-K:] - variance).clamp_min(0).sqrt()).flip(1))
        self.mu.copy_(mu)
        self.sigma.copy_(variance.sqrt())
        return self

    def decode(self, z: Tensor) -> Tensor:
        """Compute E[x|z] = Wz + μ: `(B, *event_shape)` from `(B, K)`."""
        z = batch("z", z, (self.latent_dim,), dtype=self.dtype)
        return torch.addmm(self.mu, z, self.W.T).unflatten(1, self.event_shape)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the exact p(z|x), a Gaussian: its mean `(B, K)`, and its covariance `(K, K)`, the same for every x.

        With M = WᵀW + σ² I they are M⁻¹Wᵀ(x − μ) and σ²M⁻¹.
        """
        centred = self.check_x(x).flatten(1) - self.mu
        inverse = torch.linalg.inv(self._M())
        return centred @ self.W @ inverse, self.sigma**2 * inverse

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log N(x | μ, WWᵀ + σ² I): `(B,)` in nats, with K × K matrices only."""
        z, _ = self.posterior(x)
        # The exponent is the least that any z costs, and it is the posterior's mean that costs the least.
        noise = (x - self.decode(z)).flatten(1) / self.sigma
        D, K = self.W.shape
        log_det = torch.linalg.slogdet(self._M())[1] + 2 * (D - K) * self.sigma.log()
        return -0.5 * (noise.square().sum(1) + z.square().sum(1) + D * LOG_2PI + log_det)

    def impute(self, x: Tensor, observed: Tensor) -> Tensor:
        """Fill in what is missing with its mean given what is observed, E[x|x_observed]: same shape as `x`.

        Args:
            x: `(B, *event_shape)`; what stands where nothing was observed is ignored, but must be finite.
            observed: booleans, `(B, *event_shape)`, or `(*event_shape)` if all examples miss the same.

        Raises:
            TypeError: a mask that is not boolean.
            ValueError: a mask of another shape.
        """
        self.check_x(x)
        if not isinstance(observed, Tensor) or observed.dtype != torch.bool:
            raise TypeError(f"observed: expected a boolean tensor, got {getattr(observed, 'dtype', type(observed))}")
        if observed.shape not in (x.shape, x.shape[1:]):
            raise ValueError(f"observed: expected shape {tuple(x.shape)}, got {tuple(observed.shape)}")
        # p(z|x_observed) is the posterior of a model that has only the observed dimensions, and x is Wz + μ again.
        seen = observed.expand(x.shape).flatten(1).to(x.dtype)
        pairs = (self.W[:, :, None] * self.W[:, None]).flatten(1)
        M = (seen @ pairs).unflatten(1, (self.latent_dim, -1)) + self.sigma**2 * torch.eye(self.latent_dim).to(x)
        projected = ((x.flatten(1) - self.mu) * seen) @ self.W
        return torch.where(observed, x, self.decode(torch.linalg.solve(M, projected)))

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, then x = Wz + μ + σε: `(n, *event_shape)`."""
        device, dtype = self.mu.device, self.dtype
        z = torch.randn(positive("n", n), self.latent_dim, generator=generator, dtype=dtype, device=device)
        eps = torch.randn(n, *self.event_shape, generator=generator, dtype=dtype, device=device)
        return self.decode(z) + self.sigma * eps

    @property
    def free_parameters(self) -> int:
        """Number of parameters that the data choose: μ, σ, and W less the rotations of z, which change nothing."""
        D, K = self.W.shape
        return D + 1 + D * K - K * (K - 1) // 2

    def _M(self) -> Tensor:  # noqa: N802
        return self.W.T @ self.W + self.sigma**2 * torch.eye(self.latent_dim).to(self.W)


def refine_log_prob(
    model: PPCA, x: Tensor, widening: float = 1.3
) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Make the function that estimates log p(x) from draws of z, block after block: to be exported as it is.

    The estimate is the log of the mean of p(x|z)p(z)/q(z) over z ~ q, once for q the prior, where that is p(x|z), and
    once for q the exact posterior with all standard deviations times `widening`. The function takes

        eps        standard normal noise of n draws for each of R repetitions, `(n, R, K)`
        count      how many of the n draws count, `(1,)`, at least 1
        before     how many draws the estimates hold already, `(1,)`; 0 at first
        estimate   the estimates so far, `(R, 2)`: from the prior, from the posterior; any finite numbers at first

    and returns the refined estimates, `(R, 2)` in nats.

    With W = U S Vᵀ, z is turned by V. That changes neither p(z) nor p(x), but makes the dimensions of z independent
    given x too: p(x|z) depends on x only through y = Uᵀ(x − μ), and a draw costs K operations, whatever D is.

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
