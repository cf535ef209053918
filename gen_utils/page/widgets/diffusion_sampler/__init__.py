"""Draw a digit from noise, step by step, under a label of the reader's choice."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import traitlets

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle, check_shapes, class_names

STEPS = (5, 10, 20, 50)  # that a reader can choose from: all divisible by the stills' number less one
STILLS = 6  # of a trajectory, its ends included
STRONGEST = 8.0  # guidance
IMAGE = (1, 1, FIELD, FIELD)
# What the graph `step` takes, and what it gives.
INPUTS = {
    **dict.fromkeys(("x", "noise"), IMAGE),
    **dict.fromkeys(("i", "steps", "label", "guidance", "eta"), (1,)),
}
OUTPUTS = {"x_next": IMAGE, "picture": IMAGE, "guess": IMAGE, "time": (1,)}


class DiffusionSampler(GraphWidget):
    """A digit that grows out of noise, beside the network's guess of it, and a slider back through all states.

    Args:
        step: a graph from `INPUTS` to `OUTPUTS`: `graphs.diffusion.image_step` of a model.
        classes: names of the C labels, all different.
        label: of the picture that is drawn first, 0…C − 1, or C for no label.
        guidance: ω at first, 0…8.
        steps: at first, of `STEPS`.
        eta: at first, 0…1.

    Raises:
        ValueError: classes that are none or have one name twice, values that the reader could not choose, or a graph
            of other shapes.
    """

    _esm, _css = bundle(__file__)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choices = traitlets.List(traitlets.Int(), [*STEPS]).tag(sync=True)
    stills = traitlets.Int(STILLS).tag(sync=True)
    strongest = traitlets.Float(STRONGEST).tag(sync=True)
    label = traitlets.Int().tag(sync=True)
    guidance = traitlets.Float().tag(sync=True)
    steps = traitlets.Int().tag(sync=True)
    eta = traitlets.Float().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        step: Graph,
        classes: Sequence[str],
        label: int = 3,
        guidance: float = 1.5,
        steps: int = 20,
        eta: float = 0.0,
    ) -> None:
        chosen = choice_traits(classes, label, guidance)
        if steps not in STEPS:
            raise ValueError(f"steps: expected one of {[*STEPS]}, got {steps!r}")
        if not 0 <= eta <= 1:
            raise ValueError(f"eta: expected a number in [0, 1], got {eta!r}")
        check_shapes(step, INPUTS, OUTPUTS)
        super().__init__({"step": step}, **chosen, steps=steps, eta=eta)

    def trajectory(self) -> dict[str, np.ndarray]:
        """Draw a digit as the page does, with the noise of the current seed.

        Returns:
            For each of the S + 1 states from noise to sample: `picture` and `guess`, what it looks like and what the
            network takes for x₀ there, `(S + 1, 1, 28, 28)` in pixels, and `time`, its t, `(S + 1,)`. Of the sample
            itself, where nothing is left to guess, the two are the same.
        """
        noise = Noise(self.seed)
        x = noise.normal(FIELD * FIELD).reshape(IMAGE)
        frames = list(descent(self.run, x, noise, self.steps, self.steps, self.label, self.guidance, self.eta))
        sample = frames[-1]["guess"]
        frames.append({"picture": sample, "guess": sample, "time": np.zeros(1, dtype=np.float32)})
        return {name: np.concatenate([frame[name] for frame in frames]) for name in ("picture", "guess", "time")}


def descent(
    run: Callable[..., dict[str, np.ndarray]],
    x: np.ndarray,
    noise: Noise,
    start: int,
    steps: int,
    label: int,
    guidance: float,
    eta: float,
) -> Iterator[dict[str, np.ndarray]]:
    """Take the steps from number `start` down to 1, of `steps` in all, and yield what the graph gives for each."""
    for i in range(start, 0, -1):
        eps = noise.normal(FIELD * FIELD).reshape(IMAGE)
        found = run("step", x=x, noise=eps, i=i, steps=steps, label=label, guidance=guidance, eta=eta)
        x = found["x_next"]
        yield found


def choice_traits(classes: Sequence[str], label: int, guidance: float) -> dict[str, Any]:
    """Turn names of labels, and the label and the strength of guidance that a reader starts with, into their traits.

    Raises:
        ValueError: no classes or two of the same name, another label than 0…C, or guidance outside 0…8.
    """
    names = class_names(classes)
    if label not in range(len(names) + 1):
        raise ValueError(f"label: expected 0…{len(names) - 1}, or {len(names)} for none, got {label!r}")
    if not 0 <= guidance <= STRONGEST:
        raise ValueError(f"guidance: expected a number in [0, {STRONGEST:g}], got {guidance!r}")
    return {"classes": names, "label": label, "guidance": guidance}
