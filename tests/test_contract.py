"""One contract for every model: what it offers, it keeps, and what it cannot take, it refuses in words."""

import json
import math
import re
from hashlib import sha256

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numeric import seeded

from gen_utils import metrics, nets, output, pretrained, toys
from gen_utils.base import Model
from gen_utils.models.autoencoder import Autoencoder, ConditionalAutoencoder, DenoisingAutoencoder, LinearAutoencoder
from gen_utils.models.density import KDE, Gaussian, Histogram
from gen_utils.models.diffusion import Diffusion, ImageDiffusion
from gen_utils.models.flows import CouplingFlow
from gen_utils.models.gan import GAN
from gen_utils.models.made import MADE
from gen_utils.models.mixtures import BernoulliMixture, GaussianMixture, Mixture, em_steps
from gen_utils.models.ppca import PPCA
from gen_utils.models.schedule import cosine
from gen_utils.models.vae import VAE, ConditionalVAE, GaussianVAE
from gen_utils.page import export
from gen_utils.train import train_gan_steps, train_steps


class Labelled(torch.nn.Module):
    """The smallest network of labelled pictures: 3 classes and none."""

    def __init__(self):
        super().__init__()
        self.label = torch.nn.Embedding(4, 8)
        self.body = nets.mlp([30 + 2 * nets.WAVES + 8, 16, 60])

    def forward(self, x_t, log_snr, y):
        features = [x_t.flatten(1), nets.waves(log_snr), self.label(y)]
        return self.body(torch.cat(features, 1)).unflatten(1, (2, 6, 5))


