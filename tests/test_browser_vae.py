"""The VAE chapter's widgets of several pictures in a real browser, on pages of their own, against PyTorch."""

import re

import numpy as np
import pytest
import torch
from test_browser import pixels, read
from test_widgets_vae import (
    BETAS,
    CLASSES,
    DISTORTIONS,
    IMAGES,
    RATES,
    UNIT_RATES,
    exported,
    make_conditional,
    make_plane,
)
from widget_page import COLUMN, PHONE, assert_missing_is_reported, opened, served

from gen_utils.page import widgets
from gen_utils.plots import COLOURS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made():
    return exported()


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    with served(
        tmp_path_factory.mktemp("pages"), {"conditional": make_conditional(made), "plane": make_plane(made)}
    ) as origin:
        yield origin


@pytest.fixture
def conditional(browser, origin):
    yield from opened(browser, origin, "conditional")


@pytest.fixture
def plane(browser, origin):
    yield from opened(browser, origin, "plane")


# ---- One z, ten labels -----------------------------------------------------------------------------------------


def check_conditional(page, made, z, label):
    """Wait until z is decoded; then every picture, the large one, the buttons and the sliders must agree on it."""
    large = page.locator(".gu-picture canvas")
    settled = "([c, z]) => JSON.parse(c.dataset.z).every((value, k) => Math.abs(value - z[k]) < 1e-9)"
    page.wait_for_function(settled, arg=[large.element_handle(), z])
    assert list(read(page).values()) == pytest.approx(z, abs=1e-9)
    x = made.decode(torch.tensor([z])).flatten(1)
    choices = page.locator(".gu-choice").all()
    for expected, choice in zip(x, choices, strict=True):
        assert (pixels(choice.locator("canvas")) - expected).abs().max() < 0.6 / 255
    assert (pixels(large) - x[label]).abs().max() < 0.6 / 255
    assert [choice.get_attribute("aria-pressed") for choice in choices] == [
        str(other == label).lower() for other in range(10)
    ]
    assert page.locator(".gu-picture .gu-caption").inner_text().endswith(f"label {CLASSES[label]}")
    assert page.evaluate("[model.get('z'), model.get('label')]") == [pytest.approx(z, abs=1e-9), label]


def test_every_label_shows_what_pytorch_computes(conditional, made, draws):
    z = [0.0] * 5
    check_conditional(conditional, made, z, 0)
    for unit in draws.sample(range(5), 5):
        slider = conditional.get_by_role("slider", name=f"Latent unit {unit + 1}", exact=True)
        slider.press(draws.choice(["Home", "End"]))
        for _ in range(draws.randrange(1, 12)):
            slider.press(draws.choice(["ArrowLeft", "ArrowRight", "PageUp", "PageDown"]))
        z[unit] = float(slider.input_value())
        check_conditional(conditional, made, z, 0)
    conditional.get_by_role("button", name="Reset").click()
    check_conditional(conditional, made, [0.0] * 5, 0)


def test_a_label_is_chosen_by_mouse_finger_and_keys(conditional, made, draws):
    z = [round(draws.uniform(-3, 3), 1) for _ in range(5)]
    conditional.evaluate("z => model.set('z', z)", z)  # as Python would
    for label in draws.sample(range(10), 3):
        conditional.get_by_role("button", name=f"Label {label}").click()
        check_conditional(conditional, made, z, label)
    conditional.get_by_role("button", name="Label 9").tap()
    check_conditional(conditional, made, z, 9)
    for key in ("Enter", "Space"):
        label = draws.randrange(9)
        conditional.get_by_role("button", name=f"Label {label}").press(key)
        check_conditional(conditional, made, z, label)
    conditional.evaluate("model.set('label', 4)")
    check_conditional(conditional, made, z, 4)


def test_units_stand_in_the_order_of_their_rates_and_unused_ones_are_marked(conditional):
    rows = conditional.locator(".gu-slider").evaluate_all(
        "all => all.map(e => [e.querySelector('input').ariaLabel, e.querySelector('.gu-note').textContent])"
    )
    expected = sorted(enumerate(UNIT_RATES, 1), key=lambda unit: -unit[1])
    assert rows == [
        [f"Latent unit {k}", f"{rate:.2f} nats" if rate >= 0.01 else "unused: 0.00 nats"] for k, rate in expected
    ]
    assert conditional.locator(".gu-unused").count() == 2


def test_draw_from_the_prior_is_the_noise_of_its_seed(conditional, made):
    for seed in (1, 2):
        conditional.get_by_role("button", name="Draw z from the prior").click()
        noise = np.clip(widgets.Noise(seed).normal(5).astype(float), -3, 3)
        check_conditional(conditional, made, (np.floor(10 * noise + 0.5) / 10).tolist(), 0)


# ---- The plane of rate and distortion --------------------------------------------------------------------------


