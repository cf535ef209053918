r"""Autoencoders: a network that reproduces its input through a narrow layer, and so has to keep what matters.

    z = f(x)          x̂ = g(z)          L(w) = 1/N Σ_n ‖x_n − g(f(x_n))‖²

`LinearAutoencoder` finds PCA's subspace, `Autoencoder` has hidden layers and can bend, and with `classes` its decoder
takes the label too. `DenoisingAutoencoder` reproduces its input from a noisy copy. None is a generative model:
nothing says which codes are probable, so none has `sample`. Losses are squared errors, no likelihoods, and so not in
nats.

References: Bourlard and Kamp 1988, and Baldi and Hornik 1989 (linear: PCA); Hinton and Salakhutdinov 2006 (deep);
Vincent, Larochelle, Bengio and Manzagol 2008 (denoising); Vincent 2011 (its residual is a score).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gen_utils.base import Trainable, batch, positive
from gen_utils.likelihoods import log_odds
from gen_utils.nets import ConditionalMLP, mlp
from gen_utils.precision import positive_float


class Autoencoder(Trainable):
    """An encoder to K numbers and a decoder back, trained together to reproduce their input.

    Buffer `mu` `(D,)` is subtracted from the encoder's input: 0 before `start_from`.

    Args:
        latent_dim: length of the code, K.
        hidden_dims: widths of the encoder's hidden layers; the decoder mirrors them.
        event_shape: shape of one example.
        support: lowest and highest value of an example; the decoder's output stays inside. Both may be infinite.
        classes: number of labels of the decoder, or `None` for a model without labels. The encoder takes none.

    Raises:
        ValueError: a size that is not positive, or a support with only one finite end.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (256, 128),
        event_shape: Sequence[int] = (1, 28, 28),
        support: tuple[float, float] = (0.0, 1.0),
        classes: int | None = None,
    ) -> None:
        super().__init__(event_shape, support, classes)
        low, high = support
        self.bounded = math.isfinite(low) and math.isfinite(high)
        if not low < high or self.bounded != (math.isfinite(low) or math.isfinite(high)):
            raise ValueError(f"support: expected two finite ends or (-inf, inf), the lower first, got {support}")
        self.latent_dim = positive("latent_dim", latent_dim)
        D = math.prod(self.event_shape)
        self.mu: Tensor
        self.register_buffer("mu", torch.zeros(D))
        self.encoder = mlp([D, *hidden_dims, latent_dim])
        self.decoder = ConditionalMLP([latent_dim, *reversed(hidden_dims), D], classes)

    @torch.no_grad()
    def start_from(self, x: Tensor) -> None:
        """Subtract the mean of `x` from the encoder's input, and set the decoder's last biases to add it again.

        Without this, all gradients of the first layer share one direction, the mean's, and training takes longer.
        """
        mean = self.check_x(x).mean(0).flatten()
        self.mu.copy_(mean)
        if self.bounded:
            low, high = self.support
            mean = log_odds((mean - low) / (high - low))
        *_, bias = self.decoder.parameters()
        bias.copy_(mean)

    def encode(self, x: Tensor) -> Tensor:
        """Compute the code z = f(x), `(B, K)` from `(B, *event_shape)`."""
        return self._encoded(self.check_x(x))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Compute x̂ = g(z), or g(z, y), `(B, *event_shape)` from `(B, K)`, inside the support."""
        return self._decoded(batch("z", z, (self.latent_dim,), dtype=self.dtype), self.check_y(y, len(z)))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Compute x̂ = g(f(x)), or g(f(x), y), same shape as `x`."""
        return self._decoded(self.encode(x), self.check_y(y, len(x)))

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute the squared error ‖x − x̂‖², summed over dimensions: `(B,)`. Nothing in it is random."""
        return {"loss": (x - self.reconstruct(x, y)).square().flatten(1).sum(1)}

    def _encoded(self, x: Tensor) -> Tensor:
        return self.encoder(x.flatten(1) - self.mu)

    def _decoded(self, z: Tensor, y: Tensor | None) -> Tensor:
        # z is not checked: where training diverged it is not finite, and the training loop reports it.
        output = self.decoder(z, y)
        if self.bounded:
            low, high = self.support
            output = low + (high - low) * output.sigmoid()
        return output.unflatten(1, self.event_shape)


class LinearAutoencoder(Autoencoder):
    """An autoencoder without hidden layers and with an unbounded output: it cannot do better than PCA.

    At its optimum the decoder's columns span the same subspace as the K leading eigenvectors of the data's
    covariance, and the mean loss is the sum of the other eigenvalues. Every other point without a gradient is a
    saddle. Bourlard and Kamp 1988; Baldi and Hornik 1989. Its arguments are those of `Autoencoder`.

    Raises:
        ValueError: a size that is not positive.
    """

    def __init__(self, latent_dim: int = 16, event_shape: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__(latent_dim, (), event_shape, (-math.inf, math.inf))


class DenoisingAutoencoder(Autoencoder):
    """An autoencoder whose input is x + σε and whose target is x. Vincent et al. 2008.

    The best output is E[x|x + σε], and by Tweedie's formula its residual is σ² times the score of the noisy data's
    density, p(x) smoothed by N(0, σ²). Vincent 2011, doi:10.1162/NECO_a_00142. The code may be longer than the
    example: the noise, not a narrow layer, keeps the model from learning the identity.

    Args:
        sigma: standard deviation of the noise. The arguments that are not listed are those of `Autoencoder`.
        support: lowest and highest value of an example without noise. Both may be infinite.

    Raises:
        ValueError: a size or a sigma that is not positive, or a support with only one finite end.
    """

    def __init__(
        self,
        sigma: float,
        latent_dim: int = 64,
        hidden_dims: Sequence[int] = (256,),
        event_shape: Sequence[int] = (1, 28, 28),
        support: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__(latent_dim, hidden_dims, event_shape, support)
        self.sigma = positive_float("sigma", sigma)

    def denoise(self, x_noisy: Tensor) -> Tensor:
        """Estimate E[x|x_noisy], same shape as `x_noisy`, whose values may be outside the support."""
        return self._decoded(self._encoded(batch("x_noisy", x_noisy, self.event_shape, dtype=self.dtype)), None)

    def score(self, x_noisy: Tensor) -> Tensor:
        """Estimate ∇ log p_σ(x_noisy), same shape: p_σ is the density of x + σε. Vincent 2011."""
        return (self.denoise(x_noisy) - x_noisy) / self.sigma**2

    def loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute ‖x − denoise(x + σε)‖² with one draw of the noise, summed over dimensions: `(B,)`."""
        self.check_y(y, len(self.check_x(x)))
        eps = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return {"loss": (x - self.denoise(x + self.sigma * eps)).square().flatten(1).sum(1)}
