"""The latent walk and the discriminator's opinion: their state, their refusals."""

from functools import cache
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from widget_page import assert_lean_state

from gen_utils.page import export, widgets
from gen_utils.page.graphs.drawing import prepare
from gen_utils.page.widgets import base

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
K, STILLS = 5, 7  # an odd K: the two ends of a walk are two draws, not the halves of one
DIGITS, GARMENTS = [str(digit) for digit in range(10)], ["Trouser", "Ankle boot", "Bag"]
KINDS = ("real", "generated")


def digits(n, seed):
    """Rounded strokes of 8-bit grey on empty paper, some faint pixels at its edge: `(n, 1, 28, 28)`."""
    noise = torch.rand(n, 1, 20, 8, generator=torch.Generator().manual_seed(seed))
    images = torch.zeros(n, 1, 28, 28)
    images[:, :, 4:24, 10:18] = (255 * noise).round() / 255
    images[:, :, 0, 0] = 2 / 255
    return images


EXAMPLES = {"real": digits(3, 0), "generated": digits(2, 1)}


@cache  # for the browser's tests too
def exported():
    """A generator of 10 labels, one of none and two discriminators, as functions and as the graphs of them."""
    draw = torch.Generator().manual_seed(0)
    weights, shifts = torch.randn(K, 784, generator=draw), torch.randn(10, 784, generator=draw)
    looks = torch.randn(784, 10, generator=draw) / 6

    def walker(labels):
        def walk(z0, z1, step):
            z = (1 - step) * z0 + step**2 * z1  # no straight line, and no symmetry between its ends
            return (z @ weights + shifts[:labels]).sigmoid().reshape(labels, 1, 28, 28)

        return walk

    def judge(labels):
        return lambda x: (x.flatten(1) @ looks[:, :labels]).sigmoid()

    walks, judges = {C: walker(C) for C in (10, 1)}, {C: judge(C) for C in (10, 3)}
    ends = {"z0": torch.zeros(1, K), "z1": torch.zeros(1, K), "step": torch.zeros(1)}
    x = torch.zeros(1, 1, 28, 28)
    return SimpleNamespace(
        walks=walks,
        judges=judges,
        walk_graphs={C: export.export(f, ends, ["x"], f"00_walk_{C}") for C, f in walks.items()},
        judge_graphs={C: export.export(f, {"x": x}, ["p"], f"00_judge_{C}") for C, f in judges.items()},
        prepare=export.export(prepare, {"ink": torch.zeros(1, 1, 280, 280)}, ["x"], "00_prepare"),
        logits=export.export(lambda x: 5 * x.flatten(1)[:, :10] - 1, {"x": x}, ["p"], "00_logits"),
    )


def make_walk(made):
    return widgets.LatentWalk(made.walk_graphs[10], DIGITS)


def make_plain_walk(made):
    return widgets.LatentWalk(made.walk_graphs[1], ["a digit"])


def make_opinion(made):
    return widgets.Opinion(made.judge_graphs[10], made.prepare, EXAMPLES, DIGITS)


def make_garments(made):
    return widgets.Opinion(made.judge_graphs[3], made.prepare, EXAMPLES, GARMENTS)


def walked(made, labels, seed, step):
    """What PyTorch makes of the point `step` of the way between the ends that `seed` draws."""
    noise = widgets.Noise(seed)
    z0, z1 = (torch.from_numpy(noise.normal(K))[None] for _ in range(2))
    return made.walks[labels](z0, z1, torch.tensor([step], dtype=torch.float32))


@pytest.fixture(scope="module")
def made():
    return exported()


# ---- The state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_walk, make_plain_walk, make_opinion, make_garments])
def test_the_state_holds_names_and_digests_and_no_weights(made, make):
    assert_lean_state(make(made), 60_000)


def test_the_state_of_the_walk_is_its_beginning(made):
    state = make_walk(made).get_state(["classes", "latent_dim", "stills", "seed", "label", "step"])
    assert state == {"classes": DIGITS, "latent_dim": K, "stills": STILLS, "seed": 0, "label": 0, "step": 0.0}


def test_the_state_of_the_opinion_holds_every_example(made):
    widget = make_opinion(made)
    assert widget.get_state(["classes", "kind"]) == {"classes": DIGITS, "kind": "real"}
    assert tuple(kind for kind, _ in widget.examples) == KINDS  # in the order of their buttons
    for kind, images in EXAMPLES.items():  # of 8 bits: nothing is lost
        np.testing.assert_array_equal(base.images_from_text(dict(widget.examples)[kind]), images)


@pytest.mark.parametrize(("seed", "step"), [(0, 0.0), (3, 0.37), (4, 1.0)])
def test_the_pictures_of_the_walk_are_pytorch_s(made, seed, step):
    widget = make_walk(made)
    widget.seed = seed
    np.testing.assert_allclose(widget.pictures(step), walked(made, 10, seed, step), atol=1e-5)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [[], ["0", "1", "0"]])
@pytest.mark.parametrize(
    "make",
    [
        lambda made, classes: widgets.LatentWalk(made.walk_graphs[10], classes),
        lambda made, classes: widgets.Opinion(made.judge_graphs[10], made.prepare, EXAMPLES, classes),
    ],
)
def test_bad_classes_are_refused(made, make, classes):
    with pytest.raises(ValueError, match="classes: expected names that are all different, got") as refusal:
        make(made, classes)
    assert str(classes) in str(refusal.value)


def test_a_walk_that_does_not_fit_is_refused(made):
    with pytest.raises(ValueError, match=r"00_walk_10.onnx: expected shapes .*'x': \(9, 1, .* got .*\(10, 1, 28, 28"):
        widgets.LatentWalk(made.walk_graphs[10], DIGITS[1:])
    with pytest.raises(ValueError, match=r"00_prepare.onnx: expected shapes .*'step': \(1,\).* got {'ink'"):
        widgets.LatentWalk(made.prepare, ["a digit"])


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        ({}, ValueError, "examples: expected at least one kind of images, got none"),
        (
            {"real": np.zeros((1, 1, 28, 28))},
            TypeError,
            r"examples\['real'\]: expected a float tensor .* got ndarray",
        ),
        ({"real": EXAMPLES["real"][:, 0]}, ValueError, r"examples\['real'\]: expected .* got shape \(3, 28, 28\)"),
        ({"fake": 2 * EXAMPLES["real"]}, ValueError, r"examples\['fake'\]: expected values in \[0, 1\], got"),
    ],
)
def test_bad_examples_are_refused(made, examples, error, message):
    with pytest.raises(error, match=message):
        widgets.Opinion(made.judge_graphs[10], made.prepare, examples, DIGITS)


def test_a_discriminator_that_does_not_fit_is_refused(made):
    with pytest.raises(ValueError, match=r"discriminator: expected p \(1, 3\) in \[0, 1\], got"):
        widgets.Opinion(made.judge_graphs[10], made.prepare, EXAMPLES, GARMENTS)
    with pytest.raises(ValueError, match=r"discriminator: expected p \(1, 10\) in \[0, 1\], got .*-1"):
        widgets.Opinion(made.logits, made.prepare, EXAMPLES, DIGITS)
    with pytest.raises(ValueError, match=r"00_prepare.onnx: expected inputs of shapes {'ink'.* got {'x'"):
        widgets.Opinion(made.prepare, made.prepare, EXAMPLES, DIGITS)
