r"""A convolutional GAN with labels, small enough to learn digits on two processor cores in two minutes.

    D minimises  −log D(x|y) − log(1 − D(G(z, y)|y)) + γ/2 · |∇ₓ logit D(x|y)|²,     G minimises  −log D(G(z, y)|y)

Its networks are small versions of DCGAN's: convolutions and transposed convolutions of stride 2, and batch
normalisation in the generator. The discriminator has no normalisation: no example's logit depends on another example,
as the penalty R1 on its gradient requires. The finest resolution, where a convolution costs most, comes from blocks
of 2 × 2 pixels.

References: Radford, Metz and Chintala 2016, arXiv:1511.06434 (DCGAN); Mirza and Osindero 2014, arXiv:1411.1784
(labels); Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406 (R1, no momentum, averaged weights); Shi et al. 2016,
arXiv:1609.05158 (blocks).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import positive
from gen_utils.models.gan import GAN, r1_penalty

GAMMA = 1.0  # weight of R1
SHARE = 8  # R1 is computed on one eighth of the batch: unbiased, and an eighth of the work


class ConvGAN(GAN):
    """A conditional GAN of images `(B, C, H, W)` in [0, 1]: every method takes their labels y, `(B,)`.

    Train it by `train_gan_steps(model, x, y, ...)` at a learning rate that is large at first, 6e-3, and falls as the
    cube of the time left: it learns fast, and at a rate that stays high it can lose everything again. Sample from an
    average of its weights: `AveragedModel(model, multi_avg_fn=average)` of `torch.optim.swa_utils` and `train`,
    updated after every step.

    Args:
        classes: number of labels.
        latent_dim: number of latent units, K.
        generator_width: channels of the generator's map at half the image's height and width; the map at a quarter
            has twice as many.
        discriminator_width: channels of the discriminator's map at half the image's height and width; the next two
            have twice and four times as many.
        event_shape: channels, height and width of an image.

    Raises:
        ValueError: a size that is not positive, or an image whose height or width is no multiple of 4.
    """

    betas = (0.0, 0.99)  # its learning rate was chosen with these

    def __init__(
        self,
        classes: int = 10,
        latent_dim: int = 32,
        generator_width: int = 24,
        discriminator_width: int = 16,
        event_shape: Sequence[int] = (1, 28, 28),
    ) -> None:
        super().__init__(latent_dim, (), event_shape)
        if len(self.event_shape) != 3 or any(size % 4 for size in self.event_shape[1:]):
            raise ValueError(f"event_shape: expected (C, H, W), H and W multiples of 4, got {self.event_shape}")
        self.support, self.classes = (0.0, 1.0), positive("classes", classes)
        g, d = positive("generator_width", generator_width), positive("discriminator_width", discriminator_width)
        self.generator = ConvGenerator(classes, latent_dim, g, self.event_shape)
        self.discriminator = ConvDiscriminator(classes, d, self.event_shape)
        # Convolutions on a CPU are faster with this order in memory: 1.5 times as many steps a second.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def discriminator_loss(
        self, x: Tensor, y: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute the discriminator's loss on x and as many generated images of the same labels: `"loss"`, `(B,)`.

        Its `"penalty"`, R1, is computed on the first eighth of the batch, times 8, and is 0 for the rest.
        """
        loss = super().discriminator_loss(x, y, generator=generator)["loss"]
        few = max(1, len(x) // SHARE)
        labels = [y[:few] for y in self._labels(y, len(x))]
        penalty = r1_penalty(lambda x: self.discriminator(x, *labels), x[:few], GAMMA * len(x) / few)
        penalty = F.pad(penalty, (0, len(x) - few))
        return {"loss": loss + penalty, "penalty": penalty}


class ConvGenerator(nn.Module):
    """Noise z, `(B, K)`, and labels, `(B,)`, to images `(B, C, H, W)`."""

    def __init__(self, classes: int, latent_dim: int, width: int, event_shape: Sequence[int]) -> None:
        super().__init__()
        C, H, W = event_shape
        self.embedding = nn.Embedding(classes, latent_dim)
        self.body = nn.Sequential(
            # Biases come with the normalisation.
            nn.Linear(2 * latent_dim, 2 * width * (H // 4) * (W // 4), bias=False),
            nn.Unflatten(1, (2 * width, H // 4, W // 4)),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),  # (B, width, H/2, W/2)
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 4 * C, 3, padding=1),  # (B, 4 C, H/2, W/2): at each place, a block of 2 × 2 pixels
            nn.PixelShuffle(2),  # (B, C, H, W)
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Compute the images, in [0, 1]."""
        return self.body(torch.cat([z, self.embedding(y)], 1))


class ConvDiscriminator(nn.Module):
    """Images `(B, C, H, W)` and labels, `(B,)`, to logits `(B,)` of the probability that an image is real."""

    def __init__(self, classes: int, width: int, event_shape: Sequence[int]) -> None:
        super().__init__()
        C, H, W = event_shape
        self.body = nn.Sequential(
            nn.Conv2d(C, width, 4, stride=2, padding=1),  # (B, width, H/2, W/2)
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # (B, 2 width, H/4, W/4)
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),  # (B, 4 width, ⌈H/8⌉, ⌈W/8⌉)
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(4 * width * math.ceil(H / 8) * math.ceil(W / 8), classes),
        )

    def logits(self, x: Tensor) -> Tensor:
        """Compute the logit of each image as an image of each label: `(B, classes)`."""
        return self.body(x)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compute the logit of each image as an image of its own label, `(B,)`."""
        return self.logits(x).gather(1, y[:, None]).squeeze(1)
