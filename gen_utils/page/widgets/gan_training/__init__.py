"""Train a GAN in the page: density, loss, learning rate and steps of the discriminator are the reader's."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from gen_utils import plots, toys
from gen_utils.metrics import mode_coverage
from gen_utils.models import gan
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, check_shapes, esm

SAMPLES = 1000  # generated points of a picture
SIDE = 48  # of the discriminator's field, in cells
ENOUGH = 0.01  # a mode is found if it holds this share of the samples
BATCHES_SHOWN = 4  # of real points
DATA = ["x", "place"]  # what `data` returns
PICTURE = ["fake", "field", "score", "shares", "quality"]  # what `picture` returns
POSTER_STEPS = 600


class Density(NamedTuple):
    """A mixture in the plane, how many modes its centres form, and the square that a picture of it shows.

    The networks see its points divided by `scale`, so that those of every density are about as large. `edges` cut
    (0, 1) into its components' shares. They are not summed up in the graph: in single precision its sums and those of
    PyTorch differ in their last bit, and a point now and then comes from the next component.
    """

    mixture: toys.Mixture
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


def _density(mixture: toys.Mixture, modes: int, scale: float, centre: tuple[float, float], limit: float) -> Density:
    return Density(mixture, mixture.log_weights.exp().cumsum(0)[:-1], modes, scale, centre, limit)


DENSITIES = {
    "ring": _density(toys.ring(), 8, 1.0, (0.0, 0.0), 1.6),
    "grid": _density(toys.grid(), 25, 4.0, (0.0, 0.0), 5.2),
    "moons": _density(toys.moons(), 2, 1.0, (0.5, 0.25), 2.0),
}
GAMES = {"minimax": gan.MINIMAX, "non_saturating": gan.NON_SATURATING, "wgan_gp": gan.WGAN_GP, "r1": gan.R1}

# The graphs of each loss: minimax differs from the non-saturating loss in the generator's, R1 in the discriminator's.
UPDATES = {
    "minimax": {"discriminator": "discriminator_non_saturating", "generator": "generator_minimax"},
    "non_saturating": {"discriminator": "discriminator_non_saturating", "generator": "generator_non_saturating"},
    "wgan_gp": {"discriminator": "discriminator_wgan_gp", "generator": "generator_wgan_gp"},
    "r1": {"discriminator": "discriminator_r1", "generator": "generator_non_saturating"},
}


def data(density: Density, u: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Turn uniform noise `(B,)` and normal noise `(B, 2)` into points of the density. To be exported.

    Returns:
        The points as the networks see them, and where they lie, both `(B, 2)`.
    """
    chosen = (u[:, None] > density.edges).sum(1)
    place = density.mixture.means[chosen] + density.mixture.sigma * eps
    return place / density.scale, place


