"""Floats at their limits: statistics without a value, other units, lost digits, overflow. Refused in words, or right.

What is right comes from double precision, SciPy, scikit-learn, or a formula.
"""

import contextlib
import io
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import close, normal, seeded
from prdc import compute_prdc
from scipy.special import logsumexp

from gen_utils import metrics, toys
from gen_utils.likelihoods import normal_log_prob
from gen_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, LinearAutoencoder
from gen_utils.models.density import KDE, Gaussian, Histogram, choose_bandwidth
from gen_utils.models.flows import CouplingFlow
from gen_utils.models.made import MADE
from gen_utils.models.mixtures import BernoulliMixture, GaussianMixture, em_steps
from gen_utils.models.ppca import PPCA
from gen_utils.models.vae import VAE, GaussianVAE
from gen_utils.train import train_steps

quick = settings(max_examples=15, deadline=None)


def refused(message, call):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    return str(refusal.value)


# ---- Statistics that have no value -------------------------------------------------------------------------------


def gaussian_vae(D=16):  # noqa: N803
    torch.manual_seed(0)
    return GaussianVAE(2, (8,), (D,))


@pytest.mark.parametrize("value", [0.5, 0.1, 1e5, 1e-5])
@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_data_that_do_not_vary_have_no_density(value, n, dtype):
    x = value * torch.arange(1, 5, dtype=dtype).expand(n, 4)
    for model, message in [
        (gaussian_vae(4), f"expected examples that vary, for σ > 0, got {n}"),
        (CouplingFlow((4,), 1), f"expected dimensions that all vary, got {n} examples with a constant one"),
        (PPCA(1, (4,)), "span more than latent_dim=1 dimensions"),
        (Gaussian((4,)), "one that is constant"),
        (GaussianMixture(1, 4), f"expected examples that vary, or a reg above 0, got {n}"),
        (GaussianMixture(2, 4), "expected at least 2 different examples, got 1"),
    ]:
        model = model.to(dtype)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        refused(message, lambda model=model: getattr(model, "fit", getattr(model, "start_from", None))(x))
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert Gaussian((4,)).to(dtype).fit(x, reg=0.1).log_prob(x).isfinite().all()
    assert GaussianMixture(1, 4, reg=0.1).to(dtype).start_from(x).log_prob(x).isfinite().all()
    for model in (LinearAutoencoder(2, (4,)), VAE(2, (8,), (4,)), MADE((8,), (4,)), Autoencoder(2, (8,), (4,))):
        inside = x if isinstance(model, LinearAutoencoder) else x.clamp(0, 1).round()
        model.to(dtype).start_from(inside)
        assert model.loss(inside)["loss"].isfinite().all()


def test_one_constant_dimension_has_no_flow():
    x = normal(50, 2, dtype=torch.float32)
    x[:, 1] = 3
    refused("got 50 examples with a constant one", lambda: CouplingFlow().start_from(x))
    refused("one that is constant", lambda: Gaussian((2,)).fit(x))


def test_dimensions_of_very_different_size_have_a_ppca():
    units = torch.tensor([20000, 0.01, 0.01, 0.02])
    x = normal(500, 4, dtype=torch.float32) * units
    model = PPCA(1, (4,)).fit(x)
    values = np.linalg.eigvalsh(np.cov(x.double().numpy().T, bias=True))
    assert model.sigma.item() == pytest.approx(math.sqrt(values[:-1].mean()), rel=1e-4)
    assert model.W.norm().item() == pytest.approx(math.sqrt(values[-1]), rel=1e-5)
    # With 1e9 in place of 20000, double precision has no digit of the others left.
    wide = x * torch.tensor([1e9, 1, 1, 1])
    assert "is rounding beside" in refused("span more than latent_dim=1 dimensions", lambda: PPCA(1, (4,)).fit(wide))
    # In a direction that is no axis, single precision rounds 20000 by 0.001 in every dimension.
    turn = torch.linalg.qr(normal(4, 4)).Q
    for noise in (0.01, 0.001):
        turned = normal(500, 4) * torch.tensor([20000, noise, noise, noise]) @ turn
        assert PPCA(1, (4,)).double().fit(turned).sigma.item() == pytest.approx(noise, rel=0.1)
        if noise == 0.01:
            assert PPCA(1, (4,)).fit(turned.float()).sigma.item() == pytest.approx(noise, rel=0.1)
    refused("span more than latent_dim=1 dimensions", lambda: PPCA(1, (4,)).fit(turned.float()))


