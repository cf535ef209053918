"""`python -m gen_utils.distributed MODEL`: a chapter's recipe, in one process or in as many as are started.

It writes to a folder: the checkpoint, from which the same command continues; the losses of every update; and at the
end the weights. Under `torchrun` or `accelerate launch` each process runs this file.
"""

import argparse
import hashlib
import math
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from gen_utils import __version__
from gen_utils.distributed import checkpoint
from gen_utils.distributed.losses import Losses
from gen_utils.distributed.training import Batches, examples, updates
from gen_utils.recipes import RECIPES, Recipe
from gen_utils.train import device


def main(arguments: list[str] | None = None) -> None:
    """Train the model that the command line names, from the newest checkpoint in its folder."""
    options = parse(arguments)
    if options.mixed_precision == "fp16" and device().type == "cpu":
        raise SystemExit("--mixed-precision fp16: expected a GPU, found none; bf16 works without")
    changes = {"steps": options.steps, "batch_size": options.batch_size, "lr": options.lr}
    changes = {name: value for name, value in changes.items() if value is not None}
    recipe = replace(RECIPES[options.model], **changes)
    try:
        # On a machine without GPU it joins the processes only where it is asked to use processors.
        accelerator = Accelerator(cpu=device().type == "cpu", mixed_precision=options.mixed_precision)
        finished = train(options, recipe, accelerator)
        accelerator.end_training()
    except (ValueError, FloatingPointError, OSError) as error:
        raise SystemExit(f"{options.model}: {error}") from None
    if not finished:
        raise SystemExit(128 + signal.SIGINT)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        "python -m gen_utils.distributed",
        description="Train a model of the course, by its chapter's recipe unless an option changes it.",
        epilog="In several processes: torchrun --nproc-per-node 4 -m gen_utils.distributed MODEL --out FOLDER",
    )
    parser.add_argument("model", choices=RECIPES, metavar="MODEL", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument("--out", type=folder, required=True, help="folder to write to, or to continue from")
    parser.add_argument("--steps", type=positive(int), help="updates; of a GAN, rounds")
    parser.add_argument("--batch-size", type=positive(int), help="examples in a batch, of all processes together")
    parser.add_argument("--lr", type=positive(float), help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and noise (0)")
    parser.add_argument(
        "--dataset", default="mnist", help="mnist, fashion_mnist, or the path of your own images (mnist)"
    )
    parser.add_argument("--mixed-precision", choices=["no", "bf16", "fp16"], default="no", help="of products (no)")
    parser.add_argument("--every", type=positive(int), default=500, help="updates between two checkpoints (500)")
    return parser.parse_args(arguments)


def folder(text: str) -> Path:
    """Read the name of a folder; `--out "$OUT"` without such a variable names none."""
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got an empty name")
    return Path(os.path.expanduser(text))  # no shell expands `--out=~/run`


def positive(kind: type) -> Callable[[str], float]:
    """Return a function that reads a positive number of this type."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"expected a positive {kind.__name__}, got {text}")
        return value

    return read


def train(options: argparse.Namespace, recipe: Recipe, accelerator: Accelerator) -> bool:
    """Train and write; return whether all updates are done, or a signal stopped it before.

    Raises:
        ValueError: a folder that cannot be used, or has another training in it; an accelerator that does not join all
            processes, or has prepared something before.
    """
    if (started := int(os.environ.get("WORLD_SIZE", 1))) != accelerator.num_processes:
        raise ValueError(f"expected an accelerator that joins {started} processes, got {accelerator.num_processes}")
    if accelerator._models or accelerator._custom_objects:
        raise ValueError("accelerator: expected a new one for each training, got one that has trained")
    with checkpoint.alone(options.out, accelerator) as out:
        handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            return _train(options, out, recipe, accelerator)
        finally:
            for name, handler in handlers.items():
                signal.signal(name, handler)


def _train(options: argparse.Namespace, out: Path, recipe: Recipe, accelerator: Accelerator) -> bool:
    losses_file, weights_file = out / "losses.csv", out / f"{options.model}.safetensors"
    for path in (losses_file, weights_file, out / f"{weights_file.name}.part"):
        if path.exists() and not path.is_file():
            raise ValueError(f"{path}: expected a file, or none, found something else; move it away")
    with accelerator.local_main_process_first():  # one process of a machine downloads
        x, y = examples(recipe, options.dataset)
    run = {"model": options.model, "steps": recipe.steps, "batch_size": recipe.batch_size, "lr": recipe.lr}
    run |= {"seed": options.seed, "dataset": options.dataset, "examples": len(x), "digest": digest(x, y)}
    run |= {"mixed_precision": options.mixed_precision, "processes": accelerator.num_processes}
    run["device"] = accelerator.device.type  # each kind has its own random numbers
    x, y = x.to(accelerator.device), None if y is None else y.to(accelerator.device)

    torch.manual_seed(options.seed)
    model = recipe.model() if y is None else recipe.model(classes=int(y.max()) + 1)
    model = model.to(accelerator.device)
    run |= about(recipe, model)
    if start_from := getattr(model, "start_from", None):
        start_from(x)
    averaged = AveragedModel(model, multi_avg_fn=recipe.average) if recipe.average else None
    batches = Batches(x, y, recipe, options.seed, accelerator)
    update = updates(model, batches, recipe, accelerator)
    table = Losses(losses_file, accelerator.is_main_process)
    accelerator.register_for_checkpointing(batches, table, *([averaged] if averaged else []))

    state = (run, batches.generator, accelerator)
    done = checkpoint.load(out, *state)
    if done is None:
        if losses_file.exists() or weights_file.exists():
            raise ValueError(f"{out}: expected a checkpoint or an empty folder, found results without one")
        checkpoint.save(out, done := 0, *state)
    accelerator.wait_for_everyone()
    if recipe.anneal:
        recipe.anneal(model, done, recipe.steps)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: accelerator.set_trigger())

    bar = {"initial": done, "total": recipe.steps, "unit": "step", "disable": not accelerator.is_local_main_process}
    for number in tqdm(range(done + 1, recipe.steps + 1), options.model, **bar):
        table.add(number, update(number))
        if recipe.anneal:
            recipe.anneal(model, number, recipe.steps)
        if averaged:
            averaged.update_parameters(model)
        stopped = accelerator.check_trigger()  # in any process
        if stopped or number % options.every == 0 or number == recipe.steps:
            table.write()
            checkpoint.save(out, number, *state)
        if stopped and number < recipe.steps:
            accelerator.print(f"\nstopped after step {number}; the same command continues from there")
            return False
    if accelerator.is_main_process:
        weights = (averaged.module if averaged else model).state_dict()
        weights = {name: value.cpu().contiguous() for name, value in weights.items()}
        checkpoint.write(weights_file, safetensors.torch.save(weights))
    return True


def about(recipe: Recipe, model: nn.Module) -> dict[str, Any]:
    """Describe what else decides about the numbers: functions, the model's settings, versions and threads."""
    settings = [
        (name, key, value)
        for name, module in model.named_modules()
        for key, value in sorted(vars(module).items())
        if not key.startswith("_") and key != "training" and not isinstance(value, Tensor)
    ]
    found: dict[str, Any] = {
        name: _text(getattr(recipe, name)) for name in ("prepare", "lr_schedule", "anneal", "average")
    }
    found["settings"] = hashlib.sha256(_text(settings).encode()).hexdigest()[:16]
    found |= {"gen_utils": __version__, "torch": str(torch.__version__)}
    if next(model.parameters()).device.type == "cpu":  # threads add up in another order
        found["threads (OMP_NUM_THREADS)"] = torch.get_num_threads()
    return found


def _text(value: Any) -> str:
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


def digest(x: Tensor, y: Tensor | None) -> str:
    """Return the beginning of the SHA-256 of the data: types, shapes and bytes."""
    found = hashlib.sha256()
    for values in [x] if y is None else [x, y]:
        found.update(f"{values.dtype} {tuple(values.shape)} ".encode())
        found.update(values.contiguous().numpy().data)
    return found.hexdigest()[:16]


if __name__ == "__main__":
    main()
