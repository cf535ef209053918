"""Follow draws of noise through the layers of a flow, until they lie like data."""

import math

import numpy as np
import traitlets
from matplotlib.colors import to_hex
from torch import Tensor

from gen_utils.base import batch
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle

DRAWS = 1000  # of noise, that the graph takes at once
HUES = 24  # one colour for each sector of the angles of z


class FlowLayers(GraphWidget):
    """A slider through a flow's layers: where a thousand draws of noise lie after each, coloured by where they began.

    Args:
        path: a graph from `z`, `(1000, 2)`, to `states`, `(S, 1000, 2)`: z itself first, x last.
        data: what the last state should look like, `(M, 2)`.
        limit: each state is shown from −limit to limit in both directions.

    Raises:
        TypeError: data that are not a tensor of floating-point numbers.
        ValueError: data of another shape, a limit that is not positive, or a graph of other shapes.
    """

    _esm, _css = bundle(__file__)
    draws = traitlets.Int(DRAWS).tag(sync=True)
    palette = traitlets.List(traitlets.Unicode()).tag(sync=True)
    data: traitlets.List = traitlets.List().tag(sync=True)
    limit = traitlets.Float().tag(sync=True)
    layers = traitlets.Int().tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, path: Graph, data: Tensor, limit: float) -> None:
        if not 0 < limit < math.inf:
            raise ValueError(f"limit: expected a positive number, got {limit}")
        points = batch("data", data, (2,)).double().numpy(force=True).round(2).tolist()
        super().__init__({"path": path}, data=points, limit=limit, palette=hues(HUES))
        states = self.states()
        if states.shape != (len(states), DRAWS, 2) or len(states) < 2:
            raise ValueError(f"path: expected states of shape (S, {DRAWS}, 2) with S ≥ 2, got {states.shape}")
        self.layers = len(states)

    def states(self) -> np.ndarray:
        """Run the noise of the current seed through the flow, as the page does: `(S, 1000, 2)`."""
        return self.run("path", z=Noise(self.seed).normal(2 * DRAWS).reshape(DRAWS, 2))["states"]


def hues(n: int) -> list[str]:
    """Make n colours of a circle, as bright as each other but for a slow wave, so that they differ in grey too.

    OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab).
    """
    angle = np.arange(n) / n * 2 * math.pi
    L, a, b = 0.66 + 0.1 * np.cos(angle - 1.8), 0.13 * np.cos(angle), 0.13 * np.sin(angle)
    cones = np.stack([L + 0.3963 * a + 0.2158 * b, L - 0.1056 * a - 0.0639 * b, L - 0.0895 * a - 1.2915 * b]) ** 3
    light = [[4.0767, -3.3077, 0.2310], [-1.2684, 2.6098, -0.3413], [-0.0042, -0.7034, 1.7076]] @ cones
    light = light.clip(0, 1).T
    return [to_hex(rgb) for rgb in np.where(light > 0.0031, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)]


def sector(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Number the part of the circle that each point's angle lies in, 0…23, as the page does."""
    return np.floor((np.arctan2(y, x) / (2 * math.pi) + 1) * HUES).astype(int) % HUES