@pytest.mark.parametrize("width", [1e-3, 3e-4])
def test_a_narrow_component_keeps_its_width_in_single_precision(width):
    for seed in range(4):
        turn = torch.linalg.qr(normal(2, 2, seed=seed)).Q
        x = normal(2000, 2, seed=seed) * torch.tensor([1.0, width]) @ turn
        model = GaussianMixture(1, 2).start_from(x.float())
        for _ in em_steps(model, x.float(), steps=2):
            pass
        log_p = model.log_prob(x.float()).double()
        assert abs(log_p.mean() - Gaussian((2,)).double().fit(x).log_prob(x).mean()) < 0.02


def test_a_mixture_with_fewer_digits_than_it_was_fitted_with_says_so():
    x = normal(500, 1) + 1e-5 * normal(500, 2, seed=1)
    model = GaussianMixture(1, 2).double().start_from(x)
    for _ in em_steps(model, x, steps=2):
        pass
    for call in (lambda: model.float().log_prob(x.float()), lambda: model.float().sample(3)):
        refused("covariance: expected matrices with an inverse in torch.float32", call)


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-4])
def test_what_is_missing_is_filled_in_though_little_is_observed(noise):
    x = normal(200, 2) @ normal(2, 6, seed=1) + noise * normal(200, 6, seed=2)
    observed = torch.arange(1200).view(200, 6) % 5 == 0
    model = PPCA(2, (6,)).fit(x.float())
    found = model.impute(x.float(), observed).double()
    W, mu, variance = model.W.double(), model.mu.double(), model.sigma.double() ** 2
    for row, o, filled in zip(x.float().double(), observed, found, strict=True):
        M = W[o] @ W[o].T + variance * torch.eye(int(o.sum()))
        expected = mu + W @ W[o].T @ torch.linalg.solve(M, (row - mu)[o])
        close(filled[~o], expected[~o], 1e-4)


def test_an_example_far_from_all_others_is_no_index_error():
    far = [[0.0, 0], [1, 1], [2, 0], [1e20, 1]]
    refused("expected values within", lambda: GaussianMixture(2, 2).start_from(torch.tensor(far)))
    for x in (torch.tensor(far).double(), torch.tensor(far).clamp(max=1e15)):
        for seed in range(5):
            model = GaussianMixture(2, 2).to(x.dtype).start_from(x, generator=seeded(seed))
            close(model.responsibilities(x).sum(1), [1.0] * 4, 1e-5)
            assert x[3].tolist() in model.mu.tolist()
        model = GaussianMixture(3, 2).to(x.dtype).start_from(x, generator=seeded())
        assert len(model.mu.unique(dim=0)) == 3


def test_a_component_that_no_example_reaches_is_not_divided_by():
    model = GaussianMixture(2, 2)
    model.covariance.mul_(1e-30)
    x = torch.tensor([[1e12, 1e12], [-1e12, 0]])
    for call in (model.responsibilities, model.em_step):
        refused("x: expected examples near a component", lambda call=call: call(x))
    assert not model.log_prob(x).isnan().any()


def test_a_small_prior_beside_many_images_leaves_every_image_possible():
    model, x = BernoulliMixture(2, (3,), prior=1e-6), torch.tensor([[1.0, 0, 1]]).repeat(5000, 1)
    for _ in em_steps(model, x, steps=3):
        pass
    assert model.log_prob(torch.tensor([[1.0, 0, 1], [0, 1, 0]])).isfinite().all()


