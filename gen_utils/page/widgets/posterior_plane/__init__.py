"""Draw a digit, and see what a model makes of it."""

import numpy as np
import traitlets
from torch import Tensor

from gen_utils import plots
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import DrawingWidget, bundle
from gen_utils.page.widgets.latent_plane import labelled_codes


class PosteriorPlane(DrawingWidget):
    """A pad to draw a digit on, and the posterior that an encoder answers with, on a two-dimensional latent space.

    Args:
        encoder: a graph from `x`, grey pixels `(1, 1, 28, 28)`, to `mu` and `sigma`, `(1, 2)` each.
        decoder: a graph from `z`, `(1, 2)`, to `x`, grey pixels `(1, 1, 28, 28)`.
        prepare: `gen_utils.page.graphs.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        classifier: a graph from `x` to `p`, the probabilities of the ten digits, `(1, 10)`.
        codes: posterior means of some data, `(N, 2)`.
        labels: their classes, `(N,)`, whole numbers 0…9.
        examples: images that a reader may begin with, `(M, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: shapes that do not fit, codes that are not finite, labels other than 0…9, examples outside [0, 1].
    """

    _esm, _css = bundle(__file__)
    codes: traitlets.List = traitlets.List().tag(sync=True)
    labels: traitlets.List = traitlets.List().tag(sync=True)
    palette = traitlets.List(plots.CLASSES).tag(sync=True)
    limit = traitlets.Float(4.0).tag(sync=True)

    def __init__(
        self,
        encoder: Graph,
        decoder: Graph,
        prepare: Graph,
        classifier: Graph,
        codes: np.ndarray,
        labels: np.ndarray,
        examples: Tensor,
    ) -> None:
        graphs = {"encoder": encoder, "decoder": decoder, "prepare": prepare, "classifier": classifier}
        super().__init__(graphs, examples, **labelled_codes(codes, labels))
