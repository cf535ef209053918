"""Training as a generator: it yields after each update, so the caller logs, plots, averages or stops.

The same generators train in one process and in many, and go on after a kill; `python -m gen_utils.train --help` runs
them on the chapters' recipes.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, positive
from gen_utils.checkpoint import Checkpoint
from gen_utils.models.gan import EPSILON, GAN
from gen_utils.scaling import Alone, Team

if TYPE_CHECKING:
    from accelerate import Accelerator

MEMORY = 0.05  # share of the run so far that `average` remembers


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
    prepare: Callable[..., Tensor] | None = None,
    accelerator: "Accelerator | None" = None,
    checkpoint: Checkpoint | None = None,
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
        accelerator: joins the processes that each call this function with the same arguments, one batch for all of
            them, and sets the precision.
        checkpoint: where training goes on, if it holds anything; `checkpoint.save(step.number)` between two steps
            writes it.

    Raises:
        ValueError: sizes or a learning rate that do not fit, data that the model refuses, or a checkpoint of another
            training.
        FloatingPointError: a loss or a gradient that is not finite; the weights are those of the step before.
    """
    _check(model, x, y, steps, batch_size, lr)
    team = Alone() if accelerator is None else Team(accelerator, batch_size)
    batches = Batches(x, y, batch_size, seed, prepare)
    return _updates(model, batches, steps, lr, team, checkpoint)


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
    prepare: Callable[..., Tensor] | None = None,
    accelerator: "Accelerator | None" = None,
    checkpoint: Checkpoint | None = None,
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
        accelerator: joins the processes that each call this function with the same arguments, one batch for all of
            them, and sets the precision.
        checkpoint: where training goes on, if it holds anything; `checkpoint.save(step.number)` between two steps
            writes it.

    Raises:
        ValueError: sizes or a learning rate that do not fit, data that the model refuses, or a checkpoint of another
            training.
        FloatingPointError: a loss or a gradient that is not finite; the weights are the last finite ones.
    """
    rates = (lr, lr if discriminator_lr is None else discriminator_lr)
    _check(model, x, y, steps, batch_size, *rates)
    positive("d_steps", d_steps)
    team = Alone() if accelerator is None else Team(accelerator, batch_size)
    batches = Batches(x, y, batch_size, seed, prepare)
    return _rounds(model, batches, steps, rates, schedule, d_steps, team, checkpoint)


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


class Batches:
    """The data in batches, without end: every epoch in a new order, but for a last batch that would not be full.

    Attributes:
        generator: of the order, of `prepare`, and of the noise of the model that is trained.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor | None,
        size: int,
        seed: int,
        prepare: Callable[..., Tensor] | None,
    ) -> None:
        self.x, self.y, self.size, self.prepare = x, y, size, prepare
        self.generator = torch.Generator(x.device).manual_seed(seed)
        self.position = 0
        self.epoch: Tensor | None = None  # the generator's state before it drew the order

    def __next__(self) -> list[Tensor]:
        """Return the next batch: x, `(B, *event_shape)`, prepared, and y, `(B,)`, if there is one."""
        if self.epoch is None or self.position == len(self.x) // self.size:
            self._shuffle()
        chosen = self.order[self.position * self.size :][: self.size]
        self.position += 1
        batch = self.x[chosen] if self.prepare is None else self.prepare(self.x[chosen], generator=self.generator)
        return [batch] if self.y is None else [batch, self.y[chosen]]

    def _shuffle(self) -> None:
        self.epoch, self.position = self.generator.get_state(), 0
        self.order = torch.randperm(len(self.x), generator=self.generator, device=self.x.device)

    def state_dict(self) -> dict[str, Any]:
        """Return what tells the next batch, and all random numbers to come."""
        return {"epoch": self.epoch, "position": self.position, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.generator.set_state(state["epoch"])
        self._shuffle()
        self.position = state["position"]
        self.generator.set_state(state["generator"])


def _descend(
    team: Alone, optimizer: torch.optim.Optimizer, loss: Tensor, value: float, rate: float, where: str, kept: str
) -> None:
    """Take one step at `rate`, or refuse where the loss, `value` of all processes, or the gradient is not finite."""
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    optimizer.zero_grad(set_to_none=True)
    bad = "" if math.isfinite(value) else f"loss became {value}"
    if not bad:
        team.backward(loss, optimizer, parameters)
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        bad = "" if norm.isfinite() or team.overflows else f"gradient's norm became {norm.item()}"
    if bad:
        optimizer.zero_grad(set_to_none=True)
        raise FloatingPointError(
            f"the {bad} at {where}. The model keeps its {kept}. Try a smaller lr (now {optimizer.defaults['lr']:g}), "
            "or look for values out of range in the data."
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def _rounds(
    model: GAN,
    batches: Batches,
    steps: int,
    rates: tuple[float, float],
    schedule: Callable[[int], float],
    d_steps: int,
    team: Alone,
    checkpoint: Checkpoint | None,
) -> Iterator[Step]:
    kept, generator, rows = "last finite weights", batches.generator, batches.size // team.world
    for_generator, for_discriminator = (
        team.optimizer(torch.optim.Adam(network.parameters(), lr=rate, betas=model.betas, eps=EPSILON, fused=True))
        for network, rate in zip((model.generator, model.discriminator), rates, strict=True)
    )
    generate = team.turn(model.generator, model.generator_loss)
    discriminate = team.turn(model.discriminator, model.discriminator_loss)
    state: dict[str, Any] = {"for_generator": for_generator, "for_discriminator": for_discriminator}
    done = 0 if checkpoint is None else checkpoint.resume(model=model, batches=batches, **state)
    model.train()
    try:
        for number in range(done + 1, steps + 1):
            factor = schedule(number)
            for _ in range(d_steps):
                batch, *given = team.rows(next(batches))
                with team.whole(model, generator, rows):
                    loss = discriminate(batch, *given, generator=generator)["loss"].mean()
                losses = {"discriminator": (value := team.mean(loss.detach()).item())}
                rate, where = rates[1] * factor, f"step {number} ({losses})"
                _descend(team, for_discriminator, loss, value, rate, where, kept)
            with team.whole(model, generator, rows):
                loss = generate(rows, *given, generator=generator)["loss"].mean()
            losses["generator"] = value = team.mean(loss.detach()).item()
            _descend(team, for_generator, loss, value, rates[0] * factor, f"step {number} ({losses})", kept)
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()


def _updates(
    model: GenerativeModel, batches: Batches, steps: int, lr: float, team: Alone, checkpoint: Checkpoint | None
) -> Iterator[Step]:
    generator, rows = batches.generator, batches.size // team.world
    optimizer = team.optimizer(torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True))
    turn = team.turn(model, model.__call__)
    done = 0 if checkpoint is None else checkpoint.resume(model=model, optimizer=optimizer, batches=batches)
    warm_up = max(1, steps // 100)
    model.train()
    try:
        for number in range(done + 1, steps + 1):
            batch, *given = team.rows(next(batches))
            with team.whole(model, generator, rows):
                parts = {name: part.mean() for name, part in turn(batch, *given, generator=generator).items()}
            means = team.mean(torch.stack([part.detach() for part in parts.values()]))
            losses = dict(zip(parts, means.tolist(), strict=True))
            rate = lr * min(number / warm_up, 0.5 * (1 + math.cos(math.pi * (number - 1) / steps)))
            where, kept = f"step {number} ({losses})", f"weights of step {number - 1}"
            _descend(team, optimizer, parts["loss"], losses["loss"], rate, where, kept)
            yield Step(number, losses)
    finally:  # also where the caller stops early
        model.eval()


@torch.no_grad()
def average(averaged: list[Tensor], current: list[Tensor], number: int | Tensor) -> None:
    """Move the averaged weights, in place, towards those after update `number`, counted from 0.

    An exponential average whose memory is always the last twentieth of the updates so far: the bad first ones are
    forgotten, and nothing depends on how long the run will be. Karras et al. 2024, arXiv:2312.02696, section 3.1.
    """
    torch._foreach_lerp_(averaged, current, 1 / max(1.0, MEMORY * float(number)))


if __name__ == "__main__":
    from gen_utils.command import main

    main()
