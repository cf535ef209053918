"""Train a GAN in the page: density, loss, learning rate and steps of the discriminator are the reader's."""

import math
from collections.abc import Mapping

import numpy as np
import traitlets

from gen_utils.page.export import Graph
from gen_utils.page.graphs.gan import DENSITIES, LOSSES, UPDATES
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle, check_shapes

SAMPLES = 1000  # generated points of a picture
ENOUGH = 0.01  # a mode is found if it holds this share of the samples
BATCHES_SHOWN = 4  # of real points


class GANTraining(GraphWidget):
    """A plane where the reader trains a GAN, and chooses density, loss, learning rate and updates of D.

    Below, `gan` is the module `gen_utils.page.graphs.gan`.

    Args:
        graphs: by name. `start`, of `gan.start`: `noise` `(P + Q,)` to `theta` `(P,)` and `phi` `(Q,)`. Those that
            `gan.UPDATES` names for each loss: `discriminator_…`, of `gan.discriminator_step`, from `phi`, `m`, `v`,
            `theta`, `x` `(B, 2)`, `z` `(B, K)`, `u` `(B, 1)`, `lr` `(1,)` and `step` `(1,)` to `new_phi`, `new_m`,
            `new_v` and `loss` `(1,)`; `generator_…`, of `gan.averaged_generator_step`, from `theta`, `m`, `v`,
            `average`, `phi`, `z`, `lr` and `step` to `new_theta`, `new_m`, `new_v`, `new_average` and `loss`. For
            each of `gan.DENSITIES`: `data_…`, of `gan.points`, from `u` `(B,)` and `eps` `(B, 2)` to what
            `gan.POINTS` names; and `picture_…`, of `gan.picture`, from `theta`, `phi` and `z` `(1000, K)` to what
            `gan.PICTURE` names.
        density: chosen at first, of `gan.DENSITIES`.
        loss: chosen at first, of `gan.LOSSES`.
        lr: the learning rate of both networks at first, from 1e-5 to 0.1.
        d_steps: updates of the discriminator for each of the generator at first, 1 to 5.

    Raises:
        ValueError: graphs that are not these, or choices that the reader would not have.
    """

    _esm, _css = bundle(__file__)
    density = traitlets.Unicode().tag(sync=True)
    loss = traitlets.Unicode().tag(sync=True)
    lr = traitlets.Float().tag(sync=True)
    d_steps = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    # Pairs, which a stored notebook keeps in their order.
    sizes: traitlets.List = traitlets.List().tag(sync=True)
    scenes: traitlets.List = traitlets.List([[name, each.scene()] for name, each in DENSITIES.items()]).tag(sync=True)
    updates: traitlets.List = traitlets.List([[*pair] for pair in UPDATES.items()]).tag(sync=True)

    def __init__(
        self,
        graphs: Mapping[str, Graph],
        density: str = "ring",
        loss: str = "r1",
        lr: float = 5e-4,
        d_steps: int = 1,
    ) -> None:
        if density not in DENSITIES or loss not in LOSSES:
            raise ValueError(f"expected one of {[*DENSITIES]} and one of {[*LOSSES]}, got {density!r} and {loss!r}")
        if not 1e-5 <= lr <= 0.1:
            raise ValueError(f"lr: expected 1e-5 to 0.1, got {lr}")
        if d_steps not in range(1, 6):
            raise ValueError(f"d_steps: expected 1 to 5, got {d_steps}")
        sizes = [[*pair] for pair in _sizes(graphs).items()]
        super().__init__(graphs, density=density, loss=loss, lr=lr, d_steps=d_steps, sizes=sizes)

    def train(self, steps: int) -> dict[str, np.ndarray]:
        """Take the steps from the start that the page takes, with the same noise: one stream, from the seed.

        Returns:
            The weights `theta` `(P,)`, their `average`, `phi` `(Q,)`, the `real` points `(N, 2)`, and what `picture`
            returns.
        """
        noise, sizes, updates = Noise(self.seed), dict(self.sizes), UPDATES[self.loss]
        B, K = sizes["batch"], sizes["latent"]

        def normal(*shape: int) -> np.ndarray:
            return noise.normal(math.prod(shape)).reshape(shape)

        def points() -> dict[str, np.ndarray]:
            return self.run(f"data_{self.density}", u=noise.uniforms(B), eps=normal(B, 2))

        def update(graph: str, state: dict[str, np.ndarray], **given: np.ndarray | float) -> dict[str, np.ndarray]:
            found = self.run(graph, **state, **given)
            return {name: found[f"new_{name}"] for name in state}

        first = self.run("start", noise=normal(sizes["weights"]))
        zeros = {name: {"m": np.zeros_like(weights), "v": np.zeros_like(weights)} for name, weights in first.items()}
        judge = {"phi": first["phi"], **zeros["phi"]}
        maker = {"theta": first["theta"], **zeros["theta"], "average": first["theta"]}
        z, real = normal(SAMPLES, K), np.concatenate([points()["place"] for _ in range(BATCHES_SHOWN)])
        for step in range(steps):
            for i in range(self.d_steps):
                t = step * self.d_steps + i + 1
                drawn = {"x": points()["x"], "z": normal(B, K), "u": noise.uniforms(B)[:, None]}
                judge = update(updates["discriminator"], judge, theta=maker["theta"], **drawn, lr=self.lr, step=t)
            maker = update(updates["generator"], maker, phi=judge["phi"], z=normal(B, K), lr=self.lr, step=step + 1)
        shown = self.run(f"picture_{self.density}", theta=maker["average"], phi=judge["phi"], z=z)
        return {"theta": maker["theta"], "average": maker["average"], "phi": judge["phi"], "real": real, **shown}


def _sizes(graphs: Mapping[str, Graph]) -> dict[str, int | float]:
    # Of batches and weights, if the graphs are those that the page calls, and fit each other.
    players = {graph for pair in UPDATES.values() for graph in pair.values()}
    names = {"start", *players, *(f"{kind}_{name}" for kind in ("data", "picture") for name in DENSITIES)}
    if graphs.keys() != names:
        raise ValueError(f"graphs: expected {sorted(names)}, got {sorted(graphs)}")
    first = graphs["discriminator_non_saturating"].inputs
    P, Q, B, K = (first.get(name, (0,))[axis] for name, axis in [("theta", 0), ("phi", 0), ("z", 0), ("z", -1)])
    seen: dict[str, tuple[int, ...]] = {"theta": (P,), "phi": (Q,), "z": (SAMPLES, K)}
    adam = {"lr": (1,), "step": (1,)}
    expected: dict[str, dict[str, tuple[int, ...]]] = {"start": {"noise": (P + Q,)}}
    for name in DENSITIES:
        expected |= {f"data_{name}": {"u": (B,), "eps": (B, 2)}, f"picture_{name}": seen}
    drawn = {"x": (B, 2), "z": (B, K), "u": (B, 1)}
    discriminator: dict[str, tuple[int, ...]] = {"phi": (Q,), "m": (Q,), "v": (Q,), "theta": (P,), **drawn, **adam}
    generator: dict[str, tuple[int, ...]] = {
        "theta": (P,),
        "m": (P,),
        "v": (P,),
        "average": (P,),
        "phi": (Q,),
        "z": (B, K),
        **adam,
    }
    expected |= {name: discriminator if name.startswith("discriminator") else generator for name in players}
    for name, graph in graphs.items():
        check_shapes(graph, expected[name])
    return {"weights": P + Q, "latent": K, "batch": B, "samples": SAMPLES, "real": BATCHES_SHOWN, "enough": ENOUGH}
