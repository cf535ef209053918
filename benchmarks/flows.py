"""Our coupling flow beside zuko's flows: the same points, seconds of training, batches and test points.

The densities are known, so the score is exact: E[log p(x) − log p_θ(x)], the divergence of the model from the
data, paired on the same points.
"""

import math
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor, nn

from benchmarks.clock import steps_per_second
from gen_utils import toys
from gen_utils.base import GenerativeModel, Trainable
from gen_utils.models.flows import CouplingFlow
from gen_utils.recipes import RECIPES
from gen_utils.train import device, train_steps

PEERS = {"zuko": "zuko"}  # names to import, and to install
DENSITIES = {"checkerboard": toys.Checkerboard, "eight Gaussians": toys.eight_gaussians, "moons": toys.moons}
HEADER = f"{'density':<18}{'model':<14}{'seconds':>9}{'steps/s':>9}{'parameters':>12}{'KL':>10} ± s.e. (nats)"
POINTS = 200_000
RECIPE = RECIPES["flow"]


class Peer(Trainable):
    """A flow of zuko's, called as ours is, after the same standardisation."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__((2,))
        self.flow = flow
        self.register_buffer("shift", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))

    start_from = CouplingFlow.start_from

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), `(B,)` in nats."""
        return self.flow().log_prob((x - self.shift) / self.scale) - self.scale.log().sum()

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute `"loss"`, −log p(x): `(B,)` in nats."""
        return {"loss": -self.log_prob(x)}


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Train each model on each density for about `budget` seconds, judge it on twice `images` points.

    One row each, the best first. All models are trained by the same function, at the same learning rate and
    schedule: each has its own number of steps, measured before.
    """
    builders: dict[str, Callable[[], Trainable]] = {"gen_utils": CouplingFlow}
    if peers:
        from zuko.flows import MAF, NSF

        # As many parameters as ours, about 29,000, by zuko's own number of transforms for both, 3.
        builders["zuko, NSF"] = lambda: Peer(NSF(2, transforms=3, bins=16, hidden_features=(64, 64)))
        builders["zuko, MAF"] = lambda: Peer(MAF(2, transforms=3, hidden_features=(92, 92)))
    results = []
    for density, build in DENSITIES.items():
        toy, seed = build().to(device()), torch.Generator(device()).manual_seed(0)
        x, test = toy.sample(POINTS, generator=seed), toy.sample(2 * images, generator=seed)
        for name, builder in builders.items():
            model, seconds, steps = train(builder, x, budget)
            about = {"model": name, "density": density, "seconds": seconds, "steps_per_second": steps / seconds}
            about["parameters"] = sum(parameter.numel() for parameter in model.parameters())
            results.append({**about, **judge(model, toy, test)})
    return sorted(results, key=lambda row: (row["density"], row["divergence"]))


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    return (
        f"{row['density']:<18}{row['model']:<14}{row['seconds']:>9.1f}{row['steps_per_second']:>9.0f}"
        f"{row['parameters']:>12,}{row['divergence']:>10.4f} ± {row['standard_error']:.4f}"
    )


def train(builder: Callable[[], Trainable], x: Tensor, budget: float) -> tuple[Trainable, float, int]:
    """Train for about `budget` seconds on `x` and return the model, the seconds it took and its updates."""
    trial = train_steps(builder().to(x.device), x, steps=1_000_000, batch_size=RECIPE.batch_size)
    steps = max(1, round(budget * steps_per_second(trial, budget / 10)))
    torch.manual_seed(0)
    model = builder().to(x.device)
    model.start_from(x)
    start = perf_counter()
    for _ in train_steps(model, x, steps=steps, batch_size=RECIPE.batch_size, lr=RECIPE.lr):
        pass
    return model, perf_counter() - start, steps


@torch.no_grad()
def judge(model: Trainable, toy: GenerativeModel, x: Tensor) -> dict[str, float]:
    """Estimate KL(p ‖ p_θ) on draws x from p, with its standard error, in nats."""
    gap = torch.cat([(toy.log_prob(part) - model.log_prob(part)).double() for part in x.split(1000)])
    return {"divergence": gap.mean().item(), "standard_error": (gap.std() / math.sqrt(len(gap))).item()}
