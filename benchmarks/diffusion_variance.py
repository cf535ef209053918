"""What a learned Σ_θ is worth: the fixed variances β and β̃ beside it, by the bound and by what few steps draw.

From each of three seeds a network is trained by L_hybrid. Its mean is what L_simple alone would have made of it, bit
for bit, since the bound trains c and nothing else; so one network serves all three variances, which are scored with
the same images, steps and noise. It is conditioned on the labels, and its weights are averaged.

The question is that of Nichol and Dhariwal 2021, arXiv:2102.09672.
"""

import math
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.diffusion import AT_A_TIME, Ours, pixels, updates_within
from benchmarks.gan import Judge
from gen_utils.data import mnist
from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.samplers import ddpm
from gen_utils.models.schedule import append_dims, q_sample
from gen_utils.train import device

PEERS: dict[str, str] = {}  # nothing to install: the fixed variances are the peers
SEEDS = (0, 1, 2)
SHARE = 0.4  # of the budget, for the training of each of the three networks
VARIANCES: dict[str, float | None] = {"beta": 1.0, "beta_tilde": -1.0, "learned": None}  # as c
STRIDED = 50  # the steps of the shorter model whose bound is computed too
FEW = (10, 25)  # the steps that draw samples
EARLY = 20  # steps next to the data: their terms are large and scatter, so most of the estimate's work goes there
HEADER = f"{'variance':<12}{'seed':>5}{'seconds':>9}{'bits/dim: 1000 steps':>28}{f'{STRIDED} steps':>19}" + "".join(
    f"{f'Fréchet, {steps}: grey':>20}{'Bernoulli':>11}" for steps in FEW
)


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Train a network from each seed, and score each variance: one row each.

    As many samples are judged as test images, `images`, which also serve the bound. `peers` means nothing here.
    """
    x, y, test, test_y = (part.to(device()) for part in mnist()[:4])
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:images]
    test, test_y = test[chosen], test_y[chosen]
    judge = Judge(test)
    steps = updates_within(SHARE * budget, y, x)
    results = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        ours, start = Ours(y), perf_counter()
        for _ in ours.updates(x, steps, seed):
            pass
        about = {"seed": seed, "updates": steps, "seconds": perf_counter() - start}
        bounds = {T: bits_per_dim(shortened(ours, T), test, test_y, seed) for T in (1000, STRIDED)}
        for variance, c in VARIANCES.items():
            row = {"model": variance, **about}
            for T, found in bounds.items():
                row |= dict(zip((f"bits_{T}", f"bits_{T}_error"), found[variance], strict=True))
            for T in FEW:
                distances = judged(shortened(ours, T), c, y, judge)
                row |= {f"{measure}_{T}": value for measure, value in distances.items()}
            results.append(row)
    return sorted(results, key=lambda row: (row["model"], row["seed"]))


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    long, short = (f"{row[f'bits_{T}']:.4f} ± {row[f'bits_{T}_error']:.4f}" for T in (1000, STRIDED))
    start = f"{row['model']:<12}{row['seed']:>5}{row['seconds']:>9.1f}{long:>28}{short:>19}"
    return start + "".join(f"{row[f'grey_{T}']:>20.2f}{row[f'bernoulli_{T}']:>11.2f}" for T in FEW)


def shortened(ours: Ours, steps: int) -> ImageDiffusion:
    """Return the averaged network with a schedule of `steps` steps: a model of its own, with its own bound."""
    model = ours.averaged.module
    return ImageDiffusion(model.network, model.schedule.strided(steps).alpha_bar).to(device()).eval()


@torch.no_grad()
def bits_per_dim(model: ImageDiffusion, x: Tensor, y: Tensor, seed: int) -> dict[str, tuple[float, float]]:
    """Estimate the bound on −log₂ p(x|y) a dimension, and its standard error, for each variance.

    Σ_t of the mean of term t over images drawn anew for each: about two draws an image, and one more for `EARLY`.
    """
    T, generator = model.schedule.T, torch.Generator(device()).manual_seed(seed)
    t = torch.arange(1, T + 1, device=x.device)
    draws = torch.where(t <= EARLY, max(2, len(x) // EARLY), 0) + max(2, 2 * len(x) // T)
    t = t.repeat_interleave(draws)
    t = t[torch.randperm(len(t), generator=generator, device=x.device)]  # so that no batch has only the first
    chosen = torch.randint(len(x), t.shape, generator=generator, device=x.device)
    terms: dict[str, list[Tensor]] = {variance: [] for variance in VARIANCES}
    for n, few in zip(t.split(AT_A_TIME), chosen.split(AT_A_TIME), strict=True):
        x0 = 2 * x[few] - 1
        eps = torch.randn(x0.shape, generator=generator, device=x.device)
        x_t = q_sample(x0, eps, append_dims(model.schedule.alpha_bar[n], x0))
        x0_hat, learned = model.predict(x_t, model.schedule.log_snr[n], y[few])
        for variance, c in VARIANCES.items():
            given = learned if c is None else torch.full_like(x0, c)
            terms[variance].append(model.bound_term_from(x0, x0_hat, given, n))
    prior = model.prior_kl(x).double().mean().item()
    return {variance: summed(t, torch.cat(found).double(), prior, x[0].numel()) for variance, found in terms.items()}


def summed(t: Tensor, terms: Tensor, rest: float, dimensions: int) -> tuple[float, float]:
    """Add up the means of the terms of each step, and what is left, in bits/dim: with the standard error."""
    groups = [terms[t == step] for step in range(1, int(t.amax()) + 1)]
    total = sum(group.mean().item() for group in groups) + rest
    variance = sum(group.var().item() / len(group) for group in groups)
    nats = dimensions * math.log(2)
    return total / nats, math.sqrt(variance) / nats


def judged(model: ImageDiffusion, c: float | None, y: Tensor, judge: Judge) -> dict[str, float]:
    """Judge as many samples as there are test images, by ancestral sampling over all steps of the model."""
    generator, images = torch.Generator(device()).manual_seed(1), []
    labels = y[torch.randint(len(y), (len(judge.grey),), generator=generator, device=y.device)]
    for part in labels.split(AT_A_TIME):
        x_T = torch.randn(len(part), *model.event_shape, generator=generator, device=y.device)
        *_, x0 = ddpm(with_variance(model, part, c), x_T, model.schedule, generator=generator)
        images.append(pixels(x0))
    return judge.distances(torch.cat(images), generator)


def with_variance(
    model: ImageDiffusion, y: Tensor, c: float | None
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor | float]]:
    """Fix the labels, and the variance unless c is `None`: the prediction as a sampler calls it."""

    def predict(x_t: Tensor, log_snr: Tensor) -> tuple[Tensor, Tensor | float]:
        x0_hat, learned = model.predict(x_t, log_snr, y)
        return x0_hat, learned if c is None else c

    return predict
