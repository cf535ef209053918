"""The Turing test in a real browser, on pages of its own, against PyTorch."""

import math
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

import pytest
import torch
from conftest import watched
from scipy import stats
from test_browser import pixels
from test_widgets_turing import exported, make, shown, source
from widget_page import COLUMN, opened, served

from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.made import MADE
from gen_utils.models.unet import UNet
from gen_utils.page.export import round_to_half
from gen_utils.page.graphs import turing_test as graphs
from gen_utils.page.graphs.made import draw_by_pixels
from gen_utils.page.widgets import TuringTest
from gen_utils.plots import COLOURS

pytestmark = pytest.mark.slow

FIRST = {"sought": "real", "other": "VAE", "pixels": "grey", "seed": 1}
NAMES = {"grey": "grey", "binary": "black and white"}


def slow_families():
    """The course's own architectures that take longest, before any training: they draw as slowly as after it."""
    unet, made = (model.eval().requires_grad_(False) for model in (ImageDiffusion(UNet()), MADE()))
    round_to_half(unet)
    round_to_half(made)
    u, given = torch.full((16, 1, 28, 28), 0.5), {"turn": torch.eye(20)[3], "u_label": torch.full((16,), 0.5)}
    return {
        "diffusion": source(
            graphs.diffusion(unet, 20),
            {"x": torch.zeros_like(u), **given, "u": u},
            ["x_next", "grey", "binary"],
            "slow_diffusion",
        ),
        "MADE": source(draw_by_pixels(made), {"u": u}, ["binary"], "slow_made"),
    }


@pytest.fixture(scope="module")
def made():
    made = exported()
    made.slow = TuringTest(made.graphs["real"], slow_families())
    return made


@pytest.fixture(scope="module")
def origin(made, tmp_path_factory):
    shown = {"small": make(made), "slow": made.slow}
    with served(tmp_path_factory.mktemp("pages"), shown) as origin:
        yield origin


@pytest.fixture
def page(browser, origin):
    yield from opened(browser, origin, "small")


@pytest.fixture
def slow(browser, origin):
    yield from opened(browser, origin, "slow")


def press(page, name):
    return page.get_by_role("button", name=name, exact=True)


def use(button, number):
    """By mouse, finger or keys."""
    [button.click, button.tap, partial(button.press, "Enter"), partial(button.press, "Space")][number % 4]()


def source_select(page, which):
    return page.get_by_role(
        "combobox", name={"sought": "The source to be found", "other": "The source beside it"}[which]
    )


def settle(page, expected):
    """Wait until a round of just these settings is shown."""
    page.wait_for_function(
        """expected => {
            const shown = JSON.parse(document.querySelector("canvas").dataset.shown ?? "{}");
            return Object.keys(expected).every((name) => shown[name] === expected[name]);
        }""",
        arg=expected,
    )


def check_pictures(page, made, now):
    """Both grids must be of these settings; returns the names of the sides."""
    sides = shown(made, now["seed"], now["sought"], now["other"], now["pixels"])
    for canvas, (_, images) in zip(page.locator("canvas").all(), sides, strict=True):
        found = pixels(canvas).view(4, 28, 4, 28).transpose(1, 2).reshape(16, 1, 28, 28)
        assert ((found - images).abs() > 0.6 / 255).float().mean() < 1e-4
    return [name for name, _ in sides]


def caption(name, now):
    return "VAE (means)" if name == "VAE" and now["pixels"] == "grey" and "MADE" not in now.values() else name


def check_open(page, made, now):
    """A round of these settings waits for a guess, and hides which side is which; the names of the sides."""
    settle(page, now)
    sides = check_pictures(page, made, now)
    kind = "binary" if "MADE" in now.values() else now["pixels"]
    assert page.locator(".gu-caption").all_inner_texts() == ["?", "?"]
    labels = page.locator("canvas").evaluate_all("all => all.map((c) => c.ariaLabel)")
    assert labels == ["Left grid, 16 images", "Right grid, 16 images"]
    assert page.locator("p[role=status]").inner_text().startswith(f"Both sides in {NAMES[kind]}")
    assert [source_select(page, which).input_value() for which in ("sought", "other")] == [
        now["sought"],
        now["other"],
    ]
    assert page.locator("button[aria-pressed=true]").all_inner_texts() == [NAMES[kind]]
    assert press(page, "grey").get_attribute("aria-disabled") == str("MADE" in now.values()).lower()
    assert closed(page) == {"Left": "false", "Right": "false", "Tell": "false"}
    return sides


