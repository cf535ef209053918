"""The widgets of the VAE chapter that hold several pictures at once: their state, their refusals."""

import math
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from widget_page import assert_lean_state

from gen_utils.models.vae import VAE
from gen_utils.page import export, widgets

mpl.use("agg")
CLASSES = [str(digit) for digit in range(10)]
UNIT_RATES = [0.5, 0.0, 2.25, 1.0, 0.004]  # K = 5; the units 2 and 5 carry nothing
BETAS, RATES, DISTORTIONS = [0.5, 1.0, 4.0], [30.16, 21.24, 6.0312], [71.31, 77.13, 118.42]
IMAGES = torch.randint(256, (6, 1, 28, 28), generator=torch.Generator().manual_seed(0)) / 255


@cache  # for the browser's tests too
def exported():
    """Untrained models of strong contrast, as functions and as the graphs that the chapter would export of them."""
    torch.manual_seed(0)
    conditional = VAE(latent_dim=5, hidden_dims=(16,), classes=10).requires_grad_(False)
    vaes = [VAE(latent_dim=3, hidden_dims=(16,)).requires_grad_(False) for _ in BETAS]
    for model in (conditional, *vaes):
        for layer in model.decoder.layers[::2]:
            layer.weight.mul_(6)

    def decode(z):
        return conditional.decode(z.expand(10, -1), torch.arange(10)).sigmoid()

    def remake(model):
        def made(x, eps, z):
            mu, sigma = model.encode(x)
            return model.decode(mu + sigma * eps).sigmoid(), model.decode(z).sigmoid()

        return made

    functions = [remake(model) for model in vaes]
    inputs = {"x": IMAGES, "eps": torch.zeros(6, 3), "z": torch.zeros(6, 3)}
    outputs = ["reconstruction", "sample"]
    return SimpleNamespace(
        decode=decode,
        decoder=export.export(decode, {"z": torch.zeros(1, 5)}, ["x"], "00_conditional"),
        functions=functions,
        models=[export.export(f, inputs, outputs, f"00_beta_{i}") for i, f in enumerate(functions)],
    )


@pytest.fixture(scope="module")
def made():
    return exported()


def make_conditional(made):
    return widgets.ConditionalSliders(made.decoder, UNIT_RATES, CLASSES)


def make_plane(made):
    return widgets.RateDistortion(made.models, BETAS, RATES, DISTORTIONS, IMAGES)


@pytest.fixture
def conditional(made):
    return make_conditional(made)


@pytest.fixture
def plane(made):
    return make_plane(made)


# ---- The state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_conditional, make_plane])
def test_the_state_holds_names_and_digests_and_no_weights(made, make):
    assert_lean_state(make(made), 60_000)


def test_the_state_of_the_conditional_sliders_is_what_they_were_given(conditional):
    state = conditional.get_state(["rates", "classes", "z", "seed", "label"])
    assert state == {"rates": UNIT_RATES, "classes": CLASSES, "z": [0.0] * 5, "seed": 0, "label": 0}


def test_the_state_of_the_plane_is_what_it_was_given(plane, made):
    state = plane.get_state(["betas", "rates", "distortions", "index", "seed", "latent_dim"])
    numbers = {"betas": BETAS, "rates": RATES, "distortions": DISTORTIONS}
    assert state == numbers | {"index": 1, "seed": 0, "latent_dim": 3}
    assert list(plane._graphs) == ["model0", "model1", "model2"]
    assert list(plane._graphs.values()) == made.models
    np.testing.assert_array_equal(widgets.base.images_from_text(plane.images), IMAGES)  # of 8 bits: nothing is lost


def test_the_noise_is_one_stream_of_the_seed(plane):
    plane.seed = 7
    drawn = plane.noise()
    np.testing.assert_array_equal(np.concatenate([drawn["eps"], drawn["z"]]).ravel(), widgets.Noise(7).normal(36))


def grid(picture, rows, columns):
    """The images that a picture of rows × columns was put together from."""
    height = len(picture) // rows
    return np.asarray(picture).reshape(rows, height, columns, 28).swapaxes(1, 2).reshape(-1, 1, height, 28)