def test_bandwidths_that_reach_nobody_are_not_chosen_among():
    x = torch.tensor([[0.0], [1e8], [2e8], [3e8]])
    for folds in (2, 4):
        refused(
            "bandwidths: expected one that reaches", lambda folds=folds: choose_bandwidth(x, [1e-15, 1e-14], folds)
        )


# ---- Other units -------------------------------------------------------------------------------------------------


def moved_log_prob(name, x, unit, shift):
    """Log p of the model of `x`, with all its own settings in the units of the data."""
    if name == "histogram":
        ends = x.amin(0) - unit / 64, x.amax(0) + unit / 64
        if x.dtype == torch.float32:
            return Histogram(*(end.tolist() for end in ends), bins=3).fit(x, 0.5).log_prob(x)
        model = Histogram([0] * x.shape[1], [1] * x.shape[1], bins=3).double()
        model.low.copy_(ends[0])  # the constructor would round them
        model.high.copy_(ends[1])
        return model.fit(x, 0.5).log_prob(x)
    if name == "kde":
        return KDE(x, 0.3 * unit).log_prob(x)
    if name == "mixture":
        model = GaussianMixture(2, x.shape[1]).to(x.dtype).start_from(x, generator=seeded())
        for _ in em_steps(model, x, steps=3):
            pass
        return model.log_prob(x)
    if name == "toy":
        means = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=x.dtype) * unit + shift
        model = toys.IsotropicMixture(means, 0.5 * unit).to(x.dtype)
        model.means.copy_(means)
        return model.log_prob(x[:, :2]) + model.responsibilities(x[:, :2])[:, 0]
    torch.manual_seed(0)
    model = {
        "gaussian": lambda: Gaussian(x.shape[1:]),
        "ppca": lambda: PPCA(1, x.shape[1:]),
        "flow": lambda: CouplingFlow(x.shape[1:], 1, (4,), 4),
        "vae": lambda: GaussianVAE(2, (), x.shape[1:]),
    }[name]().to(x.dtype)
    getattr(model, "fit", getattr(model, "start_from", None))(x)
    if name != "vae":
        return model.log_prob(x).detach()
    with torch.no_grad():
        model.decoder.layers[-1].weight.zero_()
        return model.log_likelihood_table(x, torch.zeros(1, 2, dtype=x.dtype))[:, 0]


MODELS = ["histogram", "kde", "mixture", "toy", "gaussian", "ppca", "flow", "vae"]


@pytest.mark.parametrize("name", MODELS)
@quick
@given(power=st.integers(-9, 9), shift=st.sampled_from([0, 0, 1, -1e3, 1e6, 1e9]), seed=st.integers(0, 99))
def test_other_units_are_the_same_model(name, power, shift, seed):
    unit, D = 10.0**power, 2 if name == "toy" else 3
    if name == "toy" and abs(shift) * unit > 1e15:
        return  # its means have PyTorch's default precision, which refuses them
    x = normal(40, D, seed=seed) + torch.arange(40).remainder(2)[:, None] * 4
    expected = moved_log_prob(name, x, 1.0, 0.0) - D * math.log(unit)
    found = moved_log_prob(name, (x + shift) * unit, unit, shift * unit)
    close(found, expected, 1e-8 + 1e-13 * abs(shift) * 40)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("unit", "shift"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e3), (1e-9, -1e3), (1e9, 1e3)])
def test_single_precision_loses_no_more_than_the_data_s_last_digits(name, unit, shift):
    D = 2 if name == "toy" else 6  # from 5 on there is a matrix product
    x = ((normal(40, D) + torch.arange(40).remainder(2)[:, None] * 4 + shift) * unit).float()
    expected = moved_log_prob(name, x.double(), unit, shift * unit)
    # The model's own numbers are rounded too, by 2⁻²⁴ of the shift, which some data are 5 standard deviations from.
    close(moved_log_prob(name, x, unit, shift * unit).double(), expected, 1e-4 + 1e-6 * abs(shift))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("unit", "shift"), [(1.0, 1e9), (1e-9, 1.0), (1e-30, 0.0), (1e20, 0.0), (1e-45, 0.0)])
