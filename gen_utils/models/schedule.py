r"""From data to noise: a schedule of small steps, a jump over many of them, and one step back if x_0 is known.

    q(x_t | x_{t−1})  =  N(√(1 − β_t) x_{t−1},  β_t I)
    x_t  =  √ᾱ_t x_0 + √(1 − ᾱ_t) ε              with  ᾱ_t = ∏_{s ≤ t} (1 − β_s)  and  ε ~ N(0, I)

Nothing here is learned. `diffusion` learns the way back, `samplers` follow it.

References: Ho, Jain and Abbeel 2020, arXiv:2006.11239 (DDPM); Nichol and Dhariwal 2021, arXiv:2102.09672 (the cosine,
and variances between β and β̃); Salimans and Ho 2022, arXiv:2202.00512 (the velocity).
"""

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from gen_utils.base import positive


def cosine(T: int = 1000) -> Tensor:  # noqa: N803
    """Compute ᾱ_t of the cosine schedule, `(T + 1,)` in double precision. Nichol and Dhariwal 2021, eq. 17."""
    t = torch.arange(positive("T", T) + 1, dtype=torch.float64)
    signal = torch.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - signal[1:] / signal[:-1]).clamp(max=0.999)
    return torch.cat([torch.ones_like(t[:1]), (1 - beta).cumprod(0)])


def linear(T: int = 1000) -> Tensor:  # noqa: N803
    """Compute ᾱ_t where β_t rises linearly, `(T + 1,)` in double precision. Ho et al. 2020, section 4, for any T."""
    beta = torch.linspace(1e-4, 0.02, positive("T", T), dtype=torch.float64) * 1000 / T
    return torch.cat([torch.ones_like(beta[:1]), (1 - beta.clamp(max=0.999)).cumprod(0)])


class Schedule(nn.Module):
    """How much noise each step adds: buffers `(T + 1,)`, with entry t for step t and entry 0 for the data.

    `alpha_bar` ᾱ_t, `beta` β_t, `beta_tilde` β̃_t, the variance of q(x_{t−1}|x_t, x_0), `log_beta_tilde`, where β̃_2
    takes the place of β̃_1 = 0, and `log_snr` log(ᾱ_t / (1 − ᾱ_t)), which is infinite at 0. They are computed in
    double precision, and keep 32 bits where a model goes to 16: there ᾱ_t would round to 1.

    Args:
        alpha_bar: the signal that is left, `(T + 1,)`: 1, then falling, always above 0.
        dtype: precision of the buffers; PyTorch's default one if not given.

    Raises:
        ValueError: another shape, or numbers that do not fall from 1 or do not stay above 0.
    """

    alpha_bar: Tensor
    beta: Tensor
    beta_tilde: Tensor
    log_snr: Tensor
    log_beta_tilde: Tensor

    def __init__(self, alpha_bar: Tensor, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        alpha_bar = torch.as_tensor(getattr(alpha_bar, "alpha_bar", alpha_bar))  # a Schedule's too, or a list
        dtype, device = dtype or torch.get_default_dtype(), alpha_bar.device
        # Rounded first, so that 1 − ᾱ_t of `q_sample` agrees with the other buffers. On the CPU: MPS has no float64.
        alpha_bar = alpha_bar.cpu().to(dtype).double()
        if alpha_bar.ndim != 1 or len(alpha_bar) < 2:
            raise ValueError(f"alpha_bar: expected shape (T + 1,) with T ≥ 1, got shape {tuple(alpha_bar.shape)}")
        steps = alpha_bar.diff()
        if alpha_bar[0] != 1 or not (steps < 0).all() or alpha_bar[-1] <= 0:
            given = f"{alpha_bar[0]:g} to {alpha_bar[-1]:g} by steps of {steps.min():g} to {steps.max():g}"
            raise ValueError(f"alpha_bar: expected numbers that fall from 1 and stay above 0, got {given}")
        beta, beta_tilde = torch.zeros_like(alpha_bar), torch.zeros_like(alpha_bar)
        beta[1:] = 1 - alpha_bar[1:] / alpha_bar[:-1]
        beta_tilde[1:] = beta[1:] * (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:])
        # β̃_1 is 0, since x_0 is given. Where a variance above 0 is needed, β̃_2 takes its place.
        first = beta_tilde[2:3] if len(beta) > 2 else beta[1:]
        log_beta_tilde = torch.cat([beta_tilde[:1], first, beta_tilde[2:]]).log()
        for name, values in (
            ("alpha_bar", alpha_bar),
            ("beta", beta),
            ("beta_tilde", beta_tilde),
            ("log_snr", alpha_bar.logit()),
            ("log_beta_tilde", log_beta_tilde),
        ):
            self.register_buffer(name, values.to(device, dtype))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def apply(values: Tensor) -> Tensor:
            moved = fn(values)
            return moved if moved.dtype.itemsize >= 4 else values.to(moved.device)

        return super()._apply(apply, recurse)

    @property
    def T(self) -> int:  # noqa: N802
        """The number of steps."""
        return len(self.alpha_bar) - 1

    def strided(self, steps: int) -> "Schedule":
        """Keep `steps` of the steps, at equal distances, as a shorter schedule.

        Raises:
            ValueError: more steps than there are, or none.
        """
        if positive("steps", steps) > self.T:
            raise ValueError(f"steps: expected at most the {self.T} of the schedule, got {steps}")
        i = torch.arange(steps + 1, dtype=torch.float64)
        return Schedule(self.alpha_bar[self.strided_step(i, steps)], self.alpha_bar.dtype)

    def strided_step(self, i: Tensor, steps: Tensor | int) -> Tensor:
        """Compute t = round(i T / steps), step i of `strided(steps)`: whole numbers, of the shape of i."""
        return (i * self.T / steps).round().long()

    def log_variance(self, c: Tensor | float, t: Tensor | int) -> Tensor:
        """Compute log σ² = (1 + c)/2 · log β_t + (1 − c)/2 · log β̃_t. Nichol and Dhariwal 2021, eq. 15.

        c = −1 gives β̃ and c = 1 gives β; other values are allowed too. `c` is a number or has the shape of x; `t` is
        a number or `(B,)`. At t = 1, β̃_2 takes the place of β̃_1.
        """
        log_beta, log_beta_tilde = self.beta[t].log(), self.log_beta_tilde[t]
        if isinstance(c, Tensor):
            log_beta, log_beta_tilde = (append_dims(each, c).to(c) for each in (log_beta, log_beta_tilde))
        return torch.lerp(log_beta_tilde, log_beta, (1 + c) / 2)


