"""The autoencoder chapter's widgets in a real browser, on pages of their own, against PyTorch."""

import json
import re

import numpy as np
import pytest
import torch
from conftest import watched
from test_browser import assert_fits, pixels
from test_browser_vae import COLOURED
from test_widgets_autoencoder import (
    IMAGES,
    PERCENT,
    SHARES,
    SIZES,
    exported,
    make_conditional,
    make_denoising,
    make_reconstructions,
    make_sliders,
    prepared,
)
from widget_page import COLUMN, PHONE, assert_missing_is_reported, opened, served

from gen_utils.page import widgets
from gen_utils.page.graphs.drawing import prepare
from gen_utils.plots import COLOURS

pytestmark = pytest.mark.slow

INK = """() => {
    const canvas = document.querySelector(".gu-ink");
    const { data } = canvas.getContext("2d").getImageData(0, 0, 280, 280);
    return Array.from({ length: 280 * 280 }, (_, i) => data[4 * i]);
}"""


@pytest.fixture(scope="module")
def made():
    return exported()


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    makes = {
        "reconstructions": make_reconstructions,
        "denoising": make_denoising,
        "sliders": make_sliders,
        "conditional": make_conditional,
    }
    with served(tmp_path_factory.mktemp("pages"), {name: make(made) for name, make in makes.items()}) as origin:
        yield origin


@pytest.fixture(params=["reconstructions", "denoising"])
def live(browser, origin, request):
    """Both widgets with a pad in turn, alive."""
    yield from opened(browser, origin, request.param)


@pytest.fixture
def reconstructions(browser, origin):
    yield from opened(browser, origin, "reconstructions")


@pytest.fixture
def denoising(browser, origin):
    yield from opened(browser, origin, "denoising")


def stroke(page, draws):
    """Draw a crooked line with the mouse, and return what preparing the pad's ink gives, by PyTorch."""
    box = page.locator(".gu-ink").bounding_box()
    x, y = draws.uniform(0.2, 0.8), 0.1
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    for step in range(1, 9):
        x = min(0.9, max(0.1, x + draws.uniform(-0.15, 0.15)))
        page.mouse.move(box["x"] + x * box["width"], box["y"] + (0.1 + 0.1 * step) * box["height"])
    page.mouse.up()
    return drawn(page)


def drawn(page):
    grey = torch.tensor(page.evaluate(INK), dtype=torch.float32).view(1, 1, 280, 280)
    return prepare(1 - grey / 255)


def press_towards(slider, position, steps):
    """Bring a slider to one of its places, 0 to steps, by keys."""
    slider.press("Home" if position < steps / 2 else "End")
    for _ in range(min(position, steps - position)):
        slider.press("ArrowRight" if position < steps / 2 else "ArrowLeft")


# ---- Codes of several sizes ------------------------------------------------------------------------------------


def assert_rounded(texts, numbers):
    assert all(re.fullmatch(r"\d\.\d{3}", text) for text in texts)
    np.testing.assert_allclose([float(text) for text in texts], numbers, atol=0.000501)


def check_reconstructions(page, made, x, index):
    """Wait until the page shows the code of x; then pictures, errors, text and slider must agree on it."""
    answers = [made.autoencoders_function[k](x) for k in SIZES]
    pca, pca_error = made.pca_function(x)
    code = page.locator(".gu-code")
    settled = """([c, z]) => {
        const shown = JSON.parse(c.dataset.code);
        return shown.length === z.length && shown.every((value, i) => Math.abs(value - z[i]) < 1e-3);
    }"""
    z = answers[index][0][0].tolist()
    page.wait_for_function(settled, arg=[code.element_handle(), z])
    np.testing.assert_allclose(json.loads(code.get_attribute("data-code")), z, atol=1e-4)

    seen, large = page.locator(".gu-pair canvas").all()
    assert (pixels(seen) - x.flatten()).abs().max() < 0.6 / 255
    assert (pixels(large) - answers[index][1].flatten()).abs().max() < 0.6 / 255
    assert page.locator(".gu-pair .gu-caption").last.inner_text().endswith(f"K = {SIZES[index]}")
    cards = page.locator(".gu-size:not(.gu-methods)").all()
    rows = zip(SIZES, answers, pca, pca_error, cards, strict=True)
    for k, (_, x_hat, error), principal, principal_error, card in rows:
        above, below = card.locator("canvas").all()
        assert (pixels(above) - x_hat.flatten()).abs().max() < 0.6 / 255
        assert (pixels(below) - principal.flatten().clamp(0, 1)).abs().max() < 0.6 / 255
        name, *numbers = card.inner_text().split("\n")
        assert name == f"K = {k}"
        assert_rounded(numbers, [error.item(), principal_error.item()])
    chosen = [card.evaluate("e => e.classList.contains('gu-chosen')") for card in cards]
    assert chosen == [i == index for i in range(6)]
    slider = page.get_by_role("slider")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == (str(index), str(SIZES[index]))
    assert page.evaluate("model.get('index')") == index
    text = rf"K = {SIZES[index]}: squared error a pixel ([\d.]+), PCA’s ([\d.]+)\."
    numbers = re.fullmatch(text, page.locator("[role=status]").last.inner_text())
    assert_rounded(numbers.groups(), [answers[index][2].item(), pca_error[index].item()])


