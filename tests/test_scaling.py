"""Training in two processes, and training after a kill.

This file is also the program that `torchrun` starts, and the one that is killed.
"""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from benchmarks import scaling
from gen_utils import data
from gen_utils.distributed import __main__ as command
from gen_utils.distributed import checkpoint
from gen_utils.distributed.training import Batches, examples, updates
from gen_utils.models.conv_gan import ConvGAN
from gen_utils.models.gan import GAN
from gen_utils.recipes import RECIPES
from gen_utils.train import train_gan_steps, train_steps

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SMALL = {  # recipes that are killed, one of each loop
    "cvae": replace(RECIPES["cvae"], steps=24, batch_size=16),
    "gan": replace(RECIPES["gan"], steps=24, batch_size=16, model=lambda classes=10: ConvGAN(classes, 4, 4, 4)),
}
CURVE = replace(RECIPES["plane"], steps=60, batch_size=32)


def new_accelerator(**options):
    """An accelerator as if this were a new program."""
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=True, **options)


def prepared(name, recipe, accelerator, dtype=torch.float32, n=48):
    """A recipe's model, the function that does its updates, and its batches of n examples."""
    x, y = (value if value is None else value[:n] for value in examples(recipe, "mnist"))
    torch.manual_seed(0)
    model = recipe.model().to(dtype)
    batches = Batches(x.to(dtype), y, recipe, 3, accelerator)
    return model, updates(model, batches, recipe, accelerator), batches


def losses_of(update, steps):
    return [[*update(number).values()] for number in range(1, steps + 1)]


