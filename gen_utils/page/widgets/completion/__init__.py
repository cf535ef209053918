"""Draw a digit, cover its lower part, and see a model complete it pixel by pixel."""

import math

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import DrawingWidget, bundle, check_shapes


class Completion(DrawingWidget):
    """A pad to draw a digit on; the model sees its upper rows alone, and completes them, for several draws of noise.

    Args:
        step: `gen_utils.page.graphs.made.draw_in_rounds` as a graph from `x`, `u` and `chosen` to `x_next` and `p`,
            `(B, 1, 28, 28)` each: B completions are made at once.
        prepare: a graph from `ink`, `(1, 1, 280, 280)`, to `x`, `(1, 1, 28, 28)`, pixels of 0 or 1:
            `gen_utils.page.graphs.drawing.prepare` and a threshold.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: examples of another shape or outside [0, 1], or a step of other shapes.
    """

    _esm, _css = bundle(__file__)
    batch = traitlets.Int().tag(sync=True)
    rows = traitlets.Int(FIELD // 2).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, step: Graph, prepare: Graph, examples: Tensor) -> None:
        super().__init__({"step": step, "prepare": prepare}, examples, batch=_batch(step))
        self.prepared()

    def prepared(self) -> np.ndarray:
        """Prepare the example that the pad begins with, `(1, 1, 28, 28)`, pixels of 0 or 1.

        Raises:
            ValueError: the graph answers with grey pixels.
        """
        x = super().prepared()
        if not np.isin(x, (0, 1)).all():
            raise ValueError("prepare: expected a graph that answers with pixels of 0 or 1, got grey ones")
        return x

    def complete(self, x: np.ndarray) -> np.ndarray:
        """Complete the upper rows of x, `(1, 1, 28, 28)`, with the noise of the current seed: `(B, 1, 28, 28)`.

        As the page does: in each row all pixels are drawn, again and again, until nothing changes, which gives what
        drawing one after the other gives.
        """
        shape = (self.batch, 1, FIELD, FIELD)
        u = Noise(self.seed).uniforms(math.prod(shape)).reshape(shape)
        kept = np.arange(FIELD)[:, None] < self.rows
        x = np.broadcast_to(np.where(kept, x, 0), shape).astype(np.float32)
        for row in range(self.rows, FIELD):
            chosen = np.zeros(shape, dtype=np.float32)
            chosen[:, :, row] = 1
            before = None
            while before is None or not np.array_equal(x, before):
                before, x = x, self.run("step", x=x, u=u, chosen=chosen)["x_next"]
        return x


def _batch(step: Graph) -> int:
    # How many images the graph takes at once.
    B = step.inputs.get("x", (1,))[0]
    check_shapes(step, dict.fromkeys(("x", "u", "chosen"), (B, 1, FIELD, FIELD)))
    return B
