"""The Turing test: what its sources draw, what it shows, its chances, its state, its refusals."""

from functools import cache, partial
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from scipy import stats
from test_widgets_diffusion import Convolutions
from widget_page import assert_lean_state

from gen_utils import data
from gen_utils.models.conv_gan import ConvGAN
from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.made import MADE
from gen_utils.models.samplers import ddim
from gen_utils.models.vae import VAE
from gen_utils.page import export
from gen_utils.page.graphs import turing_test as graphs
from gen_utils.page.graphs.made import draw_by_pixels
from gen_utils.page.noise import Noise
from gen_utils.page.widgets import TuringTest, turing_test

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
STEPS = 3
U = {B: torch.full((B, 1, 28, 28), 0.5) for B in (4, 8, 16)}


def small_models():
    """Models of random weights whose samples are no plain grey."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models = {
            "VAE": VAE(latent_dim=3, hidden_dims=(16,)),
            "GAN": ConvGAN(generator_width=2, discriminator_width=2),
            "diffusion": ImageDiffusion(Convolutions()),
            "MADE": MADE(hidden_dims=(90,)),
        }
        with torch.no_grad():
            for layer in (models["VAE"].decoder.layers[-1], models["MADE"].direct, models["MADE"].hidden[0]):
                layer.weight.normal_(std=0.3)
            models["GAN"].generator.body[7].weight.mul_(20)
    return {name: model.eval().requires_grad_(False) for name, model in models.items()}


def source(function, inputs, outputs, name):
    return export.export(function, inputs, outputs, f"00_turing_{name}")


def source_graphs(images, models):
    """Each source as a graph; their batches differ."""
    vae, gan = models["VAE"], models["GAN"]
    z, label = torch.zeros, partial(torch.full, fill_value=0.5)
    with_draws, random_labels = graphs.with_draws, graphs.random_labels
    return {
        "real": source(
            graphs.real(images),
            {"u_order": torch.linspace(0, 1, len(images)), "u": U[16]},
            ["grey", "binary"],
            "real",
        ),
        "VAE": source(
            lambda z, u: with_draws(vae.mean(vae.decode(z)), u),
            {"z": z(4, vae.latent_dim), "u": U[4]},
            ["means", "binary"],
            "vae",
        ),
        "GAN": source(
            lambda z, u_label, u: with_draws(gan.generator(z, random_labels(u_label, 10)), u),
            {"z": z(16, gan.latent_dim), "u_label": label((16,)), "u": U[16]},
            ["grey", "binary"],
            "gan",
        ),
        "diffusion": source(
            graphs.diffusion(models["diffusion"], STEPS),
            {"x": z(8, 1, 28, 28), "turn": torch.eye(STEPS)[1], "u_label": label((8,)), "u": U[8]},
            ["x_next", "grey", "binary"],
            "diffusion",
        ),
        "MADE": source(draw_by_pixels(models["MADE"]), {"u": U[16]}, ["binary"], "made"),
    }


@cache  # for the browser's tests too
def exported():
    """Forty real images, small models, and the graphs of all."""
    images, models = data.mnist().test[:40], small_models()
    return SimpleNamespace(images=images, models=models, graphs=source_graphs(images, models))


@pytest.fixture(scope="module")
def made():
    return exported()


def make(made, **chosen):
    families = {name: graph for name, graph in made.graphs.items() if name != "real"}
    return TuringTest(made.graphs["real"], families, **chosen)


def uniform(noise, *shape):
    return torch.tensor([noise.uniform() for _ in range(np.prod(shape))], dtype=torch.float32).view(shape)


def normal(noise, *shape):
    return torch.from_numpy(noise.normal(np.prod(shape))).view(shape)


def random_labels(noise, n):
    return torch.tensor([int(10 * noise.uniform()) for _ in range(n)])


@torch.no_grad()
def drawn(made, name, noise):
    """What a source draws from a stream of noise, by PyTorch: grey, or nothing, and black and white."""
    model = made.models.get(name)
    greys, tosses = [], []
    for _ in range({"VAE": 4, "diffusion": 2}.get(name, 1)):
        match name:
            case "real":
                grey = made.images[uniform(noise, len(made.images)).argsort(descending=True)[:16]]
            case "VAE":
                grey = model.decode(normal(noise, 4, 3)).sigmoid()
            case "GAN":
                grey = model.generator(normal(noise, 16, 32), random_labels(noise, 16))
            case "diffusion":
                x_end, y = normal(noise, 8, 1, 28, 28), random_labels(noise, 8)
                predict = partial(model.guided, y=y, guidance=1.0)
                *_, x = ddim(predict, x_end, model.schedule.strided(STEPS))
                grey = ((x + 1) / 2).clamp(0, 1)
            case "MADE":
                return None, pixel_by_pixel(model, uniform(noise, 16, 1, 28, 28))
        greys.append(grey)
        tosses.append((uniform(noise, *grey.shape) < grey).float())
    return torch.cat(greys), torch.cat(tosses)


@torch.no_grad()
def pixel_by_pixel(model, u):
    """Draw each pixel from its conditional, with the whole network every time."""
    x = torch.zeros_like(u)
    for d in range(784):
        x.flatten(1)[:, d] = (u.flatten(1)[:, d] < model.logits(x).flatten(1)[:, d].sigmoid()).float()
    return x


def shown(made, seed, sought, other, pixels):
    """What stands on the left and on the right, by PyTorch: names and images."""
    noise = Noise(seed)
    left = noise.uniform() < 0.5
    found = {name: drawn(made, name, noise) for name in (sought, other)}
    grey = pixels == "grey" and all(grey is not None for grey, _ in found.values())
    sides = [(name, each[0] if grey else each[1]) for name, each in found.items()]
    return sides if left else sides[::-1]


# ---- The sources -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["real", "VAE", "GAN", "diffusion", "MADE"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_source_draws_what_pytorch_draws(made, name, seed):
    grey, binary = drawn(made, name, Noise(seed))
    widget = make(made)
    for pixels, expected in (("grey", grey), ("binary", binary)):
        if expected is None:
            continue
        widget.sought, widget.other = name, "GAN" if name == "VAE" else "VAE"
        widget.pixels = pixels
        found = widget._draw(name, Noise(seed))
        assert found.shape == (16, 1, 28, 28)
        assert expected.std() > 0.05
        assert found.std(0).max() > 0.1  # the images differ
        if pixels == "grey":
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        else:
            assert set(np.unique(found)) == {0, 1}
            assert (found != expected.numpy()).mean() < 1e-4  # where a probability meets the noise


def test_real_images_are_real_all_different_and_equally_likely(made):
    marked = torch.arange(40.0).view(40, 1, 1, 1).expand(-1, 1, 28, 28) / 255
    draw, counts = graphs.real(marked), torch.zeros(40)
    g = torch.Generator().manual_seed(0)
    for _ in range(2000):
        grey, binary = draw(torch.rand(40, generator=g), torch.full((16, 1, 28, 28), 0.08))
        chosen = (255 * grey[:, 0, 0, 0]).round()
        assert len(set(chosen.tolist())) == 16
        assert torch.equal(binary, (grey > 0.08).float())
        counts[chosen.long()] += 1
    share = counts / 2000
    assert ((share - 0.4).abs() < 4 * (0.4 * 0.6 / 2000) ** 0.5).all()
    found = make(made)._draw("real", Noise(5))
    distance = (torch.from_numpy(found)[:, None] - made.images).abs().amax((2, 3, 4))
    assert (distance.amin(1) < 1e-7).all()


def test_labels_are_even_and_never_out_of_range():
    u = torch.tensor([0.0, 0.0999, 0.1001, 0.5, 0.9999, 1.0])
    assert graphs.random_labels(u, 10).tolist() == [0, 0, 1, 5, 9, 9]
    counts = graphs.random_labels((torch.arange(1000) + 0.5) / 1000, 10).bincount()
    assert counts.tolist() == [100] * 10


def test_made_refuses_what_it_cannot_run():
    with pytest.raises(ValueError, match="one hidden layer, got 2"):
        draw_by_pixels(MADE(hidden_dims=(3, 3), event_shape=(4,)))


# ---- A round ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "sought", "other", "pixels"),
    [
        (0, "real", "VAE", "grey"),
        (3, "real", "MADE", "grey"),
        (4, "GAN", "diffusion", "grey"),
        (5, "VAE", "real", "binary"),
    ],
)
def test_a_round_compares_like_with_like(made, seed, sought, other, pixels):
    widget = make(made, pixels=pixels)
    widget.sought, widget.other, widget.seed = sought, other, seed
    found, left = widget.grids()
    sides = shown(made, seed, sought, other, pixels)
    assert [name for name, _ in sides] == ([sought, other] if left else [other, sought])
    for name, expected in sides:
        assert (found[name] - expected.numpy() > 1e-5).mean() < 1e-4
    greys = [np.isin(images, (0, 1)).mean() < 0.95 for images in found.values()]
    assert greys == [pixels == "grey" and "MADE" not in (sought, other)] * 2


def test_the_sides_turn_by_the_seed_alone(made):
    left = [Noise(seed).uniform() < 0.5 for seed in range(1, 401)]
    assert abs(np.mean(left) - 0.5) < 3 * 0.5 / 20
    repeats = np.mean(np.equal(left[1:], left[:-1]))
    assert abs(repeats - 0.5) < 3 * 0.5 / 20
    widget = make(made)
    for widget.seed in (1, 2, 3, 4, 5, 6):
        for widget.other in ("VAE", "GAN"):
            assert widget.grids()[1] == left[widget.seed - 1]


def test_chances_are_the_binomial_s_tail():
    table = turing_test.chances(40)
    assert len(table) == 41
    for n, row in enumerate(table):
        assert len(row) == n + 1
        np.testing.assert_allclose(row, stats.binom.sf(np.arange(n + 1) - 1, n, 0.5), rtol=5.1e-3)
    assert table[3] == [1.0, 0.875, 0.5, 0.125]


# ---- The state ---------------------------------------------------------------------------------------------


def test_the_state_holds_what_the_page_must_know_and_no_weights(made):
    widget = make(made, pixels="binary")
    state = widget.get_state()
    assert widget._graphs == made.graphs
    assert_lean_state(widget, 60_000)
    assert state["sources"]["diffusion"] == {
        "batch": 8,
        "noise": {"x": [8, 1, 28, 28], "u_label": [8], "u": [8, 1, 28, 28]},
        "steps": STEPS,
        "grey": "grey",
    }
    assert {name: each["grey"] for name, each in state["sources"].items()} == {
        "real": "grey",
        "VAE": "means",
        "GAN": "grey",
        "diffusion": "grey",
        "MADE": None,
    }
    first = {"sought": "real", "other": "VAE", "pixels": "binary", "seed": 1, "scores": {}}
    assert widget.get_state([*first]) == first
    assert state["chances"] == turing_test.chances(40)


# ---- Bad input -------------------------------------------------------------------------------------------------


def test_families_and_pixels_that_are_none_are_refused(made):
    real, vae = made.graphs["real"], made.graphs["VAE"]
    for families in ({}, {"real": vae}):
        with pytest.raises(ValueError, match="families: expected some, none of them called 'real'"):
            TuringTest(real, families)
    with pytest.raises(ValueError, match='pixels: expected "grey" or "binary", got \'red\''):
        TuringTest(real, {"VAE": vae}, pixels="red")


@pytest.mark.parametrize(
    ("outputs", "shape"),
    [
        (["grey"], (16, 1, 28, 28)),
        (["binary", "x"], (16, 1, 28, 28)),
        (["binary", "grey", "means"], (16, 1, 28, 28)),
        (["binary"], (16, 784)),
        (["binary"], (5, 1, 28, 28)),
    ],
)
def test_a_graph_that_is_no_source_is_refused(made, outputs, shape):
    wrong = export.export(lambda u: (u,) * len(outputs), {"u": torch.zeros(shape)}, outputs, "00_turing_wrong")
    with pytest.raises(ValueError, match='expected outputs "binary" and perhaps "grey" or "means"'):
        TuringTest(made.graphs["real"], {"wrong": wrong})
