"""The widgets of the chapter on mixtures and PPCA in a real browser, on pages of their own, against PyTorch."""

import json

import numpy as np
import pytest
import torch
from test_widgets_mixtures import LIMIT, POINTS, exported, make_em, make_monte_carlo, start
from widget_page import assert_missing_is_reported, opened, served

from gen_utils.models.mixtures import em_steps
from gen_utils.page import widgets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made():
    return exported()


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    with served(
        tmp_path_factory.mktemp("pages"), {"em": make_em(made), "monte_carlo": make_monte_carlo(made)}
    ) as origin:
        yield origin


@pytest.fixture(params=["em", "monte_carlo"])
def live(browser, origin, request):
    """Both widgets in turn, alive."""
    yield from opened(browser, origin, request.param)


@pytest.fixture
def em(browser, origin):
    yield from opened(browser, origin, "em")


@pytest.fixture
def monte_carlo(browser, origin):
    yield from opened(browser, origin, "monte_carlo")


# ---- EM --------------------------------------------------------------------------------------------------------


def shown(page, **expected):
    """Wait until the plane shows what is expected, and return all that it shows."""
    plane = page.locator(".gu-plane")
    settled = """([c, expected]) => {
        const shown = JSON.parse(c.dataset.shown);
        return Object.keys(expected).every((name) => JSON.stringify(shown[name]) === JSON.stringify(expected[name]));
    }"""
    page.wait_for_function(settled, arg=[plane.element_handle(), expected])
    return json.loads(plane.get_attribute("data-shown"))


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def check_em(found, model, x, tolerance=1e-4):
    """The page's numbers are the package's."""
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(found[name], value.flatten(), atol=tolerance)
    assert found["value"] == pytest.approx(model.log_prob(x).mean().item(), abs=tolerance)


@pytest.mark.parametrize(("K", "seed"), [(1, 0), (2, 1), (3, 0), (3, 2)])
def test_twenty_steps_are_those_of_the_package(em, made, K, seed):  # noqa: N803
    em.evaluate(
        "([components, seed]) => { model.set('seed', seed); model.set('components', components); }", [K, seed]
    )
    widget = make_em(made)
    widget.seed = seed
    x, model = torch.tensor(widget.points).double(), start(widget, K)
    check_em(shown(em, step=0, seed=seed, pi=[np.float32(1 / K).item()] * K), model, x)
    for _ in range(20):
        press(em, "Step")
    found = shown(em, step=20, running=False)
    for _ in em_steps(model, x, steps=20):
        pass
    check_em(found, model, x)
    value = f"{model.log_prob(x).mean():.3f}".replace("-", "−")
    assert f"Step 20: mean log p(x) = {value} nats." in em.locator(".gu-plot .gu-hint").inner_text()


def test_a_run_ends_when_em_has_settled_and_can_be_stopped(em, made):
    press(em, "Run")
    em.get_by_role("button", name="Stop").click()
    stopped = shown(em, running=False)["step"]
    assert 1 <= stopped < 10
    em.get_by_role("button", name="Run").click()
    em.get_by_text("EM has settled.").wait_for()
    found = shown(em, running=False)
    x, model = POINTS.double(), start(make_em(made), 3)
    steps = [step.log_likelihood for step in em_steps(model, x, steps=found["step"])]
    check_em(found, model, x, 1e-3)
    assert found["step"] > stopped
    assert found["value"] - steps[-1] < 1e-5 + 1e-6  # single precision
    press(em, "New start")
    assert shown(em, step=0, seed=1)["trouble"] == ""
    assert "settled" not in em.locator(".gu-plot .gu-hint").inner_text()


def place(page, x, y):
    """Where a point of the plane lies on the page's plane."""
    side = page.locator(".gu-plane").bounding_box()["width"]
    return {"x": (x + LIMIT) / (2 * LIMIT) * side, "y": (LIMIT - y) / (2 * LIMIT) * side}


