"""Four GAN losses on the ring of 8 and the grid of 25 narrow Gaussians: how many modes a GAN finds, and how well.

A mode counts as found where at least one of 2,500 samples lies within three standard deviations of it, and such a
sample counts as of high quality: PacGAN's criterion (Lin et al. 2018, arXiv:1712.04086, `MetricLogger` of its code),
which follows VEEGAN's (Srivastava et al. 2017, arXiv:1705.07761). A perfect sampler has 98.89 % of high quality.

Sizes are fixed in steps, not in seconds, so another job on the machine changes no result. Samples come from the
generator's last weights, as in the papers, and from the average of its late ones.
"""

import statistics
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters
from torch.optim.swa_utils import AveragedModel

from gen_utils import toys
from gen_utils.metrics import mode_coverage
from gen_utils.models import gan
from gen_utils.page.graphs.gan import start
from gen_utils.train import average, train_gan_steps

PEERS: dict[str, str] = {}  # nothing to install: the peers' numbers are published
# With the discriminator's updates a step: five for WGAN-GP, as in its paper.
LOSSES = {
    "minimax": (gan.MINIMAX, 1),
    "non-saturating": (gan.NON_SATURATING, 1),
    "WGAN-GP": (gan.WGAN_GP, 5),
    "R1": (gan.r1(), 1),
}
# With the factor that brings the data to about [−1, 1], where the weights of the start fit, and a learning rate.
DENSITIES = {"ring": (toys.ring, 1.0, 5e-4), "grid": (toys.grid, 0.25, 2e-3)}
POINTS, SAMPLES, BATCH_SIZE = 100_000, 2_500, 128
STEPS, SEEDS = 5_000, 3
# Modes and per cent of high quality. PacGAN's networks have two hidden layers, of 400 ReLU and of 200 maxout units in
# 5 pieces, and train with Adam at 1e-4 for 400 epochs of 100,000 points in batches of 100: 400,000 steps, eighty
# times ours, on networks of a hundred times our weights.
PUBLISHED = {
    ("ring", "GAN (VEEGAN's paper)"): (1, 99.3),
    ("ring", "Unrolled GAN (VEEGAN's paper)"): (7.6, 35.6),
    ("ring", "VEEGAN"): (8, 52.9),
    ("ring", "GAN (PacGAN's paper)"): (6.3, 98.2),
    ("ring", "PacGAN2"): (7.9, 95.6),
    ("grid", "GAN (VEEGAN's paper)"): (3.3, 0.5),
    ("grid", "Unrolled GAN (VEEGAN's paper)"): (23.6, 16),
    ("grid", "VEEGAN"): (24.6, 40),
    ("grid", "GAN (PacGAN's paper)"): (17.3, 94.8),
    ("grid", "PacGAN2"): (23.8, 91.3),
}
HEADER = "\n".join(
    [
        f"{'density':<9}{'loss':<32}{'steps':>7}{'modes':>14}{'% quality':>15}{'modes, last':>15}{'% quality':>15}",
        *(
            f"{density:<9}{who:<32}{'':>7}{'':>14}{'':>15}{modes:>9.1f}{'':>6}{quality:>9.1f}"
            for (density, who), (modes, quality) in PUBLISHED.items()
        ),
    ]
)


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Train with each loss on each density from `SEEDS` starts: one row each, with means and standard deviations.

    Sizes are fixed: with a `budget` of less than 10 s a run takes 20 steps, otherwise all. `images` and `peers` are
    not used.
    """
    steps = STEPS if budget >= 10 else 20
    return [row(density, loss, steps) for density in DENSITIES for loss in LOSSES]


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    columns = ("modes", "quality", "modes_last", "quality_last")
    cells = "".join(f"{row[name]:>9.1f} ±{row[f'{name}_deviation']:>4.1f}" for name in columns)
    return f"{row['density']:<9}{row['model']:<32}{row['steps']:>7}{cells}"


def row(density: str, loss: str, steps: int) -> dict:
    """Train with one loss on one density from every start."""
    began = perf_counter()
    found = [measured(density, loss, steps, seed) for seed in range(SEEDS)]
    about = {"model": loss, "density": density, "steps": steps, "seconds": perf_counter() - began}
    for name in found[0]:
        values = [each[name] for each in found]
        about |= {name: statistics.mean(values), f"{name}_deviation": statistics.stdev(values)}
    return about


def measured(density: str, loss: str, steps: int, seed: int) -> dict[str, float]:
    """Train one GAN, and count: with the average of the generator's weights, and with the last ones."""
    build, scale, lr = DENSITIES[density]
    data, generator = build(), torch.Generator().manual_seed(seed)
    x = scale * data.sample(POINTS, generator=generator)
    losses, d_steps = LOSSES[loss]
    model = gan.GAN(losses=losses)
    theta, phi = start(model, torch.randn(sum(p.numel() for p in model.parameters()), generator=generator))
    vector_to_parameters(theta, model.generator.parameters())
    vector_to_parameters(phi, model.discriminator.parameters())
    averaged = AveragedModel(model, multi_avg_fn=average)
    for _ in train_gan_steps(model, x, steps=steps, batch_size=BATCH_SIZE, lr=lr, d_steps=d_steps, seed=seed):
        averaged.update_parameters(model)
    z = model.noise(SAMPLES, generator=generator)
    with torch.no_grad():
        mean, last = averaged.module.generator(z), model.generator(z)
    return counted(mean / scale, data, "") | counted(last / scale, data, "_last")


def counted(x: Tensor, data: toys.IsotropicMixture, which: str) -> dict[str, float]:
    """Count the modes that samples find, and the per cent of them that lie at one."""
    shares, quality = mode_coverage(x, data.means, data.sigma)
    return {f"modes{which}": float((shares > 0).sum()), f"quality{which}": 100 * quality.item()}
