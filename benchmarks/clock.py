"""How fast a training goes, since its schedule wants the number of steps before it begins."""

from collections.abc import Iterator
from time import perf_counter

from gen_utils.train import Step


def steps_per_second(updates: Iterator[Step], seconds: float) -> float:
    """Time the training of a model that is thrown away."""
    for _ in range(10):  # the first ones allocate
        next(updates)
    start, steps = perf_counter(), 0
    while perf_counter() - start < seconds:
        next(updates)
        steps += 1
    return steps / (perf_counter() - start)
