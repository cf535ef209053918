r"""A drawing made into an image like MNIST's, as LeCun, Bottou, Bengio and Haffner describe it (1998, sec. III.A).

    image = A · ink · Bᵀ

The ink's bounding box is scaled, keeping its proportions, until its longer side is 20 pixels; each pixel is the mean
of the ink under it, which is where MNIST's grey levels come from; and the whole is moved, by whole pixels, until its
centre of mass lies in the pixel (14, 14) of 28 × 28. Row i of A holds how much of each row of the drawing lies under
row i of the image, B does the same for columns. Shapes never depend on the drawing, so the page can run it.
"""

import torch
from torch import Tensor

from gen_utils.base import batch

SIDE = 280  # of a drawing, in pixels: ten for each of MNIST's
FIELD = 28
BOX = 20  # the longer side of what is drawn, within the field
MIDDLE = 14.5  # of the pixel with index 14, where the centre of mass goes; counted, MNIST's own lie 14 to 15


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
    pixel = torch.maximum(height, width) / BOX  # the side of one of the image's pixels, in the drawing's
    A = _place(drawing.sum(1), top, height, pixel)
    B = _place(drawing.sum(0), left, width, pixel)
    return (A @ drawing @ B.T).clamp(0, 1)[None, None]


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    # First pixel with ink, and number of pixels from there to the last one; 1 where there is no ink.
    place = torch.arange(SIDE, device=line.device, dtype=line.dtype)
    first = torch.where(line > 0, place, SIDE).amin(0)
    last = torch.where(line > 0, place, -1).amax(0)
    return first, (last - first + 1).clamp(min=1)


def _place(mass: Tensor, start: Tensor, length: Tensor, pixel: Tensor) -> Tensor:
    # The matrix (28, 280) that shrinks one direction to the box and moves the box to its place in the field.
    row = torch.arange(FIELD, device=mass.device, dtype=mass.dtype)
    inside = _overlap(start, pixel, row) @ mass  # where the mass lies before it is moved
    centre = ((row + 0.5) * inside).sum() / inside.sum().clamp(min=1e-6)
    highest = FIELD - torch.ceil(length / pixel - 1e-3)  # else a lopsided drawing would leave the field
    offset = torch.minimum((MIDDLE - centre).round().clamp(min=0), highest)
    return _overlap(start, pixel, row - offset)


def _overlap(start: Tensor, pixel: Tensor, row: Tensor) -> Tensor:
    # How much of row i of the image each pixel of the drawing covers: its share in the mean, (28, 280).
    low = torch.arange(SIDE, device=row.device, dtype=row.dtype) - start
    begin = (row * pixel)[:, None]
    shared = torch.minimum(begin + pixel, low + 1) - torch.maximum(begin, low)
    return shared.clamp(min=0) / pixel
