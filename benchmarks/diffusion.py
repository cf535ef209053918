"""Our diffusion model beside a plain one and two libraries': the same seconds of training, sampler's steps and judge.

The plain one is what a first version of ours was: a U-Net on patches of 2 × 2 pixels that predicts v, without labels.
The libraries' networks, schedules and losses are their own. All three are trained by one loop that is kind to them:
the learning rate falls to zero as the time runs out, the weights are averaged, the layout is what processors like.
Everybody samples by DDIM with as many calls of the network; the libraries, which are slow, with the fewer only.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.clock import steps_per_second
from benchmarks.gan import Judge
from gen_utils.data import mnist
from gen_utils.models.samplers import ddim
from gen_utils.models.schedule import Schedule, alpha_bar_from, append_dims, cosine, q_sample, velocity, x0_from_v
from gen_utils.nets import sinusoidal_embedding
from gen_utils.recipes import RECIPES
from gen_utils.train import Step, device, train_steps

PEERS = {"denoising_diffusion_pytorch": "denoising-diffusion-pytorch", "diffusers": "diffusers"}
HEADER = (
    f"{'model':<28}{'seconds':>9}{'images/s':>10}{'parameters':>12}{'GFLOP/image':>13}{'% of peak':>11}"
    f"{'steps':>7}{'seconds':>9}{'Fréchet: grey':>15}{'Bernoulli':>11}"
)
STEPS = (10, 20)  # of the sampler
ETA = 1.0  # its fresh noise: all of it, as in chapter 6
AT_A_TIME = 100  # images that are drawn together
RECIPE = RECIPES["unet"]
PEERS_LR = 1e-3
WARM_UP = 50  # updates in which it climbs


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Train each model for `budget` seconds and judge it: one row for each number of sampler's steps.

    As many samples are judged as test images, `images`. Ours comes first and takes about `budget`: its schedule needs
    the number of updates before it starts. The others are stopped by the clock after exactly as long as it took.
    """
    x, y, test, _ = (part.to(device()) for part in mnist()[:4])
    judge = Judge(test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:images]])
    peak = matmul_gflops()
    torch.manual_seed(0)
    ours = Ours(y)
    seconds, seen = ours.train(x, budget)
    cost = described(ours.model, lambda few: ours.model(few, y[: len(few)])["loss"], x, seconds, seen, peak)
    results = judged(ours, {"model": "gen_utils", **cost}, STEPS, judge)
    if peers:
        from benchmarks.diffusion_peers import DenoisingDiffusion, Diffusers

        for name, build, steps in [
            ("plain U-Net", Plain, STEPS),
            ("denoising-diffusion-pytorch", DenoisingDiffusion, STEPS[:1]),
            ("diffusers", Diffusers, STEPS[:1]),
        ]:
            torch.manual_seed(0)
            peer = build().to(device(), memory_format=torch.channels_last)
            averaged, own, seen = train_peer(peer, x, seconds)
            cost = described(peer, peer.loss, x, own, seen, peak)
            results += judged(averaged, {"model": name, **cost}, steps, judge)
    return sorted(results, key=lambda row: (row["steps"], row["bernoulli"]))


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    return (
        f"{row['model']:<28}{row['seconds']:>9.1f}{row['images_per_second']:>10,.0f}{row['parameters']:>12,}"
        f"{row['gflop_per_image']:>13.3f}{100 * row['share_of_peak']:>11.1f}"
        f"{row['steps']:>7}{row['sampling_seconds']:>9.1f}{row['grey']:>15.2f}{row['bernoulli']:>11.2f}"
    )


