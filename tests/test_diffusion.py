"""The bound where the truth is known: Gaussian data, an image of one pixel, a network whose answers are given."""

import copy
import math

import pytest
import torch
from numeric import seeded
from scipy.special import log_ndtr
from torch import nn
from torch.distributions import Normal, kl_divergence

from gen_utils.models.diffusion import Diffusion, ImageDiffusion
from gen_utils.models.samplers import ddpm
from gen_utils.models.schedule import (
    Schedule,
    cosine,
    eps_from_x0,
    linear,
    posterior_mean,
    q_sample,
    v_from_x0,
    x0_from_eps,
)
from gen_utils.models.unet import UNet
from gen_utils.nets import Denoiser
from gen_utils.train import train_steps


class Doubled(nn.Module):
    """The smallest network that fits: where a test is of the bound, whatever is predicted."""

    def forward(self, x_t, log_snr):
        return torch.cat([x_t, x_t], 1)


class Spy(nn.Module):
    """A network that keeps its inputs, and returns the same numbers for every example."""

    def __init__(self, *shape):
        super().__init__()
        self.answer = nn.Parameter(torch.randn(shape, generator=seeded()))

    def forward(self, x_t, log_snr, y=None):
        self.x_t, self.log_snr, self.y = x_t, log_snr, y
        return self.answer.expand(len(x_t), *self.answer.shape)


class Affine(nn.Module):
    """A small network of labelled images of any size, which bends."""

    def __init__(self, size, classes=3):
        super().__init__()
        self.size = size
        self.label = nn.Embedding(classes + 1, 4)
        self.body = nn.Linear(size + 5, 2 * size)

    def forward(self, x_t, log_snr, y):
        features = torch.cat([x_t.flatten(1), log_snr[:, None] / 10, self.label(y)], 1)
        return self.body(features).sin().mul(2).unflatten(1, (2, *x_t.shape[2:]))


class Exact(nn.Module):
    """The best prediction where the data are independent N(0, variance), and a coefficient for each step."""

    def __init__(self, variance, schedule, c):
        super().__init__()
        self.variance, self.log_snr, self.c = variance, schedule.log_snr, c

    def forward(self, x_t, log_snr):
        alpha_bar_t = log_snr.sigmoid()[:, None]
        x0_hat = self.variance * alpha_bar_t**0.5 / (alpha_bar_t * self.variance + 1 - alpha_bar_t) * x_t
        t = (log_snr[:, None] - self.log_snr[1:]).abs().argmin(1) + 1
        return torch.cat([v_from_x0(x0_hat, x_t, alpha_bar_t), self.c[t][:, None].expand_as(x_t)], 1)


def steps(t, n):
    return torch.full((n,), t)


def at(model, log_snr):
    """The steps whose noise levels a network was given."""
    return (log_snr[:, None] == model.schedule.log_snr).long().argmax(1)


# A Gaussian of variance ν stays one: x_t has variance ᾱν + 1 − ᾱ, and every conditional is a regression.


def variance_at(alpha_bar, variance):
    return alpha_bar * variance + 1 - alpha_bar


def best_variance(schedule, variance):
    """var(x_{t−1} | x_t) = var(x_{t−1}) − cov² / var(x_t), for t from 1."""
    after, before = schedule.alpha_bar[1:], schedule.alpha_bar[:-1]
    covariance = (after / before) ** 0.5 * variance_at(before, variance)
    return variance_at(before, variance) - covariance**2 / variance_at(after, variance)


def coefficient(schedule, variance):
    """The c whose variance that is, for t from 0."""
    low, high = schedule.log_beta_tilde[1:], schedule.beta[1:].log()
    return nn.functional.pad(2 * (best_variance(schedule, variance).log() - low) / (high - low) - 1, (1, 0))


def uncertainty(schedule, variance):
    """var(x_0 | x_t) for t from 1: what the best prediction's squared error is on average."""
    alpha_bar = schedule.alpha_bar[1:]
    return variance * (1 - alpha_bar) / variance_at(alpha_bar, variance)


