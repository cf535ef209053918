"""`python -m gen_utils.distributed MODEL`: a chapter's recipe, in one process or in as many as are started.

It writes to a folder: the checkpoint, from which the same command continues; the losses of every update; and at the
end the weights. Under `torchrun` or `accelerate launch` each process runs this file.
"""

import argparse
import csv
import hashlib
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from gen_utils.distributed import checkpoint
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
    parser.add_argument("--out", type=Path, required=True, help="folder to write to, or to continue from")
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
    """Train and write; return whether all updates are done, or a signal stopped it before."""
    if (started := int(os.environ.get("WORLD_SIZE", 1))) != accelerator.num_processes:
        raise ValueError(f"expected an accelerator that joins {started} processes, got {accelerator.num_processes}")
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
    if start_from := getattr(model, "start_from", None):
        start_from(x)
    averaged = AveragedModel(model, multi_avg_fn=recipe.average) if recipe.average else None
    batches = Batches(x, y, recipe, options.seed, accelerator)
    update = updates(model, batches, recipe, accelerator)
    accelerator.register_for_checkpointing(batches, *([averaged] if averaged else []))

    options.out.mkdir(parents=True, exist_ok=True)
    losses_file, weights_file = options.out / "losses.csv", options.out / f"{options.model}.safetensors"
    state = (run, batches.generator, accelerator)
    done = checkpoint.load(options.out, *state)
    if done is None:
        if losses_file.exists() or weights_file.exists():
            raise ValueError(f"{options.out}: expected a checkpoint or an empty folder, found results without one")
        checkpoint.save(options.out, done := 0, *state)
    if accelerator.is_main_process:
        cut(losses_file, done)
    accelerator.wait_for_everyone()
    if recipe.anneal:
        recipe.anneal(model, done, recipe.steps)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: accelerator.set_trigger())

    rows: list[list] = []
    bar = {"initial": done, "total": recipe.steps, "unit": "step", "disable": not accelerator.is_local_main_process}
    for number in tqdm(range(done + 1, recipe.steps + 1), options.model, **bar):
        losses = update(number)
        if recipe.anneal:
            recipe.anneal(model, number, recipe.steps)
        if averaged:
            averaged.update_parameters(model)
        rows += [["step", *losses]] * (number == 1) + [[number, *losses.values()]]
        stopped = accelerator.check_trigger()  # in any process
        if stopped or number % options.every == 0 or number == recipe.steps:
            if accelerator.is_main_process:
                append(losses_file, rows)
            rows.clear()
            checkpoint.save(options.out, number, *state)
        if stopped and number < recipe.steps:
            accelerator.print(f"\nstopped after step {number}; the same command continues from there")
            return False
    if accelerator.is_main_process:
        weights = (averaged.module if averaged else model).state_dict()
        weights = {name: value.cpu().contiguous() for name, value in weights.items()}
        checkpoint.write(weights_file, safetensors.torch.save(weights))
    return True


def digest(x: Tensor, y: Tensor | None) -> str:
    """Return the beginning of the data's SHA-256."""
    found = hashlib.sha256(x.contiguous().numpy().data)
    if y is not None:
        found.update(y.contiguous().numpy().data)
    return found.hexdigest()[:16]


def cut(path: Path, done: int) -> None:
    """Take off the losses that were written after update `done`, the last one in the checkpoint.

    Raises:
        ValueError: the file has fewer.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if done and len(lines) <= done:
        raise ValueError(f"{path}: expected the losses of {done} updates, found {max(0, len(lines) - 1)}")
    if lines:
        os.truncate(path, len(b"".join(lines[: done + 1 if done else 0])))


def append(path: Path, rows: list[list]) -> None:
    """Write rows at the end of a table; they are on the disk before the checkpoint that comes after them."""
    with path.open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()
