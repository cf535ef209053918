r"""The contract of every model in the course, and the checks at its public door.

Everything is per example, summed over dimensions, in nats:

    sample(n)        (n, *event_shape), without gradient; random numbers from the generator passed in
    log_prob(x)      (B,)  exact, on models that know it
    elbo(x)          (B,)  a lower bound of log p(x) with every constant kept, on models that have one
    loss(x)          {"loss": (B,), and its named parts: (B,)}, on everything trained by gradient

A conditional model takes its labels y, `(B,)` whole numbers, after its own arguments: `sample(n, y)`, `loss(x, y)`.
A method that a model cannot honestly offer does not exist on it.
"""

import math
from collections.abc import Callable, Sequence
from itertools import chain

import torch
from torch import Tensor, nn


class GenerativeModel(nn.Module):
    """A model of examples of one shape; a family adds the methods of the contract that it can keep.

    Args:
        event_shape: shape of one example, such as `(1, 28, 28)`.
        support: lowest and highest value that an example may hold.

    Raises:
        ValueError: a size that is not positive.
    """

    loss: Callable[..., dict[str, Tensor]]

    def __init__(self, event_shape: Sequence[int], support: tuple[float, float] = (-math.inf, math.inf)) -> None:
        super().__init__()
        self.event_shape = tuple(positive("event_shape", size) for size in event_shape)
        self.support = support

    def forward(self, x: Tensor, *args: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Call `loss`, so that hooks and wrappers, which watch a module's call, see every training step."""
        return self.loss(x, *args, generator=generator)

    def check_x(self, x: Tensor) -> Tensor:
        """Return `x`, a batch `(B, *event_shape)` of finite values inside the support, or say what is wrong."""
        return batch("x", x, self.event_shape, self.support, self.dtype)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the model's numbers, which its input must share."""
        numbers = (value.dtype for value in chain(self.parameters(), self.buffers()) if value.is_floating_point())
        return next(numbers, torch.get_default_dtype())


def batch(
    name: str,
    x: Tensor,
    event_shape: Sequence[int] | None = None,
    support: tuple[float, float] = (-math.inf, math.inf),
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return `x` if it is a batch `(B, *event_shape)`, B ≥ 1, of finite floats inside `support`.

    Without an `event_shape`, examples of any shape will do.

    Raises:
        TypeError: not a tensor of floating-point numbers, or not of `dtype` where that is given.
        ValueError: wrong shape, empty, not finite, or out of range.
    """
    kind = "float" if dtype is None else str(dtype).removeprefix("torch.")
    sizes = "…" if event_shape is None else ", ".join(map(str, event_shape))
    expected = f"{name}: expected a {kind} tensor of shape (B, {sizes}) with B ≥ 1"
    if not isinstance(x, Tensor):
        raise TypeError(f"{expected}, got {type(x).__name__}")
    if not x.is_floating_point() or x.dtype != (dtype or x.dtype):
        raise TypeError(f"{expected}, got dtype {x.dtype}")
    if x.ndim == 0 or len(x) == 0 or tuple(x.shape[1:]) != tuple(x.shape[1:] if event_shape is None else event_shape):
        raise ValueError(f"{expected}, got shape {tuple(x.shape)}")
    if torch.compiler.is_compiling():  # values are unknown while a graph is exported
        return x
    low, high = x.detach().aminmax()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name}: expected finite values, got {'NaN' if x.isnan().any() else 'infinity'}")
    if low < support[0] or high > support[1]:
        raise ValueError(f"{name}: expected values in [{support[0]:g}, {support[1]:g}], got [{low:.8g}, {high:.8g}]")
    return x


def labels(name: str, y: Tensor, classes: int, n: int) -> Tensor:
    """Return `y` if it holds n whole numbers, `(n,)`, from 0 to `classes` − 1.

    Raises:
        TypeError: not a tensor of whole numbers (int64).
        ValueError: wrong shape, or a number that is no label.
    """
    expected = f"{name}: expected an int64 tensor of shape ({n},) with labels 0…{classes - 1}"
    if not isinstance(y, Tensor):
        raise TypeError(f"{expected}, got {type(y).__name__}")
    if y.dtype != torch.int64:
        raise TypeError(f"{expected}, got dtype {y.dtype}")
    if y.shape != (n,):
        raise ValueError(f"{expected}, got shape {tuple(y.shape)}")
    if not torch.compiler.is_compiling() and (y.amin() < 0 or y.amax() >= classes):
        raise ValueError(f"{expected}, got {y.amin()}…{y.amax()}")
    return y


def positive(name: str, size: int) -> int:
    """Return `size` if it is a whole number of at least 1.

    Raises:
        TypeError: not an integer.
        ValueError: zero or negative.
    """
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name}: expected a positive integer, got {size!r}")
    if size < 1:
        raise ValueError(f"{name}: expected a positive integer, got {size}")
    return size
