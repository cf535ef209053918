"""The diffusion sampler and the noisy drawing: their steps, their state, their refusals."""

from functools import cache, partial
from itertools import islice
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import nn
from widget_page import assert_lean_state

from gen_utils import data
from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.samplers import ddim, ddim_step
from gen_utils.models.schedule import q_sample
from gen_utils.page import export
from gen_utils.page.graphs.diffusion import image_noise, image_step
from gen_utils.page.graphs.drawing import prepare
from gen_utils.page.noise import Noise
from gen_utils.page.widgets import base
from gen_utils.page.widgets.diffusion_sampler import INPUTS, OUTPUTS, DiffusionSampler
from gen_utils.page.widgets.noisy_drawing import NOISE_INPUTS, NOISE_OUTPUTS, NoisyDrawing

pytestmark = pytest.mark.slow  # exporting its graphs takes half a minute

mpl.use("agg")
DIGITS, NONE = [str(digit) for digit in range(10)], 10
GARMENTS = ["Trouser", "Ankle boot", "Bag"]


class Convolutions(nn.Module):
    """A small network of random weights that answers to the state, its noise and its label."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.inner = nn.Conv2d(1, 8, 5, padding=2)
            self.outer = nn.Conv2d(8, 2, 5, padding=2)
            self.label = nn.Embedding(NONE + 1, 8)

    def forward(self, x_t, log_snr, y):
        cond = self.label(y) + (log_snr / 8).tanh()[:, None]
        return 3 * self.outer(torch.tanh(2 * self.inner(x_t) + cond[..., None, None]))


class Recall(nn.Module):
    """The exact denoiser of an even mixture of images, all or those of one label: what a network aims at."""

    def __init__(self, images, labels):
        super().__init__()
        self.register_buffer("images", 2 * images.flatten(1) - 1)
        self.register_buffer("allowed", torch.cat([labels == torch.arange(NONE)[:, None], labels[None] >= 0]))

    def forward(self, x_t, log_snr, y):
        signal, spread = (sign * log_snr[:, None] for sign in (1, -1))
        signal, spread = signal.sigmoid().sqrt(), spread.sigmoid().sqrt()
        x = x_t.flatten(1)
        distance = (x * x).sum(1, True) - 2 * signal * x @ self.images.T + signal**2 * (self.images**2).sum(1)
        weights = torch.where(self.allowed[y], -distance / (2 * spread**2), -torch.inf).softmax(1)
        v = (signal * x - weights @ self.images) / spread
        return torch.stack([v, torch.zeros_like(v)], 1).unflatten(2, (28, 28))


def recalled():
    """The images that `Recall` knows, two of each label, `(20, 1, 28, 28)`, and their labels."""
    mnist = data.mnist()
    chosen = torch.cat([torch.nonzero(mnist.test_labels == digit)[:2, 0] for digit in range(10)])
    return mnist.test[chosen], mnist.test_labels[chosen]


def examples(n):
    """Boxes of 8-bit grey, 20 pixels high, whose middle lies in MNIST's: `(n, 1, 28, 28)`."""
    images = torch.zeros(n, 1, 28, 28)
    for i in range(n):
        grey = torch.randint(64, 256, (20, 16 - 2 * i), generator=torch.Generator().manual_seed(i)) / 255
        images[i, 0, 4:24, 6 : 22 - 2 * i] = grey
    return images


IMAGES = examples(3)


def step_graph(model, name):
    """The step of a model as a graph."""
    given = {key: torch.zeros(shape) for key, shape in INPUTS.items()}
    given |= {key: torch.full((1,), value) for key, value in [("i", 3.0), ("steps", 7.0), ("guidance", 2.0)]}
    return export.export(partial(image_step, model), given, list(OUTPUTS), name)


def noise_graph(model, name):
    """The noising of a model as a graph."""
    given = {key: torch.zeros(shape) for key, shape in NOISE_INPUTS.items()}
    given |= {"i": torch.full((1,), 3.0), "steps": torch.full((1,), 7.0)}
    return export.export(partial(image_noise, model), given, list(NOISE_OUTPUTS), name)