def check_revealed(page, now, sides, verdict, score=""):
    """The sides are revealed, by words and colours, and no further guess is taken."""
    named = [caption(name, now) for name in sides]
    message = page.locator("p[role=status]").inner_text()
    assert message == f"{verdict} Left is {named[0]}, right is {named[1]}.{score}"
    assert page.locator(".gu-caption").all_inner_texts() == named
    labels = page.locator("canvas").evaluate_all("all => all.map((c) => c.ariaLabel)")
    assert labels == [f"{side} grid, 16 images: {name}" for side, name in zip(("Left", "Right"), named, strict=True)]
    for canvas, name in zip(page.locator("canvas").all(), sides, strict=True):
        rgb = canvas.evaluate("c => getComputedStyle(c).borderColor.match(/[0-9]+/g).map(Number)")
        hexadecimal = COLOURS["data" if name == "real" else "model"]
        assert rgb == [int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]
    assert closed(page) == {"Left": "true", "Right": "true", "Tell": "true"}
    for button in page.locator("button[aria-disabled=true]:not([aria-pressed])").all():
        button.dispatch_event("click")
    assert page.locator("p[role=status]").inner_text() == message


def closed(page):
    """Which of the buttons that end a round are closed."""
    found = page.locator("button").evaluate_all("all => all.map((b) => [b.textContent, b.ariaDisabled])")
    return {text.split()[0]: closed for text, closed in found if text.startswith(("Left", "Right", "Tell"))}


def shown_chance(right, asked):
    """Two digits of what the table holds, rounded as JavaScript does."""
    p = float(f"{stats.binom.sf(right - 1, asked, 0.5):.3g}")
    return str(Decimal(p).quantize(Decimal(1).scaleb(math.floor(math.log10(p)) - 1), ROUND_HALF_UP))


def shown_score(right, asked):
    p = shown_chance(right, asked)
    return f" Right so far: {right} of {asked}. Tossing coins does as well or better with probability {p}."


def table(page):
    return [row.inner_text().split("\t") for row in page.locator("tbody tr").all()]


# ---- Rounds ----------------------------------------------------------------------------------------------------


def test_rounds_are_played_by_mouse_finger_and_keys_and_the_score_is_right(page, made, draws):
    assert page.locator(".gu-live").get_attribute("data-backend") == "browser"
    assert not page.locator("table").is_visible()
    now, right, wheres = dict(FIRST), 0, []
    for asked in range(1, 6):
        sides = check_open(page, made, now)
        wheres.append(sides.index("real"))
        guess = draws.randrange(2)
        button = press(page, ["Left is real", "Right is real"][guess])
        use(button, asked)
        right += sides[guess] == "real"
        score = shown_score(right, asked)
        check_revealed(page, now, sides, "Right!" if sides[guess] == "real" else "Wrong.", score)
        assert table(page) == [["real or VAE, grey", f"{right} of {asked}", shown_chance(right, asked)]]
        assert page.evaluate("model.get('scores')") == {"real or VAE, grey": [right, asked]}
        use(press(page, "New round"), asked)
        now["seed"] += 1
    assert set(wheres) == {0, 1}


def test_a_round_that_is_revealed_is_not_scored(page, made):
    sides = check_open(page, made, FIRST)
    press(page, "Tell me").click()
    check_revealed(page, FIRST, sides, "Not counted.")
    assert page.evaluate("model.get('scores')") == {}
    assert not page.locator("table").is_visible()


