"""Guess which of two grids of images is real: a small Turing test, with a score."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.graphs.turing_test import SHOWN
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle

ROUNDS = 40  # for which the chance to do as well by tossing coins is tabulated
REAL = "real"  # what the source of real images is called
BINARY, GREY = "binary", ("grey", "means")  # what a graph may answer with: the first always, of the others one


class TuringTest(GraphWidget):
    """Two grids of images from two sources, side by side and unnamed; the reader says which is which, and scores.

    Each source is a graph from noise to B images, where B divides 16: a graph of fewer than 16 is run several times.
    Inputs whose names begin with "u" are uniform noise in (0, 1), all others standard normal. Outputs are
    `(B, 1, 28, 28)` in [0, 1]: `binary`, draws of black and white pixels, always; and, of a source that can be shown
    so, either `grey`, draws of grey pixels, or `means`, the mean of its pixels given its latent variables. Like is
    compared with like: grey with grey or means, else black and white with black and white.

    A source may also be a graph of one of S steps, such as `graphs.turing_test.diffusion`: its input `turn`, `(S,)`,
    is 1 at the number of the step and 0 elsewhere, and its output `x_next` is its next input `x`. What it answers
    with last is shown.

    Args:
        real: the source of real images: `graphs.turing_test.real` of some, as a graph.
        families: the models' graphs by their names; the first is compared with real images at first.
        pixels: `"grey"`, wherever both sides can be shown so, or `"binary"`.

    Raises:
        ValueError: no family, one that is called "real", other pixels, or a graph that is no such source.
    """

    _esm, _css = bundle(__file__)
    sources = traitlets.Dict().tag(sync=True)
    chances = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    sought = traitlets.Unicode(REAL).tag(sync=True)
    other = traitlets.Unicode().tag(sync=True)
    pixels = traitlets.Unicode().tag(sync=True)
    seed = traitlets.Int(1).tag(sync=True)
    scores = traitlets.Dict().tag(sync=True)

    def __init__(self, real: Graph, families: Mapping[str, Graph], pixels: str = "grey") -> None:
        if not families or REAL in families:
            raise ValueError(f"families: expected some, none of them called {REAL!r}, got {[*families]}")
        if pixels not in ("grey", BINARY):
            raise ValueError(f'pixels: expected "grey" or "{BINARY}", got {pixels!r}')
        graphs = {REAL: real, **families}
        sources = {name: _source(graph) for name, graph in graphs.items()}
        state = {"chances": chances(ROUNDS), "other": next(iter(families)), "pixels": pixels}
        super().__init__(graphs, sources=sources, **state)

    def grids(self) -> tuple[dict[str, np.ndarray], bool]:
        """Draw what the page shows for the current seed.

        Returns:
            The images of the source that is sought and of the other one by their names, `(16, 1, 28, 28)` each, and
            whether the first stands on the left.
        """
        noise = Noise(self.seed)
        left = noise.uniform() < 0.5
        return {name: self._draw(name, noise) for name in (self.sought, self.other)}, left

    def _shown(self, name: str) -> str:
        greys = [self.sources[each]["grey"] for each in (self.sought, self.other)]
        return self.sources[name]["grey"] if self.pixels == "grey" and all(greys) else BINARY

    def _draw(self, name: str, noise: Noise) -> np.ndarray:
        source, parts = self.sources[name], []
        for _ in range(SHOWN // source["batch"]):
            inputs = {each: _noise(noise, each, shape) for each, shape in source["noise"].items()}
            found = {}
            for turn in np.eye(source["steps"] or 1, dtype=np.float32):
                given = {"turn": turn} if source["steps"] else {}
                found = self.run(name, **inputs, **given)
                inputs |= {"x": found["x_next"]} if source["steps"] else {}
            parts.append(found[self._shown(name)])
        return np.concatenate(parts)


def chances(rounds: int) -> list[list[float]]:
    """Tabulate the chance to guess k of n coins or more, n up to `rounds` and k up to n, to three digits."""
    table = []
    for n in range(rounds + 1):
        ways = [math.comb(n, k) for k in range(n + 1)]
        table.append([float(f"{sum(ways[k:]) / 2**n:.3g}") for k in range(n + 1)])
    return table


def _source(graph: Graph) -> dict[str, Any]:
    # What the page must know to run a graph: its batch, its noise, the number of its steps if it is run in steps, and
    # what it answers with instead of `binary`.
    noise = {name: list(shape) for name, shape in graph.inputs.items()}
    steps = noise.pop("turn", [None])[0]
    state = {"x_next"} if steps else set()
    image = next(iter(graph.outputs.values()))
    greys = [name for name in GREY if name in graph.outputs]
    good = set(graph.outputs) == {BINARY, *greys, *state} and len(greys) < 2 and (not steps or "x" in noise)
    if not good or set(graph.outputs.values()) != {image} or image[1:] != (1, FIELD, FIELD) or SHOWN % image[0]:
        expected = f'"{BINARY}" and perhaps "grey" or "means", (B, 1, {FIELD}, {FIELD}) with B a divisor of {SHOWN}'
        raise ValueError(f"{graph.path.name}: expected outputs {expected}, got {graph.outputs}")
    return {"batch": image[0], "noise": noise, "steps": steps, "grey": greys[0] if greys else None}


def _noise(noise: Noise, name: str, shape: list[int]) -> np.ndarray:
    n = math.prod(shape)
    return (noise.uniforms(n) if name.startswith("u") else noise.normal(n)).reshape(shape)
