"""A training that continues is the undisturbed one, or it is refused in words and nothing in its folder changes."""

import argparse
import errno
import json
import math
import os
import resource
import shutil
import signal
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from gen_utils.distributed import __main__ as command
from gen_utils.distributed import checkpoint
from gen_utils.models.gan import GAN, r1
from gen_utils.recipes import RECIPES
from gen_utils.train import average

POINTS = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
RECIPE = replace(
    RECIPES["gan_plane"],
    model=partial(GAN, 2, (8,), losses=r1()),
    steps=8,
    batch_size=16,
    points=lambda: POINTS,
    average=average,
)


class Stop:
    """As `prepare` it changes nothing; at its batch number `at` it sends the signal of Ctrl-C."""

    def __init__(self, at=0):
        self.at, self.calls = at, 0

    def __call__(self, x, *, generator):
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return x


def new_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=True)


@pytest.fixture
def run(monkeypatch):
    """The command, as a program of its own, with a recipe."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)

    def run(out, *arguments, recipe=RECIPE):
        monkeypatch.setitem(RECIPES, "gan_plane", recipe)
        AcceleratorState._reset_state(reset_partial_state=True)
        command.main(["gan_plane", "--out", str(out), *map(str, arguments)])

    return run


def content(folder):
    """Every file below a folder, as bytes, and what else is there."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock"
    }


def refused(call, message, folder):
    """The call ends in one line that matches, and has changed nothing."""
    before = content(folder)
    with pytest.raises(SystemExit, match=message) as stopped:
        call()
    assert "\n" not in str(stopped.value)
    assert str(stopped.value).startswith("gan_plane: ")
    assert content(folder) == before


@pytest.fixture
def finished(run, tmp_path):
    out = tmp_path / "finished"
    run(out)
    return out


def results(out):
    return (out / "losses.csv").read_bytes(), (out / "gan_plane.safetensors").read_bytes()


def test_interrupted_twice_and_called_again_it_is_the_undisturbed_one(finished, tmp_path, monkeypatch):
    """A path may be a `str`; the folder is made; a call more, half way or after the end, changes nothing."""
    handlers, out = signal.getsignal(signal.SIGINT), tmp_path / "not/yet/there"
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for at, every in ((3, 500), (2, 1), (0, 2), (0, 3)):
        recipe = replace(RECIPE, prepare=Stop(at))
        options = command.parse(["gan_plane", "--out", str(out), "--every", str(every)])
        options = argparse.Namespace(**vars(options) | {"out": str(out)})
        assert command.train(options, recipe, new_accelerator()) == (at == 0)
        assert signal.getsignal(signal.SIGINT) == handlers
        assert len([*out.glob("checkpoint_*")]) == 1
    assert results(out) == results(finished)


class OtherBetas(GAN):
    betas = (0.5, 0.9)


def warmer(number, steps):
    return 1.0


