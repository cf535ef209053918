"""Classical densities against numpy, scipy, scikit-learn and their integrals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import close, normal, seeded
from scipy.stats import multivariate_normal, norm
from sklearn.model_selection import KFold, LeaveOneOut, cross_val_score
from sklearn.neighbors import KernelDensity

from gen_utils.models import density
from gen_utils.models.density import KDE, Gaussian, Histogram, choose_bandwidth
from gen_utils.page.graphs.density import density_pad


@pytest.mark.parametrize("D", [1, 2, 3])
@pytest.mark.parametrize("pseudo_count", [0.0, 0.5])
def test_a_histogram_is_numpy_s(D, pseudo_count):  # noqa: N803
    x = normal(500, D).clamp(-2.5, 3.5)  # some of it on the border
    low, high = [-2.5] * D, [3.5] * D
    model = Histogram(low, high, bins=7).double().fit(x, pseudo_count)
    counts, _ = np.histogramdd(x.numpy(), bins=7, range=[(-2.5, 3.5)] * D)
    share = (counts + pseudo_count) / (counts + pseudo_count).sum()
    close(model.probability, share)
    cells = np.floor((x.numpy() + 2.5) / 6 * 7).astype(int).clip(0, 6)
    close(model.log_prob(x), np.log(share[tuple(cells.T)] / (6 / 7) ** D))


def test_a_histogram_s_density_is_the_share_over_the_volume_and_nothing_outside():
    model = Histogram([0, -1], [2, 3], bins=2)
    model.fit(
        torch.tensor([[0.5, 0.0], [0.5, 0.9], [1.5, 2.0], [2.0, 3.0], [0.0, -1.0], [1.0, 0.5], [0, 1], [0.2, 3]])
    )
    found = model.log_prob(torch.tensor([[0.1, 0.1], [0.1, 2.9], [1.9, 0.9], [1.1, 1.1], [2.0, 3.0]]))
    close(found.exp(), torch.tensor([3.0, 2, 1, 2, 2]) / 8 / 2, 1e-6)
    outside = torch.tensor([[-0.1, 0.0], [0.0, -1.1], [2.1, 0.0], [1.0, 3.1]])
    assert (model.log_prob(outside) == -math.inf).all()


def test_a_histogram_without_data_is_uniform_and_an_empty_cell_impossible():
    model = Histogram([0.0], [2.0], bins=4)
    x = torch.tensor([[0.0], [0.7], [2.0]])
    close(model.log_prob(x), [-math.log(2)] * 3, 1e-6)
    model.fit(torch.tensor([[0.1], [0.2]]))
    assert model.log_prob(x).tolist() == [pytest.approx(math.log(2)), -math.inf, -math.inf]
    assert model.fit(torch.tensor([[0.1], [0.2]]), pseudo_count=0.1).log_prob(x).isfinite().all()


def test_a_histogram_s_samples_have_its_density():
    n = 20_000
    model = Histogram([0, -1], [2, 3], bins=3).fit(torch.tensor([[0.1, 0.1], [1.9, 2.9], [1.9, 2.8], [1, 1]]))
    x = model.sample(n, generator=seeded())
    again = Histogram([0, -1], [2, 3], bins=3).fit(x).probability
    p = model.probability
    assert ((again - p).abs() <= 3 * (p * (1 - p) / n).sqrt()).all()
    assert (again[p == 0] == 0).all()
    # Inside a cell all places are the same.
    place = ((x - model.low) / (model.high - model.low) * 3) % 1
    assert ((place.mean(0) - 0.5).abs() < 3 / math.sqrt(12 * n)).all()
    assert ((place.var(0) - 1 / 12).abs() < 3 * math.sqrt(1 / 180 / n)).all()


@pytest.mark.parametrize(
    ("low", "high", "bins"), [([0], [0], 2), ([1], [0], 2), ([math.nan], [1], 2), ([0], [math.inf], 2), ([0], [1], 0)]
)
def test_a_box_must_have_a_volume_and_cells(low, high, bins):
    with pytest.raises(ValueError, match=r"expected .*got "):
        Histogram(low, high, bins)


def test_data_outside_the_box_are_refused_and_counted():
    model = Histogram([0.0], [1.0])
    before = model.probability.clone()
    with pytest.raises(ValueError, match=r"inside the box \[0.0\]…\[1.0\], got 2 of 3 examples outside"):
        model.fit(torch.tensor([[0.5], [1.5], [-0.5]]))
    with pytest.raises(ValueError, match=r"pseudo_count: expected .*got -1"):
        model.fit(torch.tensor([[0.5]]), pseudo_count=-1)
    assert torch.equal(model.probability, before)


@pytest.mark.parametrize("event_shape", [(1,), (3,), (2, 1, 2)])
def test_a_gaussian_is_maximum_likelihood_and_scipy_s(event_shape):
    D = math.prod(event_shape)
    x = (normal(50, D) @ normal(D, D, seed=1) + 100).unflatten(1, event_shape)
    model = Gaussian(event_shape).double().fit(x)
    flat = x.flatten(1).numpy()
    close(model.mu, flat.mean(0))
    close(model.covariance, np.cov(flat.T, bias=True).reshape(D, D), 1e-9)
    expected = multivariate_normal(flat.mean(0), np.cov(flat.T, bias=True)).logpdf(flat).reshape(-1)
    close(model.log_prob(x), expected, 1e-9)
    # The mean log-likelihood at its maximum: −½ (D + D log 2π + log det Σ).
    log_det = np.linalg.slogdet(np.cov(flat.T, bias=True).reshape(D, D))[1]
    close(model.log_prob(x).mean(), -0.5 * (D + D * math.log(2 * math.pi) + log_det), 1e-9)


def test_a_gaussian_s_samples_have_its_mean_and_covariance():
    n = 40_000
    model = Gaussian((2, 1)).double().fit((normal(30, 2) @ normal(2, 2, seed=1) + 1).unflatten(1, (2, 1)))
    x = model.sample(n, generator=seeded())[:, :, 0]
    S = model.covariance
    assert ((x.mean(0) - model.mu).abs() < 3 * (S.diagonal() / n).sqrt()).all()
    error = ((S**2 + S.diagonal()[:, None] * S.diagonal()) / n).sqrt()
    assert ((x.T.cov() - S).abs() < 3 * error).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_singular_covariance_is_refused_and_a_reg_repairs_it(dtype):
    x = normal(20, 3, dtype=dtype)
    for singular in (
        torch.cat([x, torch.full((20, 1), 7.3, dtype=dtype)], 1),  # a constant dimension
        torch.cat([x, x[:, :1] - 2 * x[:, 1:2]], 1),  # a combination
        normal(4, 4, dtype=dtype),  # as many examples as dimensions
    ):
        model = Gaussian((4,)).to(dtype)
        with pytest.raises(ValueError, match=r"invertible, got \d+ examples of 4 dimensions .* reg above 0"):
            model.fit(singular)
        expected = torch.cov(singular.double().T, correction=0) + 0.01 * torch.eye(4)
        close(model.fit(singular, reg=0.01).covariance, expected, 1e-5)
    with pytest.raises(ValueError, match=r"reg: expected .*got -1"):
        model.fit(x, reg=-1)


def theirs(data, bandwidth, x):
    """scikit-learn's KDE, with all data in one leaf: its trees round away the density far from the data."""
    model = KernelDensity(bandwidth=bandwidth, leaf_size=len(data)).fit(data.double().flatten(1).numpy())
    return model.score_samples(x.double().flatten(1).numpy())


