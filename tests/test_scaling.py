"""Training in two processes is the training in one, and training after a kill the training without.

This file is also the program that `torchrun` starts, and the one that is killed.
"""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import nn

from benchmarks import scaling
from gen_utils import command, data
from gen_utils.checkpoint import Checkpoint, write
from gen_utils.models.conv_gan import ConvGAN
from gen_utils.models.gan import GAN, MINIMAX, NON_SATURATING, R1, WGAN_GP
from gen_utils.recipes import RECIPES, Recipe
from gen_utils.scaling import MeanOverProcesses, Rows, Team, WholeBatchNorm
from gen_utils.train import train_gan_steps, train_steps

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
STEPS, BATCH = 5, 16
GAMES = {"minimax": MINIMAX, "non_saturating": NON_SATURATING, "wgan_gp": WGAN_GP, "r1": R1}
CASES = dict.fromkeys(RECIPES) | {f"gan_plane, {name}": game for name, game in GAMES.items()}


def case(name):
    """A model of the course as it is, but in double precision, its recipe cut short, and some data."""
    name, _, game = name.partition(", ")
    recipe = Recipe(**vars(RECIPES[name]) | {"steps": STEPS, "batch_size": BATCH})
    torch.manual_seed(0)
    model = recipe.model().double()
    if game:
        model.game = GAMES[game]
    if recipe.points:
        return model, recipe, recipe.points()[:48].double(), None
    images = data.mnist()
    x = images.train[:48].double()
    return model, recipe, x, images.train_labels[:48] if recipe.labels else None


def followed(name, accelerator=None, checkpoint=None, stop=STEPS):
    model, recipe, x, y = case(name)
    if recipe.anneal:
        recipe.anneal(model, checkpoint.number if checkpoint else 0, STEPS)
    losses = []
    for step in command.updates(recipe, model, x, y, 3, accelerator, checkpoint):
        losses.append([*step.losses.values()])
        if recipe.anneal:
            recipe.anneal(model, step.number, STEPS)
        if step.number == stop:
            break
    if checkpoint and losses:
        checkpoint.save(step.number)
    return torch.tensor(losses, dtype=torch.float64), model.state_dict()


