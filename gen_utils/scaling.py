r"""One training in several processes, on several machines: the same numbers as in one.

    ∇ 1/B Σ_i ℓ(x_i, ε_i)  =  1/W Σ_r  ∇ W/B Σ_{i ≡ r mod W} ℓ(x_i, ε_i)

Process r of W computes the gradient on the examples r, r + W, r + 2W, … of each batch, and the mean of the W
gradients is the batch's. So that ε_i, too, is the same whoever draws it, all processes draw the noise of the whole
batch from equal generators and keep their rows. `Alone` is a training in one process, `Team` one in many, joined by
🤗 Accelerate.

References: Li et al. 2020, arXiv:2006.15704 (`DistributedDataParallel`); Micikevicius et al. 2018, arXiv:1710.03740
(mixed precision).
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from gen_utils.base import GenerativeModel


class Turn(nn.Module):
    """One network, and the loss that it minimises as `forward`: what `DistributedDataParallel` has to see.

    A GAN has two, which share their networks; each averages the gradients of its own one alone.
    """

    def __init__(self, network: nn.Module, loss: Callable[..., dict[str, Tensor]]) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, *args: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """Compute the loss's named parts, `(B,)` each."""
        return self.loss(*args, generator=generator)


class Alone:
    """A training in one process: every batch is its own, and what a `Team` would average is what it has."""

    world = 1
    overflows = False

    def turn(self, network: nn.Module, loss: Callable[..., dict[str, Tensor]]) -> nn.Module:
        """Make a network and its loss a module to call in training."""
        return Turn(network, loss)

    def optimizer(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Take an optimizer over."""
        return optimizer

    def rows(self, batch: list[Tensor]) -> list[Tensor]:
        """Take this process's share of the tensors of a batch."""
        return batch

    def whole(self, model: GenerativeModel, generator: torch.Generator, rows: int) -> AbstractContextManager:
        """Let `model` see the whole batch where it looks at one, and draw its noise for it."""
        return nullcontext()

    def mean(self, losses: Tensor) -> Tensor:
        """Average over the processes."""
        return losses

    def backward(self, loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
        """Add the gradient of the processes' mean loss to `parameters`."""
        loss.backward(inputs=parameters)


class Team(Alone):
    """The processes that an `accelerator` joins: the same training, of which each does its share.

    Args:
        accelerator: an `accelerate.Accelerator`, in each process.
        batch_size: examples an update, of all processes together.

    Raises:
        ValueError: processes that the accelerator has not joined, or a batch that cannot be split evenly, with two
            examples for each process at least.
    """

    def __init__(self, accelerator: Any, batch_size: int) -> None:
        self.accelerator = accelerator
        self.rank, self.world = accelerator.process_index, accelerator.num_processes
        if (launched := int(os.environ.get("WORLD_SIZE", 1))) != self.world:
            raise ValueError(
                f"accelerator: expected one that joins the {launched} processes that were launched, got one of "
                f"{self.world}: without GPU it is `Accelerator(cpu=True)`"
            )
        if self.world > 1 and (batch_size % self.world or batch_size < 2 * self.world):
            raise ValueError(
                f"batch_size: expected a multiple of the {self.world} processes, twice their number at least, "
                f"got {batch_size}"
            )
        # In half precision a gradient may overflow: then the scaler skips the update and tries a smaller scale.
        self.overflows = accelerator.scaler is not None

    def turn(self, network: nn.Module, loss: Callable[..., dict[str, Tensor]]) -> nn.Module:
        """Make a network and its loss a module that averages the gradients of all processes."""
        turn = Turn(network, loss)
        if self.accelerator.mixed_precision != "no":
            for layer in network.modules():
                layer.register_forward_hook(_widen)
        # Buffers are equal already, and MADE's masks are as large as its gradient: no need to send them round.
        names = [name for name, _ in turn.named_buffers()]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(turn, names)
        return self.accelerator.prepare_model(turn)

    def optimizer(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Let the gradients' scaler, in half precision, come before the optimizer."""
        return self.accelerator.prepare_optimizer(optimizer)

    def rows(self, batch: list[Tensor]) -> list[Tensor]:
        """Take this process's share of the tensors of a batch: every `world`-th row, from number `rank` on."""
        return [x[self.rank :: self.world].contiguous() for x in batch]

    def whole(self, model: GenerativeModel, generator: torch.Generator, rows: int) -> AbstractContextManager:
        """Let `model` see the whole batch where it looks at one, and draw its noise for it."""
        return nullcontext() if self.world == 1 else self._whole(model, generator, rows)

    @contextmanager
    def _whole(self, model: GenerativeModel, generator: torch.Generator, rows: int) -> Iterator[None]:
        norms = [module for module in model.modules() if type(module) is nn.BatchNorm2d]
        for norm in norms:
            norm.__class__ = WholeBatchNorm  # same parameters, same buffers
        if own := getattr(model, "_random_steps", None):
            # A diffusion model spreads its steps over a batch: over the whole one.
            def share(x: Tensor, generator: torch.Generator) -> Tensor:
                return own(x.new_empty(self.world * len(x)), generator)[self.rank :: self.world]

            vars(model)["_random_steps"] = share
        try:
            with Rows(generator, self.rank, self.world, rows):
                yield
        finally:
            for norm in norms:
                norm.__class__ = nn.BatchNorm2d
            vars(model).pop("_random_steps", None)

    def mean(self, losses: Tensor) -> Tensor:
        """Average over the processes."""
        return self.accelerator.reduce(losses, "mean")

    def backward(self, loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
        """Add the gradient of the processes' mean loss to `parameters`."""
        self.accelerator.backward(loss, inputs=parameters)
        if self.overflows:
            self.accelerator.unscale_gradients(optimizer)


def _widen(layer: nn.Module, args: Any, output: Any) -> Any:
    # Products round to half precision. What is made of them, densities above all, does not.
    return (
        output.float() if isinstance(output, Tensor) and output.dtype in (torch.bfloat16, torch.float16) else output
    )


SHARED: tuple[Callable[..., Tensor], ...] = (torch.rand, torch.randn, torch.randint)


class Rows(TorchFunctionMode):
    """While active, random tensors of one generator are drawn for the whole batch, and these rows of them kept.

    So all processes' generators stay equal, and example i gets the noise that it would have got in one process.
    """

    def __init__(self, generator: torch.Generator, rank: int, world: int, rows: int) -> None:
        super().__init__()
        self.generator, self.rank, self.world, self.rows = generator, rank, world, rows

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: Sequence = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Draw, or leave alone what draws nothing from the generator."""
        kwargs = kwargs or {}
        if kwargs.get("generator") is not self.generator:
            return func(*args, **kwargs)
        if func in SHARED and args:
            head, size = (args[:-1], tuple(args[-1])) if isinstance(args[-1], Sequence) else ((), tuple(args))
            if math.prod(size) == 1:  # one number for the whole batch
                return func(*args, **kwargs)
            if size[0] == self.rows:
                whole = func(*head, (self.rows * self.world, *size[1:]), **kwargs)
                return whole[self.rank :: self.world].contiguous()
        raise NotImplementedError(
            f"{func.__name__}: expected `rand`, `randn` or `randint`, in several processes, of one row for each of "
            f"the {self.rows} examples or of one number for all, got arguments {tuple(args)}"
        )


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the whole batch's mean and variance. PyTorch's own, `SyncBatchNorm`, wants GPUs."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, and remember the statistics for evaluation: `(B, C, H, W)` to the same."""
        if not self.training:
            return super().forward(x)
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        mean = MeanOverProcesses.apply(wide.mean((0, 2, 3)))
        centred = wide - mean[:, None, None]
        variance = MeanOverProcesses.apply(centred.square().mean((0, 2, 3)))
        with torch.no_grad():
            n = x.numel() // x.shape[1] * torch.distributed.get_world_size()
            for name, value in (("running_mean", mean), ("running_var", variance * n / (n - 1))):
                self.get_buffer(name).lerp_(value, self.momentum)  # type: ignore[arg-type]
            self.get_buffer("num_batches_tracked").add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


class MeanOverProcesses(torch.autograd.Function):
    """A mean over all processes, through which gradients go back to all of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Average."""
        return _mean_over_processes(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """Average: each process's number is in the losses of all."""
        return _mean_over_processes(gradient)


def _mean_over_processes(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()
