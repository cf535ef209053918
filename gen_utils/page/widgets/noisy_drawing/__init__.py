"""Draw a digit, add noise to it up to a step, and see what a diffusion model makes of it from there."""

from collections.abc import Sequence

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD, SIDE
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import DrawingWidget, bundle, check_shapes
from gen_utils.page.widgets.diffusion_sampler import IMAGE, INPUTS, OUTPUTS, choice_traits, descent

STEPS = 20  # from noise to an image
# What the graphs `noise` and `prepare` take and give; those of `step` are diffusion_sampler's.
NOISE_INPUTS = {"x": IMAGE, "noise": IMAGE, "i": (1,), "steps": (1,)}
NOISE_OUTPUTS = {"x_t": IMAGE, "picture": IMAGE, "time": (1,), "weights": (2,)}


class NoisyDrawing(DrawingWidget):
    """A pad to draw a digit on, a slider for the step that it is noised to, and what the model denoises that to.

    Args:
        noise: a graph from `NOISE_INPUTS` to `NOISE_OUTPUTS`: `graphs.diffusion.image_noise` of a model.
        step: a graph as `DiffusionSampler` takes it, of the same model.
        prepare: `gen_utils.page.graphs.drawing.prepare` as a graph from `ink`, `(1, 1, 280, 280)`, to `x`.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].
        classes: names of the C labels, all different.
        label: of the denoiser at first, 0…C − 1, or C for none; none if not given.
        guidance: ω, which counts if there is a label, 0…8.

    Raises:
        TypeError: examples that are not a tensor of floating-point numbers.
        ValueError: examples of another shape or outside [0, 1], classes that are none or have one name twice, another
            label, guidance outside 0…8, or a graph of other shapes.
    """

    _esm, _css = bundle(__file__)
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
