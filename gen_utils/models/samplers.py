r"""Samplers, from noise to data: free functions that need no network, only its prediction.

    predict(x_t, log_snr)  →  x̂_0, c

x̂_0 is the prediction of the clean data in x_t, and c sets the variance of the step back: β̃ at −1, β at 1 (see
`Schedule.log_variance`). `Diffusion.predict` is such a function, and `from_score` makes one from a known score. Each
sampler starts from x_T ~ N(0, I), takes the steps of a schedule from the last to the first, and yields the state
after each. For fewer steps, give it a shorter schedule: `schedule.strided(20)`. From x_T of 16 bits the states have
32, since a step may be smaller than the last of 16.

All samplers without fresh noise follow the same curves. With cos ψ = √ᾱ and sin ψ = √(1 − ᾱ) the noisy data is
x = cos ψ x_0 + sin ψ ε, and the probability-flow ODE is dx/dψ = v, the velocity itself.

References: Ho, Jain and Abbeel 2020, arXiv:2006.11239 (DDPM); Song, Meng and Ermon 2021, arXiv:2010.02502 (DDIM);
Song et al. 2021, arXiv:2011.13456 (SDE and ODE); Salimans and Ho 2022, arXiv:2202.00512 (angle and velocity); Lipman
et al. 2023, arXiv:2210.02747, and Liu, Gong and Liu 2023, arXiv:2209.03003 (flow matching along straight lines);
Lugmayr et al. 2022, arXiv:2201.09865 (inpainting).
"""

# ruff: noqa: N803  (x_T is the book's symbol)

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gen_utils.base import batch, positive
from gen_utils.likelihoods import normal_log_prob
from gen_utils.models.schedule import (
    Schedule,
    alpha_bar_from,
    append_dims,
    eps_from_x0,
    noise_like,
    posterior_mean,
    q_sample,
    score_from_x0,
    v_from_x0,
    x0_from_score,
)

Predict = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | float]]


def from_score(score: Callable[[Tensor, Tensor], Tensor], c: float = -1.0) -> Predict:
    """Make a known score a prediction for samplers, such as `from_score(moons().score)`.

    Args:
        score: `score(x_t, alpha_bar_t)`, the slope of log q(x_t) in x_t, `(B, …)` from `(B, …)` and `(B, 1, …)`.
        c: the coefficient of the variance, the same for all x_t.
    """

    def predict(x_t: Tensor, log_snr: Tensor) -> tuple[Tensor, float]:
        alpha_bar_t = append_dims(alpha_bar_from(log_snr), x_t)
        return x0_from_score(score(x_t, alpha_bar_t), x_t, alpha_bar_t), c

    return predict


def ddpm_step(
    x_t: Tensor, x0_hat: Tensor, log_variance: Tensor, alpha_bar_t: Tensor, alpha_bar_s: Tensor, eps: Tensor
) -> Tensor:
    """Draw x_s of p_θ(x_s|x_t), s < t: the mean of q(x_s|x_t, x̂_0) plus noise. Ho et al. 2020, algorithm 2.

    All `(B, …)`, or of shapes that broadcast to it. The last step, where `alpha_bar_s` is 1, adds no noise.
    """
    mean = posterior_mean(x0_hat, x_t, alpha_bar_t, alpha_bar_s)
    return mean + (alpha_bar_s < 1) * (0.5 * log_variance).exp() * eps


def ddim_step(
    x_t: Tensor, x0_hat: Tensor, alpha_bar_t: Tensor, alpha_bar_s: Tensor, eta: Tensor | float, eps: Tensor
) -> Tensor:
    """Compute x_s from x_t, s < t: x̂_0 with part of the predicted noise and fresh noise. DDIM, eqs. 12 and 16.

    All `(B, …)`, or of shapes that broadcast to it. With `eta` 0 it is deterministic; with 1 it is `ddpm_step` of
    variance β̃, c = −1. The last step, where `alpha_bar_s` is 1, gives x̂_0.
    """
    # The fresh part of the noise's variance at s: at most 1, but rounding may exceed it.
    fresh = eta**2 * (alpha_bar_s - alpha_bar_t) / (alpha_bar_s * (1 - alpha_bar_t))
    kept = (1 - fresh).clamp(min=0)
    eps_hat = eps_from_x0(x0_hat, x_t, alpha_bar_t)
    return q_sample(x0_hat, kept.sqrt() * eps_hat + fresh.sqrt() * eps, alpha_bar_s)