def test_what_single_precision_cannot_hold_is_refused_or_finite(name, unit, shift):
    x = (normal(40, 2) * unit + shift).float()
    with contextlib.suppress(ValueError, FloatingPointError):
        assert moved_log_prob(name, x, unit, shift).isfinite().all()


def test_a_flow_trained_in_other_units_is_the_same_flow():
    x = toys.moons().sample(1000, generator=seeded())
    log_p = []
    for unit in (1.0, 2.0**-30, 1e-9):
        torch.manual_seed(0)
        flow = CouplingFlow(couplings=2, hidden_dims=(16,), bins=4)
        flow.start_from(unit * x)
        for _ in train_steps(flow, unit * x, steps=25, batch_size=200, lr=1e-2):
            pass
        with torch.no_grad():
            log_p.append(flow.log_prob(unit * x) + 2 * math.log(unit))
    close(log_p[1], log_p[0], 1e-5)  # the same arithmetic: only exponents differ
    assert abs(log_p[2].mean() - log_p[0].mean()) < 0.02
    assert log_p[0].mean() > -2.2  # −2.5 is a Gaussian's


# ---- Lost digits and overflow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@quick
@given(
    powers=st.lists(st.integers(-4, 5), min_size=5, max_size=9),
    h=st.integers(-3, 1),
    shift=st.sampled_from([0.0, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_a_kde_is_right_at_any_spread_of_its_columns(dtype, powers, h, shift, seed):
    units, h = torch.tensor([10.0**power for power in powers]), 10.0**h
    data = (units * normal(30, len(powers), seed=seed) + shift).to(dtype)
    x = torch.cat([data[:5], (data[5:10].double() + h * normal(5, len(powers), seed=seed + 1)).to(dtype)])
    found = KDE(data, h).log_prob(x).double().numpy()
    difference = (x.double().numpy()[:, None] - data.double().numpy()) / h
    height = -len(powers) * math.log(h * math.sqrt(2 * math.pi))
    kernels = height - 0.5 * (difference**2).sum(2)
    expected = logsumexp(kernels, axis=1) - math.log(30)
    digits = 1e-4 if dtype == torch.float32 else 1e-10
    np.testing.assert_allclose(found, expected, rtol=digits, atol=digits)
    assert (found <= expected.max() + digits * abs(height)).all()


@quick
@given(power=st.integers(-3, 0), shift=st.sampled_from([0.0, 1.0, 1e3]), seed=st.integers(0, 99))
def test_a_table_of_gaussian_likelihoods_is_each_one_of_them(power, shift, seed):
    torch.manual_seed(seed)
    model = GaussianVAE(2, (8,), (40,), sigma=10.0**power).requires_grad_(False)
    model.decoder.layers[-1].bias.add_(shift)
    z = torch.randn(30, 2)
    means = model.decode(z)
    x = means + 10.0**power * torch.randn(30, 40)
    expected = normal_log_prob(x[:, None].double(), means.double(), 10.0**power)
    torch.testing.assert_close(model.log_likelihood_table(x, z).double(), expected, rtol=1e-4, atol=1e-3)


@quick
@given(
    shift=st.sampled_from([0.0, -10.0, 1e5, 1e9]),
    power=st.integers(-9, 9),
    F=st.sampled_from([1, 2, 10]),
    seed=st.integers(0, 99),
)
def test_the_frechet_distance_knows_no_origin_and_no_unit(shift, power, F, seed):  # noqa: N803
    x, y = 1.5 * normal(200, F, seed=seed) + 0.5, normal(300, F, seed=seed + 100)
    if F == 1:
        expected = ((x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2).item()
    else:
        expected = metrics.frechet_distance(x, y)
    unit = 10.0**power
    found = metrics.frechet_distance((x + shift) * unit, (y + shift) * unit)
    assert found == pytest.approx(expected * unit**2, rel=1e-3 if shift else 1e-6)
    for same in (x, x + shift, x[:2].expand(2, F)):
        assert 0 <= metrics.frechet_distance(same, same) < 1e-5


def test_a_small_frechet_distance_far_from_the_origin():
    x = normal(500, 4)
    assert metrics.frechet_distance(x + 1e5, x + 1e5 + 1e-3) == pytest.approx(4e-6, rel=1e-3)
    x, y = normal(2000, 4, dtype=torch.float32), 1.2 * normal(2000, 4, seed=1, dtype=torch.float32)
    found, expected = metrics.frechet_distance(x + 1e5, y + 1e5), metrics.frechet_distance(x, y)
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("points", [401, 2001])
def test_the_area_of_a_fine_grid_keeps_its_digits(points):
    axis = torch.linspace(-10, 10, points)
    grid = torch.cartesian_prod(axis, axis)
    log_p = normal_log_prob(grid.double())[None]
    assert abs(metrics.grid_log_sum(grid, log_p).item()) < 1e-6


@pytest.mark.parametrize("shape", [(3, 1), (3, 4)])
def test_the_frechet_distance_of_constant_features_is_that_of_points(shape):
    zero, one = torch.zeros(shape), torch.ones(shape)
    assert metrics.frechet_distance(zero, zero) == metrics.frechet_distance(one, one) == 0
    assert metrics.frechet_distance(zero, one) == pytest.approx(shape[1])
    assert metrics.frechet_distance(1e-9 * zero, 1e-9 * one) == pytest.approx(shape[1] * 1e-18)


@pytest.mark.parametrize("F", [2, 30])
@quick
@given(shift=st.sampled_from([0.0, 1e3, 1e9]), power=st.integers(-9, 9), copies=st.integers(1, 6), far=st.booleans())
def test_neighbourhoods_know_no_origin_no_unit_and_hold_their_copies(F, shift, power, copies, far):  # noqa: N803
    x, real = normal(60, F), normal(50, F, seed=1)
    x = torch.cat([x, real[:3], x[:1].expand(copies, F), real[:1].expand(copies, F)])
    real = torch.cat([real, real[:1].expand(copies, F)])
    if shift:
        x, real = (each.mul(2**20).round() / 2**20 for each in (x, real))  # the shift is exact, and ties stay ties
    if far:
        real[-1] = 1e12 if shift == 0 else 1e6
    found = metrics.precision_recall_density_coverage((x + shift) * 10.0**power, (real + shift) * 10.0**power, k=3)
    # A copy of an example may lie on the border of a neighbourhood, where the product's last digit decides.
    assert found == pytest.approx(compute_exactly(x, real), abs=1e-9 if F == 2 else 0.08)


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("F", [2, 9, 30])
def test_the_neighbourhood_of_a_point_that_stands_there_many_times_is_that_point(F, shift):  # noqa: N803
    x = (100 * normal(4, F, dtype=torch.float32) + shift).repeat(57, 1)
    found = metrics.precision_recall_density_coverage(x, x[3:].flip(0), k=5)
    assert found == pytest.approx({"precision": 1, "recall": 1, "density": (3 * 56 + 57) / 4 / 5, "coverage": 1})


def compute_exactly(x, real, k=3):
    """The four scores by their definitions, from differences."""

    def table(a, b):
        return (a[:, None] - b).square().sum(2)

    radius, sample_radius = (table(each, each).sort(1).values[:, k] for each in (real, x))
    hit = table(x, real) <= radius
    return {
        "precision": hit.any(1).double().mean().item(),
        "recall": (table(x, real) <= sample_radius[:, None]).any(0).double().mean().item(),
        "density": hit.double().sum(1).mean().item() / k,
        "coverage": hit.any(0).double().mean().item(),
    }


def test_neighbourhoods_in_single_precision_far_away_are_those_of_their_authors():
    x, real = (30 * normal(300, 20, seed=seed, dtype=torch.float32) + 1e4 for seed in (0, 1))
    with contextlib.redirect_stdout(io.StringIO()):
        expected = compute_prdc((real - 1e4).double().numpy(), (x - 1e4).double().numpy(), nearest_k=5)
    assert metrics.precision_recall_density_coverage(x, real) == pytest.approx(expected, abs=1e-6)


@quick
@given(shift=st.sampled_from([0.0, 1.0, 1e3, 1e5]), sigma=st.sampled_from([0.05, 0.5]), alpha_bar_t=st.floats(0.1, 1))
def test_a_mixture_far_from_the_origin_knows_its_components_and_its_slope(shift, sigma, alpha_bar_t):
    toy = toys.IsotropicMixture(torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]) + shift, sigma)
    signal = torch.tensor(alpha_bar_t).double().sqrt().item()
    x = (signal * toy.means.double().mean(0) + 0.7 * normal(20, 2)).float()
    exact = toys.IsotropicMixture(toy.means, sigma).double()
    variance = alpha_bar_t * sigma**2 + 1 - alpha_bar_t
    offset = x.double()[:, None] - signal * exact.means
    r = (-offset.square().sum(2) / (2 * variance)).softmax(1)
    lost = 3e-7 * (1 + shift) / variance  # x and √ᾱ c are rounded
    assert (toy.responsibilities(x, alpha_bar_t) - r).abs().max() < 1e-5 + lost
    slope = -(r[:, :, None] * offset).sum(1) / variance
    assert (toy.score(x, alpha_bar_t) - slope).abs().max() < (1e-5 + lost) * (1 + slope.abs().max())


@pytest.mark.parametrize("toy", [toys.Checkerboard(), Histogram([0.3], [5.7], bins=20)])
def test_the_largest_random_number_stays_inside(toy, monkeypatch):
    largest = 1 - torch.finfo(torch.float32).eps / 2
    monkeypatch.setattr(torch, "rand", lambda *size, dtype=None, **_: torch.full(size, largest, dtype=dtype))
    assert toy.log_prob(toy.sample(500, generator=seeded())).isfinite().all()


# ---- Settings ----------------------------------------------------------------------------------------------------

POINTS = torch.zeros(3, 2)


@pytest.mark.parametrize("value", [1e-46, 1e-30, 1e30, 0.0, -1.0, math.nan, math.inf])
def test_a_width_has_a_square(value):
    for name, call in [
        ("bandwidth", lambda: KDE(POINTS, value)),
        ("bandwidth", lambda: choose_bandwidth(POINTS, [value], 2)),
        ("sigma", lambda: GaussianVAE(2, (4,), (3,), sigma=value)),
        ("sigma", lambda: DenoisingAutoencoder(value)),
        ("sigma", lambda: toys.IsotropicMixture(POINTS, value)),
        ("prior", lambda: BernoulliMixture(2, (3,), value)),
        ("sigma", lambda: metrics.mode_coverage(POINTS, POINTS, value)),
    ]:
        refused(f"{name}: expected a positive number, got {re.escape(str(value))}", call)
    if 0 < value < math.inf:
        assert KDE(POINTS.double(), value).log_prob(POINTS.double()).isfinite().all()


@pytest.mark.parametrize("weights", [[1, -1, 1], [0, 0, 0], [1, math.nan, 1], [1, math.inf, 1], [-1, -1, -1]])
def test_weights_are_probabilities_up_to_a_factor(weights):
    refused("weights: expected", lambda: toys.IsotropicMixture(POINTS, 1.0, torch.tensor(weights).float()))


def test_a_weight_of_zero_is_a_component_without_points():
    toy = toys.IsotropicMixture(torch.tensor([[0.0, 0], [9, 9]]), 0.1, torch.tensor([1.0, 0.0]))
    x = toy.sample(50, generator=seeded())
    assert x.abs().max() < 1
    for value in (toy.log_prob(x), toy.responsibilities(x), toy.score(x)):
        assert value.isfinite().all()


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("bins: expected fewer than 1000, .* got 2000", lambda: CouplingFlow(bins=2000)),
        ("bins: expected fewer than 1000, .* got 1000", lambda: CouplingFlow(bins=1000)),
        ("bins: expected at most .* got 100 to the power of 9", lambda: Histogram([0] * 9, [1] * 9, 100)),
        ("low, high: expected finite", lambda: Histogram([1e9], [1e9 + 1])),
        ("low, high: expected finite", lambda: Histogram([-3e38], [3e38])),
        ("low, high: expected finite", lambda: Histogram([0], [1e39])),
        ("pseudo_count: expected", lambda: Histogram([0, 0], [1, 1]).fit(POINTS, 1e39)),
        ("reg: expected", lambda: Gaussian((2,)).fit(POINTS, 1e39)),
        ("reg: expected", lambda: GaussianMixture(2, 2, reg=1e39)),
        ("beta: expected", lambda: VAE(2, (4,), (3,), beta=1e39)),
        ("event_shape: expected at least one axis", lambda: KDE(torch.zeros(3), 1.0)),
        ("alpha_bar_t: expected a number in", lambda: toys.ring().score(POINTS, 1.5)),
        ("alpha_bar_t: expected a number in", lambda: toys.ring().responsibilities(POINTS, math.nan)),
        ("alpha_bar_t: expected one number, or", lambda: toys.ring().score(POINTS[:2], torch.rand(2))),
        ("features: expected .* with B", lambda: metrics.frechet_distance(POINTS[:, :0], POINTS[:, :0])),
        ("x: expected .* with B", lambda: metrics.mode_coverage(POINTS[:0], POINTS, 1.0)),
        ("x: expected .* got shape", lambda: metrics.mode_coverage(POINTS[:, :1], POINTS, 1.0)),
        ("x: expected .* got NaN", lambda: metrics.mode_coverage(POINTS / 0, POINTS, 1.0)),
        ("threshold: expected", lambda: metrics.active_units(POINTS, -0.1)),
        ("threshold: expected", lambda: metrics.active_units(POINTS, math.nan)),
        ("limit: expected", lambda: metrics.grid_log_joint(VAE(2, (4,), (2,)), POINTS, 3, -1.0)),
        ("real: expected more than k=5", lambda: metrics.expected_coverage(10, 5)),
        ("samples: expected", lambda: metrics.expected_coverage(0, 50)),
        ("got NaN", lambda: metrics.importance_weighted_bound(torch.tensor([[math.nan]]), 1)),
        ("got NaN", lambda: metrics.importance_weighted_bound(torch.tensor([[math.inf]]), 1)),
        ("nearer to each other", lambda: toys.IsotropicMixture(torch.eye(2), 1e-8).entropy()),
        (
            "x_t: expected points nearer",
            lambda: toys.IsotropicMixture(torch.eye(2), 1e-15).score(1e15 * torch.eye(2)),
        ),
    ],
)
def test_settings_out_of_range_are_refused(message, call):
    refused(message, call)


