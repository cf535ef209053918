"""EM on a mixture of Gaussians in the plane: set points, choose the number of components, step or run."""

from collections.abc import Mapping

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.base import batch
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, bundle, check_shapes

ROOM = 200  # points that the graphs have room for
STEPS = 100  # that "Run" does at most
SETTLED = 1e-5  # nats: "Run" stops when a step gains less
# Okabe and Ito's colours of the components, in an order that keeps neighbours in hue apart.
COMPONENTS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"]


class EMSteps(GraphWidget):
    """A plane of points that the reader sets, and EM fitting a mixture of Gaussians to them, step by step.

    Args:
        steps: by the number of components K, 1 among them and none above 5, graphs of
            `gen_utils.page.graphs.mixtures.em_picture`: from `x` `(200, 2)`, `weight` `(200,)`, `pi` `(K,)`, `mu`
            `(K, 2)` and `covariance` `(K, 2, 2)` to `new_pi`, `new_mu`, `new_covariance`, `log_likelihood` `(1,)`,
            `responsibilities` `(200, K)` and `outline` `(K, 64, 2)`. A new start puts the means on points
            and takes the covariance of all points for each component: what one step with K = 1 finds.
        points: those that are there at first, `(N, 2)`, N ≤ 200, inside ±limit, and more of them different than
            components.
        limit: half the side of the plane.

    Raises:
        TypeError: points that are not a tensor of floating-point numbers.
        ValueError: no graph with K = 1 or one with K > 5, graphs with other inputs, points that do not fit.
    """

    _esm, _css = bundle(__file__)
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
        for K, graph in steps.items():
            parameters = {"pi": (K,), "mu": (K, 2), "covariance": (K, 2, 2)}
            check_shapes(graph, {"x": (ROOM, 2), "weight": (ROOM,), **parameters})
