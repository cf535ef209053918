"""The widgets of the chapter on mixtures and PPCA: their state, their refusals."""

import math
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from numeric import seeded
from widget_page import assert_lean_state

from gen_utils.models.mixtures import GaussianMixture
from gen_utils.models.ppca import PPCA
from gen_utils.page import export, widgets
from gen_utils.page.graphs.mixtures import em_picture
from gen_utils.page.graphs.ppca import refine_log_prob

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
CHOICES, DIMS = (1, 2, 3, 5), (1, 2, 8)
LIMIT = 4.0
OUTPUTS = ["new_pi", "new_mu", "new_covariance", "log_likelihood", "responsibilities", "outline"]


def clusters(n=60):
    """Three overlapping groups of points, in hundredths as the page keeps them."""
    centres = torch.tensor([[-1.5, -1.0], [1.6, -0.8], [0.2, 1.6]])
    shapes = torch.tensor([[[0.7, 0.2], [0.0, 0.3]], [[0.3, 0.0], [0.3, 0.8]], [[0.9, 0.0], [0.0, 0.3]]])
    z = torch.arange(n) % 3
    eps = torch.randn(n, 2, generator=seeded())
    return (centres[z] + (eps[:, None] @ shapes[z])[:, 0]).clamp(-LIMIT, LIMIT).mul(100).round() / 100


POINTS = clusters()


@cache  # for the browser's tests too
def exported():
    """The graphs that the chapter would export, and the models that they come from."""
    data = torch.randn(400, 12, generator=seeded()) @ torch.randn(12, 12, generator=seeded(1))
    models = {K: PPCA(K, (12,)).fit(data) for K in DIMS}
    refine = {K: refine_log_prob(model, data[:1]) for K, model in models.items()}
    steps, estimates = {}, {}
    for K in CHOICES:
        inputs = {"x": torch.randn(200, 2, generator=seeded()), "weight": torch.ones(200)}
        inputs |= {"pi": torch.full((K,), 1 / K), "mu": torch.randn(K, 2, generator=seeded())}
        inputs |= {"covariance": torch.eye(2).repeat(K, 1, 1)}
        steps[K] = export.export(em_picture, inputs, OUTPUTS, f"00_em_{K}")
    for K in DIMS:
        inputs = {"eps": torch.randn(500, 20, K, generator=seeded()), "count": torch.tensor([500.0])}
        inputs |= {"before": torch.tensor([0.0]), "estimate": torch.zeros(20, 2)}
        estimates[K] = export.export(refine[K], inputs, ["new_estimate"], f"00_log_prob_{K}")
    exact = {K: model.log_prob(data[:1]).item() for K, model in models.items()}
    return SimpleNamespace(steps=steps, estimates=estimates, exact=exact, refine=refine)


@pytest.fixture(scope="module")
def made():
    return exported()


def make_em(made, points=POINTS):
    return widgets.EMSteps(made.steps, points, LIMIT)


def make_monte_carlo(made):
    return widgets.MonteCarlo(made.estimates, made.exact)


# ---- The state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_em, make_monte_carlo])
def test_the_state_holds_names_and_digests_and_no_weights(made, make):
    assert_lean_state(make(made), 60_000)


def test_the_state_is_what_they_were_given(made):
    em = make_em(made).get_state(["points", "limit", "choices", "components", "seed"])
    points = [[float(f"{value:.2f}") for value in point] for point in POINTS.tolist()]
    assert em == {"points": points, "limit": LIMIT, "choices": [*CHOICES], "components": 3, "seed": 0}
    assert widgets.EMSteps({K: made.steps[K] for K in (1, 2)}, POINTS, LIMIT).components == 2
    monte_carlo = make_monte_carlo(made).get_state(["dims", "exact", "dim", "draws", "seed"])
    exact = [pytest.approx(made.exact[K], abs=1e-4) for K in DIMS]
    assert monte_carlo == {"dims": [*DIMS], "exact": exact, "dim": 2, "draws": 1000, "seed": 0}


# ---- What they compute ----------------------------------------------------------------------------------------


def start(widget, K):  # noqa: N803
    """The package's mixture at the start that the seed draws: different points, all points' covariance."""
    noise, chosen = widgets.Noise(widget.seed), []
    while len(chosen) < K:
        point = widget.points[int(noise.uniform() * len(widget.points))]
        chosen += [point] if point not in chosen else []
    model = GaussianMixture(K, 2).double()
    model.mu.copy_(torch.tensor(chosen))
    model.covariance.copy_(torch.tensor(np.cov(np.transpose(widget.points), bias=True)))
    return model


@pytest.mark.parametrize(("K", "seed"), [(1, 0), (8, 5)])
def test_estimates_are_those_of_pytorch_with_the_same_noise(made, K, seed):  # noqa: N803
    widget = make_monte_carlo(made)
    widget.seed = seed
    found = widget.estimates(K, 1000)
    assert [*found] == [1, 3, 10, 32, 100, 316, 1000]
    eps = torch.from_numpy(widgets.Noise(seed).normal(1000 * 20 * K)).reshape(1000, 20, K)
    for n, estimate in found.items():
        expected = made.refine[K](eps[:n], torch.tensor([float(n)]), torch.zeros(1), torch.zeros(20, 2))
        np.testing.assert_allclose(estimate, expected, atol=1e-3)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        (POINTS.numpy(), TypeError, "points: expected a float tensor .* got ndarray"),
        (POINTS.T, ValueError, r"points: expected .* got shape \(2, 60\)"),
        (2 * POINTS, ValueError, r"points: expected values in \[-4, 4\], got"),
        (POINTS[:5], ValueError, "points: expected at most 200, more than 5 of them different, got 5"),
        (POINTS[:1].repeat(9, 1), ValueError, "more than 5 of them different, got 9"),
        (clusters(201), ValueError, "points: expected at most 200, .* got 201"),
    ],
)
def test_em_refuses_points_that_do_not_fit(made, points, error, message):
    with pytest.raises(error, match=message):
        make_em(made, points)


def test_em_refuses_graphs_that_do_not_fit(made):
    for steps in ({}, {2: made.steps[2]}, {1: made.steps[1], 6: made.steps[5]}):
        with pytest.raises(ValueError, match=r"steps: expected graphs for K = 1 and others up to 5, got \["):
            widgets.EMSteps(steps, POINTS, LIMIT)
    with pytest.raises(ValueError, match=r"00_em_3.onnx: expected inputs of shapes"):
        widgets.EMSteps({1: made.steps[1], 2: made.steps[3]}, POINTS, LIMIT)


@pytest.mark.parametrize("exact", [{}, {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0, 8: math.nan}])
def test_monte_carlo_refuses_exact_values_that_do_not_fit(made, exact):
    with pytest.raises(ValueError, match=r"exact: expected a finite number for each K .* \[1, 2, 8\], got {"):
        widgets.MonteCarlo(made.estimates, exact)


def test_monte_carlo_refuses_graphs_that_do_not_fit(made):
    with pytest.raises(ValueError, match="exact: expected a finite number"):
        widgets.MonteCarlo({}, {})
    with pytest.raises(ValueError, match=r"00_log_prob_2.onnx: expected inputs of shapes .*'eps': \(500, 20, 1\)"):
        widgets.MonteCarlo({1: made.estimates[2]}, {1: 0.0})
    absent = export.Graph(Path("absent.onnx"), "00" * 32, 0.0)
    with pytest.raises((ValueError, FileNotFoundError), match=r"absent\.onnx"):
        widgets.MonteCarlo({1: absent}, {1: 0.0})
