r"""One update of a model by several processes, each on its own part of the batch.

    ∇ 1/B Σ_i ℓ(x_i, ε_i)  =  1/W Σ_r  ∇ W/B Σ_{i ≡ r mod W} ℓ(x_i, ε_i)

Process r of W computes the gradient on the rows r, r + W, r + 2W, … of each batch, with noise of its own.
`DistributedDataParallel` averages the W gradients, so all processes take the same step.

References: Li et al. 2020, arXiv:2006.15704 (`DistributedDataParallel`); Micikevicius et al. 2018, arXiv:1710.03740
(mixed precision).
"""

from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn

from gen_utils import data
from gen_utils.base import Trainable
from gen_utils.models.gan import EPSILON, GAN
from gen_utils.recipes import Recipe
from gen_utils.train import check_finite, check_training, set_rate, warm_up_and_cosine

SEED_STRIDE = 1_000_003  # between the seeds of two processes, so that a run with the next seed shares none of them


def examples(recipe: Recipe, dataset: str) -> tuple[Tensor, Tensor | None]:
    """Load what a recipe trains on: x, `(N, *event_shape)`, and y, `(N,)`, for a model that takes labels."""
    if recipe.points:
        return recipe.points(), None
    images = data.load(dataset)
    return images.train, images.train_labels if recipe.labels else None


class Batches:
    """This process's part of every batch, without end: [x] or [x, y], `(B / W, …)` each.

    The first process draws the order of an epoch and sends it to all. With one process, all random numbers are those
    of `train_steps`.

    Args:
        x: the data, `(N, *event_shape)`, the same in all processes.
        y: the labels, `(N,)`, or `None`.
        recipe: has the size of a batch, of all processes together, and `prepare`.
        seed: of the training; each process has its own generator.
        accelerator: joins the processes.

    Attributes:
        generator: this process's random numbers, for `prepare` and for the model's noise.

    Raises:
        ValueError: a batch that cannot be split evenly, with at least two examples for each process.
    """

    def __init__(self, x: Tensor, y: Tensor | None, recipe: Recipe, seed: int, accelerator: Accelerator) -> None:
        self.rank, self.world = accelerator.process_index, accelerator.num_processes
        if self.world > 1 and (recipe.batch_size % self.world or recipe.batch_size < 2 * self.world):
            raise ValueError(
                f"batch_size: expected a multiple of the {self.world} processes, and at least {2 * self.world}, "
                f"got {recipe.batch_size}"
            )
        self.x, self.y, self.size, self.prepare = x, y, recipe.batch_size, recipe.prepare
        self.generator = torch.Generator(x.device).manual_seed(seed + SEED_STRIDE * self.rank)
        self.order, self.position = torch.empty(0, dtype=torch.int64, device=x.device), 0

    def __next__(self) -> list[Tensor]:
        """Return every `world`-th row of the next batch, from row `rank` on."""
        if self.position + self.size > len(self.order):
            order = torch.empty(len(self.x), dtype=torch.int64, device=self.x.device)
            if self.rank == 0:
                torch.randperm(len(self.x), generator=self.generator, out=order)
            self.order, self.position = broadcast(order), 0
        chosen = self.order[self.position : self.position + self.size][self.rank :: self.world]
        self.position += self.size
        batch = self.x[chosen] if self.prepare is None else self.prepare(self.x[chosen], generator=self.generator)
        return [batch] if self.y is None else [batch, self.y[chosen]]

    def state_dict(self) -> dict[str, Any]:
        """Return the order of this epoch and the place in it, which all processes share."""
        return {"order": self.order.cpu(), "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from there."""
        self.order, self.position = state["order"].to(self.x.device), state["position"]


Update = Callable[[int], dict[str, float]]  # does update number 1, 2, …; returns its losses, means over the batch


def updates(model: Trainable | GAN, batches: Batches, recipe: Recipe, accelerator: Accelerator) -> Update:
    """Prepare a model, and return the function that does one of its updates, or of a GAN one round.

    Raises:
        ValueError: sizes that do not fit, or data that the model refuses.
    """
    check_training(model, batches.x, batches.y, recipe.steps, recipe.batch_size, recipe.lr)
    model.train()
    if isinstance(model, GAN):
        return _two_networks(model, batches, recipe, accelerator)
    return _one_network(model, batches, recipe, accelerator)


def _one_network(model: Trainable, batches: Batches, recipe: Recipe, accelerator: Accelerator) -> Update:
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=0.0, fused=True)
    loss, optimizer = accelerator.prepare(model, optimizer)

    def update(number: int) -> dict[str, float]:
        parts = {name: part.mean() for name, part in loss(*next(batches), generator=batches.generator).items()}
        means = accelerator.reduce(torch.stack([part.detach() for part in parts.values()]), "mean")
        losses = dict(zip(parts, means.tolist(), strict=True))
        set_rate(optimizer, recipe.lr * warm_up_and_cosine(number, recipe.steps))
        _descend(accelerator, optimizer, parts["loss"], "loss", losses, number, recipe.lr)
        return losses

    return update


class Loss(nn.Module):
    """A network and its loss as `forward`: `DistributedDataParallel` wants every loss to come from a module's call.

    A GAN has two. Each averages the gradients of its own network, and of no other.
    """

    def __init__(self, network: nn.Module, loss: Callable[..., dict[str, Tensor]]) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, *inputs: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """Compute the loss's named parts, `(B,)` each."""
        return self.loss(*inputs, generator=generator)


def _two_networks(model: GAN, batches: Batches, recipe: Recipe, accelerator: Accelerator) -> Update:
    g_optimizer, d_optimizer = (
        torch.optim.Adam(network.parameters(), lr=recipe.lr, betas=model.betas, eps=EPSILON, fused=True)
        for network in (model.generator, model.discriminator)
    )
    g_loss, d_loss, g_optimizer, d_optimizer = accelerator.prepare(
        Loss(model.generator, model.generator_loss),
        Loss(model.discriminator, model.discriminator_loss),
        g_optimizer,
        d_optimizer,
    )

    def update(number: int) -> dict[str, float]:
        for optimizer in (g_optimizer, d_optimizer):
            set_rate(optimizer, recipe.lr * (recipe.lr_schedule(number, recipe.steps) if recipe.lr_schedule else 1.0))
        real, *labels = next(batches)
        loss = d_loss(real, *labels, generator=batches.generator)["loss"].mean()
        losses = {"discriminator": accelerator.reduce(loss.detach(), "mean").item()}
        _descend(accelerator, d_optimizer, loss, "discriminator", losses, number, recipe.lr)
        loss = g_loss(len(real), *labels, generator=batches.generator)["loss"].mean()
        losses["generator"] = accelerator.reduce(loss.detach(), "mean").item()
        _descend(accelerator, g_optimizer, loss, "generator", losses, number, recipe.lr)
        return losses

    return update


def _descend(
    accelerator: Accelerator,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    name: str,
    losses: dict[str, float],
    number: int,
    lr: float,
) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    optimizer.zero_grad()
    # A generator's loss also reaches the discriminator's weights; their gradient is not wanted here.
    accelerator.backward(loss, inputs=parameters)
    # In half precision a gradient may overflow: then the scaler leaves the update out and tries a smaller scale.
    check_finite(name, losses, [] if accelerator.scaler else parameters, number, lr)
    optimizer.step()
