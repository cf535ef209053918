"""EM on a mixture of Gaussians in the plane: set points, choose the number of components, step or run."""

import math
from collections.abc import Mapping

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.base import batch
from gen_utils.models.mixtures import gaussian_em_step, gaussian_log_joint, whiten
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, esm

ROOM = 200  # points that the graphs have room for
STEPS = 100  # that "Run" does at most, and the poster
SETTLED = 1e-5  # nats: "Run" stops when a step gains less
# Okabe and Ito's colours of the components, in an order that keeps neighbours in hue apart.
COMPONENTS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"]


class EMSteps(GraphWidget):
    """A plane of points that the reader sets, and EM fitting a mixture of Gaussians to them, step by step.

    Args:
        steps: by the number of components K, 1 among them and none above 5, graphs of `em_picture`:
            from `x` `(200, 2)`, `weight` `(200,)`, `pi` `(K,)`, `mu` `(K, 2)` and `covariance` `(K, 2, 2)` to
            `new_pi`, `new_mu`, `new_covariance`, `log_likelihood` `(1,)`, `responsibilities` `(200, K)` and `outline`
            `(K, 64, 2)`. A new start puts the means on points and takes the covariance of all points for each
            component: what one step with K = 1 finds.
        points: those that are there at first, `(N, 2)`, N ≤ 200, inside ±limit, and more of them different than
            components.
        limit: half the side of the plane.

    Raises:
        TypeError: points that are not a tensor of floating-point numbers.
        ValueError: no graph with K = 1 or one with K > 5, graphs with other inputs, points that do not fit.
    """

    _esm = esm("../lib/chart.js", "em_steps/index.js")
    points: traitlets.List = traitlets.List().tag(sync=True)
    limit = traitlets.Float().tag(sync=True)
    choices = traitlets.List(traitlets.Int()).tag(sync=True)
    components = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    room = traitlets.Int(ROOM).tag(sync=True)
    most = traitlets.Int(STEPS).tag(sync=True)
    settled = traitlets.Float(SETTLED).tag(sync=True)
    palette = traitlets.List(COMPONENTS).tag(sync=True)

    def __init__(self, steps: Mapping[int, Graph], points: Tensor, limit: float) -> None:
        choices = sorted(steps)
        if choices[:1] != [1] or choices[-1] > len(COMPONENTS):
            raise ValueError(f"steps: expected graphs for K = 1 and others up to {len(COMPONENTS)}, got {choices}")
        places = batch("points", points, (2,), (-limit, limit)).numpy(force=True).astype(float).round(2)
        if len(places) > ROOM or len(np.unique(places, axis=0)) <= choices[-1]:
            raise ValueError(
                f"points: expected at most {ROOM}, more than {choices[-1]} of them different, got {len(places)}"
            )
        graphs = {f"steps{K}": graph for K, graph in steps.items()}
        components = 3 if 3 in choices else choices[-1]
        super().__init__(graphs, points=places.tolist(), limit=limit, choices=choices, components=components)
        for K in choices:
            self._picture(K, self._start(K))

    def poster(self) -> Figure:
        """Draw the start that the widget first shows, and what EM makes of it."""
        K = self.components
        before = after = self._picture(K, start := self._start(K))
        parameters, n = start, 0
        while n < STEPS:
            parameters = {name: after[f"new_{name}"] for name in start}
            last, after, n = after["log_likelihood"][0], self._picture(K, parameters), n + 1
            if after["log_likelihood"][0] - last < SETTLED:
                break
        figure, axes = plots.figure(columns=2, height=2.7)
        for ax, mu, picture, name in [
            (axes[0], start["mu"], before, "a start"),
            (axes[1], parameters["mu"], after, f"after {n} steps of EM"),
        ]:
            self._plane(ax, mu, picture)
            value = f"{picture['log_likelihood'][0]:.2f}".replace("-", "−")
            ax.set_xlabel(f"{name}:\nmean log p(x) = {value} nats", fontsize=8)
        return figure

    def _start(self, K: int) -> dict[str, np.ndarray]:  # noqa: N803
        # As restart() in em_steps.js does: the means at different points, drawn by the seed.
        noise, chosen = Noise(self.seed), list[list[float]]()
        while len(chosen) < K:
            point = self.points[int(noise.uniform() * len(self.points))]
            if point not in chosen:
                chosen.append(point)
        alone = {"pi": np.ones(1), "mu": np.zeros((1, 2)), "covariance": self.limit**2 * np.eye(2)[None]}
        covariance = self._picture(1, alone)["new_covariance"]
        return {"pi": np.full(K, 1 / K), "mu": np.array(chosen), "covariance": covariance.repeat(K, 0)}

    def _picture(self, K: int, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:  # noqa: N803
        x, weight = np.zeros((ROOM, 2), np.float32), np.zeros(ROOM, np.float32)
        x[: len(self.points)], weight[: len(self.points)] = self.points, 1
        single = {name: value.astype(np.float32) for name, value in parameters.items()}
        return self.run(f"steps{K}", x=x, weight=weight, **single)

    def _plane(self, ax: Axes, mu: np.ndarray, picture: Mapping[str, np.ndarray]) -> None:
        palette = COMPONENTS[: len(mu)]
        shares = picture["responsibilities"][: len(self.points)]
        rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in palette])
        x, y = np.transpose(self.points)
        ax.scatter(x, y, c=(shares @ rgb).clip(0, 1), s=9, linewidths=0)
        for k, (colour, outline) in enumerate(zip(palette, picture["outline"], strict=True)):
            x, y = mu[k]
            ax.fill(*outline.T, facecolor="none", edgecolor=colour, lw=1.5)
            ax.plot(x, y, "o", ms=10, color=colour)
            ink = "white" if k == 0 else "black"
            ax.text(x, y, str(k + 1), ha="center", va="center_baseline", fontsize=7, weight="bold", color=ink)
        ax.set(xlim=(-self.limit, self.limit), ylim=(-self.limit, self.limit), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(True)


def em_picture(
    x: Tensor, weight: Tensor, pi: Tensor, mu: Tensor, covariance: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Do one step of EM in the plane, and compute what a picture of the parameters *before* it shows.

    A pure function, exported for the widget `EMSteps`. The arguments are those of `gaussian_em_step` with D = 2.

    Returns:
        The new `pi`, `mu` and `covariance`; under the old ones the mean log p(x), `(1,)` in nats, and the
        responsibilities, `(N, K)`; 64 points on the ellipse two standard deviations from each old mean, `(K, 64, 2)`.
        All but the weights of a component that has become singular are not finite.
    """
    new_pi, new_mu, new_covariance, log_likelihood = gaussian_em_step(pi, mu, covariance, x, weight)
    whitener, _ = whiten(covariance)
    r = gaussian_log_joint(pi, mu, whitener, x)[0].softmax(0).T
    angle = torch.arange(64).to(mu) * (2 * math.pi / 64)
    circle = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    outline = mu[:, None] + circle @ whitener @ covariance  # W Σ is the transposed inverse of W
    return new_pi, new_mu, new_covariance, log_likelihood[None], r, outline
