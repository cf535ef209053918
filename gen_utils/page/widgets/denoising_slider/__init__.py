"""Draw a digit, bury it in noise, and see what a denoiser makes of it."""

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import DrawingWidget, bundle


class DenoisingSlider(DrawingWidget):
    """A pad to draw a digit on, a slider for the noise that is added to it, and what a denoiser makes of the sum.

    Args:
        denoise: a graph from `x` and `eps`, `(1, 1, 28, 28)` each, and `sigma`, `(1,)`, to x + sigma·eps as `noisy`
            and what it is cleaned to as `x_hat`, `(1, 1, 28, 28)` each, and `error`, `(2,)`, their squared errors a
            pixel.
        prepare: `gen_utils.page.graphs.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].
        sigma: standard deviation of the noise at first, 0…1: the one that the denoiser was trained for.

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: examples of another shape or outside [0, 1], or a sigma outside [0, 1].
    """

    _esm, _css = bundle(__file__)
    sigma = traitlets.Float().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, denoise: Graph, prepare: Graph, examples: Tensor, sigma: float = 0.5) -> None:
        if not 0 <= sigma <= 1:
            raise ValueError(f"sigma: expected a number in [0, 1], got {sigma!r}")
        super().__init__({"denoise": denoise, "prepare": prepare}, examples, sigma=sigma)

    def denoise(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Add the current noise to x, `(1, 1, 28, 28)`, and denoise it: `noisy`, `x_hat` and `error`."""
        eps = Noise(self.seed).normal(FIELD * FIELD).reshape(1, 1, FIELD, FIELD)
        return self.run("denoise", x=x, eps=eps, sigma=self.sigma)
