"""Plausible wrong answers to the exercises of chapter 5, by the check that must refuse them."""

import math

import torch


def logit_for_halves(log_p, log_p_theta, share):
    return log_p - log_p_theta


def logit_by_densities(log_p, log_p_theta, share):
    p, p_theta = share * log_p.exp(), (1 - share) * log_p_theta.exp()
    return (p / (p + p_theta)).logit()


def probability_for_logit(log_p, log_p_theta, share):
    return (log_p - log_p_theta + math.log(share / (1 - share))).sigmoid()


def logit_of_the_fake(log_p, log_p_theta, share):
    return log_p_theta - log_p + math.log((1 - share) / share)


def jsd_of_rounded_sigmoids(real_logit, fake_logit):
    value = real_logit.sigmoid().log().mean() + (1 - fake_logit.sigmoid()).log().mean()
    return (value + math.log(4)) / 2


def jsd_not_halved(real_logit, fake_logit):
    logsigmoid = torch.nn.functional.logsigmoid
    return logsigmoid(real_logit).mean() + logsigmoid(-fake_logit).mean() + math.log(4)


def jsd_without_the_constant(real_logit, fake_logit):
    logsigmoid = torch.nn.functional.logsigmoid
    return (logsigmoid(real_logit).mean() + logsigmoid(-fake_logit).mean()) / 2


def slope_not_squared(judge, x):
    return torch.func.grad(lambda x: judge(x).sum())(x).norm(dim=1)


def slope_of_the_mean(judge, x):
    return (torch.func.grad(lambda x: judge(x).mean())(x) ** 2).sum(1)


def slope_without_gradient(judge, x):
    x = x.clone().requires_grad_()
    return (torch.autograd.grad(judge(x).sum(), x)[0] ** 2).sum(1)


def mover_of_means(x, y):
    return (x.mean() - y.mean()).abs()


def mover_in_the_order_given(x, y):
    return (x - y).abs().mean()


def mover_of_squares(x, y):
    return (x.sort().values - y.sort().values).square().mean()


def factor_without_friction(gamma, lr):
    return torch.tensor(1 + lr**2 / 4).sqrt()


def factor_of_the_longest_step(gamma, lr):
    step = torch.tensor([[1.0, lr / 2], [-lr / 2, 1 - lr * gamma]])
    return torch.linalg.matrix_norm(step, ord=2)


def factor_of_continuous_time(gamma, lr):
    field = torch.tensor([[0.0, 0.5], [-0.5, -gamma]])
    return (lr * torch.linalg.eigvals(field).real.max()).exp()


WRONG = {
    "check_best_logit": [logit_for_halves, logit_by_densities, probability_for_logit, logit_of_the_fake],
    "check_jsd_bound": [jsd_of_rounded_sigmoids, jsd_not_halved, jsd_without_the_constant],
    "check_squared_slope": [slope_not_squared, slope_of_the_mean, slope_without_gradient],
    "check_earth_mover": [mover_of_means, mover_in_the_order_given, mover_of_squares],
    "check_factor": [factor_without_friction, factor_of_the_longest_step, factor_of_continuous_time],
}
