r"""A latent variable that can be summed out: mixtures of Gaussians and of Bernoullis, fitted by EM.

    p(x)  =  Σ_k π_k p(x|z=k)          p(z=k|x)  =  π_k p(x|z=k) / p(x)          (the responsibilities)

EM alternates the two: with the responsibilities of the E-step as soft counts, the M-step is maximum likelihood in
closed form, and log p(x) of the data never falls.

References: Dempster, Laird and Rubin 1977; Bishop 2006, *Pattern Recognition and Machine Learning*, sections 9.2
(Gaussians) and 9.3.3 (Bernoullis); Arthur and Vassilvitskii 2007 (k-means++).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, batch, positive
from gen_utils.likelihoods import LOG_2PI

# Numbers in the largest tensor of a mixture of Gaussians: the data goes through in parts, so that memory is bounded
# whatever N is, and small enough that a part stays in the cache.
PART = 2**20


class Mixture(GenerativeModel):
    """What mixtures share. A family writes down `log_joint` and `em_step`; all else follows.

    Args:
        K: number of components.
        event_shape: shape of one example.
        support: lowest and highest value that an example may hold.

    Raises:
        ValueError: a size that is not positive.
    """

    # log π_k + log p(x|z=k) of each component: (B, K) in nats from (B, *event_shape).
    log_joint: Callable[[Tensor], Tensor]
    # One step of EM on all of x; returns the mean log p(x) from before it, in nats.
    em_step: Callable[[Tensor], float]

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

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x) = log Σ_k π_k p(x|z=k): `(B,)` in nats."""
        return self.log_joint(x).logsumexp(1)

    def responsibilities(self, x: Tensor) -> Tensor:
        """Compute p(z=k|x), `(B, K)`, each row with the sum 1: Bayes' rule."""
        return self.log_joint(x).softmax(1)

    def _draw_z(self, n: int, generator: torch.Generator | None) -> Tensor:
        return self.pi.multinomial(positive("n", n), replacement=True, generator=generator)


@dataclass(frozen=True)
class EMStep:
    """One step of EM: its number, from 1, and the mean log p(x) in nats of the parameters that it *started* from.

    What an E-step computes is that of the parameters it is given, so the gain of a step is seen at the next.
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
        if not 0 <= reg < math.inf:
            raise ValueError(f"reg: expected a number that is not negative, got {reg}")
        self.reg = reg
        self.mu: Tensor
        self.covariance: Tensor
        self.register_buffer("mu", torch.randn(K, D))
        self.register_buffer("covariance", torch.eye(D).expand(K, D, D).clone())

    @torch.no_grad()
    def start_from(self, x: Tensor, *, generator: torch.Generator | None = None) -> Self:
        """Put the means on points of `x` by k-means++, and return the model.

        Weights are equal, and each covariance a ball: the mean squared distance to the nearest mean, over D.

        Raises:
            ValueError: fewer different examples than components.
        """
        chosen, squared_distance = kmeans_plus_plus(self.check_x(x), self.K, generator)
        D = x.shape[1]
        variance = squared_distance.mean() / D
        if variance == 0:  # as many components as different points
            variance = x.var(0, correction=0).mean() / self.K
        self.pi.fill_(1 / self.K)
        self.mu.copy_(x[chosen])
        self.covariance.copy_((variance + self.reg) * torch.eye(D, dtype=x.dtype, device=x.device))
        return self

    def log_joint(self, x: Tensor) -> Tensor:
        """Compute log π_k + log N(x | μ_k, Σ_k): `(B, K)` in nats from `(B, D)`."""
        x = self.check_x(x)
        whitener, _ = whiten(self.covariance)
        parts = x.split(max(1, PART // self.mu.numel()))
        return torch.cat([gaussian_log_joint(self.pi, self.mu, whitener, part)[0].T for part in parts])

    @torch.no_grad()
    def em_step(self, x: Tensor) -> float:
        """Do one step of EM on all of `x`, and return the mean log p(x) from *before* it, in nats.

        Raises:
            FloatingPointError: a component that the step would make singular; the parameters stay as they were.
        """
        x = self.check_x(x)
        weight = x.new_ones(len(x))
        *new, log_likelihood = gaussian_em_step(self.pi, self.mu, self.covariance, x, weight, self.reg)
        # A variance that rounding could have made of nothing, given the dimensions before it.
        floor = torch.finfo(x.dtype).eps * x.var(0, correction=0)
        alive = (whiten(new[2])[1] > floor).all(1)
        if not alive.all():
            k = int((~alive).nonzero()[0])
            raise FloatingPointError(
                f"component {k} of {self.K} became singular: it holds {new[0][k] * len(x):.3g} of {len(x)} examples, "
                "which lie on a point, a line or a plane. The model keeps its parameters of the step before. Try "
                f"another start, fewer components, or a larger reg (now {self.reg:g})."
            )
        for buffer, value in zip((self.pi, self.mu, self.covariance), new, strict=True):
            buffer.copy_(value)
        return log_likelihood.item()

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, then x from the Gaussian of z: `(n, D)`."""
        z = self._draw_z(n, generator)
        eps = torch.randn(n, *self.event_shape, generator=generator, dtype=self.dtype, device=z.device)
        x = self.mu[z]
        for k, factor in enumerate(torch.linalg.cholesky(self.covariance)):
            x[z == k] += eps[z == k] @ factor.T
        return x

    @property
    def free_parameters(self) -> int:
        """Number of parameters that the data choose: K − 1 weights, K means, K symmetric matrices."""
        K, D = self.mu.shape
        return K - 1 + K * D + K * D * (D + 1) // 2


