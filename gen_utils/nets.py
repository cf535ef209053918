"""Networks that the models share: plain functions from tensors to tensors, without losses or noise."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn

from gen_utils.base import positive


class RoundedReLU(nn.Module):
    """A ReLU whose corner is rounded: x · σ(10 x). Its slope has no jump.

    Two computers round differently. With a jump in the slope, one example near the corner is enough, and two
    trainings from the same start go different ways. Swish with β = 10 of Ramachandran et al. 2017, arXiv:1710.05941.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to each number: any shape to the same shape."""
        return x * (10 * x).sigmoid()


def mlp(sizes: Sequence[int], activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """Build a multilayer perceptron: `(B, sizes[0])` to `(B, sizes[-1])`, `activation` between the layers.

    Raises:
        ValueError: fewer than two sizes, or one that is not positive.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes: expected an input and an output size at least, got {list(sizes)}")
    sizes = [positive("sizes", size) for size in sizes]
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), activation()]
    return nn.Sequential(*layers[:-1])


class ConditionalMLP(nn.Module):
    """A multilayer perceptron that may also take a label: the label's embedding is added to its first layer.

    This is the same as one more input for each class: 1 for the label's class and 0 for the others.

    Args:
        sizes: numbers of inputs, of hidden units layer by layer, and of outputs.
        classes: number of labels, or `None` for a network that takes none.

    Raises:
        ValueError: fewer than two sizes, or a number that is not positive.
    """

    def __init__(self, sizes: Sequence[int], classes: int | None = None) -> None:
        super().__init__()
        layers = mlp(sizes)
        self.embedding = None if classes is None else nn.Embedding(positive("classes", classes), sizes[1])
        self.layers = layers  # last, so that the network's last parameter is the bias of its outputs

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Compute `(B, sizes[-1])` from `(B, sizes[0])` and the labels, `(B,)`, if the network takes any."""
        first = self.layers[0](x)
        return self.layers[1:](first if self.embedding is None else first + self.embedding(y))


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode, and then each of its modules back into the mode that it was in."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


class Denoiser(nn.Module):
    """The network of a diffusion model of points: a velocity v, and a coefficient c for each variance.

    A multilayer perceptron of x_t and of the sinusoidal embeddings of its coordinates and of the noise level. A
    perceptron of the coordinates alone learns narrow shapes slowly. Tancik et al. 2020, arXiv:2006.10739.

    Args:
        dims: number of dimensions, D.
        hidden_dims: widths of the hidden layers.

    Raises:
        ValueError: a size that is not positive.
    """

    frequencies: Tensor
    noise_frequencies: Tensor

    def __init__(self, dims: int = 2, hidden_dims: Sequence[int] = (128, 128)) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.tensor([1.0, 2.0, 4.0]), persistent=False)
        # log(ᾱ/(1 − ᾱ)) runs through about 40: the longest wave is twice that, each next one half as long.
        octaves = 2 * math.pi / 80 * 2.0 ** torch.arange(6)
        self.register_buffer("noise_frequencies", octaves, persistent=False)
        self.body = mlp([7 * positive("dims", dims) + 12, *hidden_dims, 2 * dims])

    def forward(self, x_t: Tensor, log_snr: Tensor) -> Tensor:
        """Compute `(B, 2D)`, v and then c, from noisy points, `(B, D)`, and log(ᾱ/(1 − ᾱ)) of each, `(B,)`."""
        coordinates = sinusoidal_embedding(x_t, self.frequencies)
        noise = sinusoidal_embedding(log_snr, self.noise_frequencies)
        return self.body(torch.cat([x_t, coordinates, noise], 1))


def sinusoidal_embedding(x: Tensor, frequencies: Tensor) -> Tensor:
    """Embed numbers as sines and cosines at several frequencies, first all sines. Vaswani et al. 2017, section 3.5.

    x `(B,)` or `(B, D)` and F frequencies `(F,)`, in radians per unit of x, to `(B, 2F)` or `(B, 2DF)`.
    """
    angle = (x[..., None] * frequencies).flatten(1)
    return torch.cat([angle.sin(), angle.cos()], 1)
