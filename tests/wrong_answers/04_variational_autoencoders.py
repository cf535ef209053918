"""Plausible wrong answers to the exercises of chapter 4, by the check that must refuse them."""

import math

import torch


def kl_reversed(mu_q, sigma_q, mu_p, sigma_p):
    square = (sigma_p**2 + (mu_q - mu_p) ** 2) / sigma_q**2
    return (0.5 * (square - 1) + (sigma_q / sigma_p).log()).sum(1)


def kl_to_the_standard_normal(mu_q, sigma_q, mu_p, sigma_p):
    return (0.5 * (mu_q**2 + sigma_q**2 - 1) - sigma_q.log()).sum(1)


def kl_averaged_over_units(mu_q, sigma_q, mu_p, sigma_p):
    square = (sigma_q**2 + (mu_q - mu_p) ** 2) / sigma_p**2
    return (0.5 * (square - 1) + (sigma_p / sigma_q).log()).mean(1)


def bound_as_elbo(log_w):
    return log_w.mean(0)


def bound_that_underflows(log_w):
    return log_w.exp().mean(0).log()


def bound_of_the_sum(log_w):
    return log_w.logsumexp(0)


def laplace_of_normal_shape(mu, b, u):
    return mu + b * torch.distributions.Normal(0.0, 1.0).icdf(u)


def laplace_one_sided(mu, b, u):
    return mu - b * torch.log1p(-u)


def laplace_without_gradient(mu, b, u):
    return torch.distributions.Laplace(mu, b).icdf(u).detach()


def variance_by_deviation(eigenvalues, sigma):
    return (1 - sigma / eigenvalues.sqrt()).clamp(min=0)


def variance_below_zero(eigenvalues, sigma):
    return 1 - sigma**2 / eigenvalues


def variance_all_or_nothing(eigenvalues, sigma):
    return (eigenvalues > sigma**2).float()


def aggregate_of_logarithms(z, mu, sigma):
    return torch.distributions.Normal(mu, sigma).log_prob(z[:, None]).sum(2).mean(1)


def aggregate_as_one_gaussian(z, mu, sigma):
    return torch.distributions.Normal(mu.mean(0), sigma.mean(0)).log_prob(z).sum(1)


def aggregate_without_the_average(z, mu, sigma):
    return torch.distributions.Normal(mu, sigma).log_prob(z[:, None]).sum(2).logsumexp(1) + math.log(len(mu))


WRONG = {
    "check_kl_between": [kl_reversed, kl_to_the_standard_normal, kl_averaged_over_units],
    "check_bound": [bound_as_elbo, bound_that_underflows, bound_of_the_sum],
    "check_laplace_draw": [laplace_of_normal_shape, laplace_one_sided, laplace_without_gradient],
    "check_variance_of_means": [variance_by_deviation, variance_below_zero, variance_all_or_nothing],
    "check_log_aggregate": [aggregate_of_logarithms, aggregate_as_one_gaussian, aggregate_without_the_average],
}
