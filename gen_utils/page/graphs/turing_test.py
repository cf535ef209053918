"""From noise to the images of the Turing test: functions for the sources that need more than a decoder."""

from collections.abc import Callable

import torch
from torch import Tensor

from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.samplers import ddim_step
from gen_utils.page.graphs.diffusion import pixels

SHOWN = 16  # images on each side, in rows of 4


def with_draws(p: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Return p, and black or white pixels with p as the probability of ink; `u` is uniform noise.

    All `(B, 1, 28, 28)`.
    """
    return p, (u < p).to(p.dtype)


def random_labels(u: Tensor, classes: int) -> Tensor:
    """Compute a label, 0…C − 1, from each number of uniform noise: `(B,)`."""
    return (u * classes).long().clamp(max=classes - 1)  # in single precision, u may be rounded to 1


def real(images: Tensor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Build the function that picks 16 different images of N, `(N, 1, 28, 28)` in [0, 1], and draws their pixels.

    It takes `u_order`, uniform noise `(N,)` that puts the images in order, and `u`, uniform noise `(16, 1, 28, 28)`.
    The graph holds a byte for each pixel.
    """
    levels = (255 * images).round().byte()

    def draw(u_order: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        return with_draws(levels[u_order.topk(SHOWN).indices] / 255, u)

    return draw


def diffusion(
    model: ImageDiffusion, steps: int
) -> Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Build the function of one step of DDIM, without fresh noise, to images of random labels.

    It takes the state `x`, `(B, 1, 28, 28)`, noise at first; `turn`, `(S,)`, 1 at the number of the step and 0
    elsewhere; `u_label`, uniform noise `(B,)`; and `u`, uniform noise of the shape of x. It returns `x_next`, `grey`
    and `binary`, of the shape of x; after the last step, the latter two are the images.
    """
    assert model.classes
    schedule, classes = model.schedule.strided(steps), model.classes
    levels = [each.flip(0) for each in (schedule.log_snr[1:], schedule.alpha_bar[1:], schedule.alpha_bar[:-1])]

    def draw(x: Tensor, turn: Tensor, u_label: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_snr, alpha_bar_t, alpha_bar_s = (turn @ level for level in levels)
        x0_hat, _ = model.predict(x, log_snr.expand(len(x)), random_labels(u_label, classes))
        x_next = ddim_step(x, x0_hat, alpha_bar_t, alpha_bar_s, 0.0, torch.zeros_like(x))
        return x_next, *with_draws(pixels(x_next), u)

    return draw
