"""Walk through a generator's latent space, from one draw of z to another, under a label of the reader's choice."""

from collections.abc import Sequence

import numpy as np
import traitlets

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle, class_names

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

    _esm, _css = bundle(__file__)
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


def _latent_dim(walk: Graph, labels: int) -> int:
    # The K of the graph, if it walks between z0 and z1, (1, K) each, and shows a picture for each label.
    found = walk.inputs | walk.outputs
    K = found.get("z0", (0,))[-1]
    expected = {"z0": (1, K), "z1": (1, K), "step": (1,), "x": (labels, 1, FIELD, FIELD)}
    if found != expected:
        raise ValueError(f"{walk.path.name}: expected shapes {expected}, got {found}")
    return K
