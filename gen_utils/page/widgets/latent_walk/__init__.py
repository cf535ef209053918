"""Walk through a generator's latent space, from one draw of z to another, under a label of the reader's choice."""

from collections.abc import Sequence

import numpy as np
import traitlets
from matplotlib.figure import Figure

from gen_utils import plots
from gen_utils.page.drawing import FIELD
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, class_names, esm
from gen_utils.page.widgets.latent_sliders import COLOUR

STILLS = 7  # of the whole way, its ends included


class LatentWalk(GraphWidget):
    """A slider from one draw of z to another: the picture of every point between them, and stills of the whole way.

    Args:
        walk: a graph from the ends `z0` and `z1`, `(1, K)` each, and `step`, `(1,)` in [0, 1], to `x`, grey pixels
            `(C, 1, 28, 28)`: the point that lies so far on the way, under each label. The graph decides on the way.
        classes: names of the C labels, all different; a model without labels has one, which names what it shows.

    Raises:
        ValueError: no classes, two of the same name, or a graph of other shapes.
    """

    _esm = esm("../lib/label_choices.js", "latent_walk/index.js")
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    latent_dim = traitlets.Int().tag(sync=True)
    stills = traitlets.Int(STILLS).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    label = traitlets.Int(0).tag(sync=True)
    step = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, walk: Graph, classes: Sequence[str]) -> None:
        names = class_names(classes)
        super().__init__({"walk": walk}, classes=names, latent_dim=_latent_dim(walk, len(names)))

    def pictures(self, step: float) -> np.ndarray:
        """Show the point that lies `step` of the way between the seed's ends, under each label: `(C, 1, 28, 28)`."""
        noise = Noise(self.seed)
        z0, z1 = (noise.normal(self.latent_dim)[None] for _ in range(2))
        return self.run("walk", z0=z0, z1=z1, step=step)["x"]

    def poster(self) -> Figure:
        """Draw the current point beside stills of the whole way, both under the current label."""
        along = np.stack([self.pictures(step)[self.label] for step in np.linspace(0, 1, STILLS)])
        name = self.classes[self.label] if len(self.classes) == 1 else f"label {self.classes[self.label]}"
        figure, (left, right) = plots.figure(columns=2, height=1.35, width_ratios=[1, 4])
        plots.show_images(left, self.pictures(self.step)[self.label, None])
        left.set_xlabel(f"{name},\n{self.step:.2f} of the way", fontsize=9)
        plots.show_images(right, along)
        right.set_xticks([FIELD / 2 - 0.5, (STILLS - 0.5) * FIELD - 0.5], ["$z_0$", "$z_1$"])
        right.tick_params(length=0, pad=10)  # below the mark
        place = FIELD * (0.5 + (STILLS - 1) * self.step) - 0.5
        right.plot(place, FIELD + 2, "^", color=COLOUR, ms=6, clip_on=False)
        right.set(ylim=(FIELD - 0.5, -0.5), xlim=(-0.5, STILLS * FIELD - 0.5))
        return figure


def _latent_dim(walk: Graph, labels: int) -> int:
    # The K of the graph, if it walks between z0 and z1, (1, K) each, and shows a picture for each label.
    found = walk.inputs | walk.outputs
    K = found.get("z0", (0,))[-1]
    expected = {"z0": (1, K), "z1": (1, K), "step": (1,), "x": (labels, 1, FIELD, FIELD)}
    if found != expected:
        raise ValueError(f"{walk.path.name}: expected shapes {expected}, got {found}")
    return K
