r"""Variational autoencoders: an encoder that returns a Gaussian, a latent draw, and a decoder.

    log p(x)  ≥  E_q(z|x)[log p(x|z)]  −  KL(q(z|x) ‖ p(z))          (the ELBO)

with p(z) = N(0, I) and q(z|x) = N(μ(x), σ(x)²). In `VAE`, p(x|z) is one Bernoulli distribution for each pixel; in
`GaussianVAE` it is one Gaussian for each pixel, all with the same variance. With `classes`, both are conditional:
q(z|x, y), p(x|z, y), and a bound of log p(x|y) (Sohn, Lee and Yan 2015).

References: Kingma and Welling 2014, arXiv:1312.6114; Rezende, Mohamed and Wierstra 2014,
arXiv:1401.4082; Burda, Grosse and Salakhutdinov 2015, arXiv:1509.00519 (importance weights).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import GenerativeModel, Trainable, batch, positive
from gen_utils.likelihoods import LOG_2PI, bernoulli_log_prob, kl_to_standard_normal, log_odds, normal_log_prob
from gen_utils.nets import ConditionalMLP
from gen_utils.precision import positive_float, squared_distances


class VAE(Trainable, GenerativeModel):
    """A VAE with one layer of Gaussian latents and Bernoulli pixels.

    A subclass with another p(x|z) overrides `log_likelihood`, `log_likelihood_table`, `mean` and `draw`. Labels y,
    `(B,)`, are the last argument of every method of a model that has `classes`.

    Args:
        latent_dim: number of latent units, K.
        hidden_dims: widths of the encoder's hidden layers; the decoder mirrors them.
        event_shape: shape of one example.
        beta: weight of the rate in the loss, and in nothing else. Higgins et al. 2017.
        classes: number of labels, or `None` for a model without labels.

    Raises:
        ValueError: a size that is not positive, or a negative beta.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (400, 400),
        event_shape: Sequence[int] = (1, 28, 28),
        beta: float = 1.0,
        classes: int | None = None,
    ) -> None:
        super().__init__(event_shape, (0.0, 1.0), classes)
        if not 0 <= beta < torch.finfo(self.dtype).max:
            raise ValueError(f"beta: expected a number that is not negative, got {beta}")
        self.latent_dim, self.beta = positive("latent_dim", latent_dim), beta
        D = math.prod(self.event_shape)
        self.encoder = ConditionalMLP([D, *hidden_dims, 2 * latent_dim], classes)
        self.decoder = ConditionalMLP([latent_dim, *reversed(hidden_dims), D], classes)

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Set the decoder's last biases so that before training it returns the mean of `x`, about the same for all z.

        Without this, the model learns the black background first. Until then z is only noise for the decoder, and
        units that are not used at that time are seldom used later.
        """
        brightness = self.check_x(x).mean(0).flatten()
        *_, bias = self.decoder.parameters()
        bias.copy_(log_odds(brightness))

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Stage 1: the mean and standard deviation of q(z|x), two `(B, K)` from `(B, *event_shape)`."""
        # Pixels from −1 to 1: from 0 to 1, the first layer's biases would first have to cancel the black background.
        output = self.encoder(2 * self.check_x(x).flatten(1) - 1, self.check_y(y, len(x)))
        mu, log_sigma = output.chunk(2, dim=1)
        return mu, log_sigma.clamp(-7, 3).exp()  # bounds that keep the loss of an untrained encoder finite

    def reparameterize(self, mu: Tensor, sigma: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Stage 2: draw z = μ + σ·ε with ε ~ N(0, I), through which gradients reach μ and σ."""
        eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)
        return mu + sigma * eps

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Stage 3: the decoder's output, `(B, *event_shape)` from `(B, K)`: for Bernoulli pixels, their logits."""
        return self._decoded(batch("z", z, (self.latent_dim,), dtype=self.dtype), self.check_y(y, len(z)))

    def _decoded(self, z: Tensor, y: Tensor | None) -> Tensor:
        # Not checked: where training diverged, z is not finite, and the training loop reports it.
        return self.decoder(z, y).unflatten(1, self.event_shape)

    def log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Compute log p(x|z) from x and the decoder's output, both `(B, *event_shape)`: `(B,)` in nats."""
        return bernoulli_log_prob(x, decoded)

    def log_likelihood_table(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Compute log p(x_i|z_j) for every pair, `(B, M)` in nats.

        From x, `(B, *event_shape)`, z, `(M, K)`, and the labels that belong to z, `(M,)`, if the model takes any.
        """
        # Σ_d x_d log p_d + (1 − x_d) log(1 − p_d) = Σ_d x_d logit_d − softplus(logit_d): one matrix product.
        logits = self.decode(z, y).flatten(1)
        return self.check_x(x).flatten(1) @ logits.T - F.softplus(logits).sum(1)

    def mean(self, decoded: Tensor) -> Tensor:
        """Turn the decoder's output into E[x|z], same shape: for Bernoulli pixels, their probabilities."""
        return decoded.sigmoid()

    def draw(self, decoded: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw x from p(x|z), given the decoder's output, same shape: Bernoulli pixels are 0 or 1."""
        return torch.bernoulli(self.mean(decoded), generator=generator)

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Estimate −ELBO with one draw of z.

        `"loss"` is `"distortion"`, −log p(x|z), plus beta times `"rate"`, KL(q(z|x) ‖ p(z)) in closed form: each
        `(B,)` in nats.
        """
        mu, sigma = self.encode(x, y)
        decoded = self._decoded(self.reparameterize(mu, sigma, generator=generator), y)
        distortion = -self.log_likelihood(x, decoded)
        rate = kl_to_standard_normal(mu, sigma).sum(1)
        return {"loss": distortion + self.beta * rate, "distortion": distortion, "rate": rate}

    @torch.no_grad()
    def elbo(self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Estimate the ELBO, a lower bound of log p(x), with one draw of z, whatever beta is: `(B,)` in nats."""
        parts = self.loss(x, y, generator=generator)
        return -(parts["distortion"] + parts["rate"])

    def log_weights(
        self, x: Tensor, k: int, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw k latents from q(z|x) and return log p(x, z) − log q(z|x) of each, `(k, B)` in nats.

        Their mean is an estimate of the ELBO; the logarithm of their mean weight, one of the tighter bound L_k
        (Burda et al. 2015, eq. 8). Gradients pass, at the price of k times the memory: measure with
        `torch.no_grad()`.
        """
        mu, sigma = self.encode(x, y)
        rows = []
        for _ in range(positive("k", k)):
            z = self.reparameterize(mu, sigma, generator=generator)
            log_joint = self.log_likelihood(x, self._decoded(z, y)) + normal_log_prob(z)
            rows.append(log_joint - normal_log_prob(z, mu, sigma))
        return torch.stack(rows)

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z) and x from p(x|z), `(n, *event_shape)`."""
        return self.draw(self._decoded_prior(n, y, generator), generator=generator)

    @torch.no_grad()
    def sample_mean(self, n: int, y: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z) and return E[x|z], `(n, *event_shape)`: of the same z as `sample`."""
        return self.mean(self._decoded_prior(n, y, generator))

    def _decoded_prior(self, n: int, y: Tensor | None, generator: torch.Generator | None) -> Tensor:
        z = torch.randn(positive("n", n), self.latent_dim, generator=generator, dtype=self.dtype, device=self.device)
        return self._decoded(z, self.check_y(y, n))


class GaussianVAE(VAE):
    """A VAE whose pixels are Gaussian: p(x|z) = N(decoder(z), σ²), with one σ, learned, for all of them.

    With `hidden_dims=()` it is linear, and at its optimum equal to probabilistic PCA (Lucas et al. 2019,
    arXiv:1911.02469). The optimal σ² is the mean squared error (Rybkin, Daniilidis and Levine 2021,
    arXiv:2006.13202).

    Args:
        sigma: standard deviation of a pixel given z, before training. The other arguments are those of `VAE`.

    Raises:
        ValueError: a size or a sigma that is not positive.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (400, 400),
        event_shape: Sequence[int] = (1, 28, 28),
        sigma: float = 1.0,
        classes: int | None = None,
    ) -> None:
        super().__init__(latent_dim, hidden_dims, event_shape, classes=classes)
        self.support = (-math.inf, math.inf)
        self.log_sigma = nn.Parameter(torch.tensor(math.log(positive_float("sigma", sigma))))

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Set the decoder's last biases to the mean of `x`, and σ to the standard deviation of a pixel around it.

        Raises:
            ValueError: examples that are all the same, for which σ would be 0.
        """
        if (self.check_x(x) == x[0]).all():
            raise ValueError(f"x: expected examples that vary, for σ > 0, got {len(x)} that are all the same")
        sigma = ((x - x.mean(0)) ** 2).mean().sqrt()
        positive_float("sigma of x", sigma.item(), x.dtype)
        *_, bias = self.decoder.parameters()
        bias.copy_(x.mean(0).flatten())
        self.log_sigma.copy_(sigma.log())

    def log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Compute log N(x | decoded, σ²) over all pixels: `(B,)` in nats."""
        return self._log_likelihood(((x - decoded) ** 2).flatten(1).sum(1) / (2 * self.log_sigma).exp())

    def log_likelihood_table(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Compute log p(x_i|z_j) for every pair, `(B, M)` in nats; the arguments are those of `VAE`'s."""
        means = self.decode(z, y).flatten(1)
        return self._log_likelihood(squared_distances(self.check_x(x).flatten(1), means, self.log_sigma.exp()))

    def _log_likelihood(self, squared_error: Tensor) -> Tensor:
        D = math.prod(self.event_shape)  # the error is in units of σ²
        return -0.5 * squared_error - D * (self.log_sigma + 0.5 * LOG_2PI)

    def mean(self, decoded: Tensor) -> Tensor:
        """Return the decoder's output: it is E[x|z]."""
        return decoded

    def draw(self, decoded: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw x from N(decoded, σ²), same shape."""
        eps = torch.randn(decoded.shape, generator=generator, dtype=decoded.dtype, device=decoded.device)
        return decoded + self.log_sigma.exp() * eps
