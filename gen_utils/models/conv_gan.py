r"""A convolutional GAN that is told the label, small enough to learn digits on two processor cores in two minutes.

    D minimises  −log D(x|y) − log(1 − D(G(z, y)|y)) + γ/2 · |∇ₓ logit D(x|y)|²,     G minimises  −log D(G(z, y)|y)

Its networks are DCGAN's in small: strides and transposed convolutions of 2, batch normalisation in the generator.
The discriminator has no normalisation, so that no example's logit depends on another example, and the penalty on its
slope, R1, means what it says. The finest resolution, where a convolution costs most, is left to blocks of 2 × 2.

References: Radford, Metz and Chintala 2016, arXiv:1511.06434 (DCGAN); Mirza and Osindero 2014, arXiv:1411.1784
(labels); Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406 (R1, no momentum, averaged weights); Shi et al. 2016,
arXiv:1609.05158 (blocks).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import grad

from gen_utils.base import labels, positive
from gen_utils.models.gan import GAN

GAMMA = 1.0  # weight of R1
SHARE = 8  # the slope is taken at one real example in so many: unbiased, at a fraction of the work


class ConvGAN(GAN):
    """A GAN of grey images `(B, 1, 28, 28)` in [0, 1], each with a label y, `(B,)`, which is always told.

    Train it by `train_gan_steps(model, x, y, ...)` at a learning rate that is large at first, 6e-3, and
    falls as the cube of the time left: it learns fast, and at a rate that stays high it can lose everything again.
    Sample from an average of its weights: `AveragedModel(model, multi_avg_fn=average)` of `torch.optim.swa_utils` and
    `train`, updated after every step.

    Args:
        classes: number of labels.
        latent_dim: number of latent units, K.
        generator_width: channels of the generator's map of 14 × 14 places; that of 7 × 7 has twice as many.
        discriminator_width: channels of the discriminator's map of 14 × 14; then twice and four times as many.

    Raises:
        ValueError: a size that is not positive.
    """

    betas = (0.0, 0.99)  # what its learning rate was found with

    def __init__(
        self, classes: int = 10, latent_dim: int = 32, generator_width: int = 24, discriminator_width: int = 16
    ) -> None:
        super().__init__(latent_dim, (), (1, 28, 28))
        self.support, self.classes = (0.0, 1.0), positive("classes", classes)
        self.generator = ConvGenerator(classes, latent_dim, positive("generator_width", generator_width))
        self.discriminator = ConvDiscriminator(classes, positive("discriminator_width", discriminator_width))
        # As processors like it: half as fast again.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def sample(self, n: int, y: Tensor, generator: torch.Generator | None = None) -> Tensor:  # type: ignore[override]
        """Draw n images, one of each label of y, `(n,)`: `(n, 1, 28, 28)` in [0, 1], without gradient."""
        return super().sample(n, labels("y", y, self.classes, positive("n", n)), generator=generator)

    def discriminator_loss(  # type: ignore[override]
        self, x: Tensor, y: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute what the discriminator minimises on x and as many samples of the same labels: `"loss"`, `(B,)`.

        R1 stands at the first eighth of the batch, eightfold, and is 0 at the rest.
        """
        loss = super().discriminator_loss(x, labels("y", y, self.classes, len(x)), generator=generator)["loss"]
        few = max(1, len(x) // SHARE)
        slope = grad(lambda x: self.discriminator(x, y[:few]).sum())(x[:few])
        penalty = F.pad(GAMMA / 2 * len(x) / few * slope.square().flatten(1).sum(1), (0, len(x) - few))
        return {"loss": loss + penalty, "penalty": penalty}

    def generator_loss(  # type: ignore[override]
        self, n: int, y: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute what the generator minimises on n samples, one of each label of y: `"loss"`, `(n,)`."""
        return super().generator_loss(n, labels("y", y, self.classes, n), generator=generator)


class ConvGenerator(nn.Module):
    """Noise z, `(B, K)`, and labels, `(B,)`, to images `(B, 1, 28, 28)`."""

    def __init__(self, classes: int, latent_dim: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent_dim)
        self.body = nn.Sequential(
            nn.Linear(2 * latent_dim, 2 * width * 49, bias=False),  # biases come with the normalisation
            nn.Unflatten(1, (2 * width, 7, 7)),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),  # (B, width, 14, 14)
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 4, 3, padding=1),  # (B, 4, 14, 14): each place's four pixels
            nn.PixelShuffle(2),  # (B, 1, 28, 28)
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Compute the images, in [0, 1]."""
        return self.body(torch.cat([z, self.embedding(y)], 1))


class ConvDiscriminator(nn.Module):
    """Images `(B, 1, 28, 28)` and labels, `(B,)`, to logits `(B,)` of the probability that an image is real."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),  # (B, width, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # (B, 2 width, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),  # (B, 4 width, 4, 4)
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(4 * width * 16, classes),
        )

    def logits(self, x: Tensor) -> Tensor:
        """Judge each image as an image of each label: `(B, classes)`."""
        return self.body(x)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge each image as one of its own label."""
        return self.logits(x).gather(1, y[:, None]).squeeze(1)
