"""A training's whole state in a file, so that a kill at any moment costs time and nothing else."""

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch


class HasState(Protocol):
    """What a checkpoint keeps: a module, an optimizer, the place in the data."""

    def state_dict(self) -> dict[str, Any]:
        """Return all of it."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Take all of it."""


class Checkpoint:
    """A file with the whole state of a training: weights, optimizers, random numbers, the place in the data.

    The first process writes it, beside the last one, and then puts it in its place: a kill at any moment leaves a
    whole file. It may be resumed by another number of processes than wrote it.

    Args:
        path: the file.
        run: what makes a training this one and no other; a file of another one is refused.
        accelerator: an `accelerate.Accelerator`, in each process; without, the training has one.
        parts: what has a state beside what `train_steps` keeps, such as an average of the weights.

    Attributes:
        number: updates done when the file was written, or 0 where there is none.

    Raises:
        ValueError: the file is damaged, or of another training.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], accelerator: Any = None, **parts: HasState) -> None:
        self.path, self.run, self.parts = path, dict(run), parts
        self.writes = accelerator is None or accelerator.is_main_process
        if accelerator is not None and accelerator.scaler is not None:
            self.parts["scaler"] = accelerator.scaler
        self._state = self._read() if self.writes else None
        if accelerator is not None and accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            self._state = broadcast_object_list([self._state])[0]  # other machines may not see the file
        self.number = self._state["number"] if self._state else 0

    def resume(self, **parts: HasState) -> int:
        """Fill `parts`, and those named before, from the file if there was one; return the number of updates done."""
        self.parts |= parts
        if self._state:
            for name, part in self.parts.items():
                part.load_state_dict(self._state["parts"][name])
        self._state = None
        return self.number

    def save(self, number: int) -> None:
        """Write the state after update `number`."""
        if self.writes:
            parts = {name: part.state_dict() for name, part in self.parts.items()}
            write(self.path, lambda file: torch.save({"run": self.run, "number": number, "parts": parts}, file))

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            there = state["run"]
        except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise ValueError(f"{self.path}: expected a checkpoint, found a damaged file ({error})") from None
        names = sorted({*there, *self.run})
        if other := [name for name in names if there.get(name) != self.run.get(name)]:
            told = ", ".join(f"{name} {there.get(name)} there and {self.run.get(name)} here" for name in other)
            raise ValueError(f"{self.path}: expected a checkpoint of this training, found one of another: {told}")
        return state


def write(path: Path, how: Callable[[Any], object]) -> None:
    """Write a file so that a kill, or a power cut, leaves the old one or the new one, and nothing between."""
    beside = path.with_name(f"{path.name}.part")
    with beside.open("wb") as file:
        how(file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
