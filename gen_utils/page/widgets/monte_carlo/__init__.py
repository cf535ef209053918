"""Monte Carlo: estimates of log p(x) from draws of the prior and of the posterior, beside the exact value."""

from collections.abc import Mapping

import numpy as np
import traitlets

from gen_utils import plots
from gen_utils.page.export import Graph
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget, bundle

BLOCK, REPEATS = 500, 20  # draws in a call of the graph, for each of so many estimates
SIZES = [round(10 ** (i / 2)) for i in range(11)]  # 1, 3, 10, 32, … 100 000 draws
LINEAR = 0.1  # nats: errors are drawn to a linear scale near 0, and to a logarithmic one beyond
KINDS = {"prior": plots.COLOURS["noise"], "posterior": plots.COLOURS["latent"]}


class MonteCarlo(GraphWidget):
    """How far estimates of log p(x) are from the exact one: 20 of them for every number of draws of z.

    Args:
        estimates: by the number of latent units K, graphs of `gen_utils.page.graphs.ppca.refine_log_prob`: from `eps`
            `(500, 20, K)`, `count` `(1,)`, `before` `(1,)` and `estimate` `(20, 2)` to `new_estimate` `(20, 2)`, in
            nats, from draws of the prior and of the widened posterior. The noise of draw i is the numbers 20·K·i … of
            one stream: more draws continue the estimates of fewer.
        exact: by the same K, log p(x) in nats.

    Raises:
        ValueError: no graphs, graphs with other inputs, exact values for other K or not finite.
    """

    _esm, _css = bundle(__file__)
    dims = traitlets.List(traitlets.Int()).tag(sync=True)
    exact = traitlets.List(traitlets.Float()).tag(sync=True)
    sizes = traitlets.List(SIZES).tag(sync=True)
    block = traitlets.Int(BLOCK).tag(sync=True)
    repeats = traitlets.Int(REPEATS).tag(sync=True)
    linear = traitlets.Float(LINEAR).tag(sync=True)
    worst = traitlets.Float().tag(sync=True)
    kinds = traitlets.List([list(pair) for pair in KINDS.items()]).tag(sync=True)  # in order: stored JSON sorts keys
    dim = traitlets.Int().tag(sync=True)
    draws = traitlets.Int(SIZES[6]).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, estimates: Mapping[int, Graph], exact: Mapping[int, float]) -> None:
        dims = sorted(estimates)
        if not dims or sorted(exact) != dims or not np.isfinite(list(exact.values())).all():
            raise ValueError(f"exact: expected a finite number for each K of the estimates, {dims}, got {exact}")
        graphs = {f"estimate{K}": estimates[K] for K in dims}
        values = [round(float(exact[K]), 4) for K in dims]
        super().__init__(graphs, dims=dims, exact=values, dim=dims[len(dims) // 2])
        # The axis of errors reaches as far as the estimates from a single draw.
        errors = [self.estimates(K, 1)[1] - value for K, value in zip(dims, values, strict=True)]
        self.worst = float(f"{min(-1.0, np.min(errors)):.1e}")

    def estimates(self, K: int, draws: int) -> dict[int, np.ndarray]:  # noqa: N803
        """Compute the estimates of each number of draws up to `draws`, `(20, 2)` in nats, as the page does."""
        noise, estimate, found = Noise(self.seed), np.zeros((REPEATS, 2), np.float32), {}
        eps = np.zeros((BLOCK, REPEATS, K), np.float32)
        before = 0
        for size in SIZES[: SIZES.index(draws) + 1]:
            while before < size:
                count = min(BLOCK, size - before)
                eps[:count] = noise.normal(count * REPEATS * K).reshape(count, REPEATS, K)
                answer = self.run(f"estimate{K}", eps=eps, estimate=estimate, count=count, before=before)
                estimate = answer["new_estimate"]
                before += count
            found[size] = estimate
        return found
