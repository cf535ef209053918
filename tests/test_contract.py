"""One contract for every model: it keeps what it offers, and it refuses in words what it cannot take."""

import copy
import inspect
import json
import math
import re
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numeric import seeded

from gen_utils import base, metrics, nets, output, pretrained, toys
from gen_utils.base import GenerativeModel, Model, Trainable
from gen_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, LinearAutoencoder
from gen_utils.models.conv_gan import ConvGAN
from gen_utils.models.density import KDE, Gaussian, Histogram
from gen_utils.models.diffusion import Diffusion, ImageDiffusion
from gen_utils.models.flows import CouplingFlow
from gen_utils.models.gan import GAN
from gen_utils.models.made import MADE
from gen_utils.models.mixtures import BernoulliMixture, GaussianMixture, Mixture, em_steps
from gen_utils.models.ppca import PPCA
from gen_utils.models.samplers import inpaint
from gen_utils.models.schedule import cosine
from gen_utils.models.vae import VAE, GaussianVAE
from gen_utils.page import export
from gen_utils.train import train_gan_steps, train_steps


class Labelled(torch.nn.Module):
    """The smallest network for labelled images: 3 classes and none."""

    def __init__(self):
        super().__init__()
        self.body = nets.ConditionalMLP([31, 16, 60], classes=4)

    def forward(self, x_t, log_snr, y):
        return self.body(torch.cat([x_t.flatten(1), log_snr[:, None] / 10], 1), y).unflatten(1, (2, 6, 5))


# Add a model here, small enough to run in milliseconds, and all below holds for it too.
MODELS = {
    "vae-2": lambda: VAE(latent_dim=2, hidden_dims=(16,), event_shape=(1, 6, 5)),
    "vae-no-hidden": lambda: VAE(latent_dim=3, hidden_dims=(), event_shape=(7,)),
    "vae-conditional": lambda: VAE(latent_dim=2, hidden_dims=(16,), event_shape=(1, 6, 5), classes=3),
    "vae-gaussian": lambda: GaussianVAE(latent_dim=2, hidden_dims=(16,), event_shape=(1, 6, 5)),
    "vae-gaussian-conditional": lambda: GaussianVAE(3, hidden_dims=(), event_shape=(7,), classes=3),
    "flow": lambda: CouplingFlow(couplings=2, hidden_dims=(8,), bins=4),
    "flow-images": lambda: CouplingFlow((1, 3, 3), couplings=2, hidden_dims=(), bins=4),
    "made": lambda: MADE((16,), event_shape=(1, 6, 5)),
    "made-deep": lambda: MADE((12, 9), event_shape=(7,)),
    "made-no-hidden": lambda: MADE((), event_shape=(7,)),
    "autoencoder": lambda: Autoencoder(2, (16,), (1, 6, 5)),
    "autoencoder-linear": lambda: LinearAutoencoder(3, (7,)),
    "autoencoder-conditional": lambda: Autoencoder(2, (16,), (1, 6, 5), classes=3),
    "autoencoder-denoising": lambda: DenoisingAutoencoder(0.5, 4, (16,), (1, 6, 5)),
    "gan": lambda: GAN(2, (16,), (1, 6, 5)),
    "gan-conv": lambda: ConvGAN(3, 4, 2, 2, (2, 8, 12)),
    "diffusion": lambda: Diffusion(nets.Denoiser(2, (16,)), cosine(20), bound_weight=1.0),
    "diffusion-images": lambda: ImageDiffusion(Labelled(), cosine(20), (1, 6, 5), 3, bound_weight=1.0),
    "toy-mixture": lambda: toys.IsotropicMixture(torch.randn(3, 2), 0.5),
    "histogram": lambda: Histogram([0, 0], [1, 2], bins=3).fit(torch.rand(9, 2), pseudo_count=0.1),
    "gaussian": lambda: Gaussian((2, 3)).fit(torch.randn(20, 2, 3)),
    "kde": lambda: KDE(torch.randn(6, 2, 3), bandwidth=0.3),
    "gaussian-mixture": lambda: GaussianMixture(K=3, D=2),
    "bernoulli-mixture": lambda: BernoulliMixture(K=3, event_shape=(1, 6, 5)),
    "ppca": lambda: PPCA(latent_dim=2, event_shape=(1, 2, 3)).fit(torch.randn(20, 1, 2, 3)),
}
every_model = pytest.mark.parametrize("name", MODELS)
# What one loss trains; a GAN has two, and all that the others know is in buffers.
TRAINED = [name for name, make in MODELS.items() if hasattr(make(), "loss")]
every_trained = pytest.mark.parametrize("name", TRAINED)
hard = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    """Notebooks' output in a folder of each test's own, where shipped weights are looked for too."""
    monkeypatch.setenv(output.STAGING, str(tmp_path))
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "weights")
    return tmp_path


