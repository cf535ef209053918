"""Rate against distortion: VAEs trained with different beta, and what each makes of the same images."""

from collections.abc import Sequence

import numpy as np
import traitlets
from torch import Tensor

from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle, check_shapes, images_from_text, images_to_text


class RateDistortion(GraphWidget):
    """A plane of rate and distortion with a point for every VAE: choose one, see it reconstruct and sample.

    Args:
        models: graphs from `x`, `(n, 1, 28, 28)`, `eps`, the noise of draws from q(z|x), and `z`, draws from p(z),
            `(n, K)` each, to `reconstruction` and `sample`, grey pixels `(n, 1, 28, 28)` each.
        betas: the weight of the rate that each model was trained with, increasing.
        rates: mean KL(q(z|x) ‖ p(z)) of each model, in nats.
        distortions: mean −log p(x|z) of each model, in nats.
        x: the images that all models reconstruct, `(n, 1, 28, 28)` in [0, 1].

    Raises:
        TypeError: x that is not a tensor of floating-point numbers.
        ValueError: fewer than two models, graphs with other inputs, a number that is missing or not finite, betas
            that do not increase, negative rates, x of another shape or outside [0, 1].
    """

    _esm, _css = bundle(__file__)
    betas = traitlets.List(traitlets.Float()).tag(sync=True)
    rates = traitlets.List(traitlets.Float()).tag(sync=True)
    distortions = traitlets.List(traitlets.Float()).tag(sync=True)
    images = traitlets.Unicode().tag(sync=True)
    latent_dim = traitlets.Int().tag(sync=True)
    index = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        models: Sequence[Graph],
        betas: Sequence[float],
        rates: Sequence[float],
        distortions: Sequence[float],
        x: Tensor,
    ) -> None:
        images = images_to_text("x", x)
        if len(models) < 2:
            raise ValueError(f"models: expected at least two, got {len(models)}")
        state = {
            "betas": _numbers("betas", betas, len(models)),
            "rates": _numbers("rates", rates, len(models)),
            "distortions": _numbers("distortions", distortions, len(models)),
        }
        if (np.diff(state["betas"]) <= 0).any():
            raise ValueError(f"betas: expected increasing numbers, got {betas!r}")
        if min(state["rates"]) < 0:
            raise ValueError(f"rates: expected numbers that are not negative, got {rates!r}")
        K = _latent_dim(models, len(x))
        graphs = {f"model{i}": graph for i, graph in enumerate(models)}
        super().__init__(graphs, **state, images=images, latent_dim=K, index=len(models) // 2)

    def noise(self) -> dict[str, np.ndarray]:
        """Draw the `eps` and the `z` of the current seed, `(n, K)` each, as the page does."""
        noise, n = Noise(self.seed), len(images_from_text(self.images))
        return {name: noise.normal(n * self.latent_dim).reshape(n, -1) for name in ("eps", "z")}


def _numbers(name: str, values: Sequence[float], n: int) -> list[float]:
    numbers = np.asarray(values, dtype=float)
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected a finite number for each of the {n} models, got {values!r}")
    return [round(float(number), 4) for number in numbers]


def _latent_dim(models: Sequence[Graph], n: int) -> int:
    # The K of the first graph, if every graph takes n images, noise (n, K) and draws (n, K).
    K = models[0].inputs.get("z", (n, 0))[-1]
    for graph in models:
        check_shapes(graph, {"x": (n, 1, FIELD, FIELD), "eps": (n, K), "z": (n, K)})
    return K
