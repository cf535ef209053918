"""Training as a generator: it yields after each update, so the caller logs, plots, averages or stops.

Two loops: `train_steps` for a model with one loss, `train_gan_steps` for two networks with a loss each. Training in
several processes, with checkpoints, is `python -m gen_utils.distributed`.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gen_utils.base import Model, Trainable, positive
from gen_utils.models.gan import EPSILON, GAN

MEMORY = 0.05  # the averaged weights look back over this part of the run so far


@dataclass(frozen=True)
class Step:
    """What one update did: its number, from 1, and the batch means of the loss's named parts, in nats."""

    number: int
    losses: dict[str, float]


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU.

    An Apple GPU, MPS, is taken if `PYTORCH_ENABLE_MPS_FALLBACK=1` was set before Python started, for what it cannot
    do. It has no float64: a closed-form `fit`, and chapters that compute in double precision, need the CPU.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    mps = torch.backends.mps.is_available() and os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK") == "1"
    return torch.device("mps" if mps else "cpu")


def train_steps(
    model: Trainable,
    x: Tensor,
    y: Tensor | None = None,
    *,
    steps: int,
    batch_size: int = 256,
    lr: float = 1e-3,
    seed: int = 0,
    prepare: Callable[..., Tensor] | None = None,
) -> Iterator[Step]:
    """Train `model` on `x`, `(N, *event_shape)`, and yield a `Step` after each of `steps` updates.

    AdamW without decay; the learning rate follows `warm_up_and_cosine`, the data `shuffled_batches`. All random
    numbers come from one generator with the seed `seed`, so the same call gives the same weights again. The model is
    in training mode while it is trained, and in evaluation mode afterwards.

    Args:
        model: trained in place, on the device where it and `x` are.
        x: the data, one tensor.
        y: the labels, `(N,)`, of a model that takes labels.
        steps: number of updates.
        batch_size: examples in a batch.
        lr: the highest learning rate.
        seed: of the order of the data, of `prepare` and of the model's own noise.
        prepare: `prepare(x, generator=generator)` is called on each batch before the model sees it; such as
            `binarize`.

    Raises:
        ValueError: sizes or a learning rate that do not fit, or data that the model refuses; at the first step.
        FloatingPointError: a loss or a gradient that is not finite; the weights are those of the step before.
    """
    check_training(model, x, y, steps, batch_size, lr)
    generator = torch.Generator(x.device).manual_seed(seed)
    batches = shuffled_batches(x, y, batch_size, prepare, generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True)
    model.train()
    try:
        for number in range(1, steps + 1):
            parts = {name: part.mean() for name, part in model(*next(batches), generator=generator).items()}
            losses = {name: part.item() for name, part in parts.items()}
            optimizer.zero_grad()
            parts["loss"].backward()
            check_finite("loss", losses, model.parameters(), number, lr)
            set_rate(optimizer, lr * warm_up_and_cosine(number, steps))
            optimizer.step()
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()


def train_gan_steps(
    model: GAN,
    x: Tensor,
    y: Tensor | None = None,
    *,
    steps: int,
    batch_size: int = 256,
    lr: float = 1e-3,
    discriminator_lr: float | None = None,
    lr_schedule: Callable[[int], float] = lambda number: 1.0,
    d_steps: int = 1,
    seed: int = 0,
    prepare: Callable[..., Tensor] | None = None,
) -> Iterator[Step]:
    """Train both networks of `model` on `x`, `(N, *event_shape)`, and yield a `Step` after each of `steps` rounds.

    A round is `d_steps` updates of the discriminator, each on a new batch, then one update of the generator. Adam
    with the model's `betas`; order, seed and modes are as in `train_steps`.

    Args:
        model: trained in place, on the device where it and `x` are.
        x: the data, one tensor.
        y: the labels, `(N,)`, of a model that takes labels; the generator draws for those of the round's last batch.
        steps: number of rounds.
        batch_size: examples in a batch.
        lr: the generator's learning rate.
        discriminator_lr: the discriminator's learning rate; by default the generator's.
        lr_schedule: both learning rates are multiplied by its value in round 1, 2, …; by default 1.
        d_steps: updates of the discriminator in a round.
        seed: of the order of the data, of `prepare` and of the model's own noise.
        prepare: `prepare(x, generator=generator)` is called on each batch before the model sees it.

    Raises:
        ValueError: sizes or a learning rate that do not fit, or data that the model refuses; at the first step.
        FloatingPointError: a loss or a gradient that is not finite; the network's weights are those before this
            update.
    """
    discriminator_lr = lr if discriminator_lr is None else discriminator_lr
    check_training(model, x, y, steps, batch_size, lr, discriminator_lr)
    positive("d_steps", d_steps)
    generator = torch.Generator(x.device).manual_seed(seed)
    batches = shuffled_batches(x, y, batch_size, prepare, generator)
    g_parameters, d_parameters = [*model.generator.parameters()], [*model.discriminator.parameters()]
    g_optimizer = torch.optim.Adam(g_parameters, lr=lr, betas=model.betas, eps=EPSILON, fused=True)
    d_optimizer = torch.optim.Adam(d_parameters, lr=discriminator_lr, betas=model.betas, eps=EPSILON, fused=True)
    model.train()
    try:
        for number in range(1, steps + 1):
            factor = lr_schedule(number)
            set_rate(g_optimizer, lr * factor)
            set_rate(d_optimizer, discriminator_lr * factor)
            for _ in range(d_steps):
                real, *labels = next(batches)
                loss = model.discriminator_loss(real, *labels, generator=generator)["loss"].mean()
                losses = {"discriminator": loss.item()}
                d_optimizer.zero_grad()
                loss.backward(inputs=d_parameters)
                check_finite("discriminator", losses, d_parameters, number, discriminator_lr)
                d_optimizer.step()
            loss = model.generator_loss(batch_size, *labels, generator=generator)["loss"].mean()
            losses["generator"] = loss.item()
            g_optimizer.zero_grad()
            loss.backward(inputs=g_parameters)
            check_finite("generator", losses, g_parameters, number, lr)
            g_optimizer.step()
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()