def test_the_kernel_answers_for_every_model(plane, made):
    x, eps, z = IMAGES, *torch.randn(2, 6, 3)
    given = [{"name": name, "dims": list(value.shape)} for name, value in [("x", x), ("eps", eps), ("z", z)]]
    for index, function in enumerate(made.functions):
        message = {"graph": f"model{index}", "inputs": given}
        content, buffers = plane.run_graph(message, [memoryview(value.numpy().tobytes()) for value in (x, eps, z)])
        assert [output["name"] for output in content["outputs"]] == ["reconstruction", "sample"]
        for found, expected in zip(buffers, function(x, eps, z), strict=True):
            np.testing.assert_allclose(np.frombuffer(found, np.float32), expected.flatten(), atol=1e-5)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [[], ["0", "1", "0"]])
def test_conditional_sliders_refuse_bad_classes(made, classes):
    with pytest.raises(ValueError, match="classes: expected names that are all different, got") as refusal:
        widgets.ConditionalSliders(made.decoder, UNIT_RATES, classes)
    assert str(classes) in str(refusal.value)


def test_conditional_sliders_refuse_bad_rates(made):
    with pytest.raises(ValueError, match="rates: expected one finite, non-negative number a unit, got"):
        widgets.ConditionalSliders(made.decoder, [math.nan], CLASSES)


def test_a_class_or_a_rate_too_few_is_noticed_before_any_reader_sees_it(made):
    with pytest.raises(
        ValueError, match=r"expected outputs of shapes {'x': \(9, 1, 28, 28\)}, got {'x': \(10, 1, 28, 28\)}"
    ):
        widgets.ConditionalSliders(made.decoder, UNIT_RATES, CLASSES[1:])
    with pytest.raises(ValueError, match=r"expected inputs of shapes {'z': \(1, 4\)}, got {'z': \(1, 5\)}"):
        widgets.ConditionalSliders(made.decoder, UNIT_RATES[1:], CLASSES)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"betas": [1.0, 0.5, 4.0]}, ValueError, r"betas: expected increasing numbers, got \[1.0, 0.5, 4.0\]"),
        ({"betas": [1.0, 1.0, 4.0]}, ValueError, "betas: expected increasing numbers"),
        ({"betas": [1.0, 4.0]}, ValueError, "betas: expected a finite number for each of the 3 models, got"),
        ({"rates": [1.0, 2.0]}, ValueError, "rates: expected a finite number for each of the 3 models, got"),
        ({"rates": [1.0, 2.0, math.nan]}, ValueError, "rates: expected a finite number .* got .*nan"),
        ({"rates": [1.0, 2.0, -1.0]}, ValueError, r"rates: expected numbers that are not negative, got .*-1.0\]"),
        ({"distortions": [1.0, 2.0, math.inf]}, ValueError, "distortions: expected a finite number .* got .*inf"),
        ({"distortions": [[1.0], [2.0], [3.0]]}, ValueError, "distortions: expected a finite number"),
        ({"x": IMAGES.numpy()}, TypeError, "x: expected a float tensor .* got ndarray"),
        ({"x": IMAGES[:, 0]}, ValueError, r"x: expected .* got shape \(6, 28, 28\)"),
        ({"x": 2 * IMAGES}, ValueError, r"x: expected values in \[0, 1\], got \[0, 2\]"),
        ({"x": IMAGES[1:]}, ValueError, r"00_beta_0.onnx: expected inputs of shapes {'x': \(5, 1, 28, 28\)"),
    ],
)
def test_the_plane_refuses_what_does_not_fit(made, changed, error, message):
    given = {"betas": BETAS, "rates": RATES, "distortions": DISTORTIONS, "x": IMAGES}
    with pytest.raises(error, match=message):
        widgets.RateDistortion(made.models, **(given | changed))


def test_the_plane_refuses_graphs_that_do_not_fit(made):
    numbers = [1.0, 2.0]
    with pytest.raises(ValueError, match="models: expected at least two, got 1"):
        widgets.RateDistortion(made.models[:1], BETAS[:1], RATES[:1], DISTORTIONS[:1], IMAGES)
    with pytest.raises(ValueError, match=r"00_conditional.onnx: expected inputs of shapes .* got {'z': \(1, 5\)}"):
        widgets.RateDistortion([made.models[0], made.decoder], numbers, numbers, numbers, IMAGES)
    absent = export.Graph(Path("absent.onnx"), "00" * 32, 0.0)
    with pytest.raises((ValueError, FileNotFoundError), match=r"absent\.onnx"):
        widgets.RateDistortion([absent, absent], numbers, numbers, numbers, IMAGES)