@pytest.mark.parametrize(("event_shape", "N"), [((1,), 1), ((2,), 300), ((3, 2), 40), ((784,), 100)])
@pytest.mark.parametrize("bandwidth", [0.1, 1.0])
def test_a_kde_is_scikit_learn_s(event_shape, N, bandwidth):  # noqa: N803
    data, x = 2 * normal(N, *event_shape) + 3, 2 * normal(50, *event_shape, seed=1) + 3
    close(KDE(data, bandwidth).log_prob(x), theirs(data, bandwidth, x), 1e-10)


def test_a_kde_keeps_its_digits_far_from_the_origin():
    data, x = normal(100, 2) + 1000, normal(50, 2, seed=1) + 1000
    close(KDE(data, 0.05).log_prob(x), theirs(data, 0.05, x))
    data, x = data.float(), x.float()
    close(KDE(data, 0.5).log_prob(x), theirs(data, 0.5, x), 1e-5)


def test_a_kde_integrates_to_one():
    axis = torch.linspace(-8, 8, 301, dtype=torch.float64)
    mass = KDE(normal(20, 2), 0.4).log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (16 / 300) ** 2
    close(mass, 1, 1e-8)


@settings(max_examples=30, deadline=None)
@given(table=st.integers(1, 2000), N=st.integers(2, 40), B=st.integers(1, 30))
def test_however_the_table_is_cut_the_sums_are_the_same(table, N, B):  # noqa: N803
    model, x = KDE(normal(N, 3), 0.7), normal(B, 3, seed=1)
    whole, alone, before = model.log_prob(x), model.leave_one_out(), density.TABLE
    density.TABLE = table
    try:
        close(model.log_prob(x), whole, 1e-12)
        close(model.leave_one_out(), alone, 1e-12)
    finally:
        density.TABLE = before


