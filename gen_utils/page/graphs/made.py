"""Two ways to draw from a MADE, as functions to be exported: in rounds over all pixels, or pixel by pixel."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.scan import scan

from gen_utils.models.made import MADE, MaskedLinear

BANDS = 8  # that a masked matrix is cut into, so that most of its zeros are left out of the file


def draw_in_rounds(model: MADE) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Build the function of one round of drawing.

    It takes x, u and chosen, and returns the next x and p; all are `(B, *event_shape)`. `u` is uniform noise,
    `chosen` is 1 where a pixel is to be drawn and 0 where it is kept, and `p` holds all conditionals. If one pixel
    after the other is chosen, in raster order, the result is a draw from the model. If all missing pixels are chosen
    at once, each round makes at least the first wrong pixel right. Repeated until nothing changes, it gives the same
    image, usually after far fewer rounds (Song et al. 2021, arXiv:2002.03629).
    """
    *hidden, output, direct = [_bands(layer) for layer in (*model.hidden, model.output, model.direct)]
    biases = [layer.bias.detach().clone() for layer in (*model.hidden, model.output)]

    def draw(x: Tensor, u: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        pixels = units = 2 * x.flatten(1) - 1
        for bands, bias in zip(hidden, biases, strict=False):
            units = F.silu(_linear(units, bands) + bias)
        logits = _linear(units, output) + _linear(pixels, direct) + biases[-1]
        p = logits.sigmoid().unflatten(1, model.event_shape)
        return torch.where(chosen > 0, (u < p).to(x.dtype), x), p

    return draw


def draw_by_pixels(model: MADE) -> Callable[[Tensor], Tensor]:
    """Build the function that draws images pixel by pixel, from uniform noise to 0 and 1, `(B, *event_shape)` both.

    The inputs of the hidden units and of the logits are running sums, to which each new pixel adds its column. All
    pixels together cost about as much as one pass of the network, as in `MADE.sample`.

    Args:
        model: one with a single hidden layer.

    Raises:
        ValueError: more hidden layers, or none.
    """
    if len(model.hidden) != 1:
        raise ValueError(f"model: expected a MADE with one hidden layer, got {len(model.hidden)}")
    layers = (*model.hidden, model.output, model.direct)
    bands = [(_bands(layer), layer.in_features) for layer in layers]
    biases = [layer.bias.detach() for layer in layers[:2]]

    def draw(u: Tensor) -> Tensor:
        noise = u.flatten(1).T  # (D, B)
        to_hidden, to_output, direct = (_matrix(*each) for each in bands)
        D, B = noise.shape

        def pixel(sums: tuple[Tensor, Tensor], given: tuple[Tensor, ...]) -> tuple[tuple[Tensor, Tensor], Tensor]:
            units, logits = sums
            d, u_d, to_hidden_d, to_output_d, direct_d = given
            logit = logits.index_select(1, d)[:, 0] + F.silu(units) @ to_output_d
            x_d = (u_d < logit.sigmoid()).to(u.dtype)
            centred = (2 * x_d - 1)[:, None]
            return (units + centred * to_hidden_d, logits + centred * direct_d), x_d

        zeros = 0 * u.flatten(1)[:, :1]  # (B, 1); made from u, since a constant would be stored B times
        sums = tuple(zeros + bias for bias in biases)
        rows = torch.arange(D)[:, None], noise, to_hidden.T, to_output, direct.T
        _, x = scan(pixel, sums, rows)
        return x.T.reshape(B, *model.event_shape)

    return draw


def _bands(layer: MaskedLinear) -> list[Tensor]:
    # Bands of rows of the masked weight, each without the columns that are zero at its end.
    size = math.ceil(len(layer.weight) / BANDS)
    pairs = zip(layer.masked_weight().detach().split(size), layer.mask.split(size), strict=True)
    return [weight[:, : int(mask[-1].sum())].clone() for weight, mask in pairs]


def _linear(x: Tensor, bands: list[Tensor]) -> Tensor:
    return torch.cat([x[:, : band.shape[1]] @ band.T for band in bands], 1)


def _matrix(bands: list[Tensor], width: int) -> Tensor:
    # The masked weight again. Written by pairs, so that the graph stores the bands and not the result.
    matrix, *rest = bands
    for band in rest:
        matrix = torch.cat([F.pad(matrix, (0, band.shape[1] - matrix.shape[1])), band])
    return F.pad(matrix, (0, width - matrix.shape[1]))