def expected_bound(model, variance, c):
    """E[−ELBO] of one dimension, exactly: a term depends on the squared error only, so its mean stands for it."""
    T = model.schedule.T
    error = uncertainty(model.schedule, variance).sqrt()[:, None]
    # In one step, the last, log p(x_0|x_1) is quadratic in it too.
    terms = model.bound_term_from(error, torch.zeros_like(error), c[1:, None], torch.arange(1, T + 1))
    return terms.sum() + model.prior_kl(torch.full((1, 1), math.sqrt(variance), dtype=terms.dtype))[0]


def gaussian_model(alpha_bar, dims=1):
    model = Diffusion(Doubled(), alpha_bar, (dims,)).double()
    return model, model.schedule


@pytest.mark.parametrize("alpha_bar", [cosine(2), cosine(3), linear(10), cosine(100)], ids=len)
@pytest.mark.parametrize("variance", [0.0, 0.01, 0.3, 0.9, 1.0])
def test_the_best_variance_comes_out_where_c_is_optimised(alpha_bar, variance):
    model, schedule = gaussian_model(alpha_bar)
    t = torch.arange(1, schedule.T + 1)
    error = uncertainty(schedule, variance).sqrt()[:, None]
    low, high = -torch.ones_like(error), torch.ones_like(error)
    for _ in range(60):  # a term is convex in c: halve where its slope changes sign
        c = ((low + high) / 2).requires_grad_()
        (slope,) = torch.autograd.grad(model.bound_term_from(error, torch.zeros_like(error), c, t).sum(), c)
        low, high = torch.where(slope < 0, c.detach(), low), torch.where(slope < 0, high, c.detach())
    found = schedule.log_variance(low[:, 0], t).exp()
    smallest, largest = schedule.log_beta_tilde[1:].exp(), schedule.beta[1:]
    torch.testing.assert_close(found, best_variance(schedule, variance).clamp(smallest, largest), rtol=1e-5, atol=0)
    if variance in (0.0, 1.0):  # for these, the two fixed ones are the best
        torch.testing.assert_close(found, largest if variance else smallest, rtol=1e-5, atol=0)


@pytest.mark.parametrize("alpha_bar", [cosine(2), cosine(5), linear(100), cosine(1000)], ids=len)
@pytest.mark.parametrize("variance", [0.05, 0.5, 2.0])
def test_with_the_best_variance_the_bound_is_the_log_density_in_every_number_of_steps(alpha_bar, variance):
    # Then p_θ(x_{t−1}|x_t) = q(x_{t−1}|x_t), and all that is lost is KL(q(x_T) ‖ N(0, I)).
    model, schedule = gaussian_model(alpha_bar)
    entropy = 0.5 * math.log(2 * math.pi * math.e * variance)
    last = Normal(0.0, variance_at(schedule.alpha_bar[-1].item(), variance) ** 0.5)
    lost = kl_divergence(last, Normal(0.0, 1.0)).item()
    found = expected_bound(model, variance, coefficient(schedule, variance)).item()
    assert found == pytest.approx(entropy + lost, abs=2e-6)


@pytest.mark.parametrize("c", [-1.0, 0.0, 1.0])
def test_a_fixed_variance_costs_what_it_is_wrong_by(c):
    variance, gaps = 0.3, []
    entropy = 0.5 * math.log(2 * math.pi * math.e * variance)
    for T in (10, 100, 1000):
        model, schedule = gaussian_model(cosine(T))
        fixed = torch.full((T + 1,), c, dtype=torch.float64)
        gaps.append(expected_bound(model, variance, fixed).item() - entropy)
        # The means are right, so each step loses the divergence of two Gaussians with one mean.
        best, used = best_variance(schedule, variance), schedule.log_variance(c, torch.arange(1, T + 1)).exp()
        lost = kl_divergence(Normal(0.0, best.sqrt()), Normal(0.0, used.sqrt())).sum().item()
        last = Normal(0.0, variance_at(schedule.alpha_bar[-1].item(), variance) ** 0.5)
        assert gaps[-1] == pytest.approx(lost + kl_divergence(last, Normal(0.0, 1.0)).item(), abs=2e-6)
    if c == 1.0:  # β_t: as the steps become smaller, so does what is lost, in proportion
        assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.1)
        assert gaps[1] / gaps[2] == pytest.approx(10, rel=0.02)
    elif c == -1.0:  # β̃_t: half of β_2, two thirds of β_3, …, however small they are
        assert min(gaps) > 0.5