def check_plane(page, made, index, seed):
    """Wait until the page shows this model with this noise; then pictures and text must say so too."""
    chart = page.locator(".gu-chart")
    settled = "([c, shown]) => c.dataset.shown === JSON.stringify(shown)"
    page.wait_for_function(settled, arg=[chart.element_handle(), {"index": index, "seed": seed}])
    eps, z = torch.from_numpy(widgets.Noise(seed).normal(36)).reshape(2, 6, 3)
    strips = page.locator(".gu-strip canvas").all()
    for strip, expected in zip(strips, (IMAGES, *made.functions[index](IMAGES, eps, z)), strict=True):
        found = pixels(strip).reshape(28, 6, 28).swapaxes(0, 1)
        assert (found - expected[:, 0]).abs().max() < 0.6 / 255
    numbers = [float(number) for number in re.findall(r"\d+\.?\d*", page.locator(".gu-hint").inner_text())]
    elbo = RATES[index] + DISTORTIONS[index]
    assert numbers == [BETAS[index], *(float(f"{value:.1f}") for value in (RATES[index], DISTORTIONS[index], elbo))]
    slider = page.get_by_role("slider")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == (str(index), f"{BETAS[index]:g}")
    assert page.evaluate("[model.get('index'), model.get('seed')]") == [index, seed]


def test_every_model_shows_what_pytorch_computes(plane, made):
    check_plane(plane, made, 1, 0)
    slider = plane.get_by_role("slider")
    for key, index in [
        ("ArrowRight", 2),
        ("ArrowRight", 2),
        ("Home", 0),
        ("ArrowUp", 1),
        ("End", 2),
        ("ArrowLeft", 1),
    ]:
        slider.press(key)
        check_plane(plane, made, index, 0)
    plane.evaluate("model.set('index', 0)")  # as Python would
    check_plane(plane, made, 0, 0)
    assert "rate 30.2, distortion 71.3, −ELBO 101.5 nats" in plane.locator(".gu-hint").inner_text()


def test_new_noise_is_the_noise_of_the_next_seed(plane, made, draws):
    new = plane.get_by_role("button", name="New noise")
    for seed in (1, 2):
        new.click()
        check_plane(plane, made, 1, seed)
    plane.get_by_role("slider").press("Home")  # another model, the same noise
    check_plane(plane, made, 0, 2)
    plane.evaluate("seed => model.set('seed', seed)", seed := draws.randrange(2**31))
    check_plane(plane, made, 0, seed)
    new.press("Enter")
    check_plane(plane, made, 0, seed + 1)


# Pixels of one colour on the chart, `(N, 2)` places in CSS pixels; edges are mixed with what lies under them.
COLOURED = """(c, [r, g, b]) => {
    const context = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
    context.drawImage(c, 0, 0);
    const { data } = context.getImageData(0, 0, c.width, c.height);
    const found = [];
    for (let i = 0; i < data.length / 4; i++) {
        const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
        const same = Math.abs(red - r) + Math.abs(green - g) + Math.abs(blue - b) < 12;
        if (same && alpha > 128) found.push([(i % c.width) + 0.5, Math.floor(i / c.width) + 0.5]);
    }
    return found;
}"""


def choose(page, made, index):
    page.get_by_role("slider").press("Home")
    for _ in range(index):
        page.get_by_role("slider").press("ArrowRight")
    check_plane(page, made, index, 0)


def test_the_chart_rings_the_chosen_model_and_dashes_its_elbo(plane, made):
    """The rings' centres are affine in rate and distortion; on that scale the dashed lines have one R + D."""
    chart = plane.locator(".gu-chart")
    orange = [int(COLOURS["model"][i : i + 2], 16) for i in (1, 3, 5)]
    text = [int(number) for number in re.findall(r"\d+", chart.evaluate("c => getComputedStyle(c).color"))]
    coloured, dark = [], []
    for index in range(3):
        choose(plane, made, index)
        coloured.append({tuple(place) for place in chart.evaluate(COLOURED, orange)})
        dark.append({tuple(place) for place in chart.evaluate(COLOURED, text)})

    rings = []
    for found in coloured:
        new = np.array(sorted(found - set.intersection(*coloured)))
        # Of radius 9 and width 3; farther away pixels shone through a name or beside the dashed line.
        ring = new[np.abs(new - np.median(new, axis=0)).max(1) < 14]
        assert np.ptp(ring, axis=0) == pytest.approx([20, 20], abs=2)
        rings.append((ring.min(0) + ring.max(0)) / 2)
    x, y = np.transpose(rings)
    rate, distortion = np.polyfit(x, RATES, 1), np.polyfit(y, DISTORTIONS, 1)
    np.testing.assert_allclose(np.polyval(rate, x), RATES, atol=0.15)
    np.testing.assert_allclose(np.polyval(distortion, y), DISTORTIONS, atol=0.3)
    assert rate[0] > 0 > distortion[0]

    for index, found in enumerate(dark):
        places = np.array(sorted(found - set.intersection(*dark)))
        R = np.polyval(rate, places[:, 0])
        D = np.polyval(distortion, places[:, 1])
        dashed = np.abs(R + D - RATES[index] - DISTORTIONS[index]) < 0.6
        assert dashed.sum() > 60  # the rest are names
        assert np.ptp(R[dashed]) > 15


# ---- For every reader ------------------------------------------------------------------------------------------


def test_ten_pictures_stand_in_one_row_or_in_two(conditional):
    for width, rows in [(COLUMN["width"], 1), (PHONE["width"], 2)]:
        conditional.set_viewport_size({"width": width, "height": 700})
        tops = conditional.locator(".gu-choice").evaluate_all("all => all.map(e => e.getBoundingClientRect().top)")
        assert [tops.count(top) for top in sorted(set(tops))] == [10 // rows] * rows


def test_a_graph_that_is_missing_is_reported_and_nothing_is_drawn(browser, origin):
    assert_missing_is_reported(browser, origin, "plane", "00_beta_2")