@cache  # for the browser's tests too
def exported():
    """A model of random weights and one that recalls images, and the graphs of them."""
    models = {"convolutions": ImageDiffusion(Convolutions()), "recall": ImageDiffusion(Recall(*recalled()))}
    models = {name: model.eval().requires_grad_(False) for name, model in models.items()}
    return SimpleNamespace(
        models=models,
        step={name: step_graph(model, f"00_step_{name}") for name, model in models.items()},
        noise={name: noise_graph(model, f"00_noise_{name}") for name, model in models.items()},
        prepare=export.export(prepare, {"ink": torch.zeros(1, 1, 280, 280)}, ["x"], "00_prepare"),
    )


@pytest.fixture(scope="module")
def made():
    return exported()


def make_sampler(made, **chosen):
    return DiffusionSampler(made.step["convolutions"], DIGITS, **chosen)


def make_drawing(made, **chosen):
    return NoisyDrawing(made.noise["convolutions"], made.step["convolutions"], made.prepare, IMAGES, DIGITS, **chosen)


def make_recalling(made):
    images = recalled()[0][::2]
    return NoisyDrawing(made.noise["recall"], made.step["recall"], made.prepare, images, DIGITS)


def prepared(image):
    """An example, enlarged to a drawing and prepared, by PyTorch."""
    return prepare(torch.kron(image, torch.ones(10, 10))[None])


def normal(draws):
    return torch.from_numpy(draws.normal(784)).view(1, 1, 28, 28)


def picture(x):
    return ((x + 1) / 2).clamp(0, 1)


@torch.no_grad()
def descended(model, x, draws, start, steps, label, guidance, eta):
    """PyTorch's way from x down: pictures of all states and guesses, and their times."""
    schedule = model.schedule.strided(steps)
    found = {"picture": [], "guess": [], "time": []}
    for i in range(start, 0, -1):
        log_snr = schedule.log_snr[i].view(1)
        guided = partial(model.guided, y=torch.tensor([label]), guidance=guidance)
        x0_hat, _ = (model.predict if label == NONE else guided)(x, log_snr)
        for name, value in [("picture", picture(x)), ("guess", picture(x0_hat))]:
            found[name].append(value)
        found["time"].append(round(i * model.schedule.T / steps))
        x = ddim_step(x, x0_hat, schedule.alpha_bar[i], schedule.alpha_bar[i - 1], eta, normal(draws))
    found["time"].append(0)
    for name in ("picture", "guess"):
        found[name] = torch.cat([*found[name], picture(x)])
    return found


def drawn(made, seed, label, guidance, steps, eta):
    """The trajectory that these settings give, by PyTorch."""
    draws = Noise(seed)
    return descended(made.models["convolutions"], normal(draws), draws, steps, steps, label, guidance, eta)


def denoised(made, x, start, label, seed, guidance=1.5, name="convolutions"):
    """What x looks like noised to a step and denoised from there, by PyTorch."""
    model, draws = made.models[name], Noise(seed)
    x_t = q_sample(2 * x - 1, normal(draws), model.schedule.alpha_bar[50 * start])
    return picture(x_t), descended(model, x_t, draws, start, 20, label, guidance, 0.0)["picture"][-1:]


# ---- The steps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [7, 10, 1000])
def test_the_page_s_steps_are_ddim_s(made, steps):
    model, x = made.models["convolutions"], normal(Noise(1))
    predict = partial(model.guided, y=torch.tensor([4]), guidance=1.5)
    numbers = [torch.full((1,), float(value)) for value in (steps, 4, 1.5, 0)]
    with torch.no_grad():
        states = list(islice(ddim(predict, x, model.schedule.strided(steps)), 11))
        for i, expected in enumerate(states[1:]):
            left = torch.tensor([float(steps - i)])
            x, _, _, t = image_step(model, x, torch.zeros_like(x), left, *numbers)
            torch.testing.assert_close(x, expected, rtol=0, atol=1e-5)
            assert t == round((steps - i) * 1000 / steps)


SETTINGS = [
    (0, 3, 2.0, 10, 0.0),
    (1, NONE, 2.0, 10, 0.0),
    (2, 7, 0.5, 10, 1.0),
    (3, 0, 4.0, 5, 0.3),
    (4, 9, 1.0, 50, 0),
]


