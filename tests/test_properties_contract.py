"""Properties of every model: its own precision, no trace of sampling or scoring, no influence of neighbours."""

import random
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numeric import seeded
from test_contract import (
    DRAWS,
    MODELS,
    SCORES,
    TRAINED,
    build,
    every_model,
    examples,
    labels,
    offered,
)

from gen_utils import likelihoods, toys, train
from gen_utils.models import samplers
from gen_utils.models.diffusion import Diffusion, ImageDiffusion
from gen_utils.models.gan import GAN
from gen_utils.models.schedule import Schedule, cosine
from gen_utils.models.unet import UNet
from gen_utils.nets import Denoiser
from gen_utils.train import train_gan_steps, train_steps

few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HALVES = [torch.bfloat16, torch.float16]
every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALVES])
SAMPLERS = {
    "ddpm": samplers.ddpm,
    "ddim": samplers.ddim,
    "ddim with noise": partial(samplers.ddim, eta=0.5),
    "probability flow": samplers.probability_flow,
    "reverse SDE": samplers.reverse_sde,
    "flow matching": samplers.flow_matching,
    "inpaint": lambda predict, x, schedule, **options: samplers.inpaint(predict, x, schedule, x, x > 0, 2, **options),
}


class Normed(torch.nn.Module):
    """A network whose output depends on the batch and on chance, unless it is in evaluation mode."""

    def __init__(self, channels=1):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(channels, 2 * channels, 3, padding=1),
            torch.nn.BatchNorm2d(2 * channels),
            torch.nn.Dropout(0.5),
        )

    def forward(self, x_t, log_snr):
        return self.body(x_t)


# Beside the models of the contract, one that no seed changes, and one whose network normalises over the batch.
ALL = {
    **MODELS,
    "toy-checkerboard": toys.Checkerboard,
    "diffusion-batch-norm": lambda: Diffusion(Normed(), cosine(4), (1, 6, 5)),
}


@pytest.fixture
def default():
    """Function that sets PyTorch's default precision, until the test ends."""
    before = torch.get_default_dtype()
    yield torch.set_default_dtype
    torch.set_default_dtype(before)


def values(model, x, y, names=(*DRAWS, *SCORES)):
    """What every method of the model returns with one seed: a tensor, or its parts, or the states, by name."""
    found = {}
    for method, call in offered(model, names).items():
        inputs = (5, y) if method in DRAWS else (x,) if method == "log_prob" else (x, y)
        result = call(*inputs, **({} if method == "log_prob" else {"generator": seeded()}))
        parts = (
            result if isinstance(result, dict) else dict(enumerate(result if isinstance(result, list) else [result]))
        )
        found |= {(method, part): value for part, value in parts.items()}
    return found


# Precision.


@every_model
@every_dtype
def test_a_model_computes_in_its_own_precision_or_says_that_it_cannot(name, dtype):
    exact, model = build(name).double(), build(name).to(dtype)
    x, y = examples(exact).double(), labels(model)
    if dtype in HALVES and not model.sixteen_bits:
        for method, call in offered(model, [*DRAWS, *SCORES]).items():
            with pytest.raises(TypeError, match=r"expected float32 or float64, got torch.*16; call `.float"):
                call(*((5, y) if method in DRAWS else (x.to(dtype),)))
        return
    for (method, part), value in values(model, x.to(dtype), y).items():
        assert value.isfinite().all(), (method, part)
        # The steps and the bound of a diffusion model need 32 bits, whatever its network has.
        wide = isinstance(model, Diffusion) and dtype in HALVES and method in SCORES
        assert value.dtype == (torch.float32 if wide else dtype), (method, part)
    for method in offered(model, ["log_prob"]):
        close = {"rtol": 0.02, "atol": 0.1} if dtype in HALVES else {"rtol": 1e-4, "atol": 1e-4}
        torch.testing.assert_close(getattr(model, method)(x.to(dtype)).double(), exact.log_prob(x), **close)