def torchrun(*arguments, options=("--nproc-per-node=2",)):
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", *options]
    environment = os.environ | ENVIRONMENT
    return subprocess.run([*program, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True)


def started(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def beside(folder):
    """What each of two processes runs: every case, from the start, and two of them from where one process stopped."""
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    told = {"world": accelerator.num_processes, "kind": str(accelerator.distributed_type)}
    for name in CASES:
        losses, weights = followed(name, accelerator)
        everyone = [[torch.empty_like(value) for _ in range(told["world"])] for value in weights.values()]
        for own, gathered in zip(weights.values(), everyone, strict=True):
            torch.distributed.all_gather(gathered, own.contiguous())
        equal = all(torch.equal(one, other) for one, other in everyone)
        told[name] = {"losses": losses, "weights": weights, "equal": equal}
    for name in RESUMED:
        checkpoint = Checkpoint(folder / f"{name}.pt", {"name": name}, accelerator)
        losses, weights = followed(name, accelerator, checkpoint)
        told[f"{name} resumed"] = {"losses": losses, "weights": weights, "done": checkpoint.number}
    try:
        Team(accelerator, 7)
    except ValueError as error:
        told["refused"] = str(error)
    if accelerator.is_main_process:
        torch.save(told, folder / "told.pt")
    accelerator.end_training()


RESUMED = ("cvae", "gan", "unet")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for name in RESUMED:  # one process goes first, two go on
        followed(name, checkpoint=Checkpoint(folder / f"{name}.pt", {"name": name}), stop=2)
    started(torchrun(__file__, "beside", folder))
    return torch.load(folder / "told.pt")


def test_there_were_two_processes(two):
    assert two["world"] == 2
    assert two["kind"] == "DistributedType.MULTI_CPU"


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_does(name, two):
    losses, weights = followed(name)
    assert losses.shape[0] == STEPS
    assert len(losses.unique(dim=0)) == STEPS  # it is a curve
    close(two[name]["losses"], losses)
    for key, value in weights.items():
        close(two[name]["weights"][key], value)
    assert two[name]["equal"]


@pytest.mark.parametrize("name", RESUMED)
def test_two_processes_go_on_from_where_one_stopped(name, two):
    losses, weights = followed(name)
    again = two[f"{name} resumed"]
    assert again["done"] == 2
    close(again["losses"], losses[2:])
    for key, value in weights.items():
        close(again["weights"][key], value)


def test_a_batch_that_cannot_be_split_is_refused(two):
    assert two["refused"] == (
        "batch_size: expected a multiple of the 2 processes, twice their number at least, got 7"
    )


# The parts, in one process.


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize(
    "draw",
    [
        lambda n, g: torch.randn(n, 5, generator=g),
        lambda n, g: torch.randn((n, 1, 3), generator=g, dtype=torch.float64),
        lambda n, g: torch.rand(torch.Size((n,)), generator=g),
        lambda n, g: torch.randint(9, (n, 2), generator=g),
        lambda n, g: torch.randint(3, 9, (n,), generator=g),
        lambda n, g: torch.rand(n, 2, generator=g) + torch.randint(9, (1,), generator=g),
    ],
)
def test_each_process_keeps_its_rows_of_what_all_draw(draw, world):
    generators = [torch.Generator().manual_seed(1) for _ in range(world + 1)]
    whole = draw(4 * world, generators[world])
    for rank in range(world):
        with Rows(generators[rank], rank, world, 4):
            assert torch.equal(draw(4, generators[rank]), whole[rank::world])
            torch.rand(4, generator=torch.Generator())  # another generator's draws are its own
        assert torch.equal(generators[rank].get_state(), generators[world].get_state())


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: torch.randn(3, 4, generator=g),  # four are the examples, and not the first axis
        lambda g: torch.empty(4).normal_(generator=g),
        lambda g: torch.randperm(4, generator=g),
        lambda g: torch.ones(4, 2).multinomial(1, generator=g),
    ],
)
def test_a_draw_that_cannot_be_shared_is_refused(draw):
    generator = torch.Generator()
    with (
        pytest.raises(NotImplementedError, match="of one row for each of the 4 examples or of one number for all"),
        Rows(generator, 0, 2, 4),
    ):
        draw(generator)


@pytest.mark.parametrize("shape", [(6, 3, 2, 2), (2, 3, 1, 1)])
def test_the_whole_batch_s_norm_is_pytorchs_in_one_process(shape, monkeypatch):
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda x: None)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    torch.manual_seed(0)
    own, theirs = WholeBatchNorm(3).double(), nn.BatchNorm2d(3).double()
    with torch.no_grad():
        for p in own.parameters():
            p.normal_()
    theirs.load_state_dict(own.state_dict())
    x = torch.randn(shape, dtype=torch.float64)
    gradients = []
    for norm in (own, theirs):
        given = x.clone().requires_grad_()
        y = norm(given)
        gradients.append([y, *torch.autograd.grad(y.cos().sum(), [given, *norm.parameters()])])
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(own.state_dict(), theirs.state_dict())
    torch.testing.assert_close(own.eval()(x), theirs.eval()(x))


