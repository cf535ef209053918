"""Training as a generator: it yields after each update, so the caller logs, plots, averages or stops."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, positive


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
        FloatingPointError: a loss that is not finite; the weights are those of the step before.
    """
    model.check_x(x)
    if y is not None and len(y) != len(x):
        raise ValueError(f"y: expected a label for each of the {len(x)} examples, got {len(y)}")
    positive("steps", steps)
    if positive("batch_size", batch_size) > len(x):
        raise ValueError(f"batch_size: expected at most the {len(x)} examples of x, got {batch_size}")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr: expected a positive number, got {lr}")
    return _updates(model, x, y, steps, batch_size, lr, seed, prepare)


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
    order, used = torch.empty(0, dtype=torch.long, device=x.device), 0
    model.train()
    try:
        for number in range(1, steps + 1):
            if used + batch_size > len(order):
                order, used = torch.randperm(len(x), generator=generator, device=x.device), 0
            chosen = order[used : used + batch_size]
            used += batch_size
            batch = x[chosen] if prepare is None else prepare(x[chosen], generator)
            given = () if y is None else (y[chosen],)
            parts = {name: part.mean() for name, part in model(batch, *given, generator=generator).items()}
            losses = dict(zip(parts, torch.stack([*parts.values()]).tolist(), strict=True))
            if not math.isfinite(losses["loss"]):
                raise FloatingPointError(
                    f"the loss became {losses['loss']} at step {number} ({losses}). The model keeps its weights of "
                    f"step {number - 1}. Try a smaller lr (now {lr:g}), or look for values out of range in the data."
                )
            for group in optimizer.param_groups:
                group["lr"] = lr * min(number / warm_up, 0.5 * (1 + math.cos(math.pi * (number - 1) / steps)))
            optimizer.zero_grad()
            parts["loss"].backward()
            optimizer.step()
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()
