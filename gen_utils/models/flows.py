r"""A coupling flow: an invertible network, whose density follows from that of its base by change of variables.

    log p(x)  =  log N(z | 0, I) + log |det ∂z/∂x|,     z = f(x)

f is a chain of couplings. Each maps every dimension through a monotone curve. The curves of the first half are fixed
parameters; those of the second half are the output of a network whose input is the first half. So the Jacobian is
triangular, its determinant is a product, and the inverse costs about as much as f itself.

References: Dinh, Sohl-Dickstein and Bengio 2017, arXiv:1605.08803 (couplings); Durkan, Bekasov, Murray and
Papamakarios 2019, arXiv:1906.04032 (the curves, rational-quadratic splines).
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import GenerativeModel, Trainable, batch, positive
from gen_utils.likelihoods import normal_log_prob
from gen_utils.nets import mlp

LIMIT = 5.0  # splines map the interval from −LIMIT to LIMIT; beyond it they are the identity
MIN_BIN = 1e-3  # the least width and height of a bin, as a fraction of the interval
MAX_LOG_SLOPE = 7.0  # at a knot: slopes from 1/1100 to 1100


class CouplingFlow(Trainable, GenerativeModel):
    """A flow from data to N(0, I) through couplings whose curves are rational-quadratic splines.

    Args:
        event_shape: shape of one example, of at least two dimensions in all.
        couplings: number of layers. The half of the dimensions that conditions the other alternates between layers.
        hidden_dims: widths of the hidden layers of each coupling's network.
        bins: number of pieces of a spline.

    Raises:
        ValueError: a size that is not positive, an example with fewer than two dimensions, or more than 999 bins.
    """

    shift: Tensor
    scale: Tensor
    sixteen_bits = False  # knots of a spline would fall together

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        couplings: int = 4,
        hidden_dims: Sequence[int] = (64, 64),
        bins: int = 16,
    ) -> None:
        super().__init__(event_shape)
        D = math.prod(self.event_shape)
        if D < 2:
            raise ValueError(f"event_shape: expected at least two dimensions in all, got {self.event_shape}")
        if positive("bins", bins) * MIN_BIN >= 1:
            raise ValueError(f"bins: expected fewer than {1 / MIN_BIN:g}, each with a width of {MIN_BIN}, got {bins}")
        swaps = [bool(i % 2) for i in range(positive("couplings", couplings))]
        self.couplings = nn.ModuleList(Coupling(D, swap, hidden_dims, bins) for swap in swaps)
        self.register_buffer("shift", torch.zeros(D))
        self.register_buffer("scale", torch.ones(D))

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Set the fixed first layer, (x − shift)/scale, so that it gives `x` the mean 0 and the variance 1.

        After it, the splines change only values between −5 and 5.

        Raises:
            ValueError: a dimension that is constant, whose density would have no bound.
        """
        x = self.check_x(x).flatten(1)
        scale = x.std(0, correction=0)
        if not scale.amin() >= torch.finfo(x.dtype).tiny ** 0.5:
            raise ValueError(f"x: expected dimensions that all vary, got {len(x)} examples with a constant one")
        self.shift.copy_(x.mean(0))
        self.scale.copy_(scale)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute z = f(x), `(B, D)` from `(B, *event_shape)`, and log |det ∂z/∂x|, `(B,)` in nats."""
        z = (self.check_x(x).flatten(1) - self.shift) / self.scale
        log_det = -self.scale.log().sum()
        for coupling in self.couplings:
            z, more = coupling(z)
            log_det = log_det + more
        return z, log_det

    def decode(self, z: Tensor) -> Tensor:
        """Compute x = f⁻¹(z), `(B, *event_shape)` from `(B, D)`."""
        *_, x = self.decode_path(z)
        return x

    def decode_path(self, z: Tensor) -> Iterator[Tensor]:
        """Yield the states on the way from z, `(B, D)`, to x: z, the state after each coupling, and x.

        All but the last are `(B, D)` and standardised; x is `(B, *event_shape)`.
        """
        yield (z := batch("z", z, self.shift.shape, dtype=self.dtype))
        for coupling in reversed(self.couplings):
            yield (z := coupling.inverse(z)[0])  # type: ignore[operator]
        yield (z * self.scale + self.shift).unflatten(1, self.event_shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), exactly: `(B,)` in nats."""
        z, log_det = self.encode(x)
        return normal_log_prob(z) + log_det

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
        """Draw n points from N(0, I) and yield the states of `decode_path`; the last is a sample."""
        self.check_y(y, positive("n", n))
        yield from self.decode_path(
            torch.randn(n, len(self.shift), generator=generator, dtype=self.dtype, device=self.device)
        )

    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw `(n, *event_shape)` from the model."""
        *_, x = self.sample_path(n, y, generator=generator)
        return x


class Coupling(nn.Module):
    """One layer: a network computes from one half of the dimensions the splines that the other half goes through.

    The first of them, the leading half, goes through splines too. These are the same for every example: Durkan et al.
    2019, eq. 13.

    Args:
        dims: number of dimensions, D.
        swap: whether the second half is the leading one.
        hidden_dims: widths of the network's hidden layers.
        bins: number of pieces of a spline.
    """

    def __init__(self, dims: int, swap: bool, hidden_dims: Sequence[int], bins: int) -> None:
        super().__init__()
        self.sizes = [dims // 2, dims - dims // 2]
        self.swap, self.bins = swap, bins
        leading, following = reversed(self.sizes) if swap else self.sizes
        self.own = nn.Parameter(torch.zeros(leading, 3 * bins - 1))
        # With the kinks of ReLU a curve can change abruptly, as it must at the border of a square.
        self.net = mlp([leading, *hidden_dims, following * (3 * bins - 1)], nn.ReLU)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the next state towards the base, `(B, D)` both, and log |det| of the step, `(B,)`."""
        leading, following = self._halves(x)
        # All splines in one call, which costs hardly more than a call for half of them.
        raw = torch.cat([self.own.expand(len(x), -1, -1), self._raw(leading)], 1)
        z, log_slope = spline(torch.cat([leading, following], 1), spline_knots(raw, self.bins))
        return self._join(*z.split([leading.shape[1], following.shape[1]], 1)), log_slope.sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Undo `forward`: the state before it, and log |det| of the inverse step, `(B,)`."""
        leading, following = self._halves(z)
        leading, log_slope = spline_inverse(leading, spline_knots(self.own.expand(len(z), -1, -1), self.bins))
        following, more = spline_inverse(following, spline_knots(self._raw(leading), self.bins))
        return self._join(leading, following), log_slope.sum(1) + more.sum(1)

    def _raw(self, leading: Tensor) -> Tensor:
        return self.net(leading).unflatten(1, (-1, 3 * self.bins - 1))

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.split(self.sizes, 1)
        return (second, first) if self.swap else (first, second)

    def _join(self, leading: Tensor, following: Tensor) -> Tensor:
        return torch.cat([following, leading] if self.swap else [leading, following], 1)


def spline_knots(raw: Tensor, bins: int) -> Tensor:
    """Turn a network's `(…, 3 bins − 1)` numbers into knots: x, y and slope, `(3, …, bins + 1)`, x and y rising.

    The first and the last knot are (−5, −5) and (5, 5), both with slope 1, as the identity beyond them has. Durkan et
    al. 2019, section 3.1.
    """
    sizes = raw[..., : 2 * bins].unflatten(-1, (2, bins)).softmax(-1)
    sizes = MIN_BIN + (1 - MIN_BIN * bins) * sizes
    x, y = (2 * LIMIT * F.pad(sizes.cumsum(-1), (1, 0)) - LIMIT).unbind(-2)
    slope = raw[..., 2 * bins :].clamp(-MAX_LOG_SLOPE, MAX_LOG_SLOPE).exp()
    return torch.stack([x, y, F.pad(slope, (1, 1), value=1.0)])


def spline(x: Tensor, knots: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the spline at x: y and log dy/dx, each of the shape of x. Durkan et al. 2019, eqs. 4 and 5."""
    inside = x.abs() < LIMIT
    x0, y0, d0, x1, y1, d1 = _piece(x, knots, 0)
    xi = ((x - x0) / (x1 - x0)).clamp(0, 1)  # values outside are replaced below
    y, log_slope = _curve(xi, y0, d0, y1, d1, x1 - x0)
    return torch.where(inside, y, x), torch.where(inside, log_slope, 0.0)