def generator_turn(
    model: gan.GAN,
    theta: Tensor,
    m: Tensor,
    v: Tensor,
    mean: Tensor,
    phi: Tensor,
    z: Tensor,
    lr: Tensor,
    step: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Do `gan.generator_step`, and move the mean of the weights, `(P,)`, towards the new ones. To be exported.

    Returns:
        The new theta, m, v and mean, and the loss, `(1,)`.
    """
    theta, m, v, loss = gan.generator_step(model, theta, m, v, phi, z, lr, step)
    return theta, m, v, gan.moving_average(mean, theta, step), loss


def picture(
    model: gan.GAN, density: Density, theta: Tensor, phi: Tensor, z: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute what a picture of the weights θ `(P,)`, their mean here, and φ `(Q,)` shows. To be exported.

    Returns:
        What the generator makes of the noise z `(N, K)`, `(N, 2)`. On a grid over the density's square, row by row
        from the top: D(x), the probability that a point is real, `(SIDE²,)`; and the logits scaled to [0, 1],
        `(SIDE²,)`, for a critic, whose logits are no probabilities. Which share of the samples lies within three
        standard deviations of a centre of each mode, `(modes,)`, and of any mode, `(1,)`.
    """
    fake = density.scale * gan.call(model.generator, theta, z)
    cells = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    (x, y), limit = density.centre, density.limit
    grid = torch.cartesian_prod(y - limit * cells, x + limit * cells).flip(1)
    logits = gan.call(model.discriminator, phi, grid / density.scale)
    score = (logits - logits.amin(0)) / (logits.amax(0) - logits.amin(0) + gan.EPSILON)
    means, sigma = density.mixture.means, density.mixture.sigma
    shares, quality = mode_coverage(fake, means, sigma)
    if len(means) > density.modes:
        arcs = means.chunk(density.modes)
        shares = torch.stack([mode_coverage(fake, arc, sigma)[1] for arc in arcs])
    return fake, logits.sigmoid(), score, shares, quality[None]


class GANTraining(GraphWidget):
    """A plane where the reader trains a GAN, and chooses density, loss, learning rate and judge's steps.

    Args:
        graphs: by name. `start`, of `gan.start`: `noise` `(P + Q,)` to `theta` `(P,)` and `phi` `(Q,)`. Those that
            `UPDATES` names for each loss: `discriminator_…`, of `gan.discriminator_step`, from `phi`, `m`, `v`,
            `theta`, `x` `(B, 2)`, `z` `(B, K)`, `u` `(B, 1)`, `lr` `(1,)` and `step` `(1,)` to `new_phi`, `new_m`,
            `new_v` and `loss` `(1,)`; `generator_…`, of `generator_turn`, from `theta`, `m`, `v`, `average`, `phi`,
            `z`, `lr` and `step` to `new_theta`, `new_m`, `new_v`, `new_average` and `loss`. For each of `DENSITIES`,
            `data_…`, of `data`, from `u` `(B,)` and `eps` `(B, 2)` to what `DATA` names; and `picture_…`, of
            `picture`, from `theta`, `phi` and `z` `(1000, K)` to what `PICTURE` names.
        density: chosen at first, of `DENSITIES`.
        loss: chosen at first, of `GAMES`.
        lr: the learning rate of both networks at first, from 1e-5 to 0.1.
        d_steps: updates of the discriminator for each of the generator at first, 1 to 5.

    Raises:
        ValueError: graphs that are not these, or choices that the reader would not have.
    """

    _esm = esm("../lib/chart.js", "gan_training/index.js")
    density = traitlets.Unicode().tag(sync=True)
    loss = traitlets.Unicode().tag(sync=True)
    lr = traitlets.Float().tag(sync=True)
    d_steps = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    # Pairs, which a stored notebook keeps in their order.
    sizes: traitlets.List = traitlets.List().tag(sync=True)
    scenes: traitlets.List = traitlets.List([[name, each.scene()] for name, each in DENSITIES.items()]).tag(sync=True)
    updates: traitlets.List = traitlets.List([[*pair] for pair in UPDATES.items()]).tag(sync=True)

    def __init__(
        self,
        graphs: Mapping[str, Graph],
        density: str = "ring",
        loss: str = "r1",
        lr: float = 5e-4,
        d_steps: int = 1,
    ) -> None:
        if density not in DENSITIES or loss not in GAMES:
            raise ValueError(f"expected one of {[*DENSITIES]} and one of {[*GAMES]}, got {density!r} and {loss!r}")
        if not 1e-5 <= lr <= 0.1:
            raise ValueError(f"lr: expected 1e-5 to 0.1, got {lr}")
        if d_steps not in range(1, 6):
            raise ValueError(f"d_steps: expected 1 to 5, got {d_steps}")
        sizes = [[*pair] for pair in _sizes(graphs).items()]
        super().__init__(graphs, density=density, loss=loss, lr=lr, d_steps=d_steps, sizes=sizes)

    def poster(self) -> Figure:
        """Draw the start that the widget first shows, and the same GAN after some hundred steps."""
        figure, axes = plots.figure(columns=2, height=2.8)
        for ax, steps in zip(axes, (0, POSTER_STEPS), strict=True):
            shown = self.train(steps)
            self._plane(ax, shown)
            found = (shown["shares"] >= ENOUGH).sum()
            ax.set_xlabel(f"after {steps} steps: {found} of {len(shown['shares'])} modes", fontsize=8)
        return figure

    def train(self, steps: int) -> dict[str, np.ndarray]:
        """Take the steps from the start that the page takes, with the same noise: one stream, from the seed.

        Returns:
            The weights `theta` `(P,)`, their `average`, `phi` `(Q,)`, the `real` points `(N, 2)`, and what `picture`
            returns.
        """
        noise, sizes, updates = Noise(self.seed), dict(self.sizes), UPDATES[self.loss]
        B, K = sizes["batch"], sizes["latent"]

        def normal(*shape: int) -> np.ndarray:
            return noise.normal(math.prod(shape)).reshape(shape)

        def points() -> dict[str, np.ndarray]:
            return self.run(f"data_{self.density}", u=noise.uniforms(B), eps=normal(B, 2))

        def update(graph: str, state: dict[str, np.ndarray], **given: np.ndarray | float) -> dict[str, np.ndarray]:
            found = self.run(graph, **state, **given)
            return {name: found[f"new_{name}"] for name in state}

        first = self.run("start", noise=normal(sizes["weights"]))
        zeros = {name: {"m": np.zeros_like(weights), "v": np.zeros_like(weights)} for name, weights in first.items()}
        judge = {"phi": first["phi"], **zeros["phi"]}
        maker = {"theta": first["theta"], **zeros["theta"], "average": first["theta"]}
        z, real = normal(SAMPLES, K), np.concatenate([points()["place"] for _ in range(BATCHES_SHOWN)])
        for step in range(steps):
            for i in range(self.d_steps):
                t = step * self.d_steps + i + 1
                drawn = {"x": points()["x"], "z": normal(B, K), "u": noise.uniforms(B)[:, None]}
                judge = update(updates["discriminator"], judge, theta=maker["theta"], **drawn, lr=self.lr, step=t)
            maker = update(updates["generator"], maker, phi=judge["phi"], z=normal(B, K), lr=self.lr, step=step + 1)
        shown = self.run(f"picture_{self.density}", theta=maker["average"], phi=judge["phi"], z=z)
        return {"theta": maker["theta"], "average": maker["average"], "phi": judge["phi"], "real": real, **shown}

    def _plane(self, ax: Axes, shown: Mapping[str, np.ndarray]) -> None:
        scene, colours = DENSITIES[self.density].scene(), plots.COLOURS
        (left, low), limit = scene["centre"], scene["limit"]
        extent = (left - limit, left + limit, low - limit, low + limit)
        field = shown["score" if self.loss == "wgan_gp" else "field"].reshape(SIDE, SIDE)
        green = LinearSegmentedColormap.from_list("", [(0, 0.62, 0.45, 0), (0, 0.62, 0.45, 0.6)])
        ax.imshow(field, extent=extent, cmap=green, vmin=0, vmax=1, interpolation="bilinear")
        for points, colour in [(shown["real"], colours["data"]), (shown["fake"], colours["model"])]:
            ax.plot(*points.T, ".", ms=1.5, color=colour, alpha=0.7)
        for mode, share in zip(scene["modes"], shown["shares"], strict=False):  # the moons have no circles
            found = share >= ENOUGH
            look = {"lw": 1.2 if found else 0.7, "ls": "-" if found else ":", "color": colours["truth"]}
            ax.add_patch(Circle(mode, scene["radius"] + 0.04 * limit, fill=False, **look))
        ax.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])
        ax.spines[:].set_visible(True)