class Ours:
    """`ImageDiffusion` with its labels, trained as chapter 6 trains it, and the mean of its late weights."""

    def __init__(self, y: Tensor) -> None:
        self.labels = y
        self.model = RECIPE.model().to(device())
        self.averaged = AveragedModel(self.model, multi_avg_fn=RECIPE.average).eval()

    def updates(self, x: Tensor, steps: int, seed: int = 0) -> Iterator[Step]:
        """Train for `steps` updates."""
        given = {"batch_size": RECIPE.batch_size, "lr": RECIPE.lr, "seed": seed}
        for step in train_steps(self.model, x, self.labels, steps=steps, **given):
            self.averaged.update_parameters(self.model)
            yield step

    def train(self, x: Tensor, budget: float) -> tuple[float, int]:
        """Train for about `budget` seconds and return the seconds it took and the images it saw."""
        steps = updates_within(budget, self.labels, x)
        start = perf_counter()
        for _ in self.updates(x, steps):
            pass
        return perf_counter() - start, steps * RECIPE.batch_size

    def draw(self, n: int, steps: int, generator: torch.Generator) -> Tensor:
        """Draw n images, their labels from the training data."""
        model, images = self.averaged.module, []
        for part in torch.arange(n).split(AT_A_TIME):
            chosen = torch.randint(len(self.labels), (len(part),), generator=generator, device=generator.device)
            y = self.labels[chosen]
            x_T = torch.randn(len(y), *model.event_shape, generator=generator, device=generator.device)
            schedule = model.schedule.strided(steps)
            *_, x0 = ddim(partial(model.predict, y=y), x_T, schedule, ETA, generator=generator)
            images.append(pixels(x0))
        return torch.cat(images)


def updates_within(budget: float, y: Tensor, x: Tensor) -> int:
    """Count the updates of ours that fit into `budget` seconds, by training one that is thrown away for a tenth."""
    return max(1, round(budget * steps_per_second(Ours(y).updates(x, 1_000_000), budget / 10)))


class Plain(nn.Module):
    """A U-Net of 370,000 parameters on patches, the cosine schedule, mean squared error of v; no labels, no bound."""

    batch_size = 64

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule(cosine())
        self.network = PlainUNet()

    def loss(self, x: Tensor) -> Tensor:
        """Compute the mean squared error of v of one batch."""
        x0, eps = 2 * x - 1, torch.randn_like(x)
        t = torch.randint(1, self.schedule.T + 1, (len(x),), device=x.device)
        alpha_bar_t = append_dims(self.schedule.alpha_bar[t], x)
        v = self.network(q_sample(x0, eps, alpha_bar_t), self.schedule.log_snr[t])
        return (v - velocity(x0, eps, alpha_bar_t)).square().mean()

    def predict(self, x_t: Tensor, log_snr: Tensor) -> tuple[Tensor, float]:
        """Guess x_0, as samplers want it."""
        v = self.network(x_t, log_snr)
        return x0_from_v(v, x_t, append_dims(alpha_bar_from(log_snr), x_t)).clamp(-1, 1), -1.0

    def draw(self, n: int, steps: int, generator: torch.Generator) -> Tensor:
        """Draw n images."""
        x_T = torch.randn(n, 1, 28, 28, generator=generator, device=generator.device)
        schedule = self.schedule.strided(steps)
        drawn = (ddim(self.predict, part, schedule, ETA, generator=generator) for part in x_T.split(AT_A_TIME))
        return torch.cat([pixels([*states][-1]) for states in drawn])


class PlainUNet(nn.Module):
    """Noisy images and log(ᾱ/(1 − ᾱ)) to v: 48 channels on 14 × 14 patches, 64 on 7 × 7, two blocks each way."""

    def __init__(self, width: int = 48, inner: int = 64, features: int = 112) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.linspace(-3, 3, 32).exp())
        self.noise = nn.Sequential(*(nn.Linear(64, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU()))
        self.conv_in = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, width, 3, padding=1))  # (B, width, 14, 14)
        self.before = Block(width, width, features)
        self.shrink = nn.Conv2d(width, inner, 3, stride=2, padding=1)  # (B, inner, 7, 7)
        self.middle = nn.ModuleList([Block(inner, inner, features) for _ in range(2)])
        self.grow = nn.ConvTranspose2d(inner, width, 2, stride=2)  # (B, width, 14, 14)
        self.after = Block(2 * width, width, features)
        self.conv_out = nn.Sequential(*normed(width, 4), nn.PixelShuffle(2))  # (B, 1, 28, 28)

    def forward(self, x_t: Tensor, log_snr: Tensor) -> Tensor:
        """Compute v, of the shape of x_t."""
        noise = self.noise(sinusoidal_embedding(log_snr, self.frequencies))
        outer = self.before(self.conv_in(x_t), noise)
        inner = self.shrink(outer)
        for block in self.middle:
            inner = block(inner, noise)
        return self.conv_out(self.after(torch.cat([outer, self.grow(inner)], 1), noise))


