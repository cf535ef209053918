"""The widgets of the chapter on density estimation in a real browser, on pages of their own, against PyTorch."""

import json
from base64 import b64decode
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from conftest import watched
from test_widgets_density import HELD_OUT, LIMIT, MAKE, TRAIN, B, binary, completed, exported, flow_states, scores
from widget_page import COLUMN, opened, served, still

from gen_utils.page.graphs.drawing import prepare
from gen_utils.plots import COLOURS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made():
    return exported()


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    with served(tmp_path_factory.mktemp("pages"), {name: make(made) for name, make in MAKE.items()}) as origin:
        yield origin


@pytest.fixture
def density(browser, origin):
    yield from opened(browser, origin, "density")


@pytest.fixture
def flow(browser, origin):
    yield from opened(browser, origin, "flow")


@pytest.fixture
def completion(browser, origin):
    yield from opened(browser, origin, "completion")


# ---- Points on a line -------------------------------------------------------------------------------------------


def check_density(page, train, held_out, h):
    """Wait until the page shows these points; then its scores must be scikit-learn's, numpy's and scipy's."""
    line = page.locator(".gu-line")
    settled = """([c, wanted]) => {
        const flat = (lists) => lists.flat().map((v) => v.toFixed(6)).join();
        return flat(JSON.parse(c.dataset.shown)) === flat(wanted);
    }"""
    page.wait_for_function(settled, arg=[line.element_handle(), [train, held_out, [h]]])
    found = [float(value.replace("Infinity", "inf")) for value in line.get_attribute("data-scores").split()]
    expected = scores(train, held_out, h) if train and held_out else np.full(6, np.nan)
    if train and held_out:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    cells = page.locator(".gu-table td").all_inner_texts()
    for cell, value in zip(cells, np.reshape(found, (2, 3)).T.ravel(), strict=True):
        if np.isfinite(value):
            assert float(cell.replace("−", "-")) == pytest.approx(value, abs=0.00501 if abs(value) < 1000 else 0.501)
        else:
            assert cell == {"nan": "–", "inf": "∞", "-inf": "−∞"}[str(value)]
    assert page.evaluate("[model.get('train'), model.get('held_out'), model.get('bandwidth')]") == [
        pytest.approx(train),
        pytest.approx(held_out),
        pytest.approx(h),
    ]


def at(page, x, above=150):
    """A place on the screen, so many pixels above the axis' numbers."""
    box = page.locator(".gu-line").bounding_box()
    return box["x"] + 34 + (x + LIMIT) / (2 * LIMIT) * (box["width"] - 44), box["y"] + box["height"] - 34 - above


def points():
    return TRAIN.double().numpy().round(2).tolist(), HELD_OUT.double().numpy().round(2).tolist()


def test_clicked_points_have_the_scores_of_others(density, draws):
    train, held_out = points()
    check_density(density, train, held_out, 0.3)
    for _ in range(3):
        density.mouse.click(*at(density, draws.uniform(-3.9, 3.9)))
        density.wait_for_function(f"model.get('train').length > {len(train)}")
        train.append(density.evaluate("model.get('train').at(-1)"))
        check_density(density, train, held_out, 0.3)
    density.get_by_role("button", name="held-out points").click()
    x = draws.uniform(-3, 3)
    density.mouse.click(*at(density, x))
    density.wait_for_function(f"model.get('held_out').length > {len(held_out)}")
    held_out.append(density.evaluate("model.get('held_out').at(-1)"))
    assert held_out[-1] == pytest.approx(x, abs=0.02)
    check_density(density, train, held_out, 0.3)
    slider = density.get_by_role("slider", name="Bandwidth")
    for key, h in [("Home", 0.02), ("End", 2.0)]:
        slider.press(key)
        check_density(density, train, held_out, h)
        assert slider.get_attribute("aria-valuetext") == f"{h:#.3g}"
    density.evaluate("model.set('bandwidth', 0.123)")  # as Python would
    check_density(density, train, held_out, 0.123)


def test_a_click_on_a_point_removes_it(density):
    train, held_out = points()
    density.mouse.click(*at(density, 0.31, above=39))  # the row of training points
    train.remove(0.31)
    check_density(density, train, held_out, 0.3)
    density.mouse.click(*at(density, 1.75, above=13))  # of held-out ones, whichever kind a click adds
    held_out.remove(1.75)
    check_density(density, train, held_out, 0.3)
    density.mouse.click(*at(density, 2.0))  # above the rows a click only adds
    density.wait_for_function("model.get('train').length === 8")
    density.touchscreen.tap(*at(density, 1.35, above=13))  # a finger need not be as exact
    held_out.remove(1.2)
    density.wait_for_function("model.get('held_out').length === 2")
    assert density.evaluate("model.get('held_out')") == pytest.approx(held_out)


