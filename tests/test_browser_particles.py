"""The particles' widget in a real browser, on a page of its own, against PyTorch."""

import json

import numpy as np
import pytest
from conftest import watched
from test_widgets_particles import RUNS, exported, make, replay
from widget_page import COLUMN, assert_missing_is_reported, opened, served, still

pytestmark = pytest.mark.slow

SCORES = ("exact", "learned")


@pytest.fixture(scope="module")
def made():
    return exported()


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    with served(tmp_path_factory.mktemp("pages"), {"particles": make(made)}) as origin:
        yield origin


@pytest.fixture
def page(browser, origin):
    yield from opened(browser, origin, "particles")


def shown(page, **expected):
    """Wait until both planes show what is expected, and return all that each shows."""
    settled = """expected => [...document.querySelectorAll(".gu-map")].every((canvas) => {
        const shown = JSON.parse(canvas.dataset.shown);
        return Object.keys(expected).every((name) => shown[name] === expected[name]);
    })"""
    page.wait_for_function(settled, arg=expected)
    return [json.loads(canvas.get_attribute("data-shown")) for canvas in page.locator(".gu-map").all()]


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def states(page):
    """The states that are computed, under each score: `(2, S + 1, 1000, 2)`."""
    found = page.locator(".gu-map").evaluate_all("all => all.map(c => c.states().map(x => Array.from(x)))")
    return np.array(found, dtype=np.float32).reshape(2, -1, 1000, 2)


# ---- A run -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "eta", "seed"), RUNS)
def test_a_run_in_the_page_is_ddim_in_pytorch(page, made, steps, eta, seed):
    page.evaluate(
        "given => Object.entries(given).forEach(([name, value]) => model.set(name, value))",
        {"steps": steps, "eta": eta, "seed": seed},
    )
    page.get_by_role("slider", name="Steps done").press("End")
    planes = shown(page, steps=steps, eta=eta, seed=seed, position=steps)
    widget = make(made)
    for score, found, plane in zip(SCORES, states(page), planes, strict=True):
        expected = replay(score, steps, eta, seed)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if steps < 100 else 1e-4)
        np.testing.assert_allclose(plane["shares"], widget.shares(expected[-1]), atol=0.0011)
    cells = page.locator(".gu-tallies strong").all_inner_texts()
    assert cells == [f"{100 * share:.1f} %" for plane in planes for share in plane["shares"]]


def test_a_run_comes_to_its_end_and_starts_again(page):
    press(page, "5")
    press(page, "Play")
    assert shown(page, playing=True)[0]["position"] < 5
    page.get_by_text("On the way.").wait_for()
    shown(page, position=5, playing=False)
    page.get_by_text("The end.").wait_for()
    press(page, "Play")
    assert shown(page, playing=True)[0]["position"] < 5


def test_hasty_clicks_do_not_make_it_faster(page):
    names = ["Play", "Back to the start", "Play", "Back to the start", "One step", "Play", "Pause", "Play"]
    page.evaluate(
        """names => names.forEach((name) =>
            [...document.querySelectorAll("button")].find((each) => each.textContent === name)?.click())""",
        names,
    )
    began = page.evaluate("performance.now()")
    shown(page, position=20, playing=False)
    assert page.evaluate("performance.now()") - began > 3500


def test_a_pause_comes_where_a_step_ends(page):
    press(page, "10")
    press(page, "Play")
    page.wait_for_function("JSON.parse(document.querySelector('.gu-map').dataset.shown).position > 1.2")
    press(page, "Pause")
    paused = shown(page, playing=False)[0]["position"]
    assert paused == int(paused) < 10
    position = "JSON.parse(document.querySelector('.gu-map').dataset.shown).position"
    assert still(page, position) == paused
    press(page, "One step")
    shown(page, position=paused + 1, playing=False)
    press(page, "Back to the start")
    shown(page, position=0, playing=False)


def test_a_hidden_widget_waits(page):
    page.evaluate("document.body.style.paddingBottom = '3000px'")
    press(page, "Play")
    position = "JSON.parse(document.querySelector('.gu-map').dataset.shown).position"
    page.wait_for_function(f"{position} > 1")
    page.evaluate("scrollTo(0, 2500)")
    before = still(page, position)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function(f"{position} > {before}")


def test_less_motion_means_few_pictures_and_no_glide(browser, origin):
    with watched(browser, origin, viewport=COLUMN, reduced_motion="reduce") as page:
        page.goto("/particles.html")
        page.wait_for_selector(".gu-live")
        page.evaluate("""() => {
            globalThis.positions = [];
            const plane = document.querySelector(".gu-map");
            const note = () => positions.push(JSON.parse(plane.dataset.shown).position);
            new MutationObserver(note).observe(plane, { attributeFilter: ["data-shown"] });
        }""")
        press(page, "Play")
        shown(page, position=20, playing=False)
        positions = page.evaluate("positions")
        assert all(position == int(position) for position in positions)
        assert len(set(positions)) <= 8


# ---- Controls --------------------------------------------------------------------------------------------------


def test_mouse_and_keys_scrub_through_the_states(page):
    slider = page.get_by_role("slider", name="Steps done")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    shown(page, position=10)
    slider.press("ArrowRight")
    shown(page, position=11)
    assert slider.get_attribute("aria-valuetext") == "11 of 20"
    page.touchscreen.tap(box["x"] + box["width"] - 11, box["y"] + box["height"] / 2)
    shown(page, position=20)
    slider.press("Home")
    assert shown(page, position=0)[0]["shares"] == shown(page)[1]["shares"]


def test_another_number_of_steps_or_noise_keeps_the_part_of_the_way(page):
    slider = page.get_by_role("slider", name="Steps done")
    slider.press("End")
    shown(page, steps=20, position=20)
    for steps in (3, 5, 10, 100):
        press(page, str(steps))
        shown(page, steps=steps, position=steps)
        assert page.locator("[aria-pressed=true]").all_inner_texts() == [str(steps)]
        assert slider.get_attribute("aria-valuetext") == f"{steps} of {steps}"
    press(page, "10")
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    press(page, "5")
    first = shown(page, steps=5, position=4, eta=0)
    eta = page.get_by_role("slider").last
    eta.press("End")
    noisy = shown(page, steps=5, position=4, eta=1)
    assert all(a["shares"] != b["shares"] for a, b in zip(first, noisy, strict=True))
    eta.press("Home")
    assert shown(page, eta=0) == first
    press(page, "New noise")
    shown(page, seed=1, position=4)
    page.evaluate("model.set('eta', 0.3)")  # as Python would
    shown(page, eta=0.3)
    assert eta.get_attribute("aria-valuetext") == "0.3"


# ---- For every reader ------------------------------------------------------------------------------------------


def test_buttons_are_pressed_by_keys(page):
    page.get_by_role("button", name="One step").press("Enter")
    shown(page, position=1)
    page.get_by_role("button", name="100").press(" ")
    shown(page, steps=100, position=5)


def test_a_graph_that_is_missing_is_reported_and_nothing_is_drawn(browser, origin):
    assert_missing_is_reported(browser, origin, "particles", "00_particles_learned")