@pytest.mark.parametrize("c", [None, 1.0, -1.0])
def test_the_elbo_s_mean_is_the_bound(c):
    variance, T = 0.3, 10
    schedule = Schedule(cosine(T))
    best = coefficient(schedule, variance).clamp(-1 + 1e-6, 1 - 1e-6)
    model = Diffusion(Exact(variance, schedule, best), cosine(T), (2,))
    draws, generator = [], seeded()
    for _ in range(100):  # batch by batch, since the steps of one batch are not independent
        x = math.sqrt(variance) * torch.randn(50, 2, generator=generator)
        draws.append(model.elbo(x, generator=generator, c=c).mean())
    draws = torch.stack(draws).double()
    double, _ = gaussian_model(cosine(T))
    fixed = torch.full((T + 1,), c or 0.0, dtype=torch.float64)
    expected = -2 * expected_bound(double, variance, best.double() if c is None else fixed)
    assert abs(draws.mean() - expected) < 3 * draws.std() / math.sqrt(len(draws))


def test_a_term_is_the_divergence_of_two_gaussians():
    model = Diffusion(Doubled(), cosine(20), (2, 3)).double()
    schedule, n = model.schedule, 19
    x0, x0_hat, x_t = (torch.randn(n, 2, 3, generator=seeded(i), dtype=torch.float64) for i in range(3))
    c = 2 * torch.rand(n, 2, 3, generator=seeded(3), dtype=torch.float64) - 1
    for t in range(2, 21):
        a = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
        q = Normal(posterior_mean(x0, x_t, *a), schedule.beta_tilde[t].sqrt())
        p = Normal(posterior_mean(x0_hat, x_t, *a), (0.5 * schedule.log_variance(c, t)).exp())
        expected = kl_divergence(q, p).sum((1, 2))
        torch.testing.assert_close(model.bound_term_from(x0, x0_hat, c, steps(t, n)), expected, rtol=1e-5, atol=1e-6)
    p = Normal(x0_hat, (0.5 * schedule.log_variance(c, 1)).exp())
    torch.testing.assert_close(model.bound_term_from(x0, x0_hat, c, steps(1, n)), -p.log_prob(x0).sum((1, 2)))
    t = torch.arange(n) + 1  # all in one batch, the first among them
    expected = [model.bound_term_from(x0[[i]], x0_hat[[i]], c[[i]], t[[i]]) for i in range(n)]
    torch.testing.assert_close(model.bound_term_from(x0, x0_hat, c, t), torch.cat(expected))


def test_bound_terms_are_of_the_state_that_the_network_gets():
    spy = Spy(4)
    model = Diffusion(spy, cosine(20))
    x, t = torch.randn(8, 2, generator=seeded()), torch.tensor([1, 1, 2, 3, 10, 19, 20, 20])
    for c in (None, 1.0, -1.0, 0.3):
        found = model.bound_term(x, t, generator=seeded(), c=c)
        assert torch.equal(at(model, spy.log_snr), t)
        x0_hat, learned = model.predict(spy.x_t, spy.log_snr)
        torch.testing.assert_close(learned, spy.answer[2:].expand(8, 2))
        assert torch.equal(
            found, model.bound_term_from(x, x0_hat, learned if c is None else torch.full_like(x, c), t)
        )
    noise = eps_from_x0(x, spy.x_t, model.schedule.alpha_bar[t][:, None])
    torch.testing.assert_close(noise, torch.randn(8, 2, generator=seeded()), rtol=1e-4, atol=1e-4)