def alpha_bar_from(log_snr: Tensor) -> Tensor:
    """Compute ᾱ = 1 / (1 + e^−λ) from λ = log(ᾱ / (1 − ᾱ)): any shape to the same."""
    return 1 / (1 + torch.exp(-log_snr))


def noise_like(x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw ε ~ N(0, I), of the shape, precision and device of x."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


# In the functions below `alpha_bar_t` is a number or a tensor that broadcasts. Given x_t, each of x_0, ε, v and the
# score ∇ log p(x_t) follows from any other: they are four forms of one prediction.


def q_sample(x0: Tensor, eps: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε: t steps at once. Ho et al. 2020, eq. 4."""
    return alpha_bar_t**0.5 * x0 + (1 - alpha_bar_t) ** 0.5 * eps


def velocity(x0: Tensor, eps: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute v = √ᾱ_t ε − √(1 − ᾱ_t) x_0. Salimans and Ho 2022, section 4."""
    return alpha_bar_t**0.5 * eps - (1 - alpha_bar_t) ** 0.5 * x0


def x0_from_v(v: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute x_0 = √ᾱ_t x_t − √(1 − ᾱ_t) v."""
    return alpha_bar_t**0.5 * x_t - (1 - alpha_bar_t) ** 0.5 * v


def v_from_x0(x0: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute v from x_0, the inverse of `x0_from_v`."""
    return (alpha_bar_t**0.5 * x_t - x0) / (1 - alpha_bar_t) ** 0.5


def x0_from_eps(eps: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute x_0 = (x_t − √(1 − ᾱ_t) ε) / √ᾱ_t."""
    return (x_t - (1 - alpha_bar_t) ** 0.5 * eps) / alpha_bar_t**0.5


def eps_from_x0(x0: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute ε from x_0, the inverse of `x0_from_eps`."""
    return (x_t - alpha_bar_t**0.5 * x0) / (1 - alpha_bar_t) ** 0.5


def x0_from_score(score: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute E[x_0|x_t] = (x_t + (1 − ᾱ_t) ∇ log p(x_t)) / √ᾱ_t: Tweedie's formula."""
    return (x_t + (1 - alpha_bar_t) * score) / alpha_bar_t**0.5


def score_from_x0(x0: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    """Compute ∇ log p(x_t) from E[x_0|x_t], the inverse of `x0_from_score`."""
    return (alpha_bar_t**0.5 * x0 - x_t) / (1 - alpha_bar_t)


def posterior_mean(x0: Tensor, x_t: Tensor, alpha_bar_t: Tensor | float, alpha_bar_s: Tensor | float) -> Tensor:
    """Compute the mean of q(x_s|x_t, x_0), for a step back from t to s < t. Ho et al. 2020, eq. 7."""
    alpha = alpha_bar_t / alpha_bar_s
    beta = (alpha_bar_s - alpha_bar_t) / alpha_bar_s  # 1 − α, without loss of digits
    to_x0 = alpha_bar_s**0.5 * (beta / (1 - alpha_bar_t))
    to_x_t = alpha**0.5 * ((1 - alpha_bar_s) / (1 - alpha_bar_t))
    return to_x0 * x0 + to_x_t * x_t


def append_dims(values: Tensor, x: Tensor) -> Tensor:
    """Append axes to one value for each example, `(B,)`, or to a single one, so that it broadcasts over x."""
    return values.reshape(values.shape + (1,) * (x.ndim - values.ndim))
