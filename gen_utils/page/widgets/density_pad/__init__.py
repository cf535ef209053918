"""Put points on a line, and see what a kernel density estimate, a histogram and a Gaussian make of them."""

import math

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.base import batch
from gen_utils.likelihoods import normal_log_prob
from gen_utils.models.density import kde_log_prob
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, esm

POINTS, GRID = 64, 241  # places for points of each kind, and for values of a curve, that the graph has
BANDWIDTHS = [0.02, 2.0]
ROUNDING = 1e-4  # points on a line nearer to each other than this, in single precision, are the same to `pad`
NAMES = ["KDE", "histogram", "Gaussian"]


class DensityPad(GraphWidget):
    """Points on a line that a click adds or removes, three densities fitted to them, and how they rate others.

    Args:
        fit: `pad` as a graph for 64 places of either kind and a grid of 241: from `train`,
            `train_weight`, `held_out`, `held_out_weight`, `bandwidth` and `grid` to `density`, `train_score` and
            `held_out_score`.
        train: the points to begin with that are fitted, `(N,)`, at most 64.
        held_out: those to begin with that are not, `(M,)`, at most 64.
        bandwidth: to begin with, from 0.02 to 2.
        limit: the line goes from −limit to limit.

    Raises:
        TypeError: points that are not a tensor of floating-point numbers.
        ValueError: a limit that is not positive, points beyond it, too many or none, or another bandwidth.
    """

    _esm = esm("density_pad/index.js")
    names = traitlets.List(traitlets.Unicode(), NAMES).tag(sync=True)
    most = traitlets.Int(POINTS).tag(sync=True)
    grid = traitlets.Int(GRID).tag(sync=True)
    bandwidths = traitlets.List(traitlets.Float(), BANDWIDTHS).tag(sync=True)
    limit = traitlets.Float().tag(sync=True)
    train = traitlets.List(traitlets.Float()).tag(sync=True)
    held_out = traitlets.List(traitlets.Float()).tag(sync=True)
    bandwidth = traitlets.Float().tag(sync=True)

    def __init__(self, fit: Graph, train: Tensor, held_out: Tensor, bandwidth: float, limit: float) -> None:
        if not 0 < limit < math.inf:
            raise ValueError(f"limit: expected a positive number, got {limit}")
        if not BANDWIDTHS[0] <= bandwidth <= BANDWIDTHS[1]:
            raise ValueError(f"bandwidth: expected {BANDWIDTHS[0]} to {BANDWIDTHS[1]}, got {bandwidth}")
        points = {"train": _points("train", train, limit), "held_out": _points("held_out", held_out, limit)}
        super().__init__({"fit": fit}, bandwidth=bandwidth, limit=limit, **points)

    def fit(self) -> dict[str, np.ndarray]:
        """Run the graph on the current points: `density` `(3, 241)`, `train_score` and `held_out_score`, `(3,)`."""
        inputs = {"grid": np.linspace(-self.limit, self.limit, GRID, dtype=np.float32)}
        for name in ("train", "held_out"):
            values = getattr(self, name)
            spare = POINTS - len(values)
            inputs[name] = np.pad(np.array(values, dtype=np.float32), (0, spare))
            inputs[f"{name}_weight"] = np.pad(np.ones(len(values), dtype=np.float32), (0, spare))
        return self.run("fit", bandwidth=self.bandwidth, **inputs)

    def poster(self) -> Figure:
        """Draw the points, the three densities and their mean log-likelihoods."""
        found = self.fit()
        figure, (left, right) = plots.figure(columns=2, height=2.4, width_ratios=[2, 1])
        self._curves(left, found["density"])
        rows = zip(NAMES, found["train_score"], found["held_out_score"], strict=True)
        cells = [[name, _score(train), _score(held_out)] for name, train, held_out in rows]
        titles = [["mean log-likelihood / nats", "", ""], ["", "training", "held out"]]
        right.axis("off")
        for row, texts in enumerate([*titles, *cells, [f"bandwidth h = {self.bandwidth:.3g}", "", ""]]):
            for at, text, side in zip((0, 0.64, 1.0), texts, ("left", "right", "right"), strict=True):
                right.text(at, 0.9 - 0.15 * row, text, ha=side, fontsize=7, transform=right.transAxes)
        return figure

    def _curves(self, ax: Axes, density: np.ndarray) -> None:
        x, colour = np.linspace(-self.limit, self.limit, GRID), plots.COLOURS["model"]
        kde, histogram, gaussian = density
        ax.fill_between(x, histogram, step="mid", color=colour, alpha=0.2, lw=0, label="histogram")
        ax.plot(x, kde, color=colour, lw=2, label="KDE")
        ax.plot(x, gaussian, "--", color=colour, lw=1.2, label="Gaussian")
        below = density[np.isfinite(density)].max()
        ax.plot(self.train, [-0.08 * below] * len(self.train), "o", ms=4, color=plots.COLOURS["data"], alpha=0.7)
        decision = plots.COLOURS["decision"]
        ax.plot(self.held_out, [-0.2 * below] * len(self.held_out), "D", ms=3.5, mfc="none", mec=decision)
        ax.legend(frameon=False, fontsize=7, loc="upper right", handlelength=1.5)
        ax.set(
            xlim=(-self.limit, self.limit), xlabel="x: training points filled, held-out ones hollow", ylabel="density"
        )


