"""Bounds and diagnostics by their definitions. Where a model is in play, see test_vae."""

import contextlib
import io
import math
from itertools import pairwise

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc

from gen_utils import toys
from gen_utils.metrics import (
    active_units,
    expected_coverage,
    frechet_distance,
    grid_log_joint,
    grid_log_sum,
    importance_weighted_bound,
    mode_coverage,
    neighbourhood_scores,
    precision_recall_density_coverage,
)
from gen_utils.models.vae import VAE

log_weights = arrays.arrays("float64", (24, 3), elements=st.floats(-1000, 1000))


@settings(deadline=None)
@given(log_weights)
def test_the_bound_never_falls_on_nested_groups(log_w):
    bounds = [importance_weighted_bound(torch.from_numpy(log_w), k) for k in (1, 2, 4, 12, 24)]
    for smaller, larger in pairwise(bounds):
        assert (larger >= smaller - 1e-12 * smaller.abs().clamp(min=1)).all()


@settings(deadline=None)
@given(log_weights)
def test_the_bound_of_all_draws_is_the_log_of_their_mean(log_w):
    log_w = torch.from_numpy(log_w)
    torch.testing.assert_close(importance_weighted_bound(log_w, 24), log_w.logsumexp(0) - math.log(24))
    torch.testing.assert_close(importance_weighted_bound(log_w, 1), log_w.mean(0))


def test_groups_are_averaged_outside_the_logarithm():
    log_w = torch.tensor([[1.0], [3.0], [2.0], [6.0]], dtype=torch.float64).log()
    found = importance_weighted_bound(log_w, 2).item()
    assert math.isclose(found, (math.log(2) + math.log(4)) / 2)


@pytest.mark.parametrize("shape", [(6,), (6, 2, 1), (0, 2), (7, 2)])
def test_the_bound_refuses_draws_that_k_does_not_divide(shape):
    with pytest.raises(ValueError, match=r"expected log-weights \(K, B\) with K a multiple of 2, got ") as refusal:
        importance_weighted_bound(torch.zeros(shape), 2)
    assert str(shape) in str(refusal.value)