def test_points_are_added_and_removed_by_mouse_finger_and_keys(em):
    plane = em.locator(".gu-plane")
    plane.click(position=place(em, -3, 3))
    shown(em, points=61, step=0)
    points = em.evaluate("model.get('points')")
    np.testing.assert_allclose(points[:60], POINTS, atol=1e-6)
    np.testing.assert_allclose(points[60], [-3, 3], atol=2 * LIMIT / plane.bounding_box()["width"])
    plane.tap(position=place(em, 3, 3))
    shown(em, points=62)
    plane.click(position=place(em, *POINTS[7].tolist()))
    shown(em, points=61)
    left = em.evaluate("model.get('points')")
    assert [round(value, 2) for value in POINTS[7].tolist()] not in [[round(v, 2) for v in point] for point in left]
    plane.press("ArrowUp")  # from the middle, a tenth a step
    for _ in range(24):
        plane.press("ArrowLeft")
    plane.press("Enter")
    shown(em, points=62)
    np.testing.assert_allclose(em.evaluate("model.get('points').at(-1)"), [-2.4, 0.1], atol=1e-6)
    plane.press("Space")
    shown(em, points=61)
    assert "61 of at most 200" in em.locator(".gu-pad .gu-hint").inner_text()
    press(em, "Reset")
    shown(em, points=60, step=0, seed=0)
    np.testing.assert_allclose(em.evaluate("model.get('points')"), POINTS, atol=1e-6)


def test_another_point_keeps_the_parameters_and_restarts_the_curve(em, made):
    for _ in range(3):
        press(em, "Step")
    before = shown(em, step=3)
    em.locator(".gu-plane").click(position=place(em, -3, 3))
    after = shown(em, step=0, points=61, mu=before["mu"])
    model = start(make_em(made), 3)
    for name in ("pi", "mu", "covariance"):
        getattr(model, name).copy_(torch.tensor(before[name]).double().view_as(getattr(model, name)))
    x = torch.tensor(em.evaluate("model.get('points')")).double()
    check_em(after, model, x)
    press(em, "Step")
    found = shown(em, step=1)
    next(em_steps(model, x, steps=1))
    check_em(found, model, x)


# A crowd in a corner, and one point far away: the broken experiment of the chapter.
LONELY = [*(POINTS[:30] / 4 - 2).mul(100).round().div(100).tolist(), [3.5, 3.5]]


def test_a_component_that_collapses_on_a_point_is_reported(em):
    em.evaluate("points => { model.set('components', 2); model.set('points', points); }", LONELY)
    for seed in range(100, 200):  # until a mean starts on the lonely point
        em.evaluate("seed => model.set('seed', seed)", seed)
        found = shown(em, seed=seed, points=31, step=0)
        if [3.5, 3.5] in np.reshape(found["mu"], (-1, 2)).tolist():
            break
    k = np.reshape(found["mu"], (-1, 2)).tolist().index([3.5, 3.5])
    press(em, "Run")
    message = f"Component {k + 1} has collapsed on one point: its likelihood grows without limit. Press New start."
    em.get_by_text(message).wait_for()
    found = shown(em, running=False, trouble=message)
    assert found["pi"][k] == pytest.approx(1 / 31, abs=1e-3)
    assert "NaN" not in em.locator(".gu-widget").inner_text()
    press(em, "Step")  # does nothing
    assert shown(em, trouble=message) == found
    press(em, "New start")
    shown(em, step=0, trouble="")


def test_a_component_that_collapses_on_a_line_is_reported(em):
    line = [[-3 + 0.1 * i, 3.0] for i in range(12)]
    crowd = (POINTS[:30] / 4).mul(100).round().div(100).sub(1.5).tolist()
    em.evaluate("points => { model.set('components', 2); model.set('points', points); }", line + crowd)
    shown(em, points=42, step=0)
    press(em, "Run")
    em.get_by_text("has collapsed on a line: its likelihood grows without limit").wait_for()
    assert shown(em, running=False)["trouble"]


def test_too_few_points_and_points_on_a_line_are_reported(em):
    press(em, "No points")
    em.get_by_text("Add points: this needs at least 3 different ones.").wait_for()
    plane = em.locator(".gu-plane")
    for n, (x, y) in enumerate([(-2, -2), (0, 0), (2, 2)], start=1):
        press(em, "Step")
        press(em, "Run")
        plane.click(position=place(em, x, y))
        shown(em, points=n)
    em.evaluate("model.set('points', [[-2, -2], [0, 0], [2, 2]])")
    em.get_by_text("All points lie on a line: add one beside it.").wait_for()
    plane.click(position=place(em, -2, 2))
    shown(em, points=4, step=0, trouble="")
    assert "NaN" not in em.locator(".gu-widget").inner_text()


