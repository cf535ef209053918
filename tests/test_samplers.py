"""Samplers where the truth is known: a Gaussian's exact score, a mixture's; another library, under the same noise."""

# ruff: noqa: N803  (T and x_T are the book's symbols)

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from numeric import seeded
from torch.distributions import Normal

from gen_utils import toys
from gen_utils.models import samplers
from gen_utils.models.samplers import (
    ddim,
    ddim_step,
    ddpm,
    ddpm_step,
    flow_matching,
    from_score,
    inpaint,
    ode_log_prob,
    probability_flow,
    reverse_sde,
)
from gen_utils.models.schedule import Schedule, append_dims, cosine, linear

pytestmark = pytest.mark.usefixtures("double")
MEAN, SD = 0.7, 0.4  # of the Gaussian data


@pytest.fixture
def double():
    """Doubles everywhere: what is equal is then equal to twelve digits."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed))


def last(states):
    *_, x0 = states
    return x0


def variance(alpha_bar_t):
    """Variance of x_t for the Gaussian data."""
    return alpha_bar_t * SD**2 + 1 - alpha_bar_t


def gaussian(c=-1.0):
    """What a perfect network predicts for the Gaussian data."""
    return from_score(lambda x, a: -(x - a.sqrt() * MEAN) / variance(a), c)


def wave(x_t, log_snr):
    """Some network: bent, and different at each step and pixel, with variances between both ends."""
    level = append_dims(log_snr, x_t)
    return torch.sin(2 * x_t + level) + 0.3 * x_t.flip(1), torch.tanh(x_t - level / 5)


# Each sampler's chain on Gaussian data is linear, so a state is a mean plus a number times each noise. A batch whose
# rows have one noise each, of size one, gives all these numbers: the exact moments of the function that is tested.


def moments(monkeypatch, sampler, schedule):
    """Run a sampler's own code, and return the exact mean and variance of each state, `(T + 1,)` both."""
    impulses = iter(torch.eye(schedule.T + 2)[1:])
    monkeypatch.setattr(samplers, "noise_like", lambda x, generator: next(impulses)[:, None])
    states = torch.stack([x[:, 0] for x in sampler(next(impulses)[:, None], schedule)])
    mean = states[:, 0]
    return mean, (states - mean[:, None]).square().sum(1)


def towards_data(alpha_bar_t):
    """E[x_0|x_t] = MEAN + k (x_t − √ᾱ MEAN), by Bayes for Gaussians: k, and what is added to k x_t."""
    k = alpha_bar_t.sqrt() * SD**2 / variance(alpha_bar_t)
    return k, MEAN * (1 - k * alpha_bar_t.sqrt())


# A step from ᾱ = a to ᾱ = s on Gaussian data, on paper: x_s = slope · x_t + offset + noise.


def ddpm_on_paper(c, a, s):
    k, offset = towards_data(a)
    beta = 1 - a / s
    tilde = beta * (1 - s) / (1 - a)
    to_x0, to_x_t = s.sqrt() * beta / (1 - a), (a / s).sqrt() * (1 - s) / (1 - a)
    noise = beta ** ((1 + c) / 2) * tilde ** ((1 - c) / 2) if s < 1 else 0.0
    return to_x0 * k + to_x_t, to_x0 * offset, noise


def ddim_on_paper(eta, a, s):
    k, offset = towards_data(a)
    noise = eta**2 * (1 - s) / (1 - a) * (1 - a / s)
    to_eps = ((1 - s - noise) / (1 - a)).sqrt()
    return s.sqrt() * k + to_eps * (1 - a.sqrt() * k), (s.sqrt() - to_eps * a.sqrt()) * offset, noise


def sde_on_paper(a, s):
    step = (s / a).log()
    return 1 + step / 2 - step / variance(a), step * a.sqrt() * MEAN / variance(a), step if s < 1 else 0.0


