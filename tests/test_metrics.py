"""Bounds and diagnostics by their definitions. Where a model is in play, see test_vae."""

import math
from itertools import pairwise

import hypothesis.extra.numpy as arrays
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gen_utils.metrics import active_units, grid_log_joint, grid_log_sum, importance_weighted_bound
from gen_utils.vae import VAE

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
    ("mu", "error", "told"),
    [
        (torch.ones(1, 3), ValueError, "expected at least 2 examples to take a variance over, got 1"),
        (torch.ones(3), ValueError, r"expected a float tensor of shape \(B, 3\) with B ≥ 1, got shape \(3,\)"),
        (torch.ones(0, 3), ValueError, r"B ≥ 1, got shape \(0, 3\)"),
        (torch.full((2, 3), torch.inf), ValueError, "expected finite values, got infinity"),
        (torch.ones(2, 3).long(), TypeError, "expected a float tensor .* got dtype torch.int64"),
    ],
)
def test_active_units_refuse_what_has_no_variance(mu, error, told):
    with pytest.raises(error, match=told):
        active_units(mu)