def test_two_hundred_points_are_the_most(em):
    rows = [[-3.5 + 0.37 * (i % 20), -3.5 + 0.77 * (i // 20)] for i in range(200)]
    em.evaluate("points => model.set('points', points)", rows)
    shown(em, points=200, step=0)
    em.locator(".gu-plane").click(position=place(em, 3.8, -3.9))
    press(em, "Step")
    assert shown(em, step=1)["points"] == 200


# ---- Monte Carlo -----------------------------------------------------------------------------------------------


def estimates(page, **chosen):
    """Wait until the chart shows what was chosen, and return its estimates, `(20, 2)`."""
    chart = page.locator(".gu-errors")
    settled = "([c, chosen]) => c.dataset.shown === JSON.stringify(chosen)"
    page.wait_for_function(settled, arg=[chart.element_handle(), chosen])
    return np.reshape(json.loads(chart.get_attribute("data-estimates")), (20, 2))


def test_estimates_are_those_of_pytorch_with_the_same_noise(monte_carlo, made):
    draws, units = monte_carlo.get_by_role("slider").all()
    estimates(monte_carlo, dim=2, draws=1000, seed=0)
    units.press("End")
    draws.press("ArrowLeft")
    found = estimates(monte_carlo, dim=8, draws=316, seed=0)
    check_estimates(monte_carlo, made, found, 8, 316, 0)
    press(monte_carlo, "New noise")
    check_estimates(monte_carlo, made, estimates(monte_carlo, dim=8, draws=316, seed=1), 8, 316, 1)
    draws.press("Home")
    check_estimates(monte_carlo, made, estimates(monte_carlo, dim=8, draws=1, seed=1), 8, 1, 1)
    units.press("Home")
    monte_carlo.evaluate("model.set('draws', 3162)")  # as Python would
    check_estimates(monte_carlo, made, estimates(monte_carlo, dim=1, draws=3162, seed=1), 1, 3162, 1)
    assert draws.get_attribute("aria-valuetext") == "3\u202f162"
    press(monte_carlo, "Reset")
    estimates(monte_carlo, dim=2, draws=1000, seed=0)


def check_estimates(page, made, found, K, n, seed):  # noqa: N803
    eps = torch.from_numpy(widgets.Noise(seed).normal(n * 20 * K)).reshape(n, 20, K)
    expected = made.refine[K](eps, torch.tensor([float(n)]), torch.zeros(1), torch.zeros(20, 2)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    cells = [float(text.replace("−", "-")) for text in page.locator("td").all_inner_texts()]
    summary = np.stack([found.min(0), found.mean(0), found.max(0)], 1)
    np.testing.assert_allclose(cells, summary.ravel(), atol=0.0051)
    exact = f"{made.exact[K]:.2f}".replace("-", "−")
    assert page.locator(".gu-hint").inner_text() == f"Exact (dashed), K = {K}: log p(x) = {exact} nats."


def test_the_slider_stays_free_while_a_hundred_thousand_draws_are_taken(monte_carlo):
    draws = monte_carlo.get_by_role("slider").first
    draws.press("End")
    draws.press("ArrowLeft")  # while it computes
    estimates(monte_carlo, dim=2, draws=31_623, seed=0)
    draws.press("End")
    found = estimates(monte_carlo, dim=2, draws=100_000, seed=0)
    exact = monte_carlo.evaluate("model.get('exact')[1]")
    assert abs(np.exp(found[:, 1] - exact).mean() - 1) < 0.01
    draws.press("Home")
    press(monte_carlo, "New noise")
    estimates(monte_carlo, dim=2, draws=1, seed=1)
    draws.press("End")
    estimates(monte_carlo, dim=2, draws=100_000, seed=1)


# ---- For every reader ------------------------------------------------------------------------------------------


def test_a_graph_that_is_missing_is_reported_and_nothing_is_drawn(browser, origin):
    assert_missing_is_reported(browser, origin, "em", "00_em_2")
