"""`python -m gen_utils.train MODEL`: a chapter's recipe, in one process or as many as its launcher starts.

It writes to a folder: the checkpoint, from which the same command goes on; the losses of every update; and at the
end the weights. Under `torchrun` or `accelerate launch` each process runs this file.
"""

import argparse
import csv
import math
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from gen_utils import data
from gen_utils.base import GenerativeModel
from gen_utils.checkpoint import Checkpoint, write
from gen_utils.models.gan import GAN
from gen_utils.recipes import RECIPES, Recipe
from gen_utils.train import Step, device, train_gan_steps, train_steps


def main(arguments: list[str] | None = None) -> None:
    """Train the model that the command line names, from where its folder stands."""
    asked = parse(arguments)
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError:
        raise SystemExit("accelerate is not installed: pip install accelerate, or gen_utils[scale]") from None
    if asked.mixed_precision == "fp16" and device().type == "cpu":
        raise SystemExit("--mixed-precision fp16: expected a GPU, found none; bf16 works without")
    recipe = RECIPES[asked.model]
    given = {"steps": asked.steps, "batch_size": asked.batch_size, "lr": asked.lr}
    recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    try:
        # Without GPU it joins processes only where it is told so; otherwise each would train alone, and not say it.
        accelerator = Accelerator(cpu=device().type == "cpu", mixed_precision=asked.mixed_precision)
        finished = train(asked, recipe, accelerator)
        accelerator.end_training()
    except (ValueError, FloatingPointError, ConnectionError) as error:
        raise SystemExit(f"{asked.model}: {error}") from None
    if not finished:
        raise SystemExit(128 + signal.SIGINT)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        "python -m gen_utils.train",
        description="Train a model of the course, by its chapter's recipe where nothing else is said.",
        epilog="In several processes: torchrun --nproc-per-node 4 -m gen_utils.train MODEL --out FOLDER",
    )
    parser.add_argument("model", choices=RECIPES, metavar="MODEL", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to, or to go on from")
    parser.add_argument("--steps", type=number(int), help="updates, of a GAN rounds")
    parser.add_argument("--batch-size", type=number(int), help="examples an update, of all processes together")
    parser.add_argument("--lr", type=number(float), help="learning rate at its highest")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and noise (0)")
    parser.add_argument("--dataset", choices=["mnist", "fashion_mnist"], default="mnist", help="images (mnist)")
    parser.add_argument("--mixed-precision", choices=["no", "bf16", "fp16"], default="no", help="of products (no)")
    parser.add_argument("--every", type=number(int), default=500, help="updates between two checkpoints (500)")
    return parser.parse_args(arguments)


def number(kind: type) -> Any:
    """Make what reads a positive number of this kind."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"expected a positive {kind.__name__}, got {text}")
        return value

    return read


def train(asked: argparse.Namespace, recipe: Recipe, accelerator: Any) -> bool:
    """Train and write; stop early where a signal asks for it, and say whether there was none."""
    place = accelerator.device
    with accelerator.local_main_process_first():  # one process of a machine downloads
        x, y = examples(recipe, asked.dataset, place)
    torch.manual_seed(asked.seed)
    model = recipe.model().to(place)
    if start_from := getattr(model, "start_from", None):
        start_from(x)
    kept = AveragedModel(model, multi_avg_fn=recipe.average) if recipe.average else None
    asked.out.mkdir(parents=True, exist_ok=True)
    run = {"model": asked.model, "steps": recipe.steps, "batch_size": recipe.batch_size, "lr": recipe.lr}
    run |= {"seed": asked.seed, "dataset": asked.dataset, "mixed_precision": asked.mixed_precision}
    run["device"] = place.type  # each kind has random numbers of its own
    parts = {"kept": kept} if kept else {}
    checkpoint = Checkpoint(asked.out / "checkpoint.pt", run, accelerator, **parts)
    done = checkpoint.number
    if recipe.anneal:
        recipe.anneal(model, done, recipe.steps)
    log = Log(asked.out / "losses.csv", done) if accelerator.is_main_process else None
    stop = Stop(accelerator)
    options = {"initial": done, "total": recipe.steps, "unit": "step", "disable": log is None}
    for step in tqdm(updates(recipe, model, x, y, asked.seed, accelerator, checkpoint), asked.model, **options):
        if recipe.anneal:
            recipe.anneal(model, step.number, recipe.steps)
        if kept:
            kept.update_parameters(model)
        if log:
            log.add(step)
        stopped = stop.agreed()
        if stopped or step.number % asked.every == 0 or step.number == recipe.steps:
            if log:
                log.keep()
            checkpoint.save(step.number)
        if stopped and step.number < recipe.steps:
            accelerator.print(f"\nstopped after step {step.number}; the same command goes on from there")
            return False
    if log:
        weights = (kept.module if kept else model).state_dict()
        weights = {name: value.cpu().contiguous() for name, value in weights.items()}
        write(asked.out / f"{asked.model}.safetensors", lambda file: file.write(safetensors.torch.save(weights)))
    return True


def examples(recipe: Recipe, dataset: str, place: torch.device) -> tuple[Tensor, Tensor | None]:
    """Load what the recipe trains on: examples, `(N, *event_shape)`, and labels, `(N,)`, if it is told them."""
    if recipe.points:
        return recipe.points().to(place), None
    images = data.load(dataset)
    return images.train.to(place), images.train_labels.to(place) if recipe.labels else None


def updates(
    recipe: Recipe,
    model: GenerativeModel,
    x: Tensor,
    y: Tensor | None,
    seed: int,
    accelerator: Any = None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[Step]:
    """Follow the recipe, but for what it does between two steps."""
    options: dict[str, Any] = {"steps": recipe.steps, "batch_size": recipe.batch_size, "lr": recipe.lr, "seed": seed}
    options |= {"prepare": recipe.prepare, "accelerator": accelerator, "checkpoint": checkpoint}
    if not isinstance(model, GAN):
        return train_steps(model, x, y, **options)
    if recipe.schedule:
        fall = recipe.schedule
        options["schedule"] = lambda number: fall(number, recipe.steps)
    return train_gan_steps(model, x, y, **options)


class Log:
    """The losses of every update as a table, on the disk before the checkpoint that comes after them."""

    def __init__(self, path: Path, done: int) -> None:
        self.path = path
        self.rows: list[list] = []
        if path.exists():  # what a kill left behind the last checkpoint is taken off
            lines = path.read_bytes().splitlines(keepends=True)[: done + 1 if done else 0]
            os.truncate(path, len(b"".join(lines)))

    def add(self, step: Step) -> None:
        """Note one update."""
        if step.number == 1:
            self.rows.append(["step", *step.losses])
        self.rows.append([step.number, *step.losses.values()])

    def keep(self) -> None:
        """Write down what was noted."""
        with self.path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(self.rows)
            file.flush()
            os.fsync(file.fileno())
        self.rows.clear()


class Stop:
    """Ctrl-C and a scheduler's SIGTERM, heard at the end of an update and by all processes at the same one."""

    def __init__(self, accelerator: Any) -> None:
        self.accelerator, self.asked = accelerator, 0.0
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._hear)

    def _hear(self, *_: Any) -> None:
        self.asked = 1.0

    def agreed(self) -> bool:
        """Say whether any process was asked to stop."""
        if self.accelerator.num_processes == 1:
            return self.asked > 0
        told = torch.tensor(self.asked, device=self.accelerator.device)
        return self.accelerator.reduce(told, "sum").item() > 0