def test_as_many_bins_as_fit_are_a_spline():
    flow = CouplingFlow(couplings=1, hidden_dims=(), bins=999)
    x = normal(20, 2, dtype=torch.float32)
    assert flow.log_prob(x).isfinite().all()
    torch.testing.assert_close(flow.decode(flow.encode(x)[0]), x, atol=1e-3, rtol=0)


# ---- Grey ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [0.5, 1e-30, 1 - 2.0**-24])
def test_grey_pixels_have_no_exact_probability(grey):
    x = torch.tensor([[0.0, 1.0, grey]])
    made, mixture = MADE((4,), (3,)), BernoulliMixture(2, (3,))
    calls = [made.log_prob, made.loss, mixture.log_prob, mixture.log_joint, mixture.responsibilities, mixture.em_step]
    calls.append(lambda x: made.complete(x.flip(1), 1))  # the pixel that is given is the grey one
    for call in [*calls, lambda x: next(em_steps(mixture, x, steps=1))]:
        refused("x: expected pixels that are 0 or 1, got", lambda call=call: call(x))
    vae = VAE(2, (4,), (3,))  # an expectation over binarizations, on purpose
    assert vae.elbo(x).isfinite().all()
    assert vae.log_likelihood_table(x, torch.zeros(1, 2)).isfinite().all()


