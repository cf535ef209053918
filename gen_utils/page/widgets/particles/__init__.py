"""Carry a thousand particles from noise to data by the reverse diffusion, under the exact and a learned score."""

import math
from collections.abc import Iterator

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.base import batch
from gen_utils.models.samplers import Predict, ddim_step
from gen_utils.models.schedule import Schedule, alpha_bar_from, eps_from_x0
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, css, esm
from gen_utils.page.widgets.flow_layers import HUES, hues, sector
from gen_utils.toys import Mixture

PARTICLES = 1000
CHOICES = [3, 5, 10, 20, 100]  # numbers of steps
ARROWS = 13  # on a side of the plane
REGIONS = [0.5, 0.99]  # share of the data that the densest region within each line holds
CELLS = 100  # on a side of the grid that the lines are found on


class Particles(GraphWidget):
    """Two planes side by side: the same particles, start and noise, under the exact score and under a learned one.

    Args:
        exact: a graph of `step` from `x` and `noise`, `(1000, 2)`, and `i`, `steps` and `eta`, `(1,)`, to `x_next`
            `(1000, 2)` and `arrows` `(ARROWS², 2)`.
        learned: the same with another `Predict`.
        judge: a graph of `judge` from `x` `(1000, 2)` to `depth` `(1000, 2)` and `shares` `(2,)`.
        data: what the last state should look like, `(N, 2)`.
        limit: each state is shown from −limit to limit in both directions.

    Raises:
        TypeError: data that are not a tensor of floating-point numbers.
        ValueError: data of another shape, a limit that is not positive, or graphs of other shapes.
    """

    _esm = esm("particles/index.js")
    _css = css("particles/style.css")
    particles = traitlets.Int(PARTICLES).tag(sync=True)
    palette = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choices: traitlets.List = traitlets.List(CHOICES).tag(sync=True)
    data: traitlets.List = traitlets.List().tag(sync=True)
    lines: traitlets.List = traitlets.List().tag(sync=True)
    limit = traitlets.Float().tag(sync=True)
    steps = traitlets.Int(20).tag(sync=True)
    eta = traitlets.Float(0.0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, exact: Graph, learned: Graph, judge: Graph, data: Tensor, limit: float) -> None:
        if not 0 < limit < math.inf:
            raise ValueError(f"limit: expected a positive number, got {limit}")
        points = batch("data", data, (2,)).double().numpy(force=True).round(2).tolist()
        graphs = {"exact": exact, "learned": learned, "judge": judge}
        super().__init__(graphs, data=points, limit=limit, palette=hues(HUES))
        for name in ("exact", "learned"):
            shape = next(self.found(name))["arrows"].shape
            if shape != (ARROWS**2, 2):
                raise ValueError(f"{name}: expected arrows of shape {(ARROWS**2, 2)}, got {shape}")
        self.lines = self._lines()

    def states(self, score: str) -> np.ndarray:
        """Carry the particles under the `exact` or the `learned` score, as the page does: `(S + 1, 1000, 2)`."""
        return np.stack([self._start(), *(found["x_next"] for found in self.found(score))])

    def shares(self, x: np.ndarray) -> np.ndarray:
        """Compute which share of particles `(1000, 2)` is inside the inner and outside the outer line: `(2,)`."""
        return self.run("judge", x=x)["shares"]

    def found(self, score: str) -> Iterator[dict[str, np.ndarray]]:
        """Yield what the graph finds at each step: `x_next` and `arrows`. Noise is one stream, from the seed."""
        noise = Noise(self.seed)
        x = noise.normal(2 * PARTICLES).reshape(-1, 2)
        for i in range(self.steps, 0, -1):
            eps = noise.normal(2 * PARTICLES).reshape(-1, 2)
            found = self.run(score, x=x, noise=eps, i=i, steps=self.steps, eta=self.eta)
            yield found
            x = found["x_next"]

    def poster(self) -> Figure:
        """Draw the start, and where the particles end under each score."""
        start = self._start()
        colours = [self.palette[i] for i in sector(*start.T)]
        figure, axes = plots.figure(columns=3, height=2.4)
        for ax, name in zip(axes, ("", "exact", "learned"), strict=True):
            x = self.states(name)[-1] if name else start
            self._plane(ax, x, colours)
            inside, outside = 100 * self.shares(x)
            told = f"{name} score:\n{inside:.1f} % inside inner line,\n{outside:.1f} % outside outer line"
            ax.set_xlabel(told if name else "start: noise", fontsize=8)
        return figure

    def _start(self) -> np.ndarray:
        return Noise(self.seed).normal(2 * PARTICLES).reshape(-1, 2)

    def _plane(self, ax: Axes, x: np.ndarray, colours: list[str]) -> None:
        data = np.array(self.data)
        ax.scatter(data[:, 0], data[:, 1], s=2, color=plots.COLOURS["data"], alpha=0.2, lw=0)
        ax.scatter(x[:, 0], x[:, 1], s=2.5, c=colours, lw=0)
        for lines, style in zip(self.lines, ("--", ":"), strict=True):
            for line in lines:
                ax.plot(*np.transpose(line), style, color=plots.COLOURS["truth"], lw=0.7)
        ax.set(xlim=(-self.limit, self.limit), ylim=(-self.limit, self.limit), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(True)

    def _lines(self) -> list[list[list[list[float]]]]:
        # The borders of the two densest regions, as closed lines of points.
        ticks = np.linspace(-self.limit, self.limit, CELLS, dtype=np.float32)
        places = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, PARTICLES, 2)
        depth = np.concatenate([self.run("judge", x=part)["depth"] for part in places]).reshape(CELLS, CELLS, 2)
        ax = Figure().subplots()
        borders = [ax.contour(ticks, ticks, depth[..., region], [0.0]).allsegs[0] for region in range(len(REGIONS))]
        return [[line.round(3).tolist() for line in lines] for lines in borders]