def build(name, seed=0):
    torch.manual_seed(seed)
    return MODELS[name]()


def examples(model, n=5):
    """Random examples inside the model's support."""
    x = torch.rand(n, *model.event_shape, generator=torch.Generator().manual_seed(n))
    return x.round() if model.support == (0.0, 1.0) else x


def labels(model, n=5):
    """Labels for n examples, or `None`, as the model has it."""
    return torch.arange(n) % model.classes if model.classes else None


# What takes a number and labels, and what takes examples and labels.
DRAWS = ["sample", "sample_mean", "sample_path", "generator_loss"]
SCORES = ["loss", "forward", "elbo", "log_prob", "discriminator_loss"]


def offered(model, names):
    """The methods of these names that the model has, as functions; a path is walked to its end."""
    found = {}
    for name in names:
        if hasattr(model, name) and not (name == "forward" and not isinstance(model, Trainable)):
            method = getattr(model, name)
            found[name] = (lambda *a, method=method, **k: list(method(*a, **k))) if name == "sample_path" else method
    return found


@every_model
def test_a_model_is_what_its_methods_say(name):
    model = build(name)
    assert isinstance(model, Model)
    assert isinstance(model, Trainable) == hasattr(model, "loss")
    assert isinstance(model, GenerativeModel) == hasattr(model, "sample")
    assert isinstance(model, Autoencoder) != hasattr(model, "sample")


@every_model
def test_labels_come_second_and_the_generator_by_keyword(name):
    model = build(name)
    for method in [*offered(model, [*DRAWS, *SCORES])]:
        parameters = inspect.signature(getattr(model, method)).parameters
        expected = ["x"] if method == "log_prob" else ["n" if method in DRAWS else "x", "y", "generator"]
        assert list(parameters)[:3] == expected, method
        if "y" in expected:
            assert parameters["y"].default is None, method
    for method, function in inspect.getmembers(model, inspect.ismethod):
        parameters = inspect.signature(function).parameters
        if "generator" in parameters and not method.startswith("_"):
            assert parameters["generator"].kind is inspect.Parameter.KEYWORD_ONLY, method
            assert parameters["generator"].default is None, method


@every_model
@pytest.mark.parametrize("n", [1, 5])
def test_shapes_and_finite_numbers_of_everything_offered(name, n):
    model = build(name)
    x, y = examples(model, n), labels(model, n)
    for method, draw in offered(model, DRAWS[:2]).items():  # before any forward: no shape is learnt from a first call
        drawn = draw(n, y, generator=seeded())
        assert drawn.shape == (n, *model.event_shape), method
        assert not drawn.requires_grad, method
        assert drawn.isfinite().all(), method
        assert ((drawn >= model.support[0]) & (drawn <= model.support[1])).all(), method
    values = list(offered(model, ["generator_loss"]).values())
    values = [value for draw in values for value in draw(n, y, generator=seeded()).values()]
    for method, score in offered(model, SCORES).items():
        found = score(x) if method == "log_prob" else score(x, y, generator=seeded())
        values += found.values() if isinstance(found, dict) else [found]
    assert all(value.shape == (n,) for value in values)
    assert all(value.isfinite().all() for value in values)


@every_model
@pytest.mark.parametrize("training", [True, False])
def test_sampling_scoring_and_bounding_change_nothing(name, training):
    model = build(name).train(training)
    x, y = examples(model), labels(model)
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    for draw in offered(model, DRAWS[:3]).values():
        draw(5, y)
    for method, score in offered(model, ["elbo", "log_prob"]).items():
        score(x) if method == "log_prob" else score(x, y)
    assert [module.training for module in model.modules()] == modes
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


