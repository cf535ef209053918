r"""MADE: an autoencoder whose masks let pixel d see only the pixels before it, and so a density.

    log p(x)  =  Σ_d log p(x_d | x_1, …, x_{d−1})          (the chain rule, exact)

One pass of the network answers with all D conditionals, because no path in it leads from a pixel to itself or to
an earlier one. The order is raster order: row by row, each from the left.

Reference: Germain, Gregor, Murray and Larochelle 2015, arXiv:1502.03509.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import GenerativeModel, Trainable, positive
from gen_utils.likelihoods import bernoulli_log_prob, log_odds

BLOCKS = 8  # into how many bands `step` cuts a matrix, to leave out what the mask makes zero


class MADE(Trainable, GenerativeModel):
    """A density of binary images: a masked network from the pixels to the logits of their conditionals.

    Pixel d, counted from 1, has degree d, and so has its logit; hidden units have degrees from 1 to D − 1, spread
    evenly. A hidden unit sees what has at most its own degree, a logit only what has less: eqs. 8 and 9. Besides,
    the logits see the pixels directly (section 4.2, `direct`): most of what a pixel tells is what its neighbours are.

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
        """Set the last biases to the log-odds of each pixel of `x`, near which training then starts."""
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
        logits = self.logits(x)
        if not (torch.compiler.is_compiling() or ((x == 0) | (x == 1)).all()):
            grey = x[(x != 0) & (x != 1)].flatten()[0]
            raise ValueError(f"x: expected pixels that are 0 or 1, got {grey:.8g}; `binarize` it")
        return bernoulli_log_prob(x, logits)

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Compute `"loss"`, −log p(x): `(B,)` in nats. Nothing is drawn, so the generator is not used."""
        return {"loss": -self.log_prob(x)}

    @torch.no_grad()
    def sample_path(self, n: int, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Draw n images pixel by pixel, and yield them, `(n, *event_shape)`, after each; what is to come is 0."""
        for x in self._draw(self._blank(n), 0, generator):
            yield x.clone()

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n binary images, `(n, *event_shape)`."""
        *_, x = self._draw(self._blank(n), 0, generator)
        return x

    @torch.no_grad()
    def complete(self, x: Tensor, observed: int, generator: torch.Generator | None = None) -> Tensor:
        """Keep the first `observed` pixels of x in raster order, and draw the others given them.

        A draw from p(x_{observed+1}, …, x_D | x_1, …, x_observed), exactly: what is kept comes first in the order.
        The pixels of x that are drawn anew may hold anything in [0, 1]. Same shape as x, `(B, *event_shape)`.

        Raises:
            ValueError: `observed` is not between 0 and D − 1.
        """
        D = math.prod(self.event_shape)
        if not (isinstance(observed, int) and 0 <= observed < D):
            raise ValueError(f"observed: expected a whole number from 0 to {D - 1}, got {observed!r}")
        *_, x = self._draw(self.check_x(x).clone(memory_format=torch.contiguous_format), observed, generator)
        return x

    def _blank(self, n: int) -> Tensor:
        return torch.zeros(positive("n", n), *self.event_shape, dtype=self.dtype, device=self.output.bias.device)

    def _draw(self, x: Tensor, first: int, generator: torch.Generator | None) -> Iterator[Tensor]:
        # A unit of degree d is known as soon as d pixels are. Computed then and never again, all units together
        # cost one pass of the network instead of D.
        flat, D = x.view(len(x), -1), math.prod(self.event_shape)
        u = torch.rand(flat.shape, generator=generator, dtype=x.dtype, device=x.device)
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

    def step(self) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Build the function of one step of drawing, to be exported as a graph.

        It takes x, u and chosen, and returns the next x and p; all are `(1, *event_shape)`. `u` is uniform noise,
        `chosen` is 1 where a pixel is to be drawn and 0 where it is kept, and `p` holds all conditionals. With one
        pixel chosen after the other in raster order, the result is a draw from the model. With all missing pixels
        chosen at once, each step puts right at least the first that is still wrong: repeated until nothing changes,
        it ends at the very same image, most often much sooner (Song et al. 2021, arXiv:2002.03629).

        The masks are multiplied into constant weights, of which bands of rows are kept up to the last column that
        they see: little more than half of each matrix.
        """
        *hidden, output, direct = [layer.bands() for layer in (*self.hidden, self.output, self.direct)]
        biases = [layer.bias.detach().clone() for layer in (*self.hidden, self.output)]

        def step(x: Tensor, u: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
            pixels = units = _centred(x.flatten(1))
            for bands, bias in zip(hidden, biases, strict=False):
                units = F.silu(_apply(bands, units) + bias)
            logits = _apply(output, units) + _apply(direct, pixels) + biases[-1]
            p = logits.sigmoid().unflatten(1, self.event_shape)
            return torch.where(chosen > 0, (u < p).to(x.dtype), x), p

        return step


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
        self.register_buffer("mask", mask, persistent=False)  # the constructor makes it again

    def forward(self, x: Tensor) -> Tensor:
        """Compute `(B, outputs)` from `(B, inputs)`."""
        return F.linear(x, self.masked_weight(), self.bias)

    def masked_weight(self) -> Tensor:
        """Return the weight with zeros where nothing may pass, `(outputs, inputs)`."""
        return self.mask * self.weight

    def bands(self) -> list[Tensor]:
        """Cut the masked weight into bands of rows, each without the zero columns at its end."""
        size = math.ceil(len(self.weight) / BLOCKS)
        pairs = zip(self.masked_weight().detach().split(size), self.mask.split(size), strict=True)
        return [weight[:, : int(mask[-1].sum())].clone() for weight, mask in pairs]


def _apply(bands: list[Tensor], x: Tensor) -> Tensor:
    return torch.cat([x[:, : band.shape[1]] @ band.T for band in bands], 1)


def _centred(x: Tensor) -> Tensor:
    return 2 * x - 1  # as in the VAE: with pixels 0…1, biases would be spent on the black background