def test_every_size_shows_what_pytorch_computes(reconstructions, made, draws):
    page = reconstructions
    check_reconstructions(page, made, prepared(IMAGES[0]), 3)
    slider = page.get_by_role("slider")
    for index in draws.sample(range(6), 3):
        press_towards(slider, index, 5)
        check_reconstructions(page, made, prepared(IMAGES[0]), index)
    page.get_by_role("button", name="An example").click()
    check_reconstructions(page, made, prepared(IMAGES[1]), index)
    page.evaluate("model.set('example', 2)")  # as Python would
    check_reconstructions(page, made, prepared(IMAGES[2]), index)
    page.evaluate("model.set('index', 0)")
    check_reconstructions(page, made, prepared(IMAGES[2]), 0)


def test_a_drawing_is_encoded_and_an_empty_pad_reported(reconstructions, made, draws):
    page = reconstructions
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Nothing is drawn.").wait_for()
    assert "NaN" not in page.locator(".gu-live").inner_text()
    x = stroke(page, draws)
    check_reconstructions(page, made, x, 3)


def bars(page):
    """Signed heights of the code's bars, in CSS pixels, from left to right."""
    colour = [int(COLOURS["latent"][i : i + 2], 16) for i in (1, 3, 5)]
    places = np.array(page.locator(".gu-code").evaluate(COLOURED, colour))
    ends = np.flatnonzero(np.diff(np.unique(places[:, 0])) > 1)
    groups = np.split(np.unique(places[:, 0]), ends + 1)
    spans = [places[np.isin(places[:, 0], group)][:, 1] for group in groups]
    return [(span.min() - 0.5, span.max() + 0.5) for span in spans]


def test_the_bars_are_as_high_as_the_code(reconstructions, made):
    page = reconstructions
    press_towards(page.get_by_role("slider"), 2, 5)
    x = prepared(IMAGES[0])
    check_reconstructions(page, made, x, 2)
    z = made.autoencoders_function[8](x)[0][0].numpy()
    found = bars(page)
    assert len(found) == 8
    # One scale for all: a bar's far end lies at floor − z · unit, its near end at the floor.
    far = np.array([span[0] if value > 0 else span[1] for span, value in zip(found, z, strict=True)])
    near = np.array([span[1] if value > 0 else span[0] for span, value in zip(found, z, strict=True)])
    unit, floor = np.polyfit(z, far, 1)
    assert unit < 0
    np.testing.assert_allclose(near, floor, atol=1.5)
    np.testing.assert_allclose(far, floor + unit * z, atol=1.2)


# ---- A denoiser ------------------------------------------------------------------------------------------------


def check_denoising(page, made, x, sigma, seed):
    """Wait until the page shows x with this noise; then pictures, errors, text and slider must agree on it."""
    eps = torch.from_numpy(widgets.Noise(seed).normal(784)).view(1, 1, 28, 28)
    noisy, x_hat, (before, after) = made.denoise_function(x, eps, torch.tensor([sigma]))
    captions, status = page.locator(".gu-pair .gu-caption"), page.locator("[role=status]")
    settled = """errors => [...document.querySelectorAll(".gu-pair .gu-caption > span")]
        .every((e, i) => Math.abs(e.textContent - errors[i]) < 0.000501)"""
    page.wait_for_function(settled, arg=[before.item(), after.item()])
    numbers = re.fullmatch(r"σ = ([\d.]+): error ([\d.]+), denoised ([\d.]+)\.", status.last.inner_text())
    assert numbers[1] == f"{sigma:.2f}"
    assert_rounded(numbers.groups()[1:], [before.item(), after.item()])
    clean, buried, dug = page.locator(".gu-image").all()
    assert (pixels(clean) - x.flatten()).abs().max() < 0.6 / 255
    assert (pixels(buried) - noisy.flatten().clamp(0, 1)).abs().max() < 0.6 / 255
    assert (pixels(dug) - x_hat.flatten()).abs().max() < 1.1 / 255
    assert_rounded([caption.split()[-1] for caption in captions.all_inner_texts()], [before.item(), after.item()])
    slider = page.get_by_role("slider")
    assert float(slider.input_value()) == pytest.approx(sigma, abs=1e-9)
    assert slider.get_attribute("aria-valuetext") == f"{sigma:.2f}"
    assert page.evaluate("[model.get('sigma'), model.get('seed')]") == [pytest.approx(sigma, abs=1e-9), seed]


