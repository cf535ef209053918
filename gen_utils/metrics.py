"""How good a model is: bounds and exact values of log p(x), its active latent units, and scores of its samples.

The scores compare two sets of images by features of the course's classifier, `gen_utils.classifier`:

    features = pretrained.load(LeNet(), "classifier").features(images)

They depend on the number of images. The course always takes 10,000, and gives the score of real images as well.
"""

import math

import torch
from torch import Tensor, nn

from gen_utils.base import batch, positive
from gen_utils.likelihoods import normal_log_prob
from gen_utils.models.vae import VAE
from gen_utils.precision import positive_float

ROWS = 100  # of a table of distances at a time: the whole table would take gigabytes, and these fit into the cache
FEW = 8  # features of which differences are as fast as a matrix product


def importance_weighted_bound(log_weights: Tensor, k: int) -> Tensor:
    """Estimate the bound L_k = E log (1/k) Σ w_i from `(K, B)` log-weights: `(B,)` in nats.

    Each of K/k groups of k draws gives one estimate, and their mean is returned. From k to a multiple of k the result
    never decreases, for any draws. Burda, Grosse and Salakhutdinov 2015, theorem 1.

    Raises:
        TypeError: no tensor.
        ValueError: k does not divide the number of draws, or a log-weight is NaN or +∞.
    """
    if not isinstance(log_weights, Tensor):
        raise TypeError(f"log_weights: expected a tensor of shape (K, B), got {type(log_weights).__name__}")
    if log_weights.ndim != 2 or len(log_weights) == 0 or len(log_weights) % positive("k", k):
        raise ValueError(f"expected log-weights (K, B) with K a multiple of {k}, got {tuple(log_weights.shape)}")
    if not (log_weights < math.inf).all():
        raise ValueError("expected log-weights that are numbers or −∞, got NaN or +∞")
    return (log_weights.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)


@torch.no_grad()
def grid_log_joint(model: VAE, x: Tensor, points: int = 401, limit: float = 6.0) -> tuple[Tensor, Tensor]:
    """Tabulate log p(x, z) over a grid of a two-dimensional latent space, so that every integral becomes a sum.

    Returns the grid `(points², 2)` and the table `(B, points²)`, in nats; `grid_log_sum` integrates it. For a smooth
    function that vanishes at the border, the error of the sum falls faster than any power of the distance between
    points. It is about 5e-9 of the integral of a Gaussian whose standard deviation is that distance. The prior has a
    probability of 4e-9 outside ±6.

    Raises:
        ValueError: the latent space is not two-dimensional, x is not a batch of the model, or the grid has no area.
    """
    if model.latent_dim != 2:
        raise ValueError(f"a grid needs a two-dimensional latent space, got latent_dim={model.latent_dim}")
    model.check_x(x)
    if positive("points", points) < 2:
        raise ValueError(f"points: expected at least 2, for a grid with cells, got {points}")
    positive_float("limit", limit, x.dtype)
    axis = torch.linspace(-limit, limit, points, dtype=x.dtype, device=x.device)
    grid = torch.cartesian_prod(axis, axis)
    # In parts: all logits at once would take gigabytes.
    rows = [model.log_likelihood_table(x, z) + normal_log_prob(z) for z in grid.split(points)]
    return grid, torch.cat(rows, dim=1)


