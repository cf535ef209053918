"""What floating-point numbers cannot hold, refused in words, and distances that rounding leaves as they are."""

import math

import torch
from torch import Tensor

# From so many dimensions on a matrix product is much faster than differences.
MANY = 5


def positive_float(name: str, value: float, dtype: torch.dtype | None = None) -> float:
    """Return `value` if it is a positive number whose square `dtype` holds; by default, PyTorch's default dtype.

    Raises:
        ValueError: zero, negative, not finite, or so small or large that its square would be 0 or infinite.
    """
    limits = torch.finfo(dtype or torch.get_default_dtype())
    if not limits.tiny**0.5 <= value <= limits.max**0.5:
        reason = f", whose square {limits.dtype} does not hold; use other units" if 0 < value < math.inf else ""
        raise ValueError(f"{name}: expected a positive number, got {value}{reason}")
    return value


def squared_distances(a: Tensor, b: Tensor, unit: Tensor) -> Tensor:
    """Compute ‖a_i − b_j‖²/unit² for every pair: `(B, N)` from `(B, D)`, `(N, D)` and a number.

    Differences are right to a few roundings of the result. A matrix product is faster, but rounds as if the result
    were ‖a‖² + ‖b‖²: it is taken only where that is below about 200 unit² in each dimension.
    """
    D = b.shape[1]
    if D >= MANY:
        centre = b.mean(0)  # small coordinates lose less
        near_a, near_b = (a - centre) / unit, (b - centre) / unit
        if max(near_a.square().sum(1).amax(), near_b.square().sum(1).amax()) < 100 * D:
            return torch.cdist(near_a, near_b, compute_mode="use_mm_for_euclid_dist").square()
    power = unit.detach().log2().floor().exp2()  # to divide by a power of two rounds nothing
    distances = torch.cdist(a / power, b / power, compute_mode="donot_use_mm_for_euclid_dist")
    return (distances * (power / unit)).square()