# Add a model here, small enough to run in milliseconds, and all below holds for it too.
MODELS = {
    "vae-2": lambda: VAE(latent_dim=2, hidden_dims=(16,), event_shape=(1, 6, 5)),
    "vae-20": lambda: VAE(latent_dim=20, hidden_dims=(24, 12), event_shape=(1, 28, 28)),
    "vae-no-hidden": lambda: VAE(latent_dim=3, hidden_dims=(), event_shape=(7,)),
    "vae-gaussian": lambda: GaussianVAE(latent_dim=2, hidden_dims=(16,), event_shape=(1, 6, 5)),
    "vae-linear": lambda: GaussianVAE(latent_dim=3, hidden_dims=(), event_shape=(7,)),
    "flow": lambda: CouplingFlow(couplings=2, hidden_dims=(8,), bins=4),
    "flow-images": lambda: CouplingFlow((1, 3, 3), couplings=2, hidden_dims=(), bins=4),
    "made": lambda: MADE((16,), event_shape=(1, 6, 5)),
    "made-deep": lambda: MADE((12, 9), event_shape=(7,)),
    "made-no-hidden": lambda: MADE((), event_shape=(7,)),
    "vae-conditional": lambda: ConditionalVAE(classes=3, latent_dim=2, hidden_dims=(16,), event_shape=(1, 6, 5)),
    "autoencoder": lambda: Autoencoder(2, (16,), (1, 6, 5)),
    "autoencoder-linear": lambda: LinearAutoencoder(3, (7,)),
    "autoencoder-conditional": lambda: ConditionalAutoencoder(3, 2, (16,), (1, 6, 5)),
    "autoencoder-denoising": lambda: DenoisingAutoencoder(0.5, 4, (16,), (1, 6, 5)),
    "gan": lambda: GAN(2, (16,), (1, 6, 5)),
    "diffusion": lambda: Diffusion(nets.Denoiser(2, (16,)), cosine(20), bound_weight=1.0),
    "diffusion-images": lambda: ImageDiffusion(Labelled(), cosine(20), 3, (1, 6, 5), bound_weight=1.0),
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


def told(model, n=5):
    """What a model wants besides its examples: labels, if it is conditional."""
    return (torch.arange(n) % model.classes,) if model.classes else ()


@every_model
@pytest.mark.parametrize("n", [1, 5])
def test_shapes_and_finite_numbers_of_everything_offered(name, n):
    model = build(name)
    assert isinstance(model, Model)
    y = told(model, n)
    values = []
    if hasattr(model, "sample"):
        x = model.sample(n, *y, generator=seeded())  # before any forward: no shape is learnt from a first call
        assert x.shape == (n, *model.event_shape)
        assert not x.requires_grad
        assert ((x >= model.support[0]) & (x <= model.support[1])).all()
        assert x.isfinite().all()
    if hasattr(model, "loss"):
        values += model.loss(examples(model, n), *y, generator=seeded()).values()
    for method in ("log_prob", "elbo"):
        if hasattr(model, method):
            values.append(getattr(model, method)(examples(model, n), *y))
    if hasattr(model, "discriminator_loss"):
        values += model.discriminator_loss(examples(model, n), *y, generator=seeded()).values()
        values += model.generator_loss(n, *y, generator=seeded()).values()
    assert hasattr(model, "sample") or values
    assert all(value.shape == (n,) for value in values)
    assert all(value.isfinite().all() for value in values)


@every_trained
def test_the_loss_reaches_every_parameter(name):
    model = build(name)
    model.loss(examples(model), *told(model), generator=seeded())["loss"].mean().backward()
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
        return model.loss(x, *told(model), generator=seeded())["loss"].sum()

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
    parts = model.loss(examples(model), *told(model), generator=seeded())
    total = parts.pop("loss")
    if parts:
        torch.testing.assert_close(total, sum(parts.values()))


@every_trained
def test_forward_is_loss_and_elbo_or_log_prob_its_negative(name):
    model = build(name)
    x = examples(model)
    y = told(model)
    loss, forward = model.loss(x, *y, generator=seeded()), model(x, *y, generator=seeded())
    assert loss.keys() == forward.keys()
    assert all(torch.equal(loss[part], forward[part]) for part in loss)
    if hasattr(model, "elbo"):
        elbo = model.elbo(x, *y, generator=seeded())
        if not isinstance(model, Diffusion):  # its loss is another: the bound is only a part of it
            assert torch.equal(elbo, -loss["loss"])
        assert not elbo.requires_grad
    if hasattr(model, "log_prob"):
        assert torch.equal(model.log_prob(x), -loss["loss"])


@every_model
def test_the_generator_fixes_every_bit_and_another_seed_changes_them(name):
    model = build(name)
    x = examples(model)
    draws = []
    if hasattr(model, "sample"):
        draws.append(lambda generator: model.sample(9, *told(model, 9), generator=generator))
    if hasattr(model, "discriminator_loss"):
        draws.append(lambda generator: model.discriminator_loss(x, generator=generator)["loss"])
        draws.append(lambda generator: model.generator_loss(9, generator=generator)["loss"])
    if hasattr(model, "loss"):
        draws.append(lambda generator: model.loss(x, *told(model), generator=generator)["loss"])
    # Such a loss draws nothing.
    exact_loss = hasattr(model, "log_prob") or (hasattr(model, "reconstruct") and not hasattr(model, "denoise"))
    for draw in draws:
        torch.manual_seed(0)
        first = draw(seeded(0))
        torch.manual_seed(1)  # nothing may come from the global generator
        assert torch.equal(first, draw(seeded(0)))
        is_loss = hasattr(model, "loss") and draw is draws[-1]
        assert torch.equal(first, draw(seeded(1))) == (is_loss and exact_loss)


@every_model
def test_the_path_ends_at_the_sample(name):
    model = build(name)
    if not hasattr(model, "sample_path"):
        return
    states = list(model.sample_path(3, *told(model, 3), generator=seeded()))
    assert len(states) > 2
    assert torch.equal(states[-1], model.sample(3, *told(model, 3), generator=seeded()))
    assert not any(state.requires_grad for state in states)


@every_trained
def test_each_example_has_a_loss_of_its_own(name):
    model = build(name)
    x = examples(model)
    x.requires_grad_()
    model.loss(x, *told(model), generator=seeded())["loss"][2].backward()
    touched = x.grad.flatten(1).any(1)
    assert touched.tolist() == [False, False, True, False, False]


def ship(model, name):
    """Save a model, and publish its digest as `make execute` does."""
    pretrained.save(model, name)
    file = pretrained.FOLDER / f"{name}.safetensors"
    digests = {file.name: sha256(file.read_bytes()).hexdigest()}
    (pretrained.FOLDER / "digests.json").write_text(json.dumps(digests))
    return file


@every_model
def test_saved_weights_come_back_bit_for_bit(name):
    model = build(name)
    export.round_to_half(model)
    ship(model, "some")
    other = build(name, seed=1)
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())
    loaded = pretrained.load(other, "some")
    assert loaded is other
    assert not loaded.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
        assert value.dtype == loaded.state_dict()[key].dtype
    y = told(model, 3)
    if hasattr(model, "sample"):
        assert torch.equal(model.sample(3, *y, generator=seeded()), loaded.sample(3, *y, generator=seeded()))