def _sizes(graphs: Mapping[str, Graph]) -> dict[str, int | float]:
    # Of batches and weights, if the graphs are those that the page calls, and fit each other.
    players = {graph for pair in UPDATES.values() for graph in pair.values()}
    names = {"start", *players, *(f"{kind}_{name}" for kind in ("data", "picture") for name in DENSITIES)}
    if graphs.keys() != names:
        raise ValueError(f"graphs: expected {sorted(names)}, got {sorted(graphs)}")
    first = graphs["discriminator_non_saturating"].inputs
    P, Q, B, K = (first.get(name, (0,))[axis] for name, axis in [("theta", 0), ("phi", 0), ("z", 0), ("z", -1)])
    seen: dict[str, tuple[int, ...]] = {"theta": (P,), "phi": (Q,), "z": (SAMPLES, K)}
    adam = {"lr": (1,), "step": (1,)}
    expected: dict[str, dict[str, tuple[int, ...]]] = {"start": {"noise": (P + Q,)}}
    for name in DENSITIES:
        expected |= {f"data_{name}": {"u": (B,), "eps": (B, 2)}, f"picture_{name}": seen}
    drawn = {"x": (B, 2), "z": (B, K), "u": (B, 1)}
    discriminator: dict[str, tuple[int, ...]] = {"phi": (Q,), "m": (Q,), "v": (Q,), "theta": (P,), **drawn, **adam}
    generator: dict[str, tuple[int, ...]] = {
        "theta": (P,),
        "m": (P,),
        "v": (P,),
        "average": (P,),
        "phi": (Q,),
        "z": (B, K),
        **adam,
    }
    expected |= {name: discriminator if name.startswith("discriminator") else generator for name in players}
    for name, graph in graphs.items():
        check_shapes(graph, expected[name])
    return {"weights": P + Q, "latent": K, "batch": B, "samples": SAMPLES, "real": BATCHES_SHOWN, "enough": ENOUGH}