def test_the_bound_trains_the_variance_alone():
    spy = Spy(4)
    model = Diffusion(spy, cosine(20), bound_weight=0.1)
    x = torch.randn(400, 2, generator=seeded())

    def slopes(part):
        (slope,) = torch.autograd.grad(model.loss(x, generator=seeded())[part].sum(), spy.answer)
        return slope

    simple, bound, both = slopes("simple"), slopes("bound"), slopes("loss")
    assert torch.equal(bound[:2], torch.zeros(2))  # to the mean: nothing, exactly
    assert (bound[2:] != 0).all()
    assert torch.equal(simple[2:], torch.zeros(2))
    torch.testing.assert_close(both, simple + 0.1 * bound)
    # And what passes is the slope: of each part, in what it trains.
    model.double()
    for part, trained in (("simple", slice(0, 2)), ("bound", slice(2, 4))):
        slope, ends = slopes_of(model, x.double(), part)
        for i in range(trained.start, trained.stop):
            assert slope[i].item() == pytest.approx(ends[i], rel=1e-5)


def slopes_of(model, x, part):
    """The gradient in the spy's answer, and central differences."""
    answer = model.network.answer
    (slope,) = torch.autograd.grad(model.loss(x, generator=seeded())[part].sum(), answer)
    ends = []
    for i in range(len(answer)):
        values = []
        for step in (1e-5, -2e-5, 1e-5):
            with torch.no_grad():
                answer[i] += step
            values.append(model.loss(x, generator=seeded())[part].sum().item())
        ends.append((values[0] - values[1]) / 2e-5)
    return slope, ends