def grid_log_sum(grid: Tensor, log_values: Tensor) -> Tensor:
    """Compute log ∫ exp(f(z)) dz from f on an equally spaced square grid: `(B, points²)` to `(B,)`."""
    # From end to end: of the distance of two neighbours, rounding leaves few digits.
    step = (grid[-1, 1] - grid[0, 1]) / (math.isqrt(len(grid)) - 1)
    return log_values.logsumexp(1) + 2 * step.log()


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Find the active latent units: those whose posterior mean has a variance above `threshold` over the data.

    From `(B, K)` posterior means to `(K,)` booleans. Burda et al. 2015, section 5.1: Cov_x(E_q[z_k]) > 0.01.

    Raises:
        ValueError: fewer than two examples: one has no variance; or a threshold that is negative or infinite.
    """
    if not 0 <= threshold < math.inf:
        raise ValueError(f"threshold: expected a number that is not negative, got {threshold}")
    batch("mu", mu, mu.shape[-1:])
    if len(mu) < 2:
        raise ValueError(f"mu: expected at least 2 examples to take a variance over, got {len(mu)}")
    return mu.var(0) > threshold


def bic(log_px: Tensor, free_parameters: int) -> float:
    """Compute the Bayesian information criterion −2 Σ_n log p(x_n) + P log N of P parameters: lower is better.

    From `(N,)` exact log-likelihoods in nats of the data that the model was fitted to. Schwarz 1978.

    Raises:
        ValueError: log-likelihoods of another shape, or a number of parameters that is not positive.
    """
    batch("log_px", log_px, ())
    return positive("free_parameters", free_parameters) * math.log(len(log_px)) - 2 * log_px.double().sum().item()


def frechet_distance(features: Tensor, reference: Tensor) -> float:
    """Compute the Fréchet distance of two sets of features, `(N, F)` and `(M, F)`, each modelled as a Gaussian.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), in double precision, by torchmetrics. Heusel et al. 2017,
    arXiv:1706.08500.

    Raises:
        ValueError: features of another shape or that are not finite, or fewer than two of a set.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # here: importing it takes as long as torch

    _check_features(features, reference, at_least=2)
    # Near 0 and at most 1: the covariance is computed as E[ffᵀ] − E[f]E[f]ᵀ, and two of them are multiplied.
    features, reference = features.double(), reference.double()
    centre = reference.mean(0)
    features, reference = features - centre, reference - centre
    unit = max(features.abs().max(), reference.abs().max()).item()
    if unit == 0:  # twice the same point
        return 0.0
    given = nn.Identity()  # the features are computed already
    given.num_features = features.shape[1]  # type: ignore[assignment]
    distance = FrechetInceptionDistance(feature=given).to(features.device)
    distance.update(reference / unit, real=True)
    distance.update(features / unit, real=False)
    return max(0.0, distance.compute().item()) * unit**2


def precision_recall_density_coverage(features: Tensor, reference: Tensor, k: int = 5) -> dict[str, float]:
    """Compare samples with real data by the neighbourhoods that they fall into, from `(M, F)` and `(N, F)` features.

    The neighbourhood of an example is the ball around it with the k-th nearest example of its own set on the border.

    - precision: fraction of the samples in a neighbourhood of real data;
    - recall: fraction of the real data in a neighbourhood of samples (both Kynkäänniemi et al. 2019,
      arXiv:1904.06991);
    - density: number of real neighbourhoods that a sample is in, on average, divided by k; about 1 for real data;
    - coverage: fraction of real neighbourhoods that hold a sample (both Naeem et al. 2020, arXiv:2002.09797).

    The authors' package, `prdc`, gives the same numbers (tests/test_metrics.py). This function also gives the scores
    of single examples, from which standard errors follow, and never holds a whole table of distances.

    Raises:
        ValueError: features of another shape or that are not finite, or a set of no more than k.
    """
    return {name: each.mean().item() for name, each in neighbourhood_scores(features, reference, k).items()}


