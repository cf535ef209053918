"""Log-probabilities against torch.distributions, divergences against their integral."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch.distributions import Bernoulli, Normal, kl_divergence

from gen_utils.likelihoods import bernoulli_log_prob, kl_to_standard_normal, log_odds, normal_log_prob

SHAPES = [(1,), (7, 3), (2, 5, 4)]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
def test_normal_log_prob_is_that_of_independent_normals(shape):
    z, mu, sigma = double(*shape), double(*shape), double(*shape).exp()
    torch.testing.assert_close(normal_log_prob(z, mu, sigma), Normal(mu, sigma).log_prob(z).sum(-1))
    torch.testing.assert_close(normal_log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(-1))
    torch.testing.assert_close(normal_log_prob(z, 0.3, 0.7), Normal(0.3, 0.7).log_prob(z).sum(-1))


def test_normal_log_prob_broadcasts_a_grid_against_a_batch():
    z, mu, sigma = double(11, 2), double(5, 1, 2), double(5, 1, 2).exp()
    found = normal_log_prob(z, mu, sigma)
    assert found.shape == (5, 11)
    torch.testing.assert_close(found[3, 8], Normal(mu[3, 0], sigma[3, 0]).log_prob(z[8]).sum())


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (2, 1, 5, 4)])
def test_bernoulli_log_prob_is_that_of_independent_pixels(shape):
    logits = 3 * double(*shape)
    x = torch.rand(shape, dtype=torch.float64).round()
    expected = Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_log_prob(x, logits), expected)


def test_bernoulli_log_prob_of_grey_is_its_expectation_over_binarizations():
    grey, logits = torch.rand(1, 3, dtype=torch.float64), double(1, 3)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    weights = Bernoulli(grey).log_prob(states).sum(1).exp()
    expected = (weights * bernoulli_log_prob(states, logits.expand(8, 3))).sum()
    torch.testing.assert_close(bernoulli_log_prob(grey, logits)[0], expected)


def test_bernoulli_log_prob_stays_finite_where_probabilities_round_to_0():
    logits = torch.tensor([[200.0, -200.0]])
    assert bernoulli_log_prob(torch.tensor([[0.0, 1.0]]), logits).item() == -400
    assert bernoulli_log_prob(torch.tensor([[1.0, 0.0]]), logits).item() == 0


def test_kl_is_that_of_torch():
    mu, sigma = 2 * double(9, 4), double(9, 4).exp()
    expected = kl_divergence(Normal(mu, sigma), Normal(torch.zeros_like(mu), torch.ones_like(sigma)))
    torch.testing.assert_close(kl_to_standard_normal(mu, sigma), expected)
    assert kl_to_standard_normal(torch.zeros(1), torch.ones(1)).item() == 0


@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (1.5, 0.2), (-0.3, 2.5), (4.0, 0.01)])
def test_kl_is_its_integral(mu, sigma):
    q = norm(mu, sigma)
    integral, _ = quad(lambda z: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), mu - 12 * sigma, mu + 12 * sigma)
    found = kl_to_standard_normal(torch.tensor(mu).double(), torch.tensor(sigma).double()).item()
    assert math.isclose(found, integral, rel_tol=1e-6, abs_tol=1e-9)


def test_log_odds_undo_the_sigmoid_but_for_what_was_always_or_never_seen():
    p = torch.linspace(0, 1, 11, dtype=torch.float64)
    found = log_odds(p)
    torch.testing.assert_close(found[1:-1].sigmoid(), p[1:-1])
    torch.testing.assert_close(found[[0, -1]], torch.tensor([-1.0, 1.0], dtype=torch.float64) * math.log(999))