# ---- Extreme data --------------------------------------------------------------------------------------------------

LARGEST = torch.finfo(torch.float32).max
VALUES = st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-30, -1e-30, 1e-45, 1e9, 1e15, -2e15, 1e18, 1e30, LARGEST, -LARGEST])
ROWS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8)


def number(value):
    """Neither NaN nor +∞; the density of what is impossible is 0."""
    assert (torch.as_tensor(value) < math.inf).all(), value


def scored(model, x, start="fit"):
    getattr(model, start)(x)
    number(model.log_prob(x).detach())


def mixture_steps(x):
    model = GaussianMixture(2, 2).to(x.dtype).start_from(x, generator=seeded())
    for step in em_steps(model, x, steps=2):
        number(step.log_likelihood)
    close(model.responsibilities(x).sum(1), torch.ones(len(x)), 1e-4)


def vae_started(x):
    model = GaussianVAE(2, (4,), (2,)).to(x.dtype)
    model.start_from(x)
    number(model.elbo(x))
    number(model.log_likelihood_table(x, torch.zeros(1, 2, dtype=x.dtype)).detach())


def linear_autoencoder(x):
    model = LinearAutoencoder(1, (2,)).to(x.dtype)
    model.start_from(x)
    number(model.loss(x)["loss"].detach())


