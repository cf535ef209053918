"""The particles' widget: its graphs against the samplers in PyTorch, its state, its refusals."""

import math
from functools import cache, partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from numeric import seeded
from scipy.stats import chi2
from widget_page import assert_lean_state

from gen_utils import nets, toys
from gen_utils.models import samplers
from gen_utils.models.diffusion import Diffusion
from gen_utils.page import export
from gen_utils.page.graphs.diffusion import arrow_grid, exact, particle_judge, particle_step, region_levels
from gen_utils.page.noise import Noise
from gen_utils.page.widgets.particles import PARTICLES, Particles

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
LIMIT = 3.0
DENSITY = toys.IsotropicMixture(toys.eight_gaussians().means / 2, 0.18)
# Steps, η and seed: few, many, no noise, all of it, and a part.
RUNS = [(3, 1.0, 1), (20, 0.0, 0), (20, 0.5, 2), (100, 1.0, 3)]


@cache
def model():
    """A diffusion model that has learned nothing: the graphs are to agree, whatever it predicts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Diffusion(nets.Denoiser()).requires_grad_(False)


def predicts():
    return {"exact": partial(exact, DENSITY), "learned": model().predict}


def make(made):
    return Particles(**made, data=DENSITY.sample(300, generator=seeded()), limit=LIMIT)


@cache
def exported():
    """The graphs that the chapter would export; two test files use them."""
    x, noise = torch.randn(2, PARTICLES, 2, generator=seeded())
    numbers = {name: torch.tensor([value]) for name, value in [("i", 7.0), ("steps", 10.0), ("eta", 0.5)]}
    made = {
        name: export.export(
            partial(particle_step, predict, model().schedule, LIMIT),
            {"x": x, "noise": noise, **numbers},
            ["x_next", "arrows"],
            f"00_particles_{name}",
        )
        for name, predict in predicts().items()
    }
    judged = partial(particle_judge, DENSITY, region_levels(DENSITY))
    return {**made, "judge": export.export(judged, {"x": x}, ["depth", "shares"], "00_particles_judge")}


@pytest.fixture(scope="module")
def made():
    return exported()


def replay(score, steps, eta, seed):
    """The states that `samplers.ddim` yields in PyTorch, with the widget's noise in place of the generator's."""
    noise = Noise(seed)

    def normal(*_, **__):
        return torch.from_numpy(noise.normal(2 * PARTICLES)).view(-1, 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn", normal)
        return torch.stack(
            [*samplers.ddim(predicts()[score], normal(), model().schedule.strided(steps), eta)]
        ).numpy()


# ---- A run -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["exact", "learned"])
@pytest.mark.parametrize(("steps", "eta", "seed"), RUNS)
def test_a_run_through_the_graphs_is_ddim_in_pytorch(made, score, steps, eta, seed):
    widget = make(made)
    widget.steps, widget.eta, widget.seed = steps, eta, seed
    states = widget.states(score)
    assert states.shape == (steps + 1, PARTICLES, 2)
    tolerance = 1e-5 if steps < 100 else 1e-4  # between two modes a particle amplifies rounding
    np.testing.assert_allclose(states, replay(score, steps, eta, seed), rtol=0, atol=tolerance)


@pytest.mark.parametrize("schedule_step", [1, 2, 500, 999, 1000])
def test_the_exact_prediction_is_tweedie_s_of_the_exact_score(schedule_step):
    schedule = model().schedule
    density = toys.IsotropicMixture(DENSITY.means, DENSITY.sigma, torch.arange(1.0, 9)).double()
    x = 2 * torch.randn(500, 2, generator=seeded(), dtype=torch.float64)
    log_snr = schedule.log_snr[schedule_step].double().expand(500)
    found, c = exact(density, x, log_snr)
    expected, _ = samplers.from_score(density.score)(x, log_snr)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert c == -1.0


def test_the_exact_prediction_keeps_its_digits_where_hardly_any_signal_is_left():
    x, log_snr = torch.randn(500, 2, generator=seeded()), model().schedule.log_snr[-1].expand(500)
    expected, _ = exact(toys.IsotropicMixture(DENSITY.means, DENSITY.sigma).double(), x.double(), log_snr.double())
    torch.testing.assert_close(exact(DENSITY, x, log_snr)[0].double(), expected, rtol=0, atol=1e-6)


def test_arrows_are_the_score_times_the_noise_s_standard_deviation(made):
    widget = make(made)
    schedule = model().schedule
    places = arrow_grid(LIMIT)
    assert places.abs().max() < LIMIT
    for number, found in enumerate(widget.found("exact")):
        t = round((20 - number) * schedule.T / 20)
        expected = DENSITY.score(places, schedule.alpha_bar[t]) * (1 - schedule.alpha_bar[t]).sqrt()
        np.testing.assert_allclose(found["arrows"], expected.numpy(), rtol=1e-4, atol=1e-4)


# ---- How good it is --------------------------------------------------------------------------------------------


def test_levels_of_one_gaussian_are_those_of_chi_squared():
    sigma = 0.7
    expected = -np.log(2 * math.pi * sigma**2) - chi2(2).ppf([0.5, 0.99]) / 2
    # A share that is right to three standard errors, as an error of log p: over its density, which is (1 − share).
    share = np.array([0.5, 0.99])
    slack = 3 * np.sqrt(share * (1 - share) / 200_000) / (1 - share)
    found = region_levels(toys.IsotropicMixture(torch.zeros(1, 2), sigma)).numpy()
    assert (np.abs(found - expected) < slack).all()


def test_real_data_have_the_shares_that_the_page_says(made):
    widget = make(made)
    x = DENSITY.sample(100 * PARTICLES, generator=seeded(1)).numpy().reshape(100, PARTICLES, 2)
    found = np.stack([widget.shares(part) for part in x])
    for shares, expected in zip(found.T, (0.5, 0.01), strict=True):
        assert abs(shares.mean() - expected) < 3 * math.sqrt(expected * (1 - expected) / x[..., 0].size) + 0.001


def test_shares_count_points_and_lines_are_where_they_change(made):
    widget = make(made)
    inner, outer = (np.concatenate([np.array(line) for line in lines]) for lines in widget.lines)
    away = [np.linalg.norm(line[:, None] - DENSITY.means.numpy(), axis=2).min(1) for line in (inner, outer)]
    # Inside the inner line only its own component counts, all the same: circles of one radius.
    assert len(widget.lines[0]) == 8
    assert np.ptp(away[0]) < 0.01
    centre, far = np.broadcast_to(DENSITY.means[0], (PARTICLES, 2)), np.full((PARTICLES, 2), LIMIT)
    for wanted, x in [((1, 0), centre), ((0, 1), far), ((0.25, 0.75), np.concatenate([centre[:250], far[:750]]))]:
        np.testing.assert_allclose(widget.shares(x.astype(np.float32)), wanted, atol=1e-6)
    for line, index in [(inner, 0), (outer, 1)]:
        points = np.zeros((PARTICLES, 2), np.float32)
        points[: len(line)] = line
        assert np.abs(widget.run("judge", x=points)["depth"][: len(line), index]).max() < 0.1


# ---- State ---------------------------------------------------------------------------------------------------


def test_the_state_holds_names_and_digests_and_no_weights(made):
    widget = make(made)
    assert widget._graphs == made
    assert_lean_state(widget, 80_000)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"limit": 0.0}, ValueError, "limit: expected a positive number, got 0.0"),
        ({"limit": math.nan}, ValueError, "limit: expected a positive number, got nan"),
        ({"data": [[0.0, 0.0]]}, TypeError, "data: expected a float tensor .* got list"),
        ({"data": torch.zeros(5, 3)}, ValueError, r"data: .* got shape \(5, 3\)"),
        ({"data": torch.full((5, 2), math.nan)}, ValueError, "data: expected finite values, got NaN"),
    ],
)
def test_bad_input_is_refused(made, given, error, message):
    with pytest.raises(error, match=message):
        Particles(**{**made, "data": torch.zeros(5, 2), "limit": LIMIT, **given})


def test_graphs_that_do_not_fit_are_refused(made):
    with pytest.raises(ValueError, match=r"00_particles_judge\.onnx: expected inputs of shapes"):
        Particles(**{**made, "learned": made["judge"]}, data=torch.zeros(5, 2), limit=LIMIT)
    with pytest.raises(ValueError, match=r"00_particles_exact\.onnx: expected inputs of shapes"):
        Particles(**{**made, "judge": made["exact"]}, data=torch.zeros(5, 2), limit=LIMIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gen_utils.page.widgets.particles.ARROWS", 5)
        with pytest.raises(ValueError, match=r"exact: expected arrows of shape \(25, 2\), got \(169, 2\)"):
            make(made)
    absent = export.Graph(Path("absent.onnx"), "00" * 32, 0.0)
    with pytest.raises((ValueError, FileNotFoundError), match=r"absent\.onnx"):
        Particles(**{**made, "exact": absent}, data=torch.zeros(5, 2), limit=LIMIT)