@every_trained
def test_the_loss_reaches_every_parameter(name):
    model = build(name)
    model.loss(examples(model), labels(model), generator=seeded())["loss"].mean().backward()
    silent = {key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == set()
    assert all(p.grad.isfinite().all() for p in model.parameters())


# Not of a diffusion model's: to its bound, by definition, the mean is a constant (tests/test_diffusion.py).
@pytest.mark.parametrize("name", [name for name in TRAINED if not name.startswith("diffusion")])
def test_the_gradient_is_the_slope_of_the_loss(name):
    model = build(name).double()
    x, direction = examples(model).double(), [torch.randn_like(p) for p in model.parameters()]

    def loss():
        # The sum, for its size: with the same noise it is a plain function of the weights.
        return model.loss(x, labels(model), generator=seeded())["loss"].sum()

    loss().backward()
    slope = sum((p.grad * d).sum() for p, d in zip(model.parameters(), direction, strict=True)).item()
    ends = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for p, d in zip(model.parameters(), direction, strict=True):
                p.add_(step * d)
            ends.append(loss().item())
    assert math.isclose(slope, (ends[0] - ends[1]) / 2e-5, rel_tol=1e-4)


@every_trained
def test_the_loss_is_the_sum_of_its_named_parts(name):
    model = build(name)
    parts = model.loss(examples(model), labels(model), generator=seeded())
    total = parts.pop("loss")
    if parts:
        torch.testing.assert_close(total, sum(parts.values()))


@every_trained
def test_forward_is_loss_and_elbo_or_log_prob_its_negative(name):
    model = build(name)
    x, y = examples(model), labels(model)
    loss, forward = model.loss(x, y, generator=seeded()), model(x, y, generator=seeded())
    assert loss.keys() == forward.keys()
    assert all(torch.equal(loss[part], forward[part]) for part in loss)
    if hasattr(model, "elbo"):
        elbo = model.elbo(x, y, generator=seeded())
        if not isinstance(model, Diffusion):  # its loss is another: the bound is only a part of it
            assert torch.equal(elbo, -loss["loss"])
        assert not elbo.requires_grad
    if hasattr(model, "log_prob"):
        assert torch.equal(model.log_prob(x), -loss["loss"])


@every_model
def test_the_generator_fixes_every_bit_and_another_seed_changes_them(name):
    model = build(name)
    x, y = examples(model), labels(model)
    draws = [lambda g, draw=draw: draw(5, y, generator=g) for draw in offered(model, DRAWS).values()]
    draws += [lambda g, s=score: s(x, y, generator=g) for score in offered(model, ["discriminator_loss"]).values()]
    # Only such a loss draws nothing.
    exact_loss = hasattr(model, "log_prob") or (hasattr(model, "reconstruct") and not hasattr(model, "denoise"))
    if isinstance(model, Trainable) and not exact_loss:
        draws.append(lambda g: model.loss(x, y, generator=g))

    def value(found):
        found = found["loss"] if isinstance(found, dict) else found
        return found[-1] if isinstance(found, list) else found

    for draw in draws:
        torch.manual_seed(0)
        first = value(draw(seeded(0)))
        torch.manual_seed(1)  # nothing may come from the global generator
        assert torch.equal(first, value(draw(seeded(0))))
        assert not torch.equal(first, value(draw(seeded(1))))


@every_model
def test_the_path_ends_at_the_sample(name):
    model = build(name)
    if not hasattr(model, "sample_path"):
        return
    states = list(model.sample_path(3, labels(model, 3), generator=seeded()))
    assert len(states) > 2
    assert torch.equal(states[-1], model.sample(3, labels(model, 3), generator=seeded()))
    assert not any(state.requires_grad for state in states)


@every_trained
def test_each_example_has_a_loss_of_its_own(name):
    model = build(name)
    x = examples(model)
    x.requires_grad_()
    model.loss(x, labels(model), generator=seeded())["loss"][2].backward()
    touched = x.grad.flatten(1).any(1)
    assert touched.tolist() == [False, False, True, False, False]


@every_model
def test_a_model_in_double_precision_takes_and_draws_doubles(name):
    single, model = build(name), build(name).double()
    x, y = examples(model), labels(model)
    for method, draw in offered(model, DRAWS[:2]).items():
        drawn = draw(5, y, generator=seeded())
        assert drawn.dtype == torch.float64, method
        if model.support != (0.0, 1.0):  # the noise is double too: in single precision every number would be one
            assert not torch.equal(drawn, drawn.float().double()), method
    for method, score in offered(model, SCORES).items():
        found = score(x.double()) if method == "log_prob" else score(x.double(), y, generator=seeded())
        found = found["loss"] if isinstance(found, dict) else found
        assert found.dtype == torch.float64, method
        if method == "log_prob":
            torch.testing.assert_close(found, single.log_prob(x).double(), rtol=1e-5, atol=1e-5)


# Weights.


def ship(model, name):
    """Save a model, and publish its digest as `make execute` does."""
    pretrained.save(model, name)
    file = pretrained.FOLDER / f"{name}.safetensors"
    digests = {file.name: sha256(file.read_bytes()).hexdigest()}
    (pretrained.FOLDER / "digests.json").write_text(json.dumps(digests), encoding="utf-8")
    return file


@every_model
def test_saved_weights_come_back_as_the_nearest_half_precision_numbers(name):
    model = build(name)
    ship(model, "some")
    other = build(name, seed=1)
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())
    loaded = pretrained.load(other, "some")
    assert loaded is other
    assert not loaded.training
    pairs = list(zip(model.parameters(), loaded.parameters(), strict=True))
    assert all(torch.equal(mine.half().float(), theirs) for mine, theirs in pairs)
    assert not pairs or not all(torch.equal(mine, theirs) for mine, theirs in pairs)
    export.round_to_half(model)
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key]), key
        assert value.dtype == loaded.state_dict()[key].dtype, key
    if hasattr(model, "sample"):
        draws = [each.sample(3, labels(model, 3), generator=seeded()) for each in (model.eval(), loaded)]
        assert torch.equal(*draws)


