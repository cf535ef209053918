"""The widgets of the chapter on mixtures and PPCA: their state, their posters, their refusals."""

import math
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from numeric import seeded
from widget_page import assert_lean_state

from gen_utils.models.mixtures import GaussianMixture, em_steps
from gen_utils.models.ppca import PPCA, refine_log_prob
from gen_utils.page import export, widgets
from gen_utils.page.widgets.em_steps import em_picture

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


# ---- What they compute, and their posters ----------------------------------------------------------------------


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


@pytest.mark.parametrize("seed", [0, 3])
def test_the_poster_of_em_shows_the_start_and_where_the_package_s_em_ends(made, seed):
    widget = make_em(made)
    widget.seed = seed
    figure = widget.poster()
    figure.canvas.draw()
    x, model = torch.tensor(widget.points).double(), start(widget, 3)
    values = [model.log_prob(x).mean().item()]
    places = [model.mu.numpy().copy()]
    for _ in em_steps(model, x, steps=100):
        values.append(model.log_prob(x).mean().item())
        if values[-1] - values[-2] < 1e-5:
            break
    places.append(model.mu.numpy())
    told = [ax.get_xlabel().replace("−", "-") for ax in figure.axes]
    assert told[0] == f"a start:\nmean log p(x) = {values[0]:.2f} nats"
    assert told[1] == f"after {len(values) - 1} steps of EM:\nmean log p(x) = {values[-1]:.2f} nats"
    for ax, mu in zip(figure.axes, places, strict=True):
        np.testing.assert_allclose([line.get_xydata()[0] for line in ax.lines], mu, atol=1e-3)
        assert [text.get_text() for text in ax.texts] == ["1", "2", "3"]
        np.testing.assert_allclose(ax.collections[0].get_offsets(), widget.points)
    # Every point of an outline is two standard deviations from its mean.
    for k, patch in enumerate(figure.axes[1].patches):
        away = torch.tensor(patch.get_xy()[:64]) - model.mu[k]
        squared = (away * torch.linalg.solve(model.covariance[k], away.T).T).sum(1)
        np.testing.assert_allclose(squared, np.full(64, 4.0), atol=1e-2)
    plt.close(figure)


def test_points_are_coloured_by_responsibility(made):
    widget = make_em(made)
    figure = widget.poster()
    colours = figure.axes[0].collections[0].get_facecolor()[:, :3]
    palette = np.array([mpl.colors.to_rgb(colour) for colour in widget.palette[:3]])
    shares = start(widget, 3).responsibilities(torch.tensor(widget.points).double()).numpy()
    np.testing.assert_allclose(colours, shares @ palette, atol=1e-5)
    plt.close(figure)


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


def test_the_poster_of_monte_carlo_shows_the_errors(made):
    widget = make_monte_carlo(made)
    widget.draws = 32
    figure = widget.poster()
    figure.canvas.draw()
    (ax,) = figure.axes
    found = widget.estimates(2, 32)
    dots = {}
    for line in ax.lines:
        if line.get_marker() in "oD" and len(line.get_xdata()):
            dots.setdefault(line.get_color(), []).append(line.get_ydata())
    for column, kind in enumerate(["prior", "posterior"]):
        expected = [estimate[:, column] - widget.exact[1] for estimate in found.values()]
        np.testing.assert_allclose(dots[dict(widget.kinds)[kind]], expected)
    assert ax.get_ylim()[0] < min(np.min(errors) for errors in dots[dict(widget.kinds)["prior"]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "from the prior",
        "from the posterior",
        "exact, with K = 2",
    ]
    plt.close(figure)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "error", "told"),
    [
        (POINTS.numpy(), TypeError, "points: expected a float tensor .* got ndarray"),
        (POINTS.T, ValueError, r"points: expected .* got shape \(2, 60\)"),
        (2 * POINTS, ValueError, r"points: expected values in \[-4, 4\], got"),
        (POINTS[:5], ValueError, "points: expected at most 200, more than 5 of them different, got 5"),
        (POINTS[:1].repeat(9, 1), ValueError, "more than 5 of them different, got 9"),
        (clusters(201), ValueError, "points: expected at most 200, .* got 201"),
    ],
)
def test_em_refuses_points_that_do_not_fit(made, points, error, told):
    with pytest.raises(error, match=told):
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