def test_the_keyboard_moves_a_cursor_and_puts_points_there(density):
    train, held_out = points()
    density.locator(".gu-line").focus()
    for _ in range(3):
        density.keyboard.press("ArrowRight")
    for _ in range(2):
        density.keyboard.press("ArrowLeft")
    assert "At x = 0.1: Enter adds one of the training points" in density.locator(".gu-hint").inner_text()
    density.keyboard.press("Enter")
    check_density(density, [*train, 0.1], held_out, 0.3)
    density.keyboard.press("Space")
    check_density(density, train, held_out, 0.3)
    density.get_by_role("button", name="held-out points").press("Enter")
    density.locator(".gu-line").focus()
    for _ in range(50):
        density.keyboard.press("ArrowLeft")
    density.keyboard.press("Enter")
    check_density(density, train, [*held_out, -4.0], 0.3)  # and no further
    assert density.locator(".gu-table td").nth(3).inner_text() == "−∞"  # no training point in that cell


def test_clear_reset_and_no_more_room(density):
    train, held_out = points()
    density.get_by_role("button", name="Clear").click()
    check_density(density, [], [], 0.3)
    assert "put training points there" in density.locator(".gu-hint").inner_text()
    density.mouse.click(*at(density, 1.0))
    density.wait_for_function(
        "document.querySelector('.gu-table').innerText.includes('∞')"
    )  # one Gaussian of no width
    density.get_by_role("button", name="Reset").click()
    check_density(density, train, held_out, 0.3)
    density.evaluate("model.set('train', Array.from({ length: 64 }, (_, i) => i / 32 - 1))")
    density.mouse.click(*at(density, 3.0))
    density.get_by_text("There is room for 64 training points: remove one first.").wait_for()
    assert density.evaluate("model.get('train').length") == 64


def test_the_toggle_says_what_a_click_adds(density):
    train, held_out = (density.get_by_role("button", name=name) for name in ("training points", "held-out points"))
    assert [b.get_attribute("aria-pressed") for b in (train, held_out)] == ["true", "false"]
    held_out.click()
    assert [b.get_attribute("aria-pressed") for b in (train, held_out)] == ["false", "true"]


# A canvas as a picture file, of a copy: reading a canvas itself changes how the browser keeps it.
PICTURE = """(c) => {
    const copy = Object.assign(document.createElement("canvas"), { width: c.width, height: c.height });
    copy.getContext("2d").drawImage(c, 0, 0);
    return copy.toDataURL().split(",")[1];
}"""


def rgba(canvas):
    """The pixels of a canvas, `(height, width, 4)`, 0…255."""
    return np.rint(255 * plt.imread(BytesIO(b64decode(canvas.evaluate(PICTURE)))))


def like(picture, colour, within=12):
    """Where a picture has a colour, by its name in the palette."""
    return (np.abs(picture[..., :3] - [int(COLOURS[colour][i : i + 2], 16) for i in (1, 3, 5)]).sum(-1) < within) & (
        picture[..., 3] > 200
    )


def test_the_curve_and_the_points_stand_where_they_should(density):
    density.evaluate("model.set('train', [-1, -1, -1, -1, 3]); model.set('held_out', [2])")
    check_density(density, [-1, -1, -1, -1, 3], [2], 0.3)
    picture = rgba(density.locator(".gu-line"))
    height, width, _ = picture.shape
    unit = (width - 44) / (2 * LIMIT)
    rows, columns = np.nonzero(like(picture, "model")[30:])  # below the key
    top = 30 + rows.min()
    assert columns[rows == rows.min()].mean() == pytest.approx(34 + 3 * unit, abs=4)  # the mode, at −1
    # The scale goes from 0, 86 pixels above the lower edge, to 2, 30 below the upper one.
    peak, ground = 0.8 / (0.3 * np.sqrt(2 * np.pi)), height - 86
    assert top + 1.5 == pytest.approx(ground - peak / 2 * (ground - 30), abs=1.5)  # half of the line's width
    for colour, x, above in [("data", -1, 39), ("data", 3, 39), ("decision", 2, 13)]:
        rows, columns = np.nonzero(like(picture, colour, within=60))
        near = np.abs(columns - 34 - (x + LIMIT) * unit) < unit / 2
        assert columns[near].mean() == pytest.approx(34 + (x + LIMIT) * unit, abs=1)
        assert height - rows[near].mean() == pytest.approx(34 + above, abs=1.5)


