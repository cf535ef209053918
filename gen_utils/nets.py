"""Networks that the models share: plain functions from tensors to tensors, without losses or noise."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gen_utils.base import positive


class RoundedReLU(nn.Module):
    """A ReLU whose corner is rounded: x · σ(10 x), so that its slope has no jump.

    At a corner, one example whose sign is decided by a rounded bit sends two computers' trainings different ways.
    Swish with β = 10, Ramachandran, Zoph and Le 2017, arXiv:1710.05941.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Bend each number: any shape to the same shape."""
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
