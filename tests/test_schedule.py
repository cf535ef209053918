"""From data to noise: schedules against diffusers', the step back against Bayes, four notations of one prediction."""

import math
from itertools import pairwise

import pytest
import torch

from gen_utils.models.schedule import (
    Schedule,
    cosine,
    eps_from_x0,
    linear,
    posterior_mean,
    q_sample,
    score_from_x0,
    v_from_x0,
    velocity,
    x0_from_eps,
    x0_from_score,
    x0_from_v,
)

SCHEDULES = {
    "cosine": cosine(),
    "linear": linear(),
    "cosine-20": cosine(20),
    "linear-7": linear(7),
    "two": torch.tensor([1.0, 0.6, 0.1], dtype=torch.float64),
    "leaves-signal": cosine()[:400],
}
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(6, 3, 2, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(cosine(), {"beta_schedule": "squaredcos_cap_v2"}), (linear(), {"beta_schedule": "linear"})]
)
def test_the_schedules_are_diffusers(ours, theirs):
    from diffusers import DDPMScheduler  # here: it takes seconds

    scheduler = DDPMScheduler(1000, variance_type="learned_range", clip_sample=False, **theirs)
    schedule = Schedule(ours)
    assert schedule.T == 1000
    torch.testing.assert_close(schedule.alpha_bar[1:], scheduler.alphas_cumprod, rtol=2e-4, atol=1e-7)
    torch.testing.assert_close(schedule.beta[1:], scheduler.betas, rtol=1e-3, atol=0)
    c = torch.tensor([-1.0, -0.3, 0.0, 0.8, 1.0])
    for t in (2, 10, 500, 999, 1000):  # their t counts from 0
        found = torch.cat([schedule.log_variance(one[None], t) for one in c])
        torch.testing.assert_close(found, scheduler._get_variance(t - 1, predicted_variance=c), rtol=1e-3, atol=2e-3)


def test_the_cosine_is_its_formula():
    alpha_bar = cosine(50)
    for t in range(50):  # the last β is cut
        expected = [math.cos((step / 50 + 0.008) / 1.008 * math.pi / 2) ** 2 for step in (t, 0)]
        assert alpha_bar[t].item() == pytest.approx(expected[0] / expected[1], rel=1e-12)
    assert (1 - alpha_bar[50] / alpha_bar[49]).item() == pytest.approx(0.999, rel=1e-12)


@every_schedule
def test_the_buffers_are_what_they_are_called(name):
    schedule = Schedule(SCHEDULES[name])
    alpha_bar = schedule.alpha_bar.tolist()  # as the steps use it; from here on in Python's double precision
    assert alpha_bar == SCHEDULES[name].float().tolist()
    assert alpha_bar[0] == 1
    assert (schedule.beta[0], schedule.beta_tilde[0], schedule.beta_tilde[1]) == (0, 0, 0)
    assert schedule.log_snr[0] == math.inf
    for t, (before, after) in enumerate(pairwise(alpha_bar), start=1):
        beta = 1 - after / before
        assert schedule.beta[t].item() == pytest.approx(beta, rel=1e-6)
        assert schedule.beta_tilde[t].item() == pytest.approx(beta * (1 - before) / (1 - after), rel=1e-6)
        assert schedule.log_snr[t].item() == pytest.approx(math.log(after / (1 - after)), rel=1e-6, abs=1e-7)


@every_schedule
def test_q_sample_is_the_chain_of_its_steps(name):
    schedule = Schedule(SCHEDULES[name]).double()
    mean, variance = 1.0, 0.0
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for t in range(1, schedule.T + 1):
        beta = schedule.beta[t].item()
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        # Sums of a thousand roundings to single precision.
        assert q_sample(one, zero, schedule.alpha_bar[t]).item() == pytest.approx(mean, rel=1e-4)
        assert q_sample(zero, one, schedule.alpha_bar[t]).item() ** 2 == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize(("t", "s"), [(2, 1), (5, 4), (12, 11), (20, 19), (10, 5), (20, 1)])
def test_the_posterior_is_bayes_on_a_grid(t, s):
    alpha_bar = cosine(20).float().double()
    schedule = Schedule(alpha_bar[[0, *range(1, s + 1), t]])  # a schedule whose last step goes from s to t
    alpha = (alpha_bar[t] / alpha_bar[s]).item()
    x_s = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    for x0, x_t in ((-1.0, 0.5), (0.3, -2.0), (1.0, 1.0)):
        prior = torch.exp(-((x_s - alpha_bar[s] ** 0.5 * x0) ** 2) / (2 * (1 - alpha_bar[s])))
        likelihood = torch.exp(-((x_t - math.sqrt(alpha) * x_s) ** 2) / (2 * (1 - alpha)))
        posterior = prior * likelihood / (prior * likelihood).sum()
        mean = (posterior * x_s).sum()
        variance = (posterior * (x_s - mean) ** 2).sum().item()
        found = posterior_mean(*torch.tensor([x0, x_t], dtype=torch.float64), alpha_bar[t], alpha_bar[s])
        torch.testing.assert_close(found, mean, rtol=1e-10, atol=1e-12)
        assert schedule.beta_tilde[-1].item() == pytest.approx(variance, rel=2e-6)


def test_the_first_step_s_posterior_is_x0_to_the_bit(pair):
    x0, x_t = (x.float() for x in pair)
    for schedule in map(Schedule, SCHEDULES.values()):
        assert torch.equal(posterior_mean(x0, x_t, schedule.alpha_bar[1], schedule.alpha_bar[0]), x0)