@every_trained
def test_weights_are_saved_as_the_nearest_half_precision_numbers(name):
    model = build(name)
    ship(model, "some")
    loaded = pretrained.load(build(name, seed=1), "some")
    pairs = list(zip(model.parameters(), loaded.parameters(), strict=True))
    assert all(torch.equal(mine.half().float(), theirs) for mine, theirs in pairs)
    assert not all(torch.equal(mine, theirs) for mine, theirs in pairs)


@every_model
def test_damaged_weights_are_refused(name):
    model = build(name)
    file = ship(model, "some")
    content = bytearray(file.read_bytes())
    expected = sha256(content).hexdigest()
    content[-1] ^= 1
    file.write_bytes(content)
    before = [value.clone() for value in model.state_dict().values()]
    with pytest.raises(ValueError, match="is damaged") as refusal:
        pretrained.load(model, "some")
    for told in (str(file), expected, sha256(content).hexdigest(), "reinstall", "git checkout"):
        assert told in str(refusal.value)
    assert all(torch.equal(p, b) for p, b in zip(model.state_dict().values(), before, strict=True))


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
    digests = json.loads((pretrained.FOLDER / "digests.json").read_text())
    assert digests
    assert {path.name for path in pretrained.FOLDER.glob("*.safetensors")} == set(digests)
    for file, digest in digests.items():
        content = (pretrained.FOLDER / file).read_bytes()
        assert sha256(content).hexdigest() == digest
        assert len(content) < 5_000_000


# What a public door refuses. A message must say what was expected and what came.


def refused(error, came, call):
    with pytest.raises(error) as refusal:
        call()
    assert type(refusal.value) in (TypeError, ValueError)
    assert "expected" in str(refusal.value)
    assert "got " in str(refusal.value)
    assert came in str(refusal.value)


def trainer(model):
    """The generator of training steps that takes such a model."""
    return train_gan_steps if isinstance(model, GAN) else train_steps


def takers(model):
    """Every method that takes a batch of examples, which it judges before anything else."""
    y = told(model)
    names = ["log_prob", "elbo", "encode", "posterior", "responsibilities", "fit", "start_from", "reconstruct"]
    names += ["loss", "forward"] if hasattr(model, "loss") else ["discriminator_loss"]
    names = [name for name in names if hasattr(model, name)]
    # An autoencoder's encoder is not told the label.
    untold = {"start_from", "encode"} if isinstance(model, Autoencoder) else {"start_from"}
    calls = {name: lambda x, name=name: getattr(model, name)(x, *(() if name in untold else y)) for name in names}
    if isinstance(model, PPCA):
        calls["impute"] = lambda x: model.impute(x, torch.ones(model.event_shape, dtype=torch.bool))
    if isinstance(model, Mixture):
        calls["em_steps"] = lambda x: em_steps(model, x, steps=1)
    calls["train_steps"] = lambda x: trainer(model)(model, x, steps=1, batch_size=1)
    if isinstance(model, VAE):
        calls["log_weights"] = lambda x: model.log_weights(x, 2, *y)
        one = torch.zeros(1, model.latent_dim)
        calls["log_likelihood_table"] = lambda x: model.log_likelihood_table(x, one, *told(model, 1))
        if model.latent_dim == 2 and not told(model):
            calls["grid_log_joint"] = lambda x: metrics.grid_log_joint(model, x, 3)
    return calls