def test_sources_and_pixels_are_chosen_and_each_pair_has_its_score(page, made):
    now = dict(FIRST)
    played = {}

    def choose(act, **change):
        act()
        now.update(change, seed=now["seed"] + 1)
        sides = check_open(page, made, now)
        press(page, f"Left is {now['sought']}").click()
        won = sides[0] == now["sought"]
        pair = sorted((now["sought"], now["other"]), key=lambda name: (name != "real", name))
        kind = NAMES["binary" if "MADE" in pair else now["pixels"]]
        right, asked = played.get(name := f"{' or '.join(pair)}, {kind}", (0, 0))
        right, asked = played[name] = right + won, asked + 1
        score = shown_score(right, asked)
        check_revealed(page, now, sides, "Right!" if won else "Wrong.", score)
        assert table(page) == [
            [name, f"{right} of {asked}", shown_chance(right, asked)]
            for name, (right, asked) in sorted(played.items())
        ]

    sought, other = (source_select(page, which) for which in ("sought", "other"))
    choose(lambda: other.select_option("GAN"), other="GAN")
    choose(press(page, "black and white").click, pixels="binary")
    choose(lambda: other.select_option("MADE"), other="MADE")
    press(page, "grey").click(force=True)
    assert page.locator("p[role=status]").inner_text() == "MADE draws black and white pixels only."
    choose(lambda: sought.select_option("diffusion"), sought="diffusion")
    choose(lambda: other.select_option("diffusion"), sought="MADE", other="diffusion")  # exchanged
    choose(lambda: sought.select_option("VAE"), sought="VAE")
    choose(press(page, "grey").tap, pixels="grey")
    choose(lambda: other.select_option("real"), other="real")
    choose(lambda: sought.select_option("real"), sought="real", other="VAE")
    assert len(played) == 7
    press(page, "Clear scores").click()
    assert not page.locator("table").is_visible()
    assert page.evaluate("model.get('scores')") == {}
    page.evaluate("model.set('other', 'GAN')")  # as Python would
    check_open(page, made, now | {"other": "GAN"})
    page.evaluate("model.set('scores', {'real or GAN, grey': [60, 100]})")
    assert table(page) == [["real or GAN, grey", "60 of 100", "…"]]


def test_only_the_last_of_many_changes_is_drawn_and_none_is_guessed_meanwhile(page, made):
    check_open(page, made, FIRST)
    page.evaluate("""() => {
        const canvas = document.querySelector("canvas");
        globalThis.message = [];
        const note = () => message.push(JSON.parse(canvas.dataset.shown).seed);
        new MutationObserver(note).observe(canvas, { attributeFilter: ["data-shown"] });
        [5, 9, 2, 7].forEach((seed) => model.set("seed", seed));
        [...document.querySelectorAll(".gu-guess")].forEach((button) => button.click());
    }""")
    assert page.evaluate("model.get('scores')") == {}
    check_open(page, made, FIRST | {"seed": 7})
    assert page.evaluate("message") == [7]


def test_both_sides_appear_at_once(slow):
    slow.evaluate("""() => {
        const all = [...document.querySelectorAll("canvas")];
        const before = all.map((c) => c.toDataURL());
        globalThis.halves = 0;
        const look = () => {
            const changed = all.filter((c, i) => c.toDataURL() !== before[i]).length;
            halves += changed === 1;
            if (changed < 2) requestAnimationFrame(look);
            else globalThis.done = true;
        };
        look();
        model.set("other", "MADE");
        model.set("seed", 2);
    }""")
    slow.wait_for_function("globalThis.done")
    assert slow.evaluate("halves") == 0


# ---- For every reader ------------------------------------------------------------------------------------------


def test_a_source_is_loaded_when_it_is_chosen_and_its_failure_is_reported(browser, origin, made):
    asked = []
    with watched(browser, origin, viewport=COLUMN, troubles=(troubles := [])) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/small.html")
        page.wait_for_selector(".gu-live")
        models = lambda: [url.partition("?")[0].rpartition("turing_")[2] for url in asked if ".onnx" in url]  # noqa: E731
        assert models() == ["real.onnx", "vae.onnx"]
        page.route("**/00_turing_gan.onnx*", lambda route: route.fulfill(status=404))
        source_select(page, "other").select_option("GAN")
        page.get_by_text("could not be drawn").wait_for()
        page.unroute("**/00_turing_gan.onnx*")
        press(page, "New round").click()
        check_open(page, made, FIRST | {"other": "GAN", "seed": 3})
    assert len(models()) == 4
    assert not any("uncaught" in trouble for trouble in troubles)


def test_the_keyboard_plays_a_round_and_shows_where_it_is(page, made):
    sides = check_open(page, made, FIRST)
    controls = page.locator("button, select")
    names = controls.evaluate_all("all => all.map(e => e.ariaLabel ?? e.textContent)")
    assert len(set(names)) == len(names) == 9
    controls.first.focus()
    for name in names:
        looks = "document.activeElement.ariaLabel ?? document.activeElement.textContent"
        assert page.evaluate(looks) == name
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        if name == "Left is real":
            page.keyboard.press("Enter")
            message = "Right!" if sides[0] == "real" else "Wrong."
            assert page.locator("p[role=status]").inner_text().startswith(message)
            assert page.evaluate(looks) == name  # the focus stays
        page.keyboard.press("Tab")