@pytest.mark.parametrize(("seed", "label", "guidance", "steps", "eta"), SETTINGS)
def test_a_trajectory_is_pytorch_s(made, seed, label, guidance, steps, eta):
    widget = make_sampler(made, label=label, guidance=guidance, steps=steps, eta=eta)
    widget.seed = seed
    found = widget.trajectory()
    expected = drawn(made, seed, label, guidance, steps, eta)
    assert found["time"].tolist() == expected["time"]
    assert len(expected["picture"]) == steps + 1
    for name in ("picture", "guess"):
        assert expected[name][-1].std() > 0.05  # there is something to see
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-5)


def test_every_setting_matters_and_guidance_only_with_a_label(made):
    def sample(**chosen):
        return torch.from_numpy(make_sampler(made, **({"label": 3, "steps": 5} | chosen)).trajectory()["picture"][-1])

    first = sample()
    for chosen in ({"label": 4}, {"guidance": 3.0}, {"steps": 10}, {"eta": 1.0}):
        assert (sample(**chosen) - first).abs().max() > 0.01
    free = sample(label=NONE)
    assert torch.equal(sample(label=NONE, guidance=8.0), free)
    torch.testing.assert_close(sample(guidance=0.0), free, rtol=0, atol=1e-5)
    assert (first - free).abs().max() > 0.01


def test_noise_is_added_as_q_sample_does(made):
    model, x, eps = made.models["convolutions"], IMAGES[:1], normal(Noise(3))
    for steps, i in [(20, 0), (20, 1), (20, 13), (20, 20), (7, 3)]:
        numbers = {"i": torch.tensor([float(i)]), "steps": torch.tensor([float(steps)])}
        alpha_bar_t = model.schedule.alpha_bar[round(1000 * i / steps)]
        expected = alpha_bar_t.sqrt() * (2 * x - 1) + (1 - alpha_bar_t).sqrt() * eps
        weights = torch.stack([alpha_bar_t, 1 - alpha_bar_t]).sqrt()
        outputs = expected, picture(expected), torch.tensor([float(round(1000 * i / steps))]), weights
        found = image_noise(model, x, eps, *numbers.values())
        graph = made.noise["convolutions"].run(
            x=x.numpy(), noise=eps.numpy(), **{k: v.numpy() for k, v in numbers.items()}
        )
        for name, value, value_found in zip(NOISE_OUTPUTS, outputs, found, strict=True):
            torch.testing.assert_close(value_found, value, rtol=0, atol=1e-6)
            np.testing.assert_allclose(graph[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("example", "start", "label", "seed"), [(0, 10, NONE, 0), (2, 1, 4, 5), (1, 20, NONE, 2)])
def test_a_drawing_is_noised_and_denoised_as_in_pytorch(made, example, start, label, seed):
    widget = make_drawing(made, label=label)
    widget.example, widget.start, widget.seed = example, start, seed
    np.testing.assert_allclose(widget.prepared(), x := prepared(IMAGES[example]), atol=1e-5)
    found = widget.denoise(x.numpy())
    noisy, expected = denoised(made, x, start, label, seed)
    np.testing.assert_allclose(found["noisy"], noisy, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["denoised"], expected, rtol=0, atol=1e-5)


def test_little_noise_keeps_the_drawing_and_much_makes_another(made):
    images, _ = recalled()
    widget = make_recalling(made)

    def answers(start):
        widget.start, found = start, []
        for widget.example in range(10):
            widget.seed += 1
            x = torch.from_numpy(widget.denoise(widget.prepared())["denoised"])
            found.append((x - images).square().flatten(1).mean(1).argmin().item() == 2 * widget.example)
        return sum(found)

    assert answers(2) == 10
    assert answers(20) <= 3  # chance: one in 20 is right
    widget.start, widget.label, widget.example = 20, 7, 0
    x = torch.from_numpy(widget.denoise(widget.prepared())["denoised"])
    assert (x - images).square().flatten(1).mean(1).argmin() in (14, 15)  # the sevens


# ---- The state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_sampler, make_drawing])
def test_the_state_holds_names_and_digests_and_no_weights(made, make):
    assert_lean_state(make(made), 60_000)


def test_the_state_is_what_the_widgets_were_given(made):
    names = ["classes", "choices", "label", "guidance", "steps", "eta", "seed"]
    given = {"label": NONE, "guidance": 2.5, "steps": 50, "eta": 0.5}
    assert make_sampler(made, **given).get_state(names) == {
        **given,
        "classes": DIGITS,
        "choices": [5, 10, 20, 50],
        "seed": 0,
    }
    widget = make_drawing(made)
    assert widget.get_state(["start", "label", "seed", "example"]) == {
        "start": 10,
        "label": NONE,
        "seed": 0,
        "example": 0,
    }
    assert widget.times == [*range(0, 1001, 50)]
    np.testing.assert_array_equal(base.images_from_text(widget.examples), IMAGES)


# ---- Bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"classes": []}, r"classes: expected names that are all different, got \[\]"),
        ({"classes": ["0", "1", "0"]}, "classes: expected names that are all different, got"),
        ({"label": 11}, r"label: expected 0…9, or 10 for none, got 11"),
        ({"label": -1}, "label: expected 0…9, or 10 for none, got -1"),
        ({"label": 0.5}, "label: expected 0…9, or 10 for none, got 0.5"),
        ({"guidance": 8.5}, r"guidance: expected a number in \[0, 8\], got 8.5"),
        ({"guidance": float("nan")}, r"guidance: expected a number in \[0, 8\], got nan"),
    ],
)
def test_choices_that_a_reader_could_not_make_are_refused(made, chosen, message):
    given = {"classes": DIGITS} | chosen
    with pytest.raises(ValueError, match=message):
        DiffusionSampler(made.step["convolutions"], **given)
    with pytest.raises(ValueError, match=message):
        NoisyDrawing(made.noise["convolutions"], made.step["convolutions"], made.prepare, IMAGES, **given)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"steps": 21}, r"steps: expected one of \[5, 10, 20, 50\], got 21"),
        ({"eta": 1.1}, r"eta: expected a number in \[0, 1\], got 1.1"),
        ({"eta": float("nan")}, r"eta: expected a number in \[0, 1\], got nan"),
    ],
)
def test_a_sampler_that_a_reader_could_not_choose_is_refused(made, chosen, message):
    with pytest.raises(ValueError, match=message):
        make_sampler(made, **chosen)