def spline_inverse(y: Tensor, knots: Tensor) -> tuple[Tensor, Tensor]:
    """Undo `spline`: x and log dx/dy, each of the shape of y. Durkan et al. 2019, eqs. 6 to 8."""
    inside = y.abs() < LIMIT
    x0, y0, d0, x1, y1, d1 = _piece(y, knots, 1)
    s = (y1 - y0) / (x1 - x0)
    rise = (y - y0).clamp(min=0).minimum(y1 - y0)
    bend = rise * (d0 + d1 - 2 * s)
    a, b, c = (y1 - y0) * (s - d0) + bend, (y1 - y0) * d0 - bend, -s * rise
    xi = 2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())
    _, log_slope = _curve(xi.clamp(0, 1), y0, d0, y1, d1, x1 - x0)  # rounding may leave the piece
    return torch.where(inside, x0 + xi * (x1 - x0), y), torch.where(inside, -log_slope, 0.0)


def _piece(value: Tensor, knots: Tensor, axis: int) -> tuple[Tensor, ...]:
    """Find the piece of the spline at x = `value` (axis 0) or y = `value` (axis 1): x, y, slope at both its ends."""
    left = (value[..., None] >= knots[axis, ..., 1:-1]).sum(-1, keepdim=True)
    ends = torch.cat([left, left + 1], -1).expand(3, *left.shape[:-1], 2)
    return knots.gather(-1, ends).permute(-1, 0, *range(1, knots.ndim - 1)).flatten(0, 1).unbind(0)


def _curve(xi: Tensor, y0: Tensor, d0: Tensor, y1: Tensor, d1: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    s, both = (y1 - y0) / width, xi * (1 - xi)
    below = s + (d0 + d1 - 2 * s) * both
    y = y0 + (y1 - y0) * (s * xi**2 + d0 * both) / below
    slope = d1 * xi**2 + 2 * s * both + d0 * (1 - xi) ** 2
    return y, 2 * s.log() + slope.log() - 2 * below.log()
