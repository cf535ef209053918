r"""The contract of every model in the course, and the checks at its public door.

Everything is per example, summed over dimensions, in nats:

    sample(n, y)        (n, *event_shape), draws of x, without gradient         every generative model
    sample_mean(n, y)   (n, *event_shape), E[x|z] of such draws: for pictures   models with a latent variable
    log_prob(x)         (B,), exact                                             models that know it
    elbo(x, y)          (B,), a lower bound of log p(x), every constant kept    models that have one
    loss(x, y)          {"loss": (B,), and its named parts: (B,)}               everything trained by gradient
    sample_path(n, y)   the states on the way to a sample, the last is one      models that draw in steps

Labels y, `(B,)` whole numbers, are the last positional argument, and `None` where there are none. Random numbers
come from `generator`, by keyword. A method that a model cannot honestly offer does not exist on it. Sampling and
scoring change nothing in a model: no parameter, no buffer, no training or evaluation mode.
"""

import math
from collections.abc import Sequence
from itertools import chain
from numbers import Integral

import torch
from torch import Tensor, nn


class Model(nn.Module):
    """A model of examples of one shape, with or without labels.

    Args:
        event_shape: shape of one example, such as `(1, 28, 28)`.
        support: lowest and highest value that an example may hold.
        classes: number of labels, or `None` for a model that takes none.

    Raises:
        ValueError: a size that is not positive.
    """

    sixteen_bits = False  # whether its arithmetic can do with the few digits of bfloat16 and float16

    def __init__(
        self,
        event_shape: Sequence[int],
        support: tuple[float, float] = (-math.inf, math.inf),
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.event_shape = tuple(positive("event_shape", size) for size in event_shape)
        if not self.event_shape:
            raise ValueError("event_shape: expected at least one axis, as (1,) of single numbers, got ()")
        self.support = support
        self.classes = None if classes is None else positive("classes", classes)

    def check_x(self, x: Tensor) -> Tensor:
        """Return `x`, a batch `(B, *event_shape)` of finite values inside the support, or say what is wrong."""
        return batch("x", self._here("x", x), self.event_shape, self.support, self.dtype)

    def check_y(self, y: Tensor | None, n: int) -> Tensor | None:
        """Return `y`, n labels `(n,)`, or `None` where the model takes no labels; or say what is wrong.

        Raises:
            TypeError: labels that are not whole numbers.
            ValueError: labels for a model without, none for a model with, or wrong ones.
        """
        if (self.classes is None) != (y is None):
            expected = "no labels" if self.classes is None else f"{n} labels 0…{self.classes - 1}"
            raise ValueError(f"y: {type(self).__name__} takes {expected}, got {'none' if y is None else 'some'}")
        return y if y is None or self.classes is None else labels("y", self._here("y", y), self.classes, n)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the model's numbers, which its input must share; a `TypeError` if 16 bits are too few."""
        numbers = (value.dtype for value in self._numbers() if value.is_floating_point())
        found = next(numbers, torch.get_default_dtype())
        if found.itemsize < 4 and not self.sixteen_bits:
            raise TypeError(f"{type(self).__name__}: expected float32 or float64, got {found}; call `.float()`")
        return found

    @property
    def device(self) -> torch.device:
        """Where the model's numbers are, and where its input must be."""
        return next((value.device for value in self._numbers()), torch.get_default_device())

    def _here(self, name: str, value: Tensor) -> Tensor:
        if isinstance(value, Tensor) and value.device != self.device:
            raise ValueError(f"{name}: expected a tensor on the model's device, {self.device}, got {value.device}")
        return value

    def _numbers(self) -> chain[Tensor]:
        return chain(self.parameters(), self.buffers())


class Trainable(Model):
    """A model that `train_steps` can train: it has a loss."""

    sixteen_bits = True

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute `"loss"` and its named parts, `(B,)` each, from x, `(B, *event_shape)`, and labels, `(B,)`."""
        raise NotImplementedError

    def forward(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Call `loss`, so that hooks and wrappers, which watch a module's call, see every training step."""
        return self.loss(x, y, generator=generator)


class GenerativeModel(Model):
    """A model that draws examples."""

    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples, `(n, *event_shape)`, one of each label of y, `(n,)`, if the model takes labels."""
        raise NotImplementedError


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
        ValueError: wrong shape, empty, not finite, out of range, or so large that sums of squares might overflow.
    """
    kind = "float" if dtype is None else str(dtype).removeprefix("torch.")
    sizes = "…" if event_shape is None else ", ".join(map(str, event_shape))
    expected = f"{name}: expected a {kind} tensor of shape (B, {sizes}) with B ≥ 1"
    if not isinstance(x, Tensor):
        raise TypeError(f"{expected}, got {type(x).__name__}")
    if not x.is_floating_point() or x.dtype != (dtype or x.dtype):
        raise TypeError(f"{expected}, got dtype {x.dtype}")
    if x.ndim * x.numel() == 0 or tuple(x.shape[1:]) != tuple(x.shape[1:] if event_shape is None else event_shape):
        raise ValueError(f"{expected}, got shape {tuple(x.shape)}")
    if torch.compiler.is_compiling():  # values are unknown while a graph is exported
        return x
    low, high = x.detach().aminmax()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name}: expected finite values, got {'NaN' if x.isnan().any() else 'infinity'}")
    if low < support[0] or high > support[1]:
        raise ValueError(f"{name}: expected values in [{support[0]:g}, {support[1]:g}], got [{low:.8g}, {high:.8g}]")
    limit = torch.finfo(x.dtype).max ** 0.4  # sums of many squares have to be finite
    if max(-low, high) > limit:
        raise ValueError(f"{name}: expected values within ±{limit:.1g}, got [{low:.8g}, {high:.8g}]; use other units")
    return x


def binary(name: str, x: Tensor) -> Tensor:
    """Return `x` if it holds nothing but 0 and 1.

    Raises:
        ValueError: another value, such as a grey pixel, which has no probability under a model of black and white.
    """
    if not torch.compiler.is_compiling():
        for part in x.split(1000):  # parts that fit into the cache: many times as fast
            if not torch.equal(part * part, part):
                grey = part[part * part != part][0]
                raise ValueError(f"{name}: expected pixels that are 0 or 1, got {grey:.8g}; `binarize` it")
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
    if isinstance(size, bool) or not isinstance(size, Integral):  # NumPy's integers are such numbers too
        raise TypeError(f"{name}: expected a positive integer, got {size!r}")
    if size < 1:
        raise ValueError(f"{name}: expected a positive integer, got {size}")
    return int(size)
