"""The widget that trains a GAN: its graphs against PyTorch, its state, its refusals."""

import math
from functools import cache, partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from numeric import seeded
from torch.fx.experimental.proxy_tensor import make_fx
from widget_page import assert_lean_state

from gen_utils import toys
from gen_utils.models.gan import GAN
from gen_utils.page import export, widgets
from gen_utils.page.graphs import gan
from gen_utils.page.graphs.gan import DENSITIES, LOSSES, PICTURE, POINTS, SIDE, UPDATES, picture, points
from gen_utils.page.widgets.gan_training import SAMPLES

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
B = 128
# Density, loss, D steps and seed.
PLAYED = [
    ("ring", "r1", 1, 1),
    ("ring", "minimax", 1, 2),
    ("grid", "wgan_gp", 1, 0),
    ("moons", "non_saturating", 1, 4),
    ("ring", "non_saturating", 5, 1),
]


@cache
def exported():
    """The graphs that the chapter exports: that takes a while, and two test files use them."""
    model, generator = GAN(), seeded()
    K = model.latent_dim
    noise = torch.randn(sum(p.numel() for p in model.parameters()), generator=generator)
    theta, phi = gan.start(model, noise)
    x, z = (torch.randn(B, size, generator=generator) for size in (2, K))
    u = torch.rand(B, 1, generator=generator)
    rate = {"lr": torch.tensor([1e-3]), "step": torch.tensor([1.0])}
    judge = {"phi": phi, "m": 0 * phi, "v": 0 * phi, "theta": theta, "x": x, "z": z, "u": u, **rate}
    maker = {"theta": theta, "m": 0 * theta, "v": 0 * theta, "average": 0 * theta, "phi": phi, "z": z, **rate}
    updates = {"discriminator": (gan.discriminator_step, judge), "generator": (gan.averaged_generator_step, maker)}
    outputs = {"discriminator": ["new_phi", "new_m", "new_v", "loss"]}
    outputs["generator"] = ["new_theta", "new_m", "new_v", "new_average", "loss"]
    made = {"start": export.export(partial(gan.start, model), {"noise": noise}, ["theta", "phi"], "00_start")}
    for loss, names in UPDATES.items():
        model.losses = LOSSES[loss]
        for network, name in names.items():
            update, inputs = updates[network]
            if name not in made:
                step = make_fx(partial(update, model))(*inputs.values())
                made[name] = export.export(step, inputs, outputs[network], f"00_{name}")
    for name, density in DENSITIES.items():
        made[f"data_{name}"] = export.export(
            partial(points, density), {"u": u[:, 0], "eps": x}, POINTS, f"00_data_{name}"
        )
        inputs = {"theta": theta, "phi": phi, "z": torch.randn(SAMPLES, K, generator=generator)}
        made[f"picture_{name}"] = export.export(
            partial(picture, model, density), inputs, PICTURE, f"00_picture_{name}"
        )
    return made


@pytest.fixture(scope="module")
def made():
    return exported()


def replay(density, loss, lr, d_steps, seed, steps):
    """Weights θ, φ and the average of θ after each number of steps, in PyTorch with the widget's noise."""
    model = GAN(losses=LOSSES[loss])
    K, weights = model.latent_dim, sum(p.numel() for p in model.parameters())
    noise, mixture, scale = widgets.Noise(seed), DENSITIES[density].mixture, DENSITIES[density].scale

    def normal(*shape):
        return torch.from_numpy(noise.normal(math.prod(shape))).view(shape)

    def uniform():
        return torch.tensor([noise.uniform() for _ in range(B)])

    def draw():
        u, eps = uniform(), normal(B, 2)
        chosen = torch.searchsorted(mixture.log_weights.exp().cumsum(0)[:-1], u)
        return (mixture.means[chosen] + mixture.sigma * eps) / scale

    theta, phi = gan.start(model, normal(weights))
    normal(SAMPLES, K)
    for _ in range(4):
        draw()
    mean = theta
    g, d = [[w, torch.zeros_like(w), torch.zeros_like(w)] for w in (theta, phi)]
    lr, number = torch.tensor([lr]), torch.zeros(1)
    for step in range(1, max(steps) + 1):
        for _ in range(d_steps):
            number = number + 1
            x, z, u = draw(), normal(B, K), uniform()[:, None]
            *d, _ = gan.discriminator_step(model, *d, g[0], x, z, u, lr, number)
        *g, _ = gan.generator_step(model, *g, d[0], normal(B, K), lr, torch.tensor([float(step)]))
        mean = gan.moving_average(mean, g[0], torch.tensor([float(step)]))
        if step in steps:
            yield {"theta": g[0].numpy(), "phi": d[0].numpy(), "average": mean.numpy()}