def heun_on_paper(a, s):
    if s == 1:
        return *towards_data(a), 0.0
    step = s.sqrt().acos() - a.sqrt().acos()
    (g, b), (g_ahead, b_ahead) = (slope_of_v(a), slope_of_v(s))
    return 1 + step / 2 * (g + g_ahead + step * g * g_ahead), step / 2 * (b + b_ahead + step * g_ahead * b), 0.0


def slope_of_v(a):
    """The ODE moves √ᾱ MEAN along cos ψ and widens what is around it with √variance: v = g x + b."""
    cos, sin = a.sqrt(), (1 - a).sqrt()
    g = sin * cos * (1 - SD**2) / variance(a)
    return g, -sin * MEAN - g * cos * MEAN


def flow_on_paper(a, s):
    here, there = line(a), line(s)
    width = (1 - here) ** 2 * SD**2 + here**2
    g = (here - (1 - here) * SD**2) / width  # of E[ε − x_0|x] in x
    step = there - here
    return 1 + step * g, -step * (1 + g * (1 - here)) * MEAN, 0.0


def line(a):
    """Where on the straight line from data, 0, to noise, 1."""
    return (1 - a).sqrt() / (a.sqrt() + (1 - a).sqrt())


SAMPLERS = {
    "ddpm, c = -1": (partial(ddpm, gaussian(-1.0)), partial(ddpm_on_paper, -1.0)),
    "ddpm, c = 0.3": (partial(ddpm, gaussian(0.3)), partial(ddpm_on_paper, 0.3)),
    "ddpm, c = 1": (partial(ddpm, gaussian(1.0)), partial(ddpm_on_paper, 1.0)),
    "ddim": (partial(ddim, gaussian()), partial(ddim_on_paper, 0.0)),
    "ddim, eta = 0.5": (partial(ddim, gaussian(), eta=0.5), partial(ddim_on_paper, 0.5)),
    "ddim, eta = 1": (partial(ddim, gaussian(), eta=1.0), partial(ddim_on_paper, 1.0)),
    "reverse SDE": (partial(reverse_sde, gaussian()), sde_on_paper),
    "probability flow": (partial(probability_flow, gaussian()), heun_on_paper),
    "flow matching": (partial(flow_matching, gaussian()), flow_on_paper),
}
every_sampler = pytest.mark.parametrize("name", SAMPLERS)


@every_sampler
@pytest.mark.parametrize("schedule", [cosine, linear])
@pytest.mark.parametrize("T", [1, 2, 3, 20, 100])
def test_a_sampler_has_the_moments_of_its_recursion_on_paper(monkeypatch, name, schedule, T):
    sampler, on_paper = SAMPLERS[name]
    schedule = Schedule(schedule(1000)).strided(T)
    a = schedule.alpha_bar
    mean, var = torch.tensor(0.0), torch.tensor(1.0)
    if name == "flow matching":
        var = 1 / (a[-1].sqrt() + (1 - a[-1]).sqrt()) ** 2
    expected = [(mean, var)]
    for t in range(T, 0, -1):
        slope, offset, fresh = on_paper(a[t], a[t - 1])
        mean, var = slope * mean + offset, slope**2 * var + fresh
        expected.append((mean, var))
    found = moments(monkeypatch, sampler, schedule)
    torch.testing.assert_close(found, tuple(map(torch.stack, zip(*expected, strict=True))), rtol=1e-9, atol=1e-9)


@every_sampler
def test_more_steps_come_closer_to_the_data(monkeypatch, name):
    """Doubling the steps divides KL(sampler ‖ data) by more than two: in the end by four, as the error's square."""
    kls = []
    for T in (20, 40, 80, 160):
        schedule = Schedule(cosine(640)).strided(T)
        mean, var = moments(monkeypatch, SAMPLERS[name][0], schedule)
        ratio = var[-1] / SD**2
        kls.append(0.5 * (ratio + (mean[-1] - MEAN) ** 2 / SD**2 - 1 - ratio.log()))
    assert all(coarse > 2.5 * fine for coarse, fine in pairwise(kls))
    assert kls[-1] < 1e-3