CHANGES = {
    "average": ({"average": None}, r"average <function average> there and None here, state 3 AveragedModel .* none"),
    "prepare": ({"prepare": Stop()}, "prepare None there and <test_checkpoint.Stop object> here"),
    "lr_schedule": ({"lr_schedule": warmer}, "lr_schedule None there and <function warmer> here"),
    "anneal": ({"anneal": lambda *_: None}, "anneal None there and <function <lambda>> here"),
    "penalty": ({"model": partial(GAN, 2, (8,), losses=r1(0.2))}, "settings .* there"),
    "sizes": ({"model": partial(GAN, 2, (9,), losses=r1())}, "network 1 Loss .* there and Loss .* here, .*state 3"),
    "betas": ({"model": partial(OtherBetas, 2, (8,), losses=r1())}, "of another: optimizer 1 .* here, optimizer 2"),
    "lr": ({"lr": 1e-3}, "another: lr 0.0005 there and 0.001 here"),
    "steps": ({"steps": 9}, "steps 8 there and 9 here"),
    "batch": ({"batch_size": 8}, "another: batch_size 16 there and 8 here"),
    "order": ({"points": lambda: POINTS.flip(0)}, "another: digest .* there and .* here$"),
    "one number": ({"points": lambda: POINTS.index_fill(0, torch.tensor([5]), 0.1)}, "another: digest .* here$"),
    "fewer": ({"points": lambda: POINTS[1:]}, "examples 64 there and 63 here"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_recipe_or_other_data_are_refused(name, run, finished):
    change, message = CHANGES[name]
    refused(lambda: run(finished, recipe=replace(RECIPE, **change)), message, finished)


def test_another_program_is_refused(run, finished, tmp_path, monkeypatch):
    refused(lambda: run(finished, "--seed", 1), "another: seed 0 there and 1 here", finished)
    refused(lambda: run(finished, "--mixed-precision", "bf16"), "mixed_precision no there and bf16 here", finished)
    with monkeypatch.context() as patch:
        patch.setattr(command, "__version__", "9")
        patch.setattr(torch, "__version__", "9")
        refused(lambda: run(finished), "gen_utils .* there and 9 here, torch .* there and 9 here$", finished)
    torch.set_num_threads(2)
    refused(lambda: run(finished), r"threads \(OMP_NUM_THREADS\) 1 there and 2 here$", finished)
    torch.set_num_threads(1)
    # The reverse of CHANGES["average"]: the file has no average.
    plain = tmp_path / "plain"
    run(plain, recipe=replace(RECIPE, average=None))
    refused(lambda: run(plain), "average None there and .* here, state 3 none there and AveragedModel .* here", plain)


def test_every_file_of_a_checkpoint_that_is_damaged_is_named(run, finished, draws):
    files = [*(finished / "checkpoint_8").iterdir(), finished / "losses.csv"]
    assert len(files) == 11  # two networks, two optimizers, three states, random numbers, generator, run.json, losses
    for path in files:
        whole = path.read_bytes()
        at = draws.randrange(len(whole))
        damaged = {
            "cut": whole[:-1],
            "half": whole[: len(whole) // 2],
            "empty": b"",
            "flipped": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
        }
        for how, bytes_ in damaged.items():
            path.write_bytes(bytes_)
            message = {"run.json": "run.json", "losses.csv": "losses"}.get(path.name, f"{path.name} is damaged")
            print(path, how, at)
            refused(lambda: run(finished), message, finished)
        path.unlink()
        refused(lambda: run(finished), path.name, finished)
        path.mkdir()
        refused(lambda: run(finished), path.name, finished)
        path.rmdir()
        path.write_bytes(whole)
    before = results(finished)
    run(finished)
    assert results(finished) == before


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '"x"', '{"sha256": 3}', "{}", "[" * 10_000, "\udcff"])
def test_other_json_in_its_place_is_refused(text, run, finished):
    (finished / "checkpoint_8/run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(lambda: run(finished), "found no readable run.json", finished)


class Program:
    """Pickled, it touches a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_program_in_a_checkpoint_is_not_run(run, finished, tmp_path):
    """Not even where all digests are right: whoever sends a checkpoint can compute them."""
    folder = finished / "checkpoint_8"
    torch.save(Program(tmp_path / "ran"), folder / "custom_checkpoint_0.pkl")
    described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    described["files"]["custom_checkpoint_0.pkl"] = checkpoint._digest(folder / "custom_checkpoint_0.pkl")
    del described["sha256"]
    described["sha256"] = checkpoint._digest_of(described)
    (folder / "run.json").write_text(json.dumps(described), encoding="utf-8")
    refused(lambda: run(finished), "custom_checkpoint_0.pkl: expected numbers alone", finished)
    assert not (tmp_path / "ran").exists()


def move(name):
    return lambda out: (out / "checkpoint_8").rename(out / name)


ODD = {
    "another number": (move("checkpoint_0"), "expected the state after update 0, found that after 8"),
    "a leading zero": (move("checkpoint_08"), "expected a folder that is named checkpoint_NUMBER"),
    "a word": (move("checkpoint_old"), "expected a folder that is named checkpoint_NUMBER"),
    "elsewhere": (move("elsewhere"), "found results without one"),
    "a file": (lambda out: (out / "checkpoint_9").touch(), "checkpoint_9: expected a folder"),
    "a link": (
        lambda out: (out / "checkpoint_9").symlink_to(out / "checkpoint_8"),
        "checkpoint_9: expected a folder",
    ),
    "a part more": (
        lambda out: (out / "checkpoint_8/custom_checkpoint_3.pkl").touch(),
        "custom_checkpoint_3.pkl too",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_folder_that_is_not_as_it_was_left_is_refused(name, run, finished):
    change, message = ODD[name]
    change(finished)
    refused(lambda: run(finished), message, finished)


def test_what_stands_in_the_way_of_the_results_is_said_before_the_data_are_read(run, tmp_path, monkeypatch):
    def examples(*_):
        raise AssertionError("read")

    monkeypatch.setattr(command, "examples", examples)
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file/below"):
        refused(lambda out=out: run(out), "expected a folder that can be written, or made", tmp_path)
    for name in ("losses.csv", "gan_plane.safetensors", "gan_plane.safetensors.part", ".lock"):
        out = tmp_path / name
        (out / name).mkdir(parents=True)
        refused(lambda out=out: run(out), f"{name}", tmp_path)
    with pytest.raises(SystemExit):
        run("")
    assert {path.name for path in tmp_path.iterdir()} > {"file"}


@pytest.mark.parametrize("name", ["checkpoint.part/model_7.safetensors", "checkpoint.part"])
def test_what_a_kill_may_leave_is_cleared_away(name, run, finished, tmp_path):
    out = tmp_path / "begun"
    (out / name).parent.mkdir(parents=True)
    (out / name).touch()
    run(out)
    assert results(out) == results(finished)
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == [
        "checkpoint_8",
        "gan_plane.safetensors",
        "losses.csv",
    ]


@contextmanager
def nobody():
    """The rights of a user without any, where the tests are run by root."""
    user, able = os.geteuid(), os.geteuid() == 0
    if able:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_cannot_be_opened_is_not_taken_for_an_empty_one():
    folder, accelerator = Path(tempfile.mkdtemp()), new_accelerator()
    (folder / "checkpoint_3").mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 65534, -1)
    state = ({}, torch.Generator(), accelerator)
    with nobody():
        folder.chmod(0o300)  # what is in it can be made and named, not listed
        with pytest.raises(PermissionError):
            checkpoint.load(folder, *state)
        folder.chmod(0o500)
        message = f"{folder}: expected a folder that can be written, or made"
        with pytest.raises(ValueError, match=message), checkpoint.alone(folder, accelerator):
            pass
    shutil.rmtree(folder)


def test_two_programs_in_one_folder_are_refused(run, tmp_path, monkeypatch, capsys):
    with checkpoint.alone(str(tmp_path), new_accelerator()):
        refused(lambda: run(tmp_path), "found one in which another training is under way; wait", tmp_path)
    run(tmp_path)

    def without_locks(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(checkpoint, "_lock", without_locks)
    run(tmp_path / "else")
    assert "there are no locks here" in capsys.readouterr().out


def test_a_full_disk_is_said_and_costs_nothing(run, finished, tmp_path, monkeypatch):
    out, limits = tmp_path / "full", resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(SystemExit):
        run(out, recipe=replace(RECIPE, prepare=Stop(3)))
    for kilobytes in (2, 4):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, limits[1]))
        try:
            with pytest.raises(SystemExit) as stopped:
                run(out, "--every", 1, recipe=replace(RECIPE, prepare=Stop()))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert str(stopped.value).startswith("gan_plane: ")
        assert [path.name for path in out.glob("checkpoint_*")] == ["checkpoint_3"]
    run(out, recipe=replace(RECIPE, prepare=Stop()))
    assert results(out) == results(finished)


def test_nothing_replaces_a_checkpoint_that_was_not_loaded(tmp_path):
    accelerator, generator = new_accelerator(), torch.Generator().manual_seed(1)
    out = str(tmp_path / "made")
    assert checkpoint.load(out, {"seed": 1}, generator, accelerator) is None
    checkpoint.save(out, 5, {"seed": 1}, generator, accelerator)
    for number in (0, 5):
        with pytest.raises(ValueError, match=f"expected an update after 5, .* got {number}; load it first"):
            checkpoint.save(out, number, {"seed": 1}, generator, accelerator)
    drawn = torch.rand(3, generator=generator)
    assert checkpoint.load(out, {"seed": 1}, generator, accelerator) == 5
    assert torch.equal(torch.rand(3, generator=generator), drawn)
    checkpoint.write(f"{out}/file", b"new")
    assert Path(out, "file").read_bytes() == b"new"


def test_an_accelerator_serves_one_training(run, tmp_path):
    options = command.parse(["gan_plane", "--out", str(tmp_path)])
    accelerator = new_accelerator()
    assert command.train(options, RECIPE, accelerator)
    with pytest.raises(ValueError, match="expected a new one for each training"):
        command.train(options, RECIPE, accelerator)


def test_the_digest_is_of_types_and_shapes_too():
    x, y = torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)
    others = [(x.view(2, 4), None), (x.view(torch.int32), None), (x, y), (x, y.view(2, 2)), (x + 1e-9, None)]
    assert len({command.digest(x, None), *(command.digest(*other) for other in others)}) == 6


def test_a_run_is_itself_again_whatever_describes_it_and_wherever_its_folder_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run = {"betas": (0.9, 0.99), "weights": {1: math.nan}, "data": Path("x"), "n": np.int64(3)}
    generator = torch.Generator()
    checkpoint.save("~/run", np.int64(4), run, generator, new_accelerator())
    with checkpoint.alone("~/run", new_accelerator()) as out:
        assert out == command.folder("~/run") == tmp_path / "run"
    assert not Path("~").exists()
    assert checkpoint.load("~/run", run, generator, new_accelerator()) == 4
    with pytest.raises(ValueError, match=r"found one of another: betas \[0.9, 0.99\] there and \[0.9\] here"):
        checkpoint.load("~/run", run | {"betas": (0.9,)}, generator, new_accelerator())
    with pytest.raises(TypeError, match="integer"):
        checkpoint.save("~/run", 5.0, run, generator, new_accelerator())
