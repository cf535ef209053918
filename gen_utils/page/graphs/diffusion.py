"""Single steps of diffusion: of an image under guidance, and of particles in the plane.

These graphs rely on `alpha_bar_from` being a quotient. onnxruntime's sigmoid is never below 1e-8, and ᾱ_T is.
"""

import torch
from torch import Tensor

from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.samplers import Predict, ddim_step
from gen_utils.models.schedule import Schedule, alpha_bar_from, eps_from_x0, q_sample
from gen_utils.toys import IsotropicMixture

ARROWS = 13  # on a side of the plane
REGIONS = [0.5, 0.99]  # share of the data that the densest region within each line holds


# ---- Images ----------------------------------------------------------------------------------------------------


def image_step(
    model: ImageDiffusion,
    x: Tensor,
    eps: Tensor,
    i: Tensor,
    steps: Tensor,
    label: Tensor,
    guidance: Tensor,
    eta: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Take one of DDIM's steps back from noise to data, from t = round(iT/S) to round((i − 1)T/S).

    Args:
        model: a trained model of labelled images; its schedule and its guidance are part of the graph.
        x: the state before the step, on the model's own scale, `(1, 1, 28, 28)`; noise at first.
        eps: noise of the step, `(1, 1, 28, 28)`.
        i: steps that are left, S at first and 1 at last, `(1,)`.
        steps: how many there are in all, S, `(1,)`.
        label: 0…C − 1, or C for no label, `(1,)`.
        guidance: ω, 1 for the plain conditional model, `(1,)`.
        eta: 0 for a step without noise, 1 for one with the noise of ancestral sampling, `(1,)`.

    Returns:
        The state after the step, on the model's scale; the state before it and the network's prediction of x₀ there,
        as pictures in pixels, all three `(1, 1, 28, 28)`; and t, `(1,)`. After the last step the state is the
        prediction.
    """
    assert model.classes
    schedule, classes = model.schedule, model.classes
    t, s = (schedule.strided_step(each, steps) for each in (i, i - 1))
    # No label is guidance by 0, whatever the label.
    guidance = torch.where(label < classes, guidance, 0.0)
    x0_hat, _ = model.guided(x, schedule.log_snr[t], label.long().clamp(max=classes - 1), guidance)
    x_next = ddim_step(x, x0_hat, schedule.alpha_bar[t], schedule.alpha_bar[s], eta, eps)
    return x_next, pixels(x), pixels(x0_hat), t.to(x.dtype)


def image_noise(
    model: ImageDiffusion, x: Tensor, eps: Tensor, i: Tensor, steps: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Add noise to an image up to step t = round(iT/S).

    Args:
        model: a model of images, whose schedule becomes part of the graph.
        x: the image, `(1, 1, 28, 28)` in [0, 1].
        eps: the noise, `(1, 1, 28, 28)`.
        i: where to stop, 0…S, `(1,)`.
        steps: how many steps lead from noise to an image, S, `(1,)`.

    Returns:
        x_t on the model's own scale and as a picture in pixels, `(1, 1, 28, 28)` each; t, `(1,)`; and the factors of
        x₀ and of the noise in x_t, √ᾱ_t and √(1 − ᾱ_t), `(2,)`.
    """
    t = model.schedule.strided_step(i, steps)
    alpha_bar_t = model.schedule.alpha_bar[t]
    x_t = q_sample(2 * x - 1, eps, alpha_bar_t)
    weights = q_sample(x.new_tensor([1.0, 0.0]), x.new_tensor([0.0, 1.0]), alpha_bar_t)
    return x_t, pixels(x_t), t.to(x.dtype), weights


def pixels(x: Tensor) -> Tensor:
    """Turn a state into a picture: from [−1, 1] to [0, 1], and values outside to the nearer end."""
    return ((x + 1) / 2).clamp(0, 1)


# ---- Particles -------------------------------------------------------------------------------------------------


def exact(density: IsotropicMixture, x_t: Tensor, log_snr: Tensor) -> tuple[Tensor, float]:
    """Predict x₀ from x_t `(B, 2)` and its log-SNR `(B,)` by the true posterior mean: a `Predict` that exports.

    It is Tweedie's (x_t + (1 − ᾱ) score) / √ᾱ, without that quotient of small numbers, which loses digits at t = T.

    Returns:
        E[x₀ | x_t] `(B, 2)`, and the variance coefficient −1, which `ddim_step` does not use.
    """
    alpha_bar_t = alpha_bar_from(log_snr[:, None])
    signal = alpha_bar_t**0.5
    gain = signal * density.sigma**2 / (alpha_bar_t * density.sigma**2 + (1 - alpha_bar_t))
    return gain * x_t + (1 - gain * signal) * density.shares(x_t, alpha_bar_t) @ density.means, -1.0


def particle_step(
    predict: Predict,
    schedule: Schedule,
    limit: float,
    x: Tensor,
    noise: Tensor,
    i: Tensor,
    steps: Tensor,
    eta: Tensor,
) -> tuple[Tensor, Tensor]:
    """Take step i = S, …, 1 of S back, from x and `noise`, `(B, 2)`, and i, `steps` S and η, `(1,)`.

    Returns:
        x one step later, `(B, 2)`, and the score at the places of `arrow_grid(limit)`, times the standard deviation
        of the noise there, `(ARROWS², 2)`: −ε.
    """
    t, s = (schedule.strided_step(each, steps) for each in (i, i - 1))
    alpha_bar_t, alpha_bar_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    places = arrow_grid(limit).to(x)
    both = torch.cat([x, places])
    x0_hat, _ = predict(both, schedule.log_snr[t].expand(len(both)))
    x_next = ddim_step(x, x0_hat[: len(x)], alpha_bar_t, alpha_bar_s, eta, noise)
    return x_next, -eps_from_x0(x0_hat[len(x) :], places, alpha_bar_t)


def arrow_grid(limit: float) -> Tensor:
    """Compute the places of the arrows, `(ARROWS², 2)`: the middles of equal cells of the plane."""
    ticks = ((torch.arange(ARROWS) + 0.5) / ARROWS * 2 - 1) * limit
    return torch.cartesian_prod(ticks, ticks)


def region_levels(density: IsotropicMixture) -> Tensor:
    """Find log p(x) on the border of the densest region that holds each share of `REGIONS`, `(2,)` in nats.

    They are quantiles of log p over 200,000 draws: the shares are right to 0.1 %.
    """
    drawn = density.sample(200_000, generator=torch.Generator().manual_seed(0))
    return density.log_prob(drawn).quantile(1 - torch.tensor(REGIONS))


def particle_judge(density: IsotropicMixture, levels: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compare points `(B, 2)` with the densest regions of the density, given their `levels`.

    Returns:
        How far each point is inside each region, in nats of log p: `(B, 2)`, negative outside; and the share of the
        points inside the first region and outside the second, `(2,)`: 50 % and 1 % for draws of the density. Neither
        depends on how the points are divided among the modes of the density.
    """
    depth = density.log_prob(x)[:, None] - levels
    return depth, torch.stack([(depth[:, 0] > 0).to(x).mean(), (depth[:, 1] < 0).to(x).mean()])
