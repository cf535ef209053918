"""Mixtures against scikit-learn, scipy, and sums over all that can happen."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import close, normal, seeded
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as TheirMixture

from gen_utils.metrics import bic
from gen_utils.models import mixtures
from gen_utils.models.mixtures import BernoulliMixture, GaussianMixture, em_steps
from gen_utils.page.export import export
from gen_utils.page.graphs.mixtures import em_picture, gaussian_em_step, whiten


def clusters(n=300, D=2, K=3, seed=0):  # noqa: N803
    """Overlapping Gaussians of different shapes and sizes."""
    z = (3 * torch.rand(n, generator=seeded(seed)) ** 2 * K / 3).long()
    shapes = normal(K, D, D, seed=seed + 1)
    return 2 * normal(K, D, seed=seed + 2)[z] + (shapes[z] @ normal(n, D, 1, seed=seed + 3))[:, :, 0]


def gaussian_mixture(x, K=3, **options):  # noqa: N803
    return GaussianMixture(K, x.shape[1], **options).to(x.dtype).start_from(x, generator=seeded())


def theirs(model, steps):
    """scikit-learn's mixture, from the parameters that ours has."""
    precisions = np.linalg.inv(model.covariance.numpy())
    return TheirMixture(
        model.K,
        tol=0,
        reg_covar=model.reg,
        max_iter=steps,
        init_params="random",
        weights_init=model.pi.numpy().copy(),
        means_init=model.mu.numpy().copy(),
        precisions_init=(precisions + precisions.swapaxes(1, 2)) / 2,
    )


