"""The state of a training in a folder, written so that a kill at any moment costs time and nothing else.

`accelerator.save_state` fills a new folder. When the disk has all of it, a rename gives it its name,
`checkpoint_NUMBER`; only then the one before is deleted. So a folder of that name is always complete, and the highest
number counts. Its `run.json` says which training it is of, which parts the training has, and the digest of each file.
"""

import errno
import hashlib
import json
import operator
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError
from torch import nn

from gen_utils.output import say

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)  # what file systems answer that have none


@contextmanager
def alone(out: str | Path, accelerator: Accelerator) -> Iterator[Path]:
    """Make the folder `out` if there is none, and keep other programs' trainings out of it meanwhile.

    The system takes the lock off when the first process ends, however it ends.

    Raises:
        ValueError: another program trains in this folder, or it can be neither written nor made.
    """
    out, lock = _folder(out), None
    try:
        if accelerator.is_main_process:
            try:
                out.mkdir(parents=True, exist_ok=True)
                lock = (out / ".lock").open("a", encoding="utf-8")
                _lock(lock)
            except BlockingIOError:
                raise ValueError(
                    f"{out}: expected a folder that no other program uses, found one in which another training is "
                    "under way; wait for its end, or choose another folder"
                ) from None
            except OSError as error:
                if lock is None or error.errno not in NO_LOCKS:
                    raise ValueError(f"{out}: expected a folder that can be written, or made: {error}") from None
                say(f"{out}: there are no locks here; see to it that no other program trains in it")
        accelerator.wait_for_everyone()
        yield out
    finally:
        if lock:
            lock.close()


def save(
    out: str | Path, number: int, run: Mapping[str, Any], generator: torch.Generator, accelerator: Accelerator
) -> None:
    """Write the state after update `number`, in all processes together, and delete the checkpoint before.

    Args:
        out: folder of the checkpoints, which all processes see; it is made if there is none.
        number: of updates done.
        run: what makes this training different from others.
        generator: this process's random numbers.
        accelerator: has prepared, or registered, everything else that has a state.

    Raises:
        OSError: the folder cannot be written; the checkpoint before is still there.
        ValueError: there is a checkpoint of this update, or of a later one.
    """
    out, number = _folder(out), operator.index(number)
    part, final = out / "checkpoint.part", out / f"checkpoint_{number}"
    if accelerator.is_main_process:
        if (newest := max(_numbers(out), default=-1)) >= number:
            raise ValueError(
                f"{out}: expected an update after {newest}, that of the checkpoint there, got {number}; load it first"
            )
        _remove(part)  # a kill may have left one
    accelerator.wait_for_everyone()
    try:
        accelerator.save_state(str(part))
        torch.save(generator.get_state(), part / f"generator_{accelerator.process_index}.pt")
    except (RuntimeError, SafetensorError) as error:  # what they make of a full disk
        raise OSError(f"{part}: expected a folder that can be written: {error}") from error
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        files = {path.name: _digest(path) for path in sorted(part.iterdir())}
        content = {"number": number, "run": _as_stored({**run, **_parts(accelerator)}), "files": files}
        text = json.dumps({**content, "sha256": _digest_of(content)}, indent=2)
        (part / "run.json").write_text(text, encoding="utf-8", newline="\n")
        for path in [*part.iterdir(), part]:
            _sync(path)
        part.rename(final)
        _sync(out)
        for old in _numbers(out):
            if old != number:
                _remove(out / f"checkpoint_{old}")
    accelerator.wait_for_everyone()


