"""Training repeats, counts, visits all the data, stops where the caller does, and stops itself on nonsense."""

import math
from itertools import chain

import pytest
import torch
from torch import nn

from gen_utils.base import Trainable
from gen_utils.data import binarize
from gen_utils.models.gan import GAN, GANLosses
from gen_utils.models.vae import VAE, GaussianVAE
from gen_utils.train import Step, train_gan_steps, train_steps


class Recorder(Trainable):
    """One weight, pulled to 0, and a record of what came by; its loss is `bad` from call `fails` on."""

    def __init__(self, fails=math.inf, bad=math.nan):
        super().__init__((1,))
        self.weight = nn.Parameter(torch.tensor(5.0))
        self.fails, self.bad, self.seen = fails, bad, []

    def loss(self, x, y=None, *, generator=None):
        self.seen.append(x.flatten().int().tolist())
        loss = self.weight**2 + 0 * x.flatten()
        return {"loss": loss + self.bad if len(self.seen) >= self.fails else loss}


def numbered(n):
    return torch.arange(float(n)).unsqueeze(1)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def small_vae(seed=0):
    torch.manual_seed(seed)
    return VAE(latent_dim=2, hidden_dims=(8,), event_shape=(1, 4, 4))


GREY = torch.rand(48, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def trained(seed):
    model = small_vae()
    torch.seed()  # no number may come from the global generator
    losses = [step.losses for step in train_steps(model, GREY, steps=12, batch_size=16, seed=seed, prepare=binarize)]
    return losses, weights(model)


def test_the_seed_fixes_every_bit_and_another_one_changes_them():
    first, again, other = trained(0), trained(0), trained(1)
    assert first[0] == again[0]
    assert same(first[1], again[1])
    assert first[0] != other[0]
    assert not same(first[1], other[1])


def test_each_update_is_followed_by_its_step():
    model, before = Recorder(), 5.0
    for number, step in enumerate(train_steps(model, numbered(6), steps=7, batch_size=3, lr=0.1), 1):
        assert step == Step(number, {"loss": pytest.approx(before**2)})
        assert len(model.seen) == number
        assert model.weight.item() < before  # updated already, and the loss is the one before
        before = model.weight.item()
    assert number == 7


@pytest.mark.parametrize(("n", "batch_size"), [(12, 4), (12, 12), (12, 1), (13, 4)])
def test_an_epoch_visits_no_example_twice_and_all_that_fill_a_batch(n, batch_size):
    model, batches = Recorder(), n // batch_size
    for _ in train_steps(model, numbered(n), steps=3 * batches, batch_size=batch_size):
        pass
    epochs = [list(chain(*model.seen[i * batches : (i + 1) * batches])) for i in range(3)]
    assert all(len(set(epoch)) == len(epoch) == batches * batch_size for epoch in epochs)
    assert all(set(epoch) <= set(range(n)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3  # each in an order of its own


def test_what_is_frozen_stays_and_the_rest_learns():
    torch.manual_seed(0)
    model = GaussianVAE(latent_dim=2, hidden_dims=(4,), event_shape=(3,), sigma=0.7)
    model.log_sigma.requires_grad_(False)
    before = {name: p.clone() for name, p in model.named_parameters()}
    list(train_steps(model, torch.randn(8, 3), steps=2, batch_size=4))
    kept = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert kept == {"log_sigma"}


def test_prepare_sees_each_batch_first():
    model, raw = Recorder(), []

    def prepare(x, *, generator):
        raw.append(x.flatten().int().tolist())
        return x + 100 + torch.rand(1, generator=generator)

    for _ in train_steps(model, numbered(6), steps=4, batch_size=3, prepare=prepare):
        pass
    assert model.seen == [[i + 100 for i in batch] for batch in raw]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_and_leaves_the_weights_of_the_step_before(bad):
    model = Recorder(fails=4, bad=bad)
    training = train_steps(model, numbered(6), steps=10, batch_size=3, lr=0.1)
    for _ in range(3):
        next(training)
    before = weights(model)
    with pytest.raises(
        FloatingPointError, match=f"the loss became {bad} at step 4 .*before this update. .*smaller lr .now 0.1"
    ):
        next(training)
    assert same(weights(model), before)
    assert list(training) == []
    assert not model.training


def test_a_diverging_vae_says_so():
    with pytest.raises(FloatingPointError, match=r"at step \d+ .*smaller lr \(now 1e\+30\)"):
        list(train_steps(small_vae(), GREY, steps=5, batch_size=16, lr=1e30))


class Cliff(torch.autograd.Function):
    """Finite, with a gradient that is not."""

    @staticmethod
    def forward(ctx, value, bad):
        ctx.bad = bad
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient + ctx.bad, None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_stops_and_leaves_the_weights_of_the_step_before(bad):
    class Falling(Recorder):
        def loss(self, x, y=None, *, generator=None):
            loss = super().loss(x)["loss"]
            return {"loss": Cliff.apply(loss, bad) if len(self.seen) == 4 else loss}

    model = Falling()
    training = train_steps(model, numbered(6), steps=10, batch_size=3, lr=0.1)
    for _ in range(3):
        next(training)
    before = weights(model)
    with pytest.raises(FloatingPointError, match=r"the gradient's norm became (nan|inf) at step 4 .*'loss': \d"):
        next(training)
    assert same(weights(model), before)
    assert list(training) == []
    assert not model.training


# Two networks.


def small_gan(losses=None, seed=0):
    torch.manual_seed(seed)
    return GAN(2, (8,), **({} if losses is None else {"losses": losses}))


PLANE = torch.randn(24, 2, generator=torch.Generator().manual_seed(0))


def gan_trained(seed, **how):
    model = small_gan()
    torch.seed()  # no number may come from the global generator
    losses = [step.losses for step in train_gan_steps(model, PLANE, steps=6, batch_size=8, seed=seed, **how)]
    return losses, weights(model)


def test_the_seed_fixes_every_bit_of_both_networks():
    first, again, other = gan_trained(0), gan_trained(0), gan_trained(1)
    assert first[0] == again[0]
    assert same(first[1], again[1])
    assert first[0] != other[0]
    assert not same(first[1], other[1])
    assert first[0][0].keys() == {"discriminator", "generator"}


@pytest.mark.parametrize("d_steps", [1, 3])
def test_a_round_updates_the_discriminator_on_batches_of_its_own_and_the_generator_once(d_steps):
    calls = []

    class Recorded(GAN):
        def discriminator_loss(self, x, *labels, generator=None):
            calls.append(x)
            return super().discriminator_loss(x, *labels, generator=generator)

        def generator_loss(self, n, *labels, generator=None):
            calls.append(n)
            return super().generator_loss(n, *labels, generator=generator)

    model = Recorded(2, (8,))
    for number, step in enumerate(train_gan_steps(model, PLANE, steps=4, batch_size=4, d_steps=d_steps), 1):
        assert step.number == number
        assert len(calls) == (d_steps + 1) * number
    assert [type(call) is int for call in calls] == 4 * [*d_steps * [False], True]
    seen = torch.cat([x for x in calls if not isinstance(x, int)])[:24]  # an epoch, or what there is of it
    assert len(seen.unique(dim=0)) == len(seen)


def test_rates_are_each_networks_own_and_follow_the_schedule():
    def moved(**how):
        model, numbers = small_gan(), []

        def lr_schedule(number):
            numbers.append(number)
            return 1.0 if number == 1 else 1e-9

        before = weights(model)
        list(train_gan_steps(model, PLANE, steps=3, batch_size=8, lr_schedule=lr_schedule, **how))
        assert numbers == [1, 2, 3]
        after = weights(model)
        return [
            max((after[name] - before[name]).abs().max().item() for name in before if name.startswith(network))
            for network in ("generator", "discriminator")
        ]

    # Adam's first step is lr in every weight, wherever the gradient is far from ε; the others do not count.
    assert moved(lr=1e-2) == pytest.approx([1e-2, 1e-2], rel=0.02)
    assert moved(lr=1e-2, discriminator_lr=1e-3) == pytest.approx([1e-2, 1e-3], rel=0.02)


def falling_losses(who, kind, at):
    """The non-saturating losses, but a network's loss (or only its gradient) is NaN at one of its updates."""
    plain, count = small_gan().losses, []

    def spoiled(loss):
        count.append(1)
        if len(count) != at:
            return loss
        return Cliff.apply(loss, math.nan) if kind == "gradient" else loss + math.nan

    if who == "discriminator":
        return GANLosses(lambda *args: spoiled(plain.discriminator(*args)), plain.generator)
    return GANLosses(plain.discriminator, lambda *args: spoiled(plain.generator(*args)))


@pytest.mark.parametrize("kind", ["loss", "gradient"])
@pytest.mark.parametrize("who", ["discriminator", "generator"])
def test_two_networks_stop_on_nonsense_with_finite_weights(who, kind):
    model = small_gan(falling_losses(who, kind, at=3))
    training = train_gan_steps(model, PLANE, steps=9, batch_size=8, lr=0.1)
    next(training), next(training)
    before = weights(model)
    with pytest.raises(FloatingPointError, match=rf"the {kind}.* became nan at step 3 .*{who}.*smaller lr .now 0.1"):
        next(training)
    kept = [name for name in before if who == "discriminator" or name.startswith("generator")]
    assert all(torch.equal(weights(model)[name], before[name]) for name in kept)
    assert all(p.isfinite().all() for p in model.parameters())
    assert list(training) == []
    assert not model.training


def test_a_diverging_gan_says_so_and_its_weights_are_finite():
    model = small_gan()
    with pytest.raises(FloatingPointError, match=r"at step \d+ .*smaller lr \(now 1e\+30\)"):
        list(train_gan_steps(model, PLANE, steps=9, batch_size=8, lr=1e30))
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "steps: expected a positive integer, got 0"),
        ({"batch_size": 25}, "batch_size: expected at most the 24 examples of x, got 25"),
        ({"lr": -1.0}, "lr: expected a positive number, got -1"),
        ({"lr": math.nan}, "lr: expected a positive number, got nan"),
        ({"discriminator_lr": math.inf}, "lr: expected a positive number, got inf"),
        ({"d_steps": 0}, "d_steps: expected a positive integer, got 0"),
        ({"y": torch.zeros(3)}, "y: expected a label for each of the 24 examples, got 3"),
        ({"x": PLANE[0]}, r"x: expected .* got shape \(2,\)"),
        ({"lr_schedule": lambda number: math.nan}, "learning rate: expected a number that is not negative, got nan"),
        ({"lr_schedule": lambda number: -1.0}, "learning rate: expected a number that is not negative, got -0.001"),
    ],
)
def test_bad_arguments_are_refused_before_any_update(given, message):
    model = small_gan()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        next(train_gan_steps(model, **{"x": PLANE, "steps": 3, "batch_size": 8} | given))
    assert same(weights(model), before)
    if not {"d_steps", "discriminator_lr", "lr_schedule"} & {*given}:  # the other loop has the same check
        with pytest.raises(ValueError, match=message):
            next(train_steps(VAE(2, (8,), (2,)), **{"x": PLANE.sigmoid(), "steps": 3, "batch_size": 8} | given))


