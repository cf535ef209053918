"""The widgets of the autoencoder chapter: their state, their refusals."""

from functools import cache
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from widget_page import assert_lean_state

from gen_utils.page import export, widgets
from gen_utils.page.graphs.drawing import prepare

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
SIZES = [2, 4, 8, 16, 32, 64]
PERCENT = "% of the variance"
SHARES = [12.5, 0.0, 61.25, 26.25, 0.004]  # of five units; the units 2 and 5 carry nothing


def blots(n):
    """Boxes of random grey, 20 pixels high, `(n, 1, 28, 28)`, of 8 bits; their centres are no pixel's edge."""
    images = torch.zeros(n, 1, 28, 28)
    for i in range(n):
        grey = torch.randint(64, 256, (20, 16 - 2 * i), generator=torch.Generator().manual_seed(i)) / 255
        images[i, 0, 4:24, 6 : 22 - 2 * i] = grey
    return images


IMAGES = blots(3)


def stand_ins():
    """Random functions with the shapes of what the chapter exports."""
    noise = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=noise)  # noqa: E731
    into = {k: normal(784, k) / 8 for k in SIZES}
    out = {k: normal(k, 784) for k in SIZES}
    axes = torch.linalg.qr(normal(784, 64))[0].T
    kept = (torch.arange(64) < torch.tensor(SIZES)[:, None]).float()
    down, up = normal(784, 32) / 8, normal(32, 784)

    def autoencoder(k):
        def encode(x):
            z = 3 * (x.flatten(1) @ into[k]).tanh()
            x_hat = (z @ out[k]).sigmoid().view(-1, 1, 28, 28)
            return z, x_hat, (x_hat - x).square().flatten(1).mean(1)

        return encode

    def pca(x):
        x_hat = ((x.flatten(1) @ axes.T * kept) @ axes).view(-1, 1, 28, 28)
        return x_hat, (x_hat - x).square().flatten(1).mean(1)

    def denoise(x, eps, sigma):
        noisy = x + sigma * eps
        x_hat = ((noisy.flatten(1) @ down).tanh() @ up).sigmoid().view(-1, 1, 28, 28)
        return noisy, x_hat, (torch.cat([noisy, x_hat]) - x).square().flatten(1).mean(1)

    def decode(z):
        return (z @ out[8][:5]).sigmoid().view(-1, 1, 28, 28)

    return SimpleNamespace(autoencoders={k: autoencoder(k) for k in SIZES}, pca=pca, denoise=denoise, decode=decode)


@cache  # for the browser's tests too
def exported():
    """The stand-ins as functions and as graphs."""
    given = stand_ins()
    x, ink = IMAGES[:1], torch.zeros(1, 1, 280, 280)
    return SimpleNamespace(
        **{f"{name}_function": function for name, function in vars(given).items()},
        graphs={
            k: export.export(f, {"x": x}, ["z", "x_hat", "error"], f"00_autoencoder_{k}")
            for k, f in given.autoencoders.items()
        },
        pca=export.export(given.pca, {"x": x}, ["x_hat", "error"], "00_pca"),
        prepare=export.export(prepare, {"ink": ink}, ["x"], "00_prepare"),
        denoise=export.export(
            given.denoise,
            {"x": x, "eps": torch.zeros_like(x), "sigma": torch.ones(1)},
            ["noisy", "x_hat", "error"],
            "00_denoise",
        ),
        decoder=export.export(given.decode, {"z": torch.zeros(1, 5)}, ["x"], "00_code_decoder"),
        conditional=export.export(
            lambda z: given.decode(torch.cat([z, -z])), {"z": torch.zeros(1, 5)}, ["x"], "00_code_conditional"
        ),
    )


@pytest.fixture(scope="module")
def made():
    return exported()


def make_reconstructions(made):
    shuffled = {k: made.graphs[k] for k in (16, 2, 64, 8, 4, 32)}
    return widgets.Reconstructions(shuffled, made.pca, made.prepare, IMAGES)


def make_denoising(made):
    return widgets.DenoisingSlider(made.denoise, made.prepare, IMAGES)