def test_every_level_shows_what_pytorch_computes(denoising, made, draws):
    page, x = denoising, prepared(IMAGES[0])
    check_denoising(page, made, x, 0.5, 0)
    slider = page.get_by_role("slider")
    for place in (0, 20, draws.randrange(1, 20)):
        press_towards(slider, place, 20)
        check_denoising(page, made, x, round(0.05 * place, 2), 0)
    page.evaluate("model.set('sigma', 0.25)")  # as Python would
    check_denoising(page, made, x, 0.25, 0)
    page.evaluate("model.set('example', 2)")
    check_denoising(page, made, prepared(IMAGES[2]), 0.25, 0)


def test_other_noise_is_the_noise_of_the_next_seed(denoising, made, draws):
    page, x = denoising, prepared(IMAGES[0])
    other = page.get_by_role("button", name="Other noise")
    other.click()
    check_denoising(page, made, x, 0.5, 1)
    other.tap()
    check_denoising(page, made, x, 0.5, 2)
    page.evaluate("seed => model.set('seed', seed)", seed := draws.randrange(2**31))
    check_denoising(page, made, x, 0.5, seed)
    other.press("Enter")
    check_denoising(page, made, x, 0.5, seed + 1)


def test_a_drawing_is_denoised_and_an_empty_pad_reported(denoising, made, draws):
    page = denoising
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Nothing is drawn.").wait_for()
    x = stroke(page, draws)
    check_denoising(page, made, x, 0.5, 0)


# ---- Sliders of a code, in another unit than nats --------------------------------------------------------------


@pytest.mark.parametrize("name", ["sliders", "conditional"])
def test_the_sliders_tell_the_unit_and_mark_what_is_unused(browser, origin, made, name):
    with watched(browser, origin, viewport=COLUMN) as page:
        page.goto(f"/{name}.html")
        page.wait_for_selector(".gu-live")
        rows = page.locator(".gu-slider").evaluate_all(
            "all => all.map(e => [e.querySelector('input').ariaLabel, e.querySelector('.gu-note').textContent])"
        )
        expected = sorted(enumerate(SHARES, 1), key=lambda share: -share[1])
        notes = [
            (k, f"{share:.2f} {PERCENT}" if share >= 0.01 else f"unused: 0.00 {PERCENT}") for k, share in expected
        ]
        assert rows == [[f"Latent unit {k}", note] for k, note in notes]
        assert page.locator(".gu-unused").count() == 2
        page.get_by_role("button", name="Draw z from N(0, I)", exact=True).click()
        z = np.floor(10 * np.clip(widgets.Noise(1).normal(5).astype(float), -3, 3) + 0.5) / 10
        picture = page.locator(".gu-picture canvas")
        settled = "([c, z]) => JSON.parse(c.dataset.z).every((value, k) => Math.abs(value - z[k]) < 1e-9)"
        page.wait_for_function(settled, arg=[picture.element_handle(), z.tolist()])
        expected = made.decode_function(torch.tensor(z, dtype=torch.float32)[None]).flatten()
        assert (pixels(picture) - expected).abs().max() < 0.6 / 255
        assert_fits(page, PHONE["width"])


# ---- For every reader ------------------------------------------------------------------------------------------


def test_six_sizes_stand_in_one_row_or_in_three_with_their_methods_beside_them(reconstructions):
    for width, rows, least in [(COLUMN["width"], 1, 90), (PHONE["width"], 3, 120)]:
        reconstructions.set_viewport_size({"width": width, "height": 700})
        cards = reconstructions.locator(".gu-size:not(.gu-methods)").all()
        tops = [card.bounding_box()["y"] for card in cards]
        assert [tops.count(top) for top in sorted(set(tops))] == [6 // rows] * rows
        for card in cards:
            for canvas in card.locator("canvas").all():
                box = canvas.bounding_box()
                assert box["width"] >= least
                assert box["height"] == pytest.approx(box["width"], abs=0.5)
        methods = [each for each in reconstructions.locator(".gu-methods").all() if each.is_visible()]
        assert len(methods) == rows
        for method, card in zip(methods, cards[:: 6 // rows], strict=True):
            for name, canvas in zip(method.locator("span").all(), card.locator("canvas").all(), strict=True):
                box, picture = name.bounding_box(), canvas.bounding_box()
                middles = [b["y"] + b["height"] / 2 for b in (box, picture)]
                assert middles[0] == pytest.approx(middles[1], abs=2)
                assert box["height"] <= picture["height"]


def test_a_graph_that_is_missing_is_reported_and_nothing_is_drawn(browser, origin):
    assert_missing_is_reported(browser, origin, "reconstructions", "00_autoencoder_32")
