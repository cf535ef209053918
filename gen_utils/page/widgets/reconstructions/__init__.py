"""Draw a digit, and see what codes of several sizes keep of it: an autoencoder's beside PCA's."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.page.drawing import FIELD
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import DrawingWidget, esm
from gen_utils.page.widgets.latent_sliders import COLOUR

BELOW = 10  # pixels below each of the poster's pictures, for its error


class Reconstruction(NamedTuple):
    """What S code sizes keep of one image: an autoencoder's pictures above, then PCA's."""

    codes: list[np.ndarray]  # (1, k) each
    x_hat: np.ndarray  # (2S, 1, 28, 28)
    error: np.ndarray  # (2S,)


class Reconstructions(DrawingWidget):
    """A pad to draw a digit on, its code at several sizes k, and what the code and as many principal components give.

    Args:
        graphs: an autoencoder for each size k, as a graph from `x`, grey pixels `(1, 1, 28, 28)`, to its code `z`,
            `(1, k)`, its reconstruction `x_hat`, `(1, 1, 28, 28)`, and `error`, `(1,)`, the squared error a pixel.
        pca: a graph from `x` to `x_hat`, `(S, 1, 28, 28)`, and `error`, `(S,)`, of the same S sizes, in rising order.
        prepare: `gen_utils.page.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: no graphs, sizes that are not positive, or examples of another shape or outside [0, 1].
    """

    _esm = esm("../lib/drawing_pad.js", "../lib/chart.js", "reconstructions/index.js")
    sizes = traitlets.List(traitlets.Int()).tag(sync=True)
    index = traitlets.Int().tag(sync=True)

    def __init__(self, graphs: Mapping[int, Graph], pca: Graph, prepare: Graph, examples: Tensor) -> None:
        sizes = sorted(graphs)
        if not sizes or sizes[0] < 1:
            raise ValueError(f"graphs: expected one for each code size 1, 2, …, got sizes {sizes}")
        named = {f"autoencoder{k}": graphs[k] for k in sizes} | {"pca": pca, "prepare": prepare}
        super().__init__(named, examples, sizes=sizes, index=len(sizes) // 2)

    def reconstruct(self, x: np.ndarray) -> Reconstruction:
        """Encode and decode x, `(1, 1, 28, 28)`, at every size, by the autoencoders and by PCA.

        Raises:
            ValueError: a code of another size than its graph was given for, or another number of PCA's pictures.
        """
        found = [self.run(f"autoencoder{k}", x=x) for k in self.sizes]
        pca = self.run("pca", x=x)
        widths = [answer["z"].shape[1] for answer in found]
        if widths != self.sizes or len(pca["x_hat"]) != len(self.sizes):
            told = f"codes of sizes {widths} and {len(pca['x_hat'])} pictures of PCA"
            raise ValueError(f"expected codes of sizes {self.sizes} and a picture of PCA for each, got {told}")
        answers = [*found, pca]
        x_hat, error = (np.concatenate([answer[name] for answer in answers]) for name in ("x_hat", "error"))
        return Reconstruction([answer["z"] for answer in found], x_hat, error)

    def poster(self) -> Figure:
        """Draw the first example, its reconstructions with their errors, and its code of the chosen size."""
        x = self.prepared()
        codes, x_hat, error = self.reconstruct(x)
        figure, (left, middle, right) = plots.figure(columns=3, height=2.0, width_ratios=[0.8, 3.8, 0.9])
        plots.show_images(left, x).set_xlabel("an example x", fontsize=8)
        S, height = len(self.sizes), FIELD + BELOW
        plots.show_images(middle, np.pad(x_hat, ((0, 0), (0, 0), (0, BELOW), (0, 0))), columns=S)
        for i, value in enumerate(error):
            row, column = divmod(i, S)
            x_middle, y_middle = FIELD * (column + 0.5), height * row + FIELD + BELOW / 2
            middle.text(x_middle, y_middle, f"{value:.3f}", fontsize=7, ha="center", va="center")
        middle.set_xticks(
            [FIELD * (column + 0.5) for column in range(S)], [f"K = {k}" for k in self.sizes], fontsize=7
        )
        middle.xaxis.tick_top()
        middle.set_yticks(
            [FIELD / 2, height + FIELD / 2], ["autoencoder", "PCA"], fontsize=7, rotation=90, va="center"
        )
        middle.tick_params(length=0)
        middle.set_xlabel("squared error a pixel below each", fontsize=8)
        k = self.sizes[self.index]
        right.bar(range(1, k + 1), codes[self.index][0], color=COLOUR)
        right.set_xlabel(f"its code, K = {k}", fontsize=8)
        right.tick_params(labelsize=7)
        return figure
