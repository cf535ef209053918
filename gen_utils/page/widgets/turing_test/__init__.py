"""Guess which of two grids of images is real: a small Turing test, with a score."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure
from torch import Tensor
from torch._higher_order_ops.scan import scan

from gen_utils import plots
from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.made import MADE
from gen_utils.models.samplers import ddim_step
from gen_utils.page.drawing import FIELD
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, css, esm
from gen_utils.page.widgets.diffusion_sampler import pixels

SHOWN = 16  # images on each side, in rows of 4
ROUNDS = 40  # for which the chance to do as well by tossing coins is tabulated
REAL = "real"  # what the source of real images is called
BINARY, GREY = "binary", ("grey", "means")  # what a graph may answer with: the first always, of the others one


# ---- From noise to images: functions to be exported ------------------------------------------------------------


def tossed(p: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Return p, and pixels that are black or white with p as the probability of ink; `u` is uniform noise.

    All `(B, 1, 28, 28)`.
    """
    return p, (u < p).to(p.dtype)


def labels(u: Tensor, classes: int) -> Tensor:
    """Draw a label, 0…C − 1, from each number of uniform noise: `(B,)`."""
    return (u * classes).long().clamp(max=classes - 1)  # in single precision, u may be rounded to 1


def real(images: Tensor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Build the function that draws 16 different images of N, `(N, 1, 28, 28)` in [0, 1], and tosses their pixels.

    It takes `u_order`, uniform noise `(N,)` that puts the images in order, and `u`, uniform noise `(16, 1, 28, 28)`.
    The graph holds a byte for each pixel.
    """
    levels = (255 * images).round().byte()

    def draw(u_order: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        return tossed(levels[u_order.topk(SHOWN).indices] / 255, u)

    return draw


def diffusion(
    model: ImageDiffusion, steps: int
) -> Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Build the function of one step of DDIM, without fresh noise, to images of random labels.

    It takes the state `x`, `(B, 1, 28, 28)`, noise at first; `turn`, `(S,)`, 1 at the number of the step and 0
    elsewhere; `u_label`, uniform noise `(B,)`; and `u`, uniform noise of the shape of x. It returns `x_next`, `grey`
    and `binary`, of the shape of x; after the last step, the latter two are the images.
    """
    schedule = model.schedule.strided(steps)
    levels = [each.flip(0) for each in (schedule.log_snr[1:], schedule.alpha_bar[1:], schedule.alpha_bar[:-1])]

    def draw(x: Tensor, turn: Tensor, u_label: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_snr, alpha_bar_t, alpha_bar_s = (turn @ level for level in levels)
        x0_hat, _ = model.predict(x, log_snr.expand(len(x)), labels(u_label, model.classes))
        x_next = ddim_step(x, x0_hat, alpha_bar_t, alpha_bar_s, 0.0, torch.zeros_like(x))
        return x_next, *tossed(pixels(x_next), u)

    return draw


def made(model: MADE) -> Callable[[Tensor], Tensor]:
    """Build the function that draws images pixel by pixel, from uniform noise to 0 and 1, `(B, 1, 28, 28)` both.

    What the pixels so far say to each hidden unit and to each logit is a running sum, to which the next pixel adds
    its column: all pixels together cost about as much as one pass of the network, as in `MADE.sample`.

    Args:
        model: one with a single hidden layer.

    Raises:
        ValueError: more hidden layers, or none.
    """
    if len(model.hidden) != 1:
        raise ValueError(f"model: expected a MADE with one hidden layer, got {len(model.hidden)}")
    layers = (*model.hidden, model.output, model.direct)
    bands = [(layer.bands(), layer.in_features) for layer in layers]  # the file holds no zeros beside them
    biases = [layer.bias.detach() for layer in layers[:2]]

    def draw(u: Tensor) -> Tensor:
        noise = u.flatten(1).T  # (D, B)
        into, back, beside = (_whole(*each) for each in bands)
        D, B = noise.shape

        def pixel(sums: tuple[Tensor, Tensor], given: tuple[Tensor, ...]) -> tuple[tuple[Tensor, Tensor], Tensor]:
            units, logits = sums
            d, u_d, into_d, back_d, beside_d = given
            logit = logits.index_select(1, d)[:, 0] + F.silu(units) @ back_d
            x_d = (u_d < logit.sigmoid()).to(u.dtype)
            centred = (2 * x_d - 1)[:, None]
            return (units + centred * into_d, logits + centred * beside_d), x_d

        nothing = 0 * u.flatten(1)[:, :1]  # (B, 1); from u, for a constant would be stored B times
        sums = tuple(nothing + bias for bias in biases)
        rows = torch.arange(D)[:, None], noise, into.T, back, beside.T
        _, x = scan(pixel, sums, rows)
        return x.T.reshape(B, *model.event_shape)

    return draw


def _whole(bands: list[Tensor], width: int) -> Tensor:
    whole, *rest = bands
    for band in rest:
        whole = torch.cat([F.pad(whole, (0, band.shape[1] - whole.shape[1])), band])
    return F.pad(whole, (0, width - whole.shape[1]))


# ---- The widget ------------------------------------------------------------------------------------------------


class TuringTest(GraphWidget):
    """Two grids of images from two sources, side by side and unnamed; the reader says which is which, and scores.

    Each source is a graph from noise to B images, where B divides 16: a graph of fewer than 16 is run several times.
    Inputs whose names begin with "u" are uniform noise in (0, 1), all others standard normal. Outputs are
    `(B, 1, 28, 28)` in [0, 1]: `binary`, draws of black and white pixels, always; and, of a source that can be shown
    so, either `grey`, draws of grey pixels, or `means`, the mean of its pixels given its latent variables. Like is
    compared with like: grey with grey or means, else black and white with black and white.

    A source may also be a graph of one of S steps, such as `diffusion`: its input `turn`, `(S,)`, is 1 at the number
    of the step and 0 elsewhere, and its output `x_next` is its next input `x`. What it answers with last is shown.

    Args:
        real: the source of real images: `real` of some, as a graph.
        families: the models' graphs by their names; the first is compared with real images at first.
        pixels: `"grey"`, wherever both sides can be shown so, or `"binary"`.

    Raises:
        ValueError: no family, one that is called "real", other pixels, or a graph that is no such source.
    """

    _esm = esm("turing_test/index.js")
    _css = css("turing_test/style.css")
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

    def poster(self) -> Figure:
        """Draw both sides with their names, as they are in the round before the first: nothing is given away."""
        noise = Noise(self.seed - 1)
        noise.uniform()
        figure, axes = plots.figure(columns=2, height=2.6)
        for ax, name in zip(axes, (self.sought, self.other), strict=True):
            plots.show_images(ax, self._draw(name, noise), columns=4)
            ax.set_xlabel(f"{name} (means)" if self._shown(name) == "means" else name)
        return figure

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