@pytest.mark.parametrize(("D", "K", "reg"), [(1, 2, 0.0), (2, 3, 0.0), (2, 1, 0.0), (5, 4, 0.0), (3, 3, 0.1)])
def test_em_is_scikit_learn_s(D, K, reg):  # noqa: N803
    x = clusters(D=D, K=max(K, 2))
    model = gaussian_mixture(x, K, reg=reg)
    sk = theirs(model, steps=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        sk.fit(x.numpy())
    *_, last = em_steps(model, x, steps=30)
    close(model.pi, sk.weights_)
    close(model.mu, sk.means_)
    close(model.covariance, sk.covariances_)
    assert last.log_likelihood == pytest.approx(sk.lower_bound_, rel=1e-12)
    close(model.log_prob(x), sk.score_samples(x.numpy()))
    close(model.responsibilities(x), sk.predict_proba(x.numpy()))
    assert bic(model.log_prob(x), model.free_parameters) == pytest.approx(sk.bic(x.numpy()), rel=1e-12)


def test_the_log_likelihood_never_falls_and_is_that_from_before_the_step():
    x = clusters(K=4)
    model = gaussian_mixture(x, 4)
    values = [model.log_prob(x).mean().item()]
    for number, step in enumerate(em_steps(model, x, steps=40), start=1):
        assert step.number == number
        assert step.log_likelihood == pytest.approx(values[-1], rel=1e-13)
        values.append(model.log_prob(x).mean().item())
    assert (np.diff(values) > -1e-12).all()
    assert values[-1] > values[0] + 0.1


def test_density_and_responsibilities_are_those_of_scipy():
    x = clusters()
    model = gaussian_mixture(x)
    for _ in em_steps(model, x, steps=5):
        pass
    joint = np.stack(
        [
            p * multivariate_normal(m, S).pdf(x.numpy())
            for p, m, S in zip(*(value.numpy() for value in model.state_dict().values()), strict=True)
        ],
        1,
    )
    close(model.log_joint(x), np.log(joint), 1e-9)
    close(model.log_prob(x), np.log(joint.sum(1)), 1e-9)
    close(model.responsibilities(x), joint / joint.sum(1, keepdims=True), 1e-9)


def test_a_step_is_weighted_maximum_likelihood_far_from_the_origin_too():
    x = clusters() + 1e4
    model = gaussian_mixture(x)
    r = model.responsibilities(x).numpy()
    next(em_steps(model, x, steps=1))
    for k in range(3):
        close(model.pi[k], r[:, k].mean())
        close(model.mu[k], np.average(x.numpy(), axis=0, weights=r[:, k]))
        close(model.covariance[k], np.cov(x.numpy().T, aweights=r[:, k], bias=True), 1e-8)


@settings(max_examples=25, deadline=None)
@given(D=st.integers(1, 6), scale=st.floats(1e-3, 1e3))
def test_whitening_is_the_inverse_cholesky_factor(D, scale):  # noqa: N803
    root = scale * normal(3, D, D, seed=D)
    covariance = root @ root.mT + scale**2 * 0.1 * torch.eye(D)
    W = whiten(covariance)
    close(W @ covariance @ W.mT, torch.eye(D).expand(3, D, D), 1e-9)
    assert torch.equal(W, W.tril())


@pytest.mark.parametrize("part", [1, 7, 100])
def test_the_data_may_be_cut_into_parts_of_any_size(part, monkeypatch):
    x = clusters(50)
    model = gaussian_mixture(x)
    expected = model.log_joint(x)
    monkeypatch.setattr(mixtures, "PART", part)
    close(model.log_joint(x), expected)


@pytest.mark.parametrize("reg", [0.0, 0.1])
def test_the_step_of_the_page_is_that_of_the_model(reg):
    x = clusters(D=3) + 100
    model = gaussian_mixture(x, reg=reg)
    for _ in range(3):
        *expected, log_likelihood = gaussian_em_step(*model.state_dict().values(), x, torch.ones(300).double(), reg)
        assert model.em_step(x) == pytest.approx(log_likelihood.item(), rel=1e-12)
        for found, other in zip(model.state_dict().values(), expected, strict=True):
            close(found, other, 1e-9)


def test_a_weight_repeats_an_example_or_leaves_it_out():
    x = clusters(40)
    start = [*gaussian_mixture(x).state_dict().values()]
    weight = torch.arange(40) % 3
    found = gaussian_em_step(*start, x, weight.double())
    expected = gaussian_em_step(*start, x.repeat_interleave(weight, dim=0), torch.ones(int(weight.sum())).double())
    for one, other in zip(found, expected, strict=True):
        close(one, other)


def test_em_runs_as_a_graph_with_a_number_of_points_that_varies():
    x = clusters(64).float()
    start = gaussian_mixture(x).state_dict()
    inputs = start | {"x": x, "weight": torch.ones(64), "reg": torch.tensor(1e-3)}
    outputs = ["new_pi", "new_mu", "new_covariance", "log_likelihood"]
    graph = export(gaussian_em_step, inputs, outputs, "em")
    model = GaussianMixture(3, 2, reg=1e-3).double()
    model.load_state_dict(start)
    state = {name: value.numpy() for name, value in inputs.items()}
    state["weight"] = (np.arange(64) < 45).astype("float32")
    state["x"] = np.where(state["weight"][:, None] > 0, state["x"], 0).astype("float32")
    for step in em_steps(model, x[:45].double(), steps=100):
        pi, mu, covariance, log_likelihood = graph.run(**state).values()
        state |= {"pi": pi, "mu": mu, "covariance": covariance}
        tolerance = 1e-5 if step.number == 1 else 1e-4
        assert abs(log_likelihood - step.log_likelihood) < tolerance
    for found, expected in zip((pi, mu, covariance), model.state_dict().values(), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_a_picture_shows_the_parameters_before_its_step():
    x, model = clusters(), gaussian_mixture(clusters())
    for _ in em_steps(model, x, steps=5):
        pass
    start = [*model.state_dict().values()]
    *new, log_likelihood, r, outline = em_picture(x, torch.ones(len(x)).double(), *start)
    for one, other in zip(
        (*new, log_likelihood[0]), gaussian_em_step(*start, x, torch.ones(300).double()), strict=True
    ):
        close(one, other)
    close(r, model.responsibilities(x))
    assert outline.shape == (3, 64, 2)
    for k in range(3):
        away = outline[k] - model.mu[k]
        close((away * torch.linalg.solve(model.covariance[k], away.T).T).sum(1), np.full(64, 4.0))
        close(away[:32], -away[32:])
        # All around: the polygon holds all but a little of the ellipse's area, 4π √det Σ.
        x1, y1, x2, y2 = *away.T, *away.roll(-1, 0).T
        area = (x1 * y2 - x2 * y1).sum() / 2
        close(area, 4 * 32 * math.sin(math.pi / 32) * model.covariance[k].det().sqrt())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_component_that_collapses_is_named_and_the_parameters_stay(dtype):
    x = torch.cat([normal(50, 2, dtype=dtype), torch.full((1, 2), 30.0, dtype=dtype)])
    model = GaussianMixture(2, 2).to(dtype)
    model.mu.copy_(torch.tensor([[0.0, 0], [30, 30]]))
    steps = em_steps(model, x, steps=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(FloatingPointError) as refusal:
        next(steps)
    for words in ("component 1 of 2 became singular", "holds 1 of 51", "another start", "fewer comp", "reg (now 0)"):
        assert words in str(refusal.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.log_prob(x).isfinite().all()
    model.reg = 1e-3
    *_, last = em_steps(model, x, steps=50)
    assert math.isfinite(last.log_likelihood)
    close(model.covariance[1], 1e-3 * torch.eye(2), 1e-5)


def test_data_in_a_plane_are_refused():
    line = torch.cat([normal(50, 1), 2 * normal(50, 1)], 1)
    with pytest.raises(FloatingPointError, match="component 0 of 1 became singular: it holds 50 of 50"):
        next(em_steps(gaussian_mixture(line, 1), line, steps=1))


def test_a_component_without_data_stays_where_it_is():
    x = normal(20, 2)
    mu = torch.tensor([[0.0, 0.0], [1e3, 1e3]]).double()
    model = GaussianMixture(2, 2, reg=0.01).double()
    model.mu.copy_(mu)
    for step in em_steps(model, x, steps=3):
        assert math.isfinite(step.log_likelihood)
        assert model.pi.tolist() == [1, 0]
        assert model.mu[1].tolist() == [1e3, 1e3]
    start = torch.tensor([0.5, 0.5]).double(), mu, torch.eye(2).double().expand(2, 2, 2)
    pi, new_mu, *_ = gaussian_em_step(*start, x, torch.ones(20).double(), 0.01)
    assert pi.tolist() == [1, 0]
    assert new_mu[1].tolist() == [1e3, 1e3]


@pytest.mark.parametrize("family", [lambda: GaussianMixture(3, 2), lambda: BernoulliMixture(3, (2,))])
def test_a_start_is_seeded_and_needs_different_examples(family):
    x = (normal(50, 2, dtype=torch.float32) > 0).float()
    starts = [family().start_from(x, generator=seeded(seed)).mu for seed in (0, 0, 1)]
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    for few in ([[0.0, 0], [1, 0], [1, 0]], [[0.0, 0], [1, 0]]):
        with pytest.raises(ValueError, match="expected at least 3 different examples, got 2"):
            family().start_from(torch.tensor(few))


def test_as_many_components_as_points_start_with_a_width():
    x = torch.tensor([[0.0, 0], [1, 0], [4, 2]])
    model = GaussianMixture(3, 2).start_from(x)
    assert sorted(map(tuple, model.mu.tolist())) == [(0, 0), (1, 0), (4, 2)]
    assert model.log_prob(x).isfinite().all()


def test_samples_of_a_gaussian_mixture_have_its_moments():
    n, x = 40_000, clusters()
    model = gaussian_mixture(x)
    for _ in em_steps(model, x, steps=20):
        pass
    drawn = model.sample(n, generator=seeded())
    mean = model.pi @ model.mu
    second = (model.pi[:, None, None] * (model.covariance + model.mu[:, :, None] * model.mu[:, None])).sum(0)
    assert ((drawn.mean(0) - mean).abs() < 3 * drawn.std(0) / n**0.5).all()
    pairs = drawn[:, :, None] * drawn[:, None]
    assert ((pairs.mean(0) - second).abs() < 3 * pairs.std(0) / n**0.5).all()
    # And its entropy: E[−log p] of its own draws, by quadrature.
    axis = torch.linspace(-20, 20, 401, dtype=torch.float64)
    log_p = model.log_prob(torch.cartesian_prod(axis, axis))
    close(log_p.exp().sum() * 0.01, 1, 1e-6)
    values = model.log_prob(drawn)
    assert abs(values.mean() - (log_p.exp() * log_p).sum() * 0.01) < 3 * values.std() / n**0.5


@pytest.fixture
def pictures():
    """Two kinds of pictures of 2 × 3 pixels, with noise."""
    kinds = torch.tensor([[1, 1, 0, 1, 0, 0], [0, 0, 1, 0, 1, 0]]).double()
    clean = kinds[torch.arange(200) % 2]
    flips = torch.rand(200, 6, generator=seeded(), dtype=torch.float64) < 0.1
    return (clean - flips.double()).abs().unflatten(1, (2, 3))


STATES = torch.tensor([*itertools.product([0.0, 1.0], repeat=6)], dtype=torch.float64).unflatten(1, (2, 3))


def bernoulli_mixture(x, K=3, steps=0, **options):  # noqa: N803
    model = BernoulliMixture(K, (2, 3), **options).double().start_from(x, generator=seeded())
    for _ in em_steps(model, x, steps=steps) if steps else ():
        pass
    return model


def joint(model, x):
    """π_k p(x|z=k), pixel by pixel."""
    pixels = torch.where(x[:, None] == 1, model.mu, 1 - model.mu)
    return model.pi * pixels.flatten(2).prod(2)


def test_a_bernoulli_mixture_is_a_product_and_sums_to_one(pictures):
    model = bernoulli_mixture(pictures, steps=3)
    close(model.log_prob(STATES).exp().sum(), 1)
    close(model.log_prob(pictures).exp(), joint(model, pictures).sum(1))
    close(model.responsibilities(pictures), joint(model, pictures) / joint(model, pictures).sum(1, keepdim=True))


def test_a_bernoulli_step_is_its_formula(pictures):
    model = bernoulli_mixture(pictures, steps=2, prior=0.7)
    r, x = model.responsibilities(pictures), pictures.flatten(1)
    before = model.log_prob(pictures).mean().item()
    step = next(em_steps(model, pictures, steps=1))
    assert step.log_likelihood == pytest.approx(before, rel=1e-12)
    close(model.pi, r.mean(0))
    close(model.mu.flatten(1), (r.T @ x + 0.7) / (r.sum(0)[:, None] + 1.4))


@pytest.mark.parametrize("prior", [1e-4, 0.1, 3.0])
def test_em_climbs_the_likelihood_and_the_prior(pictures, prior):
    model = bernoulli_mixture(pictures, K=5, prior=prior)
    values = []
    for _ in range(60):
        log_prior = prior * (model.mu * (1 - model.mu)).log().sum()
        values.append((model.log_prob(pictures).sum() + log_prior).item())
        next(em_steps(model, pictures, steps=1))
    assert (np.diff(values) > -1e-9).all()
    assert values[-1] > values[0] + 10


def test_one_component_is_the_mean_of_each_pixel_and_the_prior_keeps_the_unseen_possible(pictures):
    model = BernoulliMixture(1, (2, 3), prior=0.1).double()
    white = torch.ones_like(pictures)
    next(em_steps(model, white, steps=1))
    close(model.mu, np.full((1, 2, 3), 200.1 / 200.2))
    close(model.log_prob(torch.zeros(1, 2, 3).double()), [6 * math.log(0.1 / 200.2)])
    next(em_steps(model, pictures, steps=1))
    close(model.mu[0], (pictures.sum(0) + 0.1) / 200.2)


def test_two_kinds_of_pictures_are_found(pictures):
    model = bernoulli_mixture(pictures, K=2, steps=50)
    z = model.responsibilities(pictures).argmax(1)
    same = (z == torch.arange(200) % 2).double().mean()
    assert max(same, 1 - same) > 0.95


def test_samples_of_a_bernoulli_mixture_have_its_probabilities(pictures):
    n, model = 20_000, bernoulli_mixture(pictures, steps=5)
    x = model.sample(n, generator=seeded())
    assert ((x == 0) | (x == 1)).all()
    code = (x.flatten(1) @ (2.0 ** torch.arange(5, -1, -1)).double()).long()
    share, p = code.bincount(minlength=64) / n, model.log_prob(STATES).exp()
    chi_squared = n * ((share - p) ** 2 / p).sum()
    assert abs(chi_squared - 63) < 3 * math.sqrt(2 * 63)


@pytest.mark.parametrize(("K", "P"), [(1, 6), (3, 20)])
def test_parameters_of_a_bernoulli_mixture_are_counted(K, P):  # noqa: N803
    assert BernoulliMixture(K, (2, 3)).free_parameters == P


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_strengths_that_make_no_sense_are_refused(value):
    with pytest.raises(ValueError, match=f"reg: expected .*got {value}"):
        GaussianMixture(2, 2, reg=value)
    for prior in (value, 0.0):
        with pytest.raises(ValueError, match=f"prior: expected .*got {prior}"):
            BernoulliMixture(2, (2,), prior=prior)


def test_grey_pixels_have_no_probability():
    model = BernoulliMixture(2, (3,))
    for method in (model.log_prob, model.responsibilities, model.em_step):
        with pytest.raises(ValueError, match=r"x: expected pixels that are 0 or 1, got 0\.25"):
            method(torch.tensor([[0.0, 0.25, 1.0]]))


def test_a_wrong_batch_is_refused_before_the_first_step():
    for model in (GaussianMixture(2, 3), BernoulliMixture(2, (3,))):
        with pytest.raises(ValueError, match=r"x: expected .*got shape \(5, 2\)"):
            em_steps(model, torch.zeros(5, 2), steps=1)
        with pytest.raises(ValueError, match="steps: expected a positive integer, got 0"):
            em_steps(model, torch.zeros(5, 3), steps=0)