def make_sliders(made):
    return widgets.LatentSliders(made.decoder, SHARES, unit=PERCENT)


def make_conditional(made):
    return widgets.ConditionalSliders(made.conditional, SHARES, ["up", "down"], unit=PERCENT)


def prepared(example):
    """An example, enlarged to a drawing and prepared, by PyTorch."""
    return prepare(torch.kron(example, torch.ones(10, 10))[None])


# ---- The state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_reconstructions, make_denoising, make_sliders, make_conditional])
def test_the_state_holds_names_and_digests_and_no_weights(made, make):
    assert_lean_state(make(made), 50_000)


def test_the_state_is_what_the_widgets_were_given(made):
    reconstructions, denoising = make_reconstructions(made), make_denoising(made)
    assert reconstructions.get_state(["sizes", "index", "example"]) == {"sizes": SIZES, "index": 3, "example": 0}
    assert [reconstructions._graphs[f"autoencoder{k}"] for k in SIZES] == [made.graphs[k] for k in SIZES]
    assert (reconstructions._graphs["pca"], reconstructions._graphs["prepare"]) == (made.pca, made.prepare)
    assert denoising.get_state(["sigma", "seed", "example"]) == {"sigma": 0.5, "seed": 0, "example": 0}
    assert widgets.DenoisingSlider(made.denoise, made.prepare, IMAGES, sigma=0.3).sigma == 0.3
    for widget in (reconstructions, denoising):
        np.testing.assert_array_equal(widgets.base.images_from_text(widget.examples), IMAGES)
    for sliders in (make_sliders(made), make_conditional(made)):
        assert sliders.get_state(["rates", "unit"]) == {"rates": SHARES, "unit": PERCENT}
    assert widgets.LatentSliders(made.decoder, SHARES).unit == "nats"
    assert widgets.ConditionalSliders(made.conditional, SHARES, ["up", "down"]).unit == "nats"


def grid(picture, rows, columns):
    """The images that a picture of rows × columns was put together from."""
    height = len(picture) // rows
    return np.asarray(picture).reshape(rows, height, columns, 28).swapaxes(1, 2).reshape(-1, 1, height, 28)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[], [0, 2], [-1, 2]])
def test_reconstructions_refuse_sizes_that_are_none(made, sizes):
    graphs = dict.fromkeys(sizes, made.graphs[2])
    with pytest.raises(ValueError, match=r"graphs: expected one for each code size 1, 2, …, got sizes \["):
        widgets.Reconstructions(graphs, made.pca, made.prepare, IMAGES)


def test_a_code_or_a_picture_too_few_is_noticed_before_any_reader_sees_it(made):
    swapped = made.graphs | {2: made.graphs[4]}
    with pytest.raises(ValueError, match=r"expected codes of sizes \[2, 4, .* got codes of sizes \[4, 4,"):
        widgets.Reconstructions(swapped, made.pca, made.prepare, IMAGES)
    fewer = {k: made.graphs[k] for k in SIZES[:5]}
    with pytest.raises(ValueError, match=r"a picture of PCA for each, got .* and 6 pictures of PCA"):
        widgets.Reconstructions(fewer, made.pca, made.prepare, IMAGES)


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        (IMAGES.numpy(), TypeError, "examples: expected a float tensor .* got ndarray"),
        (IMAGES[:, 0], ValueError, r"examples: expected .* got shape \(3, 28, 28\)"),
        (2 * IMAGES, ValueError, r"examples: expected values in \[0, 1\], got"),
    ],
)
def test_bad_examples_are_refused(made, examples, error, message):
    with pytest.raises(error, match=message):
        widgets.Reconstructions(made.graphs, made.pca, made.prepare, examples)
    with pytest.raises(error, match=message):
        widgets.DenoisingSlider(made.denoise, made.prepare, examples)


@pytest.mark.parametrize("sigma", [-0.1, 1.05, float("nan")])
def test_a_level_that_the_slider_lacks_is_refused(made, sigma):
    with pytest.raises(ValueError, match=r"sigma: expected a number in \[0, 1\], got"):
        widgets.DenoisingSlider(made.denoise, made.prepare, IMAGES, sigma)