def test_the_loss_is_made_of_what_the_network_gets():
    spy = Spy(4)
    model = Diffusion(spy, cosine(20), bound_weight=0.25)
    x = torch.randn(60, 2, generator=seeded())
    parts = model.loss(x, generator=seeded())
    t = at(model, spy.log_snr)
    assert t.bincount(minlength=21).tolist() == [0] + [3] * 20  # each step as often as each other
    alpha_bar_t = model.schedule.alpha_bar[t][:, None]
    v = v_from_x0(x, spy.x_t, alpha_bar_t)
    torch.testing.assert_close(parts["simple"], (v - spy.answer[:2]).square().sum(1), rtol=1e-3, atol=1e-4)
    bound = 20 * model.bound_term_from(x, *model.predict(spy.x_t, spy.log_snr), t)
    torch.testing.assert_close(parts["bound"], bound, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(parts["loss"], parts["simple"] + 0.25 * parts["bound"])


def test_every_step_is_as_probable_for_every_example():
    spy = Spy(4)
    model = Diffusion(spy, cosine(7))
    generator, counts = seeded(), torch.zeros(3, 8)
    for _ in range(700):
        model.elbo(torch.zeros(3, 2), generator=generator)
        counts[torch.arange(3), at(model, spy.log_snr)] += 1
    assert (counts[:, 0] == 0).all()
    assert ((counts[:, 1:] - 100).abs() < 3 * math.sqrt(100 * 6 / 7)).all()


def test_what_the_last_state_shows_of_the_data():
    alpha_bar = torch.tensor([1.0, 0.8, 0.3])
    model, x = Diffusion(Doubled(), alpha_bar, (3,)), torch.randn(5, 3, generator=seeded())
    q = Normal(0.3**0.5 * x, 0.7**0.5)
    torch.testing.assert_close(model.prior_kl(x), kl_divergence(q, Normal(0.0, 1.0)).sum(1))


def test_a_learned_variance_is_worth_nats_in_few_steps():
    torch.manual_seed(0)
    model = Diffusion(Denoiser(2, (32,)), cosine(4), bound_weight=1.0)
    x = 0.5 * torch.randn(4096, 2, generator=seeded())
    for _ in train_steps(model, x, steps=300, batch_size=128, lr=1e-2):
        pass
    x = 0.5 * torch.randn(20_000, 2, generator=seeded(1))
    learned, large, small = (model.elbo(x, generator=seeded(2), c=c) for c in (None, 1.0, -1.0))
    entropy = 1 + math.log(2 * math.pi * 0.25)
    for fixed in (large, small):  # the same noise
        gain = learned - fixed
        assert gain.mean() > 0.05
        assert gain.mean() > 3 * gain.std() / math.sqrt(len(x))
    assert -entropy - 0.05 < learned.mean() < -entropy + 3 * learned.std() / math.sqrt(len(x))


# Images


@pytest.fixture(scope="module")
def images():
    torch.manual_seed(0)
    return ImageDiffusion(Affine(30), cosine(20), (1, 6, 5), 3).requires_grad_(False)


@pytest.fixture(scope="module")
def x():
    return torch.randint(256, (7, 1, 6, 5), generator=seeded()) / 255


@pytest.fixture(scope="module")
def y():
    return torch.tensor([0, 1, 2, 0, 1, 2, 2])


def all_levels(model, mean, log_variance):
    """log p of each of the 256 levels of one pixel."""
    levels = 2 * torch.arange(256, dtype=mean.dtype)[:, None] / 255 - 1
    shape = (256, 1)
    return model.log_likelihood(levels, mean.expand(shape), log_variance.expand(shape))


@pytest.mark.parametrize("deviation", [1e-3, 6e-3, 0.1, 1.0, 3.0])
def test_the_probabilities_of_all_levels_sum_to_one(images, deviation):
    for mean in (-1.3, -1.0, -0.5, 0.0, 1 / 255, 0.9, 1.0, 2.0):
        for dtype, error in ((torch.float32, 3e-5), (torch.float64, 1e-11)):
            numbers = torch.tensor([mean, 2 * math.log(deviation)], dtype=dtype)
            log_p = all_levels(images, *numbers)
            assert log_p.isfinite().all()
            assert log_p.exp().sum().item() == pytest.approx(1, abs=error)
        # Each is the difference of two values of Φ, here by scipy, in the tail where they are small.
        edges = [-math.inf, *((2 * k + 1) / 255 - 1 for k in range(255)), math.inf]
        for k in (0, 1, 100, 128, 254, 255):
            ends = [(edge - mean) / deviation for edge in (edges[k], edges[k + 1])]
            if sum(ends) > 0:
                ends = [-end for end in reversed(ends)]
            below, above = log_ndtr(ends)
            expected = above + math.log(-math.expm1(below - above))
            found = all_levels(images, *numbers.double())[k].item()
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_no_pixel_is_so_improbable_that_its_gradient_is_lost(images):
    for x0 in (-1.0, 0.0, 1.0):
        mean = x0 + torch.tensor([[-0.3, -0.1, -0.03, -0.01, 0.0, 0.01, 0.03, 0.1, 0.3]])
        slopes = []
        for numbers in (mean, mean.double()):
            log_variance = torch.full_like(numbers, 2 * math.log(6e-3)).requires_grad_()
            log_p = images.log_likelihood(torch.full_like(numbers, x0), numbers, log_variance)
            slopes += torch.autograd.grad(log_p.sum(), log_variance)
        torch.testing.assert_close(slopes[0], slopes[1].float(), rtol=1e-3, atol=1e-5)
        if x0 == 0:  # where it is far off, the squared error over 2σ² decides
            assert slopes[1][0, 0].item() == pytest.approx((0.3 - 1 / 255) ** 2 / (2 * 6e-3**2), rel=1e-3)


def test_the_bound_of_an_image_of_one_pixel_bounds_its_probability():
    torch.manual_seed(1)
    alpha_bar = torch.tensor([1.0, 0.9, 0.2])
    model = ImageDiffusion(Affine(1), alpha_bar, (1, 1, 1), 3).double().requires_grad_(False)
    schedule, axis = model.schedule, torch.linspace(-7, 7, 701, dtype=torch.float64)
    y = torch.zeros(len(axis), dtype=torch.int64)

    def step(t):
        x = axis.view(-1, 1, 1, 1)
        x0_hat, c = model.predict(x, schedule.log_snr[t].expand(len(axis)), y)
        mean = posterior_mean(x0_hat, x, schedule.alpha_bar[t], schedule.alpha_bar[t - 1])
        return mean.flatten(), schedule.log_variance(c, t).flatten()

    mean, log_variance = step(2)
    log_joint = Normal(0.0, 1.0).log_prob(axis)[:, None]  # rows: x_2, columns: x_1
    log_joint = log_joint + Normal(mean[:, None], (0.5 * log_variance).exp()[:, None]).log_prob(axis)
    mean, log_variance = step(1)
    cell = (axis[1] - axis[0]).log()
    levels = 2 * torch.arange(256, dtype=torch.float64) / 255 - 1
    log_last = torch.stack(
        [model.log_likelihood(level.expand(701, 1), mean[:, None], log_variance[:, None]) for level in levels]
    )
    log_p = (log_joint.logsumexp(0) + cell + log_last).logsumexp(1) + cell
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-6)
    for level in (0, 70, 255):
        q1 = Normal(schedule.alpha_bar[1].sqrt() * levels[level], (1 - schedule.alpha_bar[1]).sqrt())
        q2 = Normal((schedule.alpha_bar[2] / schedule.alpha_bar[1]).sqrt() * axis, schedule.beta[2].sqrt())
        log_q = q1.log_prob(axis) + q2.log_prob(axis[:, None])
        exact = (log_q.exp() * (log_joint + log_last[level] - log_q)).sum() * (2 * cell).exp()
        assert exact < log_p[level]
        n = 40_000
        draws = model.elbo(torch.full((n, 1, 1, 1), level / 255).double(), y[:1].expand(n), generator=seeded())
        assert abs(draws.mean() - exact) < 3 * draws.std() / math.sqrt(n)


