r"""Two-dimensional densities that are known: they give samples, log p(x) and their entropy.

No model can have a mean negative log-likelihood below the entropy of its data. The difference is exactly the
divergence of the model from the data:

    E_p[−log p_θ(x)]  =  H(p) + KL(p ‖ p_θ)

References: checkerboard and eight Gaussians as in FFJORD, Grathwohl et al. 2019, arXiv:1810.01367; moons as in
scikit-learn's `make_moons`; ring and grid as in PacGAN, Lin et al. 2018, arXiv:1712.04086.
"""

import math

import numpy as np
import torch
from torch import Tensor

from gen_utils.base import GenerativeModel, batch, positive
from gen_utils.likelihoods import normal_log_prob
from gen_utils.precision import positive_float


class Checkerboard(GenerativeModel):
    """The uniform density on the 8 black squares of a 4 × 4 chessboard that covers [−4, 4]²."""

    squares: Tensor

    def __init__(self) -> None:
        super().__init__((2,))
        corners = [(i, j) for i in range(-4, 4, 2) for j in range(-4, 4, 2) if (i + j) % 4 == 0]
        self.register_buffer("squares", torch.tensor(corners, dtype=torch.get_default_dtype()))

    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw `(n, 2)`: one of the squares, then a place in it."""
        self.check_y(y, positive("n", n))
        weights = torch.ones(len(self.squares), device=self.device)
        chosen = weights.multinomial(n, replacement=True, generator=generator)
        place = torch.rand(n, 2, generator=generator, dtype=self.dtype, device=self.device)
        corner = self.squares[chosen]
        return torch.minimum(corner + 2 * place, torch.nextafter(corner + 2, corner))  # rounding may reach the end

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), `(B, 2)` to `(B,)`, in nats: −log 32 on black squares, −∞ elsewhere."""
        place = self.check_x(x)[:, None] - self.squares
        inside = ((place >= 0) & (place < 2)).all(2).any(1)
        return x.new_full(inside.shape, -self.entropy()).masked_fill(~inside, -math.inf)

    def entropy(self) -> float:
        """Compute −E[log p(x)] in nats: the logarithm of the area."""
        return math.log(4 * len(self.squares))


class IsotropicMixture(GenerativeModel):
    """A mixture of Gaussians in the plane, all with the covariance σ² I.

    Args:
        means: the means of the components, `(K, 2)`.
        sigma: the standard deviation of each in every direction.
        weights: proportional to the probability of each, `(K,)`; all are equal by default.

    Raises:
        TypeError: means that are no tensor of floats, or weights that are no tensor.
        ValueError: means that are no points, a sigma that is not positive, not one weight for each mean, or weights
            that are negative, not finite, or all 0.
    """

    means: Tensor
    log_weights: Tensor

    def __init__(self, means: Tensor, sigma: float, weights: Tensor | None = None) -> None:
        super().__init__((2,))
        self.sigma = positive_float("sigma", sigma)
        weights = torch.ones(len(batch("means", means, (2,))), device=means.device) if weights is None else weights
        if not isinstance(weights, Tensor):
            raise TypeError(f"weights: expected a tensor of shape ({len(means)},), got {type(weights).__name__}")
        if weights.shape != (len(means),):
            raise ValueError(f"weights: expected shape ({len(means)},), got shape {tuple(weights.shape)}")
        if not (weights >= 0).all() or not 0 < weights.sum() < math.inf:
            raise ValueError(f"weights: expected numbers that are not negative, nor all 0, got {weights.tolist()}")
        dtype = torch.get_default_dtype()
        self.register_buffer("means", batch("means", means.to(dtype), (2,)))
        self.register_buffer("log_weights", (weights / weights.sum()).log().to(dtype))

    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw `(n, 2)`: one of the components, then a point of it."""
        self.check_y(y, positive("n", n))
        chosen = self.log_weights.exp().multinomial(n, replacement=True, generator=generator)
        eps = torch.randn(n, 2, generator=generator, dtype=self.dtype, device=self.device)
        return self.means[chosen] + self.sigma * eps

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x), `(B, 2)` to `(B,)`, in nats."""
        log_joint = self.log_weights + normal_log_prob(self.check_x(x)[:, None], self.means, self.sigma)
        return log_joint.logsumexp(1)

    def diffused(self, alpha_bar_t: float) -> "IsotropicMixture":
        """Build the density of √ᾱ x + √(1 − ᾱ) ε, where x has this one and ε ~ N(0, I): a mixture too.

        Raises:
            ValueError: an ᾱ outside [0, 1].
        """
        _check_alpha_bar(alpha_bar_t)
        sigma = math.sqrt(alpha_bar_t * self.sigma**2 + 1 - alpha_bar_t)
        other = IsotropicMixture(math.sqrt(alpha_bar_t) * self.means, sigma, self.log_weights.exp()).to(self.means)
        other.means.copy_(math.sqrt(alpha_bar_t) * self.means)  # PyTorch's default precision may be a lower one
        other.log_weights.copy_(self.log_weights)
        return other

    def score(self, x_t: Tensor, alpha_bar_t: Tensor | float = 1.0) -> Tensor:
        """Compute ∇ log p(x_t), `(B, 2)` to `(B, 2)`, of this density (ᾱ = 1) or of `diffused(alpha_bar_t)`.

        ᾱ may be a tensor of one number or `(B, 1)`, as for a network's score.
        """
        variance = alpha_bar_t * self.sigma**2 + (1 - alpha_bar_t)
        r = self.responsibilities(x_t, alpha_bar_t)
        x_t, means = self._centred(x_t, alpha_bar_t)
        return (alpha_bar_t**0.5 * r @ means - x_t) / variance

    def responsibilities(self, x_t: Tensor, alpha_bar_t: Tensor | float = 1.0) -> Tensor:
        """Compute the probability of each component, given x_t of `diffused(alpha_bar_t)`: `(B, 2)` to `(B, K)`.

        Raises:
            ValueError: an ᾱ outside [0, 1] or of another shape, or a point so far away that the model's precision
                cannot compare its distances to the means.
        """
        _check_alpha_bar(alpha_bar_t, len(self.check_x(x_t)))
        variance = alpha_bar_t * self.sigma**2 + (1 - alpha_bar_t)
        x_t, means = self._centred(x_t, alpha_bar_t)
        # The softmax of log π − |x_t − √ᾱ m|²/2σ². The term |x_t|² is the same for all components and cancels.
        fit = (alpha_bar_t**0.5 * x_t @ means.T - 0.5 * alpha_bar_t * means.square().sum(1)) / variance
        if not torch.compiler.is_compiling() and not fit.amax(1).isfinite().all():
            raise ValueError(f"x_t: expected points nearer to the means for a sigma of {self.sigma}, got one too far")
        return (self.log_weights + fit).softmax(1)

    def _centred(self, x_t: Tensor, alpha_bar_t: Tensor | float) -> tuple[Tensor, Tensor]:
        # Points and means, moved to the origin if the means lie farther from it than from each other: products of
        # large coordinates would lose their small differences.
        centre = self.means.mean(0)
        centre = torch.where(centre.abs() > (self.means - centre).abs().max(), centre, 0.0)
        return x_t - alpha_bar_t**0.5 * centre, self.means - centre

    def entropy(self) -> float:
        """Compute −E[log p(x)] in nats: a sum over a grid with steps of σ/2 that ends 8σ beyond all means.

        Raises:
            ValueError: means so far apart, beside σ, that the grid would have more than 10⁸ points.
        """
        # The function is so smooth that the sum equals the integral: half the step changes it by less than 1e-9.
        means = self.means.double()
        low, high = means.amin(0) - 8 * self.sigma, means.amax(0) + 8 * self.sigma
        counts = (2 * (high - low) / self.sigma).ceil().long() + 1
        if counts.double().prod() > 1e8:
            raise ValueError(
                f"expected means nearer to each other for sigma={self.sigma}, got {counts.tolist()} steps"
            )
        axes = [
            torch.linspace(*ends, dtype=torch.float64, device=means.device)
            for ends in zip(low, high, counts, strict=True)
        ]
        cell = math.prod((axis[1] - axis[0]).item() for axis in axes)
        total = 0.0
        for x in torch.cartesian_prod(*axes).split(10_000):
            log_p = (self.log_weights.double() + normal_log_prob(x[:, None], means, self.sigma)).logsumexp(1)
            total -= (log_p.exp() * log_p).sum().item() * cell
        return total


