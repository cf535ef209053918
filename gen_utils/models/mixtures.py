r"""A latent variable that can be summed out: mixtures of Gaussians and of Bernoullis, fitted by EM.

    p(x)  =  Σ_k π_k p(x|z=k)          p(z=k|x)  =  π_k p(x|z=k) / p(x)          (the responsibilities)

EM alternates the two: with the responsibilities of the E-step as soft counts, the M-step is maximum likelihood in
closed form, and log p(x) of the data never falls.

References: Dempster, Laird and Rubin 1977; Bishop 2006, *Pattern Recognition and Machine Learning*, sections 9.2
(Gaussians) and 9.3.3 (Bernoullis); Arthur and Vassilvitskii 2007 (k-means++).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from sklearn.cluster import kmeans_plusplus
from torch import Tensor
from torch.distributions import MultivariateNormal

from gen_utils.base import GenerativeModel, binary, positive
from gen_utils.precision import positive_float

PART = 2**20  # numbers in the largest tensor of a mixture of Gaussians: the data go through in parts of this size


class Mixture(GenerativeModel):
    """What all mixtures share. A subclass defines `log_joint`, `em_step` and `sample`.

    Args:
        K: number of components.
        event_shape: shape of one example.
        support: lowest and highest value that an example may hold.

    Raises:
        ValueError: a size that is not positive.
    """

    def __init__(
        self,
        K: int,  # noqa: N803
        event_shape: Sequence[int],
        support: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        super().__init__(event_shape, support)
        self.K = positive("K", K)
        self.pi: Tensor
        self.register_buffer("pi", torch.full((K,), 1 / K))

    def log_joint(self, x: Tensor) -> Tensor:
        """Compute log π_k + log p(x|z=k) of each component: `(B, K)` in nats from `(B, *event_shape)`."""
        raise NotImplementedError

    def em_step(self, x: Tensor) -> float:
        """Do one step of EM on all of `x`, and return the mean log p(x) from *before* it, in nats."""
        raise NotImplementedError

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x) = log Σ_k π_k p(x|z=k): `(B,)` in nats."""
        return self.log_joint(x).logsumexp(1)

    def responsibilities(self, x: Tensor) -> Tensor:
        """Compute p(z=k|x), `(B, K)`, each row with the sum 1: Bayes' rule. An x of density 0 is a `ValueError`."""
        log_joint = self.log_joint(x)
        return (log_joint - self._log_px(log_joint)[:, None]).exp()

    def _log_px(self, log_joint: Tensor) -> Tensor:
        log_px = log_joint.logsumexp(1)
        if not torch.compiler.is_compiling() and not log_px.isfinite().all():
            raise ValueError("x: expected examples near a component, got some of density 0; `start_from` the data")
        return log_px

    def _draw_z(self, n: int, y: Tensor | None, generator: torch.Generator | None) -> Tensor:
        self.check_y(y, positive("n", n))
        return self.pi.to(self.dtype).multinomial(n, replacement=True, generator=generator)

    def _choose(self, x: Tensor, scaled: Tensor, generator: torch.Generator | None) -> Tensor:
        # K different examples of x, `(K, *event_shape)`, spread by k-means++ on `scaled`, which is x in other units.
        if len(x) >= self.K:
            device = "cpu" if generator is None else generator.device
            seed = int(torch.randint(2**31, (), generator=generator, device=device))
            _, chosen = kmeans_plusplus(scaled.flatten(1).numpy(force=True), self.K, random_state=seed)
            start = x[torch.from_numpy(chosen).long().to(x.device)]
            if len(start.unique(dim=0)) == self.K:
                return start
        raise ValueError(f"x: expected at least {self.K} different examples, got {len(x.unique(dim=0))}")


@dataclass(frozen=True)
class EMStep:
    """One step of EM: its number, from 1, and the mean log p(x) in nats of the parameters that it *started* from.

    The E-step computes it on the way. The gain of a step is therefore seen in the next one.
    """

    number: int
    log_likelihood: float


def em_steps(model: Mixture, x: Tensor, *, steps: int) -> Iterator[EMStep]:
    """Fit `model` to `x`, `(N, *event_shape)`, by EM, and yield an `EMStep` after each of `steps` updates.

    EM starts from the parameters that the model has: `start_from` draws some from the data.

    Raises:
        ValueError: a number of steps that is not positive, or data that the model refuses.
        FloatingPointError: a component became singular; the parameters are those of the step before.
    """
    model.check_x(x)
    positive("steps", steps)
    return (EMStep(number, model.em_step(x)) for number in range(1, steps + 1))


