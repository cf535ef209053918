"""Plausible wrong answers to the exercises of chapter 1, by the check that must refuse them."""

import math
from itertools import pairwise

import torch


def histogram_without_widths(x, edges, counts):
    share = counts / counts.sum()
    return share[torch.bucketize(x, edges, right=True) - 1].log()


def histogram_of_equal_cells(x, edges, counts):
    share = counts / counts.sum() / (edges[1] - edges[0])
    return share[torch.bucketize(x, edges, right=True) - 1].log()


def histogram_of_counts(x, edges, counts):
    return (counts / edges.diff())[torch.bucketize(x, edges, right=True) - 1].log()


def kernels_with_oneself(x, h):
    table = torch.distributions.Normal(x, h).log_prob(x[:, None])
    return table.logsumexp(1) - math.log(len(x))


def kernels_divided_by_all(x, h):
    table = torch.distributions.Normal(x, h).log_prob(x[:, None]).fill_diagonal_(-math.inf)
    return table.logsumexp(1) - math.log(len(x))


def kernels_masked_by_zero(x, h):
    table = torch.distributions.Normal(x, h).log_prob(x[:, None]).fill_diagonal_(0.0)
    return table.logsumexp(1) - math.log(len(x) - 1)


def squashed_without_jacobian(x, mu, sigma):
    return torch.distributions.Normal(mu, sigma).log_prob(x.logit())


def squashed_with_the_slope_upside_down(x, mu, sigma):
    return torch.distributions.Normal(mu, sigma).log_prob(x.logit()) + (x * (1 - x)).log()


def squashed_with_the_slope_of_a_logarithm(x, mu, sigma):
    return torch.distributions.Normal(mu, sigma).log_prob(x.logit()) - x.log()


def masks_that_peek(degrees):
    inner = [(above[:, None] >= below).float() for below, above in pairwise(degrees)]
    return [*inner, (degrees[0][:, None] >= degrees[-1]).float()]


def masks_strict_throughout(degrees):
    return [(above[:, None] > below).float() for below, above in pairwise([*degrees, degrees[0]])]


def masks_transposed(degrees):
    inner = [(below[:, None] <= above).float() for below, above in pairwise(degrees)]
    return [*inner, (degrees[-1][:, None] < degrees[0]).float()]


def p_without_the_true_deal(observed, dealt):
    return (dealt >= observed).float().mean()


def p_of_the_other_side(observed, dealt):
    return ((dealt <= observed).sum() + 1) / (len(dealt) + 1)


def p_without_ties(observed, dealt):
    return ((dealt > observed).sum() + 1) / (len(dealt) + 1)


WRONG = {
    "check_histogram": [histogram_without_widths, histogram_of_equal_cells, histogram_of_counts],
    "check_leave_one_out": [kernels_with_oneself, kernels_divided_by_all, kernels_masked_by_zero],
    "check_squashed": [
        squashed_without_jacobian,
        squashed_with_the_slope_upside_down,
        squashed_with_the_slope_of_a_logarithm,
    ],
    "check_masks": [masks_that_peek, masks_strict_throughout, masks_transposed],
    "check_p_value": [p_without_the_true_deal, p_of_the_other_side, p_without_ties],
}