@every_model
@hard
@given(shape=st.lists(st.integers(0, 8), max_size=5).map(tuple))
def test_wrong_shapes_are_refused(name, shape):
    model = build(name)
    if shape[1:] == model.event_shape and shape[0] > 0:
        shape = (0, *model.event_shape)
    for call in takers(model).values():
        refused(ValueError, f"shape {shape}", lambda call=call: call(torch.zeros(shape)))


@every_model
def test_a_single_image_without_batch_axis_and_an_empty_batch_are_refused(name):
    model = build(name)
    for shape in (
        model.event_shape,
        (0, *model.event_shape),
        (2, *model.event_shape[:-1], model.event_shape[-1] + 1),
    ):
        for call in takers(model).values():
            refused(ValueError, f"shape {shape}", lambda call=call, shape=shape: call(torch.zeros(shape)))


@every_model
@hard
@given(
    bad=st.sampled_from([math.nan, math.inf, -math.inf])
    | st.floats(1, 2.0**99, exclude_min=True, width=32)
    | st.floats(-(2.0**99), 0, exclude_max=True, width=32),
    place=st.integers(0, 10**6),
)
def test_values_that_are_not_finite_or_out_of_range_are_refused(name, bad, place):
    model = build(name)
    if math.isfinite(bad) and model.support == (-math.inf, math.inf):
        return
    x = examples(model)
    x.view(-1)[place % x.numel()] = bad
    came = "NaN" if math.isnan(bad) else "infinity" if math.isinf(bad) else f"{bad:.8g}"
    assert came not in ("0", "1")  # else the message would contradict itself
    for call in takers(model).values():
        refused(ValueError, came, lambda call=call: call(x))


@every_model
@hard
@given(
    dtype=st.sampled_from(
        [
            torch.float64,
            torch.float16,
            torch.bfloat16,
            torch.uint8,
            torch.int32,
            torch.int64,
            torch.bool,
            torch.complex64,
        ]
    )
)
def test_other_kinds_of_numbers_are_refused(name, dtype):
    model = build(name)
    x = examples(model).to(dtype)
    for call in takers(model).values():
        refused(TypeError, str(dtype), lambda call=call: call(x))


@every_model
@pytest.mark.parametrize("kind", ["ndarray", "list", "NoneType"])
def test_what_is_not_a_tensor_is_refused(name, kind):
    model = build(name)
    x = {"ndarray": examples(model).numpy(), "list": examples(model).tolist(), "NoneType": None}[kind]
    for call in takers(model).values():
        refused(TypeError, kind, lambda call=call: call(x))


not_positive = st.integers(max_value=0)
not_integer = st.one_of(st.floats(), st.text(max_size=3), st.none(), st.booleans(), st.just([3]))


