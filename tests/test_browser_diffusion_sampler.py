"""The diffusion sampler and the noisy drawing in a real browser, on pages of their own, against PyTorch."""

from functools import partial

import pytest
import torch
from conftest import watched
from test_browser import assert_fits, pixels
from test_browser_autoencoder import drawn as ink
from test_browser_autoencoder import press_towards, stroke
from test_widgets_diffusion import (
    DIGITS,
    GARMENTS,
    IMAGES,
    NONE,
    denoised,
    drawn,
    exported,
    make_drawing,
    make_sampler,
    prepared,
    step_graph,
)
from widget_page import COLUMN, PHONE, assert_missing_is_reported, opened, served

from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.unet import UNet
from gen_utils.page.export import round_to_half
from gen_utils.page.widgets.diffusion_sampler import DiffusionSampler

pytestmark = pytest.mark.slow

FIRST = {"label": 3, "guidance": 1.5, "steps": 10, "eta": 0.0, "seed": 0}


@pytest.fixture(scope="module")
def made():
    made = exported()
    large = ImageDiffusion(UNet()).eval().requires_grad_(False)
    round_to_half(large)
    made.step["large"] = step_graph(large, "00_step_large")  # before any training
    return made


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    shown = {
        "sampler": make_sampler(made, steps=10),
        "drawing": make_drawing(made),
        "large": DiffusionSampler(made.step["large"], DIGITS),
        "garments": DiffusionSampler(made.step["convolutions"], [*GARMENTS, "T-shirt/top"]),
    }
    with served(tmp_path_factory.mktemp("pages"), shown) as origin:
        yield origin


@pytest.fixture(params=["sampler", "drawing"])
def live(browser, origin, request):
    """Both widgets in turn, alive."""
    yield from opened(browser, origin, request.param)


@pytest.fixture
def sampler(browser, origin):
    yield from opened(browser, origin, "sampler")


@pytest.fixture
def large(browser, origin):
    yield from opened(browser, origin, "large")


@pytest.fixture
def drawing(browser, origin):
    yield from opened(browser, origin, "drawing")


def watch(canvas, name):
    """Remember every value that a canvas tells under a name, from now on; the function returned gives them all."""
    seen = canvas.evaluate_handle(
        """(c, name) => {
            const seen = [];
            const note = () => seen.push(JSON.parse(c.dataset[name]));
            new MutationObserver(note).observe(c, { attributeFilter: [`data-${name}`] });
            return seen;
        }""",
        name,
    )
    return seen.json_value


def settle(page, canvas, name, expected):
    """Wait until a canvas tells just what is expected."""
    settled = """([c, name, expected]) => {
        const seen = JSON.parse(c.dataset[name] || "{}");
        return Object.keys(expected).every((key) => seen[key] === expected[key]);
    }"""
    page.wait_for_function(settled, arg=[canvas.element_handle(), name, expected])


# ---- The sampler -----------------------------------------------------------------------------------------------


def images(canvas, count=1):
    return pixels(canvas).reshape(28, count, 28).swapaxes(0, 1)


def check_state(page, expected, at):
    """Pictures, caption and slider must be of the state `at`."""
    for canvas, kind in zip(page.locator(".gu-pair canvas").all(), ("picture", "guess"), strict=True):
        assert (images(canvas) - expected[kind][at]).abs().max() < 0.6 / 255
    t = expected["time"][at]
    assert page.locator(".gu-pair .gu-caption").first.inner_text() == (
        f"state xₜ at t = {t}" if t else "x₀: the sample"
    )
    slider = page.get_by_role("slider", name="Step of the trajectory")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == (str(at), f"t = {t}")


