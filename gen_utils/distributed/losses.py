"""The losses of every update, in a table that a training which continues takes up where its checkpoint was."""

import csv
import hashlib
import os
from pathlib import Path
from typing import Any


class Losses:
    """A CSV file: a header, then one row an update.

    Rows may be on the disk that no checkpoint knows, written just before a kill. `load_state_dict` cuts them off.

    Args:
        path: the file; the first process writes it.
        first: whether this is the first process.
    """

    def __init__(self, path: Path, first: bool) -> None:
        self.path, self.first = path, first
        self.rows: list[list] = []

    def add(self, number: int, losses: dict[str, float]) -> None:
        """Take up the losses of update `number`; the first brings the header."""
        self.rows += [["step", *losses]] * (number == 1) + [[number, *losses.values()]]

    def write(self) -> None:
        """Append the new rows to the file; they are on the disk before the checkpoint that comes after them."""
        if self.first:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(self.rows)
                file.flush()
                os.fsync(file.fileno())
        self.rows.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return the number of bytes and updates in the file, and the digest of its bytes."""
        content = self._read() if self.first else b""
        return {"bytes": len(content), "updates": _updates(content), "sha256": hashlib.sha256(content).hexdigest()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Cut the file to what it was then.

        Raises:
            ValueError: it has fewer updates, or other bytes.
        """
        if not self.first:
            return
        content = self._read()
        if (found := _updates(content)) < state["updates"]:
            raise ValueError(f"{self.path}: expected the losses of {state['updates']} updates, found {found}")
        if hashlib.sha256(content[: state["bytes"]]).hexdigest() != state["sha256"]:
            raise ValueError(
                f"{self.path}: expected the losses as they were written, found others; put the file back, or begin "
                "again in another folder"
            )
        if len(content) > state["bytes"]:
            os.truncate(self.path, state["bytes"])

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""


def _updates(content: bytes) -> int:
    return max(0, content.count(b"\n") - 1)
