r"""A drawing made into an image like MNIST's, as LeCun, Bottou, Bengio and Haffner describe it (1998, sec. III.A).

    image = A · ink · Bᵀ

The bounding box of the ink is scaled to a longer side of 20 pixels. Each pixel is the mean of the ink under it, which
gives grey levels as in MNIST. Then the image is shifted, by whole pixels, until its centre of mass lies in the pixel
(14, 14) of 28 × 28. Row i of A holds how much of each row of the drawing lies under row i of the image; B does the
same for columns. No shape depends on the drawing, so that the function can be exported.
"""

import torch
from torch import Tensor

from gen_utils.base import batch

SIDE = 280  # of a drawing, in pixels: ten for each of MNIST's
FIELD = 28
BOX = 20  # the longer side of the scaled ink, in pixels
MIDDLE = 14.5  # of the pixel with index 14, where the centre of mass goes; in MNIST it lies between 14 and 15


def prepare(ink: Tensor) -> Tensor:
    """Make a drawing into an image as MNIST was made: `(1, 1, 280, 280)` to `(1, 1, 28, 28)`, both in [0, 1].

    Ink is 1, paper 0. An empty drawing becomes an empty image.

    Raises:
        TypeError: not a tensor of floating-point numbers.
        ValueError: another shape, more than one drawing, not finite, or outside [0, 1].
    """
    batch("ink", ink, (1, SIDE, SIDE), (0.0, 1.0))
    if len(ink) != 1:
        raise ValueError(f"ink: expected one drawing (1, 1, {SIDE}, {SIDE}), got shape {tuple(ink.shape)}")
    drawing = ink[0, 0]
    top, height = _extent(drawing.amax(1))
    left, width = _extent(drawing.amax(0))
    pixel = torch.maximum(height, width) / BOX  # the side of a pixel of the image, in pixels of the drawing
    A = _place(drawing.sum(1), top, height, pixel)
    B = _place(drawing.sum(0), left, width, pixel)
    return (A @ drawing @ B.T).clamp(0, 1)[None, None]


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    # The first pixel with ink, and the number of pixels from there to the last one; 1 if there is no ink.
    place = torch.arange(SIDE, device=line.device, dtype=line.dtype)
    first = torch.where(line > 0, place, SIDE).amin(0)
    last = torch.where(line > 0, place, -1).amax(0)
    return first, (last - first + 1).clamp(min=1)


def _place(mass: Tensor, start: Tensor, length: Tensor, pixel: Tensor) -> Tensor:
    # The matrix (28, 280) that shrinks one direction to the box and shifts the box to its place in the field.
    row = torch.arange(FIELD, device=mass.device, dtype=mass.dtype)
    inside = _overlap(start, pixel, row) @ mass  # where the mass lies before the shift
    centre = ((row + 0.5) * inside).sum() / inside.sum().clamp(min=1e-6)
    highest = FIELD - torch.ceil(length / pixel - 1e-3)  # keeps an asymmetric drawing inside the field
    offset = torch.minimum((MIDDLE - centre).round().clamp(min=0), highest)
    return _overlap(start, pixel, row - offset)


def _overlap(start: Tensor, pixel: Tensor, row: Tensor) -> Tensor:
    # How much of row i of the image each pixel of the drawing covers: its weight in the mean, (28, 280).
    low = torch.arange(SIDE, device=row.device, dtype=row.dtype) - start
    begin = (row * pixel)[:, None]
    shared = torch.minimum(begin + pixel, low + 1) - torch.maximum(begin, low)
    return shared.clamp(min=0) / pixel