@pytest.mark.parametrize(("density", "loss", "d_steps", "seed"), PLAYED)
def test_training_through_the_graphs_is_training_in_pytorch(made, density, loss, d_steps, seed):
    widget = widgets.GANTraining(made, density, loss, d_steps=d_steps)
    widget.seed = seed
    expected = replay(density, loss, widget.lr, d_steps, seed, (1, 100))
    for number, tolerance in [(1, 1e-5), (100, 1e-4)]:
        found = widget.train(number)
        for name, weights in next(expected).items():
            np.testing.assert_allclose(found[name], weights, rtol=0, atol=tolerance, err_msg=name)


# ---- The pure functions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DENSITIES)
def test_points_are_drawn_from_the_density(name):
    density = DENSITIES[name]
    n = 20_000
    u, eps = torch.rand(n, generator=seeded()), torch.randn(n, 2, generator=seeded(1))
    seen, x = points(density, u, eps)
    torch.testing.assert_close(seen * density.scale, x)
    assert seen.abs().max() < 2.5
    log_p = density.mixture.log_prob(x)
    assert abs(log_p.mean() + density.mixture.entropy()) < 3 * log_p.std() / n**0.5
    near = (x[:, None] - density.mixture.means).square().sum(2).argmin(1)
    shares = torch.bincount(near // (len(density.mixture.means) // density.modes), minlength=density.modes) / n
    assert (shares - 1 / density.modes).abs().max() < 4 * (1 / density.modes / n) ** 0.5
    away = (x - torch.tensor(density.centre)).abs().max(1).values
    assert (away < density.limit).all()


def test_a_picture_of_known_networks():
    """A generator that adds nothing, and a discriminator whose logit is x₁ − 2 x₂."""
    model = GAN()
    model.generator, model.discriminator = (
        torch.nn.Linear(2, 2),
        torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0)),
    )
    theta, phi = torch.tensor([1.0, 0, 0, 1, 0, 0]), torch.tensor([1.0, -2.0, 0.0])
    for density in DENSITIES.values():
        z, x = points(density, torch.rand(2000, generator=seeded()), torch.randn(2000, 2, generator=seeded(1)))
        fake, field, score, shares, quality = picture(model, density, theta, phi, z)
        torch.testing.assert_close(fake, x)
        (left, low), limit = density.centre, density.limit
        for row, column in [(0, 0), (0, SIDE - 1), (SIDE - 1, 0), (7, 30)]:
            x = left - limit + (column + 0.5) * 2 * limit / SIDE
            y = low + limit - (row + 0.5) * 2 * limit / SIDE
            torch.testing.assert_close(
                field[row * SIDE + column], torch.tensor((x - 2 * y) / density.scale).sigmoid()
            )
        assert score.argmax() == SIDE**2 - 1
        assert score.argmin() == 0
        assert score.amin() == 0
        assert score.amax() == pytest.approx(1, abs=1e-5)
        assert shares.shape == (density.modes,)
        assert shares.sum() == pytest.approx(quality.item(), abs=0.01)  # moons' arcs touch nowhere
        assert quality.item() == pytest.approx(1 - math.exp(-4.5), abs=0.012)


# ---- State ---------------------------------------------------------------------------------------------------


def test_the_state_holds_names_and_digests_and_no_weights(made):
    widget = widgets.GANTraining(made)
    assert widget._graphs == made
    assert_lean_state(widget, 70_000)
    chosen = widget.get_state(["density", "loss", "lr", "d_steps", "seed"])
    assert chosen == {"density": "ring", "loss": "r1", "lr": 5e-4, "d_steps": 1, "seed": 0}
    scenes = dict(widget.scenes)
    np.testing.assert_allclose(scenes["ring"]["modes"], toys.ring().means, atol=1e-6)
    assert scenes["moons"]["modes"] == []


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"density": "line"}, r"expected one of \['ring', .* got 'line' and 'r1'"),
        ({"loss": "hinge"}, "got 'ring' and 'hinge'"),
        ({"lr": 0.0}, "lr: expected 1e-5 to 0.1, got 0.0"),
        ({"lr": math.nan}, "lr: expected 1e-5 to 0.1, got nan"),
        ({"d_steps": 6}, "d_steps: expected 1 to 5, got 6"),
    ],
)
def test_choices_that_the_reader_would_not_have_are_refused(made, given, message):
    with pytest.raises(ValueError, match=message):
        widgets.GANTraining(made, **given)


def test_graphs_that_do_not_fit_are_refused(made):
    with pytest.raises(ValueError, match=r"graphs: expected \['data_grid', .*, got \['start'\]"):
        widgets.GANTraining({"start": made["start"]})
    with pytest.raises(ValueError, match=r"00_generator_minimax.onnx: expected inputs of shapes .*'phi'"):
        widgets.GANTraining({**made, "discriminator_r1": made["generator_minimax"]})
    absent = export.Graph(Path("absent.onnx"), "00" * 32, 0.0)
    with pytest.raises((ValueError, FileNotFoundError), match=r"absent\.onnx"):
        widgets.GANTraining({**made, "start": absent})
