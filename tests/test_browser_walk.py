"""The latent walk and the discriminator's opinion in a real browser, on pages of their own, against PyTorch."""

import base64
from functools import partial
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from conftest import watched
from test_browser import assert_fits, pixels
from test_widgets_walk import (
    DIGITS,
    EXAMPLES,
    GARMENTS,
    KINDS,
    STILLS,
    exported,
    make_garments,
    make_opinion,
    make_plain_walk,
    make_walk,
    walked,
)
from widget_page import COLUMN, PHONE, assert_missing_is_reported, opened, served, still

from gen_utils.page.graphs.drawing import prepare
from gen_utils.plots import COLOURS

pytestmark = pytest.mark.slow

S = 280


@pytest.fixture(scope="module")
def made():
    return exported()


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    makes = {"walk": make_walk, "plain": make_plain_walk, "opinion": make_opinion, "garments": make_garments}
    with served(tmp_path_factory.mktemp("pages"), {name: make(made) for name, make in makes.items()}) as origin:
        yield origin


@pytest.fixture(params=["walk", "opinion"])
def live(browser, origin, request):
    """Both widgets in turn, alive."""
    yield from opened(browser, origin, request.param)


@pytest.fixture
def walk(browser, origin):
    yield from opened(browser, origin, "walk")


@pytest.fixture
def plain(browser, origin):
    yield from opened(browser, origin, "plain")


@pytest.fixture
def opinion(browser, origin):
    yield from opened(browser, origin, "opinion")


@pytest.fixture
def garments(browser, origin):
    yield from opened(browser, origin, "garments")


# ---- The walk --------------------------------------------------------------------------------------------------


def check_walk(page, made, seed, step, label=0, labels=10):
    """Wait until the page shows this point of this way; then pictures, slider and text must agree on it."""
    large = page.locator(".gu-picture canvas")
    settled = "([c, shown]) => c.dataset.shown === JSON.stringify(shown)"
    page.wait_for_function(settled, arg=[large.element_handle(), {"seed": seed, "step": step}])
    x = walked(made, labels, seed, step).flatten(1)
    assert (pixels(large) - x[label]).abs().max() < 0.6 / 255
    stills = pixels(page.locator(".gu-way canvas")).reshape(28, STILLS, 28).swapaxes(0, 1)
    for i, found in enumerate(stills):
        assert (found - walked(made, labels, seed, i / (STILLS - 1))[label, 0]).abs().max() < 0.6 / 255
    name = f"label {DIGITS[label]}" if labels == 10 else "a digit"
    assert page.locator(".gu-picture .gu-caption").inner_text() == f"{name}, {step:.2f} of the way"
    slider = page.get_by_role("slider")
    assert (float(slider.input_value()), slider.get_attribute("aria-valuetext")) == (step, f"{step:.2f}")
    assert page.evaluate("[model.get('seed'), model.get('step'), model.get('label')]") == [seed, step, label]
    choices = page.locator(".gu-choice").all()
    assert len(choices) == (10 if labels == 10 else 0)
    for other, choice in enumerate(choices):
        assert (pixels(choice.locator("canvas")) - x[other]).abs().max() < 0.6 / 255
        assert choice.get_attribute("aria-pressed") == str(other == label).lower()


def test_every_point_shows_what_pytorch_computes(walk, made, draws):
    assert walk.locator(".gu-live").get_attribute("data-backend") == "browser"
    check_walk(walk, made, 0, 0)
    slider = walk.get_by_role("slider")
    for key, step in [("ArrowRight", 0.01), ("End", 1), ("ArrowUp", 1), ("PageDown", 0.9), ("Home", 0)]:
        slider.press(key)
        check_walk(walk, made, 0, step)
    walk.evaluate("step => model.set('step', step)", step := draws.randrange(101) / 100)  # as Python would
    check_walk(walk, made, 0, step)
    walk.evaluate("seed => model.set('seed', seed)", seed := draws.randrange(2**31))
    check_walk(walk, made, seed, step)