def test_a_tenth_of_the_labels_is_dropped_in_training_only():
    spy = Spy(2, 2, 2)
    model = ImageDiffusion(spy, cosine(5), (1, 2, 2), 3)
    n = 20_000
    x, y = torch.zeros(n, 1, 2, 2), torch.arange(n) % 3
    model.loss(x, y, generator=seeded())
    dropped = spy.y == 3
    assert torch.equal(spy.y[~dropped], y[~dropped])
    for label in range(3):
        assert abs(dropped[y == label].double().mean() - 0.1) < 3 * math.sqrt(0.09 / (n / 3))
    assert y.amax() == 2  # the caller's labels are left alone
    model.elbo(x, y)
    assert torch.equal(spy.y, y)


def every_door(model, x):
    """What takes labels, called with y."""
    x_t, log_snr = 2 * x - 1, model.schedule.log_snr[-1].expand(len(x))
    return {
        "loss": lambda *y: model.loss(x, *y),
        "elbo": lambda *y: model.elbo(x, *y),
        "bound_term": lambda *y: model.bound_term(x, steps(1, len(x)), *y),
        "sample": lambda *y: model.sample(len(x), *y),
        "predict": lambda *y: model.predict(x_t, log_snr, *y),
        "guided": lambda *y: model.guided(x_t, log_snr, *y, 2.0),
    }


def test_without_labels_every_method_is_about_all_images():
    spy, x = Spy(2, 6, 5), torch.zeros(4, 1, 6, 5)
    model = ImageDiffusion(spy, cosine(3), (1, 6, 5), 3)
    for name, call in every_door(model, x).items():
        if name != "guided":
            call()
            assert spy.y.tolist() == [3] * 4, name


def test_every_door_refuses_what_is_no_label(images, x):
    for call in every_door(images, x).values():
        with pytest.raises(ValueError, match=r"y: expected an int64 tensor .* 0…2, got 0…3"):  # 3 is nobody's label
            call(torch.tensor([0, 1, 2, 0, 1, 2, 3]))
    model = Diffusion(Doubled(), cosine(3))
    for call in every_door(model, torch.zeros(3, 2)).values():
        with pytest.raises(ValueError, match="y: Diffusion takes no labels"):
            call(torch.arange(3))


