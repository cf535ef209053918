"""The judge of the exercises: a check that raises becomes one that answers "Right." or "Not yet", and why."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def exercise(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """Turn `check(answer)`, which raises where the answer is wrong, into one that prints the verdict."""

    @wraps(check)
    def verdict(answer: Any) -> None:
        try:
            check(answer)
        except Exception as reason:  # a reader's code may raise anything
            kind = "" if isinstance(reason, AssertionError) else f"{type(reason).__name__}: "
            print(f"Not yet. {kind}{reason}")
        else:
            print("Right.")

    return verdict


def agree(found: object, expected: Tensor, hint: str, tolerance: float = 1e-4) -> None:
    """Compare an answer with the truth, element by element, relative to the truth where that is larger than 1.

    Raises:
        AssertionError: another type or shape, or a difference above the tolerance; the hint says what to think of.
    """
    assert isinstance(found, Tensor), f"Expected a tensor, got {type(found).__name__}."
    assert found.shape == expected.shape, f"Expected shape {tuple(expected.shape)}, got {tuple(found.shape)}."
    wrong = ~torch.isclose(found.to(expected), expected, rtol=tolerance, atol=tolerance)
    if wrong.any():
        raise AssertionError(f"Expected {expected[wrong][0]:.4g} where you have {found[wrong][0]:.4g}. {hint}")
