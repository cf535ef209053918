r"""Variational autoencoders: an encoder that answers with a Gaussian, a latent draw, a decoder.

    log p(x)  ≥  E_q(z|x)[log p(x|z)]  −  KL(q(z|x) ‖ p(z))          (the ELBO)

with p(z) = N(0, I) and q(z|x) = N(μ(x), σ(x)²). Three stories of p(x|z): `VAE` tosses a coin for each pixel,
`GaussianVAE` adds one noise to all of them, `ConditionalVAE` is told the label y and knows p(x|z, y).

References: Kingma and Welling 2014, arXiv:1312.6114; Rezende, Mohamed and Wierstra 2014,
arXiv:1401.4082; Burda, Grosse and Salakhutdinov 2015, arXiv:1509.00519 (importance weights).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import GenerativeModel, Trainable, batch, labels, positive
from gen_utils.likelihoods import LOG_2PI, bernoulli_log_prob, kl_to_standard_normal, log_odds, normal_log_prob
from gen_utils.nets import mlp


class VAE(Trainable, GenerativeModel):
    """A VAE with one layer of Gaussian latents and Bernoulli pixels.

    A subclass that tells another story of p(x|z) overrides `log_likelihood`, `log_likelihood_table` and `mean`.

    Args:
        latent_dim: number of latent units, K.
        hidden_dims: widths of the encoder's hidden layers; the decoder mirrors them.
        event_shape: shape of one example.
        beta: weight of the rate in the loss, and in nothing else. Higgins et al. 2017.

    Raises:
        ValueError: a size that is not positive, or a negative beta.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (400, 400),
        event_shape: Sequence[int] = (1, 28, 28),
        beta: float = 1.0,
    ) -> None:
        super().__init__(event_shape, support=(0.0, 1.0))
        if not 0 <= beta < math.inf:
            raise ValueError(f"beta: expected a number that is not negative, got {beta}")
        self.latent_dim, self.beta = positive("latent_dim", latent_dim), beta
        D = math.prod(self.event_shape)
        self.encoder = mlp([D, *hidden_dims, 2 * latent_dim])
        self.decoder = mlp([latent_dim, *reversed(hidden_dims), D])

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Set the decoder's last biases, so that before training it draws the mean of `x`, whatever z is.

        Without, the first thing to learn is the black background; what z says is noise until then, and units that
        fall silent at that time seldom speak again.
        """
        brightness = self.check_x(x).mean(0).flatten()
        *_, bias = self.decoder.parameters()
        bias.copy_(log_odds(brightness))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Stage 1: the mean and standard deviation of q(z|x), two `(B, K)` from `(B, *event_shape)`."""
        return _gaussian(self.encoder(_centred(self.check_x(x))))

    def reparameterize(self, mu: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Stage 2: draw z = μ + σ·ε with ε ~ N(0, I), through which gradients reach μ and σ."""
        eps = torch.randn(mu.shape, generator=generator, device=mu.device)
        return mu + sigma * eps

    def decode(self, z: Tensor, *given: Tensor) -> Tensor:
        """Stage 3: the decoder's output, `(B, *event_shape)` from `(B, K)`: for Bernoulli pixels, their logits."""
        return self._decoded(batch("z", z, (self.latent_dim,), dtype=self.dtype), *given)

    def _decoded(self, z: Tensor) -> Tensor:
        # For z of our own making: where training diverged it is not finite, and that is for the trainer to say.
        return self.decoder(z).unflatten(1, self.event_shape)

    def log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Compute log p(x|z) from x and the decoder's output, both `(B, *event_shape)`: `(B,)` in nats."""
        return bernoulli_log_prob(x, decoded)

    def log_likelihood_table(self, x: Tensor, z: Tensor, *given: Tensor) -> Tensor:
        """Compute log p(x_i|z_j) for every pair: `(B, *event_shape)` and `(M, K)` to `(B, M)`, in nats."""
        # Σ_d x_d log p_d + (1 − x_d) log(1 − p_d) = Σ_d x_d logit_d − softplus(logit_d): one matrix product.
        logits = self.decode(z, *given).flatten(1)
        return self.check_x(x).flatten(1) @ logits.T - F.softplus(logits).sum(1)

    def mean(self, decoded: Tensor) -> Tensor:
        """Turn the decoder's output into E[x|z], same shape: for Bernoulli pixels, their probabilities."""
        return decoded.sigmoid()

    def loss(self, x: Tensor, *given: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Estimate −ELBO with one draw of z.

        `"loss"` is `"distortion"`, −log p(x|z), plus beta times `"rate"`, KL(q(z|x) ‖ p(z)) in closed form: each
        `(B,)` in nats.
        """
        mu, sigma = self.encode(x, *given)
        decoded = self._decoded(self.reparameterize(mu, sigma, generator), *given)
        distortion = -self.log_likelihood(x, decoded)
        rate = kl_to_standard_normal(mu, sigma).sum(1)
        return {"loss": distortion + self.beta * rate, "distortion": distortion, "rate": rate}

    @torch.no_grad()
    def elbo(self, x: Tensor, *given: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Estimate the ELBO, a lower bound of log p(x), with one draw of z, whatever beta is: `(B,)` in nats."""
        parts = self.loss(x, *given, generator=generator)
        return -(parts["distortion"] + parts["rate"])

    def log_weights(self, x: Tensor, k: int, *given: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw k latents from q(z|x) and return log p(x, z) − log q(z|x) of each, `(k, B)` in nats.

        Their mean is an estimate of the ELBO; the logarithm of their mean, one of the tighter bound L_k
        (Burda et al. 2015, eq. 8). Gradients pass, at the price of k times the memory: measure with
        `torch.no_grad()`.
        """
        mu, sigma = self.encode(x, *given)
        rows = []
        for _ in range(positive("k", k)):
            z = self.reparameterize(mu, sigma, generator)
            log_joint = self.log_likelihood(x, self._decoded(z, *given)) + normal_log_prob(z)
            rows.append(log_joint - normal_log_prob(z, mu, sigma))
        return torch.stack(rows)

    @torch.no_grad()
    def sample(self, n: int, *given: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from p(z) and return the grey pixels E[x|z], `(n, *event_shape)`.

        `binarize` them for samples of x itself.
        """
        weight = next(self.parameters())
        z = torch.randn(positive("n", n), self.latent_dim, generator=generator, device=weight.device)
        return self.mean(self.decode(z.to(weight.dtype), *given))


class GaussianVAE(VAE):
    """A VAE whose pixels are Gaussian: p(x|z) = N(decoder(z), σ²), with one σ, learned, for all of them.

    With `hidden_dims=()` it is linear, and at its optimum equal to probabilistic PCA (Lucas et al. 2019,
    arXiv:1911.02469). The optimal σ² is the mean squared error (Rybkin, Daniilidis and Levine 2021,
    arXiv:2006.13202).

    Args:
        latent_dim: number of latent units, K.
        hidden_dims: widths of the encoder's hidden layers; the decoder mirrors them.
        event_shape: shape of one example.
        sigma: standard deviation of a pixel given z, before training.

    Raises:
        ValueError: a size or a sigma that is not positive.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (400, 400),
        event_shape: Sequence[int] = (1, 28, 28),
        sigma: float = 1.0,
    ) -> None:
        super().__init__(latent_dim, hidden_dims, event_shape)
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma: expected a positive number, got {sigma}")
        self.support = (-math.inf, math.inf)
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma)))

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Set the decoder's last biases to the mean of `x`, and σ to the standard deviation of a pixel around it."""
        *_, bias = self.decoder.parameters()
        bias.copy_(self.check_x(x).mean(0).flatten())
        self.log_sigma.copy_(((x - x.mean(0)) ** 2).mean().sqrt().log())

    def log_likelihood(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Compute log N(x | decoded, σ²) over all pixels: `(B,)` in nats."""
        return self._log_likelihood(((x - decoded) ** 2).flatten(1).sum(1))

    def log_likelihood_table(self, x: Tensor, z: Tensor, *given: Tensor) -> Tensor:
        """Compute log p(x_i|z_j) for every pair: `(B, *event_shape)` and `(M, K)` to `(B, M)`, in nats."""
        return self._log_likelihood(torch.cdist(self.check_x(x).flatten(1), self.decode(z, *given).flatten(1)) ** 2)

    def _log_likelihood(self, squared_error: Tensor) -> Tensor:
        D = math.prod(self.event_shape)
        return -0.5 * squared_error / (2 * self.log_sigma).exp() - D * (self.log_sigma + 0.5 * LOG_2PI)

    def mean(self, decoded: Tensor) -> Tensor:
        """Return the decoder's output: it is E[x|z]."""
        return decoded


class ConditionalVAE(VAE):
    """A VAE of p(x|y): both networks are told the label y, so z need not carry it. Sohn, Lee and Yan 2015.

    Every method takes the labels, `(B,)` whole numbers, after its own arguments: `loss(x, y)`, `sample(n, y)`.

    Args:
        classes: number of labels.
        latent_dim: number of latent units, K.
        hidden_dims: widths of the encoder's hidden layers; the decoder mirrors them.
        event_shape: shape of one example.

    Raises:
        ValueError: a size that is not positive.
    """

    def __init__(
        self,
        classes: int = 10,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (400, 400),
        event_shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        super().__init__(latent_dim, hidden_dims, event_shape)
        self.classes = positive("classes", classes)
        # What y adds to the first layer: the same as one more input for each class, 1 for y and 0 for the others.
        self.encoder_label = nn.Embedding(classes, [*hidden_dims, 2 * latent_dim][0])
        self.decoder_label = nn.Embedding(classes, [*reversed(hidden_dims), math.prod(self.event_shape)][0])

    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Stage 1: the mean and standard deviation of q(z|x, y), two `(B, K)`."""
        first = self.encoder[0](_centred(self.check_x(x)))
        return _gaussian(self.encoder[1:](first + self.encoder_label(labels("y", y, self.classes, len(x)))))

    def _decoded(self, z: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        first = self.decoder[0](z) + self.decoder_label(labels("y", y, self.classes, len(z)))
        return self.decoder[1:](first).unflatten(1, self.event_shape)


def _centred(x: Tensor) -> Tensor:
    # With pixels 0…1, the first layer would spend its biases on undoing the black background.
    return 2 * x.flatten(1) - 1


def _gaussian(output: Tensor) -> tuple[Tensor, Tensor]:
    # Bounds that keep the loss finite while an encoder knows nothing yet.
    mu, log_sigma = output.chunk(2, dim=1)
    return mu, log_sigma.clamp(-7, 3).exp()