def load(out: str | Path, run: Mapping[str, Any], generator: torch.Generator, accelerator: Accelerator) -> int | None:
    """Continue from the newest checkpoint in `out`; return the number of updates done, or `None` without any.

    Raises:
        OSError: a folder or a file that cannot be read.
        ValueError: a checkpoint of another training, or of one with other parts; a missing, additional or damaged
            file; or a folder that not all processes see.
    """
    out = _folder(out)
    number = max(_numbers(out), default=None) if accelerator.is_main_process else None
    number = broadcast_object_list([number])[0]
    if number is None:
        return None
    folder = out / f"checkpoint_{number}"
    if not folder.is_dir():
        raise ValueError(f"{out}: expected a folder that all processes see, found none with {folder.name} in it")
    content = _read(folder)
    if content["number"] != number:
        raise ValueError(f"{folder}: expected the state after update {number}, found that after {content['number']}")
    saved, run = _as_stored(content["run"]), _as_stored({**run, **_parts(accelerator)})
    if other := [name for name in sorted({*saved, *run}) if saved.get(name, "none") != run.get(name, "none")]:
        differences = ", ".join(
            f"{name} {saved.get(name, 'none')} there and {run.get(name, 'none')} here" for name in other
        )
        raise ValueError(
            f"{folder}: expected a checkpoint of this training (each needs a folder of its own), found one of "
            f"another: {differences}"
        )
    remedy = "put it back, or begin again in another folder"
    for name, digest in content["files"].items():
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: expected a whole checkpoint, {name} is missing; {remedy}")
        if _digest(folder / name) != digest:
            raise ValueError(f"{folder}: expected a whole checkpoint, {name} is damaged; {remedy}")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if more := sorted(names - {*content["files"], "run.json"}):
        raise ValueError(f"{folder}: expected nothing but a checkpoint, found {', '.join(more)} too; move it away")
    for path in folder.glob("custom_checkpoint_*.pkl"):  # accelerate would run code that it finds in these
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # whatever the reader makes of it
            raise ValueError(
                f"{path}: expected numbers alone, found what only running it could read; it was not run"
            ) from None
    accelerator.load_state(str(folder))
    generator.set_state(torch.load(folder / f"generator_{accelerator.process_index}.pt", weights_only=True))
    return number


def write(path: str | Path, content: bytes) -> None:
    """Write a file so that a kill, or a power cut, leaves the old one or the new one."""
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _read(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        digest = content.pop("sha256")
        if digest != _digest_of(content):
            raise ValueError("its digest is another")
        return content
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{folder}: expected a checkpoint, found no readable run.json ({error!r})") from None


def _numbers(out: Path) -> list[int]:
    """List the checkpoints in a folder; unlike `glob`, it does not take a folder that it cannot read for empty."""
    try:
        found = [path for path in out.iterdir() if path.name.startswith("checkpoint_")]
    except FileNotFoundError:
        return []
    names = {path.name.removeprefix("checkpoint_"): path for path in found}
    numbered = {name: path for name, path in names.items() if name.isascii() and name.isdigit()}
    for name, path in numbered.items() or names.items():
        if name not in numbered or name != str(int(name)) or path.is_symlink() or not path.is_dir():
            raise ValueError(f"{path}: expected a folder that is named checkpoint_NUMBER, found this; move it away")
    return [int(name) for name in numbered]


def _parts(accelerator: Accelerator) -> dict[str, str]:
    """Describe everything that `save_state` saves: its type, and a digest of names, shapes and settings."""
    parts: dict[str, list] = {
        "network": accelerator._models,
        "optimizer": accelerator._optimizers,
        "state": accelerator._custom_objects,
        "scaler": [] if accelerator.scaler is None else [accelerator.scaler],
    }
    return {f"{kind} {i}": _describe(part) for kind, found in parts.items() for i, part in enumerate(found, 1)}


def _describe(part: Any) -> str:
    facts = getattr(part, "defaults", {})  # an optimizer's
    if isinstance(part, nn.Module):
        facts = {name: (tuple(value.shape), str(value.dtype)) for name, value in part.state_dict().items()}
    return f"{type(part).__name__} {hashlib.sha256(repr(facts).encode()).hexdigest()[:8]}"


def _as_stored(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what comes back from the file: lists for tuples, and the text of NaN and of what JSON does not have."""
    return json.loads(json.dumps(run, default=str), parse_constant=str)


def _folder(out: str | Path) -> Path:
    return Path(os.path.expanduser(out))  # accelerate expands `~` in what it reads, but not in what it writes


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from None
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync(path: Path) -> None:
    if path.is_dir() and sys.platform == "win32":
        return  # it opens no folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