def test_leaving_one_out_is_a_kde_of_the_others():
    x = torch.cat([normal(30, 2), normal(3, 2)])  # three of them twice
    expected = np.concatenate([theirs(torch.cat([x[:n], x[n + 1 :]]), 0.3, x[n : n + 1]) for n in range(len(x))])
    close(KDE(x, 0.3).leave_one_out(), expected)
    assert KDE(x, 0.3).log_prob(x).mean() > np.mean(expected)
    with pytest.raises(ValueError, match=r"at least 2 data points .*got 1"):
        KDE(x[:1], 0.3).leave_one_out()


def test_training_likelihood_has_no_bound_and_the_held_out_one_has():
    x = normal(100, 1)
    training = [KDE(x, h).log_prob(x).mean().item() for h in (1e-1, 1e-3, 1e-6, 1e-9)]
    held_out = [KDE(x, h).leave_one_out().mean().item() for h in (1e-1, 1e-3, 1e-6, 1e-9)]
    assert training == sorted(training)
    assert held_out == sorted(held_out, reverse=True)
    # At the end only its own kernel is left: −log N − ½ log 2π − log h.
    assert training[-1] == pytest.approx(-math.log(100 * math.sqrt(2 * math.pi) * 1e-9))


@pytest.mark.parametrize("folds", [2, 5, 33])
def test_cross_validation_is_scikit_learn_s(folds):
    x, bandwidths = normal(33, 2), [0.05, 0.2, 0.4, 0.8, 3.0]
    best, scores = choose_bandwidth(x, bandwidths, folds)
    expected = [
        # Theirs are total log-likelihoods of the parts.
        cross_val_score(KernelDensity(bandwidth=h), x.numpy(), cv=KFold(folds)).sum() / len(x)
        for h in bandwidths
    ]
    close(scores, expected)
    assert best == bandwidths[int(np.argmax(expected))]
    if folds == len(x):
        alone = [cross_val_score(KernelDensity(bandwidth=h), x.numpy(), cv=LeaveOneOut()).mean() for h in bandwidths]
        close(scores, alone)


@pytest.mark.parametrize("folds", [0, 1, 34])
def test_folds_that_do_not_fit_are_refused(folds):
    with pytest.raises(ValueError, match=rf"folds: expected .*got {folds}"):
        choose_bandwidth(normal(33, 2), [0.1], folds)


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.nan, math.inf])
def test_a_bandwidth_must_be_positive(bandwidth):
    for call in (lambda: KDE(normal(3, 2), bandwidth), lambda: choose_bandwidth(normal(3, 2), [bandwidth], 2)):
        with pytest.raises(ValueError, match=rf"bandwidth: expected a positive number, got {bandwidth}"):
            call()
    with pytest.raises(ValueError, match="bandwidths: expected at least one"):
        choose_bandwidth(normal(3, 2), [], 2)


@pytest.mark.parametrize("x", [[[0.0]], torch.zeros(0, 2), torch.zeros(3, 2).long(), torch.full((3, 2), torch.nan)])
def test_a_kde_needs_data(x):
    with pytest.raises((TypeError, ValueError), match=r"x: expected .*got "):
        KDE(x, 1.0)


def test_a_kde_s_samples_have_its_mean_and_variance():
    n, h = 40_000, 0.5
    x = torch.tensor([[-2.0], [0.0], [0.0], [3.0]], dtype=torch.float64)
    drawn = KDE(x, h).sample(n, generator=seeded())
    variance = x.var(correction=0) + h**2
    assert abs(drawn.mean() - x.mean()) < 3 * (variance / n).sqrt()
    fourth = ((x - x.mean()) ** 4 + 6 * (x - x.mean()) ** 2 * h**2 + 3 * h**4).mean()
    assert abs(drawn.var() - variance) < 3 * ((fourth - variance**2) / n).sqrt()
    # Where the data lie, and not only how wide: each point has its share.
    nearest = (drawn - torch.tensor([[-2.0, 0.0, 3.0]], dtype=torch.float64)).abs().argmin(1)
    inside = [math.erf(1 / h / math.sqrt(2)), math.erf(1.5 / h / math.sqrt(2))]
    assert abs((nearest == 0).double().mean() - 0.25 * (0.5 + inside[0] / 2) - 0.5 * (0.5 - inside[0] / 2)) < 0.0066
    assert abs((nearest == 2).double().mean() - 0.25 * (0.5 + inside[1] / 2)) < 0.0066


