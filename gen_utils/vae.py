r"""The variational autoencoder: an encoder that answers with a Gaussian, a latent draw, a decoder.

    log p(x)  ≥  E_q(z|x)[log p(x|z)]  −  KL(q(z|x) ‖ p(z))          (the ELBO)

with p(z) = N(0, I), q(z|x) = N(μ(x), σ(x)²) and p(x|z) = Bernoulli(pixels | decoder(z)).

References: Kingma and Welling 2014, arXiv:1312.6114; Rezende, Mohamed and Wierstra 2014,
arXiv:1401.4082; Burda, Grosse and Salakhutdinov 2015, arXiv:1509.00519 (importance weights).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gen_utils.base import GenerativeModel, batch, positive
from gen_utils.likelihoods import bernoulli_log_prob, kl_to_standard_normal, normal_log_prob
from gen_utils.nets import mlp


class VAE(GenerativeModel):
    """A VAE with one layer of Gaussian latents and Bernoulli pixels.

    Args:
        latent_dim: number of latent units, K.
        hidden_dims: widths of the encoder's hidden layers; the decoder mirrors them.
        event_shape: shape of one example.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (512, 512),
        event_shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        super().__init__(event_shape, support=(0.0, 1.0))
        self.latent_dim = positive("latent_dim", latent_dim)
        D = math.prod(self.event_shape)
        self.encoder = mlp([D, *hidden_dims, 2 * latent_dim])
        self.decoder = mlp([latent_dim, *reversed(hidden_dims), D])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Stage 1: the mean and standard deviation of q(z|x), two `(B, K)` from `(B, *event_shape)`."""
        # Centred pixels: with 0…1, the first layer would spend its biases on undoing the black background.
        mu, log_sigma = self.encoder(2 * self.check_x(x).flatten(1) - 1).chunk(2, dim=1)
        return mu, log_sigma.clamp(-7, 3).exp()

    def reparameterize(self, mu: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Stage 2: draw z = μ + σ·ε with ε ~ N(0, I), through which gradients reach μ and σ."""
        eps = torch.randn(mu.shape, generator=generator, device=mu.device)
        return mu + sigma * eps

    def decode(self, z: Tensor) -> Tensor:
        """Stage 3: the logits of p(x|z), `(B, *event_shape)` from `(B, K)`."""
        return self.decoder(batch("z", z, (self.latent_dim,), dtype=self.dtype)).unflatten(1, self.event_shape)

    def loss(self, x: Tensor, *, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Estimate −ELBO with one draw of z.

        `"loss"` is `"distortion"`, −log p(x|z), plus `"rate"`, KL(q(z|x) ‖ p(z)) in closed form: each `(B,)`
        in nats.
        """
        mu, sigma = self.encode(x)
        # Not `decode`: where training diverged, z is not finite, and that is for the trainer to say.
        logits = self.decoder(self.reparameterize(mu, sigma, generator)).unflatten(1, self.event_shape)
        distortion = -bernoulli_log_prob(x, logits)
        rate = kl_to_standard_normal(mu, sigma).sum(1)
        return {"loss": distortion + rate, "distortion": distortion, "rate": rate}

    @torch.no_grad()
    def elbo(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Estimate the ELBO, a lower bound of log p(x), with one draw of z: `(B,)` in nats."""
        return -self.loss(x, generator=generator)["loss"]

    def log_likelihood_table(self, x: Tensor, z: Tensor) -> Tensor:
        """Compute log p(x_i|z_j) for every pair: `(B, *event_shape)` and `(M, K)` to `(B, M)`, in nats."""
        # Σ_d x_d log p_d + (1 − x_d) log(1 − p_d) = Σ_d x_d logit_d − softplus(logit_d): one matrix product.
        logits = self.decode(z).flatten(1)
        return self.check_x(x).flatten(1) @ logits.T - F.softplus(logits).sum(1)

    @torch.no_grad()
    def log_weights(self, x: Tensor, k: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw k latents from q(z|x) and return log p(x, z) − log q(z|x) of each, `(k, B)` in nats.

        Their mean is an estimate of the ELBO; the logarithm of their mean, one of the tighter bound L_k
        (Burda et al. 2015, eq. 8).
        """
        mu, sigma = self.encode(x)
        flat = x.flatten(1)
        rows = []
        for _ in range(positive("k", k)):
            z = self.reparameterize(mu, sigma, generator)
            # log p(x|z) = Σ x·logit − softplus(logit) for Bernoulli pixels: one pass less than cross-entropy.
            logits = self.decoder(z)
            log_likelihood = torch.linalg.vecdot(flat, logits) - F.softplus(logits).sum(1)
            rows.append(log_likelihood + normal_log_prob(z) - normal_log_prob(z, mu, sigma))
        return torch.stack(rows)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z) and return the grey pixels E[x|z], `(n, *event_shape)` in [0, 1].

        `binarize` them for samples of x itself.
        """
        weight = next(self.parameters())
        z = torch.randn(positive("n", n), self.latent_dim, generator=generator, device=weight.device)
        return self.decode(z).sigmoid()