@pytest.mark.parametrize("T", [2, 5, 50])
def test_with_the_best_variance_every_state_before_the_last_has_the_exact_law(monkeypatch, T):
    """The variance of q(x_s|x_t) is β̃ plus what is not known of x_0: it lies between β̃ and β, so some c gives it."""
    schedule = Schedule(cosine(1000)).strided(T)
    a = schedule.alpha_bar

    def predict(x_t, log_snr):
        t = int((schedule.log_snr - log_snr[0]).abs().argmin())
        beta, tilde = schedule.beta[t], schedule.log_beta_tilde[t].exp()
        unknown = SD**2 * (1 - a[t]) / variance(a[t])
        best = tilde + a[t - 1] * (beta / (1 - a[t])) ** 2 * unknown
        c = 2 * (best / tilde).log() / (beta / tilde).log() - 1 if t > 1 else 0.0
        assert -1 < c < 1
        return gaussian()(x_t, log_snr)[0], float(c)

    mean, var = moments(monkeypatch, partial(ddpm, predict), schedule)
    # All but the 5e-5 of signal that the schedule leaves at T, and the start does not know of.
    torch.testing.assert_close(mean[1:], a.flip(0)[1:].sqrt() * MEAN, rtol=0, atol=1e-6)
    torch.testing.assert_close(var[1:-1], variance(a.flip(0)[1:-1]), rtol=0, atol=1e-6)
    assert var[-1] < SD**2  # x_0 is a mean, without the noise that it needs


@pytest.mark.parametrize("name", ["ddpm, c = 0.3", "ddim, eta = 0.5", "reverse SDE"])
def test_draws_have_the_moments_of_the_recursion(monkeypatch, name):
    n, schedule = 20_000, Schedule(cosine(1000)).strided(20)
    x = last(SAMPLERS[name][0](noise(n, 1, seed=1), schedule, generator=seeded(2)))
    mean, var = moments(monkeypatch, SAMPLERS[name][0], schedule)
    assert abs(x.mean() - mean[-1]) < 3 * (var[-1] / n) ** 0.5
    assert abs(x.var() - var[-1]) < 3 * var[-1] * (2 / n) ** 0.5


def even(T):
    """A schedule whose angles are evenly spaced."""
    psi = torch.linspace(0, math.pi / 2 - 1e-6, T + 1)
    return Schedule(psi.cos() ** 2)