def test_a_kde_keeps_data_of_its_own_and_state_holds_all_of_it():
    x = normal(5, 2)
    model = KDE(x, 0.3)
    other = KDE(torch.zeros_like(x), 1.0)
    other.load_state_dict(model.state_dict())
    x.zero_()
    at = normal(4, 2, seed=1)
    close(other.log_prob(at), theirs(normal(5, 2), 0.3, at))


# ---- Three densities of points on a line, as the chapter's widget asks for them -----------------------------------


def padded(points, places=64):
    values, weight = torch.full((places,), 0.37), torch.zeros(places)  # a place without a point holds anything
    values[: len(points)], weight[: len(points)] = torch.tensor(points), 1
    return values, weight


def run_pad(train, held_out, h, grid=(0.0,)):
    return density_pad(*padded(train), *padded(held_out), torch.tensor([h]), torch.tensor(grid))


TRAIN, HELD_OUT = [-1.5, -1.25, -1.0, -0.9, 0.31, 1.5, 1.62, 2.0], [-1.31, -1.12, 1.2, 1.75]


@pytest.mark.parametrize("h", [0.02, 0.3, 2.0])
def test_the_pad_is_scikit_learn_s_numpy_s_and_scipy_s(h):
    grid = np.linspace(-4, 4, 200, dtype=np.float32)  # no place of it is an end of a cell, but one of them is near 0
    density, *scores = run_pad(TRAIN, HELD_OUT, h, grid)
    train = np.array(TRAIN)
    kde = KernelDensity(bandwidth=h, leaf_size=64).fit(train[:, None])
    ends = np.arange(-200, 201) * math.sqrt(12) * h
    heights = np.histogram(train, ends, density=True)[0]
    gaussian = norm(train.mean(), train.std())
    for x, found in [(grid, density), (train, scores[0]), (np.array(HELD_OUT), scores[1])]:
        expected = [
            kde.score_samples(x[:, None].astype(float)),
            np.log(np.maximum(heights[np.searchsorted(ends, x, side="right") - 1], 1e-300)),
            gaussian.logpdf(x),
        ]
        if found is density:
            np.testing.assert_allclose(found, np.exp(expected), rtol=1e-4, atol=1e-6)
        else:
            expected = np.where(np.array(expected) < -600, -math.inf, expected).mean(1)
            np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("h", [0.05, 0.5])
def test_the_pad_s_densities_integrate_to_one(h):
    grid = torch.linspace(-15, 15, 30_001)
    density, *_ = run_pad(TRAIN, [], h, grid.tolist())
    np.testing.assert_allclose(density.double().sum(1) * 1e-3, 1, atol=1e-3)


def test_a_small_bandwidth_wins_on_training_points_and_loses_on_held_out_ones():
    _, train, held_out = (
        torch.stack(each) for each in zip(*[run_pad(TRAIN, HELD_OUT, h) for h in (0.02, 0.3)], strict=True)
    )
    assert (train[0, :2] > train[1, :2]).all()
    assert (held_out[0, :2] < held_out[1, :2]).all()
    assert torch.equal(train[0, 2], train[1, 2])  # a Gaussian has no bandwidth
    assert held_out[0, 1] == -math.inf


def test_the_pad_without_points_has_no_density_and_no_mean():
    density, train, held_out = run_pad([], [1.0], 0.3, (-1.0, 0.37, 2.0))
    assert torch.equal(density, torch.zeros(3, 3))
    assert train.isnan().all()
    assert (held_out == -math.inf).all()
    density, train, held_out = run_pad([1.0, 2.0], [], 0.3)
    assert density.isfinite().all()
    assert train.isfinite().all()
    assert held_out.isnan().all()


@pytest.mark.parametrize("train", [[1.1], [1.1, 1.1, 1.1]])
def test_points_at_one_place_have_a_gaussian_of_no_width(train):
    density, score, held_out = run_pad(train, [1.1, 2.0], 0.3, (1.1, 1.2))
    assert density[2].tolist() == [math.inf, 0]
    close(score[:2], [-math.log(0.3 * math.sqrt(2 * math.pi)), -math.log(0.3 * math.sqrt(12))], 1e-5)
    assert score[2] == math.inf
    assert held_out[2] == -math.inf  # the one that is elsewhere decides
    assert run_pad(train, [1.1], 0.3)[2][2] == math.inf
