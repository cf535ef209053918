"""The widgets of the chapter on density estimation: their state, what they compute, their refusals."""

import math
from functools import cache
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from scipy.stats import norm
from sklearn.neighbors import KernelDensity
from widget_page import assert_lean_state

from gen_utils import data
from gen_utils.models.flows import CouplingFlow
from gen_utils.models.made import MADE
from gen_utils.page import export, widgets
from gen_utils.page.graphs.density import density_pad
from gen_utils.page.graphs.drawing import prepare
from gen_utils.page.graphs.made import draw_in_rounds
from gen_utils.page.widgets import flow_layers

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
S, B, LIMIT = 280, 4, 4.0
DATA = torch.randn(300, 2, generator=torch.Generator().manual_seed(1)).mul(1.2)
TRAIN = torch.tensor([-1.5, -1.25, -1.0, -0.9, 0.31, 1.5, 1.62, 2.0])
HELD_OUT = torch.tensor([-1.31, -1.12, 1.2, 1.75])


@cache  # for the browser's tests too
def exported():
    """The graphs that the chapter would export, of untrained models that are no identities."""
    torch.manual_seed(0)
    flow = CouplingFlow(couplings=3, hidden_dims=(16,)).requires_grad_(False)
    flow.start_from(DATA + torch.tensor([0.5, -0.3]))
    for coupling in flow.couplings:
        coupling.own.normal_(0, 0.5)
        coupling.net[-1].weight.mul_(2)
    made = MADE(hidden_dims=(32,)).requires_grad_(False)
    images = data.mnist().test[:4]
    made.start_from(images)
    made.direct.weight.normal_(0, 0.02)
    places, blank = torch.linspace(-3, 3, 64), torch.zeros(B, 1, 28, 28)
    points = {"train": places, "train_weight": torch.ones(64), "held_out": places, "held_out_weight": torch.ones(64)}
    points |= {"bandwidth": torch.ones(1), "grid": torch.linspace(-LIMIT, LIMIT, 241)}
    z = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    ink = torch.zeros(1, 1, S, S)
    return SimpleNamespace(
        flow=flow,
        made=made,
        images=images,
        fit=export.export(density_pad, points, ["density", "train_score", "held_out_score"], "00_pad"),
        path=export.export(lambda z: torch.stack([*flow.decode_path(z)]), {"z": z}, ["states"], "00_path"),
        step=export.export(
            draw_in_rounds(made), dict.fromkeys(["x", "u", "chosen"], blank), ["x_next", "p"], "00_step"
        ),
        prepare=export.export(lambda ink: (prepare(ink) > 0.5).float(), {"ink": ink}, ["x"], "00_prepare"),
        grey=export.export(prepare, {"ink": ink}, ["x"], "00_grey"),
    )


@pytest.fixture(scope="module")
def made():
    return exported()


def make_density(made):
    return widgets.DensityPad(made.fit, TRAIN, HELD_OUT, 0.3, LIMIT)


def make_flow(made):
    return widgets.FlowLayers(made.path, DATA, LIMIT)


def make_completion(made):
    return widgets.Completion(made.step, made.prepare, made.images)


MAKE = {"density": make_density, "flow": make_flow, "completion": make_completion}


# ---- What they compute, by others -------------------------------------------------------------------------------


def log_densities(x, train, h):
    """KDE by scikit-learn, histogram by numpy, Gaussian by scipy: log p at x, `(3, len(x))`."""
    train, x = np.asarray(train, float), np.asarray(x, float)
    kde = KernelDensity(bandwidth=h, leaf_size=len(train)).fit(train[:, None]).score_samples(x[:, None])
    ends = np.arange(-300, 301) * math.sqrt(12) * h
    heights, _ = np.histogram(train, ends, density=True)
    with np.errstate(divide="ignore"):
        histogram = np.log(heights[np.searchsorted(ends, x, side="right") - 1])
    return np.stack([kde, histogram, norm(train.mean(), train.std()).logpdf(x)])


def scores(train, held_out, h):
    """Mean log-likelihoods of the training and then of the held-out points, `(6,)`."""
    return np.concatenate([log_densities(x, train, h).mean(1) for x in (train, held_out)])


def flow_states(flow, seed):
    z = torch.from_numpy(widgets.Noise(seed).normal(2000)).view(1000, 2)
    return torch.stack([*flow.decode_path(z)])


def completed(made, x, rows, seed):
    """What `MADE.complete`, which draws one pixel after the other, makes of the page's own noise."""
    noise = widgets.Noise(seed)
    u = torch.tensor([noise.uniform() for _ in range(784 * B)], dtype=torch.float32).view(B, 784)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", lambda *_, **__: u)
        return made.complete(x.expand(B, -1, -1, -1), 28 * rows)


def binary(image):
    """An example as the pad shows it and `prepare` makes it, black and white."""
    return (prepare(image[None].repeat_interleave(10, 2).repeat_interleave(10, 3)) > 0.5).float()


# ---- The state --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKE)
def test_the_state_holds_names_and_digests_and_no_weights(made, name):
    assert_lean_state(MAKE[name](made), 60_000)


def test_the_state_is_what_they_were_given(made):
    state = make_density(made).get_state(["train", "held_out", "bandwidth", "limit", "most", "grid"])
    lists = {
        name: [pytest.approx(v) for v in values.tolist()]
        for name, values in (("train", TRAIN), ("held_out", HELD_OUT))
    }
    assert state == {**lists, "bandwidth": 0.3, "limit": LIMIT, "most": 64, "grid": 241}
    state = make_flow(made).get_state(["data", "limit", "layers", "layer", "seed", "draws"])
    np.testing.assert_allclose(state.pop("data"), DATA, atol=0.00501)
    assert state == {"limit": LIMIT, "layers": 5, "layer": 0, "seed": 0, "draws": 1000}
    state = make_completion(made).get_state(["batch", "rows", "seed", "example"])
    assert state == {"batch": B, "rows": 14, "seed": 0, "example": 0}