def gaussian_em_step(
    pi: Tensor, mu: Tensor, covariance: Tensor, x: Tensor, weight: Tensor, reg: float | Tensor = 0.0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Do one step of EM on a mixture of Gaussians: a pure function, to be exported as it is. Bishop, section 9.2.2.

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
    whitener, _ = whiten(covariance)
    counts, first, second, total = (torch.zeros_like(value) for value in (pi, mu, covariance, pi[0]))
    rows = max(1, PART // mu.numel())
    for part, part_weight in zip(x.split(rows), weight.split(rows), strict=True):
        log_joint, centred = gaussian_log_joint(pi, mu, whitener, part)
        log_px = log_joint.logsumexp(0)
        r = (log_joint - log_px).exp() * part_weight
        weighted = centred * r[:, None]
        counts = counts + r.sum(1)
        first = first + weighted.sum(2)
        second = second + weighted @ centred.mT
        total = total + part_weight @ log_px
    # Moments about the old means: nothing is lost to rounding where the data lie far from the origin.
    N = counts.sum()
    safe = counts.clamp_min(torch.finfo(pi.dtype).tiny)
    shift = first / safe[:, None]
    covariance = second / safe[:, None, None] - shift[:, :, None] * shift[:, None]
    return counts / N, mu + shift, covariance + reg * torch.eye(mu.shape[1]).to(mu), total / N


def whiten(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the lower triangular W with W Σ Wᵀ = I of each covariance Σ: `(K, D, D)`, and pivots `(K, D)`.

    A pivot is the variance of a dimension given those before it: their product is det Σ, and Σ is invertible where
    all are positive. Gaussian elimination on [Σ, I], since graphs for the browser have no Cholesky factor.
    """
    K, D, _ = covariance.shape
    rest = torch.cat([covariance, torch.eye(D).to(covariance).expand(K, D, D)], dim=2)
    rows, pivots = [], []
    for d in range(D):
        row, rest = rest[:, :1], rest[:, 1:]
        pivot = row[:, :, d : d + 1]
        rest = rest - rest[:, :, d : d + 1] / pivot * row
        rows.append(row[:, :, D:] / pivot.sqrt())
        pivots.append(pivot)
    return torch.cat(rows, dim=1), torch.cat(pivots, dim=1)[:, :, 0]


def gaussian_log_joint(pi: Tensor, mu: Tensor, whitener: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute log π_k + log N(x | μ_k, Σ_k), `(K, N)` in nats, and x − μ_k, `(K, D, N)`.

    `whitener` is the first result of `whiten`. Examples come last: the sums over few dimensions run along memory.
    """
    centred = x.T - mu[:, :, None]
    log_height = pi.log() + whitener.diagonal(dim1=1, dim2=2).log().sum(1) - 0.5 * mu.shape[1] * LOG_2PI
    return log_height[:, None] - 0.5 * (whitener @ centred).square().sum(1), centred


def kmeans_plus_plus(x: Tensor, K: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:  # noqa: N803
    """Choose K examples of `(N, …)`, each with probability ∝ its squared distance to the nearest chosen before.

    Returns their indices `(K,)`, and the squared distance of each example to the nearest of them, `(N,)`.
    Arthur and Vassilvitskii 2007.

    Raises:
        ValueError: fewer different examples than K.
    """
    x = batch("x", x).flatten(1)
    chosen: list[int] = []
    nearest = x.new_ones(len(x))
    for _ in range(positive("K", K)):
        # By inversion, since `multinomial` takes at most 2²⁴ weights.
        total = nearest.double().cumsum(0)
        if total[-1] == 0:
            raise ValueError(f"x: expected at least {K} different examples, got {len(chosen)}")
        u = torch.rand((), generator=generator, dtype=torch.float64, device=x.device)
        chosen.append(int(torch.searchsorted(total, u * total[-1], right=True)))
        parts = x.split(max(1, PART // x.shape[1]))
        distance = torch.cat([(part - x[chosen[-1]]).square().sum(1) for part in parts])
        nearest = distance if len(chosen) == 1 else torch.minimum(nearest, distance)
    return torch.tensor(chosen, device=x.device), nearest


class BernoulliMixture(Mixture):
    """A mixture of K pictures of independent black or white pixels: p(x|z=k) = Π_d μ_kd^x_d (1 − μ_kd)^(1 − x_d).

    Buffers `pi` `(K,)` and `mu` `(K, *event_shape)`, the probabilities of white. Before it is fitted: equal weights,
    probabilities drawn from 0.25…0.75 with PyTorch's global seed.

    Args:
        K: number of components.
        event_shape: shape of one example.
        prior: imaginary white and as many imaginary black pixels that each pixel of each component has seen: what
            keeps its probability off 0 and 1, where one unseen pixel would make an image impossible. EM then climbs
            log p(x) of the data + prior·Σ_kd log μ_kd(1 − μ_kd): a Beta(1 + prior, 1 + prior) on each probability.

    Raises:
        ValueError: a size or a prior that is not positive.
    """

    def __init__(self, K: int, event_shape: Sequence[int] = (1, 28, 28), prior: float = 0.1) -> None:  # noqa: N803
        super().__init__(K, event_shape, support=(0.0, 1.0))
        if not 0 < prior < math.inf:
            raise ValueError(f"prior: expected a positive number, got {prior}")
        self.prior = prior
        self.mu: Tensor
        self.register_buffer("mu", 0.25 + 0.5 * torch.rand(K, *self.event_shape))

    @torch.no_grad()
    def start_from(self, x: Tensor, *, generator: torch.Generator | None = None) -> Self:
        """Make each component a mean of the data and one example, chosen by k-means++, and return the model.

        Raises:
            ValueError: fewer different examples than components.
        """
        chosen, _ = kmeans_plus_plus(self.check_x(x), self.K, generator)
        self.pi.fill_(1 / self.K)
        self.mu.copy_((0.75 * x.mean(0) + 0.25 * x[chosen]).clamp(0.01, 0.99))
        return self

    def log_joint(self, x: Tensor) -> Tensor:
        """Compute log π_k + log p(x|z=k): `(B, K)` in nats from `(B, *event_shape)` with values 0 and 1."""
        # Σ_d x_d log μ_d + (1 − x_d) log(1 − μ_d) = Σ_d x_d logit μ_d + log(1 − μ_d): one matrix product.
        mu = self.mu.flatten(1)
        return torch.addmm(self.pi.log() + torch.log1p(-mu).sum(1), self.check_x(x).flatten(1), mu.logit().T)

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
        self.mu.copy_(((white + self.prior) / (counts[:, None] + 2 * self.prior)).view_as(self.mu))
        return log_joint.logsumexp(1).mean().item()

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z, then each pixel black or white: `(n, *event_shape)` of 0 and 1."""
        return torch.bernoulli(self.mu[self._draw_z(n, generator)], generator=generator)

    @property
    def free_parameters(self) -> int:
        """Number of parameters that the data choose: K − 1 weights, and each pixel of each component."""
        return self.K - 1 + self.mu.numel()
