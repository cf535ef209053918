r"""Diffusion models: noise destroys an example in T small steps, and a network learns the steps back.

    q(x_t | x_{t−1})  =  N(√(1 − β_t) x_{t−1},  β_t I)                       so  x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε
    p_θ(x_{t−1} | x_t)  =  N(μ_θ(x_t, t),  Σ_θ(x_t, t))                      starting from  p(x_T) = N(0, I)

    −log p(x_0)  ≤  KL(q(x_T|x_0) ‖ p(x_T)) + Σ_{t ≥ 2} KL(q(x_{t−1}|x_t, x_0) ‖ p_θ(x_{t−1}|x_t)) − log p_θ(x_0|x_1)

One network predicts both: a velocity v, which gives x̂_0 and so μ_θ, and a coefficient c, which gives Σ_θ. Its input
is the noise level log(ᾱ / (1 − ᾱ)), not the number of a step, so it serves every `Schedule`.

References: Sohl-Dickstein et al. 2015, arXiv:1503.03585; Ho, Jain and Abbeel 2020, arXiv:2006.11239 (DDPM); Nichol
and Dhariwal 2021, arXiv:2102.09672 (Σ_θ); Salimans and Ho 2022, arXiv:2202.00512 (v); Kingma et al. 2021,
arXiv:2107.00630 (steps spread over a batch); Ho and Salimans 2022, arXiv:2207.12598 (guidance).
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.special import log_ndtr

from gen_utils.base import GenerativeModel, Trainable, batch, positive
from gen_utils.likelihoods import kl_to_standard_normal, normal_log_prob
from gen_utils.models.samplers import ddpm
from gen_utils.models.schedule import (
    Schedule,
    alpha_bar_from,
    append_dims,
    cosine,
    noise_like,
    q_sample,
    velocity,
    x0_from_v,
)
from gen_utils.nets import evaluation_mode

LABEL_DROPOUT = 0.1  # share of the training examples whose label is dropped, so that the network also learns p(x)
HALF = 1 / 255  # half the width of one of 256 levels of grey between −1 and 1
REACH = 50.0  # standard deviations beyond which the logarithm of a Gaussian's tail would overflow


class Diffusion(Trainable, GenerativeModel):
    """A diffusion model p(x), or p(x|y), of any numbers: DDPM with a learned mean and a learned variance.

    With labels, one network serves p(x|y) and p(x): a tenth of the labels is dropped in training, and each method
    called without labels is about p(x). With fewer steps it is a model of its own, with the same network and a bound
    of its own: `Diffusion(model.network, model.schedule.strided(50).alpha_bar)`.

    Args:
        network: called as `network(x_t, log_snr)`, or `network(x_t, log_snr, y)` where there are classes. log_snr is
            log(ᾱ/(1 − ᾱ)) of each example, `(B,)`; y, `(B,)`, holds labels, and `classes` itself for "no label". It
            returns twice as many numbers on axis 1 as x_t has: first v, then c.
        alpha_bar: the schedule, `(T + 1,)`; `cosine(1000)` if not given.
        event_shape: shape of one example.
        classes: number of labels, or `None` for a model without.
        bound_weight: weight of the bound in the loss, and nowhere else. Nichol and Dhariwal's is 0.001.

    Raises:
        ValueError: numbers that are no schedule, a size that is not positive, a negative weight, or a network that
            does not fit: it is called once.
    """

    def __init__(
        self,
        network: nn.Module,
        alpha_bar: Tensor | None = None,
        event_shape: Sequence[int] = (2,),
        classes: int | None = None,
        bound_weight: float = 1e-3,
    ) -> None:
        super().__init__(event_shape, classes=classes)
        if not 0 <= bound_weight < math.inf:
            raise ValueError(f"bound_weight: expected a number that is not negative, got {bound_weight}")
        self.network, self.bound_weight = network, bound_weight
        alpha_bar = cosine() if alpha_bar is None else alpha_bar
        self.schedule = Schedule(alpha_bar, torch.promote_types(self.dtype, torch.float32)).to(self.device)
        self._try_network()

    def predict(self, x_t: Tensor, log_snr: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict x_0, and c of the step back, from x_t, log_snr `(B,)` and labels `(B,)`; both have x_t's shape."""
        return self._predict(x_t, log_snr, *self._cond(y, len(x_t)))

    def guided(self, x_t: Tensor, log_snr: Tensor, y: Tensor, guidance: float | Tensor) -> tuple[Tensor, Tensor]:
        """Predict with guidance ω: 0 gives p(x), 1 gives p(x|y), above 1 exaggerates what the label changes.

        ε̂ = ε̂(x_t) + ω (ε̂(x_t, y) − ε̂(x_t)), and the same in v and x_0, which are affine in ε. c is that of the
        label. Ho and Salimans 2022, eq. 6, whose weight is ω − 1. Without labels, a `ValueError`. ω may be `(B,)`.
        """
        if y is None:
            raise ValueError("y: guidance expected labels, got none")
        if not torch.compiler.is_compiling():
            guidance = append_dims(batch("guidance", torch.as_tensor(guidance).to(x_t).flatten(), ()), x_t)
        cond = torch.cat([*self._cond(None, len(x_t)), *self._cond(y, len(x_t))])
        x0_hat, c = self._predict(torch.cat([x_t, x_t]), torch.cat([log_snr, log_snr]), cond)
        without, with_label = x0_hat.chunk(2)
        return without + guidance * (with_label - without), c.chunk(2)[1]

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Estimate L_simple + bound_weight · L_vlb at one random step for each example.

        `"loss"` is `"simple"`, ‖v − v̂‖², plus bound_weight times `"bound"`, T times one term of the bound: each
        `(B,)`, the last in nats. In the bound v̂ is a constant: it trains c alone. Nichol and Dhariwal 2021, eq. 16.
        """
        x0, cond = self._x0(x), self._cond(y, len(x))
        if y is not None:
            (no_label,) = self._cond(None, len(y))
            dropped = torch.rand(len(y), generator=generator, dtype=x0.dtype, device=y.device) < LABEL_DROPOUT
            cond = (torch.where(dropped, no_label, y),)
        t = self._random_steps(x0, generator)
        alpha_bar_t = append_dims(self.schedule.alpha_bar[t], x0)
        eps = noise_like(x0, generator=generator)
        x_t = q_sample(x0, eps, alpha_bar_t)
        v_hat, c = self._outputs(x_t, self.schedule.log_snr[t], *cond)
        simple = (velocity(x0, eps, alpha_bar_t) - v_hat).square().flatten(1).sum(1)
        x0_hat = x0_from_v(v_hat.detach(), x_t, alpha_bar_t)
        bound = self.schedule.T * self.bound_term_from(x0, x0_hat, c, t)
        return {"loss": simple + self.bound_weight * bound, "simple": simple, "bound": bound}

    def bound_term_from(self, x0: Tensor, x0_hat: Tensor, c: Tensor, t: Tensor) -> Tensor:
        """Compute term t of the bound from x_0, its prediction, c and t from 1 to T, `(B,)`: `(B,)` in nats.

        At t ≥ 2 the KL divergence of two Gaussians, ½ Σ [log σ²/β̃ + β̃/σ² − 1 + (μ̃ − μ_θ)²/σ²]; −log p(x_0|x_1) at 1.
        """
        schedule, s = self.schedule, t - 1
        log_variance = schedule.log_variance(c, t)
        log_ratio = log_variance - append_dims(schedule.log_beta_tilde[t], x0)
        slope = schedule.alpha_bar[s].sqrt() * schedule.beta[t] / (1 - schedule.alpha_bar[t])  # of the means, in x_0
        error = append_dims(slope * torch.exp(-0.5 * schedule.log_beta_tilde[t]), x0) * (x0 - x0_hat)
        # 1/ratio − 1 by expm1: small differences keep their digits.
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
        self,
        x: Tensor,
        t: Tensor,
        y: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        c: float | None = None,
    ) -> Tensor:
        """Estimate term t of the bound with one draw of x_t, t from 1 to T, `(B,)`: `(B,)` in nats.

        A number `c` replaces the learned variance: 1 gives β_t, −1 gives β̃_t.

        Raises:
            ValueError: t of another shape, or outside 1…T.
        """
        x0, T = self._x0(x), self.schedule.T
        if getattr(t, "dtype", None) != torch.int64 or t.shape != (len(x),) or t.amin() < 1 or t.amax() > T:
            raise ValueError(f"t: expected an int64 tensor of shape ({len(x)},) with steps 1…{T}, got {t}")
        x_t = q_sample(x0, noise_like(x0, generator=generator), append_dims(self.schedule.alpha_bar[t], x0))
        x0_hat, learned = self.predict(x_t, self.schedule.log_snr[t], y)
        return self.bound_term_from(x0, x0_hat, learned if c is None else torch.full_like(x0, c), t)

    @torch.no_grad()
    def prior_kl(self, x: Tensor) -> Tensor:
        """Compute KL(q(x_T|x_0) ‖ N(0, I)), the cost of what is left of x_0 in x_T: `(B,)` in nats."""
        alpha_bar_T = self.schedule.alpha_bar[-1]
        return kl_to_standard_normal(alpha_bar_T.sqrt() * self._x0(x), (1 - alpha_bar_T).sqrt()).flatten(1).sum(1)

    @torch.no_grad()
    def elbo(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        c: float | None = None,
    ) -> Tensor:
        """Estimate the ELBO, a lower bound of log p(x|y), by one random term for each example: `(B,)` in nats.

        Every constant is kept. `c` as in `bound_term`.
        """
        t = self._random_steps(self.check_x(x), generator)
        return -self.schedule.T * self.bound_term(x, t, y, generator=generator, c=c) - self.prior_kl(x)

    @torch.no_grad()
    def sample_path(
        self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Iterator[Tensor]:
        """Draw n examples by ancestral sampling and yield x_T, …, x_0, each `(n, *event_shape)`."""
        self._cond(y, positive("n", n))  # refuses wrong labels at once
        x_T = noise_like(self.schedule.alpha_bar.new_empty(n, *self.event_shape), generator=generator)
        for x_t in ddpm(partial(self.predict, y=y), x_T, self.schedule, generator=generator):
            yield x_t.to(self.dtype)

    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples by ancestral sampling, `(n, *event_shape)`, over all steps of the schedule."""
        return deque(self.sample_path(n, y, generator=generator), maxlen=1)[0]

    def _predict(self, x_t: Tensor, log_snr: Tensor, *cond: Tensor) -> tuple[Tensor, Tensor]:
        if log_snr.shape != batch("x_t", x_t, self.event_shape).shape[:1]:
            raise ValueError(f"log_snr: expected shape ({len(x_t)},), got {tuple(log_snr.shape)}")
        with evaluation_mode(self.network):  # also between two steps of training
            v, c = self._outputs(x_t, log_snr, *cond)
        return x0_from_v(v, x_t, append_dims(alpha_bar_from(log_snr), x_t)), c

    def _outputs(self, x_t: Tensor, log_snr: Tensor, *cond: Tensor) -> tuple[Tensor, ...]:
        # v and c. The network may compute with 16 bits, in mixed precision too; the steps and the bound need 32.
        output = self.network(x_t.to(self.dtype), log_snr.to(self.dtype), *cond)
        return output.to(x_t.dtype).chunk(2, 1)

    def _cond(self, y: Tensor | None, n: int) -> tuple[Tensor, ...]:
        # The network's last argument, if it has classes: n labels, or `classes` n times where there is no label.
        if y is None and self.classes is not None:
            return (torch.full((n,), self.classes, device=self.device),)
        y = self.check_y(y, n)
        return () if y is None else (y,)

    def _x0(self, x: Tensor) -> Tensor:
        return self.check_x(x).to(self.schedule.alpha_bar.dtype)

    def _random_steps(self, x0: Tensor, generator: torch.Generator | None) -> Tensor:
        # At equal distances through 1…T, from a random start: each t is uniform, and a batch has t of all sizes.
        B, T = len(x0), self.schedule.T
        start = torch.randint(T, (1,), generator=generator, device=x0.device)
        return 1 + (start + torch.arange(B, device=x0.device) * T // B) % T

    def _try_network(self) -> None:
        if (classes := getattr(self.network, "classes", self.classes)) != self.classes:
            raise ValueError(f"network: expected one for classes={self.classes}, got classes={classes}")
        x_t = torch.zeros(1, *self.event_shape, dtype=self.dtype, device=self.device)
        inputs = x_t, self.schedule.log_snr[-1:].to(x_t), *self._cond(None, 1)
        expected = (1, 2 * self.event_shape[0], *self.event_shape[1:])
        with torch.no_grad(), evaluation_mode(self.network):
            try:
                found: object = tuple(self.network(*inputs).shape)
            except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
                found = f"{type(error).__name__}: {error}"
        if found != expected:
            shapes = ", ".join(str(tuple(each.shape)) for each in inputs)
            raise ValueError(f"network: expected {expected} from inputs of shapes {shapes}, got {found}")


class ImageDiffusion(Diffusion):
    """A diffusion model of images with 256 levels of grey a channel.

    Images x are `(B, *event_shape)` in [0, 1], in steps of 1/255; inside, x_0 = 2x − 1. log p(x_0|x_1) is the
    logarithm of a probability, that of an interval of grey, so the ELBO bounds one; −elbo / (D ln 2) is in bits/dim.
    Arguments and errors are those of `Diffusion`.
    """

    def __init__(
        self,
        network: nn.Module,
        alpha_bar: Tensor | None = None,
        event_shape: Sequence[int] = (1, 28, 28),
        classes: int | None = 10,
        bound_weight: float = 1e-3,
    ) -> None:
        super().__init__(network, alpha_bar, event_shape, classes, bound_weight)
        self.support = (0.0, 1.0)

    def check_x(self, x: Tensor) -> Tensor:
        """Return `x`, images `(B, *event_shape)` in [0, 1] in steps of 1/255, or say what is wrong."""
        levels = 255 * super().check_x(x).to(self.schedule.alpha_bar.dtype)
        room = max(1e-3, 128 * torch.finfo(x.dtype).eps)  # with 16 bits, as near as they come to a step
        if not torch.compiler.is_compiling() and ((off := (levels - levels.round()).abs()) > room).any():
            raise ValueError(f"x: expected multiples of 1/255, got {x.flatten()[off.argmax()]:.8g}")
        return x

    def predict(self, x_t: Tensor, log_snr: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict as `Diffusion` does, with x̂_0 cut to [−1, 1], from black to white."""
        x0_hat, c = super().predict(x_t, log_snr, y)
        return x0_hat.clamp(-1, 1), c

    def guided(self, x_t: Tensor, log_snr: Tensor, y: Tensor, guidance: float | Tensor) -> tuple[Tensor, Tensor]:
        """Predict with guidance as `Diffusion` does, with x̂_0 cut to [−1, 1]."""
        x0_hat, c = super().guided(x_t, log_snr, y, guidance)
        return x0_hat.clamp(-1, 1), c

    @torch.no_grad()
    def sample_path(
        self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Iterator[Tensor]:
        """Draw n images by ancestral sampling, and yield x_T, …, x_0, with black at 0 and white at 1."""
        for x_t in super().sample_path(n, y, generator=generator):
            yield (x_t + 1) / 2

    def log_likelihood(self, x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Compute the log-probability of the intervals of grey around x_0: `(B,)` in nats. Ho et al. 2020, eq. 13.

        The darkest interval reaches down to −∞ and the brightest up to ∞, so the 256 probabilities add up to 1.
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

    def _x0(self, x: Tensor) -> Tensor:
        levels = self.check_x(x).to(self.schedule.alpha_bar.dtype)
        if levels.dtype != x.dtype:
            levels = (255 * levels).round() / 255  # the level that 16 bits came near to
        return 2 * levels - 1
