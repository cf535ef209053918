r"""Generative adversarial networks: a generator turns noise into examples, a discriminator tells them from data.

    min_θ max_φ  E_p(x)[log D(x)] + E_p(z)[log(1 − D(G(z)))]

D(x) is the probability that x is real. The network `discriminator` returns its logit ℓ(x), so that
log D = −softplus(−ℓ) and log(1 − D) = −softplus(ℓ). What the two networks minimise is a pair of losses, `GANLosses`;
four pairs are here.

References: Goodfellow et al. 2014, arXiv:1406.2661; Gulrajani et al. 2017, arXiv:1704.00028 (WGAN-GP);
Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406 (R1).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import grad

from gen_utils.base import GenerativeModel, positive
from gen_utils.nets import RoundedReLU, evaluation_mode, mlp

# Of Adam, for both networks. With beta_1 > 0, a memory of past gradients, the two networks move around each other in
# circles. With a long memory of squared gradients, beta_2 = 0.99, two computers that round differently part further.
BETAS = (0.0, 0.9)
EPSILON = 1e-5

Logit = Callable[[Tensor], Tensor]  # ℓ: examples, `(B, *event_shape)`, to logits, `(B,)`


class GANLosses(NamedTuple):
    """The losses of the two networks, `(B,)` each, as functions of the logit ℓ and of batches of examples.

    `discriminator(logit, x, fake, u)` takes real and generated examples, and u ~ U(0, 1), `(B, 1)`, which only
    WGAN-GP uses. `generator(logit, fake)` sends its gradient through `fake`.
    """

    discriminator: Callable[[Logit, Tensor, Tensor, Tensor], Tensor]
    generator: Callable[[Logit, Tensor], Tensor]


def _cross_entropy(logit: Logit, x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    return F.softplus(-logit(x)) + F.softplus(logit(fake))  # −log D(x) − log(1 − D(G(z)))


def _saturating(logit: Logit, fake: Tensor) -> Tensor:
    return -F.softplus(logit(fake))  # log(1 − D(G(z)))


def _non_saturating(logit: Logit, fake: Tensor) -> Tensor:
    return F.softplus(-logit(fake))  # −log D(G(z))


def _gradient(logit: Logit, x: Tensor) -> Tensor:
    # ∇_x ℓ(x) of each example, flat: one gradient of the sum, since no example's logit depends on another example.
    return grad(lambda x: logit(x).sum())(x).flatten(1)


def _wasserstein(logit: Logit, x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    u = u.view(-1, *(1 for _ in x.shape[1:]))
    gradient = _gradient(logit, u * x + (1 - u) * fake)
    return logit(fake) - logit(x) + 10 * (gradient.norm(dim=1) - 1) ** 2


def _wasserstein_generator(logit: Logit, fake: Tensor) -> Tensor:
    return -logit(fake)


def r1_penalty(logit: Logit, x: Tensor, gamma: float) -> Tensor:
    """Compute γ/2 · |∇ℓ(x)|² at each real example, `(B,)`. Mescheder et al. 2018, eq. 9."""
    return gamma / 2 * _gradient(logit, x).square().sum(1)


def _cross_entropy_r1(logit: Logit, x: Tensor, fake: Tensor, u: Tensor, gamma: float) -> Tensor:
    return _cross_entropy(logit, x, fake, u) + r1_penalty(logit, x, gamma)


def r1(gamma: float = 0.1) -> GANLosses:
    """Build the non-saturating losses with the penalty R1 for the discriminator, γ/2 · |∇ℓ(x)|² on real examples.

    Raises:
        ValueError: a negative gamma.
    """
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma: expected a number that is not negative, got {gamma}")
    return GANLosses(partial(_cross_entropy_r1, gamma=gamma), _non_saturating)


MINIMAX = GANLosses(_cross_entropy, _saturating)
NON_SATURATING = GANLosses(_cross_entropy, _non_saturating)
WGAN_GP = GANLosses(_wasserstein, _wasserstein_generator)


class GAN(GenerativeModel):
    """A generator of `(B, *event_shape)` from noise z ~ N(0, I), `(B, K)`, and a discriminator that returns logits.

    A subclass with labels sets `classes`, and has networks that take y, `(B,)`, as their second argument.

    Args:
        latent_dim: number of latent units, K.
        hidden_dims: widths of the generator's hidden layers; the discriminator mirrors them.
        event_shape: shape of one example.
        losses: what each network minimises.

    Raises:
        ValueError: a size that is not positive.
    """

    generator: nn.Module
    discriminator: nn.Module
    betas = BETAS
    sixteen_bits = True

    def __init__(
        self,
        latent_dim: int = 2,
        hidden_dims: Sequence[int] = (64, 64),
        event_shape: Sequence[int] = (2,),
        losses: GANLosses = NON_SATURATING,
    ) -> None:
        super().__init__(event_shape)
        self.latent_dim, self.losses = positive("latent_dim", latent_dim), losses
        D = math.prod(self.event_shape)
        self.generator = nn.Sequential(
            *mlp([latent_dim, *hidden_dims, D], RoundedReLU), nn.Unflatten(1, self.event_shape)
        )
        self.discriminator = nn.Sequential(
            nn.Flatten(), *mlp([D, *reversed(hidden_dims), 1], RoundedReLU), nn.Flatten(0)
        )

    def noise(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z), `(n, K)`."""
        size = (positive("n", n), self.latent_dim)
        return torch.randn(size, generator=generator, dtype=self.dtype, device=self.device)

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z) and return the generator's output for them, `(n, *event_shape)`."""
        z, labels = self.noise(n, generator=generator), self._labels(y, n)
        with evaluation_mode(self.generator):  # also between two steps of training
            return self.generator(z, *labels)

    def discriminator_loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute the discriminator's loss on x and as many generated examples: `"loss"`, `(B,)`."""
        labels = self._labels(y, len(self.check_x(x)))
        with torch.no_grad():
            fake = self.generator(self.noise(len(x), generator=generator), *labels)
        u = torch.rand(len(x), 1, generator=generator, dtype=x.dtype, device=x.device)
        return {"loss": self.losses.discriminator(lambda x: self.discriminator(x, *labels), x, fake, u)}

    def generator_loss(
        self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute the generator's loss on n generated examples: `"loss"`, `(n,)`."""
        z, labels = self.noise(n, generator=generator), self._labels(y, n)
        return {"loss": self.losses.generator(lambda x: self.discriminator(x, *labels), self.generator(z, *labels))}

    def _labels(self, y: Tensor | None, n: int) -> tuple[Tensor, ...]:
        # What the two networks take besides z or x.
        y = self.check_y(y, n)
        return () if y is None else (y,)