def torchrun(*arguments, options=()):
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *options]
    environment = os.environ | ENVIRONMENT
    done = subprocess.run(
        [*program, __file__, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def train(name, folder, recipe, accelerator, every=5):
    options = command.parse([name, "--out", str(folder / name), "--every", str(every)])
    assert command.train(options, recipe, accelerator)


# Two processes.


def both(folder):
    """What each of two processes runs."""
    accelerator = Accelerator(cpu=True)
    seen = {"world": accelerator.num_processes, "kind": str(accelerator.distributed_type), "unequal": []}
    for name, recipe in RECIPES.items():
        model, update, batches = prepared(name, replace(recipe, steps=2, batch_size=8), Accelerator(cpu=True))
        losses_of(update, 2)
        weights = torch.cat([p.detach().flatten() for p in model.parameters()])
        one, other = accelerator.gather(weights[None])
        if not torch.equal(one, other):
            seen["unequal"].append(name)
    seen["seeds"] = accelerator.gather(torch.tensor([batches.generator.initial_seed()])).tolist()
    linear = replace(RECIPES["linear"], steps=8, batch_size=16)
    model, update, _ = prepared("linear", linear, Accelerator(cpu=True), torch.float64)
    seen["linear"] = {"losses": losses_of(update, 8), "weights": model.state_dict()}
    seen["curve"] = losses_of(prepared("plane", CURVE, Accelerator(cpu=True), n=2000)[1], CURVE.steps)
    try:
        Batches(torch.zeros(9, 1), None, replace(CURVE, batch_size=7), 0, accelerator)
    except ValueError as error:
        seen["refused"] = str(error)
    for name, recipe in SMALL.items():
        train(name, folder, recipe, Accelerator(cpu=True))
    if accelerator.is_main_process:
        torch.save(seen, folder / "seen.pt")
    accelerator.end_training()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    torchrun("both", folder)
    return torch.load(folder / "seen.pt") | {"folder": folder}


@pytest.mark.slow
def test_two_processes_have_equal_weights_and_noise_of_their_own(two):
    assert two["world"] == 2
    assert two["kind"] == "DistributedType.MULTI_CPU"
    assert two["unequal"] == []
    assert len(set(two["seeds"])) == 2
    assert two["refused"] == "batch_size: expected a multiple of the 2 processes, and at least 4, got 7"


@pytest.mark.slow
def test_without_noise_two_processes_train_as_one_does(two):
    """Nothing is drawn here but the order, so the mean of two gradients has to be the batch's gradient."""
    torch.manual_seed(0)
    model = RECIPES["linear"].model().double()
    x = data.mnist().train[:48].double()
    steps = train_steps(model, x, steps=8, batch_size=16, lr=RECIPES["linear"].lr, seed=3)
    losses = [[*step.losses.values()] for step in steps]
    close = partial(torch.testing.assert_close, rtol=1e-8, atol=1e-8)
    close(torch.tensor(two["linear"]["losses"]), torch.tensor(losses))
    for key, value in model.state_dict().items():
        close(two["linear"]["weights"][key], value)


@pytest.mark.slow
def test_with_noise_the_curve_lies_within_the_spread_of_seeds(two):
    curves = []
    for seed in range(8):
        torch.manual_seed(0)
        steps = train_steps(CURVE.model(), data.mnist().train[:2000], **CURVE.options(), seed=seed)
        curves.append([step.losses["loss"] for step in steps])
    thirds = torch.tensor(curves).view(8, 3, -1).mean(2)
    found = torch.tensor(two["curve"])[:, 0].view(3, -1).mean(1)
    assert ((found - thirds.mean(0)).abs() < 4 * thirds.std(0)).all()


def files(folder, name):
    return (folder / "losses.csv").read_bytes(), (folder / f"{name}.safetensors").read_bytes()


class Killer:
    """Called on each batch; kills the second process at its 13th, three after a checkpoint, once."""

    def __init__(self, mark, prepare):
        self.mark, self.prepare, self.calls = mark, prepare, 0

    def __call__(self, x, *, generator):
        self.calls += 1
        if self.calls == 13 and os.environ["RANK"] == "1" and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.prepare(x, generator=generator) if self.prepare else x


def killed(folder):
    """Train in two processes, one of which is killed in the middle of each training."""
    for name, recipe in SMALL.items():
        killer = Killer(folder / f"{name}.killed", recipe.prepare)
        accelerator = Accelerator(cpu=True)
        train(name, folder, replace(recipe, prepare=killer), accelerator)
    accelerator.end_training()


@pytest.mark.slow
def test_after_a_kill_two_processes_end_where_they_would_have_ended(two, tmp_path, monkeypatch):
    """`torchrun` starts both again, and they continue from the checkpoint."""
    # Without it the new processes look for the ports of the dead ones.
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    torchrun("killed", tmp_path, options=("--max-restarts=2", "--monitor-interval=0.1"))
    for name in SMALL:
        assert (tmp_path / f"{name}.killed").exists()
        assert files(tmp_path / name, name) == files(two["folder"] / name, name)


# The command, in one process.

QUICK = ["gan_plane", "--steps", "40", "--batch-size", "16"]


def table(folder):
    return [*csv.reader((folder / "losses.csv").read_text(encoding="utf-8").splitlines())]


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        AcceleratorState._reset_state(reset_partial_state=True)  # each call is a program of its own
        command.main([*map(str, arguments)])

    yield run
    for name, handler in handlers.items():
        signal.signal(name, handler)


@pytest.mark.parametrize("name", SMALL)
def test_one_process_trains_as_the_chapter_s_loop_does(name, run, tmp_path, monkeypatch, capsys):
    recipe, images = SMALL[name], data.mnist()
    monkeypatch.setitem(RECIPES, name, recipe)
    run(name, "--seed", 4, "--out", tmp_path)
    torch.manual_seed(4)
    model = recipe.model()
    if name == "cvae":
        model.start_from(images.train)
    loop = train_gan_steps if isinstance(model, GAN) else train_steps
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=recipe.average)
    losses = []
    for step in loop(model, images.train, images.train_labels, **recipe.options(), seed=4):
        losses.append(step.losses)
        averaged.update_parameters(model)
    names, *rows = table(tmp_path)
    assert names == ["step", *losses[0]]
    assert [[float(text) for text in row] for row in rows] == [[i, *row.values()] for i, row in enumerate(losses, 1)]
    weights = load_file(tmp_path / f"{name}.safetensors")
    kept = averaged.module if recipe.average else model
    assert all(torch.equal(weights[key], value) for key, value in kept.state_dict().items())
    assert "24/24" in capsys.readouterr().err  # the bar


def test_a_second_call_finds_its_work_done(run, tmp_path):
    run(*QUICK, "--out", tmp_path)
    before = files(tmp_path, "gan_plane")
    (tmp_path / "gan_plane.safetensors").unlink()
    run(*QUICK, "--out", tmp_path)
    assert files(tmp_path, "gan_plane") == before


def dies(folder):
    """Train in children that are killed at random moments, until one comes to the end; print what was seen."""
    draws, seen = Random(time.time_ns()), {"kills": 0, "in_writing": 0}
    part = folder / "checkpoint.part"

    def newest():
        return max((int(path.name.partition("_")[2]) for path in folder.glob("checkpoint_*")), default=-1)

    while True:
        if (child := os.fork()) == 0:
            try:
                command.main([*QUICK, "--steps", "16", "--every", "1", "--out", str(folder)])
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        before, ended = newest(), 0
        while newest() == before and not ended:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.001)
        time.sleep(draws.uniform(0, 0.02))
        while seen["kills"] % 2 and not part.exists() and not ended:  # every second one while it writes
            ended, status = os.waitpid(child, os.WNOHANG)
        if seen["kills"] == 5 and not ended:
            ended, status = os.waitpid(child, 0)
        if not ended:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            break
        seen["kills"] += 1
        seen["in_writing"] += part.exists()
    print(json.dumps(seen | {"status": os.waitstatus_to_exitcode(status)}))


