r"""A U-Net for the diffusion of small images, cheap enough to learn digits on two processor cores in two minutes.

A U-Net processes an image at several resolutions and joins them, so that it sees strokes and their edges at once.
This one leaves out what costs most and helps least. The finest resolution is blocks of 2 × 2 pixels. At the coarsest,
a quarter of each side, one fully connected layer takes the place of more convolutions: it sees the complete image. A
weight of a convolution is used at every position, one of that layer at a single one; for digits, which are centred,
weights of a single position are worth their cost.

References: Ronneberger, Fischer and Brox 2015, arXiv:1505.04597 (U-Net); Ho, Jain and Abbeel 2020, arXiv:2006.11239
(for diffusion); Perez et al. 2018, arXiv:1709.07871 (FiLM); Zhang and Sennrich 2019, arXiv:1910.07467 (RMS norm);
Shi et al. 2016, arXiv:1609.05158 (blocks).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import positive
from gen_utils.nets import sinusoidal_embedding

EMBEDDING = 128  # features of the noise level and of the label
REDUCED = 16  # channels that the bottleneck's fully connected layer reads and writes
FLOOR = 1e-3  # added to the root mean square that a block divides by


class UNet(nn.Module):
    """The network of a diffusion model of small labelled images: v and c from x_t, the noise level and the label.

    Train it by `train_steps(ImageDiffusion(UNet()), x, y, batch_size=64, lr=5e-3, ...)`, and sample from an average
    of the weights: `AveragedModel(model, multi_avg_fn=average)`, as of a `ConvGAN`.

    Args:
        event_shape: channels, height and width of an image, `(C, H, W)`; H and W are divisible by 4.
        classes: number of labels; the index `classes` itself stands for "no label".
        width: channels of the map of H/2 × W/2 positions; that of H/4 × W/4 has twice as many.
        hidden: units of the fully connected layer.

    Raises:
        ValueError: a size that is not positive, or an `event_shape` that is not one of such images.
    """

    frequencies: Tensor

    def __init__(
        self, event_shape: Sequence[int] = (1, 28, 28), classes: int = 10, width: int = 16, hidden: int = 384
    ) -> None:
        super().__init__()
        if len(event_shape) != 3 or any(positive("event_shape", size) % 4 for size in event_shape[1:]):
            raise ValueError(f"event_shape: expected (C, H, W), H and W divisible by 4, got {tuple(event_shape)}")
        self.classes = positive("classes", classes)
        pixels = 4 * positive("event_shape", event_shape[0])  # numbers in a block of 2 × 2 pixels
        wide = 2 * positive("width", width)
        coarse = REDUCED, event_shape[1] // 4, event_shape[2] // 4
        self.register_buffer("frequencies", torch.logspace(-1, 0.5, 16), persistent=False)
        self.noise_embedding = nn.Linear(32, EMBEDDING)
        self.label_embedding = nn.Embedding(classes + 1, EMBEDDING)
        self.embedding = nn.Linear(EMBEDDING, EMBEDDING)
        self.conv_in = nn.Conv2d(pixels, width, 3, padding=1)  # (B, width, H/2, W/2)
        self.fine = Block(width, width, EMBEDDING)
        self.down = nn.Conv2d(width, wide, 2, stride=2)  # (B, wide, H/4, W/4)
        self.coarse = Block(wide, wide, EMBEDDING)
        self.bottleneck = Bottleneck(wide, coarse, positive("hidden", hidden), EMBEDDING)
        self.up = nn.Conv2d(wide, 4 * width, 1)  # (B, 4 width, H/4, W/4), then (B, width, H/2, W/2)
        self.joined = Block(2 * width, width, EMBEDDING)
        self.conv_out = zero_init(nn.Conv2d(width, pixels, 3, padding=1))  # v, in blocks of 2 × 2
        self.variance_out = zero_init(nn.Conv2d(width, pixels, 3, padding=1))  # and c
        self.variance_cond = zero_init(nn.Linear(EMBEDDING, pixels))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on processors

    def forward(self, x_t: Tensor, log_snr: Tensor, y: Tensor) -> Tensor:
        """Compute v and c, `(B, 2C, H, W)`, from x_t, `(B, C, H, W)`, log(ᾱ/(1 − ᾱ)) and y, `(B,)` each."""
        noise = self.noise_embedding(sinusoidal_embedding(log_snr, self.frequencies))
        cond = F.silu(self.embedding(F.silu(noise + self.label_embedding(y))))
        fine = self.fine(self.conv_in(F.pixel_unshuffle(x_t, 2)), cond)
        coarse = self.bottleneck(self.coarse(self.down(fine), cond), cond)
        joined = F.silu(self.joined(torch.cat([F.pixel_shuffle(self.up(coarse), 2), fine], 1), cond))
        # The bound trains c. Its gradient is rare and large, from the steps next to the data: v's layers do without.
        c = self.variance_out(joined.detach()) + self.variance_cond(cond.detach())[:, :, None, None]
        return F.pixel_shuffle(torch.cat([self.conv_out(joined), c], 1), 2)


class Block(nn.Module):
    """Two convolutions and a shortcut, `(B, i, H, W)` to `(B, o, H, W)`; FiLM between them scales and shifts.

    The input is divided by its root mean square, one number for each example. A convolution without bias is linear,
    so the division can wait until after it, where FiLM multiplies anyway: a norm that costs next to nothing.
    """

    def __init__(self, i: int, o: int, cond: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(i, o, 3, padding=1, bias=False)
        self.film = zero_init(nn.Linear(cond, 2 * o))
        self.second = zero_init(nn.Conv2d(o, o, 3, padding=1))
        self.shortcut = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """Compute the next map from the last one and from the embedding of noise and label, `(B, cond)`."""
        scale, shift = self.film(cond)[:, :, None, None].chunk(2, 1)
        h = torch.addcmul(shift, self.first(x), (1 + scale) / rms(x))
        return self.shortcut(x) + self.second(F.silu(h))


class Bottleneck(nn.Module):
    """A fully connected layer over all positions, and a shortcut: `(B, channels, H, W)` to the same.

    `reduced` is the shape of what the layer reads and writes: fewer channels, H and W.
    """

    def __init__(self, channels: int, reduced: tuple[int, int, int], hidden: int, cond: int) -> None:
        super().__init__()
        size = reduced[0] * reduced[1] * reduced[2]
        self.conv_in = nn.Conv2d(channels, reduced[0], 1)
        self.first = nn.Linear(size, hidden, bias=False)
        self.film = zero_init(nn.Linear(cond, 2 * hidden))
        self.second = nn.Linear(hidden, size)
        self.conv_out = zero_init(nn.Conv2d(reduced[0], channels, 1))

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """Compute the next map from the last one and from the embedding of noise and label, `(B, cond)`."""
        reduced = self.conv_in(x)
        scale, shift = self.film(cond).chunk(2, 1)
        h = torch.addcmul(shift, self.first(reduced.flatten(1)), (1 + scale) / rms(reduced).flatten(1))
        return x + self.conv_out(self.second(F.silu(h)).view_as(reduced))


def rms(x: Tensor) -> Tensor:
    """Compute the root mean square of each example, `(B, C, H, W)` to `(B, 1, 1, 1)`; `FLOOR` keeps it from 0."""
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True) / x[0].numel() ** 0.5 + FLOOR


def zero_init(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """Set a layer's weights to zero: at first it adds nothing."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