def _points(name: str, values: Tensor, limit: float) -> list[float]:
    if len(batch(name, values, (), (-limit, limit))) > POINTS:
        raise ValueError(f"{name}: expected at most {POINTS} points, got {len(values)}")
    return [round(float(value), 2) for value in values]  # as finely as the page places them


def _score(value: float) -> str:
    # As density_pad.js writes it.
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{2 if abs(value) < 1000 else 0}f}".replace("-", "−")


def pad(
    train: Tensor, train_weight: Tensor, held_out: Tensor, held_out_weight: Tensor, bandwidth: Tensor, grid: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit a KDE, a histogram and a Gaussian to points on a line, and score each. A pure function, to be exported.

    The histogram's cells are √12 h wide, one of them from 0: so that h, the standard deviation of a kernel, is also
    that of a cell. Points that are all the same have a Gaussian of no width: +∞ there, −∞ elsewhere.

    Args:
        train: the points that are fitted, `(N,)`.
        train_weight: 1 for a point, 0 for a place without one, `(N,)`.
        held_out: other points, `(M,)`.
        held_out_weight: the same for them, `(M,)`.
        bandwidth: h, `(1,)`.
        grid: where the densities are wanted, `(G,)`.

    Returns:
        The densities `(3, G)` of KDE, histogram and Gaussian, 0 while there are no training points; and their mean
        log-likelihoods of the training and the held-out points, `(3,)` each, in nats. A mean over no points is NaN.
    """
    x, n = torch.cat([grid, train, held_out]), train_weight.sum()
    kde = kde_log_prob(x[:, None], train[:, None], bandwidth[0], train_weight)

    width = math.sqrt(12) * bandwidth
    same_cell = (x / width).floor()[:, None] == (train / width).floor()
    histogram = (torch.where(same_cell, train_weight, 0).sum(1) / (n * width)).log()

    mu = (train_weight * train).sum() / n
    sigma = ((train_weight * (train - mu).square()).sum() / n).sqrt()
    spike = torch.where((x - mu).abs() < ROUNDING, math.inf, -math.inf)
    gaussian = torch.where(sigma < ROUNDING, spike, normal_log_prob(x[:, None], mu, sigma))

    log_p = torch.where(n > 0, torch.stack([kde, histogram, gaussian]), -math.inf)
    parts = log_p.split([len(grid), len(train), len(held_out)], 1)
    return parts[0].exp(), _mean_score(parts[1], train_weight), _mean_score(parts[2], held_out_weight)


def _mean_score(log_p: Tensor, weight: Tensor) -> Tensor:
    # Of the points with weight; one of them at −∞ outweighs any at +∞.
    kept = torch.where(weight > 0, log_p, 0)
    mean = kept.sum(1) / weight.sum()
    return torch.where(kept.amin(1) == -math.inf, -math.inf, mean)