# ---- The layers of a flow ---------------------------------------------------------------------------------------


def check_layer(page, made, layer, seed, behind=False):
    """Wait for the state; then all of its points must be painted where PyTorch puts them, and nothing elsewhere."""
    canvas = page.locator(".gu-map")
    settled = "([c, layer, seed]) => c.dataset.layer === layer && c.dataset.seed === seed"
    page.wait_for_function(settled, arg=[canvas.element_handle(), str(layer), str(seed)])
    picture = rgba(canvas)
    side = len(picture)
    painted = (picture[..., 3] > 120) & (np.ptp(picture[..., :3], axis=2) > 25)  # in colour
    state = flow_states(made.flow, seed)[layer].numpy()
    places = np.stack([LIMIT - state[:, 1], state[:, 0] + LIMIT], 1) / (2 * LIMIT) * side
    inside = places[((places > 4) & (places < side - 4)).all(1)]
    assert len(inside) > 900
    rows, columns = inside.astype(int).T
    assert painted[rows, columns].all()
    if not behind:  # every painted pixel has a point near it
        found = np.argwhere(painted) + 0.5
        away = torch.cdist(torch.tensor(found), torch.tensor(places).double()).amin(1)
        assert away.max() < 3.5
    slider = page.get_by_role("slider")
    assert (slider.input_value(), page.evaluate("model.get('layer')")) == (str(layer), layer)


def test_every_layer_shows_what_pytorch_computes(flow, made):
    check_layer(flow, made, 0, 0)
    slider = flow.get_by_role("slider")
    for layer in (1, 2, 3):
        slider.press("ArrowRight")
        check_layer(flow, made, layer, 0)
        assert flow.locator(".gu-hint").inner_text() == f"After {layer} of 3 couplings."
    slider.press("End")
    check_layer(flow, made, 4, 0, behind=True)
    assert like(rgba(flow.locator(".gu-map")), "data", 1).sum() == 0  # the data behind are faint
    flow.get_by_role("button", name="New noise").click()
    check_layer(flow, made, 4, 1, behind=True)
    flow.evaluate("model.set('layer', 1)")  # as Python would
    check_layer(flow, made, 1, 1)


def test_colours_stay_with_the_points(flow, made):
    """After the first coupling, the points of one hue are those that began in its sector."""
    flow.get_by_role("slider").press("ArrowRight")
    check_layer(flow, made, 1, 0)
    picture = rgba(flow.locator(".gu-map"))
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in flow.evaluate("model.get('palette')")])
    z, state = flow_states(made.flow, 0)[:2].numpy()
    alone = torch.cdist(torch.tensor(state), torch.tensor(state)).topk(2, largest=False).values[:, 1] > 0.15
    angle = np.arctan2(z[:, 1], z[:, 0]) % (2 * np.pi)
    checked = 0
    for i in np.flatnonzero(alone):
        row, column = ((LIMIT - state[i, 1]) / 8, (state[i, 0] + LIMIT) / 8)
        if max(row, column) > 0.98 or min(row, column) < 0.02:
            continue
        found = picture[int(row * len(picture)), int(column * len(picture)), :3]
        assert np.abs(palette - found).sum(1).argmin() == int(angle[i] / (2 * np.pi) * 24)
        checked += 1
    assert checked > 20


def test_play_walks_to_the_last_layer_and_stops(flow, made):
    flow.get_by_role("button", name="Play").click()
    assert flow.get_by_role("button", name="Stop").count() == 1
    seen = flow.evaluate("""async () => {
        const seen = [];
        model.on("change:layer", () => seen.push(model.get("layer")));
        const plays = () => document.querySelector(".gu-buttons").innerText.includes("Stop");
        while (plays()) await new Promise(requestAnimationFrame);
        return seen;
    }""")
    assert seen == [1, 2, 3, 4]
    check_layer(flow, made, 4, 0, behind=True)
    flow.get_by_role("button", name="Play").click()  # from the beginning
    flow.wait_for_function("model.get('layer') === 1")
    flow.get_by_role("button", name="Stop").click()
    assert still(flow, "model.get('layer')", frames=120) == 1
    check_layer(flow, made, 1, 0)


