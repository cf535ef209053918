"""Put points on a line, and see what a kernel density estimate, a histogram and a Gaussian make of them."""

import math

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.base import batch
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, bundle

POINTS, GRID = 64, 241  # places for points of each kind, and for values of a curve, that the graph has
BANDWIDTHS = [0.02, 2.0]
NAMES = ["KDE", "histogram", "Gaussian"]


class DensityPad(GraphWidget):
    """Points on a line that a click adds or removes, three densities fitted to them, and how they rate others.

    Args:
        fit: `gen_utils.page.graphs.density.density_pad` as a graph for at most 64 points of either kind and a grid of
            241: from `train`, `train_weight`, `held_out`, `held_out_weight`, `bandwidth` and `grid` to `density`,
            `train_score` and `held_out_score`.
        train: the points to begin with that are fitted, `(N,)`, at most 64.
        held_out: those to begin with that are not, `(M,)`, at most 64.
        bandwidth: to begin with, from 0.02 to 2.
        limit: the line goes from −limit to limit.

    Raises:
        TypeError: points that are not a tensor of floating-point numbers.
        ValueError: a limit that is not positive, points beyond it, too many or none, or another bandwidth.
    """

    _esm, _css = bundle(__file__)
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


def _points(name: str, values: Tensor, limit: float) -> list[float]:
    if len(batch(name, values, (), (-limit, limit))) > POINTS:
        raise ValueError(f"{name}: expected at most {POINTS} points, got {len(values)}")
    return [round(float(value), 2) for value in values]  # as finely as the page places them
