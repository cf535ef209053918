r"""MADE: an autoencoder whose masks let pixel d see only the pixels before it, and so a density.

    log p(x)  =  Σ_d log p(x_d | x_1, …, x_{d−1})          (the chain rule, exact)

One pass of the network gives all D conditionals, because no path in it connects a pixel to its own conditional or to
an earlier one. The order is raster order: row by row, each from the left.

Reference: Germain, Gregor, Murray and Larochelle 2015, arXiv:1502.03509.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import GenerativeModel, Trainable, binary, positive
from gen_utils.likelihoods import bernoulli_log_prob, log_odds


class MADE(Trainable, GenerativeModel):
    """A density of binary images: a masked network from the pixels to the logits of their conditionals.

    Pixel d, counted from 1, has degree d, and so has its logit; hidden units have degrees from 1 to D − 1, spread
    evenly. A hidden unit sees inputs of at most its own degree, a logit only those of a lower degree: eqs. 8 and 9.
    The logits also see the pixels directly (section 4.2, `direct`): a pixel depends most on its neighbours.

    Args:
        hidden_dims: widths of the hidden layers.
        event_shape: shape of one example.

    Raises:
        ValueError: a size that is not positive.
    """

    def __init__(self, hidden_dims: Sequence[int] = (600,), event_shape: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__(event_shape, support=(0.0, 1.0))
        D = math.prod(self.event_shape)
        pixels = torch.arange(1, D + 1)
        widths = [positive("hidden_dims", width) for width in hidden_dims]
        self.degrees = [pixels, *(1 + torch.arange(width) * (D - 1) // width for width in widths)]
        self.hidden = nn.ModuleList(MaskedLinear(below, above) for below, above in pairwise(self.degrees))
        self.output = MaskedLinear(self.degrees[-1], pixels - 1)
        self.direct = MaskedLinear(pixels, pixels - 1, bias=False)
        nn.init.zeros_(self.direct.weight)

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Set the last biases to the log-odds of each pixel of `x`, a good start for training."""
        brightness = self.check_x(x).mean(0).flatten()
        self.output.bias.copy_(log_odds(brightness))

    def logits(self, x: Tensor) -> Tensor:
        """Compute the logit of p(x_d = 1 | x_1, …, x_{d−1}) for all d at once, `(B, *event_shape)` both."""
        pixels = units = _centred(self.check_x(x).flatten(1))
        for layer in self.hidden:
            units = F.silu(layer(units))
        return (self.output(units) + self.direct(pixels)).unflatten(1, self.event_shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), exactly: `(B,)` in nats, from binary x.

        Raises:
            ValueError: pixels that are neither 0 nor 1, which have no probability here; `binarize` them.
        """
        return bernoulli_log_prob(x, self.logits(binary("x", self.check_x(x))))

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute `"loss"`, −log p(x): `(B,)` in nats. Nothing is drawn, so the generator is not used."""
        self.check_y(y, len(self.check_x(x)))
        return {"loss": -self.log_prob(x)}

    @torch.no_grad()
    def sample_path(
        self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Iterator[Tensor]:
        """Draw n images pixel by pixel, and yield them, `(n, *event_shape)`, after each; pixels to come are 0."""
        yield from map(Tensor.clone, self._draw(self._blank(n, y), 0, generator))

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n binary images, `(n, *event_shape)`."""
        *_, x = self._draw(self._blank(n, y), 0, generator)
        return x

    @torch.no_grad()
    def complete(self, x: Tensor, observed: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Keep the first `observed` pixels of x in raster order, and draw the others given them.

        This is an exact draw from p(x_{observed+1}, …, x_D | x_1, …, x_observed), since the pixels that are kept come
        first in the order. The others may hold any value in [0, 1]. Same shape as x, `(B, *event_shape)`.

        Raises:
            ValueError: `observed` is not between 0 and D − 1, or an observed pixel is neither 0 nor 1.
        """
        D = math.prod(self.event_shape)
        if not (isinstance(observed, int) and 0 <= observed < D):
            raise ValueError(f"observed: expected a whole number from 0 to {D - 1}, got {observed!r}")
        binary("x", self.check_x(x).flatten(1)[:, :observed])
        *_, x = self._draw(self.check_x(x).clone(memory_format=torch.contiguous_format), observed, generator)
        return x

    def _blank(self, n: int, y: Tensor | None) -> Tensor:
        self.check_y(y, positive("n", n))
        return torch.zeros(n, *self.event_shape, dtype=self.dtype, device=self.device)

    def _draw(self, x: Tensor, first: int, generator: torch.Generator | None) -> Iterator[Tensor]:
        # A unit of degree d depends on the first d pixels only. It is computed once, as soon as they are drawn, so
        # that all pixels together cost one pass of the network instead of D.
        flat, D = x.view(len(x), -1), math.prod(self.event_shape)
        dtype = torch.promote_types(x.dtype, torch.float32)  # of 16 bits, u would be 0 too often
        u = torch.rand(flat.shape, generator=generator, dtype=dtype, device=x.device)
        units = [_centred(flat), *(x.new_zeros(len(x), len(degrees)) for degrees in self.degrees[1:])]
        weights = [layer.masked_weight() for layer in (*self.hidden, self.output, self.direct)]
        known = [torch.searchsorted(degrees, torch.arange(D), right=True).tolist() for degrees in self.degrees]
        done = [0] * len(self.hidden)
        for d in range(first, D):
            for i, layer in enumerate(self.hidden):
                new, seen = slice(done[i], known[i + 1][d]), known[i][d]
                done[i] = new.stop
                bias = layer.get_parameter("bias")[new]
                units[i + 1][:, new] = F.silu(F.linear(units[i][:, :seen], weights[i][new, :seen], bias))
            logit = self.output.bias[d] + units[-1] @ weights[-2][d] + units[0][:, :d] @ weights[-1][d, :d]
            flat[:, d] = u[:, d] < logit.sigmoid()
            units[0][:, d] = _centred(flat[:, d])
            yield x


class MaskedLinear(nn.Linear):
    """A linear layer in which output k sees input j only where `above[k] >= below[j]`.

    Args:
        below: degrees of the inputs, not falling.
        above: the highest degree that each output may see, not falling.
        bias: whether to add one.
    """

    mask: Tensor

    def __init__(self, below: Tensor, above: Tensor, bias: bool = True) -> None:
        super().__init__(len(below), len(above), bias)
        mask = (above[:, None] >= below).to(self.weight.dtype)
        self.register_buffer("mask", mask, persistent=False)  # not saved: the constructor makes it

    def forward(self, x: Tensor) -> Tensor:
        """Compute `(B, outputs)` from `(B, inputs)`."""
        return F.linear(x, self.masked_weight(), self.bias)

    def masked_weight(self) -> Tensor:
        """Return the weight with zeros where the mask forbids a connection, `(outputs, inputs)`."""
        return self.mask * self.weight


def _centred(x: Tensor) -> Tensor:
    return 2 * x - 1  # with pixels 0…1, the biases would have to compensate for the black background
