"""Rate against distortion: VAEs trained with different beta, and what each makes of the same images."""

from collections.abc import Sequence

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.page.drawing import FIELD
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, check_shapes, esm, images_from_text, images_to_text

ABOVE = 12  # pixels above each row of the poster's pictures, for its name


class RateDistortion(GraphWidget):
    """A plane of rate and distortion with a point for every VAE: choose one, see it reconstruct and sample.

    Args:
        models: graphs from `x`, `(n, 1, 28, 28)`, `eps`, the noise of draws from q(z|x), and `z`, draws from p(z),
            `(n, K)` each, to `reconstruction` and `sample`, grey pixels `(n, 1, 28, 28)` each.
        betas: the weight of the rate that each model was trained with, increasing.
        rates: mean KL(q(z|x) ‖ p(z)) of each model, in nats.
        distortions: mean −log p(x|z) of each model, in nats.
        x: the images that all models reconstruct, `(n, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: x that is not a tensor of floating-point numbers.
        ValueError: fewer than two models, graphs with other inputs, a number that is missing or not finite, betas
            that do not increase, negative rates, x of another shape or outside [0, 1].
    """

    _esm = esm("../lib/chart.js", "rate_distortion/index.js")
    betas = traitlets.List(traitlets.Float()).tag(sync=True)
    rates = traitlets.List(traitlets.Float()).tag(sync=True)
    distortions = traitlets.List(traitlets.Float()).tag(sync=True)
    images = traitlets.Unicode().tag(sync=True)
    latent_dim = traitlets.Int().tag(sync=True)
    index = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        models: Sequence[Graph],
        betas: Sequence[float],
        rates: Sequence[float],
        distortions: Sequence[float],
        x: Tensor,
    ) -> None:
        images = images_to_text("x", x)
        if len(models) < 2:
            raise ValueError(f"models: expected at least two, got {len(models)}")
        state = {
            "betas": _numbers("betas", betas, len(models)),
            "rates": _numbers("rates", rates, len(models)),
            "distortions": _numbers("distortions", distortions, len(models)),
        }
        if (np.diff(state["betas"]) <= 0).any():
            raise ValueError(f"betas: expected increasing numbers, got {betas!r}")
        if min(state["rates"]) < 0:
            raise ValueError(f"rates: expected numbers that are not negative, got {rates!r}")
        K = _latent_dim(models, len(x))
        graphs = {f"model{i}": graph for i, graph in enumerate(models)}
        super().__init__(graphs, **state, images=images, latent_dim=K, index=len(models) // 2)

    def noise(self) -> dict[str, np.ndarray]:
        """Draw the `eps` and the `z` of the current seed, `(n, K)` each, as the page does."""
        noise, n = Noise(self.seed), len(images_from_text(self.images))
        return {name: noise.normal(n * self.latent_dim).reshape(n, -1) for name in ("eps", "z")}

    def poster(self) -> Figure:
        """Draw the plane, and the inputs, reconstructions and samples of the chosen model."""
        x = images_from_text(self.images)
        made = self.run(f"model{self.index}", x=x, **self.noise())
        rows = {"images x": x, "reconstructions": made["reconstruction"], "samples": made["sample"]}
        figure, (left, right) = plots.figure(columns=2, height=2.4, width_ratios=[1, 1.5])
        self._plane(left)
        images = np.pad(np.concatenate(list(rows.values())), ((0, 0), (0, 0), (ABOVE, 0), (0, 0)))
        plots.show_images(right, images, columns=len(x))
        for row, name in enumerate(rows):
            right.text(0, (FIELD + ABOVE) * row + ABOVE / 2, name, fontsize=8, va="center")
        return figure

    def _plane(self, ax: Axes) -> None:
        colour, (rate, distortion) = plots.COLOURS["model"], (self.rates[self.index], self.distortions[self.index])
        ax.plot(self.rates, self.distortions, "o-", color=colour, lw=1, ms=4)
        ax.plot(rate, distortion, "o", ms=11, mfc="none", mec=colour, mew=2)
        ax.set_xlim(left=0)
        ax.autoscale(False)
        ax.axline((rate, distortion), slope=-1, ls="--", lw=1, color=plots.COLOURS["truth"])
        for i, point in enumerate(zip(self.rates, self.distortions, strict=True)):
            place = (7, 8 if i == self.index else 1)  # off the dashed line
            ax.annotate(f"β = {self.betas[i]:g}", point, place, textcoords="offset points", fontsize=8)
        told = f"β = {self.betas[self.index]:g}\nR + D = {rate + distortion:.1f}"
        ax.text(1, 1, told, transform=ax.transAxes, ha="right", va="top", fontsize=8)
        ax.set(xlabel="rate R / nats", ylabel="distortion D / nats")


def _numbers(name: str, values: Sequence[float], n: int) -> list[float]:
    numbers = np.asarray(values, dtype=float)
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected a finite number for each of the {n} models, got {values!r}")
    return [round(float(number), 4) for number in numbers]


def _latent_dim(models: Sequence[Graph], n: int) -> int:
    # The K of the first graph, if every graph takes n images, noise (n, K) and draws (n, K).
    K = models[0].inputs.get("z", (n, 0))[-1]
    for graph in models:
        check_shapes(graph, {"x": (n, 1, FIELD, FIELD), "eps": (n, K), "z": (n, K)})
    return K
