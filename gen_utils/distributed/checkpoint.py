"""The state of a training in a folder, written so that a kill at any moment costs time and nothing else.

`accelerator.save_state` fills a new folder. When the disk has all of it, a rename gives it its name,
`checkpoint_NUMBER`; only then the one before is deleted. So a folder of that name is always complete, and the highest
number counts.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list


def save(
    out: Path, number: int, run: Mapping[str, Any], generator: torch.Generator, accelerator: Accelerator
) -> None:
    """Write the state after update `number`, in all processes together, and delete the checkpoint before.

    Args:
        out: folder of the checkpoints, which all processes see.
        number: of updates done.
        run: what makes this training different from others.
        generator: this process's random numbers.
        accelerator: has prepared, or registered, everything else that has a state.
    """
    part, final = out / "checkpoint.part", out / f"checkpoint_{number}"
    if accelerator.is_main_process:
        shutil.rmtree(part, ignore_errors=True)  # a kill may have left one
    accelerator.wait_for_everyone()
    accelerator.save_state(str(part))
    torch.save(generator.get_state(), part / f"generator_{accelerator.process_index}.pt")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        files = {path.name: _digest(path) for path in sorted(part.iterdir())}
        (part / "run.json").write_text(json.dumps({"run": dict(run), "files": files}, indent=2))
        for path in [*part.iterdir(), part]:
            _sync(path)
        part.rename(final)
        _sync(out)
        for old in out.glob("checkpoint_*"):
            if old != final:
                shutil.rmtree(old)
    accelerator.wait_for_everyone()


def load(out: Path, run: Mapping[str, Any], generator: torch.Generator, accelerator: Accelerator) -> int | None:
    """Continue from the newest checkpoint in `out`; return the number of updates done, or `None` without any.

    Raises:
        ValueError: a checkpoint of another training, a missing or damaged file, or a folder that not all processes
            see.
    """
    numbers = [int(path.name.removeprefix("checkpoint_")) for path in out.glob("checkpoint_*")]
    number = broadcast_object_list([max(numbers, default=None)])[0]
    if number is None:
        return None
    folder = out / f"checkpoint_{number}"
    if not folder.is_dir():
        raise ValueError(f"{out}: expected a folder that all processes see, found none with {folder.name} in it")
    try:
        content = json.loads((folder / "run.json").read_text())
        files, saved = content["files"], content["run"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder}: expected a checkpoint, found no readable run.json ({error!r})") from None
    if other := [name for name in sorted({*saved, *run}) if saved.get(name) != run.get(name)]:
        differences = ", ".join(f"{name} {saved.get(name)} there and {run.get(name)} here" for name in other)
        raise ValueError(f"{folder}: expected a checkpoint of this training, found one of another: {differences}")
    for name, digest in files.items():
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: expected a whole checkpoint, {name} is missing")
        if _digest(folder / name) != digest:
            raise ValueError(f"{folder}: expected a whole checkpoint, {name} is damaged")
    accelerator.load_state(str(folder))
    generator.set_state(torch.load(folder / f"generator_{accelerator.process_index}.pt", weights_only=True))
    return number


def write(path: Path, content: bytes) -> None:
    """Write a file so that a kill, or a power cut, leaves the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