@pytest.mark.parametrize(
    ("sampler", "ratio"), [(probability_flow, 4), (ddim, 2), (flow_matching, 2)], ids=["Heun", "DDIM", "Euler"]
)
def test_odes_approach_the_exact_curve_at_their_order(sampler, ratio):
    """The ODE keeps how many standard deviations a Gaussian point is from the mean."""
    x_T = torch.linspace(-3, 3, 7)[:, None]
    errors = []
    for T in (80, 160, 320):
        a = even(T).alpha_bar
        there = a[T // 4]  # far from the last step, which is another
        exact = there.sqrt() * MEAN + (x_T - a[-1].sqrt() * MEAN) * (variance(there) / variance(a[-1])).sqrt()
        x = list(sampler(gaussian(), x_T, even(T)))[3 * T // 4]
        if sampler is flow_matching:
            x = x * (there.sqrt() + (1 - there).sqrt())
        errors.append((x - exact).square().mean().sqrt())
    assert errors[0] / errors[1] == pytest.approx(ratio, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(ratio, rel=0.05)


# A mixture of three Gaussians, where nothing is symmetric.


@pytest.fixture
def mixture():
    means = torch.tensor([[-2.0, -1.0], [1.0, 1.5], [1.5, -1.5]])
    return toys.IsotropicMixture(means, 0.4, torch.tensor([0.5, 0.3, 0.2]))


def kolmogorov(mixture, x, direction):
    """Kolmogorov's distance of the draws x from the mixture along a direction, √n times: its law is known."""
    places = (x @ direction).sort().values
    components = Normal(mixture.means @ direction, mixture.sigma)
    exact = components.cdf(places[:, None]) @ mixture.log_weights.exp()
    share = torch.arange(1, len(x) + 1) / len(x)
    return torch.maximum(share - exact, exact - share + 1 / len(x)).max() * len(x) ** 0.5


STOCHASTIC = {
    "ddpm, c = -1": lambda score, *given: ddpm(from_score(score, -1.0), *given, generator=seeded(1)),
    "ddpm, c = 1": lambda score, *given: ddpm(from_score(score, 1.0), *given, generator=seeded(1)),
    "ddim, eta = 0.5": lambda score, *given: ddim(from_score(score), *given, 0.5, generator=seeded(1)),
    "reverse SDE": lambda score, *given: reverse_sde(from_score(score), *given, generator=seeded(1)),
}
ODES = {
    "ddim": lambda score, *given: ddim(from_score(score), *given),
    "probability flow": lambda score, *given: probability_flow(from_score(score), *given),
    "flow matching": lambda score, *given: flow_matching(from_score(score), *given),
}


@pytest.mark.parametrize("name", STOCHASTIC | ODES)
def test_on_a_mixture_the_error_shrinks_until_no_test_sees_it(mixture, name):
    n, sampler, true = 2000, (STOCHASTIC | ODES)[name], mixture.log_weights.exp()

    def misses(steps):
        """Nats by which draws are too likely, in standard errors, and the draws."""
        x = last(sampler(mixture.score, noise(n, 2, seed=6), Schedule(cosine(1000)).strided(steps)))
        log_px = mixture.log_prob(x)
        return (log_px.mean() + mixture.entropy()) / (log_px.std() / n**0.5), x

    rough, _ = misses(10)
    fine, x = misses(500)
    assert abs(rough) > 4
    assert abs(fine) < 3
    weights = torch.cdist(x, mixture.means).argmin(1).bincount(minlength=3) / n
    assert ((weights - true).abs() < 3 * (true * (1 - true) / n).sqrt()).all()
    for angle in (0.0, 0.7, 1.4, 2.1):
        direction = torch.tensor([math.cos(angle), math.sin(angle)])
        assert (
            kolmogorov(mixture, x, direction) < 1.82
        )  # 0.27 % of true draws exceed it, as they do 3 standard errors


def test_three_views_of_one_score_end_in_one_law_and_two_of_them_in_one_point(mixture):
    start = noise(500, 2)
    gaps = []
    for T in (50, 100, 200, 400):
        schedule = Schedule(cosine(1000)).strided(T)
        ends = [last(ODES[name](mixture.score, start, schedule)) for name in ("probability flow", "flow matching")]
        gaps.append((ends[0] - ends[1]).norm(dim=1).mean())
    assert all(coarse > 1.7 * fine for coarse, fine in pairwise(gaps))
    assert gaps[-1] < 0.01 * SD
    x = last(STOCHASTIC["reverse SDE"](mixture.score, start, schedule))
    assert (x - ends[0]).norm(dim=1).mean() > 1  # noise on the way leads elsewhere,
    for end in (x, *ends):  # but not to another law
        assert max(kolmogorov(mixture, end, direction) for direction in torch.eye(2)) < 1.82


def test_euler_s_method_along_straight_lines_is_ddim():
    schedule = Schedule(cosine(1000)).strided(30)
    scale = schedule.alpha_bar.sqrt() + (1 - schedule.alpha_bar).sqrt()
    ours = ddim(wave, x_T := noise(5, 2, 3), schedule)
    for t, x_t, on_the_line in zip(range(30, -1, -1), ours, flow_matching(wave, x_T, schedule), strict=True):
        torch.testing.assert_close(scale[t] * on_the_line, x_t)


def test_the_ode_s_likelihood_is_the_density(mixture):
    x0 = torch.linspace(-1, 2, 13)[:, None]
    exact = Normal(MEAN, SD).log_prob(x0)[:, 0]
    errors = [(ode_log_prob(gaussian(), x0, even(T)) - exact).abs().max() for T in (50, 100, 200)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)
    assert errors[2] < 1e-3
    x0 = torch.cat([mixture.sample(50, generator=seeded()), 2 * noise(50, 2)])  # some where hardly any data is
    predict, exact = from_score(mixture.score), mixture.log_prob(x0)
    errors = [(ode_log_prob(predict, x0, Schedule(cosine(1000)).strided(T)) - exact).abs().max() for T in (100, 400)]
    assert errors[1] < errors[0] / 8
    assert errors[1] < 0.01


# Identities.


def test_ddim_draws_nothing_without_eta_and_is_ancestral_sampling_with_all_of_it():
    schedule, x_T = Schedule(cosine(1000)).strided(25), noise(5, 2, 3)
    before, generator = torch.get_rng_state(), seeded(3)
    once, again = (torch.stack([*ddim(wave, x_T, schedule, generator=generator)]) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(generator.get_state(), seeded(3).get_state())
    assert torch.equal(torch.get_rng_state(), before)
    small = lambda x_t, log_snr: (wave(x_t, log_snr)[0], -1.0)  # noqa: E731
    ours = torch.stack([*ddim(small, x_T, schedule, 1.0, generator=seeded(3))])
    torch.testing.assert_close(ours, torch.stack([*ddpm(small, x_T, schedule, generator=seeded(3))]))
    assert (ours[-1] - once[-1]).abs().max() > 0.1


@pytest.mark.parametrize("schedule", [cosine, linear])
def test_single_steps_agree_too_and_the_last_adds_no_noise(schedule):
    schedule = Schedule(schedule(50))
    x_t, x0_hat, eps = noise(3, 4, 2)
    for t in range(1, 51):
        a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
        log_variance = schedule.log_variance(-1.0, t)
        expected = ddpm_step(x_t, x0_hat, log_variance, a_t, a_s, eps)
        torch.testing.assert_close(ddim_step(x_t, x0_hat, a_t, a_s, 1.0, eps), expected)
        assert t > 1 or torch.equal(expected, ddpm_step(x_t, x0_hat, log_variance, a_t, a_s, 7 * eps))


def test_single_precision_makes_no_root_of_a_negative_number():
    """From the first ᾱ to the second the new noise's share is 1 in truth, less 3e-8, and rounds to more than 1."""
    a_t, a_s = torch.tensor([0.015385597944259644, 0.9999982714653015], dtype=torch.float32)
    assert (a_s - a_t) / (a_s * (1 - a_t)) > 1
    x_t, x0_hat, eps = noise(3, 2).float()
    assert ddim_step(x_t, x0_hat, a_t, a_s, 1.0, eps).isfinite().all()


# Another library, under the same noise.


def with_our_digits(schedule, scheduler):
    """Check that a scheduler of diffusers has our schedule, then give it our digits: its own are single precision."""
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), schedule.alpha_bar[1:], rtol=1e-4, atol=0)
    scheduler.alphas_cumprod = schedule.alpha_bar[1:]
    scheduler.one = scheduler.final_alpha_cumprod = torch.tensor(1.0)
    return scheduler


DDPM_TYPES = {"fixed_small": -1.0, "fixed_large": 1.0, "learned_range": None}


@pytest.mark.parametrize("variance_type", DDPM_TYPES)
@pytest.mark.parametrize("kept", [range(41), [0, 1, 4, 15, 23, 40]])
@pytest.mark.parametrize(("ours", "theirs"), [(linear, "linear"), (cosine, "squaredcos_cap_v2")])
def test_ddpm_is_that_of_diffusers(variance_type, kept, ours, theirs):
    """With steps left out it adds noise after the last of them, unless that is t = 1; so this is among the kept."""
    full = Schedule(ours(40))
    options = {"prediction_type": "sample", "variance_type": variance_type, "clip_sample": False}
    betas = {"beta_start": 1e-4 * 25, "beta_end": 0.02 * 25, "beta_schedule": theirs}
    scheduler = with_our_digits(full, DDPMScheduler(40, **betas, **options))
    scheduler.set_timesteps(timesteps=[t - 1 for t in reversed(kept[1:])])

    def predict(x_t, log_snr):
        x0_hat, c = wave(x_t, log_snr)
        return x0_hat, c if variance_type == "learned_range" else DDPM_TYPES[variance_type]

    x, generator = noise(5, 2, 3), seeded(3)
    states = ddpm(predict, x, Schedule(full.alpha_bar[list(kept)]), generator=seeded(3))
    assert torch.equal(next(states), x)
    for t, found in zip(scheduler.timesteps, states, strict=True):
        output = wave(x, full.log_snr[t + 1].expand(5))
        output = torch.cat(output, 1) if variance_type == "learned_range" else output[0]
        x = scheduler.step(output, t, x, generator=generator).prev_sample
        torch.testing.assert_close(found, x)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [200, 20])
def test_ddim_is_that_of_diffusers(eta, spacing, steps):
    """Steps "trailing" start from the last, T, as `strided` has them; "leading" leave it out, and end at 1."""
    full = Schedule(linear(1000))
    options = {"prediction_type": "sample", "clip_sample": False, "timestep_spacing": spacing}
    theirs = with_our_digits(full, DDIMScheduler(1000, 1e-4, 0.02, "linear", **options))
    theirs.set_timesteps(steps)
    if spacing == "trailing":
        schedule = full.strided(steps)
    else:
        schedule = Schedule(full.alpha_bar[[0, *range(1, 1001, 1000 // steps)]])
    x, generator = noise(2, 2, 3), seeded(3)
    ours = ddim(wave, x, schedule, eta, generator=seeded(3))
    assert torch.equal(next(ours), x)
    for t, found in zip(theirs.timesteps, ours, strict=True):
        output, _ = wave(x, full.log_snr[t + 1].expand(2))
        x = theirs.step(output, t, x, eta=eta, generator=generator).prev_sample
        torch.testing.assert_close(found, x)


# Inpainting.


def test_known_pixels_stay_to_the_last_bit_and_the_rest_is_drawn():
    known, mask = noise(4, 1, 6, 5, seed=1), torch.rand(1, 6, 5, generator=seeded()) < 0.5
    states = list(inpaint(wave, noise(4, 1, 6, 5), Schedule(cosine(30)), known, mask, 2, generator=seeded(2)))
    assert len(states) == 31
    assert torch.equal(states[-1][:, mask], known[:, mask])
    assert (states[-1][:, ~mask] != known[:, ~mask]).all()
    ignored = torch.where(mask, known, 100.0)
    again = list(inpaint(wave, noise(4, 1, 6, 5), Schedule(cosine(30)), ignored, mask, 2, generator=seeded(2)))
    assert torch.equal(states[-1], again[-1])
    # What is known has as much noise as the step it enters at.
    for a, x in zip(Schedule(cosine(30)).alpha_bar.flip(0)[1:-1], states[1:-1], strict=True):
        eps = (x - a.sqrt() * known)[:, mask] / (1 - a).sqrt()
        assert abs(eps.var() - 1) < 4 * (2 / eps.numel()) ** 0.5


def half_known(covariance, repeats, n=2000):
    """Inpaint the second of two Gaussian numbers where the first is 1.2: how far its mean moves, and its variance."""
    mean, identity = torch.tensor([0.3, -0.2]), torch.eye(2)

    def score(x, alpha_bar_t):
        a = alpha_bar_t[0, 0]
        return (a.sqrt() * mean - x) @ torch.linalg.inv(a * covariance + (1 - a) * identity)

    known, mask = torch.tensor([1.2, 100.0]).expand(n, 2), torch.tensor([True, False])
    given = noise(n, 2), Schedule(cosine(1000)).strided(100), known, mask, repeats
    x = last(inpaint(from_score(score, 1.0), *given, generator=seeded(1)))
    assert (x[:, 0] == 1.2).all()
    return (x[:, 1].mean() - mean[1]).item(), x[:, 1].var().item()


def test_the_rest_follows_from_what_is_known_if_steps_are_repeated():
    covariance = torch.tensor([[0.5, 0.36], [0.36, 0.4]])
    shift, variance = 0.36 / 0.5 * (1.2 - 0.3), 0.4 - 0.36**2 / 0.5  # by the formula for conditional Gaussians
    once, often = half_known(covariance, 1), half_known(covariance, 20)
    assert once[0] < 0.8 * shift  # drawn before the known pixels were put in
    assert often[0] == pytest.approx(shift, rel=0.05)
    assert often[1] == pytest.approx(variance, rel=0.12)


def test_independent_pixels_keep_their_distribution():
    n = 2000
    shift, variance = half_known(torch.tensor([[0.5, 0.0], [0.0, 0.4]]), 1, n)
    assert abs(shift) < 3 * (0.4 / n) ** 0.5
    assert abs(variance - 0.4) < 3 * 0.4 * (2 / n) ** 0.5 + 0.02 * 0.4  # one hundred steps: 1.5 % too wide


def test_what_makes_no_sense_is_refused():
    schedule, x = Schedule(cosine(5)), noise(3, 2)
    for eta in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"eta: expected a number in \[0, 1\], got {eta}"):
            next(ddim(wave, x, schedule, eta))
    with pytest.raises(TypeError, match=r"mask: expected a boolean tensor, got dtype torch\.float64"):
        next(inpaint(wave, x, schedule, x, torch.ones(2)))
    with pytest.raises(ValueError, match=r"known: expected .* got shape \(3, 1\)"):
        next(inpaint(wave, x, schedule, x[:, :1], torch.ones(2).bool()))
    for rows in (1, 4):
        with pytest.raises(ValueError, match=rf"known: expected shape \(3, 2\), got shape \({rows}, 2\)"):
            next(inpaint(wave, x, schedule, noise(rows, 2), torch.ones(2).bool()))
    for shape in ((3,), (4, 2), (1, 3, 2)):
        with pytest.raises(ValueError, match=r"mask: expected a shape that broadcasts to \(3, 2\), got \("):
            next(inpaint(wave, x, schedule, x, torch.ones(shape).bool()))
    with pytest.raises(ValueError, match="repeats: expected a positive integer, got 0"):
        next(inpaint(wave, x, schedule, x, torch.ones(2).bool(), 0))
    for sampler in (ddpm, ddim, probability_flow, reverse_sde, flow_matching):
        with pytest.raises(ValueError, match=r"x_T: expected finite values, got NaN"):
            next(sampler(wave, x * math.nan, schedule))
        with pytest.raises(TypeError, match=r"x_T: expected a float tensor of shape \(B, …\) with B ≥ 1, got list"):
            next(sampler(wave, x.tolist(), schedule))
    with pytest.raises(ValueError, match=r"x0: expected finite values, got NaN"):
        ode_log_prob(wave, x * math.nan, schedule)


def test_states_carry_no_gradient_and_the_first_is_the_start():
    weight = torch.ones(2, requires_grad=True)
    predict = lambda x_t, log_snr: (weight * x_t, 0.0)  # noqa: E731
    schedule, x_T = Schedule(cosine(1000)).strided(4), noise(3, 2)
    for sampler in (ddpm, ddim, probability_flow, reverse_sde, flow_matching):
        states = list(sampler(predict, x_T, schedule))
        assert len(states) == 5
        assert not any(x.requires_grad for x in states)
        torch.testing.assert_close(states[0], x_T, rtol=1e-3, atol=1e-3)  # flow matching starts just below τ = 1
    assert not ode_log_prob(predict, x_T, schedule).requires_grad