class Noisy(nn.Sequential):
    """A network with batch norm and dropout: a call of it in training mode changes state, its own and the global."""

    def __init__(self):
        super().__init__(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 4))

    def forward(self, x_t, log_snr):
        return super().forward(x_t)


def test_only_the_loss_changes_the_network_s_state():
    network, x = Noisy().train(), torch.randn(5, 2, generator=seeded())
    before, drawn = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    model = Diffusion(network, cosine(3))
    for call in (model.sample, lambda n, generator: model.elbo(x, generator=generator)):
        assert torch.equal(call(5, generator=seeded()), call(5, generator=seeded()))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(module.training for module in network.modules())
    model.loss(x, generator=seeded())
    assert not torch.equal(network[0].running_mean, before["0.running_mean"])


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (lambda: Diffusion(Denoiser(3)), r"\(1, 4\) from .* got RuntimeError"),
        (lambda: Diffusion(Affine(2)), "got TypeError: .*'y'"),
        (lambda: Diffusion(Spy(2)), r"expected \(1, 4\) from inputs of shapes \(1, 2\), \(1,\), got \(1, 2\)"),
        (lambda: ImageDiffusion(UNet(), event_shape=(3, 28, 28)), r"expected \(1, 6, 28, 28\) .* got RuntimeError"),
        (lambda: ImageDiffusion(UNet(), event_shape=(1, 32, 32)), r"expected \(1, 2, 32, 32\) .* got RuntimeError"),
        (lambda: ImageDiffusion(UNet(classes=4), classes=5), "expected one for classes=5, got classes=4"),
        (lambda: ImageDiffusion(UNet(classes=12)), "expected one for classes=10, got classes=12"),
        (lambda: ImageDiffusion(UNet(), classes=None), "expected one for classes=None, got classes=10"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(build, found):
    with pytest.raises(ValueError, match=f"network: .*{found}"):
        build()


def test_colour_images_of_another_size_and_number_of_labels():
    model = ImageDiffusion(UNet((3, 8, 12), 5, width=4, hidden=8), cosine(3), (3, 8, 12), 5).double()
    x, y = torch.rand(5, 3, 8, 12, dtype=torch.float64).mul(255).round() / 255, torch.arange(5)
    assert model.loss(x, y)["loss"].shape == model.elbo(x, y).shape == (5,)
    assert model.sample(5, y).shape == (5, 3, 8, 12)
    assert model.sample(2).dtype == torch.float64


def test_inside_black_is_minus_one_and_white_one(images, x, y):
    spy = Spy(2, 6, 5)
    model = ImageDiffusion(spy, cosine(20), (1, 6, 5), 3)
    t = torch.arange(1, 8)
    model.bound_term(x, t, y, generator=seeded())
    noise = torch.randn(x.shape, generator=seeded())
    torch.testing.assert_close(spy.x_t, q_sample(2 * x - 1, noise, model.schedule.alpha_bar[t].view(-1, 1, 1, 1)))
    q = Normal(model.schedule.alpha_bar[-1].sqrt() * (2 * x - 1), (1 - model.schedule.alpha_bar[-1]).sqrt())
    expected = kl_divergence(q, Normal(0.0, 1.0)).sum((1, 2, 3))
    torch.testing.assert_close(model.prior_kl(x), expected, rtol=1e-4, atol=1e-5)


def test_guidance_mixes_two_predictions_of_noise(images, y):
    x_t, log_snr = torch.randn(7, 1, 6, 5, generator=seeded()), images.schedule.log_snr[torch.arange(2, 16, 2)]
    found = {w: images.guided(x_t, log_snr, y, w) for w in (0.0, 1.0, 2.5)}
    torch.testing.assert_close(found[0.0][0], images.predict(x_t, log_snr)[0])
    torch.testing.assert_close(found[1.0], images.predict(x_t, log_snr, y))
    torch.testing.assert_close(found[2.5][1], found[1.0][1])
    alpha_bar_t = log_snr.sigmoid().view(-1, 1, 1, 1)
    both = (images.network(x_t, log_snr, label)[:, :1] for label in (torch.full_like(y, 3), y))
    without, with_label = (alpha_bar_t**0.5 * v + (1 - alpha_bar_t) ** 0.5 * x_t for v in both)  # ε from v
    expected = x0_from_eps(without + 2.5 * (with_label - without), x_t, alpha_bar_t).clamp(-1, 1)
    torch.testing.assert_close(found[2.5][0], expected, rtol=1e-4, atol=1e-4)
    assert (expected.abs() < 1).any()
    assert torch.equal(images.guided(x_t, log_snr, y, torch.tensor([2.5]))[0], found[2.5][0])
    assert found[2.5][0].abs().max() == 1
    assert not torch.allclose(found[2.5][0], found[1.0][0])


def test_samples_are_ddpm_s_with_the_learned_variance(images):
    y = torch.tensor([0, 1, 2])
    found = images.sample(3, y, generator=seeded())
    generator = seeded()
    x_T = torch.randn(3, 1, 6, 5, generator=generator)
    states = list(
        ddpm(lambda x_t, log_snr: images.predict(x_t, log_snr, y), x_T, images.schedule, generator=generator)
    )
    assert torch.equal(found, (states[-1] + 1) / 2)
    path = list(images.sample_path(3, y, generator=seeded()))
    assert len(path) == len(states) == 21
    assert all(torch.equal(shown, (state + 1) / 2) for shown, state in zip(path, states, strict=True))


def test_with_fewer_steps_the_same_network_is_another_model(images, x, y):
    short = ImageDiffusion(images.network, images.schedule.strided(5).alpha_bar, (1, 6, 5), 3)
    for same in (images.schedule.strided(5), short.schedule.alpha_bar.tolist()):
        model = ImageDiffusion(images.network, same, (1, 6, 5), 3)
        assert torch.equal(model.schedule.alpha_bar, short.schedule.alpha_bar)
    assert len(list(short.sample_path(2, y[:2], generator=seeded()))) == 6
    t = torch.tensor([4, 8, 12, 16, 20, 4, 8])  # of 20: every fourth is one of the five
    state = images.schedule.alpha_bar[t], images.schedule.log_snr[t]
    found = short.schedule.alpha_bar, short.schedule.log_snr
    assert all(torch.equal(a, b[t // 4]) for a, b in zip(state, found, strict=True))
    assert (short.bound_term(x, t // 4, y, generator=seeded()) > 0).all()


def test_what_makes_no_sense_is_refused(images, x, y):
    for weight in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"bound_weight: expected .*, got {weight}"):
            Diffusion(Doubled(), bound_weight=weight)
    for t in (
        torch.zeros(7).long(),
        torch.full((7,), 21),
        torch.ones(6).long(),
        torch.ones(7),
        torch.ones(7, 1).long(),
    ):
        with pytest.raises(ValueError, match="t: expected"):
            images.bound_term(x, t, y)
    with pytest.raises(ValueError, match="t: expected an int64 tensor"):
        images.bound_term(x, torch.ones(7).bool(), y)
    noise = torch.randn(x.shape)
    for x_t, log_snr, words in (
        (noise[:, :, 1:], torch.zeros(7), "x_t: expected .* got shape"),
        (noise / 0, torch.zeros(7), "x_t: expected finite values"),
        (noise, torch.zeros(()), "log_snr: expected shape"),
    ):
        with pytest.raises(ValueError, match=words):
            images.predict(x_t, log_snr, y)
    with pytest.raises(ValueError, match="guidance: expected finite values, got NaN"):
        images.guided(noise, torch.zeros(7), y, math.nan)
    weights = torch.arange(7.0)
    each = [images.guided(noise[i, None], torch.zeros(1), y[i, None], i)[0] for i in range(7)]
    torch.testing.assert_close(images.guided(noise, torch.zeros(7), y, weights)[0], torch.cat(each))
    off = x.clone()
    off[2, 0, 3, 1] = 0.3 + 1e-3
    for call in (images.loss, images.elbo):
        with pytest.raises(ValueError, match=r"x: expected multiples of 1/255, got 0\.301"):
            call(off, y)
