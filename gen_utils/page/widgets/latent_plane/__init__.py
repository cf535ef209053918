"""Explore a decoder: a point in a two-dimensional latent space."""

import numpy as np
import traitlets

from gen_utils import plots
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, bundle

COLOUR = plots.COLOURS["latent"]


class LatentPlane(GraphWidget):
    """A two-dimensional latent space with the codes of labelled data: move the point, see what it decodes to.

    Args:
        decoder: a graph from `z`, `(1, 2)`, to `x`, grey pixels `(1, 1, 28, 28)`.
        codes: posterior means of some data, `(N, 2)`.
        labels: their classes, `(N,)`, whole numbers 0…9.

    Raises:
        ValueError: shapes that do not fit, codes that are not finite, labels other than 0…9.
    """

    _esm, _css = bundle(__file__)
    codes: traitlets.List = traitlets.List().tag(sync=True)
    labels: traitlets.List = traitlets.List().tag(sync=True)
    palette = traitlets.List(plots.CLASSES).tag(sync=True)
    limit = traitlets.Float(4.0).tag(sync=True)
    x = traitlets.Float(0.0).tag(sync=True)
    y = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, decoder: Graph, codes: np.ndarray, labels: np.ndarray) -> None:
        super().__init__({"decoder": decoder}, **labelled_codes(codes, labels))


def labelled_codes(codes: np.ndarray, labels: np.ndarray) -> dict[str, list]:
    """Turn codes `(N, 2)` and their classes `(N,)` into the traits that hold them, in hundredths.

    Raises:
        ValueError: shapes that do not fit, codes that are not finite, labels other than 0…9.
    """
    codes, labels = np.asarray(codes, dtype=float), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or labels.shape != codes.shape[:1]:
        raise ValueError(f"expected codes (N, 2) and labels (N,), got {codes.shape} and {labels.shape}")
    if not np.isfinite(codes).all() or not np.isin(labels, range(10)).all() or labels.dtype.kind not in "iu":
        raise ValueError(f"expected finite codes and whole labels 0…9, got {codes} and {labels}")
    return {"codes": codes.round(2).tolist(), "labels": labels.tolist()}
