"""The training of a GAN in the plane as graphs: data, one update of each network, and what a picture shows.

All are pure functions of tensors, with the weights of a network as one vector and the noise as an input: nothing is
kept and nothing is drawn. So `make_fx` and the exporter can record them. The page calls the graphs in turn.
"""

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from gen_utils import toys
from gen_utils.metrics import mode_coverage
from gen_utils.models.gan import BETAS, EPSILON, GAN, MINIMAX, NON_SATURATING, WGAN_GP, r1
from gen_utils.train import averaging_rate

LOSSES = {"minimax": MINIMAX, "non_saturating": NON_SATURATING, "wgan_gp": WGAN_GP, "r1": r1()}
# The graphs of each loss: minimax differs from the non-saturating loss in the generator's, R1 in the discriminator's.
UPDATES = {
    "minimax": {"discriminator": "discriminator_non_saturating", "generator": "generator_minimax"},
    "non_saturating": {"discriminator": "discriminator_non_saturating", "generator": "generator_non_saturating"},
    "wgan_gp": {"discriminator": "discriminator_wgan_gp", "generator": "generator_wgan_gp"},
    "r1": {"discriminator": "discriminator_r1", "generator": "generator_non_saturating"},
}
POINTS = ["x", "place"]  # what `points` returns
PICTURE = ["fake", "field", "score", "shares", "quality"]  # what `picture` returns
SIDE = 48  # of the discriminator's field, in cells


class Density(NamedTuple):
    """A mixture in the plane, how many modes its centres form, and the square that a picture of it shows.

    The networks see its points divided by `scale`, so that those of every density are about as large. `edges` cut
    (0, 1) into one interval for each component, as long as its weight. The graph does not sum the weights: in single
    precision its sums and those of PyTorch differ in their last bit, and sometimes a point would come from the next
    component.
    """

    mixture: toys.IsotropicMixture
    edges: Tensor
    modes: int
    scale: float
    centre: tuple[float, float]
    limit: float

    def scene(self) -> dict[str, Any]:
        """Return what the page draws: the square, and the modes that are round, with three standard deviations."""
        means, sigma = self.mixture.means, self.mixture.sigma
        modes = means.tolist() if len(means) == self.modes else []
        return {"centre": [*self.centre], "limit": self.limit, "modes": modes, "radius": 3 * sigma}


def _density(
    mixture: toys.IsotropicMixture, modes: int, scale: float, centre: tuple[float, float], limit: float
) -> Density:
    return Density(mixture, mixture.log_weights.exp().cumsum(0)[:-1], modes, scale, centre, limit)


DENSITIES = {
    "ring": _density(toys.ring(), 8, 1.0, (0.0, 0.0), 1.6),
    "grid": _density(toys.grid(), 25, 4.0, (0.0, 0.0), 5.2),
    "moons": _density(toys.moons(), 2, 1.0, (0.5, 0.25), 2.0),
}


def points(density: Density, u: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Turn uniform noise, `(B,)`, and normal noise, `(B, 2)`, into points of the density.

    Returns:
        The points as the networks see them, and where they lie, both `(B, 2)`.
    """
    chosen = (u[:, None] > density.edges).sum(1)
    place = density.mixture.means[chosen] + density.mixture.sigma * eps
    return place / density.scale, place


def start(model: GAN, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Turn standard normal noise, `(P + Q,)`, into the first weights: θ, `(P,)`, and φ, `(Q,)`.

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

    Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. Its ε must be at least 1e-7: the exporter deletes smaller ones.
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
    """Update the discriminator's weights φ once; of `model`, only the networks' shapes and the losses are used.

    Args:
        model: the two networks and their losses.
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
        return model.losses.discriminator(partial(call, model.discriminator, phi), x, fake, u).mean()

    gradient, value = grad_and_value(loss)(phi)
    return *adam(phi, gradient, m, v, lr, t), value.view(1)


def generator_step(
    model: GAN, theta: Tensor, m: Tensor, v: Tensor, phi: Tensor, z: Tensor, lr: Tensor, t: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Update the generator's weights θ once; arguments and results are those of `discriminator_step`."""

    def loss(theta: Tensor) -> Tensor:
        logit = partial(call, model.discriminator, phi)
        return model.losses.generator(logit, call(model.generator, theta, z)).mean()

    gradient, value = grad_and_value(loss)(theta)
    return *adam(theta, gradient, m, v, lr, t), value.view(1)


def averaged_generator_step(
    model: GAN,
    theta: Tensor,
    m: Tensor,
    v: Tensor,
    mean: Tensor,
    phi: Tensor,
    z: Tensor,
    lr: Tensor,
    t: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Do `generator_step`, and then move the mean of the weights, `(P,)`, towards the new ones.

    Returns:
        The new theta, m, v and mean, and the loss, `(1,)`.
    """
    theta, m, v, loss = generator_step(model, theta, m, v, phi, z, lr, t)
    return theta, m, v, moving_average(mean, theta, t), loss


def moving_average(mean: Tensor, theta: Tensor, t: Tensor) -> Tensor:
    """Move the mean of the generator's weights, `(P,)`, towards those after update t = 1, 2, …, and return it.

    This is `train.average` as a function. The mean draws better than the last weights, which keep moving around the
    best ones in circles. Yazıcı et al. 2019, arXiv:1806.04498.
    """
    return mean + (theta - mean) * averaging_rate(t - 1)


def picture(
    model: GAN, density: Density, theta: Tensor, phi: Tensor, z: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute what a picture of the weights θ, `(P,)`, in the page their mean, and φ, `(Q,)`, shows.

    Returns:
        The generator's points for the noise z, `(N, K)`, `(N, 2)`. On a grid over the density's square, row by row
        from the top: D(x), the probability that a point is real, `(SIDE²,)`; and the logits scaled to [0, 1],
        `(SIDE²,)`, for WGAN-GP, whose logits are not those of probabilities. The share of the samples within three
        standard deviations of a centre of each mode, `(modes,)`, and of any mode, `(1,)`.
    """
    fake = density.scale * call(model.generator, theta, z)
    cells = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    (x, y), limit = density.centre, density.limit
    grid = torch.cartesian_prod(y - limit * cells, x + limit * cells).flip(1)
    logits = call(model.discriminator, phi, grid / density.scale)
    score = (logits - logits.amin(0)) / (logits.amax(0) - logits.amin(0) + EPSILON)
    means, sigma = density.mixture.means, density.mixture.sigma
    shares, quality = mode_coverage(fake, means, sigma)
    if len(means) > density.modes:
        arcs = means.chunk(density.modes)
        shares = torch.stack([mode_coverage(fake, arc, sigma)[1] for arc in arcs])
    return fake, logits.sigmoid(), score, shares, quality[None]