def judged(x):
    other = x + 1
    distance = metrics.frechet_distance(x, other)
    assert 0 <= distance < math.inf
    for value in metrics.precision_recall_density_coverage(x, other, k=1).values():
        assert 0 <= value <= len(x)
    number(metrics.mode_coverage(x, other, 1.0)[0])
    metrics.active_units(x)


EXTREME = {
    "gaussian": lambda x: scored(Gaussian((2,)).to(x.dtype), x),
    "ppca": lambda x: scored(PPCA(1, (2,)).to(x.dtype), x),
    "flow": lambda x: scored(CouplingFlow(couplings=2, hidden_dims=(4,), bins=3).to(x.dtype), x, "start_from"),
    "histogram": lambda x: scored(Histogram([-1, -1], [1, 2], 3).to(x.dtype), x),
    "own histogram": lambda x: scored(Histogram(x.amin(0).tolist(), x.amax(0).tolist(), 3).to(x.dtype), x),
    "kde": lambda x: [number(KDE(x, h).log_prob(x)) for h in (1e-15, 1.0, 1e15)],
    "leave one out": lambda x: number(KDE(x, 1.0).leave_one_out()),
    "bandwidth": lambda x: number(choose_bandwidth(x, [1e-10, 1.0], 2)[0]),
    "mixture": mixture_steps,
    "gaussian vae": vae_started,
    "linear autoencoder": linear_autoencoder,
    "toy": lambda x: number(toys.IsotropicMixture(x, 1.0).log_prob(x.float())),
    "toy's score": lambda x: number(toys.IsotropicMixture(x, 1e-5).score(x.float())),
    "judges": judged,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", EXTREME)
@settings(max_examples=20, deadline=None)
@given(rows=ROWS)
def test_extreme_data_give_numbers_or_are_refused(name, dtype, rows):
    torch.manual_seed(0)
    with contextlib.suppress(ValueError, FloatingPointError):
        EXTREME[name](torch.tensor(rows, dtype=dtype))