def check_sampler(page, made, **chosen):
    """Wait until these settings, else the first ones, have drawn a digit; then everything must agree on it."""
    chosen = FIRST | chosen
    settle(page, page.locator("canvas[data-shown]"), "drawn", chosen)
    expected = drawn(made, **chosen)
    steps = chosen["steps"]
    check_state(page, expected, steps)
    for strip, kind in zip(page.locator(".gu-stills canvas").all(), ("picture", "guess"), strict=True):
        places = [i * steps // 5 for i in range(6)]
        assert (images(strip, 6) - expected[kind][places, 0]).abs().max() < 0.6 / 255
    pressed = page.locator("button[aria-pressed=true]").evaluate_all("all => all.map((e) => e.ariaLabel)")
    name = "No label" if chosen["label"] == NONE else f"Label {chosen['label']}"
    assert pressed == [name, f"{steps} steps"]
    for slider, value in [("Guidance", "guidance"), ("Eta", "eta")]:
        found = page.get_by_role("slider", name=slider)
        assert float(found.input_value()) == pytest.approx(chosen[value])
        assert found.get_attribute("aria-valuetext") == f"{chosen[value]:.1f}"
    assert page.evaluate("names => names.map((name) => model.get(name))", list(chosen)) == [*chosen.values()]
    status = page.locator("p[role=status]").inner_text()
    seen = " Without a label, guidance changes nothing." if chosen["label"] == NONE else ""
    assert status == f"Drawn in {steps} steps.{seen}"
    return expected


def test_a_digit_is_drawn_as_by_pytorch_and_its_way_scrubbed(sampler, made, draws):
    assert sampler.locator(".gu-live").get_attribute("data-backend") == "browser"
    expected = check_sampler(sampler, made)
    slider = sampler.get_by_role("slider", name="Step of the trajectory")
    for at in (0, 10, draws.randrange(1, 10)):
        press_towards(slider, at, 10)
        check_state(sampler, expected, at)
    sampler.get_by_role("button", name="Label 5").click()  # from wherever the reader is, to the new sample
    check_sampler(sampler, made, label=5)


def test_every_setting_starts_again_by_mouse_finger_and_keys(sampler, made):
    check_sampler(sampler, made)
    press = lambda name: sampler.get_by_role("button", name=name)  # noqa: E731
    guidance, eta = (sampler.get_by_role("slider", name=name) for name in ("Guidance", "Eta"))
    chosen = {}
    for act, change in [
        (press("Label 8").click, {"label": 8}),
        (press("5 steps").first.tap, {"steps": 5}),
        (press("New noise").click, {"seed": 1}),
        (partial(guidance.press, "ArrowRight"), {"guidance": 1.6}),
        (partial(eta.press, "End"), {"eta": 1.0}),
        (press("No label").tap, {"label": NONE}),
        (partial(press("20 steps").press, "Enter"), {"steps": 20}),
        (partial(press("New noise").press, "Space"), {"seed": 2}),
        (partial(guidance.press, "Home"), {"guidance": 0.0}),
    ]:
        act()
        check_sampler(sampler, made, **(chosen := chosen | change))
    press("Reset").click()
    check_sampler(sampler, made)
    sampler.evaluate("model.set('eta', 0.3)")  # as Python would
    check_sampler(sampler, made, eta=0.3)


def test_only_the_last_of_many_changes_is_drawn(sampler, made):
    seen = watch(sampler.locator("canvas[data-shown]"), "drawn")
    sampler.evaluate("[0, 1, 2, 4, 9, 6].forEach((label) => model.set('label', label))")
    check_sampler(sampler, made, label=6)
    assert [each["label"] for each in seen()] == [6]


def test_the_picture_grows_while_it_is_computed_and_a_change_stops_it(large):
    canvas = large.locator("canvas[data-shown]")
    seen = watch(canvas, "shown")
    large.get_by_role("button", name="50 steps").click()
    settle(large, canvas, "drawn", {"steps": 50})
    at = [each["at"] for each in seen()]
    assert len(at) > 4
    assert at == sorted(at)
    assert at[-1] == 50
    seen = watch(canvas, "drawn")
    # The change has to come before the run's end: the page makes it at once, however long an answer takes.
    canvas.evaluate("""c => {
        new MutationObserver((_, watch) => {
            const { at } = JSON.parse(c.dataset.shown);
            if (at === 0 || at >= 30) return;
            watch.disconnect();
            const slider = document.querySelector("[aria-label^='Step of the trajectory']");
            slider.value = 0; // looking back does not stop it
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            document.querySelector("[aria-label='Label 1']").click();
        }).observe(c, { attributeFilter: ["data-shown"] });
    }""")
    large.get_by_role("button", name="New noise").click()
    settle(large, canvas, "drawn", {"label": 1, "seed": 1})
    assert [[each["label"], each["seed"]] for each in seen()] == [[1, 1]]


def test_who_prefers_no_motion_sees_the_end_alone(browser, origin):
    with watched(browser, origin, viewport=COLUMN, reduced_motion="reduce") as page:
        page.goto("/large.html")
        page.wait_for_selector(".gu-live")
        canvas = page.locator("canvas[data-shown]")
        seen = watch(canvas, "shown")
        page.get_by_role("button", name="New noise").click()
        settle(page, canvas, "drawn", {"seed": 1})
        assert [each["at"] for each in seen()] == [20]


def test_long_names_of_labels_have_room(browser, origin):
    with watched(browser, origin, viewport=COLUMN) as page:
        page.goto("/garments.html")
        page.wait_for_selector(".gu-live")
        for width in (COLUMN["width"], PHONE["width"]):
            assert_fits(page, width)
            fits = page.locator(".gu-labels button").evaluate_all(
                "all => all.map((e) => e.scrollWidth - e.clientWidth)"
            )
            assert max(fits) <= 0


# ---- The noisy drawing -----------------------------------------------------------------------------------------


def check_drawing(page, made, x, start=10, label=NONE, seed=0):
    """Wait until x is noised and denoised; then pictures, texts and controls must agree on it."""
    clean, noisy, last = page.locator(".gu-image").all()
    settle(page, last, "shown", {"start": start, "label": label, "seed": seed})
    noised, expected = denoised(made, x, start, label, seed)
    for canvas, image in ((clean, x), (noisy, noised), (last, expected)):
        assert (images(canvas) - image[0]).abs().max() < 0.6 / 255
    seen = page.locator(".gu-pair .gu-caption").all_inner_texts()
    assert seen == [
        f"xₜ: noised to t = {50 * start}",
        "denoised, no label" if label == NONE else f"denoised as {label}",
    ]
    signal = made.models["convolutions"].schedule.alpha_bar[50 * start].item() ** 0.5
    status = page.locator("p[role=status]").last.inner_text()
    assert status in (f"xₜ = {signal:.2f} x₀ + {(1 - signal**2) ** 0.5:.2f} ε", "Nothing is drawn.")
    slider = page.get_by_role("slider")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == (str(start), str(50 * start))
    pressed = page.locator("button[aria-pressed=true]").all_inner_texts()
    assert pressed == ["no label" if label == NONE else str(label)]
    assert page.evaluate("['start', 'label', 'seed'].map((name) => model.get(name))") == [start, label, seed]


def test_every_level_label_and_noise_is_pytorch_s(drawing, made, draws):
    page, x = drawing, prepared(IMAGES[0])
    check_drawing(page, made, x)
    for start in (1, 20, draws.randrange(2, 20)):
        press_towards(page.get_by_role("slider"), start - 1, 19)
        check_drawing(page, made, x, start)
    page.get_by_role("button", name="Label 4").tap()
    check_drawing(page, made, x, start, 4)
    page.get_by_role("button", name="Other noise").click()
    check_drawing(page, made, x, start, 4, 1)
    page.get_by_role("button", name="No label").press("Enter")
    check_drawing(page, made, x, start, NONE, 1)
    page.get_by_role("button", name="An example").click()
    check_drawing_of(page, made, prepared(IMAGES[1]), start, NONE, 1)
    page.evaluate("['start', 'seed', 'example'].forEach((name) => model.set(name, 2))")  # as Python would
    check_drawing_of(page, made, prepared(IMAGES[2]), 2, NONE, 2)


def check_drawing_of(page, made, x, *settings):
    """As `check_drawing`, but first wait until x is what is drawn: the settings may be the same as before."""
    clean = page.locator(".gu-image").first
    for _ in range(2400):  # two minutes
        if (images(clean) - x[0]).abs().max() < 0.6 / 255:
            break
        page.wait_for_timeout(50)
    check_drawing(page, made, x, *settings)


def test_a_drawing_by_mouse_and_by_finger_is_noised_and_denoised(drawing, made, draws):
    page = drawing
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Nothing is drawn.").wait_for()
    check_drawing_of(page, made, torch.zeros(1, 1, 28, 28))
    x = stroke(page, draws)
    check_drawing_of(page, made, x)
    devtools, box = page.context.new_cdp_session(page), page.locator(".gu-ink").bounding_box()
    for i in range(9):
        at = {"x": box["x"] + (0.2 + 0.06 * i) * box["width"], "y": box["y"] + 0.4 * box["height"]}
        devtools.send("Input.dispatchTouchEvent", {"type": "touchMove" if i else "touchStart", "touchPoints": [at]})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    more = ink(page)
    assert (more - x).abs().max() > 0.1
    check_drawing_of(page, made, more)


# ---- For every reader ------------------------------------------------------------------------------------------


def test_a_graph_that_is_missing_is_reported_and_nothing_is_drawn(browser, origin):
    assert_missing_is_reported(browser, origin, "sampler", "00_step_*")
    assert_missing_is_reported(browser, origin, "drawing", "00_step_*")
