"""Explore a conditional decoder: one z, decoded under every label at once."""

from collections.abc import Sequence

import traitlets

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.widgets.base import bundle, check_shapes, class_names
from gen_utils.page.widgets.latent_sliders import NATS, LatentSliders


class ConditionalSliders(LatentSliders):
    """A slider for every latent unit of a label-conditioned decoder, and its picture of z under every label.

    Args:
        decoder: a graph from `z`, `(1, K)`, to `x`, grey pixels `(C, 1, 28, 28)`: the same z under each label.
        rates: what each latent unit carries, K numbers: of a VAE its mean KL, in nats.
        classes: names of the C labels, all different.
        unit: what the rates count, as it reads after a number and along an axis, such as "% of the variance".

    Raises:
        ValueError: rates that are not K finite, non-negative numbers, no classes, or two of the same name.
    """

    _esm, _css = bundle(__file__)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    label = traitlets.Int(0).tag(sync=True)

    def __init__(self, decoder: Graph, rates: Sequence[float], classes: Sequence[str], unit: str = NATS) -> None:
        names = class_names(classes)
        super().__init__(decoder, rates, unit)
        check_shapes(decoder, decoder.inputs, {"x": (len(names), 1, FIELD, FIELD)})
        self.classes = names