@pytest.mark.parametrize("name", [*TRAINED, "gan", "gan-conv"])
@every_dtype
def test_training_keeps_the_precision(name, dtype):
    model = build(name).to(dtype)
    if not model.sixteen_bits and dtype in HALVES:
        return
    before = [p.clone() for p in model.parameters()]
    trainer = train_gan_steps if isinstance(model, GAN) else train_steps
    x = examples(model, 8)  # of PyTorch's default precision
    list(trainer(model, x.to(dtype), labels(model, 8), steps=2, batch_size=4, lr=0.01))
    assert all(p.dtype == dtype and p.isfinite().all() for p in model.parameters())
    assert any(not torch.equal(old, p) for old, p in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("name", [*MODELS, "toy-checkerboard"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_default_precision_changes_no_bit(name, dtype, default):
    torch.manual_seed(0)
    model = ALL[name]().to(dtype)
    x, y = examples(model).to(dtype), labels(model)
    found = []
    for precision in (torch.float32, torch.float64):
        default(precision)
        found.append(values(model.eval(), x, y))
        assert model.dtype == dtype
    assert all(value.dtype == dtype for value in found[1].values())
    assert [key for key, value in found[0].items() if not torch.equal(value, found[1][key])] == []


@every_model
def test_a_model_built_in_another_default_precision_works_in_it(name, default):
    default(torch.float64)
    model = build(name)
    assert all(value.dtype == torch.float64 for value in values(model, examples(model), labels(model)).values())


def test_what_a_model_makes_has_its_precision(default):
    schedule, mixture = Schedule(cosine(20)), toys.moons()
    default(torch.float64)
    assert schedule.strided(5).alpha_bar.dtype == mixture.diffused(0.5).means.dtype == torch.float32
    schedule, mixture = Schedule(cosine(20)), toys.moons()
    default(torch.float32)
    assert schedule.strided(5).alpha_bar.dtype == mixture.diffused(0.5).means.dtype == torch.float64
    assert torch.equal(schedule.strided(5).alpha_bar, schedule.alpha_bar[::4])
    assert torch.equal(mixture.diffused(1.0).means, mixture.means)
    assert torch.equal(mixture.diffused(0.5).log_weights, mixture.log_weights)
    model = Diffusion(Denoiser(2, (4,)).double(), cosine(4))  # the schedule is as its network
    assert {value.dtype for value in model.state_dict().values()} == {torch.float64}
    assert model.sample(3).dtype == torch.float64


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("other", [torch.float32, torch.float64])
@every_dtype
def test_a_sampler_computes_in_the_precision_of_its_noise(name, dtype, other):
    model = Diffusion(Denoiser(2, (8,)).double(), cosine(20))
    schedule = Schedule(cosine(20), other)
    x_T = torch.randn(4, 2, generator=seeded()).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    seeds = [{} if name in ("probability flow", "flow matching") else {"generator": seeded()} for _ in range(2)]
    states = list(SAMPLERS[name](model.predict, x_T, schedule, **seeds[0]))
    assert {state.dtype for state in states} == {wide}
    # The first state apart, not one bit of the path has been rounded to 16.
    again = list(SAMPLERS[name](model.predict, x_T.to(wide), schedule, **seeds[1]))
    assert all(map(torch.equal, states, again))
    assert states[-1].isfinite().all()


@pytest.mark.parametrize("dtype", HALVES)
def test_the_density_of_the_ode_is_computed_in_32_bits(dtype):
    mixture, x = toys.eight_gaussians(), torch.tensor([[0.5, 1.0]]).to(dtype)
    schedule = Schedule(cosine(20))
    found, wide = (
        samplers.ode_log_prob(samplers.from_score(mixture.score), each, schedule) for each in (x, x.float())
    )
    assert found.dtype == torch.float32
    assert torch.equal(found, wide)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_schedule_keeps_its_digits_in_a_model_of_16_bits(dtype):
    model = Diffusion(Denoiser(2, (8,)), cosine(1000))
    before = {key: value.clone() for key, value in model.schedule.state_dict().items()}
    model.to(dtype)
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert all(torch.equal(value, before[key]) for key, value in model.schedule.state_dict().items())


@pytest.mark.parametrize("dtype", HALVES)
def test_all_256_levels_of_grey_come_through_16_bits(dtype):
    model = ImageDiffusion(Normed(), cosine(4), (1, 16, 16), classes=None).to(dtype)
    x = (torch.arange(256) / 255).view(1, 1, 16, 16)
    torch.testing.assert_close(model.prior_kl(x.to(dtype)), model.float().prior_kl(x), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_pixel_that_is_always_white_stays_possible_in_16_bits(dtype):
    assert torch.equal(likelihoods.log_odds(torch.ones(1).to(dtype)), likelihoods.log_odds(torch.ones(1)))
    model = build("vae-2").to(dtype)
    model.start_from(torch.ones(4, 1, 6, 5).to(dtype))
    assert model.elbo(torch.zeros(4, 1, 6, 5).to(dtype)).isfinite().all()


# Sampling and scoring change nothing.


def global_state():
    """All random numbers' states, and whether gradients are on."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), random.getstate(), (kind, keys.tolist(), rest), torch.is_grad_enabled()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("training", [True, False])
def test_sampling_and_scoring_leave_no_trace(name, training):
    torch.manual_seed(0)
    model = ALL[name]().train(training)
    for parameter in [*model.parameters()][::2]:
        parameter.requires_grad_(False)
    x, y = examples(model), labels(model)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    state = global_state()
    values(model, x, y, [*DRAWS[:3], "elbo", "log_prob"])
    if isinstance(model, Diffusion):
        list(samplers.ddim(partial(model.predict, y=y), torch.randn(x.shape, generator=seeded()), model.schedule))
        path = model.sample_path(5, y, generator=seeded())
        next(path)
        assert global_state() == state  # in the middle too
        assert all(module.training == training for module in model.modules())
    assert global_state() == state
    assert all(module.training == training for module in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [bool(i % 2) for i in range(len([*model.parameters()]))]
    assert all(p.grad is None for p in model.parameters())
    assert not x.requires_grad
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


# Neighbours.


def from_latents(model):
    """The function from latents and labels to what a reader sees of them, and the shape of one latent; or none."""
    if isinstance(model, GAN):

        def sample(z, y):
            model.noise = lambda n, generator: z
            return model.sample(len(z), y)

        return sample, (model.latent_dim,)
    if isinstance(model, Diffusion):

        def follow(z, y):
            *_, x = samplers.ddim(partial(model.predict, y=y), z, model.schedule)
            return x

        return follow, model.event_shape
    if hasattr(model, "decode"):
        size = getattr(model, "latent_dim", None) or len(model.shift)
        return (lambda z, y: model.decode(z) if y is None else model.decode(z, y)), (size,)
    return None


LATENT = [name for name, make in ALL.items() if from_latents(make())]


@pytest.mark.parametrize("name", LATENT)
@few
@given(training=st.booleans(), others=st.integers(1, 4), place=st.integers(0, 4), scale=st.sampled_from([0.1, 1, 10]))
def test_the_same_latent_gives_the_same_image_in_any_company(name, training, others, place, scale):
    torch.manual_seed(0)
    model = ALL[name]().train(training)
    decode, shape = from_latents(model)
    z, place = scale * torch.randn(1 + others, *shape, generator=seeded(others)), min(place, others)
    z[place] = torch.randn(shape, generator=seeded())
    y = labels(model, 1 + others)
    alone = decode(z[place, None], None if y is None else y[place, None])
    torch.testing.assert_close(decode(z, y)[place, None], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, make in ALL.items() if {*dir(make())} & {"log_prob", "elbo"}])
@few
@given(training=st.booleans(), place=st.integers(0, 4), seed=st.integers(0, 9))
def test_an_example_s_score_does_not_depend_on_its_neighbours(name, training, place, seed):
    torch.manual_seed(0)
    model = ALL[name]().train(training)
    x, y = examples(model), labels(model)
    other = torch.rand(x.shape, generator=seeded(seed))
    other = other.round() if model.support == (0.0, 1.0) else other
    other[place] = x[place]
    for key, score in values(model, x, y, ["elbo", "log_prob"]).items():  # of the same noise
        again = values(model, other, y, ["elbo", "log_prob"])[key]
        torch.testing.assert_close(again[place], score[place], rtol=1e-4, atol=1e-4)
    if hasattr(model, "log_prob"):
        torch.testing.assert_close(model.log_prob(x[place, None])[0], model.log_prob(x)[place], rtol=1e-4, atol=1e-4)


def test_a_convolutional_gan_between_steps_of_training_draws_as_after_them():
    model = build("gan-conv").train()
    y = labels(model)
    during = model.sample(5, y, generator=seeded())
    assert torch.equal(during, model.eval().sample(5, y, generator=seeded()))


# What must agree when a model is made.


@pytest.mark.parametrize("label", [10, -1])
def test_the_index_of_no_label_is_nobody_s_label(label):
    model = ImageDiffusion(UNet(width=4, hidden=8), cosine(4))
    x, y = torch.zeros(2, 1, 28, 28), torch.tensor([label, 3])
    with pytest.raises(ValueError, match=r"^y: expected .* labels 0…9, got"):
        next(train_steps(model, x, y, steps=1, batch_size=2))


def test_a_model_that_takes_no_labels_says_so():
    flow = build("flow")
    for call in (
        lambda y: flow.sample(2, y),
        lambda y: next(train_steps(flow, torch.zeros(2, 2), y, steps=1, batch_size=2)),
    ):
        with pytest.raises(ValueError, match=r"^y: CouplingFlow takes no labels, got some"):
            call(torch.tensor([0, 1]))


def test_all_labels_are_checked_before_the_first_step():
    model = build("vae-conditional")
    x, y = examples(model, 100), torch.zeros(100).long()
    y[77] = 3
    with pytest.raises(ValueError, match="0…3"):
        next(train_steps(model, x, y, steps=1, batch_size=1))


# Devices.


@pytest.mark.parametrize(
    ("cuda", "mps", "fallback", "expected"),
    [
        (True, True, "1", "cuda"),
        (True, False, None, "cuda"),
        (False, True, "1", "mps"),
        (False, True, None, "cpu"),
        (False, True, "0", "cpu"),
        (False, False, "1", "cpu"),
    ],
)
def test_the_gpu_first_then_apple_s_if_the_cpu_may_help_then_the_cpu(monkeypatch, cuda, mps, fallback, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK", raising=False)
    if fallback is not None:
        monkeypatch.setenv("PYTORCH_ENABLE_MPS_FALLBACK", fallback)
    assert train.device() == torch.device(expected)


def test_a_mask_is_a_tensor():
    x = torch.zeros(2, 2)
    with pytest.raises(TypeError, match="mask: expected a boolean tensor, got list"):
        next(samplers.inpaint(samplers.from_score(toys.moons().score), x, Schedule(cosine(3)), x, [[True, False]]))