@pytest.mark.parametrize(("points", "limit"), [(101, 8.0), (102, 8.0), (201, 6.0)])
def test_the_sum_over_a_grid_is_the_integral(points, limit):
    axis = torch.linspace(-limit, limit, points, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    covariance = torch.tensor([[1.0, 0.6], [0.6, 0.8]], dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.tensor([0.3, -0.2]).double(), covariance)
    values = torch.stack([normal.log_prob(grid), normal.log_prob(grid) - 700])
    torch.testing.assert_close(grid_log_sum(grid, values), torch.tensor([0.0, -700.0]).double(), atol=1e-7, rtol=0)


def test_the_grid_needs_a_plane_and_a_cell():
    x = torch.ones(1, 1, 2, 2)
    with pytest.raises(ValueError, match="needs a two-dimensional latent space, got latent_dim=3"):
        grid_log_joint(VAE(3, (4,), (1, 2, 2)), x)
    plane = VAE(2, (4,), (1, 2, 2))
    for points, error in ((1, ValueError), (0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match=f"points: expected .* got {points}"):
            grid_log_joint(plane, x, points)


def test_active_units_are_those_whose_mean_varies():
    generator = torch.Generator().manual_seed(0)
    deviation = torch.tensor([0.0, 0.05, 0.09, 0.11, 1.0])
    mu = 7 + deviation * torch.randn(100_000, 5, generator=generator)
    assert active_units(mu).tolist() == [False, False, False, True, True]
    assert active_units(mu, threshold=0.001).tolist() == [False, True, True, True, True]


def test_active_units_take_the_unbiased_variance():
    mu = torch.tensor([[0.0, 0.0], [0.14, 0.15]])  # variances d²/2: 0.0098 and 0.01125
    assert active_units(mu).tolist() == [False, True]


@pytest.mark.parametrize(
    ("mu", "error", "message"),
    [
        (torch.ones(1, 3), ValueError, "expected at least 2 examples to take a variance over, got 1"),
        (torch.ones(3), ValueError, r"expected a float tensor of shape \(B, 3\) with B ≥ 1, got shape \(3,\)"),
        (torch.ones(0, 3), ValueError, r"B ≥ 1, got shape \(0, 3\)"),
        (torch.full((2, 3), torch.inf), ValueError, "expected finite values, got infinity"),
        (torch.ones(2, 3).long(), TypeError, "expected a float tensor .* got dtype torch.int64"),
    ],
)
def test_active_units_refuse_what_has_no_variance(mu, error, message):
    with pytest.raises(error, match=message):
        active_units(mu)


# ---- The judge of samples ----------------------------------------------------------------------------------------


def gaussian_features(n, F=6, seed=0):  # noqa: N803
    """Correlated Gaussian features, double precision."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(F, F, generator=generator, dtype=torch.float64)
    return torch.randn(n, F, generator=generator, dtype=torch.float64) @ mix + seed


def test_the_frechet_distance_by_its_definition():
    a, b = gaussian_features(200), gaussian_features(300, seed=1)
    means, covariances = zip(*((x.mean(0).numpy(), x.T.cov().numpy()) for x in (a, b)), strict=True)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + (covariances[0] + covariances[1] - 2 * root).trace()
    assert math.isclose(frechet_distance(a, b), expected, rel_tol=1e-9)
    assert math.isclose(frechet_distance(b, a), expected, rel_tol=1e-9)
    assert frechet_distance(a + 3, a) == pytest.approx(9 * 6)
    assert frechet_distance(a.float(), b.float()) == pytest.approx(expected, rel=1e-6)


def test_the_four_scores_are_those_of_their_authors_package():
    real, samples = gaussian_features(1200), gaussian_features(1100, seed=2) - 1.5
    with contextlib.redirect_stdout(io.StringIO()):
        expected = compute_prdc(real.numpy(), samples.numpy(), nearest_k=4)
    found = precision_recall_density_coverage(samples, real, k=4)
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0.05 < min(found.values()) < max(found.values()) < 0.95


def plane(n, seed):
    return 1.3 * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("names", "samples_vary"), [(["precision", "density"], True), (["recall", "coverage"], False)]
)
def test_the_standard_errors_of_the_four_are_those_over_fresh_sets(names, samples_vary):
    fixed, repeats = plane(200, 0) / 1.3, 300
    varied = [plane(200, seed) for seed in range(1, repeats + 1)]
    scores = [neighbourhood_scores(*((x, fixed) if samples_vary else (fixed, x)), k=3) for x in varied]
    for name in names:
        each = torch.stack([score[name] for score in scores])
        error = each.std(1).square().mean().sqrt() / math.sqrt(200)
        found = each.mean(1).std()
        if name == "coverage":  # real examples also set the size of each other's balls
            assert 1.1 < found / error < 1.6
        else:
            assert abs(error / found - 1) < 3 / math.sqrt(2 * repeats), name


def test_identical_distributions_have_the_expected_coverage():
    N, M, k = 300, 500, 3
    # By counting: the k nearest of a real example are any k of the others, of which N − 1 are real.
    exact = 1 - math.comb(N - 1, k) / math.comb(N + M - 1, k)
    assert math.isclose(expected_coverage(M, N, k), exact)
    sets = [gaussian_features(N + M, 2, seed).split([N, M]) for seed in range(40)]
    found = torch.tensor([precision_recall_density_coverage(x, real, k)["coverage"] for real, x in sets])
    assert abs(found.mean() - exact) < 3 * found.std() / math.sqrt(40)


def test_a_perfect_sampler_finds_every_mode_with_the_known_quality():
    source = toys.grid()
    n = 20_000
    fractions, quality = mode_coverage(
        source.sample(n, generator=torch.Generator().manual_seed(0)), source.means, source.sigma
    )
    exact = 1 - math.exp(-4.5)
    assert abs(quality - exact) < 3 * math.sqrt(exact * (1 - exact) / n)
    assert fractions.shape == (25,)
    assert fractions.sum() == pytest.approx(quality.item())
    one = mode_coverage(source.means[7:8] + torch.tensor([0.149, 0.0]), source.means, source.sigma)
    assert one[0].nonzero().item() == 7
    assert mode_coverage(source.means[7:8] + torch.tensor([0.151, 0.0]), source.means, source.sigma)[1] == 0


# ---- What chapter 7 says of the bootstrap, where everything is a formula ------------------------------------------


def resampled(statistic, *sets, resamples):
    """The statistic of sets drawn from the given ones with replacement, `(resamples,)`, as the chapter does it."""
    result = scipy.stats.bootstrap(
        [np.arange(len(x)) for x in sets],
        lambda *rows: statistic(*(x[row] for x, row in zip(sets, rows, strict=True))),
        n_resamples=resamples,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return torch.from_numpy(result.bootstrap_distribution)


def square_of_the_difference(a, b):
    return (a.mean(0) - b.mean(0)).square().sum().item()


@pytest.mark.parametrize(("shift", "factor"), [(1.0, 1.0), (0.0, math.sqrt(3))])
def test_the_bootstrap_doubles_the_bias_and_knows_the_spread(shift, factor):
    F, N, M, repeats, resamples = 6, 200, 100, 60, 100
    generator = torch.Generator().manual_seed(0)
    part = 1 / N + 1 / M  # the variance of a difference of means
    true, bias = F * shift**2, F * part
    deviation = math.sqrt(4 * true * part + 2 * F * part**2)
    estimates, means, deviations = [], [], []
    for _ in range(repeats):
        a, b = (torch.randn(n, F, generator=generator, dtype=torch.float64) for n in (N, M))
        a = a + shift
        values = resampled(square_of_the_difference, a, b, resamples=resamples)
        estimates.append(square_of_the_difference(a, b))
        means.append(values.mean())
        deviations.append(values.var())
    estimates, means = torch.tensor(estimates), torch.tensor(means)
    assert abs(estimates.mean() - true - bias) < 3 * deviation / math.sqrt(repeats)
    again = means - estimates  # the bias once more
    assert abs(again.mean() - bias) < 3 * again.std() / math.sqrt(repeats) + 0.02 * bias
    found = torch.tensor(deviations).mean().sqrt()
    assert abs(found / (factor * deviation) - 1) < 0.15


def test_the_bootstrap_of_a_frechet_distance_has_its_spread_over_fresh_sets():
    mix = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)

    def draw(n):
        return torch.randn(n, 4, generator=generator, dtype=torch.float64) @ mix

    reference = draw(1000)

    def distance(x):
        return frechet_distance(x, reference)

    fresh = torch.tensor([distance(1.5 * draw(500) + 1) for _ in range(200)])
    variances = [resampled(distance, 1.5 * draw(500) + 1, resamples=40).var() for _ in range(20)]
    # 200 fresh distances know their deviation to 5 %, twenty sets' variances theirs to about 6 %.
    assert abs(torch.stack(variances).mean().sqrt() / fresh.std() - 1) < 3 * 0.08


@pytest.mark.parametrize("judge", [frechet_distance, precision_recall_density_coverage])
def test_the_judge_refuses_what_it_cannot_compare(judge):
    x = gaussian_features(20)
    with pytest.raises(ValueError, match=r"reference: expected .*\(B, 6\)"):
        judge(x, x[:, :5])
    with pytest.raises(ValueError, match="expected finite values, got NaN"):
        judge(x * math.nan, x)
    with pytest.raises(ValueError, match=r"expected at least \d of each set, got 20 and 1"):
        judge(x, x[:1])
    with pytest.raises(TypeError, match="dtype"):
        judge(x, x.float())
