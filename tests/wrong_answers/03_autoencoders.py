"""Plausible wrong answers to the exercises of chapter 3, by the check that must refuse them."""

import torch


def error_of_what_is_kept(x, latent_dim):
    around = x - x.mean(0)
    return torch.linalg.eigvalsh(around.T @ around / len(x))[-latent_dim:].sum()


def error_around_the_origin(x, latent_dim):
    return torch.linalg.eigvalsh(x.T @ x / len(x))[: x.shape[1] - latent_dim].sum()


def error_of_the_unbiased_covariance(x, latent_dim):
    return torch.linalg.eigvalsh(x.T.cov())[: x.shape[1] - latent_dim].sum()


def look_up_the_largest_product(x, pictures):
    return pictures[(x @ pictures.T).argmax(1)]


def look_up_a_soft_average(x, pictures):
    return (-(torch.cdist(x, pictures) ** 2)).softmax(1) @ pictures


def look_up_the_number_only(x, pictures):
    return torch.cdist(x, pictures).argmin(1)


def score_of(x_noisy, log_prob):
    place = x_noisy.clone().requires_grad_()
    return torch.autograd.grad(log_prob(place).sum(), place)[0]


def clean_downhill(x_noisy, log_prob, sigma):
    return x_noisy - sigma**2 * score_of(x_noisy, log_prob)


def clean_by_the_deviation(x_noisy, log_prob, sigma):
    return x_noisy + sigma * score_of(x_noisy, log_prob)


def clean_is_the_score(x_noisy, log_prob, sigma):
    return score_of(x_noisy, log_prob)


def water_over_all(eigenvalues, delta):
    bits = 0.5 * (eigenvalues / delta).log2().sum()
    return torch.stack([bits, eigenvalues.clamp(max=delta).sum()])


def water_of_deviations(eigenvalues, delta):
    bits = (eigenvalues / delta).clamp(min=1).log2().sum()
    return torch.stack([bits, eigenvalues.clamp(max=delta).sum()])


def water_that_forgets_the_drowned(eigenvalues, delta):
    sent = eigenvalues > delta
    bits = 0.5 * (eigenvalues[sent] / delta).log2().sum()
    return torch.stack([bits, delta * sent.sum()])


def encoder_as_transpose(columns):
    return columns.T


def encoder_of_unit_columns(columns):
    return (columns / columns.square().sum(0)).T


def encoder_of_the_basis(columns):
    return torch.linalg.qr(columns).Q.T


WRONG = {
    "check_least_linear_error": [error_of_what_is_kept, error_around_the_origin, error_of_the_unbiased_covariance],
    "check_look_up": [look_up_the_largest_product, look_up_a_soft_average, look_up_the_number_only],
    "check_clean_up": [clean_downhill, clean_by_the_deviation, clean_is_the_score],
    "check_water_level": [water_over_all, water_of_deviations, water_that_forgets_the_drowned],
    "check_best_encoder": [encoder_as_transpose, encoder_of_unit_columns, encoder_of_the_basis],
}
