r"""Generative adversarial networks: one network turns noise into examples, one tells them from the data.

    min_θ max_φ  E_p(x)[log D(x)] + E_p(z)[log(1 − D(G(z)))]

D(x) is the probability that x is real; `discriminator` returns its logit, so that log D = −softplus(−logit) and
log(1 − D) = −softplus(logit). What the two networks minimise is a `Game`; four of them are here. Below the model
stands one update of each network as a pure function of flat weight vectors: the step that runs in the page.

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
from torch.func import functional_call, grad, grad_and_value

from gen_utils.base import GenerativeModel, positive
from gen_utils.nets import RoundedReLU, mlp

# Adam's. With beta_1 > 0, a memory of past gradients, the two networks chase each other in circles; with a long one
# of their squares, beta_2 = 0.99, two computers that round differently part further. The exporter deletes an ε below
# 1e-8.
BETAS = (0.0, 0.9)
EPSILON = 1e-5

Critic = Callable[[Tensor], Tensor]


class Game(NamedTuple):
    """What each network minimises, `(B,)`; `logit` maps examples `(B, *event_shape)` to logits `(B,)`.

    `discriminator(logit, x, fake, u)` is told real and generated examples, and u ~ U(0, 1), `(B, 1)`, which only
    WGAN-GP looks at; `generator(logit, fake)` sends its gradient through `fake`.
    """

    discriminator: Callable[[Critic, Tensor, Tensor, Tensor], Tensor]
    generator: Callable[[Critic, Tensor], Tensor]


def _cross_entropy(logit: Critic, x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    return F.softplus(-logit(x)) + F.softplus(logit(fake))  # −log D(x) − log(1 − D(G(z)))


def _saturating(logit: Critic, fake: Tensor) -> Tensor:
    return -F.softplus(logit(fake))  # log(1 − D(G(z)))


def _non_saturating(logit: Critic, fake: Tensor) -> Tensor:
    return F.softplus(-logit(fake))  # −log D(G(z))


def _slope(logit: Critic, x: Tensor) -> Tensor:
    # ∇_x D(x) of each example, flat: one gradient of the sum, since no example's logit depends on another example.
    return grad(lambda x: logit(x).sum())(x).flatten(1)


def _earth_mover(logit: Critic, x: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    u = u.view(-1, *(1 for _ in x.shape[1:]))
    slope = _slope(logit, u * x + (1 - u) * fake)
    return logit(fake) - logit(x) + 10 * (slope.norm(dim=1) - 1) ** 2


def _praise(logit: Critic, fake: Tensor) -> Tensor:
    return -logit(fake)


def _flat_on_data(logit: Critic, x: Tensor, fake: Tensor, u: Tensor, gamma: float) -> Tensor:
    return _cross_entropy(logit, x, fake, u) + gamma / 2 * (_slope(logit, x) ** 2).sum(1)


def r1(gamma: float) -> Game:
    """Build the non-saturating game with γ/2 · |∇D(x)|² on real examples. Mescheder et al. 2018, eq. 9.

    Raises:
        ValueError: a negative gamma.
    """
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma: expected a number that is not negative, got {gamma}")
    return Game(partial(_flat_on_data, gamma=gamma), _non_saturating)


MINIMAX = Game(_cross_entropy, _saturating)
NON_SATURATING = Game(_cross_entropy, _non_saturating)
WGAN_GP = Game(_earth_mover, _praise)
R1 = r1(gamma=0.1)


class GAN(GenerativeModel):
    """A generator of `(B, *event_shape)` from noise z ~ N(0, I), `(B, K)`, and a discriminator that returns logits.

    A subclass that is told labels has networks that take them: every method hands `given` on.

    Args:
        latent_dim: number of latent units, K.
        hidden_dims: widths of the generator's hidden layers; the discriminator mirrors them.
        event_shape: shape of one example.
        game: what each network minimises.

    Raises:
        ValueError: a size that is not positive.
    """

    generator: nn.Module
    discriminator: nn.Module
    betas = BETAS

    def __init__(
        self,
        latent_dim: int = 2,
        hidden_dims: Sequence[int] = (64, 64),
        event_shape: Sequence[int] = (2,),
        game: Game = NON_SATURATING,
    ) -> None:
        super().__init__(event_shape)
        self.latent_dim, self.game = positive("latent_dim", latent_dim), game
        D = math.prod(self.event_shape)
        self.generator = nn.Sequential(
            *mlp([latent_dim, *hidden_dims, D], RoundedReLU), nn.Unflatten(1, self.event_shape)
        )
        self.discriminator = nn.Sequential(
            nn.Flatten(), *mlp([D, *reversed(hidden_dims), 1], RoundedReLU), nn.Flatten(0)
        )

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z), `(n, K)`."""
        weight = next(self.parameters())
        z = torch.randn(positive("n", n), self.latent_dim, generator=generator, device=weight.device)
        return z.to(weight.dtype)

    @torch.no_grad()
    def sample(self, n: int, *given: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z) and return what the generator makes of them, `(n, *event_shape)`."""
        return self.generator(self.noise(n, generator), *given)

    def discriminator_loss(
        self, x: Tensor, *given: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute what the discriminator minimises, `"loss"`, `(B,)`, on `(B, *event_shape)` and as many samples."""
        fake = self.sample(len(self.check_x(x)), *given, generator=generator)
        u = torch.rand(len(x), 1, generator=generator, device=x.device).to(x.dtype)
        return {"loss": self.game.discriminator(lambda x: self.discriminator(x, *given), x, fake, u)}

    def generator_loss(self, n: int, *given: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Compute what the generator minimises, `"loss"`, `(n,)`, on n samples."""
        fake = self.generator(self.noise(n, generator), *given)
        return {"loss": self.game.generator(lambda x: self.discriminator(x, *given), fake)}


# One update of each network, as pure functions: weights in, weights out, noise from outside. Nothing is kept and
# nothing is drawn, so `make_fx` and the exporter can write them down as a graph.


def call(network: nn.Module, weights: Tensor, *inputs: Tensor) -> Tensor:
    """Run a network with other weights than its own: one vector, in the order of `network.parameters()`."""
    shapes = {name: p.shape for name, p in network.named_parameters()}
    pieces = weights.split([shape.numel() for shape in shapes.values()])
    named = {name: piece.view(shape) for piece, (name, shape) in zip(pieces, shapes.items(), strict=True)}
    return functional_call(network, named, inputs)


def adam(
    theta: Tensor, gradient: Tensor, m: Tensor, v: Tensor, lr: Tensor, t: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Take Adam's step number t = 1, 2, …: new weights, new means of gradients and of their squares.

    Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.
    """
    beta_1, beta_2 = BETAS
    m = beta_1 * m + (1 - beta_1) * gradient
    v = beta_2 * v + (1 - beta_2) * gradient**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return theta - lr * m_hat / (v_hat.sqrt() + EPSILON), m, v


def discriminator_step(
    model: GAN,
    phi: Tensor,
    m: Tensor,
    v: Tensor,
    theta: Tensor,
    x: Tensor,
    z: Tensor,
    u: Tensor,
    lr: Tensor,
    t: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Update the discriminator's weights φ once; of `model`, only the networks' shapes and the game are used.

    Args:
        model: the two networks and their game.
        phi: the discriminator's weights, `(Q,)`.
        m: Adam's mean of its gradients, `(Q,)`.
        v: Adam's mean of their squares, `(Q,)`.
        theta: the generator's weights, `(P,)`.
        x: real examples, `(B, *event_shape)`.
        z: noise for as many generated ones, `(B, K)`.
        u: uniform noise, `(B, 1)`, for WGAN-GP.
        lr: learning rate, `(1,)`.
        t: number of the update from 1, `(1,)`.

    Returns:
        New phi, m and v, and the loss before the update, `(1,)`.
    """
    fake = call(model.generator, theta, z)

    def loss(phi: Tensor) -> Tensor:
        return model.game.discriminator(partial(call, model.discriminator, phi), x, fake, u).mean()

    gradient, value = grad_and_value(loss)(phi)
    return *adam(phi, gradient, m, v, lr, t), value.view(1)


def generator_step(
    model: GAN, theta: Tensor, m: Tensor, v: Tensor, phi: Tensor, z: Tensor, lr: Tensor, t: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Update the generator's weights θ once; arguments and results are those of `discriminator_step`."""

    def loss(theta: Tensor) -> Tensor:
        return model.game.generator(partial(call, model.discriminator, phi), call(model.generator, theta, z)).mean()

    gradient, value = grad_and_value(loss)(theta)
    return *adam(theta, gradient, m, v, lr, t), value.view(1)


def moving_average(mean: Tensor, theta: Tensor, t: Tensor) -> Tensor:
    """Move the mean of the generator's weights, `(P,)`, towards those after update t = 1, 2, …, and return it.

    Late weights count more: the mean looks back over the last tenth of the updates, and never over more than about
    500. It draws better than the last weights, which keep circling around what they aim at. Yazıcı et al. 2019,
    arXiv:1806.04498.
    """
    return mean + (theta - mean) * (10 / (9 + t)).clamp(min=0.002)


def start(model: GAN, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Turn standard normal noise, `(P + Q,)`, into weights to start from: θ `(P,)` and φ `(Q,)`.

    Weights have variance 1/inputs, and biases are 0.
    """
    networks = (model.generator, model.discriminator)
    shapes = [[p.shape for p in network.parameters()] for network in networks]
    starts = []
    for own, piece in zip(shapes, noise.split([sum(shape.numel() for shape in own) for own in shapes]), strict=True):
        weights = piece.split([shape.numel() for shape in own])
        scales = [shape[1] ** -0.5 if len(shape) > 1 else 0.0 for shape in own]
        starts.append(torch.cat([scale * w for scale, w in zip(scales, weights, strict=True)]))
    theta, phi = starts
    return theta, phi
