"""Draw a digit, bury it in noise up to a step, and see what a diffusion model makes of it from there."""

from collections.abc import Sequence

import numpy as np
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils import plots
from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.schedule import q_sample
from gen_utils.page.drawing import FIELD, SIDE
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import DrawingWidget, check_shapes, css, esm
from gen_utils.page.widgets.diffusion_sampler import IMAGE, INPUTS, OUTPUTS, choice_traits, descent, pixels

STEPS = 20  # from noise to an image
# What the graphs `noise` and `prepare` take and give; those of `step` are diffusion_sampler's.
NOISE_INPUTS = {"x": IMAGE, "noise": IMAGE, "i": (1,), "steps": (1,)}
NOISE_OUTPUTS = {"x_t": IMAGE, "picture": IMAGE, "time": (1,), "weights": (2,)}


def noise(
    model: ImageDiffusion, x: Tensor, eps: Tensor, i: Tensor, steps: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bury an image in noise up to step t = round(iT/S). To be exported.

    Args:
        model: a model of images, whose schedule becomes part of the graph.
        x: the image, `(1, 1, 28, 28)` in [0, 1].
        eps: the noise, `(1, 1, 28, 28)`.
        i: where to stop, 0…S, `(1,)`.
        steps: how many steps lead from noise to an image, S, `(1,)`.

    Returns:
        x_t on the model's own scale and as a picture in pixels, `(1, 1, 28, 28)` each; t, `(1,)`; and what x₀ and
        the noise count for in x_t, √ᾱ_t and √(1 − ᾱ_t), `(2,)`.
    """
    t = model.schedule.place(i, steps)
    alpha_bar_t = model.schedule.alpha_bar[t]
    x_t = q_sample(2 * x - 1, eps, alpha_bar_t)
    weights = q_sample(x.new_tensor([1.0, 0.0]), x.new_tensor([0.0, 1.0]), alpha_bar_t)
    return x_t, pixels(x_t), t.to(x.dtype), weights


class NoisyDrawing(DrawingWidget):
    """A pad to draw a digit on, a slider for the step that it is noised to, and what the model denoises that to.

    Args:
        noise: a graph from `NOISE_INPUTS` to `NOISE_OUTPUTS`: `noise` of a model, with its first argument filled in.
        step: a graph as `DiffusionSampler` takes it, of the same model.
        prepare: `gen_utils.page.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].
        classes: names of the C labels, all different.
        label: that the denoiser is told at first, 0…C − 1, or C for none, which is what it is if not given.
        guidance: ω, if it is told a label, 0…8.

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: examples of another shape or outside [0, 1], classes that are none or have one name twice, another
            label, guidance outside 0…8, or a graph of other shapes.
    """

    _esm = esm("../lib/drawing_pad.js", "../lib/diffusion.js", "noisy_drawing/index.js")
    _css = css("../lib/diffusion.css")
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    times = traitlets.List(traitlets.Int()).tag(sync=True)
    start = traitlets.Int(STEPS // 2).tag(sync=True)
    label = traitlets.Int().tag(sync=True)
    guidance = traitlets.Float().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        noise: Graph,
        step: Graph,
        prepare: Graph,
        examples: Tensor,
        classes: Sequence[str],
        label: int | None = None,
        guidance: float = 1.5,
    ) -> None:
        chosen = choice_traits(classes, len(classes) if label is None else label, guidance)
        check_shapes(noise, NOISE_INPUTS, NOISE_OUTPUTS)
        check_shapes(step, INPUTS, OUTPUTS)
        check_shapes(prepare, {"ink": (1, 1, SIDE, SIDE)}, {"x": IMAGE})
        blank = np.zeros(IMAGE, dtype=np.float32)
        times = [int(noise.run(x=blank, noise=blank, i=i, steps=STEPS)["time"][0]) for i in range(STEPS + 1)]
        super().__init__({"noise": noise, "step": step, "prepare": prepare}, examples, times=times, **chosen)

    def denoise(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Noise x, `(1, 1, 28, 28)`, up to the current step, and denoise it, with the noise of the current seed.

        Returns:
            `noisy`, the picture with its noise, and `denoised`, both `(1, 1, 28, 28)`, and `weights`, `(2,)`.
        """
        draws = Noise(self.seed)
        eps = draws.normal(FIELD * FIELD).reshape(IMAGE)
        found = self.run("noise", x=x, noise=eps, i=self.start, steps=STEPS)
        way = descent(self.run, found["x_t"], draws, self.start, STEPS, self.label, self.guidance, eta=0.0)
        *_, last = way
        return {"noisy": found["picture"], "denoised": last["guess"], "weights": found["weights"]}

    def poster(self) -> Figure:
        """Draw the first example, what the noise leaves of it, and what it is denoised to."""
        x = self.prepared()
        found = self.denoise(x)
        name = [*(f"as {each}" for each in self.classes), "without a label"][self.label]
        shown = {
            "your drawing": x,
            f"noised to t = {self.times[self.start]}": found["noisy"],
            f"denoised {name}": found["denoised"],
        }
        figure, axes = plots.figure(columns=3, height=1.8)
        for ax, (caption, image) in zip(axes, shown.items(), strict=True):
            plots.show_images(ax, image).set_xlabel(caption, fontsize=8)
        return figure
