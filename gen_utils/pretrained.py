"""Weights that ship with the package, in half precision, each checked against its digest before it is used."""

import json
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file, save_file
from torch import nn

from gen_utils.data import verify
from gen_utils.output import output_folder

Model = TypeVar("Model", bound=nn.Module)
FOLDER = Path(str(files("gen_utils"))) / "weights"


def load(model: Model, name: str) -> Model:
    """Fill `model` with the shipped weights `name`, and return it in evaluation mode.

    Raises:
        ValueError: no such weights, a damaged file, or weights of another architecture.
    """
    digests = json.loads((FOLDER / "digests.json").read_text(encoding="utf-8"))
    file = f"{name}.safetensors"
    if file not in digests:
        shipped = ", ".join(sorted(digest.removesuffix(".safetensors") for digest in digests))
        raise ValueError(f"expected the name of shipped weights ({shipped}), got {name!r}")
    verify(FOLDER / file, digests[file], "reinstall gen_utils, or restore the file with `git checkout`")
    weights = load_file(FOLDER / file)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{name}: weights of another architecture. {error}") from None
    return model.eval()


def save(model: nn.Module, name: str) -> None:
    """Write `weights/<name>.safetensors` to the output folder: parameters in half precision, buffers as they are."""
    path = output_folder() / "weights" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    parameters = {name for name, _ in model.named_parameters()}
    halved = {key: value.half() if key in parameters else value for key, value in model.state_dict().items()}
    save_file({key: value.cpu().contiguous() for key, value in halved.items()}, path)
    path.chmod(0o644)  # safetensors makes files that only their owner can read
