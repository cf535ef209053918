"""Weights that ship with the package, in half precision, each checked against its digest before it is used."""

import json
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from safetensors import torch as safetensors
from torch import Tensor, nn

from gen_utils.data import REMEDY, verify
from gen_utils.output import output_folder

Model = TypeVar("Model", bound=nn.Module)
FOLDER = Path(str(files("gen_utils"))) / "weights"
# No file is read that is larger than one of its kind may be.
LIST_BYTES, WEIGHT_BYTES = 100_000, 20_000_000


def load(model: Model, name: str) -> Model:
    """Fill `model` with the shipped weights `name`, and return it in evaluation mode.

    Raises:
        ValueError: no such weights, a damaged file, or weights of another architecture.
    """
    digests = _digests()
    file = f"{name}.safetensors"
    if file not in digests:
        shipped = ", ".join(sorted(digest.removesuffix(".safetensors") for digest in digests))
        raise ValueError(f"expected the name of shipped weights ({shipped}), got {name!r}")
    content = verify(FOLDER / file, digests[file], REMEDY, WEIGHT_BYTES)
    try:
        weights = safetensors.load(content)  # numbers alone: this format has no code that could run
    except Exception as error:  # safetensors, json and torch each raise their own
        raise ValueError(f"{FOLDER / file}: expected weights, got what cannot be read ({error!r})") from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{name}: weights of another architecture. {error}") from None
    return model.eval()


def _digests() -> dict[str, str]:
    path = FOLDER / "digests.json"
    with path.open("rb") as file:
        text = file.read(LIST_BYTES + 1)
    try:
        digests = json.loads(text) if len(text) <= LIST_BYTES else None
    except (ValueError, RecursionError):
        digests = None
    if not isinstance(digests, dict) or not all(isinstance(digest, str) for digest in digests.values()):
        raise ValueError(f"{path} is damaged: expected names of files and their digests. To repair it, {REMEDY}.")
    return digests


def save(model: nn.Module, name: str) -> None:
    """Write `weights/<name>.safetensors` to the output folder: parameters in half precision, buffers as they are.

    Raises:
        ValueError: a parameter that half precision does not hold.
    """
    path = output_folder() / "weights" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    parameters = {name for name, _ in model.named_parameters()}
    halved = {key: half(key, value) if key in parameters else value for key, value in model.state_dict().items()}
    safetensors.save_file({key: value.cpu().contiguous() for key, value in halved.items()}, path)
    path.chmod(0o644)  # safetensors makes files that only their owner can read


def half(name: str, parameter: Tensor) -> Tensor:
    """Return a parameter in half precision, or refuse one with a number that is NaN, infinite, or becomes so."""
    halved = parameter.detach().half()
    if not halved.isfinite().all():
        raise ValueError(f"{name}: expected numbers within ±65504, of half precision; use other units for the data")
    return halved
