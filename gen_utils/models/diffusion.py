r"""Diffusion models: noise destroys an example in T small steps, and a network learns the steps back.

    q(x_t | x_{t−1})  =  N(√(1 − β_t) x_{t−1},  β_t I)                       so  x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε
    p_θ(x_{t−1} | x_t)  =  N(μ_θ(x_t, t),  Σ_θ(x_t, t))                      starting from  p(x_T) = N(0, I)

    −log p(x_0)  ≤  KL(q(x_T|x_0) ‖ p(x_T)) + Σ_{t ≥ 2} KL(q(x_{t−1}|x_t, x_0) ‖ p_θ(x_{t−1}|x_t)) − log p_θ(x_0|x_1)

One network says both: a velocity v, from which x̂_0 and so μ_θ follow, and a coefficient c, from which Σ_θ does. It is
told how noisy its input is, log(ᾱ / (1 − ᾱ)), not the number of a step; so it serves every `Schedule`.

References: Sohl-Dickstein et al. 2015, arXiv:1503.03585; Ho, Jain and Abbeel 2020, arXiv:2006.11239 (DDPM); Nichol
and Dhariwal 2021, arXiv:2102.09672 (Σ_θ); Salimans and Ho 2022, arXiv:2202.00512 (v); Kingma et al. 2021,
arXiv:2107.00630 (steps spread over a batch); Ho and Salimans 2022, arXiv:2207.12598 (guidance).
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.special import log_ndtr

from gen_utils.base import GenerativeModel, Trainable, labels, positive
from gen_utils.likelihoods import kl_to_standard_normal, normal_log_prob
from gen_utils.models.samplers import ddpm
from gen_utils.models.schedule import (
    Schedule,
    alpha_bar_from,
    beside,
    cosine,
    noise_like,
    q_sample,
    velocity,
    x0_from_v,
)

NO_LABEL = 0.1  # share of the training examples whose label is hidden, so that the network also learns p(x)
HALF = 1 / 255  # half the width of one of 256 levels of grey between −1 and 1
# Standard deviations beyond which nothing is left of a Gaussian, and its logarithm is too large a number.
REACH = 50.0


class Diffusion(Trainable, GenerativeModel):
    """A diffusion model of any numbers: DDPM with a learned mean and a learned variance.

    With fewer steps it is a model of its own, with the same network and a bound of its own:
    `Diffusion(model.network, model.schedule.strided(50).alpha_bar)`.

    Args:
        network: called as `network(x_t, log_snr, *given)`, with log(ᾱ/(1 − ᾱ)) of each example, `(B,)`. It answers
            with twice as many numbers on axis 1 as x_t has: first v, then c.
        alpha_bar: the schedule, `(T + 1,)`; without, `cosine(1000)`.
        event_shape: shape of one example.
        bound_weight: weight of the bound in the loss, and in nothing else. Nichol and Dhariwal's is 0.001.

    Raises:
        ValueError: a schedule that is none, a size that is not positive, or a negative weight.
    """

    def __init__(
        self,
        network: nn.Module,
        alpha_bar: Tensor | None = None,
        event_shape: Sequence[int] = (2,),
        bound_weight: float = 1e-3,
    ) -> None:
        super().__init__(event_shape)
        if not 0 <= bound_weight < math.inf:
            raise ValueError(f"bound_weight: expected a number that is not negative, got {bound_weight}")
        self.network, self.bound_weight = network, bound_weight
        self.schedule = Schedule(cosine() if alpha_bar is None else alpha_bar)

    def predict(self, x_t: Tensor, log_snr: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Guess x_0 and say how wide the step back is: x̂_0 and c, of the shape of x_t, from x_t and `(B,)`."""
        v, c = self.network(x_t, log_snr, *given).chunk(2, 1)
        return x0_from_v(v, x_t, beside(alpha_bar_from(log_snr), x_t)), c

    def loss(self, x: Tensor, *given: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Estimate L_simple + bound_weight · L_vlb at one random step for each example.

        `"loss"` is `"simple"`, ‖v − v̂‖², plus bound_weight times `"bound"`, T times one term of the bound: each
        `(B,)`, the last in nats. To the bound v̂ is a constant: it trains c, and what c is made from. Nichol and
        Dhariwal 2021, eq. 16.
        """
        return self._loss(self._enter(x), *self._told(len(x), *given), generator=generator)

    def _loss(self, x0: Tensor, *given: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        t = self._random_steps(x0, generator)
        alpha_bar_t = beside(self.schedule.alpha_bar[t], x0)
        eps = noise_like(x0, generator)
        x_t = q_sample(x0, eps, alpha_bar_t)
        v_hat, c = self.network(x_t, self.schedule.log_snr[t], *given).chunk(2, 1)
        simple = (velocity(x0, eps, alpha_bar_t) - v_hat).square().flatten(1).sum(1)
        bound = self.schedule.T * self.term(x0, x0_from_v(v_hat.detach(), x_t, alpha_bar_t), c, t)
        return {"loss": simple + self.bound_weight * bound, "simple": simple, "bound": bound}

    def term(self, x0: Tensor, x0_hat: Tensor, c: Tensor, t: Tensor) -> Tensor:
        """Compute term t of the bound from x_0, the guess of it, c and t from 1 to T, `(B,)`: `(B,)` in nats.

        For t ≥ 2 the divergence of two Gaussians, ½ Σ [log σ²/β̃ + β̃/σ² − 1 + (μ̃ − μ_θ)²/σ²]; −log p(x_0|x_1) at 1.
        """
        schedule, s = self.schedule, t - 1
        log_variance = schedule.log_variance(c, t)
        log_ratio = log_variance - beside(schedule.log_beta_tilde[t], x0)
        slope = schedule.alpha_bar[s].sqrt() * schedule.beta[t] / (1 - schedule.alpha_bar[t])  # of the means, in x_0
        error = beside(slope * torch.exp(-0.5 * schedule.log_beta_tilde[t]), x0) * (x0 - x0_hat)
        # With 1/ratio as 1 + shrunk, small differences keep their digits.
        shrunk = torch.expm1(-log_ratio)
        terms = 0.5 * (log_ratio + shrunk + error.square() * (1 + shrunk)).flatten(1).sum(1)
        last = t == 1
        terms[last] = -self.log_likelihood(x0[last], x0_hat[last], log_variance[last])
        return terms

    def log_likelihood(self, x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Compute log p(x_0|x_1) from its mean and log σ², all three `(B, *event_shape)`: `(B,)` in nats."""
        return normal_log_prob(x0.flatten(1), mean.flatten(1), (0.5 * log_variance.flatten(1)).exp())

    @torch.no_grad()
    def bound_term(
        self, x: Tensor, t: Tensor, *given: Tensor, generator: torch.Generator | None = None, c: float | None = None
    ) -> Tensor:
        """Estimate term t of the bound with one draw of x_t, t from 1 to T, `(B,)`: `(B,)` in nats.

        With `c` the variance is not the learned one, but β_t where it is 1, and β̃_t where it is −1.

        Raises:
            ValueError: t of another shape, or no step.
        """
        x0, told = self._enter(x), self._told(len(x), *given)
        if t.shape != (len(x),) or t.is_floating_point() or t.amin() < 1 or t.amax() > self.schedule.T:
            raise ValueError(f"t: expected shape ({len(x)},) with steps 1…{self.schedule.T}, got {t}")
        x_t = q_sample(x0, noise_like(x0, generator), beside(self.schedule.alpha_bar[t], x0))
        x0_hat, learned = self.predict(x_t, self.schedule.log_snr[t], *told)
        return self.term(x0, x0_hat, learned if c is None else torch.full_like(x0, c), t)

    @torch.no_grad()
    def prior_kl(self, x: Tensor) -> Tensor:
        """Compute KL(q(x_T|x_0) ‖ N(0, I)), the cost of what x_T still shows of x_0: `(B,)` in nats."""
        alpha_bar_T = self.schedule.alpha_bar[-1]
        return kl_to_standard_normal(alpha_bar_T.sqrt() * self._enter(x), (1 - alpha_bar_T).sqrt()).flatten(1).sum(1)

    @torch.no_grad()
    def elbo(
        self, x: Tensor, *given: Tensor, generator: torch.Generator | None = None, c: float | None = None
    ) -> Tensor:
        """Estimate the ELBO, a lower bound of log p(x), by one random term for each example: `(B,)` in nats.

        Every constant is kept. `c` as in `bound_term`.
        """
        t = self._random_steps(self.check_x(x), generator)
        return -self.schedule.T * self.bound_term(x, t, *given, generator=generator, c=c) - self.prior_kl(x)

    @torch.no_grad()
    def sample_path(self, n: int, *given: Tensor, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Draw n examples by ancestral sampling and yield x_T, …, x_0, each `(n, *event_shape)`."""
        told = self._told(positive("n", n), *given)
        x_T = noise_like(self.schedule.alpha_bar.new_empty(n, *self.event_shape), generator)
        yield from ddpm(lambda x_t, log_snr: self.predict(x_t, log_snr, *told), x_T, self.schedule, generator)

    def sample(self, n: int, *given: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples by ancestral sampling, `(n, *event_shape)`, over all steps of the schedule."""
        return deque(self.sample_path(n, *given, generator=generator), maxlen=1)[0]

    def _enter(self, x: Tensor) -> Tensor:
        return self.check_x(x)

    def _told(self, n: int, *given: Tensor) -> tuple[Tensor, ...]:
        return given

    def _random_steps(self, x0: Tensor, generator: torch.Generator | None) -> Tensor:
        # Spread over 1…T, at equal distances from a random start: each t is uniform, a batch has some of every kind.
        B, T = len(x0), self.schedule.T
        start = torch.randint(T, (1,), generator=generator, device=x0.device)
        return 1 + (start + torch.arange(B, device=x0.device) * T // B) % T


class ImageDiffusion(Diffusion):
    """A diffusion model p(x|y) of images with 256 levels of grey, and of p(x): one network for both.

    Images x are `(B, *event_shape)` in [0, 1], in steps of 1/255; inside, x_0 = 2x − 1. Every method takes the labels
    y, `(B,)`, after its own arguments; the label `classes` means that none is told. log p(x_0|x_1) is the logarithm
    of a probability, that of an interval of grey, and so the ELBO bounds one; −elbo / (D ln 2) is in bits/dim.

    Args:
        network: as for `Diffusion`, called as `network(x_t, log_snr, y)`.
        alpha_bar: the schedule, `(T + 1,)`; without, `cosine(1000)`.
        classes: number of labels.
        event_shape: shape of one example.
        bound_weight: weight of the bound in the loss, and in nothing else.

    Raises:
        ValueError: a schedule that is none, a size that is not positive, or a negative weight.
    """

    def __init__(
        self,
        network: nn.Module,
        alpha_bar: Tensor | None = None,
        classes: int = 10,
        event_shape: Sequence[int] = (1, 28, 28),
        bound_weight: float = 1e-3,
    ) -> None:
        super().__init__(network, alpha_bar, event_shape, bound_weight)
        self.support, self.classes = (0.0, 1.0), positive("classes", classes)

    def _loss(self, x0: Tensor, y: Tensor, *, generator: torch.Generator | None) -> dict[str, Tensor]:  # type: ignore[override]
        hidden = torch.rand(len(y), generator=generator, device=y.device) < NO_LABEL
        return super()._loss(x0, y.masked_fill(hidden, self.classes), generator=generator)

    def predict(self, x_t: Tensor, log_snr: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Guess x_0, and say how wide the step back is; nothing is darker than −1 or brighter than 1."""
        x0_hat, c = super().predict(x_t, log_snr, *given)
        return x0_hat.clamp(-1, 1), c

    @torch.no_grad()
    def sample_path(self, n: int, *given: Tensor, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Draw an image of each label by ancestral sampling, and yield x_T, …, x_0, black at 0 and white at 1."""
        for x_t in super().sample_path(n, *given, generator=generator):
            yield (x_t + 1) / 2

    def log_likelihood(self, x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Compute the log-probability of the intervals of grey around x_0: `(B,)` in nats. Ho et al. 2020, eq. 13.

        The darkest interval reaches down to −∞, the brightest up to ∞, so all 256 have probability 1 together.
        """
        precision = torch.exp(-0.5 * log_variance)
        centre, half = (x0 - mean) * precision, HALF * precision
        low = torch.where(x0 < -1 + HALF, -math.inf, centre - half)
        high = torch.where(x0 > 1 - HALF, math.inf, centre + half)
        # Φ(b) − Φ(a) = Φ(−a) − Φ(−b). Of the two, the one in the left tail, where log Φ loses no digits.
        left = low + high < 0
        near, far = torch.where(left, high, -low), torch.where(left, low, -high)
        log_near, log_far = log_ndtr(near), log_ndtr(torch.maximum(far, near.clamp(max=0) - REACH))
        return (log_near + torch.log(-torch.expm1(log_far - log_near))).flatten(1).sum(1)

    def guided(self, x_t: Tensor, log_snr: Tensor, y: Tensor, guidance: float | Tensor) -> tuple[Tensor, Tensor]:
        """Predict as if the label said more than it does: 0 is no label, 1 the label, above 1 exaggerates.

        ε̂ = ε̂(x_t) + ω (ε̂(x_t, y) − ε̂(x_t)), and the same in v and x_0, since each is affine in each other. c is
        that of the label. Ho and Salimans 2022, eq. 6, whose weight is ω − 1.

        Raises:
            TypeError: labels that are no whole numbers.
            ValueError: not one label for each x_t, or one that is none.
        """
        labels("y", y, self.classes + 1, len(x_t))
        twice = torch.cat([x_t, x_t]), torch.cat([log_snr, log_snr]), torch.cat([torch.full_like(y, self.classes), y])
        x0_hat, c = super().predict(*twice)
        free, told = x0_hat.chunk(2)
        return (free + guidance * (told - free)).clamp(-1, 1), c.chunk(2)[1]

    def _enter(self, x: Tensor) -> Tensor:
        levels = 255 * self.check_x(x)
        if not torch.compiler.is_compiling() and ((off := (levels - levels.round()).abs()) > 1e-3).any():
            raise ValueError(f"x: expected multiples of 1/255, got {x.flatten()[off.argmax()]:.8g}")
        return 2 * x - 1

    def _told(self, n: int, y: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        return (labels("y", y, self.classes + 1, n),)
