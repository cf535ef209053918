r"""A U-Net for the diffusion of small images, cheap enough to learn digits on two processor cores in two minutes.

A U-Net looks at an image at several resolutions and joins them, so that it sees strokes and their edges at once.
This one leaves out what costs most and says least. The finest resolution is left to blocks of 2 × 2 pixels, and the
coarsest is not a map at all: at 7 × 7 places one fully connected layer sees the whole image. A weight of a
convolution works at every place, one of that layer once, and a centred digit repays weights that know their place.

References: Ronneberger, Fischer and Brox 2015, arXiv:1505.04597 (U-Net); Ho, Jain and Abbeel 2020, arXiv:2006.11239
(for diffusion); Perez et al. 2018, arXiv:1709.07871 (FiLM); Zhang and Sennrich 2019, arXiv:1910.07467 (RMS norm);
Shi et al. 2016, arXiv:1609.05158 (blocks).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gen_utils.base import positive

PLACES = 7  # of the coarse map, in each direction
SLIM = 16  # channels of the coarse map that the fully connected layer reads and writes
FLOOR = 1e-3  # added to the root mean square that a block divides by


class UNet(nn.Module):
    """The network of a diffusion model of grey images `(B, 1, 28, 28)` that are told a label: v and c.

    Train it by `train_steps(ImageDiffusion(UNet()), x, y, batch_size=64, lr=5e-3, ...)`, and sample from an average
    of the weights: `AveragedModel(model, multi_avg_fn=average)`, as of a `ConvGAN`.

    Args:
        classes: number of labels; the number `classes` itself means that none is told.
        width: channels of the map of 14 × 14 places; that of 7 × 7 has twice as many.
        hidden: units of the fully connected layer.

    Raises:
        ValueError: a size that is not positive.
    """

    def __init__(self, classes: int = 10, width: int = 16, hidden: int = 384) -> None:
        super().__init__()
        wide, told = 2 * positive("width", width), 128
        self.noise = Waves(told)
        self.label = nn.Embedding(positive("classes", classes) + 1, told)
        self.tell = nn.Linear(told, told)
        self.enter = nn.Conv2d(4, width, 3, padding=1)  # (B, width, 14, 14): each place's four pixels
        self.fine = Block(width, width, told)
        self.down = nn.Conv2d(width, wide, 2, stride=2)  # (B, wide, 7, 7)
        self.coarse = Block(wide, wide, told)
        self.whole = Whole(wide, positive("hidden", hidden), told)
        self.up = nn.Conv2d(wide, 4 * width, 1)  # (B, 4 width, 7, 7), then (B, width, 14, 14)
        self.joined = Block(2 * width, width, told)
        self.leave = zero_init(nn.Conv2d(width, 4, 3, padding=1))  # (B, 4, 14, 14): each place's four pixels of v
        self.spread = zero_init(nn.Conv2d(width, 4, 3, padding=1))  # and of c
        self.spread_told = zero_init(nn.Linear(told, 4))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as processors like it

    def forward(self, x_t: Tensor, log_snr: Tensor, y: Tensor) -> Tensor:
        """Compute v and c, `(B, 2, 28, 28)`, from x_t, `(B, 1, 28, 28)`, log(ᾱ/(1 − ᾱ)) and y, `(B,)` each."""
        told = F.silu(self.tell(F.silu(self.noise(log_snr) + self.label(y))))
        fine = self.fine(self.enter(F.pixel_unshuffle(x_t, 2)), told)
        coarse = self.whole(self.coarse(self.down(fine), told), told)
        joined = F.silu(self.joined(torch.cat([F.pixel_shuffle(self.up(coarse), 2), fine], 1), told))
        # c looks on without a say: what trains it, the bound, comes in rare and heavy blows, from the last few steps.
        c = self.spread(joined.detach()) + self.spread_told(told.detach())[:, :, None, None]
        return F.pixel_shuffle(torch.cat([self.leave(joined), c], 1), 2)


class Waves(nn.Module):
    """A number, `(B,)`, as features `(B, size)`: sines and cosines of it, from slow to fast, and a linear layer."""

    frequency: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("frequency", torch.logspace(-1, 0.5, 16))
        self.linear = nn.Linear(32, size)

    def forward(self, log_snr: Tensor) -> Tensor:
        """Compute the features."""
        angle = log_snr[:, None] * self.frequency
        return self.linear(torch.cat([angle.sin(), angle.cos()], 1))


class Block(nn.Module):
    """Two convolutions beside a shortcut: `(B, i, H, W)` to `(B, o, H, W)`; noise and label scale and shift between.

    The input is divided by its root mean square, one number for each example. A convolution without bias is linear,
    so the division waits until after it, where a scale is due anyway: a norm that costs next to nothing.
    """

    def __init__(self, i: int, o: int, told: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(i, o, 3, padding=1, bias=False)
        self.film = zero_init(nn.Linear(told, 2 * o))
        self.second = zero_init(nn.Conv2d(o, o, 3, padding=1))
        self.shortcut = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Compute the next map from the last and from what is told, `(B, told)`."""
        scale, shift = self.film(told)[:, :, None, None].chunk(2, 1)
        h = torch.addcmul(shift, self.first(x), (1 + scale) / rms(x))
        return self.shortcut(x) + self.second(F.silu(h))


class Whole(nn.Module):
    """A fully connected layer over all places, beside a shortcut: `(B, channels, 7, 7)` to the same."""

    def __init__(self, channels: int, hidden: int, told: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, SLIM, 1)
        self.first = nn.Linear(SLIM * PLACES**2, hidden, bias=False)
        self.film = zero_init(nn.Linear(told, 2 * hidden))
        self.second = nn.Linear(hidden, SLIM * PLACES**2)
        self.leave = zero_init(nn.Conv2d(SLIM, channels, 1))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Compute the next map from the last and from what is told, `(B, told)`."""
        slim = self.enter(x)
        scale, shift = self.film(told).chunk(2, 1)
        h = torch.addcmul(shift, self.first(slim.flatten(1)), (1 + scale) / rms(slim).flatten(1))
        return x + self.leave(self.second(F.silu(h)).view_as(slim))


def rms(x: Tensor) -> Tensor:
    """Compute the root mean square of each example, `(B, C, H, W)` to `(B, 1, 1, 1)`, kept from 0."""
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True) / x[0].numel() ** 0.5 + FLOOR


def zero_init(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """Set a layer's weights to zero, so that what it adds is learnt from nothing."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