def test_stopping_early_leaves_a_usable_model():
    model = small_vae()
    for step in train_steps(model, GREY, steps=1000, batch_size=16):
        if step.number == 3:
            break
    assert not model.training
    assert model.sample(2).isfinite().all()
    assert model.elbo(GREY.round()).isfinite().all()
    assert len(list(train_steps(model, GREY, steps=2, batch_size=16))) == 2


def test_the_learning_rate_warms_up_and_falls():
    # Adam's first steps move each weight by the learning rate, whatever the gradient's size.
    model, lr, path = Recorder(), 1e-3, [5.0]
    for _ in train_steps(model, numbered(4), steps=400, batch_size=4, lr=lr):
        path.append(model.weight.item())
    moved = -torch.tensor(path).double().diff() / lr
    expected = torch.tensor([0.25, 0.5, 0.75, 1.0]).double()  # a hundredth of 400 steps to warm up
    torch.testing.assert_close(moved[:4], expected, atol=2e-3, rtol=0)
    assert moved.argmax() < 20
    assert 0 <= moved[-1] < 0.01


def test_learning_comes_near_the_entropy_of_two_patterns_and_never_below():
    patterns = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
    x = patterns.repeat(64, 1, 1, 1)
    model, losses = small_vae(), []
    for step in train_steps(model, x, steps=200, batch_size=128, lr=2e-2):
        losses.append(step.losses["loss"])
    assert losses[0] > 8  # coin tosses: 16 ln 2 = 11 nats
    draws = -model.elbo(x.repeat(50, 1, 1, 1), generator=torch.Generator().manual_seed(0))
    excess = draws.mean() - math.log(2)  # no model of two equally likely patterns can beat ln 2
    assert -3 * draws.std() / len(draws) ** 0.5 < excess < 1
