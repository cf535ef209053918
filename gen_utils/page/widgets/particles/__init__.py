"""Carry a thousand particles from noise to data by the reverse diffusion, under the exact and a learned score."""

import math
from collections.abc import Iterator

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.base import batch
from gen_utils.page.export import Graph
from gen_utils.page.graphs.diffusion import ARROWS, REGIONS
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle
from gen_utils.page.widgets.flow_layers import HUES, hues

PARTICLES = 1000
CHOICES = [3, 5, 10, 20, 100]  # numbers of steps
CELLS = 100  # on a side of the grid that the lines are found on


class Particles(GraphWidget):
    """Two planes side by side: the same particles, start and noise, under the exact score and under a learned one.

    Args:
        exact: a graph of `graphs.diffusion.particle_step`, from `x` and `noise`, `(1000, 2)`, and `i`, `steps` and
            `eta`, `(1,)`, to `x_next` `(1000, 2)` and `arrows` `(ARROWS², 2)`.
        learned: the same with another `Predict`.
        judge: a graph of `graphs.diffusion.particle_judge`, from `x` `(1000, 2)` to `depth` `(1000, 2)` and `shares`
            `(2,)`.
        data: what the last state should look like, `(N, 2)`.
        limit: each state is shown from −limit to limit in both directions.

    Raises:
        TypeError: data that are not a tensor of floating-point numbers.
        ValueError: data of another shape, a limit that is not positive, or graphs of other shapes.
    """

    _esm, _css = bundle(__file__)
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