def test_who_prefers_no_motion_sees_none(browser, origin, made):
    with watched(browser, origin, viewport=COLUMN, reduced_motion="reduce") as page:
        page.goto("/flow.html")
        page.wait_for_selector(".gu-live")
        page.get_by_role("slider").press("ArrowRight")
        assert page.locator(".gu-map").get_attribute("data-layer") == "1"
        check_layer(page, made, 1, 0)


# ---- Completions ------------------------------------------------------------------------------------------------


def check_completion(page, made, x, rows, seed):
    """Wait for the completions; then they must be those of `MADE.complete`, bit for bit, and be painted."""
    done = page.locator(".gu-completions")
    settled = "([e, shown]) => e.dataset.shown === JSON.stringify(shown)"
    page.wait_for_function(settled, arg=[done.element_handle(), {"rows": rows, "seed": seed}])
    found = np.array(list(done.get_attribute("data-images")), int).reshape(B, 1, 28, 28)
    expected = completed(made.made, x, rows, seed)
    np.testing.assert_array_equal(found, expected)
    for canvas, image in zip(done.locator("canvas").all(), expected[:, 0].bool().numpy(), strict=True):
        picture = rgba(canvas)
        np.testing.assert_array_equal(like(picture, "data", 3), image & (np.arange(28)[:, None] < rows))
        np.testing.assert_array_equal(like(picture, "model", 3), image & (np.arange(28)[:, None] >= rows))
        assert (picture[~image] == 255).all()


def test_completions_are_made_s_bit_for_bit(completion, made):
    first = binary(made.images[0])
    check_completion(completion, made, first, 14, 0)
    again = completion.get_by_role("button", name="Complete")
    again.click()
    check_completion(completion, made, first, 14, 1)
    completion.get_by_role("button", name="An example").click()
    completion.get_by_text("The model is given 14 of 28 rows.").wait_for()
    again.press("Enter")
    check_completion(completion, made, binary(made.images[1]), 14, 2)
    slider = completion.get_by_role("slider", name="Rows that are kept")
    for key, rows, seed in [("Home", 1, 3), ("End", 27, 4)]:
        slider.press(key)
        again.click()
        check_completion(completion, made, binary(made.images[1]), rows, seed)


def test_a_drawing_is_completed_and_what_is_hidden_is_shown_faint(completion, made):
    check_completion(completion, made, binary(made.images[0]), 14, 0)
    completion.get_by_role("button", name="Clear").click()
    completion.get_by_text("Nothing is drawn.").wait_for()
    box = completion.locator(".gu-ink").bounding_box()
    completion.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.15 * box["height"])
    completion.mouse.down()
    for step in range(1, 8):
        completion.mouse.move(
            box["x"] + (0.5 - 0.02 * step) * box["width"], box["y"] + (0.15 + 0.1 * step) * box["height"]
        )
    completion.mouse.up()
    still(completion, "document.querySelector('.gu-ink').toDataURL()")
    ink = completion.evaluate("""() => {
        const copy = new OffscreenCanvas(280, 280).getContext("2d");
        copy.drawImage(document.querySelector(".gu-ink"), 0, 0);
        return [...copy.getImageData(0, 0, 280, 280).data.filter((_, i) => i % 4 === 0)];
    }""")
    x = (prepare(1 - torch.tensor(ink).view(1, 1, 280, 280) / 255) > 0.5).float()
    picture, image = rgba(completion.locator(".gu-given canvas")), x[0, 0].bool().numpy()
    kept = np.arange(28)[:, None] < 14
    np.testing.assert_array_equal(like(picture, "data", 3), image & kept)
    np.testing.assert_array_equal((picture[..., :3] == 0xD0).all(-1), image & ~kept)
    assert (image & kept).any()
    assert (image & ~kept).any()
    completion.get_by_role("button", name="Complete").click()
    check_completion(completion, made, x, 14, 1)


def test_a_change_in_the_midst_of_a_completion_ends_it(completion, made):
    x = binary(made.images[0])
    check_completion(completion, made, x, 14, 0)
    completion.evaluate("model.set('seed', 1); model.set('rows', 9)")
    shown = still(completion, "document.querySelector('.gu-completions').dataset.shown", frames=60)
    assert json.loads(shown) == {"rows": 14, "seed": 0}
    for canvas in completion.locator(".gu-completions canvas").all():
        assert not like(rgba(canvas), "model").any()
    assert completion.locator(".gu-cut").first.evaluate("e => e.style.top") == f"{100 * 9 / 28:.4f}%"
    completion.evaluate("model.set('seed', 7); model.set('seed', 8)")
    check_completion(completion, made, x, 9, 8)


# ---- For every reader -------------------------------------------------------------------------------------------