def test_new_ends_are_the_noise_of_the_next_seed_and_reset_goes_back(walk, made):
    new, status = walk.get_by_role("button", name="New ends"), walk.locator("p[role=status]")
    walk.get_by_role("slider").press("PageUp")
    for seed, press in [(1, new.click), (2, new.tap), (3, partial(new.press, "Enter"))]:
        press()
        check_walk(walk, made, seed, 0.1)
        assert status.inner_text() == f"z₀ and z₁ are two draws of z, with seed {seed}."
    walk.get_by_role("button", name="Label 6").click()
    check_walk(walk, made, 3, 0.1, 6)
    walk.get_by_role("button", name="Reset").press("Space")
    check_walk(walk, made, 0, 0)
    assert status.inner_text() == "z₀ and z₁ are two draws of z, with seed 0."


def test_a_label_is_chosen_by_mouse_finger_and_keys(walk, made, draws):
    walk.evaluate("step => model.set('step', step)", step := draws.randrange(101) / 100)
    first, second, third, fourth = draws.sample(range(10), 4)
    walk.get_by_role("button", name=f"Label {first}").click()
    check_walk(walk, made, 0, step, first)
    walk.get_by_role("button", name=f"Label {second}").tap()
    check_walk(walk, made, 0, step, second)
    walk.get_by_role("button", name=f"Label {third}").press("Enter")
    check_walk(walk, made, 0, step, third)
    walk.evaluate("label => model.set('label', label)", fourth)
    check_walk(walk, made, 0, step, fourth)


def test_a_model_without_labels_has_no_choice_of_them(plain, made):
    check_walk(plain, made, 0, 0, labels=1)
    plain.get_by_role("slider").press("End")
    check_walk(plain, made, 0, 1, labels=1)
    assert_fits(plain, PHONE["width"])


def test_the_thumb_stands_under_the_still_of_its_place(walk):
    strip, slider = walk.locator(".gu-way canvas"), walk.get_by_role("slider")
    for width in (COLUMN["width"], PHONE["width"]):
        walk.set_viewport_size({"width": width, "height": 900})
        box, track = strip.bounding_box(), slider.bounding_box()
        for end in (0, 1):
            still = box["x"] + box["width"] * (0.5 + end * (STILLS - 1)) / STILLS
            thumb = track["x"] + 10 + end * (track["width"] - 20)  # 20 pixels wide
            assert thumb == pytest.approx(still, abs=1)


def test_walk_goes_to_the_end_and_back_and_stops(walk, made):
    button, status = walk.locator(".gu-way .gu-button").first, walk.locator("p[role=status]")
    walk.evaluate("""() => {
        model.set("step", 0.95);
        globalThis.steps = [];
        model.on("change:step", () => steps.push(model.get("step")));
    }""")
    button.click()
    assert (button.inner_text(), status.inner_text()) == ("Stop", "Walking to z₁, and back to z₀.")
    walk.wait_for_function("steps.includes(1) && model.get('step') < 0.9")
    walk.evaluate("model.set('step', 0.03)")  # carried to where the walk is almost over
    walk.wait_for_function("model.get('step') === 0")
    assert (button.inner_text(), status.inner_text()[:9]) == ("Walk", "z₀ and z₁")
    steps = [round(100 * step) for step in walk.evaluate("steps")]
    carried = steps.index(3)
    assert steps == [*range(96, 101), *range(99, steps[carried - 1] - 1, -1), 3, 2, 1, 0]
    check_walk(walk, made, 0, 0)
    walk.get_by_role("slider").press("End")  # from there it goes back at once
    button.click()
    walk.wait_for_function("steps.at(-1) < 1")
    steps = walk.evaluate("steps")
    assert steps[steps.index(0) + 1 :][:2] == [1, 0.99]