def test_gradients_go_through_the_mean_over_processes(monkeypatch):
    # Two processes with the same number: a sum is twice it.
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda x: x.mul_(2))
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert torch.autograd.gradcheck(MeanOverProcesses.apply, torch.randn(3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("name", CASES)
def test_going_on_is_never_having_stopped(name, tmp_path):
    losses, weights = followed(name)
    path, run = tmp_path / "checkpoint.pt", {"seed": 3}
    first, _ = followed(name, checkpoint=Checkpoint(path, run), stop=2)
    torch.seed()
    again = Checkpoint(path, run)
    assert again.number == 2
    rest, resumed = followed(name, checkpoint=again)
    assert torch.equal(torch.cat([first, rest]), losses)
    assert all(torch.equal(resumed[key], value) for key, value in weights.items())


@pytest.mark.parametrize("stop", range(1, 8))
def test_going_on_anywhere_in_an_epoch(stop, tmp_path):
    # Three batches an epoch: within one, at its end, and at the end of training.
    def run(checkpoint=None, stop=None):
        torch.manual_seed(0)
        model = GAN(2, (8,)).double()
        x = torch.randn(13, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        losses = []
        for step in train_gan_steps(model, x, steps=7, batch_size=4, checkpoint=checkpoint):
            losses.append(step.losses)
            if step.number == stop:
                checkpoint.save(stop)
                break
        return losses, model.state_dict()

    losses, weights = run()
    path = tmp_path / "checkpoint.pt"
    first, _ = run(Checkpoint(path, {}), stop)
    rest, resumed = run(Checkpoint(path, {}))
    assert first + rest == losses
    assert all(torch.equal(resumed[key], value) for key, value in weights.items())


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    followed("linear", checkpoint=Checkpoint(path, {"seed": 3, "lr": 0.1}))
    with pytest.raises(ValueError, match=r"one of another: lr 0\.1 there and 0\.2 here, seed 3 there and 4 here"):
        Checkpoint(path, {"seed": 4, "lr": 0.2})


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / "checkpoint.pt"
    followed("linear", checkpoint=Checkpoint(path, {}))
    path.write_bytes(path.read_bytes()[:-5000] if damage is None else damage)
    with pytest.raises(ValueError, match="expected a checkpoint, found a damaged file"):
        Checkpoint(path, {})


def test_a_checkpoint_runs_no_code(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"run": {}, "number": 1, "parts": {"model": os.system}}, path)
    with pytest.raises(ValueError, match="expected a checkpoint"):
        Checkpoint(path, {})


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half(file):
        file.write(b"ne")
        file.flush()
        assert path.read_bytes() == b"old"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, half)
    assert path.read_bytes() == b"old"
    with path.open("rb") as earlier:
        write(path, lambda file: file.write(b"new"))
        assert earlier.read() == b"old"  # not one byte of it was overwritten
    assert path.read_bytes() == b"new"


# The command.

QUICK = ["gan_plane", "--steps", "40", "--batch-size", "16"]
BRIEF = [*QUICK, "--steps", "16"]


def files(folder, name="gan_plane"):
    return (folder / "losses.csv").read_bytes(), (folder / f"{name}.safetensors").read_bytes()


def table(folder):
    return [*csv.reader((folder / "losses.csv").read_text().splitlines())]


@pytest.fixture
def handlers():
    """The command listens to signals; afterwards they are pytest's again."""
    kept = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    yield
    for name, handler in kept.items():
        signal.signal(name, handler)


@pytest.fixture
def run(handlers, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)

    def run(*arguments):
        AcceleratorState._reset_state(reset_partial_state=True)  # each call is a program of its own
        command.main([*map(str, arguments)])

    return run


def test_the_command_follows_the_recipe_and_says_every_loss(run, tmp_path, capsys):
    run("cvae", "--steps", 3, "--seed", 4, "--out", tmp_path)
    recipe, images = RECIPES["cvae"], data.mnist()
    torch.manual_seed(4)
    model = recipe.model()
    model.start_from(images.train)
    how = {"steps": 3, "batch_size": recipe.batch_size, "lr": recipe.lr, "prepare": recipe.prepare, "seed": 4}
    losses = [step.losses for step in train_steps(model, images.train, images.train_labels, **how)]
    names, *rows = table(tmp_path)
    assert names == ["step", *losses[0]]
    assert [[float(text) for text in row] for row in rows] == [[i, *losses[i - 1].values()] for i in (1, 2, 3)]
    weights = load_file(tmp_path / "cvae.safetensors")
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    assert "3/3" in capsys.readouterr().err  # the bar


def test_what_is_kept_of_a_gan_is_the_average(run, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "gan", Recipe(**vars(RECIPES["gan"]) | {"model": lambda: ConvGAN(10, 4, 4, 4)}))
    run("gan", "--steps", 4, "--batch-size", 16, "--out", tmp_path)
    recipe, images = RECIPES["gan"], data.mnist()
    torch.manual_seed(0)
    model = recipe.model()
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=recipe.average)
    how = {"steps": 4, "batch_size": 16, "lr": recipe.lr, "schedule": partial(recipe.schedule, steps=4)}
    for _ in train_gan_steps(model, images.train, images.train_labels, **how):
        averaged.update_parameters(model)
    weights = load_file(tmp_path / "gan.safetensors")
    assert all(torch.equal(weights[key], value) for key, value in averaged.module.state_dict().items())


