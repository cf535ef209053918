"""Explore a decoder: a slider for every latent unit."""

from collections.abc import Sequence

import numpy as np
import traitlets

from gen_utils import plots
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, bundle, check_shapes

NATS = "nats"
UNUSED = 0.01  # in the unit of the rates: a latent unit below says nothing about x


class LatentSliders(GraphWidget):
    """A slider for every latent unit of a decoder, those that carry most first, those that carry nothing last.

    Args:
        decoder: a graph from `z`, `(1, K)`, to `x`, grey pixels `(1, 1, 28, 28)`.
        rates: what each latent unit carries, K numbers: of a VAE its mean KL, in nats.
        unit: what the rates count, as it reads after a number and along an axis, such as "% of the variance".

    Raises:
        ValueError: rates that are not K finite, non-negative numbers, or a decoder of other inputs.
    """

    _esm, _css = bundle(__file__)
    rates = traitlets.List(traitlets.Float()).tag(sync=True)
    unit = traitlets.Unicode(NATS).tag(sync=True)
    unused = traitlets.Float(UNUSED).tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, decoder: Graph, rates: Sequence[float], unit: str = NATS) -> None:
        values = np.asarray(rates, dtype=float)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or (values < -1e-6).any():
            raise ValueError(f"rates: expected one finite, non-negative number a unit, got {rates!r}")
        check_shapes(decoder, {"z": (1, len(values))})
        rounded = [round(float(value), 4) for value in values]
        super().__init__({"decoder": decoder}, rates=rounded, unit=unit, z=[0.0] * len(rounded))


COLOUR = plots.COLOURS["latent"]
