"""Train everything again and publish it: notebooks, weights, graphs and posters, all of them or none.

Each notebook runs in a copy under _build; what it makes is collected beside it. Only when the last one has run
whole is everything moved into place. A run that is killed changes nothing, and a move that is killed is
finished by the next call, because what is ready to publish is renamed in one piece first.

With another profile than "quick", each notebook gets the parameters that its metadata keep for that profile, and
the results stay under _build/<profile>.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import shutil
from datetime import date
from pathlib import Path

import nbformat
import papermill
import posters
import torch
from PIL import Image
from tqdm import tqdm

from gen_utils.output import STAGING

ROOT = Path(__file__).resolve().parent.parent
# Where what a notebook writes to a folder of this name is published.
HOMES = {
    "notebooks": "notebooks",
    "weights": "gen_utils/weights",
    "models": "book/_static/models",
    "posters": "book/_static/posters",
}


def main() -> None:
    """Run the notebooks named on the command line, by default all, and publish what they made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    profiles = {"choices": ["quick", "full"], "default": "quick"}  # the only folders of _build that are ours to clear
    parser.add_argument("--profile", **profiles, help="quick is published, full stays under _build")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to publish to")
    parser.add_argument("names", nargs="*", help="stems of notebooks, such as 04_variational_autoencoders")
    arguments = parser.parse_args()
    arguments.root = arguments.root.resolve()  # notebooks run in a folder of their own
    ready = arguments.root / "_build/ready"
    publish(ready, arguments.root)  # what an earlier call had finished and not moved yet
    notebooks = sorted((arguments.root / "notebooks").glob("*.ipynb"))
    known = [notebook.stem for notebook in notebooks]
    if unknown := set(arguments.names) - set(known):
        parser.error(f"expected names out of {known}, got {sorted(unknown)}")
    staging = arguments.root / "_build" / arguments.profile
    shutil.rmtree(staging, ignore_errors=True)
    os.environ[STAGING] = str(staging)
    for notebook in tqdm([n for n in notebooks if n.stem in (arguments.names or known)], unit="notebook"):
        execute(notebook, staging / "notebooks" / notebook.name, arguments.profile)
    if arguments.profile == "quick":
        staging.rename(ready)
        publish(ready, arguments.root)


def execute(source: Path, target: Path, profile: str) -> None:
    """Run one notebook with a profile's parameters, and store it as readers will see it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(source, as_version=4)
    parameters = {} if profile == "quick" else notebook.metadata["profiles"][profile]
    papermill.execute_notebook(source, target, parameters=parameters, cwd=source.parent, log_output=False)
    notebook = nbformat.read(target, as_version=4)
    seconds = notebook.metadata["papermill"]["duration"]
    # Timings and paths of this run would make every commit differ; its cost alone is worth keeping.
    notebook.metadata["cost"] = {"seconds": round(seconds), "machine": machine(), "date": date.today().isoformat()}
    del notebook.metadata["papermill"]
    posters.add_posters(notebook, ROOT / HOMES["models"], target.parent.parent / "models")
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]  # an empty list makes jupytext lose the tags of a cell that is edited as text
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = lean(output.data["image/png"])
    nbformat.write(notebook, target)


def lean(png: str) -> str:
    """Store a picture, PNG in base64, with a palette of 256 colours: a third of the bytes, the same to the eye."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    content = io.BytesIO()
    palette = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def machine() -> str:
    """Name the machine for the reader: the GPU, or the number of CPU cores."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # not on macOS
    return f"{cores} CPU cores"


def publish(ready: Path, root: Path) -> None:
    """Move everything under `ready` to its home, each file in one step, and record the digests of weights."""
    if not ready.exists():
        return
    for folder, home in HOMES.items():
        (root / home).mkdir(parents=True, exist_ok=True)
        for made in sorted((ready / folder).glob("*")):
            os.replace(made, root / home / made.name)
    weights = root / HOMES["weights"]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in weights.glob("*.safetensors")}
    (weights / "digests.json").write_text(json.dumps(digests, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(ready)


if __name__ == "__main__":
    main()