def shuffled_batches(
    x: Tensor,
    y: Tensor | None,
    size: int,
    prepare: Callable[..., Tensor] | None,
    generator: torch.Generator,
) -> Iterator[list[Tensor]]:
    """Yield batches without end: [x] or [x, y], `(size, …)` each.

    Every epoch visits the data once in a new order, except for the examples at its end that do not fill a batch.
    """
    while True:
        order = torch.randperm(len(x), generator=generator, device=x.device)
        for chosen in order.split(size)[: len(x) // size]:
            batch = x[chosen] if prepare is None else prepare(x[chosen], generator=generator)
            yield [batch] if y is None else [batch, y[chosen]]


def warm_up_and_cosine(number: int, steps: int) -> float:
    """Return the factor of the learning rate at update `number` = 1, …, `steps`.

    It grows linearly to 1 over the first hundredth of the updates, and falls to 0 along a cosine.
    """
    return min(number / max(1, steps // 100), 0.5 * (1 + math.cos(math.pi * (number - 1) / steps)))


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all of an optimizer's parameters. One that no schedule may give is a `ValueError`."""
    if not 0 <= lr < math.inf:
        raise ValueError(f"learning rate: expected a number that is not negative, got {lr}; look at the schedule")
    for group in optimizer.param_groups:
        group["lr"] = lr


def check_training(model: Model, x: Tensor, y: Tensor | None, steps: int, batch_size: int, *rates: float) -> None:
    """Refuse what cannot be trained.

    Raises:
        TypeError: a number that is not an integer, or data of another type than the model's.
        ValueError: sizes or a learning rate that do not fit, or data that the model refuses.
    """
    model.check_x(x)
    if isinstance(y, Tensor) and y.ndim > 0 and len(y) != len(x):
        raise ValueError(f"y: expected a label for each of the {len(x)} examples, got {len(y)}")
    if y is not None:  # where labels are missing, the loss says so
        model.check_y(y, len(x))
    positive("steps", steps)
    if positive("batch_size", batch_size) > len(x):
        raise ValueError(f"batch_size: expected at most the {len(x)} examples of x, got {batch_size}")
    for lr in rates:
        if not 0 < lr < math.inf:
            raise ValueError(f"lr: expected a positive number, got {lr}")


def check_finite(name: str, losses: dict[str, float], parameters: Iterable[Tensor], number: int, lr: float) -> None:
    """Stop before update `number` where the loss `losses[name]`, or the gradient in `parameters`, is not finite.

    Raises:
        FloatingPointError: says what became infinite or NaN, and when, with the step's losses so far and its `lr`.
    """
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    bad = "" if norm.isfinite() else f"gradient's norm became {norm.item()}"
    if not math.isfinite(losses[name]):
        bad = f"loss became {losses[name]}"
    if bad:
        raise FloatingPointError(
            f"the {bad} at step {number} ({losses}). The weights are those before this update. "
            f"Try a smaller lr (now {lr:g}), or look for values out of range in the data."
        )


def averaging_rate(number: Tensor) -> Tensor:
    """Return how far an average of `number` = 1, 2, … weights moves towards the next ones: 20/number, at most 1.

    So the average looks back over the last twentieth of the updates, however many there were: it forgets the bad
    first ones, and does not depend on the length of the run. Karras et al. 2024, arXiv:2312.02696, section 3.1.
    """
    return 1 / (MEMORY * number).clamp(min=1.0)


@torch.no_grad()
def average(averaged: list[Tensor], current: list[Tensor], number: int | Tensor) -> None:
    """Move averaged weights, in place, towards the current ones by `averaging_rate`.

    Made for `torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=average)`.
    """
    rate = averaging_rate(torch.tensor(float(number), dtype=torch.float64)).item()  # on the CPU: MPS has no float64
    for mean, weights in zip(averaged, current, strict=True):
        mean.lerp_(weights, rate)
