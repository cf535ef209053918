"""Draw a digit, and see what codes of several sizes keep of it: an autoencoder's beside PCA's."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.widgets.base import DrawingWidget, bundle


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
        prepare: `gen_utils.page.graphs.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: no graphs, sizes that are not positive, or examples of another shape or outside [0, 1].
    """

    _esm, _css = bundle(__file__)
    sizes = traitlets.List(traitlets.Int()).tag(sync=True)
    index = traitlets.Int().tag(sync=True)

    def __init__(self, graphs: Mapping[int, Graph], pca: Graph, prepare: Graph, examples: Tensor) -> None:
        sizes = sorted(graphs)
        if not sizes or sizes[0] < 1:
            raise ValueError(f"graphs: expected one for each code size 1, 2, …, got sizes {sizes}")
        named = {f"autoencoder{k}": graphs[k] for k in sizes} | {"pca": pca, "prepare": prepare}
        super().__init__(named, examples, sizes=sizes, index=len(sizes) // 2)
        self.reconstruct(np.zeros((1, 1, FIELD, FIELD), np.float32))

    def reconstruct(self, x: np.ndarray) -> Reconstruction:
        """Encode and decode x, `(1, 1, 28, 28)`, at every size, by the autoencoders and by PCA.

        Raises:
            ValueError: a code of another size than its graph was given for, or another number of PCA's pictures.
        """
        found = [self.run(f"autoencoder{k}", x=x) for k in self.sizes]
        pca = self.run("pca", x=x)
        widths = [answer["z"].shape[1] for answer in found]
        if widths != self.sizes or len(pca["x_hat"]) != len(self.sizes):
            came = f"codes of sizes {widths} and {len(pca['x_hat'])} pictures of PCA"
            raise ValueError(f"expected codes of sizes {self.sizes} and a picture of PCA for each, got {came}")
        answers = [*found, pca]
        x_hat, error = (np.concatenate([answer[name] for answer in answers]) for name in ("x_hat", "error"))
        return Reconstruction([answer["z"] for answer in found], x_hat, error)