def exact(density: Mixture, x_t: Tensor, log_snr: Tensor) -> tuple[Tensor, float]:
    """Predict x₀ from x_t `(B, 2)` and its log-SNR `(B,)` by the true posterior mean: a `Predict` that exports.

    It is Tweedie's (x_t + (1 − ᾱ) score) / √ᾱ, without that quotient of small numbers, which loses digits at t = T.

    Returns:
        E[x₀ | x_t] `(B, 2)`, and the variance coefficient −1: `ddim_step` has no use for it.
    """
    alpha_bar_t = alpha_bar_from(log_snr[:, None])
    signal = alpha_bar_t**0.5
    gain = signal * density.sigma**2 / (alpha_bar_t * density.sigma**2 + (1 - alpha_bar_t))
    return gain * x_t + (1 - gain * signal) * density.shares(x_t, alpha_bar_t) @ density.means, -1.0


def step(
    predict: Predict,
    schedule: Schedule,
    limit: float,
    x: Tensor,
    noise: Tensor,
    i: Tensor,
    steps: Tensor,
    eta: Tensor,
) -> tuple[Tensor, Tensor]:
    """Do step i = S, …, 1 of S back, from x and `noise`, `(B, 2)`, and i, `steps` S and η, `(1,)`. To be exported.

    Returns:
        x one step later, `(B, 2)`, and the score at the places of `grid(limit)`, times the standard deviation of the
        noise there, `(ARROWS², 2)`: −ε.
    """
    t, s = (schedule.place(each, steps) for each in (i, i - 1))
    alpha_bar_t, alpha_bar_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    places = grid(limit).to(x)
    both = torch.cat([x, places])
    x0_hat, _ = predict(both, schedule.log_snr[t].expand(len(both)))
    x_next = ddim_step(x, x0_hat[: len(x)], alpha_bar_t, alpha_bar_s, eta, noise)
    return x_next, -eps_from_x0(x0_hat[len(x) :], places, alpha_bar_t)


def grid(limit: float) -> Tensor:
    """Lay out the places of the arrows, `(ARROWS², 2)`: the middles of equal cells of the plane."""
    ticks = ((torch.arange(ARROWS) + 0.5) / ARROWS * 2 - 1) * limit
    return torch.cartesian_prod(ticks, ticks)


def levels(density: Mixture) -> Tensor:
    """Find log p(x) on the border of the densest region that holds each share of `REGIONS`, `(2,)` in nats.

    They are quantiles of log p over 200,000 draws: the shares are right to 0.1 %.
    """
    drawn = density.sample(200_000, generator=torch.Generator().manual_seed(0))
    return density.log_prob(drawn).quantile(1 - torch.tensor(REGIONS))


def judge(density: Mixture, levels: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compare points `(B, 2)` with the densest regions of the density, given their `levels`. To be exported.

    Returns:
        How far each point is inside each region, in nats of log p: `(B, 2)`, negative outside; and the share of the
        points inside the first region and outside the second, `(2,)`: 50 % and 1 % for draws of the density. Both
        are blind to how many points each mode of the density gets.
    """
    depth = density.log_prob(x)[:, None] - levels
    return depth, torch.stack([(depth[:, 0] > 0).to(x).mean(), (depth[:, 1] < 0).to(x).mean()])
