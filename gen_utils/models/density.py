r"""Classical density estimates: a histogram, one Gaussian, a kernel at each data point.

    p(x)  =  1/N Σ_n N(x | x_n, h² I)          (the kernel density estimate, KDE)

Each is fitted in closed form, without gradients. Chapter 1 measures how they fail in many dimensions.

References: Silverman 1986, *Density Estimation for Statistics and Data Analysis*; Parzen 1962; Bishop 2006,
*Pattern Recognition and Machine Learning*, sections 2.3.4 (Gaussian) and 2.5 (histogram, kernels).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Self

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from gen_utils.base import GenerativeModel, batch, positive
from gen_utils.likelihoods import LOG_2PI
from gen_utils.precision import positive_float, squared_distances

# Bytes in a table of examples against kernels. The examples go through in parts, so that memory is bounded.
TABLE = 2**26
CELLS = 2**30  # of a histogram, at most: 4 GiB in single precision


class Histogram(GenerativeModel):
    """A box cut into equal cells. A cell's density is its share of the data over its volume; outside the box it is 0.

    Before `fit`, the density is uniform on the box. D axes of `bins` each make binsᴰ cells.

    Args:
        low: lower ends of the box, one an axis.
        high: upper ends of the box.
        bins: number of cells along each axis.

    Raises:
        ValueError: a box without volume, or a number of bins that is not positive or makes more than 2³⁰ cells.
    """

    def __init__(self, low: Sequence[float], high: Sequence[float], bins: int = 20) -> None:
        super().__init__((len(low),))
        ends = torch.tensor([*zip(low, high, strict=True)], dtype=torch.get_default_dtype()).T
        width = ends[1] - ends[0]
        if not ((width > 0) & width.isfinite()).all():
            raise ValueError(f"low, high: expected finite ends with low < high on each axis, got {low} and {high}")
        self.low: Tensor
        self.high: Tensor
        self.probability: Tensor
        self.register_buffer("low", ends[0].clone())
        self.register_buffer("high", ends[1].clone())
        shape = (positive("bins", bins),) * len(low)
        if math.prod(shape) > CELLS:
            raise ValueError(f"bins: expected at most {CELLS} cells in all, got {bins} to the power of {len(low)}")
        self.register_buffer("probability", torch.full(shape, 1 / math.prod(shape)))

    def fit(self, x: Tensor, pseudo_count: float = 0.0) -> Self:
        """Count the examples `(N, D)` in each cell, and return the model: maximum likelihood.

        Args:
            x: the data, inside the box.
            pseudo_count: added to each cell's count. With more than 0, no cell of the box is impossible.

        Raises:
            ValueError: data outside the box, or a pseudo-count that is negative.
        """
        if not 0 <= pseudo_count < torch.finfo(self.dtype).max:
            raise ValueError(f"pseudo_count: expected a number that is not negative, got {pseudo_count}")
        cell, inside = self._cell(self.check_x(x))
        if not inside.all():
            raise ValueError(
                f"x: expected data inside the box {self.low.tolist()}…{self.high.tolist()}, "
                f"got {(~inside).sum()} of {len(x)} examples outside"
            )
        counts = cell.bincount(minlength=self.probability.numel()).double() + pseudo_count
        self.probability.copy_((counts / counts.sum()).view_as(self.probability))
        return self

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), `(B,)` in nats from `(B, D)`: −∞ in empty cells and outside the box."""
        cell, inside = self._cell(self.check_x(x))
        log_volume = ((self.high - self.low) / len(self.probability)).log().sum()
        return torch.where(inside, self.probability.flatten()[cell], 0).log() - log_volume

    def _cell(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # Each cell holds its lower end, the last one on an axis also its upper end.
        bins = len(self.probability)
        index = ((x - self.low) / (self.high - self.low) * bins).floor().long().clamp(0, bins - 1)
        strides = bins ** torch.arange(x.shape[1] - 1, -1, -1, device=x.device)
        return (index * strides).sum(1), ((x >= self.low) & (x <= self.high)).all(1)

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n cells by their probability and a point in each, `(n, D)`."""
        self.check_y(y, positive("n", n))
        weights = self.probability.flatten().double()
        # By inversion, since `multinomial` takes at most 2²⁴ cells.
        u = torch.rand(n, generator=generator, dtype=torch.float64, device=weights.device)
        total = weights.cumsum(0)
        cell = torch.searchsorted(total, u * total[-1], right=True)
        index = torch.stack(torch.unravel_index(cell, self.probability.shape), dim=1)
        place = torch.rand(n, *self.event_shape, generator=generator, dtype=self.dtype, device=cell.device)
        return torch.minimum(self.low + (index + place) / len(self.probability) * (self.high - self.low), self.high)


class Gaussian(GenerativeModel):
    """One Gaussian with a full covariance: N(μ, Σ), N(0, I) before `fit`.

    Buffers `mu` `(D,)` and `cholesky` `(D, D)`, the lower triangular L with Σ = LLᵀ.

    Args:
        event_shape: shape of one example.

    Raises:
        ValueError: a size that is not positive.
    """

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__(event_shape)
        D = math.prod(self.event_shape)
        self.mu: Tensor
        self.cholesky: Tensor
        self.register_buffer("mu", torch.zeros(D))
        self.register_buffer("cholesky", torch.eye(D))

    @property
    def covariance(self) -> Tensor:
        """The covariance Σ, `(D, D)`."""
        return self.cholesky @ self.cholesky.T

    @torch.no_grad()
    def fit(self, x: Tensor, reg: float = 0.0) -> Self:
        """Take mean and covariance (divided by N) of the examples, and return the model: maximum likelihood.

        Args:
            x: the data, `(N, *event_shape)`.
            reg: added to each variance.

        Raises:
            ValueError: a covariance that is singular, or a negative reg.
        """
        if not 0 <= reg < torch.finfo(self.dtype).max:
            raise ValueError(f"reg: expected a number that is not negative, got {reg}")
        x = self.check_x(x).flatten(1).double()
        mu = x[0] + (x - x[0]).mean(0)  # so that the deviation of a constant dimension is exactly 0
        centred = x - mu
        covariance = centred.T @ centred / len(x) + reg * torch.eye(len(mu), dtype=x.dtype, device=x.device)
        cholesky, info = torch.linalg.cholesky_ex(covariance)
        # The diagonal of L holds the deviation of each dimension that the dimensions before it do not explain.
        if info != 0 or not (cholesky.diagonal() > 1e-7 * covariance.diagonal().sqrt()).all():
            raise ValueError(
                f"x: expected examples whose covariance is invertible, got {len(x)} examples of {len(mu)} dimensions "
                "with one that is constant or a combination of others; a reg above 0 repairs it"
            )
        self.mu.copy_(mu)
        self.cholesky.copy_(cholesky)
        return self

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log N(x | μ, Σ), `(B,)` in nats from `(B, *event_shape)`."""
        return MultivariateNormal(self.mu, scale_tril=self.cholesky).log_prob(self.check_x(x).flatten(1))

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw μ + Lε with ε ~ N(0, I), `(n, *event_shape)`."""
        self.check_y(y, positive("n", n))
        # By hand, since PyTorch's distributions take no generator.
        eps = torch.randn(n, len(self.mu), generator=generator, dtype=self.dtype, device=self.device)
        return (self.mu + eps @ self.cholesky.T).unflatten(1, self.event_shape)


class KDE(GenerativeModel):
    """A kernel density estimate: an equal mixture of Gaussians N(x_n, h² I), one at each data point.

    Buffers `data` `(N, *event_shape)` and `bandwidth` `()`.

    Args:
        x: the data, `(N, *event_shape)`; its precision is the model's.
        bandwidth: h, the standard deviation of each kernel.

    Raises:
        ValueError: data that are no batch, or a bandwidth that is not positive in their precision.
    """

    def __init__(self, x: Tensor, bandwidth: float) -> None:
        super().__init__(batch("x", x).shape[1:])
        bandwidth = positive_float("bandwidth", float(bandwidth), x.dtype)
        self.data: Tensor
        self.bandwidth: Tensor
        self.register_buffer("data", x.detach().clone())
        self.register_buffer("bandwidth", torch.tensor(bandwidth, dtype=x.dtype, device=x.device))

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), `(B,)` in nats from `(B, *event_shape)`, in a bounded amount of memory."""
        tables = self._log_kernels(self.check_x(x))
        return torch.cat([table.logsumexp(1) for _, table in tables]) - math.log(len(self.data))

    @torch.no_grad()
    def leave_one_out(self) -> Tensor:
        """Compute log p(x_n) of each data point under the kernels of all others, `(N,)` in nats.

        With its own kernel, a data point's density has no bound as h goes to 0.

        Raises:
            ValueError: a single data point, which has no others.
        """
        N = len(self.data)
        if N < 2:
            raise ValueError(f"expected at least 2 data points to leave one out, got {N}")
        sums = []
        for start, table in self._log_kernels(self.data):
            table[:, start : start + len(table)].fill_diagonal_(-math.inf)
            sums.append(table.logsumexp(1))
        return torch.cat(sums) - math.log(N - 1)

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n data points and add h·ε with ε ~ N(0, I), `(n, *event_shape)`."""
        self.check_y(y, positive("n", n))
        chosen = torch.randint(len(self.data), (n,), generator=generator, device=self.device)
        eps = torch.randn(n, *self.event_shape, generator=generator, dtype=self.dtype, device=self.device)
        return self.data[chosen] + self.bandwidth * eps

    def _log_kernels(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        # Yields the number of a first row, and the table (b, N) of log N(x_i | x_n, h²I) of some rows from there.
        x, data = x.flatten(1), self.data.flatten(1)
        log_height = -x.shape[1] * (self.bandwidth.log() + 0.5 * LOG_2PI)
        for start in range(0, len(x), rows := max(1, TABLE // (len(data) * data.element_size()))):
            distances = squared_distances(x[start : start + rows], data, self.bandwidth)
            yield start, torch.sub(log_height, distances, alpha=0.5)


@torch.no_grad()
def choose_bandwidth(x: Tensor, bandwidths: Sequence[float], folds: int = 10) -> tuple[float, Tensor]:
    """Choose a KDE's bandwidth by cross-validation: the best of `bandwidths`, and the score of each, `(H,)` in nats.

    A score is the mean log-density of the examples, each under the kernels of the other folds. Folds are examples
    next to each other, as in scikit-learn's `KFold`: shuffle the data first if their order means something. With
    `folds=len(x)` each example is a fold of its own.

    Raises:
        ValueError: folds outside 2…N, no bandwidth, or one that is not positive; or all are far too small.
    """
    if not 2 <= positive("folds", folds) <= len(batch("x", x)):
        raise ValueError(f"folds: expected 2…{len(x)}, the number of examples, got {folds}")
    if len(bandwidths) == 0:
        raise ValueError("bandwidths: expected at least one, got none")
    scores = torch.stack([_held_out(x, bandwidth, folds) for bandwidth in bandwidths])
    if scores.max() == -math.inf:
        raise ValueError(f"bandwidths: expected one that reaches from an example to the others, got {bandwidths}")
    return float(bandwidths[int(scores.argmax())]), scores


def _held_out(x: Tensor, bandwidth: float, folds: int) -> Tensor:
    if folds == len(x):  # one table instead of N
        return KDE(x, bandwidth).leave_one_out().mean()
    parts = x.tensor_split(folds)
    others = (torch.cat(parts[:i] + parts[i + 1 :]) for i in range(folds))
    return torch.cat([KDE(other, bandwidth).log_prob(part) for other, part in zip(others, parts, strict=True)]).mean()