@pytest.mark.parametrize("alpha_bar_t", [1 - 1e-4, 0.7, 1e-3, torch.linspace(0.1, 0.9, 6).double()[:, None, None]])
def test_x0_noise_velocity_and_score_are_one_prediction(pair, alpha_bar_t):
    x0, eps = pair
    x_t, v = q_sample(x0, eps, alpha_bar_t), velocity(x0, eps, alpha_bar_t)
    torch.testing.assert_close(x_t**2 + v**2, x0**2 + eps**2)  # a rotation
    leaf = x_t.clone().requires_grad_()
    log_q = -((leaf - alpha_bar_t**0.5 * x0) ** 2) / (2 * (1 - alpha_bar_t))
    (score,) = torch.autograd.grad(log_q.sum(), leaf)
    for name, value, there, back in (
        ("eps", eps, x0_from_eps, eps_from_x0),
        ("v", v, x0_from_v, v_from_x0),
        ("score", score, x0_from_score, score_from_x0),
    ):
        torch.testing.assert_close(there(value, x_t, alpha_bar_t), x0, msg=name)
        torch.testing.assert_close(back(x0, x_t, alpha_bar_t), value, msg=name)


@pytest.mark.parametrize("alpha_bar_t", [0.99, 0.5, 0.01])
def test_the_score_of_noisy_gaussians_knows_their_mean(pair, alpha_bar_t):
    x_t, _ = pair
    variance, noise = 0.3, 1 - alpha_bar_t
    score = -x_t / (alpha_bar_t * variance + noise)
    regression = variance * alpha_bar_t**0.5 / (alpha_bar_t * variance + noise) * x_t  # cov(x_0, x_t) / var(x_t)
    torch.testing.assert_close(x0_from_score(score, x_t, alpha_bar_t), regression)


@every_schedule
def test_the_coefficient_reaches_both_variances(name):
    schedule = Schedule(SCHEDULES[name])
    t = torch.arange(1, schedule.T + 1)
    beta, beta_tilde = schedule.beta[t], schedule.beta_tilde[t.clamp(min=2)]  # at t = 1, where β̃ is 0, that of t = 2
    assert torch.equal(schedule.log_variance(1.0, t), beta.log())
    assert torch.equal(schedule.log_variance(-1.0, t), schedule.log_beta_tilde[t])
    for c, variance in ((-1.0, beta_tilde), (0.0, (beta * beta_tilde).sqrt()), (0.5, beta**0.75 * beta_tilde**0.25)):
        torch.testing.assert_close(schedule.log_variance(c, t).exp(), variance, rtol=3e-6, atol=0)
    t, c = torch.arange(1, 3), torch.tensor([[[0.5, -1.0, 1.0]], [[0.0, 1.0, -0.2]]])
    found = schedule.log_variance(c, t)
    assert found.shape == (2, 1, 3)
    for i in range(2):
        assert torch.equal(found[i], schedule.log_variance(c[i], i + 1))


def test_a_schedule_of_one_step_has_one_variance():
    schedule = Schedule(torch.tensor([1.0, 0.25]))
    assert schedule.T == 1
    for c in (-1.0, 0.0, 1.0):
        torch.testing.assert_close(schedule.log_variance(c, 1), torch.tensor(0.75).log())


@pytest.mark.parametrize("steps", [1, 3, 16, 50, 999, 1000])
def test_a_part_of_a_schedule_is_a_schedule(steps):
    full = Schedule(cosine())
    part = full.strided(steps)
    kept = [round(i * 1000 / steps) for i in range(steps + 1)]  # Python's round: half to even
    assert len(part.alpha_bar) == len(kept)
    assert part.alpha_bar.tolist() == full.alpha_bar[kept].tolist()
    for t, s in zip(range(1, steps + 1), kept, strict=False):
        expected = 1 - part.alpha_bar[t].item() / full.alpha_bar[s].item()
        assert part.beta[t].item() == pytest.approx(expected, rel=1e-6)
    if steps == 1000:
        assert all(torch.equal(value, full.state_dict()[key]) for key, value in part.state_dict().items())
    assert full.double().strided(steps).log_snr.dtype == torch.float64


@pytest.mark.parametrize("steps", [21, 0, -1])
def test_there_are_no_more_steps_than_the_schedule_has(steps):
    with pytest.raises(ValueError, match=f"steps: expected .*, got {steps}"):
        Schedule(cosine(20)).strided(steps)


@pytest.mark.parametrize(
    ("numbers", "came"),
    [
        ([[1.0, 0.5]], "shape (1, 2)"),
        ([1.0], "shape (1,)"),
        ([0.9, 0.5], "0.9 to 0.5"),
        ([1.0, 0.5, 0.5], "-0.5 to 0"),
        ([1.0, 0.4, 0.5], "-0.6 to 0.1"),
        ([1.0, 0.5, 0.0], "1 to 0 by"),
        ([1.0, 0.5, -0.1], "1 to -0.1 by"),
        ([1.0, math.nan, 0.1], "nan"),
        ([1.0, 1 - 1e-9, 0.1], "to 0"),  # the same in single precision
    ],
)
def test_what_is_no_schedule_is_refused(numbers, came):
    with pytest.raises(ValueError, match="alpha_bar: expected") as refusal:
        Schedule(torch.tensor(numbers, dtype=torch.float64))
    assert came in str(refusal.value).partition("got ")[2]


@pytest.mark.parametrize("build", [cosine, linear])
def test_a_schedule_has_at_least_one_step(build):
    for T in (0, -3):
        with pytest.raises(ValueError, match=f"T: expected a positive integer, got {T}"):
            build(T)
    for T in (1, 2, 5, 4000):
        assert Schedule(build(T)).T == T