class GaussianMixture(Mixture):
    """A mixture of K Gaussians with full covariances.

    Buffers `pi` `(K,)`, `mu` `(K, D)`, `covariance` `(K, D, D)`. Before it is fitted: equal weights, means drawn from
    N(0, I) with PyTorch's global seed, covariances I.

    Args:
        K: number of components.
        D: number of dimensions.
        reg: added to each variance in every M-step. At 0 EM is exact maximum likelihood, which has singularities: a
            component may collapse on one point, and log p(x) is then without bound.

    Raises:
        ValueError: a size that is not positive, or a negative reg.
    """

    def __init__(self, K: int, D: int, reg: float = 0.0) -> None:  # noqa: N803
        super().__init__(K, (D,))
        if not 0 <= reg < torch.finfo(self.pi.dtype).max:
            raise ValueError(f"reg: expected a number that is not negative, got {reg}")
        self.reg = reg
        self.mu: Tensor
        self.covariance: Tensor
        self.register_buffer("mu", torch.randn(K, D))
        self.register_buffer("covariance", torch.eye(D).expand(K, D, D).clone())

    @torch.no_grad()
    def start_from(self, x: Tensor, *, generator: torch.Generator | None = None) -> Self:
        """Put the means on points of `x` by k-means++, and return the model.

        All weights are equal. Each covariance is vI, and v the mean squared distance to the nearest mean, over D.

        Raises:
            ValueError: fewer different examples than components, or examples so alike that v is 0.
        """
        centred = x - self.check_x(x).median(0).values
        tiny, D = torch.finfo(x.dtype).tiny, x.shape[1]
        mu = self._choose(x, centred / centred.abs().amax().clamp_min(tiny), generator)
        variance = torch.cdist(x, mu, compute_mode="donot_use_mm_for_euclid_dist").amin(1).square().mean() / D
        if variance == 0:  # as many components as different points
            variance = x.var(0, correction=0).mean() / self.K
        if not variance + self.reg >= tiny:
            raise ValueError(f"x: expected examples that vary, or a reg above 0, got {len(x)} that are all alike")
        self.pi.fill_(1 / self.K)
        self.mu.copy_(mu)
        self.covariance.copy_((variance + self.reg) * torch.eye(D, dtype=x.dtype, device=x.device))
        return self

    def log_joint(self, x: Tensor) -> Tensor:
        """Compute log π_k + log N(x | μ_k, Σ_k): `(B, K)` in nats from `(B, D)`."""
        parts = self.check_x(x).split(max(1, PART // self.mu.numel()))
        normal = MultivariateNormal(self.mu, scale_tril=self._factors())
        return self.pi.log() + torch.cat([normal.log_prob(part[:, None]) for part in parts])

    def _factors(self) -> Tensor:  # L of each Σ = LLᵀ, `(K, D, D)`
        factors, info = torch.linalg.cholesky_ex(self.covariance.double())
        if info.any():
            raise ValueError(f"covariance: expected matrices with an inverse in {self.dtype}; fit the model in it")
        return factors.to(self.dtype)

    @torch.no_grad()
    def em_step(self, x: Tensor) -> float:
        """Do one step of EM on all of `x`, and return the mean log p(x) from *before* it, in nats.

        Bishop, section 9.2.2. A component with no example keeps its mean.

        Raises:
            FloatingPointError: a component that the step would make singular; the parameters stay as they were.
            ValueError: an example that no component reaches.
        """
        # E: the responsibilities, (N, K).
        log_joint = self.log_joint(x)
        log_px = self._log_px(log_joint)
        r = (log_joint - log_px[:, None]).exp()
        # M: weighted averages.
        counts = r.sum(0)
        mu, covariance = self.mu.clone(), torch.empty_like(self.covariance)
        for k in range(self.K):
            weight = r[:, k] / counts[k].clamp_min(torch.finfo(x.dtype).tiny)
            mu[k] += weight @ (x - self.mu[k])  # from the old mean: exact for data far from the origin too
            centred = (x - mu[k]).double()  # of a narrow component single precision would lose the width
            covariance[k] = (weight * centred.T) @ centred
        covariance += self.reg * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        self._check_covariance(covariance, counts, x)
        for buffer, value in zip((self.pi, self.mu, self.covariance), (counts / len(x), mu, covariance), strict=True):
            buffer.copy_(value)
        return log_px.mean().item()

    def _check_covariance(self, covariance: Tensor, counts: Tensor, x: Tensor) -> None:
        factor, info = torch.linalg.cholesky_ex(covariance)
        # The squared diagonal of the factor: each dimension's variance given the dimensions before it. Rounding alone
        # can make it as large as this floor.
        floor = torch.finfo(x.dtype).eps * x.var(0, correction=0)
        alive = (info == 0) & (factor.diagonal(dim1=1, dim2=2).square() > floor).all(1)
        if not alive.all():
            k = int((~alive).nonzero()[0])
            raise FloatingPointError(
                f"component {k} of {self.K} became singular: it holds {counts[k]:.3g} of {len(x)} examples, "
                "which lie on a point, a line or a plane. The model keeps its parameters of the step before. Try "
                f"another start, fewer components, or a larger reg (now {self.reg:g})."
            )

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, then x from the Gaussian of z: `(n, D)`."""
        z = self._draw_z(n, y, generator)
        eps = torch.randn(n, *self.event_shape, generator=generator, dtype=self.dtype, device=z.device)
        x = self.mu[z]
        for k, factor in enumerate(self._factors()):
            x[z == k] += eps[z == k] @ factor.T
        return x

    @property
    def free_parameters(self) -> int:
        """Number of parameters that the data choose: K − 1 weights, K means, K symmetric matrices."""
        K, D = self.mu.shape
        return K - 1 + K * D + K * D * (D + 1) // 2


class BernoulliMixture(Mixture):
    """A mixture of K products of independent black or white pixels: p(x|z=k) = Π_d μ_kd^x_d (1 − μ_kd)^(1 − x_d).

    Buffers `pi` `(K,)` and `mu` `(K, *event_shape)`, the probabilities of white. Before it is fitted: equal weights,
    probabilities drawn from 0.25…0.75 with PyTorch's global seed.

    Args:
        K: number of components.
        event_shape: shape of one example.
        prior: how many white and how many black pixels the M-step adds to the counts of each pixel of each component.
            They keep a probability away from 0 and 1, where a single pixel could make an image impossible. EM then
            raises log p(x) of the data + prior·Σ_kd log μ_kd(1 − μ_kd): each probability has the prior
            Beta(1 + prior, 1 + prior).

    Raises:
        ValueError: a size or a prior that is not positive.
    """

    def __init__(self, K: int, event_shape: Sequence[int] = (1, 28, 28), prior: float = 0.1) -> None:  # noqa: N803
        super().__init__(K, event_shape, support=(0.0, 1.0))
        self.prior = positive_float("prior", prior)
        self.mu: Tensor
        self.register_buffer("mu", 0.25 + 0.5 * torch.rand(K, *self.event_shape))

    @torch.no_grad()
    def start_from(self, x: Tensor, *, generator: torch.Generator | None = None) -> Self:
        """Set each component to ¾ of the data's mean and ¼ of an example, chosen by k-means++, and return the model.

        Raises:
            ValueError: fewer different examples than components.
        """
        chosen = self._choose(x, self.check_x(x), generator)
        self.pi.fill_(1 / self.K)
        self.mu.copy_((0.75 * x.mean(0) + 0.25 * chosen).clamp(0.01, 0.99))
        return self

    def log_joint(self, x: Tensor) -> Tensor:
        """Compute log π_k + log p(x|z=k): `(B, K)` in nats from binary x, `(B, *event_shape)`.

        Raises:
            ValueError: pixels that are neither 0 nor 1; `binarize` them.
        """
        # Σ_d x_d log μ_d + (1 − x_d) log(1 − μ_d) = Σ_d x_d logit μ_d + log(1 − μ_d): one matrix product.
        mu = self.mu.flatten(1)
        x = binary("x", self.check_x(x)).flatten(1)
        return torch.addmm(self.pi.log() + torch.log1p(-mu).sum(1), x, mu.logit().T)

    @torch.no_grad()
    def em_step(self, x: Tensor) -> float:
        """Do one step of EM on all of `x`, and return the mean log p(x) from *before* it, in nats.

        Bishop, section 9.3.3, with a prior.
        """
        log_joint = self.log_joint(x)
        r = log_joint.softmax(1)
        counts = r.sum(0)
        white = r.T @ x.flatten(1)
        self.pi.copy_(counts / len(x))
        mu = (white + self.prior) / (counts[:, None] + 2 * self.prior)
        eps = torch.finfo(x.dtype).eps  # beside many examples a small prior is rounded away
        self.mu.copy_(mu.clamp(eps, 1 - eps).view_as(self.mu))
        return log_joint.logsumexp(1).mean().item()

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, then each pixel black or white: `(n, *event_shape)` of 0 and 1."""
        return torch.bernoulli(self.mu[self._draw_z(n, y, generator)], generator=generator)

    @property
    def free_parameters(self) -> int:
        """Number of parameters that the data choose: K − 1 weights, and each pixel of each component."""
        return self.K - 1 + self.mu.numel()
