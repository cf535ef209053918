"""Plausible wrong answers to the exercises of chapter 7, by the check that must refuse them."""

import math

import torch


def noise_mixed_in_logarithms(log_p, share, pixels):
    return (1 - share) * log_p - share * pixels * math.log(2)


def noise_through_probabilities(log_p, share, pixels):
    return ((1 - share) * log_p.exp() + share * 2.0**-pixels).log()


def noise_with_the_shares_swapped(log_p, share, pixels):
    coins = torch.full_like(log_p, -pixels * math.log(2))
    return torch.logaddexp(log_p + math.log(share), coins + math.log(1 - share))


def noise_left_out(log_p, share, pixels):
    return log_p + math.log(1 - share)


def difference_unpaired(log_p_a, log_p_b):
    error = ((log_p_a.var() + log_p_b.var()) / len(log_p_a)).sqrt()
    return torch.stack([log_p_a.mean() - log_p_b.mean(), error])


def difference_with_a_deviation(log_p_a, log_p_b):
    each = log_p_a - log_p_b
    return torch.stack([each.mean(), each.std()])


def difference_the_other_way(log_p_a, log_p_b):
    each = log_p_b - log_p_a
    return torch.stack([each.mean(), each.std() / len(each) ** 0.5])


def frechet_of_variances(x, y):
    return (x.mean() - y.mean()) ** 2 + (x.var() - y.var()) ** 2


def frechet_without_the_product(x, y):
    return (x.mean() - y.mean()) ** 2 + x.var() + y.var()


def frechet_rooted(x, y):
    return ((x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2).sqrt()


def infinity_by_the_largest(counts, values):
    return values[counts.argmax()]


def infinity_by_the_root(counts, values):
    design = torch.stack([torch.ones_like(counts), counts**-0.5], 1)
    return (torch.linalg.pinv(design) @ values)[0]


def infinity_by_two_points(counts, values):
    a, b = 1 / counts[0], 1 / counts[-1]
    return (a * values[-1] - b * values[0]) / (a - b)


def coin_exactly(right, asked):
    return torch.tensor(math.comb(asked, right) / 2**asked)


def coin_more_often(right, asked):
    return torch.tensor(sum(math.comb(asked, k) for k in range(right + 1, asked + 1)) / 2**asked)


def coin_as_a_bell(right, asked):
    z = (right - asked / 2) / (asked / 4) ** 0.5
    return torch.special.ndtr(torch.tensor(-z))


WRONG = {
    "check_with_noise": [
        noise_mixed_in_logarithms,
        noise_through_probabilities,
        noise_with_the_shares_swapped,
        noise_left_out,
    ],
    "check_difference": [difference_unpaired, difference_with_a_deviation, difference_the_other_way],
    "check_frechet_1d": [frechet_of_variances, frechet_without_the_product, frechet_rooted],
    "check_at_infinitely_many": [infinity_by_the_largest, infinity_by_the_root, infinity_by_two_points],
    "check_chance_of_a_coin": [coin_exactly, coin_more_often, coin_as_a_bell],
}
