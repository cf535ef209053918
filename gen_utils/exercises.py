"""The checks of the exercises: a function that raises becomes one that prints "Right." or "Not yet" and why."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from gen_utils.output import say


def exercise(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """Turn `check(answer)`, which raises if the answer is wrong, into a function that prints the result."""

    @wraps(check)
    def checked(answer: Any) -> None:
        try:
            check(answer)
        except Exception as reason:  # a reader's code may raise anything
            kind = "" if isinstance(reason, AssertionError) else f"{type(reason).__name__}: "
            say(f"Not yet. {kind}{reason}")
        else:
            say("Right.")

    return checked


def agree(found: object, expected: Tensor, hint: str, tolerance: float = 1e-4) -> None:
    """Compare an answer with the expected tensor, element by element.

    Args:
        found: the answer.
        expected: the right tensor.
        hint: a sentence for a reader whose answer differs.
        tolerance: largest difference allowed, absolute and relative to the expected value, added.

    Raises:
        AssertionError: another type or shape, or a difference above the tolerance.
    """
    assert isinstance(found, Tensor), f"Expected a tensor, got {type(found).__name__}."
    assert found.shape == expected.shape, f"Expected shape {tuple(expected.shape)}, got {tuple(found.shape)}."
    wrong = ~torch.isclose(found.to(expected), expected, rtol=tolerance, atol=tolerance)
    if wrong.any():
        raise AssertionError(f"Expected {expected[wrong][0]:.4g} where you have {found[wrong][0]:.4g}. {hint}")