@torch.no_grad()
def neighbourhood_scores(features: Tensor, reference: Tensor, k: int = 5) -> dict[str, Tensor]:
    """Compute the score of each example, of which `precision_recall_density_coverage` gives the means.

    From `(M, F)` and `(N, F)` features to `"precision"` and `"density"`, `(M,)`, one number for each sample, and
    `"recall"` and `"coverage"`, `(N,)`, one for each real example. The standard errors of the first two means are
    those over other samples and the same real data; of the last two, over other real data and the same samples. That
    of coverage is too small by about a third, since real examples determine the size of each other's balls.

    Raises:
        ValueError: features of another shape or that are not finite, or a set of no more than k.
    """
    _check_features(features, reference, at_least=positive("k", k) + 1)
    # Small coordinates lose less to rounding. One that is far away moves a median less than a mean.
    centre = reference.median(0).values
    features, reference = (x.double() - centre for x in (features, reference))
    radius, sample_radius = _radius(reference, k), _radius(features, k)
    recalled, covered = torch.zeros_like(radius).bool(), torch.zeros_like(radius).bool()
    inside = []
    for part, reach in zip(features.split(ROWS), sample_radius.split(ROWS), strict=True):
        distance = _squared_distance(part, reference)
        hit = distance <= radius
        inside.append(hit.sum(1))
        covered |= hit.any(0)
        recalled |= (distance <= reach[:, None]).any(0)
    count = torch.cat(inside).double()
    return {
        "precision": (count > 0).double(),
        "recall": recalled.double(),
        "density": count / k,
        "coverage": covered.double(),
    }


def expected_coverage(samples: int, real: int, k: int = 5) -> float:
    """Compute the coverage expected of `samples` examples that come from the source of the `real` ones, exactly.

    1 − ∏_{i=1…k} (N − i)/(N + M − i): a real example is not covered if its k nearest neighbours are all real.
    Naeem et al. 2020, lemma 2.

    Raises:
        ValueError: numbers that are not positive, or no more than k real examples.
    """
    positive("samples", samples)
    if positive("real", real) <= positive("k", k):
        raise ValueError(f"real: expected more than k={k} examples, got {real}")
    return 1 - math.prod((real - i) / (real + samples - i) for i in range(1, k + 1))


def mode_coverage(x: Tensor, means: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Count the samples within three standard deviations of each mode of a mixture of isotropic Gaussians.

    From `(B, D)` and `(K, D)` to the fraction of the samples at each mode, `(K,)`, and the fraction at any of them, a
    0-d tensor: the *high-quality* samples. In two dimensions the latter is 1 − e^−4.5, 98.89 %, for draws from the
    mixture itself if its modes are at least six standard deviations apart. Metz et al. 2017, arXiv:1611.02163;
    Srivastava et al. 2017.

    Raises:
        TypeError: samples or means that are no tensors of floating-point numbers.
        ValueError: samples or means of another shape or that are not finite, or a sigma that is not positive.
    """
    batch("means", means, means.shape[-1:])
    positive_float("sigma", sigma, batch("x", x, means.shape[1:]).dtype)
    near = ((x[:, None] - means).square().sum(2) <= (3 * sigma) ** 2).to(x.dtype)
    return near.mean(0), near.amax(1).mean()


def _check_features(features: Tensor, reference: Tensor, at_least: int) -> None:
    batch("features", features, features.shape[-1:])
    batch("reference", reference, features.shape[-1:], dtype=features.dtype)
    if min(len(features), len(reference)) < at_least:
        raise ValueError(f"expected at least {at_least} of each set, got {len(features)} and {len(reference)}")


def _radius(features: Tensor, k: int) -> Tensor:
    # The squared radius. The nearest of k + 1 examples is the example itself, at distance 0.
    parts = (_squared_distance(part, features) for part in features.split(ROWS))
    return torch.cat([part.topk(k + 1, largest=False).values[:, k] for part in parts])


def _squared_distance(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[1] <= FEW:
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square_()
    # |a|² + |b|² − 2 a·b: one matrix product, in half the time of `torch.cdist`, which also takes roots. What is left
    # of equal points is rounding, and becomes 0: a neighbourhood of copies holds its copies.
    sizes = b.square().sum(1) + a.square().sum(1, keepdim=True)
    distance = torch.addmm(sizes, a, b.T, alpha=-2)
    return distance.masked_fill_(distance < 1e-14 * sizes, 0)