def test_weights_that_half_precision_does_not_hold_are_not_saved():
    model = LinearAutoencoder(1, (3,))
    model.start_from(1e6 + torch.eye(3))
    before = copy.deepcopy(model.state_dict())
    for write in (lambda: pretrained.save(model, "some"), lambda: export.round_to_half(model)):
        with pytest.raises(ValueError, match=r"decoder\.layers\.0\.bias: expected numbers within ±65504"):
            write()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_damaged_weights_are_refused():
    model = VAE(2, (4,), (3,))
    file = ship(model, "some")
    content = bytearray(file.read_bytes())
    expected = sha256(content).hexdigest()
    content[-1] ^= 1
    file.write_bytes(content)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="is damaged") as refusal:
        pretrained.load(model, "some")
    for words in (str(file), expected, sha256(content).hexdigest(), "reinstall", "git checkout"):
        assert words in str(refusal.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_weights_of_another_architecture_are_refused():
    ship(VAE(2, (16,), (1, 6, 5)), "some")
    for other in (VAE(3, (16,), (1, 6, 5)), VAE(2, (16, 16), (1, 6, 5))):
        with pytest.raises(ValueError, match="some: weights of another architecture"):
            pretrained.load(other, "some")


def test_unknown_weights_are_refused_and_the_known_ones_named():
    model = VAE(2, (4,), (3,))
    ship(model, "some")
    for name in ("other", "", "some.safetensors", "../some"):
        with pytest.raises(ValueError, match=re.escape(f"expected the name of shipped weights (some), got {name!r}")):
            pretrained.load(model, name)


def test_the_shipped_weights_are_whole(monkeypatch):
    monkeypatch.undo()  # the true folder
    digests = json.loads((pretrained.FOLDER / "digests.json").read_text(encoding="utf-8"))
    assert digests
    assert {path.name for path in pretrained.FOLDER.glob("*.safetensors")} == set(digests)
    for file, digest in digests.items():
        content = (pretrained.FOLDER / file).read_bytes()
        assert sha256(content).hexdigest() == digest
        assert len(content) < 5_000_000


# What a public door refuses. A message must say what was expected and what came. First the three checks themselves.


def refused(error, came, call):
    with pytest.raises(error) as refusal:
        call()
    assert type(refusal.value) in (TypeError, ValueError)
    assert "expected" in str(refusal.value)
    assert "got " in str(refusal.value)
    assert came in str(refusal.value)


def batch(x):
    return base.batch("x", x, (1, 2, 3), (0.0, 1.0), torch.float32)


@hard
@given(shape=st.lists(st.integers(0, 4), max_size=5).map(tuple))
def test_a_batch_has_its_examples_shape(shape):
    x = torch.zeros(shape)
    if shape[1:] == (1, 2, 3) and shape[0] > 0:
        assert batch(x) is x
    else:
        refused(ValueError, f"shape {shape}", lambda: batch(x))


@hard
@given(
    bad=st.sampled_from([math.nan, math.inf, -math.inf])
    | st.floats(1, 2.0**99, exclude_min=True, width=32)
    | st.floats(-(2.0**99), 0, exclude_max=True, width=32),
    place=st.integers(0, 11),
)
def test_a_batch_is_finite_and_inside_the_support(bad, place):
    x = torch.rand(2, 1, 2, 3, generator=seeded())
    x.view(-1)[place] = bad
    came = "NaN" if math.isnan(bad) else "infinity" if math.isinf(bad) else f"{bad:.8g}"
    assert came not in ("0", "1")  # else the message would contradict itself
    refused(ValueError, came, lambda: batch(x))


OTHER = ["float64", "float16", "bfloat16", "uint8", "int32", "int64", "bool", "complex64"]


@pytest.mark.parametrize("dtype", OTHER)
def test_a_batch_has_the_model_s_precision(dtype):
    refused(TypeError, f"torch.{dtype}", lambda: batch(torch.zeros(2, 1, 2, 3).to(getattr(torch, dtype))))


@pytest.mark.parametrize("x", [torch.zeros(2, 1, 2, 3).numpy(), [[0.0]], None])
def test_a_batch_is_a_tensor(x):
    refused(TypeError, type(x).__name__, lambda: batch(x))


@hard
@given(size=st.integers() | st.floats() | st.text(max_size=3) | st.none() | st.booleans() | st.just([3]))
def test_a_size_is_a_positive_integer(size):
    if type(size) is int and size > 0:
        assert base.positive("K", size) == size
    else:
        error = ValueError if type(size) is int else TypeError
        refused(error, f"K: expected a positive integer, got {size!r}", lambda: base.positive("K", size))


def test_a_size_from_numpy_is_one():
    assert type(base.positive("K", np.int64(3))) is int
    sizes = np.array([1, 4, 4])
    model = ConvGAN(sizes[1], sizes[1], sizes[1], sizes[1], sizes)
    assert model.sample(sizes[1], torch.arange(4)).shape == (4, 1, 4, 4)


@pytest.mark.parametrize(
    ("y", "error", "came"),
    [
        (torch.tensor([0, 1]), ValueError, "shape (2,)"),
        (torch.tensor([[0, 1, 2]]), ValueError, "shape (1, 3)"),
        (torch.tensor([0, 1, 3]), ValueError, "0…3"),
        (torch.tensor([-1, 1, 2]), ValueError, "-1…2"),
        (torch.tensor([0, 1, 2], dtype=torch.int32), TypeError, "torch.int32"),
        (torch.tensor([0.0, 1, 2]), TypeError, "torch.float32"),
        ([0, 1, 2], TypeError, "list"),
    ],
)
def test_labels_are_whole_numbers_below_the_number_of_classes(y, error, came):
    refused(error, came, lambda: base.labels("y", y, 3, 3))


# Then each door: one input that it must refuse, for each of the checks that stand behind it.


def doors_of_x(model):
    """Every function that takes a batch of examples."""
    y, one = labels(model), torch.zeros(1, 2)
    calls = {name: lambda x, name=name: offered(model, [name])[name](x, y) for name in offered(model, SCORES)}
    for name in ("log_prob", "encode", "posterior", "responsibilities", "fit", "start_from"):
        if hasattr(model, name):
            calls[name] = lambda x, name=name: getattr(model, name)(x)
    if isinstance(model, Autoencoder):
        calls["reconstruct"] = lambda x: model.reconstruct(x, y)
    if isinstance(model, PPCA):
        calls["impute"] = lambda x: model.impute(x, torch.ones(model.event_shape, dtype=torch.bool))
    if isinstance(model, Mixture):
        calls["em_steps"] = lambda x: em_steps(model, x, steps=1)
    if isinstance(model, VAE):
        calls["encode"] = lambda x: model.encode(x, y)
        calls["log_weights"] = lambda x: model.log_weights(x, 2, y)
        one = torch.zeros(1, model.latent_dim)
        calls["log_likelihood_table"] = lambda x: model.log_likelihood_table(x, one, labels(model, 1))
        if model.latent_dim == 2 and not model.classes:
            calls["grid_log_joint"] = lambda x: metrics.grid_log_joint(model, x, 3)
    trainer = train_gan_steps if isinstance(model, GAN) else train_steps
    if isinstance(model, Trainable | GAN):
        calls["train_steps"] = lambda x: next(trainer(model, x, y, steps=1, batch_size=1))
    return calls


@every_model
def test_every_door_checks_its_examples(name):
    model = build(name)
    wrong = examples(model)
    wrong.view(-1)[3] = 1.5 if model.support == (0.0, 1.0) else torch.nan
    for door, call in doors_of_x(model).items():
        for error, came, x in [
            (ValueError, f"shape {model.event_shape}", examples(model)[0]),
            (ValueError, "1.5" if model.support == (0.0, 1.0) else "NaN", wrong),
            (TypeError, "float64", examples(model).double()),
            (ValueError, "the model's device, cpu, got meta", examples(model).to("meta")),
        ]:
            with pytest.raises(error, match="x: expected") as refusal:
                call(x)
            assert came in str(refusal.value), door


def doors_of_y(model):
    """Every function that takes labels, called for three examples."""
    x = examples(model, 3)
    calls = {name: lambda y, call=call: call(3, y) for name, call in offered(model, DRAWS).items()}
    scores = offered(model, [score for score in SCORES if score != "log_prob"] + ["reconstruct"])
    calls |= {name: lambda y, call=call: call(x, y) for name, call in scores.items()}
    if isinstance(model, VAE | Autoencoder):
        z = torch.zeros(3, model.latent_dim)
        calls["decode"] = lambda y: model.decode(z, y)
    if isinstance(model, VAE):
        calls["encode"] = lambda y: model.encode(x, y)
        calls["log_weights"] = lambda y: model.log_weights(x, 2, y)
        calls["log_likelihood_table"] = lambda y: model.log_likelihood_table(x, z, y)
    if isinstance(model, Diffusion):
        noise, log_snr = torch.zeros_like(x), model.schedule.log_snr[-1:].expand(3)
        calls["predict"] = lambda y: model.predict(noise, log_snr, y)
        calls["guided"] = lambda y: model.guided(noise, log_snr, y, 2.0)
        calls["guided, inpainted"] = lambda y: list(
            inpaint(partial(model.guided, y=y, guidance=2.0), noise, model.schedule, noise, noise > 0)
        )
        calls["bound_term"] = lambda y: model.bound_term(x, torch.ones(3).long(), y)
        calls["the first state"] = lambda y: next(model.sample_path(3, y))
    trainer = train_gan_steps if isinstance(model, GAN) else train_steps
    if isinstance(model, Trainable | GAN):
        calls["train_steps"] = lambda y: next(trainer(model, x, y, steps=1, batch_size=3))
    return calls


@every_model
def test_every_door_checks_its_labels(name):
    model = build(name)
    if model.classes is None:
        wrong = {"takes no labels, got some": torch.zeros(3).long()}
    else:
        most = model.classes - 1
        wrong = {
            f"0…{most + 1}": torch.tensor([0, 0, most + 1]),
            f"-1…{most}": torch.tensor([0, -1, most]),
            r"(shape \(2,\)|got 2$)": torch.tensor([0, 1]),
            r"shape \(3, 1\)": torch.zeros(3, 1).long(),
            "int32": torch.zeros(3).int(),
            "float32": torch.zeros(3),
            "list": [0, 1, 2],
            "meta": torch.zeros(3, device="meta").long(),
        }
        if not isinstance(model, Diffusion):  # without labels, a diffusion model is about p(x)
            wrong[f"takes 3 labels 0…{most}, got none"] = None
    for door, call in doors_of_y(model).items():
        for came, y in wrong.items():
            with pytest.raises((TypeError, ValueError), match=f"^y: .*{came}"):
                call(y)
        if "guided" in door:
            with pytest.raises(ValueError, match=r"^y: guidance expected labels, got none"):
                call(None)


@every_model
@pytest.mark.parametrize("n", [0, -1, True, 2.0, None])
def test_every_door_checks_its_numbers(name, n):
    model = build(name)
    error = ValueError if type(n) is int else TypeError
    for draw in offered(model, DRAWS).values():
        refused(error, f"n: expected a positive integer, got {n}", lambda draw=draw: draw(n, labels(model)))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("k", lambda: VAE(2, (4,), (3,)).log_weights(torch.zeros(1, 3), 0)),
        ("k", lambda: metrics.importance_weighted_bound(torch.zeros(4, 2), 0)),
        ("points", lambda: metrics.grid_log_joint(VAE(2, (4,), (3,)), torch.zeros(1, 3), 0)),
        ("latent_dim", lambda: VAE(latent_dim=0)),
        ("latent_dim", lambda: Autoencoder(latent_dim=0)),
        ("latent_dim", lambda: GAN(latent_dim=0)),
        ("event_shape", lambda: VAE(event_shape=(1, 0, 4))),
        ("sizes", lambda: VAE(hidden_dims=(8, 0))),
        ("sizes", lambda: nets.mlp([3, 0])),
        ("classes", lambda: VAE(classes=0)),
        ("classes", lambda: nets.ConditionalMLP([3, 4], classes=0)),
        ("classes", lambda: ConvGAN(classes=0)),
        ("generator_width", lambda: ConvGAN(generator_width=0)),
        ("discriminator_width", lambda: ConvGAN(discriminator_width=0)),
        ("steps", lambda: next(train_steps(VAE(2, (4,), (3,)), torch.zeros(1, 3), steps=0, batch_size=1))),
        ("batch_size", lambda: next(train_steps(VAE(2, (4,), (3,)), torch.zeros(1, 3), steps=1, batch_size=0))),
        ("d_steps", lambda: next(train_gan_steps(GAN(), torch.zeros(1, 2), steps=1, batch_size=1, d_steps=0))),
    ],
)
def test_sizes_are_positive(name, call):
    refused(ValueError, f"{name}: expected a positive integer, got 0", call)