@pytest.mark.slow
def test_kills_at_any_moment_change_nothing(run, tmp_path):
    run(*QUICK, "--steps", 16, "--out", tmp_path / "undisturbed")
    program = [sys.executable, __file__, "dies", tmp_path / "killed"]
    done = subprocess.run(program, cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["status"] == 0, done.stderr
    assert seen["kills"] >= 3
    assert seen["in_writing"] >= 1
    assert files(tmp_path / "killed", "gan_plane") == files(tmp_path / "undisturbed", "gan_plane")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_after_a_checkpoint(name, run, tmp_path, monkeypatch, capsys):
    run(*QUICK, "--out", tmp_path / "undisturbed")

    def prepare(x, *, generator, calls=[]):  # noqa: B006
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), name)
        return x

    monkeypatch.setitem(RECIPES, "gan_plane", replace(RECIPES["gan_plane"], prepare=prepare))
    with pytest.raises(SystemExit) as stopped:
        run(*QUICK, "--out", tmp_path / "stopped")
    assert stopped.value.code == 130
    assert "stopped after step 7; the same command continues from there" in capsys.readouterr().out
    run(*QUICK, "--out", tmp_path / "stopped")
    assert files(tmp_path / "stopped", "gan_plane") == files(tmp_path / "undisturbed", "gan_plane")


@pytest.fixture
def finished(run, tmp_path):
    run(*QUICK, "--out", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: (out / "checkpoint_40/optimizer_1.bin").unlink(), "optimizer_1.bin is missing"),
        (lambda out: (out / "checkpoint_40/generator_0.pt").write_bytes(b"x"), "generator_0.pt is damaged"),
        (
            lambda out: (out / "checkpoint_40/run.json").write_text("{", encoding="utf-8"),
            "found no readable run.json",
        ),
        (lambda out: (out / "checkpoint_40").rename(out / "elsewhere"), "found results without one"),
        (lambda out: (out / "losses.csv").unlink(), "expected the losses of 40 updates, found 0"),
    ],
)
def test_what_is_missing_is_named_and_nothing_begins_again(change, message, run, finished):
    change(finished)
    weights = (finished / "gan_plane.safetensors").read_bytes()
    with pytest.raises(SystemExit, match=message) as stopped:
        run(*QUICK, "--out", finished)
    assert "\n" not in str(stopped.value)
    assert (finished / "gan_plane.safetensors").read_bytes() == weights


def test_another_training_is_refused(run, finished, monkeypatch):
    def refused(message, *arguments):
        with pytest.raises(SystemExit, match=message):
            run(*arguments, "--out", finished)

    refused("of another: seed 0 there and 1 here", *QUICK, "--seed", 1)
    refused("of another: steps 40 there and 41 here", *QUICK, "--steps", 41)
    refused("batch_size 16 there and 256 here, .*model gan_plane there and linear here", "linear")
    points = RECIPES["gan_plane"].points()
    with monkeypatch.context() as patch:
        patch.setitem(RECIPES, "gan_plane", replace(RECIPES["gan_plane"], points=lambda: points[1:]))
        refused("digest .* there and .* here, examples 200000 there and 199999 here", *QUICK)
        patch.setitem(RECIPES, "gan_plane", replace(RECIPES["gan_plane"], points=lambda: points.flip(0)))
        refused("another: digest [0-9a-f]{16} there and [0-9a-f]{16} here$", *QUICK)


def test_a_file_is_the_old_one_until_the_new_one_is_written(tmp_path, monkeypatch):
    path, synced = tmp_path / "file", []
    path.write_bytes(b"old")

    def stop(descriptor):
        synced.append(path.read_bytes())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", stop)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.write(path, b"new")
    assert synced == [b"old"]
    with path.open("rb") as earlier:
        checkpoint.write(path, b"new")
        assert earlier.read() == b"old"  # not one byte of it was overwritten
    assert path.read_bytes() == b"new"


def test_what_is_not_possible_is_said(run, tmp_path, monkeypatch, capsys):
    def refused(message, *arguments):
        with pytest.raises(SystemExit) as stopped:
            run(*arguments, "--out", tmp_path)
        assert re.search(message, f"{stopped.value} {capsys.readouterr().err}")

    refused("argument MODEL: invalid choice: 'lstm'", "lstm")
    refused("argument --steps: expected a positive int, got 0", "vae", "--steps", 0)
    refused("argument --lr: expected a positive float, got fast", "vae", "--lr", "fast")
    refused("--mixed-precision fp16: expected a GPU, found none", "vae", "--mixed-precision", "fp16")
    refused("batch_size: expected at most the 200000 examples", *QUICK, "--batch-size", 200_001)
    refused("the loss became|the gradient's norm became", "vae", "--steps", 9, "--batch-size", 16, "--lr", 1e30)
    monkeypatch.setenv("WORLD_SIZE", "2")
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = new_accelerator_alone(monkeypatch)
    with pytest.raises(ValueError, match="expected an accelerator that joins 2 processes, got 1"):
        command.train(command.parse([*QUICK, "--out", str(tmp_path)]), RECIPES["gan_plane"], accelerator)


