r"""Probabilistic PCA: a latent variable that can be integrated out exactly, since everything is Gaussian.

    z ~ N(0, I)          x|z ~ N(Wz + μ, σ² I)          x ~ N(μ, WWᵀ + σ² I)          z|x ~ N(M⁻¹Wᵀ(x − μ), σ²M⁻¹)

with M = WᵀW + σ² I.

References: Tipping and Bishop 1999, *Probabilistic principal component analysis*; Bishop 2006, *Pattern Recognition
and Machine Learning*, section 12.2.
"""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, batch, positive
from gen_utils.likelihoods import LOG_2PI
from gen_utils.precision import positive_float


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
        D − K smallest λ, and W = U (Λ − σ² I)^½ of the K largest. Any rotation of z gives the same density.

        Raises:
            ValueError: data in a plane of at most K dimensions, up to rounding, for which σ would be 0.
        """
        x = self.check_x(x).flatten(1)
        K = self.latent_dim
        mu = x.mean(0, dtype=torch.float64)
        covariance = mu.new_zeros(len(mu), len(mu))
        for part in x.split(4096):  # all of x in double precision might not fit into memory
            centred = part.double() - mu
            covariance.addmm_(centred.T, centred, alpha=1 / len(x))
        values, vectors = torch.linalg.eigh(covariance)  # in ascending order
        variance = values[:-K].mean()
        # What rounding makes of a variance of 0: that of the data, in these directions, and that of the eigenvalues.
        grain = (2 * torch.finfo(x.dtype).eps) ** 2 * (covariance.diagonal() + mu**2)
        floor = (grain @ vectors[:, :-K].square()).mean() + len(mu) * torch.finfo(mu.dtype).eps * values[-1]
        if not variance > floor:
            raise ValueError(
                f"x: expected examples that span more than latent_dim={K} dimensions, got {len(x)} whose variance in "
                f"the others, {variance:.1g}, is rounding beside {values[-1]:.1g}; omit dimensions or latent units"
            )
        positive_float("sigma of x", variance.sqrt().item(), x.dtype)
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
        # The exponent is the smallest value of ½‖(x − Wz − μ)/σ‖² + ½‖z‖², which the posterior's mean takes. Unlike
        # torch's LowRankMultivariateNormal, this subtracts no large numbers from each other where σ is small.
        z, _ = self.posterior(x)
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
        # In double precision: where little is observed, σ² is all that keeps M from being singular.
        seen, W, sigma = observed.expand(x.shape).flatten(1).double(), self.W.double(), self.sigma.double()
        pairs = (W[:, :, None] * W[:, None]).flatten(1)
        M = (seen @ pairs).unflatten(1, (self.latent_dim, -1)) + sigma**2 * torch.eye(self.latent_dim).to(W)
        projected = ((x.flatten(1) - self.mu) * seen) @ W
        return torch.where(observed, x, self.decode(torch.linalg.solve(M, projected).to(x.dtype)))

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, then x = Wz + μ + σε: `(n, *event_shape)`."""
        mean = self.sample_mean(n, y, generator=generator)
        return mean + self.sigma * torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)

    @torch.no_grad()
    def sample_mean(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, and compute E[x|z] = Wz + μ: `(n, *event_shape)`, for pictures."""
        self.check_y(y, positive("n", n))
        z = torch.randn(n, self.latent_dim, generator=generator, dtype=self.dtype, device=self.device)
        return self.decode(z)

    @property
    def free_parameters(self) -> int:
        """Number of parameters that the data choose: μ, σ, and W less the rotations of z, which change nothing."""
        D, K = self.W.shape
        return D + 1 + D * K - K * (K - 1) // 2

    def _M(self) -> Tensor:  # noqa: N802
        return self.W.T @ self.W + self.sigma**2 * torch.eye(self.latent_dim).to(self.W)
