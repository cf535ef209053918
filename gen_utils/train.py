"""Training as a generator: it yields after each update, so the caller logs, plots, averages or stops."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, positive
from gen_utils.gan import EPSILON, GAN


@dataclass(frozen=True)
class Step:
    """What one update did: its number, from 1, and the batch means of the loss's named parts, in nats."""

    number: int
    losses: dict[str, float]


def device() -> torch.device:
    """Name the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train_steps(
    model: GenerativeModel,
    x: Tensor,
    y: Tensor | None = None,
    *,
    steps: int,
    batch_size: int = 256,
    lr: float = 1e-3,
    seed: int = 0,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None = None,
) -> Iterator[Step]:
    """Train `model` on `x`, `(N, *event_shape)`, and yield a `Step` after each of `steps` updates.

    AdamW without decay, linear warm-up over the first hundredth of the steps, then a cosine down to zero.
    Every epoch goes through the data once in a new order, but for a last batch that would not be full. All random
    numbers come from one generator made from `seed`, so the same call gives the same weights again.

    Args:
        model: trained in place, on the device where it and `x` are.
        x: the data, one tensor.
        y: the labels of a conditional model, `(N,)`.
        steps: number of updates.
        batch_size: examples an update.
        lr: the learning rate at its highest.
        seed: of the order of the data, of `prepare` and of the model's own noise.
        prepare: applied to each batch before the model sees it, such as `binarize`.

    Raises:
        ValueError: sizes or a learning rate that do not fit, or data that the model refuses.
        FloatingPointError: a loss or a gradient that is not finite; the weights are those of the step before.
    """
    _check(model, x, y, steps, batch_size, lr)
    return _updates(model, x, y, steps, batch_size, lr, seed, prepare)


def train_gan_steps(
    model: GAN,
    x: Tensor,
    y: Tensor | None = None,
    *,
    steps: int,
    batch_size: int = 256,
    lr: float = 1e-3,
    discriminator_lr: float | None = None,
    schedule: Callable[[int], float] = lambda number: 1.0,
    d_steps: int = 1,
    seed: int = 0,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None = None,
) -> Iterator[Step]:
    """Train both networks of `model` on `x`, `(N, *event_shape)`, and yield a `Step` after each of `steps` rounds.

    A round is `d_steps` updates of the discriminator, each on a batch of its own, then one of the generator. Data,
    seed and noise are treated as by `train_steps`.

    Args:
        model: trained in place, on the device where it and `x` are.
        x: the data, one tensor.
        y: the labels of a conditional model, `(N,)`; the generator is asked for those of the round's last batch.
        steps: number of rounds.
        batch_size: examples an update.
        lr: the generator's learning rate.
        discriminator_lr: the discriminator's; without, the same.
        schedule: what both learning rates are multiplied by in round 1, 2, …; without, they stay as they are.
        d_steps: updates of the discriminator a round.
        seed: of the order of the data, of `prepare` and of the model's own noise.
        prepare: applied to each batch before the model sees it, such as `binarize`.

    Raises:
        ValueError: sizes or a learning rate that do not fit, or data that the model refuses.
        FloatingPointError: a loss or a gradient that is not finite; the weights are the last finite ones.
    """
    rates = (lr, lr if discriminator_lr is None else discriminator_lr)
    _check(model, x, y, steps, batch_size, *rates)
    positive("d_steps", d_steps)
    return _rounds(model, x, y, steps, batch_size, rates, schedule, d_steps, seed, prepare)


def _check(model: GenerativeModel, x: Tensor, y: Tensor | None, steps: int, batch_size: int, *rates: float) -> None:
    model.check_x(x)
    if y is not None and len(y) != len(x):
        raise ValueError(f"y: expected a label for each of the {len(x)} examples, got {len(y)}")
    positive("steps", steps)
    if positive("batch_size", batch_size) > len(x):
        raise ValueError(f"batch_size: expected at most the {len(x)} examples of x, got {batch_size}")
    for lr in rates:
        if not 0 < lr < math.inf:
            raise ValueError(f"lr: expected a positive number, got {lr}")


def _batches(
    x: Tensor,
    y: Tensor | None,
    batch_size: int,
    generator: torch.Generator,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None,
) -> Iterator[tuple[Tensor, ...]]:
    while True:
        order = torch.randperm(len(x), generator=generator, device=x.device)
        for chosen in order.split(batch_size)[: len(x) // batch_size]:
            batch = x[chosen] if prepare is None else prepare(x[chosen], generator)
            yield (batch,) if y is None else (batch, y[chosen])


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float, where: str, kept: str) -> None:
    """Take one step at `rate`, or refuse where the loss or the gradient is not finite."""
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    optimizer.zero_grad()
    bad = "" if loss.isfinite() else f"loss became {loss.item()}"
    if not bad:
        loss.backward(inputs=parameters)
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        bad = "" if norm.isfinite() else f"gradient's norm became {norm.item()}"
    if bad:
        optimizer.zero_grad()
        raise FloatingPointError(
            f"the {bad} at {where}. The model keeps its {kept}. Try a smaller lr (now {optimizer.defaults['lr']:g}), "
            "or look for values out of range in the data."
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def _rounds(
    model: GAN,
    x: Tensor,
    y: Tensor | None,
    steps: int,
    batch_size: int,
    rates: tuple[float, float],
    schedule: Callable[[int], float],
    d_steps: int,
    seed: int,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None,
) -> Iterator[Step]:
    kept = "last finite weights"
    generator = torch.Generator(x.device).manual_seed(seed)
    for_generator, for_discriminator = (
        torch.optim.Adam(network.parameters(), lr=rate, betas=model.betas, eps=EPSILON, fused=True)
        for network, rate in zip((model.generator, model.discriminator), rates, strict=True)
    )
    batches = _batches(x, y, batch_size, generator, prepare)
    model.train()
    try:
        for number in range(1, steps + 1):
            factor = schedule(number)
            for _ in range(d_steps):
                batch, *given = next(batches)
                loss = model.discriminator_loss(batch, *given, generator=generator)["loss"].mean()
                losses = {"discriminator": loss.item()}
                _descend(for_discriminator, loss, rates[1] * factor, f"step {number} ({losses})", kept)
            loss = model.generator_loss(batch_size, *given, generator=generator)["loss"].mean()
            losses["generator"] = loss.item()
            _descend(for_generator, loss, rates[0] * factor, f"step {number} ({losses})", kept)
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()


def _updates(
    model: GenerativeModel,
    x: Tensor,
    y: Tensor | None,
    steps: int,
    batch_size: int,
    lr: float,
    seed: int,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None,
) -> Iterator[Step]:
    generator = torch.Generator(x.device).manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True)
    warm_up = max(1, steps // 100)
    batches = _batches(x, y, batch_size, generator, prepare)
    model.train()
    try:
        for number in range(1, steps + 1):
            batch, *given = next(batches)
            parts = {name: part.mean() for name, part in model(batch, *given, generator=generator).items()}
            losses = dict(zip(parts, torch.stack([*parts.values()]).tolist(), strict=True))
            rate = lr * min(number / warm_up, 0.5 * (1 + math.cos(math.pi * (number - 1) / steps)))
            _descend(optimizer, parts["loss"], rate, f"step {number} ({losses})", f"weights of step {number - 1}")
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()
