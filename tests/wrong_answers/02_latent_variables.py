"""Plausible wrong answers to the exercises of chapter 2, by the check that must refuse them."""

import math

import torch

Normal = torch.distributions.Normal


def whose_without_the_shares(x, pi, mu, sigma):
    return Normal(mu, sigma).log_prob(x[:, None]).softmax(1)


def whose_that_underflows(x, pi, mu, sigma):
    joint = pi * Normal(mu, sigma).log_prob(x[:, None]).exp()
    return joint / joint.sum(1, keepdim=True)


def whose_not_normalised(x, pi, mu, sigma):
    return pi * Normal(mu, sigma).log_prob(x[:, None]).exp()


def rates_of_hard_choices(x, r):
    hard = torch.nn.functional.one_hot(r.argmax(1), r.shape[1]).to(x)
    return hard.T @ x / hard.sum(0)


def rates_over_all(x, r):
    return r.T @ x / len(x)


def rates_as_standard_deviations(x, r):
    mean = r.T @ x / r.sum(0)
    return ((r * (x[:, None] - mean) ** 2).sum(0) / r.sum(0)).sqrt()


def pixels_from_everything(x, observed, pi, mu):
    coins = x[:, None] * mu.log() + (1 - x[:, None]) * (1 - mu).log()
    return (pi.log() + coins.sum(2)).softmax(1) @ mu


def pixels_of_the_likeliest(x, observed, pi, mu):
    coins = x[:, None] * mu.log() + (1 - x[:, None]) * (1 - mu).log()
    return mu[(pi.log() + coins[..., observed].sum(2)).argmax(1)]


def pixels_of_the_prior(x, observed, pi, mu):
    return (pi @ mu).expand_as(x)


def likelihood_without_the_trace(eigenvalues, K):  # noqa: N803
    D, variance = len(eigenvalues), eigenvalues[K:].mean()
    log_det = eigenvalues[:K].log().sum() + (D - K) * variance.log()
    return -0.5 * (D * math.log(2 * math.pi) + log_det)


def likelihood_of_all_eigenvalues(eigenvalues, K):  # noqa: N803
    D = len(eigenvalues)
    return -0.5 * (D * math.log(2 * math.pi) + eigenvalues.log().sum() + D)


def likelihood_with_the_next_eigenvalue(eigenvalues, K):  # noqa: N803
    D = len(eigenvalues)
    log_det = eigenvalues[:K].log().sum() + (D - K) * eigenvalues[K].log()
    return -0.5 * (D * math.log(2 * math.pi) + log_det + D)


def _draws(log_likelihood, mu, sigma, eps):
    z = mu + sigma * eps
    log_prior, log_q = Normal(0.0, 1.0).log_prob(z), Normal(mu, sigma).log_prob(z)
    return log_likelihood(z), log_prior, log_q


def estimate_not_corrected(log_likelihood, mu, sigma, eps):
    return _draws(log_likelihood, mu, sigma, eps)[0].logsumexp(0) - math.log(len(eps))


def estimate_as_a_bound(log_likelihood, mu, sigma, eps):
    log_px_given_z, log_prior, log_q = _draws(log_likelihood, mu, sigma, eps)
    return (log_px_given_z + log_prior - log_q).mean()


def estimate_that_underflows(log_likelihood, mu, sigma, eps):
    log_px_given_z, log_prior, log_q = _draws(log_likelihood, mu, sigma, eps)
    return (log_px_given_z + log_prior - log_q).exp().mean().log()


WRONG = {
    "check_whose": [whose_without_the_shares, whose_that_underflows, whose_not_normalised],
    "check_new_rates": [rates_of_hard_choices, rates_over_all, rates_as_standard_deviations],
    "check_fill_pixels": [pixels_from_everything, pixels_of_the_likeliest, pixels_of_the_prior],
    "check_fitted_likelihood": [
        likelihood_without_the_trace,
        likelihood_of_all_eigenvalues,
        likelihood_with_the_next_eigenvalue,
    ],
    "check_estimate": [estimate_not_corrected, estimate_as_a_bound, estimate_that_underflows],
}