def eight_gaussians() -> IsotropicMixture:
    """Build eight Gaussians on a circle of radius 4/1.414, FFJORD's."""
    return IsotropicMixture(4 / 1.414 * _circle(8), 0.5 / 1.414)


def moons(sigma: float = 0.1) -> IsotropicMixture:
    """Build scikit-learn's two moons: half circles with Gaussian noise of standard deviation `sigma`.

    The density of a moon is an integral over its arc. Gauss–Legendre quadrature replaces it by a sum, which is a
    mixture, with so many terms that the two differ by rounding only.

    Raises:
        ValueError: a sigma that is not positive, or below 0.002: the sum would be too long.
    """
    if not 0.002 <= sigma < math.inf:
        raise ValueError(f"sigma: expected a number of at least 0.002, got {sigma}")
    nodes, weights = np.polynomial.legendre.leggauss(32 + math.ceil(10 / sigma))
    angle = math.pi / 2 * torch.from_numpy(nodes + 1)
    outer = torch.stack([angle.cos(), angle.sin()], 1)
    inner = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    return IsotropicMixture(torch.cat([outer, inner]), sigma, torch.from_numpy(weights).repeat(2))


def ring() -> IsotropicMixture:
    """Build eight narrow Gaussians on the unit circle, PacGAN's: sigma 0.01."""
    return IsotropicMixture(_circle(8), 0.01)


def grid() -> IsotropicMixture:
    """Build twenty-five narrow Gaussians on a grid, PacGAN's: sigma 0.05."""
    ticks = torch.arange(-4.0, 5, 2)
    return IsotropicMixture(torch.cartesian_prod(ticks, ticks), 0.05)


def _check_alpha_bar(alpha_bar_t: Tensor | float, n: int = 1) -> None:
    if torch.compiler.is_compiling():
        return
    values = torch.as_tensor(alpha_bar_t)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"alpha_bar_t: expected a number in [0, 1], got {alpha_bar_t}")
    if values.numel() != 1 and values.shape != (n, 1):
        raise ValueError(f"alpha_bar_t: expected one number, or shape ({n}, 1), got shape {tuple(values.shape)}")


def _circle(points: int) -> Tensor:
    angle = 2 * math.pi * torch.arange(points, dtype=torch.float64) / points
    return torch.stack([angle.cos(), angle.sin()], 1)
