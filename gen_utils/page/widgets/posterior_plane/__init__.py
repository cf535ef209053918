"""Draw a digit, and see what a model makes of it."""

import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from gen_utils import plots
from gen_utils.page.export import Graph
from gen_utils.page.widgets.base import DrawingWidget, esm
from gen_utils.page.widgets.latent_plane import COLOUR, labelled_codes


class PosteriorPlane(DrawingWidget):
    """A pad to draw a digit on, and the posterior that an encoder answers with, on a two-dimensional latent space.

    Args:
        encoder: a graph from `x`, grey pixels `(1, 1, 28, 28)`, to `mu` and `sigma`, `(1, 2)` each.
        decoder: a graph from `z`, `(1, 2)`, to `x`, grey pixels `(1, 1, 28, 28)`.
        prepare: `gen_utils.page.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        classifier: a graph from `x` to `p`, the probabilities of the ten digits, `(1, 10)`.
        codes: posterior means of some data, `(N, 2)`.
        labels: their classes, `(N,)`, whole numbers 0…9.
        examples: images that a reader may begin with, `(M, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: shapes that do not fit, codes that are not finite, labels other than 0…9, examples outside [0, 1].
    """

    _esm = esm("../lib/drawing_pad.js", "posterior_plane/index.js")
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

    def poster(self) -> Figure:
        """Draw an example, the plane with its posterior, and the picture that the posterior's mean decodes to."""
        x = self.prepared()
        code = self.run("encoder", x=x)
        p = self.run("classifier", x=x)["p"][0]
        figure, (left, middle, right) = plots.figure(columns=3, height=2.3, width_ratios=[1, 1.5, 1])
        plots.show_images(left, self.drawing()).set_xlabel(f"read as {p.argmax()}\nwith probability {p.max():.2f}")
        plots.label_scatter(middle, np.array(self.codes), np.array(self.labels))
        (mu,), (sigma,) = code["mu"], code["sigma"]
        for deviations in (2, 1):
            middle.add_patch(Ellipse(mu, *(2 * deviations * sigma), fc=COLOUR + "66", ec=COLOUR, lw=1.5))
        middle.plot([-self.limit, mu[0], mu[0]], [mu[1], mu[1], -self.limit], ":", color=COLOUR, lw=1)
        middle.set(xlim=(-self.limit, self.limit), ylim=(-self.limit, self.limit), aspect="equal")
        middle.set(xlabel="$z_1$", ylabel="$z_2$")
        plots.show_images(right, self.run("decoder", z=code["mu"])["x"]).set_xlabel("its mean,\ndecoded")
        return figure