def test_a_second_call_finds_its_work_done(run, tmp_path):
    run(*QUICK, "--out", tmp_path)
    before = files(tmp_path)
    (tmp_path / "gan_plane.safetensors").unlink()
    run(*QUICK, "--out", tmp_path)
    assert files(tmp_path) == before


def dies(folder):
    """Train in children that are killed at random moments, until one comes to the end; say what was seen."""
    draws = Random(time.time_ns())
    seen = {"kills": 0, "in_writing": 0}
    path = folder / "checkpoint.pt"
    part = path.with_name("checkpoint.pt.part")

    def stamp():
        return path.stat().st_mtime_ns if path.exists() else 0

    while True:
        if (child := os.fork()) == 0:
            try:
                command.main([*BRIEF, "--every", "1", "--out", str(folder)])
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        before, ended = stamp(), 0
        while stamp() == before and not ended:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.001)
        time.sleep(draws.uniform(0, 0.02))
        while seen["kills"] % 2 and not part.exists() and not ended:  # every other one while it writes
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


def test_kills_at_any_moment_change_nothing(run, tmp_path):
    run(*BRIEF, "--out", tmp_path / "whole")
    program = [sys.executable, __file__, "dies", tmp_path / "killed"]
    done = started(subprocess.run(program, cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True))
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["status"] == 0, done.stderr
    assert seen["kills"] >= 3
    assert seen["in_writing"] >= 1
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_keeps_everything(name, run, tmp_path, monkeypatch, capsys):
    run(*QUICK, "--out", tmp_path / "whole")
    add = command.Log.add

    def ask(log, step):
        add(log, step)
        if step.number == 7:
            os.kill(os.getpid(), name)

    monkeypatch.setattr(command.Log, "add", ask)
    with pytest.raises(SystemExit) as left:
        run(*QUICK, "--out", tmp_path / "asked")
    assert left.value.code == 130
    assert "stopped after step 7; the same command goes on from there" in capsys.readouterr().out
    monkeypatch.setattr(command.Log, "add", add)
    run(*QUICK, "--out", tmp_path / "asked")
    assert files(tmp_path / "asked") == files(tmp_path / "whole")


def test_the_page_says_what_was_measured_and_what_follows_from_it():
    page = scaling.PAGE.read_text()
    report = json.loads(scaling.RESULTS.read_text())
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
    # Two processes exchange halves, there and back; many send the whole gradient twice, less one part of W.
    assert scaling.travel(1e6, 2, 1e6) == 1
    assert scaling.travel(1e6, 1, 1e6) == 0
    assert scaling.travel(1e6, 1000, 1e6) == pytest.approx(2, rel=2e-3)
    told = map(scaling.milliseconds, (0.00012345, 0.0456, 0.456))
    assert [*told] == [f"{number}\N{NO-BREAK SPACE}ms" for number in ("0.12", "46", "456")]


def test_two_processes_one_of_which_is_killed(run, tmp_path, monkeypatch):
    """`torchrun` starts both again, and they end where one process does."""
    options = ("--nproc-per-node=2", "--max-restarts=1", "--monitor-interval=0.1")
    run(*QUICK, "--out", tmp_path / "one")
    monkeypatch.setenv("KILLED", str(tmp_path / "killed"))
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")  # else the second life looks for the first's ports
    done = torchrun(__file__, "dies_once", *QUICK, "--every", 5, "--out", tmp_path / "two", options=options)
    started(done)
    assert (tmp_path / "killed").read_text() == "1"  # the rank, which is not the one that writes
    one, two = table(tmp_path / "one"), table(tmp_path / "two")
    assert [row[0] for row in two] == ["step", *map(str, range(1, 41))]
    numbers = [torch.tensor([[float(text) for text in row] for row in rows[1:]]) for rows in (one, two)]
    torch.testing.assert_close(*numbers, rtol=1e-3, atol=1e-4)  # in single precision the two drift apart
    assert done.stderr.count("| 0/40") == 1  # one bar, of the first process


