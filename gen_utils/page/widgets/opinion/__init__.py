"""Draw a digit, and see how real a discriminator finds it as each label, beside a real image and a generated one."""

from collections.abc import Mapping, Sequence

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import GraphWidget, bundle, class_names, images_from_text, images_to_text


class Opinion(GraphWidget):
    """A pad to draw a digit on, and the probability, for each label, that a discriminator takes it for a real one.

    Args:
        discriminator: a graph from `x`, grey pixels `(1, 1, 28, 28)`, to `p`, `(1, C)`: the probability that x is a
            real example of each label. They need not sum to 1.
        prepare: `drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`. Only what the reader
            draws goes through it: the examples are shown to the discriminator as they are.
        examples: images to compare with, by what they are, such as `{"real": …, "generated": …}`: `(M, 1, 28, 28)` in
            [0, 1] each. A button for each steps through them.
        classes: names of the C labels, all different.

    Raises:
        TypeError: examples that are not tensors of floating-point numbers.
        ValueError: no examples, examples of another shape or outside [0, 1], no classes, two of the same name, or a
            discriminator that doesn't answer with C probabilities.
    """

    _esm, _css = bundle(__file__)
    examples: traitlets.List = traitlets.List().tag(sync=True)  # pairs, which a stored notebook keeps in their order
    kind = traitlets.Unicode().tag(sync=True)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self, discriminator: Graph, prepare: Graph, examples: Mapping[str, Tensor], classes: Sequence[str]
    ) -> None:
        names = class_names(classes)
        if not examples:
            raise ValueError("examples: expected at least one kind of images, got none")
        texts = [[kind, images_to_text(f"examples[{kind!r}]", images)] for kind, images in examples.items()]
        graphs = {"discriminator": discriminator, "prepare": prepare}
        super().__init__(graphs, examples=texts, kind=texts[0][0], classes=names)
        for kind, _ in texts:
            p = self.run("discriminator", x=self.first(kind))["p"]
            if p.shape != (1, len(names)) or not ((p >= 0) & (p <= 1)).all():
                raise ValueError(f"discriminator: expected p (1, {len(names)}) in [0, 1], got {p}")

    def first(self, kind: str) -> np.ndarray:
        """Return the first example of a kind, `(1, 1, 28, 28)` in [0, 1]."""
        return images_from_text(dict(self.examples)[kind])[:1]