# ---- The numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("h", [0.02, 0.3, 2.0])
def test_the_pad_s_fit_is_theirs(made, h):
    widget = make_density(made)
    widget.bandwidth = h
    found = widget.fit()
    grid = np.linspace(-LIMIT, LIMIT, 241, dtype=np.float32)
    edge = np.abs(grid / math.sqrt(12) / h - np.round(grid / math.sqrt(12) / h)) < 1e-5
    expected = np.exp(log_densities(grid, TRAIN, h))
    np.testing.assert_allclose(found["density"][:, ~edge], expected[:, ~edge], rtol=1e-4, atol=1e-6)
    both = np.concatenate([found["train_score"], found["held_out_score"]])
    np.testing.assert_allclose(both, scores(TRAIN, HELD_OUT, h), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 5])
def test_the_states_are_the_flow_s_for_the_noise_of_the_seed(made, seed):
    widget = make_flow(made)
    widget.seed = seed
    np.testing.assert_allclose(widget.states(), flow_states(made.flow, seed), atol=1e-4)


def test_colours_go_once_round_the_circle():
    colours = np.array([to_rgb(colour) for colour in flow_layers.hues(24)])
    steps = np.linalg.norm(colours - np.roll(colours, 1, axis=0), axis=1)
    assert 0.02 < steps.min() < steps.max() < 0.35  # neighbours differ, and no jump, at the end neither
    grey = colours @ [0.2126, 0.7152, 0.0722]
    assert 0.2 < grey.min() < grey.max() < 0.8  # seen on light and on dark ground
    angle = np.deg2rad([1, 16, 179, 181, 359])
    np.testing.assert_array_equal(flow_layers.sector(np.cos(angle), np.sin(angle)), [0, 1, 11, 12, 23])


@pytest.mark.parametrize(("rows", "seed", "example"), [(14, 0, 0), (1, 3, 1), (27, 1, 2), (9, 8, 3)])
def test_completions_are_made_s_bit_for_bit(made, rows, seed, example):
    widget = make_completion(made)
    widget.rows, widget.seed, widget.example = rows, seed, example
    x = binary(made.images[example])
    np.testing.assert_array_equal(widget.prepared(), x)
    found = widget.complete(x.numpy())
    np.testing.assert_array_equal(found, completed(made.made, x, rows, seed))
    np.testing.assert_array_equal(found[:, :, :rows], x[:, :, :rows].expand(B, -1, -1, -1))
    assert len(np.unique(found, axis=0)) == B or rows == 27


# ---- Bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"train": [0.0]}, TypeError, "train: expected a float tensor .* got list"),
        ({"train": torch.zeros(2, 1)}, ValueError, r"train: expected .* got shape \(2, 1\)"),
        ({"held_out": torch.zeros(0)}, ValueError, r"held_out: expected .* got shape \(0,\)"),
        ({"held_out": torch.tensor([4.5])}, ValueError, r"held_out: expected values in \[-4, 4\], got \[4.5, 4.5\]"),
        ({"train": torch.zeros(65)}, ValueError, "train: expected at most 64 points, got 65"),
        ({"bandwidth": 0.01}, ValueError, "bandwidth: expected 0.02 to 2.0, got 0.01"),
        ({"bandwidth": math.nan}, ValueError, "bandwidth: expected 0.02 to 2.0, got nan"),
        ({"limit": 0.0}, ValueError, "limit: expected a positive number, got 0.0"),
    ],
)
def test_the_pad_refuses_what_does_not_fit(made, changed, error, message):
    given = {"train": TRAIN, "held_out": HELD_OUT, "bandwidth": 0.3, "limit": LIMIT}
    with pytest.raises(error, match=message):
        widgets.DensityPad(made.fit, **(given | changed))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"data": DATA.numpy()}, TypeError, "data: expected a float tensor .* got ndarray"),
        ({"data": DATA[:, :1]}, ValueError, r"data: expected .* got shape \(300, 1\)"),
        ({"limit": math.inf}, ValueError, "limit: expected a positive number, got inf"),
        ({"path": "step"}, ValueError, r"00_step.onnx: expected inputs of shapes .* got {'z': \(1000, 2\)}"),
    ],
)
def test_the_layers_refuse_what_does_not_fit(made, changed, error, message):
    given = {"path": made.path, "data": DATA, "limit": LIMIT} | changed
    given["path"] = getattr(made, given["path"]) if isinstance(given["path"], str) else given["path"]
    with pytest.raises(error, match=message):
        widgets.FlowLayers(**given)


def test_the_layers_refuse_a_graph_of_one_state(made):
    z = torch.zeros(1000, 2)
    lone = export.export(lambda z: (z + 1)[None], {"z": z}, ["states"], "00_lone")
    with pytest.raises(ValueError, match=r"path: expected states of shape \(S, 1000, 2\).* got \(1, 1000, 2\)"):
        widgets.FlowLayers(lone, DATA, LIMIT)


def test_completion_refuses_what_does_not_fit(made):
    with pytest.raises(
        ValueError, match=r"00_prepare.onnx: expected inputs of shapes .* got {'ink': \(1, 1, 280, 280\)}"
    ):
        widgets.Completion(made.prepare, made.prepare, made.images)
    with pytest.raises(TypeError, match="examples: expected a float tensor"):
        widgets.Completion(made.step, made.prepare, made.images.numpy())
    with pytest.raises(ValueError, match="pixels of 0 or 1, got grey ones"):
        widgets.Completion(made.step, made.grey, made.images)
