"""Explore a decoder: a slider for every latent unit."""

from collections.abc import Sequence

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gen_utils import plots
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, esm

NATS = "nats"
UNUSED = 0.01  # in the unit of the rates: a latent unit below says nothing about x


class LatentSliders(GraphWidget):
    """A slider for every latent unit of a decoder, those that carry most first, those that carry nothing last.

    Args:
        decoder: a graph from `z`, `(1, K)`, to `x`, grey pixels `(1, 1, 28, 28)`.
        rates: what each latent unit carries, K numbers: of a VAE its mean KL, in nats.
        unit: what the rates count, as it reads after a number and along an axis, such as "% of the variance".

    Raises:
        ValueError: rates that are not K finite, non-negative numbers.
    """

    _esm = esm("../lib/unit_sliders.js", "latent_sliders/index.js")
    rates = traitlets.List(traitlets.Float()).tag(sync=True)
    unit = traitlets.Unicode(NATS).tag(sync=True)
    unused = traitlets.Float(UNUSED).tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, decoder: Graph, rates: Sequence[float], unit: str = NATS) -> None:
        values = np.asarray(rates, dtype=float)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or (values < -1e-6).any():
            raise ValueError(f"rates: expected one finite, non-negative number a unit, got {rates!r}")
        rounded = [round(float(value), 4) for value in values]
        super().__init__({"decoder": decoder}, rates=rounded, unit=unit, z=[0.0] * len(rounded))

    def poster(self) -> Figure:
        """Draw the decoded picture of the current z beside the rate of every unit."""
        x = self.run("decoder", z=np.array([self.z], dtype=np.float32))["x"]
        figure, (left, right) = plots.figure(columns=2, height=1.9, width_ratios=[1, 1.6])
        plots.show_images(left, x)
        rate_bars(right, self.rates, self.unit)
        return figure


COLOUR = plots.COLOURS["latent"]


def rate_bars(ax: Axes, rates: Sequence[float], unit: str) -> Axes:
    """Draw what each latent unit carries, the largest first; what is told in nats is its mean KL."""
    ax.bar(range(len(rates)), np.sort(rates)[::-1], color=COLOUR)
    ax.set(xlabel="latent unit, sorted", ylabel="mean KL / nats" if unit == NATS else unit)
    return ax