def test_the_trainer_wants_a_label_for_each_example():
    model = build("vae-conditional")
    for came, y in (("2", torch.zeros(2).long()), ("shape ()", torch.tensor(0))):
        refused(ValueError, came, lambda y=y: next(train_steps(model, examples(model, 3), y, steps=1)))


@pytest.mark.parametrize("size", [-0.1, math.nan, math.inf, -1])
def test_a_weight_and_a_deviation_must_make_sense(size):
    refused(ValueError, str(size), lambda: VAE(2, (4,), (3,), beta=size))
    refused(ValueError, str(size), lambda: GaussianVAE(2, (4,), (3,), sigma=size))


@pytest.mark.parametrize("sizes", [[], [3]])
def test_a_network_needs_an_input_and_an_output(sizes):
    refused(ValueError, str(sizes), lambda: nets.mlp(sizes))


@pytest.mark.parametrize(
    ("z", "error", "came"),
    [
        (torch.zeros(5), ValueError, "shape (5,)"),
        (torch.full((1, 5), torch.nan), ValueError, "NaN"),
        (torch.zeros(1, 5).double(), TypeError, "torch.float64"),
    ],
)
def test_latents_are_checked_too(z, error, came):
    model = VAE(5, (4,), (3,))
    refused(error, came, lambda: model.decode(z))
    refused(error, came, lambda: model.log_likelihood_table(torch.zeros(1, 3), z))
    refused(error, came, lambda: Autoencoder(5, (4,), (3,)).decode(z))