def test_a_walk_is_calm_and_a_reader_can_stop_it(walk, made):
    button = walk.locator(".gu-way .gu-button").first
    began = walk.evaluate("performance.now()")
    button.press("Enter")
    walk.wait_for_function("model.get('step') >= 0.2")
    seconds = (walk.evaluate("performance.now()") - began) / 1000
    assert seconds > 0.7  # so there and back takes 8 seconds, or longer where drawing does
    walk.get_by_role("button", name="Label 3").click()  # does not stop it
    assert button.inner_text() == "Stop"
    button.press("Enter")
    step = walk.evaluate("model.get('step')")
    assert still(walk, "model.get('step')") == step
    check_walk(walk, made, 0, step, 3)
    for stopping in (
        partial(walk.get_by_role("slider").press, "End"),
        walk.get_by_role("button", name="New ends").click,
    ):
        button.click()
        stopping()
        assert button.inner_text() == "Walk"
        step = walk.evaluate("model.get('step')")
        assert still(walk, "model.get('step')") == step


def test_who_prefers_no_motion_sees_single_pictures(browser, origin, made):
    with watched(browser, origin, viewport=COLUMN, reduced_motion="reduce") as page:
        page.goto("/walk.html")
        page.wait_for_selector(".gu-live")
        began = page.evaluate("performance.now()")
        page.get_by_role("button", name="Walk").click()
        page.wait_for_function("model.get('step') >= 0.2")
        assert page.evaluate("performance.now()") - began > 450
        page.get_by_role("button", name="Stop").click()
        check_walk(page, made, 0, 0.2)


# ---- The opinion -----------------------------------------------------------------------------------------------


def ink(page):
    """What is drawn on the pad, `(1, 1, 280, 280)`: a canvas holds 8 bits a pixel."""
    picture = page.locator(".gu-ink").evaluate("c => c.toDataURL('image/png')").partition(",")[2]
    return torch.from_numpy(1 - plt.imread(BytesIO(base64.b64decode(picture)))[None, None, ..., 0]).float()


def stroke(page, *points):
    box = page.locator(".gu-ink").bounding_box()
    for i, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"] / S, box["y"] + y * box["height"] / S, steps=1 if i == 0 else 4)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def check_opinion(page, made, kind, x, names=DIGITS):
    """Wait until the bars are of this x; then bars, numbers, text and pictures must be what PyTorch says of it."""
    p = made.judges[len(names)](x)[0]
    element = page.locator(".gu-probabilities")
    settled = """([e, kind, p]) => {
        const shown = JSON.parse(e.dataset.shown);
        return shown.kind === kind && p.every((value, label) => Math.abs(value - shown.p[label]) < 1e-4);
    }"""
    page.wait_for_function(settled, arg=[element.element_handle(), kind, p.tolist()])
    rows = element.get_by_role("listitem").evaluate_all("""all => all.map((row) => {
        const [track, bar] = [row.querySelector(".gu-track"), row.querySelector(".gu-bar")];
        const share = bar.getBoundingClientRect().width / track.getBoundingClientRect().width;
        return [row.firstChild.textContent, share, row.querySelector(".gu-value").textContent];
    })""")
    assert [name for name, _, _ in rows] == names
    assert [share for _, share, _ in rows] == pytest.approx(p.tolist(), abs=0.01)
    assert [float(value) for _, _, value in rows] == pytest.approx(p.tolist(), abs=0.0051)
    best = names[p.argmax()]
    subject = "Your drawing" if kind == "your drawing" else f"The {kind} one"
    status = page.locator(".gu-opinion").get_by_role("status")
    assert status.inner_text() == f"{subject} is most real as {best}: {p.max():.2f}."
    current = page.locator(".gu-current")
    assert current.inner_text().split() == [*kind.split(), *f"{best}: {p.max():.2f}".split()]
    assert (pixels(current.locator("canvas")) - x.flatten()).abs().max() < 0.6 / 255


def test_each_kind_is_judged_as_it_is_and_its_button_steps_through_it(opinion, made):
    check_opinion(opinion, made, "real", EXAMPLES["real"][:1])
    real, generated = (opinion.get_by_role("button", name=f"A {kind} one") for kind in KINDS)
    for press, kind, k in [
        (real.click, "real", 1),
        (generated.tap, "generated", 0),
        (partial(generated.press, "Enter"), "generated", 1),
        (generated.click, "generated", 0),
        (partial(real.press, "Space"), "real", 2),
        (real.click, "real", 0),
    ]:
        press()
        check_opinion(opinion, made, kind, EXAMPLES[kind][k : k + 1])
        enlarged = EXAMPLES[kind][k : k + 1].repeat_interleave(10, 2).repeat_interleave(10, 3)
        assert (ink(opinion) - enlarged).abs().max() < 1e-6  # and the pad shows it
    opinion.evaluate("model.set('kind', 'generated')")  # as Python would
    check_opinion(opinion, made, "generated", EXAMPLES["generated"][1:])