@torch.no_grad()
def ddpm(
    predict: Predict, x_T: Tensor, schedule: Schedule, *, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield x_T, …, x_0 of ancestral sampling, each `(B, …)`, with variances by the c that `predict` returns."""
    a = schedule.alpha_bar
    yield (x := _start(x_T))
    for t in range(schedule.T, 0, -1):
        x0_hat, c = predict(x, _log_snr(schedule, t, x))
        eps = noise_like(x, generator=generator)
        yield (x := ddpm_step(x, x0_hat, schedule.log_variance(c, t), a[t], a[t - 1], eps))


@torch.no_grad()
def ddim(
    predict: Predict, x_T: Tensor, schedule: Schedule, eta: float = 0.0, *, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield x_T, …, x_0 of DDIM, each `(B, …)`; with `eta` 0, nothing is drawn.

    Raises:
        ValueError: an eta outside [0, 1].
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta: expected a number in [0, 1], got {eta}")
    a = schedule.alpha_bar
    yield (x := _start(x_T))
    for t in range(schedule.T, 0, -1):
        x0_hat, _ = predict(x, _log_snr(schedule, t, x))
        eps = noise_like(x, generator=generator) if eta else torch.zeros_like(x)
        yield (x := ddim_step(x, x0_hat, a[t], a[t - 1], eta, eps))


@torch.no_grad()
def probability_flow(predict: Predict, x_T: Tensor, schedule: Schedule) -> Iterator[Tensor]:
    """Yield x_T, …, x_0 of the probability-flow ODE dx/dψ = v, each `(B, …)`, by Heun's method.

    Every step but the last calls `predict` twice, at its start and at its end. The last step returns x̂_0, as in DDIM:
    at ψ = 0 there is no noise, and v cannot be predicted.
    """
    psi = _angles(schedule)
    yield (x := _start(x_T))
    for t in range(schedule.T, 1, -1):
        step = psi[t - 1] - psi[t]
        v = _velocity(predict, x, schedule, t)
        ahead = _velocity(predict, x + step * v, schedule, t - 1)
        yield (x := x + step * (v + ahead) / 2)
    yield predict(x, _log_snr(schedule, 1, x))[0]


@torch.no_grad()
def reverse_sde(
    predict: Predict, x_T: Tensor, schedule: Schedule, *, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield x_T, …, x_0 of the reverse SDE, each `(B, …)`, by steps of Euler and Maruyama. Song et al. 2021, eq. 6.

    The SDE that adds noise, dx = −½β x dτ + √β dw, runs backwards as dx = −(½x + score) β dτ + √β dw. A step's β dτ
    is log ᾱ_s/ᾱ_t; the last adds no noise.
    """
    a = schedule.alpha_bar
    yield (x := _start(x_T))
    for t in range(schedule.T, 0, -1):
        score = score_from_x0(predict(x, _log_snr(schedule, t, x))[0], x, a[t])
        step = (a[t - 1] / a[t]).log()
        x = x + step * (0.5 * x + score)
        yield (x := x + step.sqrt() * noise_like(x, generator=generator) if t > 1 else x)


@torch.no_grad()
def flow_matching(predict: Predict, x_T: Tensor, schedule: Schedule) -> Iterator[Tensor]:
    """Yield the states `(B, …)` of the flow-matching ODE dx/dτ = ε̂ − x̂_0, from noise at τ = 1 to data at τ = 0.

    Its noisy data is x = (1 − τ) x_0 + τ ε, which is x_t / (cos ψ + sin ψ); the network is given x_t. Euler's method
    along these straight lines is DDIM.
    """
    scale = _angles(schedule).cos() + _angles(schedule).sin()
    tau = _angles(schedule).sin() / scale
    yield (x := _start(x_T) / scale[-1])
    for t in range(schedule.T, 0, -1):
        x_t = scale[t] * x
        x0_hat, _ = predict(x_t, _log_snr(schedule, t, x))
        eps_hat = eps_from_x0(x0_hat, x_t, schedule.alpha_bar[t])
        yield (x := x + (tau[t - 1] - tau[t]) * (eps_hat - x0_hat))


@torch.no_grad()
def inpaint(
    predict: Predict,
    x_T: Tensor,
    schedule: Schedule,
    known: Tensor,
    mask: Tensor,
    repeats: int = 1,
    *,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Yield x_T, …, x_0 of ancestral sampling, each `(B, …)`; after each step the known pixels are put in.

    They are put in with the noise of that step, so at the last step they are exact. The other pixels of a step were
    drawn without them; with `repeats` above 1 the step's noise is added again and the step repeated, so that they
    fit. Lugmayr et al. 2022.

    Args:
        predict: what the model predicts.
        x_T: noise, `(B, …)`.
        schedule: the steps.
        known: data `(B, …)`, of which only the known pixels matter.
        mask: true where they are, of a shape that broadcasts to it.
        repeats: how many times each step is taken.
        generator: for the noise.

    Raises:
        TypeError: a mask that is not boolean.
        ValueError: `known` of another shape than x_T, a mask that does not broadcast to it, or repeats that are not
            positive.
    """
    kind = f"dtype {mask.dtype}" if isinstance(mask, Tensor) else type(mask).__name__
    if kind != "dtype torch.bool":
        raise TypeError(f"mask: expected a boolean tensor, got {kind}")
    a, x = schedule.alpha_bar, _start(x_T)
    known = batch("known", known, x_T.shape[1:], dtype=x_T.dtype).to(x.dtype)
    if len(known) != len(x):
        raise ValueError(f"known: expected shape {tuple(x.shape)}, got shape {tuple(known.shape)}")
    if mask.ndim > x.ndim or any(m not in (1, n) for m, n in zip(mask.shape[::-1], x.shape[::-1], strict=False)):
        raise ValueError(f"mask: expected a shape that broadcasts to {tuple(x.shape)}, got {tuple(mask.shape)}")
    positive("repeats", repeats)
    yield x
    for t in range(schedule.T, 0, -1):
        for repeat in range(repeats):
            if repeat:
                x = q_sample(x, noise_like(x, generator=generator), a[t] / a[t - 1])  # back from s to t
            x0_hat, c = predict(x, _log_snr(schedule, t, x))
            x = ddpm_step(x, x0_hat, schedule.log_variance(c, t), a[t], a[t - 1], noise_like(x, generator=generator))
            x = torch.where(mask, q_sample(known, noise_like(x, generator=generator), a[t - 1]), x)
        yield x


@torch.no_grad()
def ode_log_prob(predict: Predict, x0: Tensor, schedule: Schedule) -> Tensor:
    """Compute log p(x_0) of the probability-flow ODE, `(B,)` in nats: exact but for the length of the steps.

    log p(x_0) = log N(x_T | 0, I) + ∫ div v dψ from data to noise, by Heun's method. Autograd gives the exact
    divergence, with one backward pass for each dimension. Song et al. 2021, eq. 39.
    """
    x, psi = _start(x0, "x0"), _angles(schedule)
    # At t = 0 there is no noise: ε̂ is 0, and v with it.
    v, divergence, integral = torch.zeros_like(x), x.new_zeros(len(x)), x.new_zeros(len(x))
    for t in range(1, schedule.T + 1):
        step = psi[t] - psi[t - 1]
        v_ahead, divergence_ahead = _divergence(predict, x + step * v, schedule, t)
        x, integral = x + step * (v + v_ahead) / 2, integral + step * (divergence + divergence_ahead) / 2
        if t < schedule.T:
            v, divergence = _divergence(predict, x, schedule, t)
    return normal_log_prob(x.flatten(1)) + integral


def _start(x: Tensor, name: str = "x_T") -> Tensor:
    return batch(name, x).to(torch.promote_types(x.dtype, torch.float32))


def _log_snr(schedule: Schedule, t: int, x: Tensor) -> Tensor:
    return schedule.log_snr[t].to(x).expand(len(x))


def _angles(schedule: Schedule) -> Tensor:
    return (-0.5 * schedule.log_snr).exp().atan()  # tan² ψ = (1 − ᾱ)/ᾱ, and ψ = 0 at t = 0


def _velocity(predict: Predict, x: Tensor, schedule: Schedule, t: int) -> Tensor:
    return v_from_x0(predict(x, _log_snr(schedule, t, x))[0], x, schedule.alpha_bar[t])


@torch.enable_grad()
def _divergence(predict: Predict, x: Tensor, schedule: Schedule, t: int) -> tuple[Tensor, Tensor]:
    # v and div v, `(B, …)` and `(B,)`.
    x = x.detach().requires_grad_()
    v = _velocity(predict, x, schedule, t).flatten(1)
    slopes = (torch.autograd.grad(v_d.sum(), x, retain_graph=True)[0].flatten(1) for v_d in v.unbind(1))
    return v.detach().view_as(x), torch.stack([slope[:, d] for d, slope in enumerate(slopes)]).sum(0)