@every_model
@hard
@given(size=not_positive | not_integer)
def test_sizes_that_are_no_positive_integer_are_refused(name, size):
    model = build(name)
    x = examples(model)
    error = ValueError if type(size) is int else TypeError
    calls = {
        "steps": lambda: trainer(model)(model, x, steps=size, batch_size=1),
        "batch_size": lambda: trainer(model)(model, x, steps=1, batch_size=size),
        "k": lambda: metrics.importance_weighted_bound(torch.zeros(4, 2), size),
    }
    if hasattr(model, "sample"):
        calls["n"] = lambda: model.sample(size, *told(model))
    if isinstance(model, GAN):
        calls["d_steps"] = lambda: train_gan_steps(model, x, steps=1, batch_size=1, d_steps=size)
    if isinstance(model, VAE):
        calls |= {
            "k ": lambda: model.log_weights(x, size, *told(model)),
            "latent_dim": lambda: VAE(latent_dim=size),
            "sizes": lambda: VAE(hidden_dims=(8, size)),
            "event_shape": lambda: VAE(event_shape=(1, size, 4)),
            "sizes ": lambda: nets.mlp([3, size]),
        }
        if model.latent_dim == 2 and not told(model):
            calls["points"] = lambda: metrics.grid_log_joint(model, x, size)
    for what, call in calls.items():
        refused(error, f"{what.strip()}: expected a positive integer, got {size!r}", call)


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
def test_what_is_no_label_is_refused(y, error, came):
    model = build("vae-conditional")
    x, z = examples(model, 3), torch.zeros(3, 2)
    for call in (
        lambda: model.loss(x, y),
        lambda: model.elbo(x, y),
        lambda: model.encode(x, y),
        lambda: model.decode(z, y),
        lambda: model.sample(3, y),
        lambda: model.log_weights(x, 2, y),
    ):
        refused(error, came, call)
    if len(y) != 3:
        refused(ValueError, str(len(y)), lambda: train_steps(model, x, y, steps=1, batch_size=1))


@pytest.mark.parametrize("size", [-0.1, math.nan, math.inf, -1])
def test_a_weight_and_a_deviation_must_make_sense(size):
    refused(ValueError, str(size), lambda: VAE(2, (4,), (3,), beta=size))
    refused(ValueError, str(size), lambda: GaussianVAE(2, (4,), (3,), sigma=size))


@pytest.mark.parametrize("sizes", [[], [3]])
def test_a_network_needs_an_input_and_an_output(sizes):
    refused(ValueError, str(sizes), lambda: nets.mlp(sizes))


@hard
@given(shape=st.lists(st.integers(0, 4), max_size=3).map(tuple))
def test_latents_of_another_shape_are_refused(shape):
    model = VAE(5, (4,), (3,))
    refused(ValueError, f"shape {shape}", lambda: model.decode(torch.zeros(shape)))
    refused(ValueError, f"shape {shape}", lambda: model.log_likelihood_table(torch.zeros(1, 3), torch.zeros(shape)))


@pytest.mark.parametrize(
    ("z", "error", "came"),
    [
        (torch.full((1, 5), torch.nan), ValueError, "NaN"),
        (torch.full((1, 5), -torch.inf), ValueError, "infinity"),
        (torch.zeros(1, 5).double(), TypeError, "torch.float64"),
        (torch.zeros(1, 5).long(), TypeError, "torch.int64"),
        ([[0.0] * 5], TypeError, "list"),
    ],
)
def test_latents_of_other_numbers_are_refused(z, error, came):
    refused(error, came, lambda: VAE(5, (4,), (3,)).decode(z))


@every_model
def test_a_model_in_double_precision_takes_doubles(name):
    model = build(name).double()
    x = examples(model)
    y = told(model)

    def value(model, x):
        if hasattr(model, "log_prob"):
            return model.log_prob(x, *y)
        loss = model.loss if hasattr(model, "loss") else model.discriminator_loss
        return loss(x, *y, generator=seeded())["loss"]

    refused(TypeError, "torch.float32", lambda: value(model, x))
    found = value(model, x.double())
    assert found.dtype == torch.float64
    if hasattr(model, "sample"):
        assert model.sample(3, *told(model, 3)).dtype == torch.float64
    torch.testing.assert_close(found, value(build(name), x).double(), rtol=1e-5, atol=1e-5)
