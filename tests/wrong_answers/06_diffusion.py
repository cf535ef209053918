"""Plausible wrong answers to the exercises of chapter 6, by the check that must refuse them."""

import torch


def jump_from_the_data(alpha_bar_s, alpha_bar_t):
    return torch.stack([alpha_bar_t.sqrt(), 1 - alpha_bar_t])


def jump_without_root(alpha_bar_s, alpha_bar_t):
    alpha = alpha_bar_t / alpha_bar_s
    return torch.stack([alpha, 1 - alpha])


def jump_by_difference(alpha_bar_s, alpha_bar_t):
    return torch.stack([(alpha_bar_t / alpha_bar_s).sqrt(), alpha_bar_s - alpha_bar_t])


def term_not_halved(x0, x0_hat, alpha_bar_t, alpha_bar_s):
    snr_t, snr_s = (a / (1 - a) for a in (alpha_bar_t, alpha_bar_s))
    return (snr_s - snr_t) * (x0 - x0_hat).square().sum(1)


def term_of_the_simple_loss(x0, x0_hat, alpha_bar_t, alpha_bar_s):
    return 0.5 * alpha_bar_t / (1 - alpha_bar_t) * (x0 - x0_hat).square().sum(1)


def term_averaged(x0, x0_hat, alpha_bar_t, alpha_bar_s):
    snr_t, snr_s = (a / (1 - a) for a in (alpha_bar_t, alpha_bar_s))
    return 0.5 * (snr_s - snr_t) * (x0 - x0_hat).square().mean(1)


def sigma_of_the_data(s, alpha_bar):
    return s * torch.ones_like(alpha_bar[0])


def sigma_by_dividing_only(s, alpha_bar):
    sigma = torch.ones_like(alpha_bar[0])
    for i in range(len(alpha_bar) - 1, 0, -1):
        a_t, a_s = alpha_bar[i], alpha_bar[i - 1]
        x0_hat = 1 / a_t.sqrt()  # all that is seen taken for signal
        eps_hat = (1 - a_t.sqrt() * x0_hat) / (1 - a_t).sqrt()
        sigma = sigma * (a_s.sqrt() * x0_hat + (1 - a_s).sqrt() * eps_hat)
    return sigma


def sigma_of_one_large_step(s, alpha_bar):
    a_t = alpha_bar[-1]
    return a_t.sqrt() * s**2 / (a_t * s**2 + 1 - a_t)


def guided_towards_the_label_only(m, sigma, s, omega):
    return torch.tensor([m, sigma**2 / omega])


def guided_with_variances_mixed(m, sigma, s, omega):
    return torch.tensor([omega * m, omega * sigma**2 + (1 - omega) * s**2])


def guided_without_guidance(m, sigma, s, omega):
    return torch.tensor([m, sigma**2])


def straight_velocity_is_v(v, x_t, alpha_bar_t):
    return v


def straight_velocity_turned_the_wrong_way(v, x_t, alpha_bar_t):
    cos, sin = alpha_bar_t.sqrt(), (1 - alpha_bar_t).sqrt()
    return (cos * v - sin * x_t) - (cos * x_t + sin * v)


def straight_velocity_from_data_to_noise_reversed(v, x_t, alpha_bar_t):
    cos, sin = alpha_bar_t.sqrt(), (1 - alpha_bar_t).sqrt()
    return (cos * x_t - sin * v) - (sin * x_t + cos * v)


WRONG = {
    "check_jump": [jump_from_the_data, jump_without_root, jump_by_difference],
    "check_term": [term_not_halved, term_of_the_simple_loss, term_averaged],
    "check_sigma_out": [sigma_of_the_data, sigma_by_dividing_only, sigma_of_one_large_step],
    "check_guided_gaussian": [guided_towards_the_label_only, guided_with_variances_mixed, guided_without_guidance],
    "check_straight_velocity": [
        straight_velocity_is_v,
        straight_velocity_turned_the_wrong_way,
        straight_velocity_from_data_to_noise_reversed,
    ],
}