def test_graphs_that_do_not_fit_are_refused(made):
    step, noise = made.step["convolutions"], made.noise["convolutions"]
    with pytest.raises(ValueError, match=r"00_noise_.*: expected inputs of shapes .*'eta': \(1,\).* got {'x'"):
        DiffusionSampler(noise, DIGITS)
    with pytest.raises(ValueError, match=r"00_step_.*: expected inputs of shapes {'x'.* got .*'eta'"):
        NoisyDrawing(step, step, made.prepare, IMAGES, DIGITS)
    with pytest.raises(ValueError, match=r"00_noise_.*: expected inputs of shapes .*'eta': \(1,\).* got {'x'"):
        NoisyDrawing(noise, noise, made.prepare, IMAGES, DIGITS)
    with pytest.raises(ValueError, match=r"00_noise_.*: expected inputs of shapes {'ink'.* got {'x'"):
        NoisyDrawing(noise, step, noise, IMAGES, DIGITS)
    given = {key: torch.zeros(shape) for key, shape in NOISE_INPUTS.items()}
    renamed = export.export(lambda x, eps, i, steps: x + eps + i + steps, given, ["x_noisy"], "00_renamed")
    with pytest.raises(
        ValueError, match=r"00_renamed.onnx: expected outputs of shapes .* got {'x_noisy': \(1, 1, 28"
    ):
        NoisyDrawing(renamed, step, made.prepare, IMAGES, DIGITS)


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        (IMAGES.numpy(), TypeError, "examples: expected a float tensor .* got ndarray"),
        (IMAGES[:, 0], ValueError, r"examples: expected .* got shape \(3, 28, 28\)"),
        (2 * IMAGES, ValueError, r"examples: expected values in \[0, 1\], got"),
    ],
)
def test_bad_examples_are_refused(made, examples, error, message):
    with pytest.raises(error, match=message):
        NoisyDrawing(made.noise["convolutions"], made.step["convolutions"], made.prepare, examples, DIGITS)