def new_accelerator_alone(monkeypatch):
    """What `Accelerator` gives where it does not see that there are two processes."""
    with monkeypatch.context() as patch:
        patch.delenv("WORLD_SIZE")
        return new_accelerator()


def test_without_accelerate_it_says_what_to_install():
    program = "import sys; sys.modules['accelerate'] = None; import gen_utils.distributed"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert "accelerate" in done.stderr.splitlines()[-1]


# Mixed precision.


@pytest.mark.parametrize("name", RECIPES)
def test_mixed_precision_goes_the_same_way(name):
    curves = []
    for precision in ("no", "bf16"):
        recipe = replace(RECIPES[name], steps=5, batch_size=16)
        model, update, _ = prepared(name, recipe, new_accelerator(mixed_precision=precision))
        curves.append(torch.tensor(losses_of(update, 5)))
        assert {value.dtype for value in model.state_dict().values()} <= {torch.float32, torch.int64}
    exact, rounded = curves
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded[0], exact[0], rtol=0.01, atol=0.01)
    torch.testing.assert_close(rounded[:, 0], exact[:, 0], rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", ["cvae", "gan"])
def test_an_overflow_in_half_precision_skips_the_update_and_is_remembered(name, tmp_path):
    """What Accelerate does on a GPU, with the scaler that PyTorch has for processors."""

    def follow(out, stop=5):
        accelerator = new_accelerator(mixed_precision="fp16")
        accelerator.native_amp, accelerator.scaler = True, torch.amp.GradScaler("cpu", init_scale=2.0**40)
        model, update, batches = prepared(name, replace(SMALL[name], steps=5), accelerator)
        accelerator.register_for_checkpointing(batches)
        done, seen = checkpoint.load(out, {}, batches.generator, accelerator) or 0, []
        before = [p.clone() for p in model.parameters()]
        for number in range(done + 1, stop + 1):
            losses = update(number)
            moved = any(not torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True))
            seen.append((losses, accelerator.scaler.get_scale(), moved or done > 0))
        out.mkdir(exist_ok=True)
        checkpoint.save(out, stop, {}, batches.generator, accelerator)
        return seen

    undisturbed = follow(tmp_path / "undisturbed")
    assert not undisturbed[0][2]  # everything overflowed
    assert undisturbed[-1][1] < 2.0**40
    first, rest = follow(tmp_path / "stopped", stop=2), follow(tmp_path / "stopped")
    assert [seen[:2] for seen in first + rest] == [seen[:2] for seen in undisturbed]


# The page.


def test_the_page_says_what_was_measured_and_what_follows_from_it():
    page = scaling.PAGE.read_text(encoding="utf-8")
    report = json.loads(scaling.RESULTS.read_text(encoding="utf-8"))
    assert scaling.filled(page, report) == page, "run `python -m benchmarks.scaling`"
    named = set(re.findall(r"`(\w+)`", page[page.index("| chapter | models |") : page.index("## Many")]))
    assert named >= RECIPES.keys()
    sizes = {name: sum(p.numel() for p in recipe.model().parameters()) for name, recipe in RECIPES.items()}
    for row in report["rows"]:
        assert (row["parameters"], row["batch_size"]) == (sizes[row["model"]], RECIPES[row["model"]].batch_size)
        assert min(row["images_per_second"].values()) > 0
    largest = max(sizes, key=sizes.get)
    millions, megabytes = sizes[largest] / 1e6, 16 * sizes[largest] / 1e6
    assert f"The largest model here, `{largest}`, has {millions:.1f} million weights" in page
    assert f"while it trains: {megabytes:.0f} MB" in page


def test_a_ring_sends_each_part_round_twice():
    # Two processes exchange halves, there and back; many send the gradient twice, less one part of W.
    assert scaling.travel(1e6, 2, 1e6) == 1
    assert scaling.travel(1e6, 1, 1e6) == 0
    assert math.isclose(scaling.travel(1e6, 1000, 1e6), 2, rel_tol=2e-3)
    written = map(scaling.milliseconds, (0.00012345, 0.0456, 0.456))
    assert [*written] == [f"{number}\N{NO-BREAK SPACE}ms" for number in ("0.12", "46", "456")]


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"both": both, "killed": killed, "dies": dies}[sys.argv[1]](Path(sys.argv[2]))