class Block(nn.Module):
    """Two convolutions beside a shortcut; between them the noise level scales and shifts each channel."""

    def __init__(self, i: int, o: int, features: int) -> None:
        super().__init__()
        self.first = normed(i, o)
        self.norm, self.film = nn.GroupNorm(8, o), nn.Linear(features, 2 * o)
        self.second = nn.Sequential(nn.SiLU(), nn.Conv2d(o, o, 3, padding=1))
        self.shortcut = nn.Identity() if i == o else nn.Conv2d(i, o, 1)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """Compute `(B, o, H, W)` from `(B, i, H, W)` and `(B, features)`."""
        scale, shift = append_dims(self.film(noise), x).chunk(2, 1)
        return self.shortcut(x) + self.second(self.norm(self.first(x)) * (1 + scale) + shift)


def normed(i: int, o: int) -> nn.Sequential:
    """Build a convolution behind a normalisation and an activation."""
    return nn.Sequential(nn.GroupNorm(8, i), nn.SiLU(), nn.Conv2d(i, o, 3, padding=1))


def train_peer(peer: nn.Module, x: Tensor, budget: float) -> tuple[nn.Module, float, int]:
    """Train for `budget` seconds; return it with averaged weights, the seconds it took and the images it saw."""
    optimizer = torch.optim.AdamW(peer.parameters(), lr=PEERS_LR, weight_decay=0.0, fused=True)
    averaged = AveragedModel(peer, multi_avg_fn=RECIPE.average)
    start, steps = perf_counter(), 0
    while (share := (perf_counter() - start) / budget) < 1:
        steps += 1
        for group in optimizer.param_groups:
            group["lr"] = PEERS_LR * min(steps / WARM_UP, 0.5 * (1 + math.cos(math.pi * share)))
        optimizer.zero_grad()
        peer.loss(x[torch.randint(len(x), (peer.batch_size,), device=x.device)]).backward()
        optimizer.step()
        averaged.update_parameters(peer)
    return averaged.module.eval(), perf_counter() - start, steps * peer.batch_size


def judged(model: Ours | nn.Module, about: dict, numbers: tuple[int, ...], judge: Judge) -> list[dict]:
    """Judge as many samples as there are test images, at each number of sampler's steps: one row each."""
    results = []
    for steps in numbers:
        generator, start = torch.Generator(device()).manual_seed(1), perf_counter()
        with torch.inference_mode():
            x = model.draw(len(judge.grey), steps, generator)
        about |= {"steps": steps, "sampling_seconds": perf_counter() - start}
        results.append(about | judge.distances(x, generator))
    return results


def described(
    model: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor, seconds: float, seen: int, peak: float
) -> dict[str, float]:
    """What the training cost: GFLOP of an image, forward and backward, and what share that is of the peak."""
    with FlopCounterMode(display=False) as counter:
        loss(x[:8]).mean().backward()
    gflop = counter.get_total_flops() / 8e9
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": seconds,
        "images_per_second": seen / seconds,
        "gflop_per_image": gflop,
        "share_of_peak": gflop * seen / seconds / peak,
    }


def matmul_gflops() -> float:
    """Measure how fast this machine multiplies square matrices in float32, in GFLOP/s.

    A yardstick, no ceiling: on AMD's processors MKL, which multiplies matrices, leaves AVX-512 alone, and oneDNN,
    which convolves, does not (90 against 250 GFLOP/s on one core). So a network of convolutions may pass it.
    """
    a = torch.rand(2048, 2048, device=device())
    timer = Timer("a @ a", globals={"a": a}, num_threads=torch.get_num_threads())
    return 2 * len(a) ** 3 / 1e9 / timer.blocked_autorange(min_run_time=2.0).median


def pixels(x0: Tensor) -> Tensor:
    """Take [−1, 1] to pixels in [0, 1]."""
    return x0.clamp(-1, 1).add(1).div(2)