def test_a_drawing_is_prepared_and_compared_with_the_examples(opinion, made, draws):
    compared = opinion.locator(".gu-compare")
    before = compared.all_inner_texts()
    best = {kind: made.judges[10](EXAMPLES[kind][:1])[0].max(0) for kind in KINDS}
    expected = [f"{kind} {DIGITS[p.indices]}: {p.values:.2f}" for kind, p in best.items()]
    assert [" ".join(text.split()) for text in before] == [*expected, "your drawing"]

    opinion.get_by_role("button", name="Clear").click()
    opinion.get_by_text("Nothing is drawn.").wait_for()
    stroke(opinion, *[(draws.uniform(40, 240), draws.uniform(40, 240)) for _ in range(4)])
    check_opinion(opinion, made, "your drawing", prepare(ink(opinion)))
    assert compared.all_inner_texts()[:2] == before[:2]
    stroke(opinion, (140, 30), (140, 250))  # more of it
    check_opinion(opinion, made, "your drawing", prepare(ink(opinion)))
    mine = compared.all_inner_texts()[2]
    opinion.get_by_role("button", name="A real one").click()
    check_opinion(opinion, made, "real", EXAMPLES["real"][1:2])
    assert compared.all_inner_texts()[2] == mine  # stays beside it
    stroke(opinion, (60, 60), (220, 60))  # drawn on an example, it is a drawing
    check_opinion(opinion, made, "your drawing", prepare(ink(opinion)))


def test_a_finger_and_the_keyboard_draw(opinion, made):
    opinion.get_by_role("button", name="Clear").tap()
    opinion.get_by_text("Nothing is drawn.").wait_for()
    devtools = opinion.context.new_cdp_session(opinion)
    box = opinion.locator(".gu-ink").bounding_box()

    def touch(kind, *points):
        at = [{"x": box["x"] + x / S * box["width"], "y": box["y"] + y / S * box["height"]} for x, y in points]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (140, 40))
    for y in range(60, 240, 20):
        touch("touchMove", (140, y))
    touch("touchEnd")
    drawn = prepare(ink(opinion))
    assert drawn.sum() > 10
    check_opinion(opinion, made, "your drawing", drawn)
    opinion.locator(".gu-ink").focus()
    for key in ("Space", *["ArrowRight"] * 9, "Space"):
        opinion.keyboard.press(key)
    more = prepare(ink(opinion))
    assert (more - drawn).abs().max() > 0.1
    check_opinion(opinion, made, "your drawing", more)


def test_the_bars_have_the_colour_of_decisions(opinion):
    bar = opinion.locator(".gu-bar").first
    red, green, blue = (int(COLOURS["decision"][i : i + 2], 16) for i in (1, 3, 5))
    assert bar.evaluate("e => getComputedStyle(e).backgroundColor") == f"rgb({red}, {green}, {blue})"


def test_long_names_of_labels_have_room(garments, made):
    check_opinion(garments, made, "real", EXAMPLES["real"][:1], GARMENTS)
    assert_fits(garments, PHONE["width"])
    places = "all => all.map((e) => e.getBoundingClientRect()).map(({ left, width }) => [left, width])"
    left, width = np.transpose(garments.locator(".gu-track").evaluate_all(places))
    assert np.ptp(left) < 0.5  # one axis for all bars
    assert width.min() > 120


# ---- For every reader ------------------------------------------------------------------------------------------


def test_a_graph_that_is_missing_is_reported_and_nothing_is_drawn(browser, origin):
    assert_missing_is_reported(browser, origin, "walk", "00_walk_10")
    assert_missing_is_reported(browser, origin, "opinion", "00_prepare")