def dies_once(arguments):
    marker, agreed, steps = Path(os.environ["KILLED"]), command.Stop.agreed, []

    def kill(stop):
        steps.append(1)
        rank = stop.accelerator.process_index
        if rank == 1 and len(steps) == 13 and not marker.exists():
            marker.write_text(str(rank))
            os.kill(os.getpid(), signal.SIGKILL)
        return agreed(stop)

    command.Stop.agreed = kill
    torch.set_num_threads(1)
    command.main(arguments)


@pytest.mark.parametrize("name", CASES)
def test_mixed_precision_goes_the_same_way(name):
    curves = []
    for precision in ("no", "bf16"):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(cpu=True, mixed_precision=precision)
        model, recipe, x, y = case(name)
        model, x = model.float(), x.float()
        training = command.updates(recipe, model, x, y, 0, accelerator)
        curves.append(torch.tensor([[*step.losses.values()] for step in training]))
        assert {value.dtype for value in model.state_dict().values()} <= {torch.float32, torch.int64}
    exact, rounded = curves
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded[0], exact[0], rtol=0.01, atol=0.01)
    torch.testing.assert_close(rounded, exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_an_overflow_in_half_precision_skips_the_update_and_is_remembered(name, tmp_path):
    """What Accelerate does on a GPU, with the scaler that PyTorch has for processors."""

    def follow(checkpoint_of, stop=STEPS):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(cpu=True, mixed_precision="fp16")
        accelerator.native_amp, accelerator.scaler = True, torch.amp.GradScaler("cpu", init_scale=2.0**40)
        model, recipe, x, y = case(name)
        model, x, seen = model.float(), x.float(), []
        checkpoint = Checkpoint(checkpoint_of, {}, accelerator)
        before = {key: p.clone() for key, p in model.named_parameters()}
        for step in command.updates(recipe, model, x, y, 0, accelerator, checkpoint):
            moved = any(not torch.equal(p, before[key]) for key, p in model.named_parameters())
            seen.append((step.losses, accelerator.scaler.get_scale(), moved))
            if step.number == stop:
                checkpoint.save(stop)
                break
        return seen

    whole = follow(tmp_path / "none")
    assert not whole[0][2]  # everything overflowed
    assert whole[-1][1] < 2.0**40
    first = follow(tmp_path / "checkpoint.pt", stop=2)
    assert first + follow(tmp_path / "checkpoint.pt") == whole


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([*QUICK, "--seed", "1"], "expected a checkpoint of this training, .* seed 0 there and 1 here"),
        ([*QUICK, "--steps", "41"], "of another: steps 40 there and 41 here"),
        (["linear"], "batch_size 16 there and 256 here, .*model gan_plane there and linear here"),
        ([*QUICK, "--mixed-precision", "fp16"], "--mixed-precision fp16: expected a GPU, found none"),
        ([*QUICK, "--batch-size", "200001"], "batch_size: expected at most the 200000 examples of x, got 200001"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, told, run, tmp_path):
    if "200001" not in arguments:
        run(*QUICK, "--out", tmp_path)
    with pytest.raises(SystemExit, match=told) as stopped:
        run(*arguments, "--out", tmp_path)
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lstm"], "argument MODEL: invalid choice: 'lstm' (choose from "),
        (["vae"], "the following arguments are required: --out"),
        (["vae", "--out", "x", "--steps", "0"], "argument --steps: expected a positive int, got 0"),
        (["vae", "--out", "x", "--lr", "fast"], "argument --lr: expected a positive float, got fast"),
    ],
)
def test_what_is_not_understood_is_said(arguments, told, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert told in capsys.readouterr().err


def test_without_accelerate_it_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(SystemExit, match="pip install accelerate"):
        run(*QUICK, "--out", tmp_path)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    torch.set_num_threads(1)
    {"beside": beside, "dies": dies}[what](Path(rest[0])) if what in ("beside", "dies") else dies_once(rest)
