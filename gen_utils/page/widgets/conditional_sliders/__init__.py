"""Explore a decoder that is told the label: one z, decoded under every label at once."""

from collections.abc import Sequence

import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gen_utils import plots
from gen_utils.page.drawing import FIELD
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import class_names, esm
from gen_utils.page.widgets.latent_sliders import COLOUR, NATS, LatentSliders, rate_bars

COLUMNS, ABOVE = 5, 8  # pictures in a row of the poster, pixels above each for its label


class ConditionalSliders(LatentSliders):
    """A slider for every latent unit of a label-conditioned decoder, and its picture of z under every label.

    Args:
        decoder: a graph from `z`, `(1, K)`, to `x`, grey pixels `(C, 1, 28, 28)`: the same z under each label.
        rates: what each latent unit carries, K numbers: of a VAE its mean KL, in nats.
        classes: names of the C labels, all different.
        unit: what the rates count, as it reads after a number and along an axis, such as "% of the variance".

    Raises:
        ValueError: rates that are not K finite, non-negative numbers, no classes, or two of the same name.
    """

    _esm = esm("../lib/unit_sliders.js", "../lib/label_choices.js", "conditional_sliders/index.js")
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    label = traitlets.Int(0).tag(sync=True)

    def __init__(self, decoder: Graph, rates: Sequence[float], classes: Sequence[str], unit: str = NATS) -> None:
        names = class_names(classes)
        super().__init__(decoder, rates, unit)
        self.classes = names

    def poster(self) -> Figure:
        """Draw the current z under every label, the chosen one framed, beside the rate of every unit."""
        x = self.run("decoder", z=np.array([self.z], dtype=np.float32))["x"]
        if len(x) != len(self.classes):
            raise ValueError(f"expected a picture for each of the {len(self.classes)} classes, got {len(x)}")
        figure, (left, right) = plots.figure(columns=2, height=1.9, width_ratios=[1.6, 1])
        height = FIELD + ABOVE
        plots.show_images(left, np.pad(x, ((0, 0), (0, 0), (ABOVE, 0), (0, 0))), columns=COLUMNS)
        for label, name in enumerate(self.classes):
            row, column = divmod(label, COLUMNS)
            left.text(FIELD * (column + 0.5), height * row + ABOVE / 2, name, fontsize=7, ha="center", va="center")
        row, column = divmod(self.label, COLUMNS)
        frame = Rectangle((FIELD * column - 0.5, height * row - 0.5), FIELD, height, fill=False, ec=COLOUR, lw=2)
        left.add_patch(frame).set_clip_on(False)
        rate_bars(right, self.rates, self.unit)
        return figure
