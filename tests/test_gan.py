"""The losses are the papers', their penalties exact."""

import math

import pytest
import torch
from numeric import seeded

from gen_utils.models.gan import GAN, MINIMAX, NON_SATURATING, WGAN_GP, GANLosses, r1, r1_penalty
from gen_utils.train import train_gan_steps

LOSSES = {"minimax": MINIMAX, "non_saturating": NON_SATURATING, "wgan_gp": WGAN_GP, "r1": r1()}
every_loss = pytest.mark.parametrize("name", LOSSES)
U = torch.rand(5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(9))


def points(n=5, dims=2, seed=0):
    return torch.randn(n, dims, dtype=torch.float64, generator=seeded(seed))


def small(losses=NON_SATURATING, seed=0, **sizes):
    torch.manual_seed(seed)
    return GAN(**{"latent_dim": 3, "hidden_dims": (8, 8), "losses": losses} | sizes)


# What each network minimises.


def normal(x, mu, sigma):
    return (-0.5 * ((x - mu) / sigma) ** 2).exp() / (sigma * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("losses", [MINIMAX, NON_SATURATING])
def test_against_the_best_discriminator_the_value_is_jensen_and_shannons(losses):
    x = torch.linspace(-25, 25, 20_001, dtype=torch.float64)
    p, q = normal(x, -1, 1), normal(x, 2, 1.5)
    width, middle = x[1] - x[0], (p + q) / 2
    divergence = 0.5 * (p.xlogy(p / middle) + q.xlogy(q / middle)).sum() * width

    def best(points):  # the logit of p/(p + q)
        return (normal(points, -1, 1) / normal(points, 2, 1.5)).log()

    # E_p[f] + E_q[g] by quadrature: the loss is a sum of one term at x and one at the fake.
    far = torch.full_like(x, -1e3)  # where a discriminator that is sure pays nothing
    parts = []
    for real, fake in ((x, far), (-far, x)):
        D = lambda points: torch.where(points == -1e3, -1e3, torch.where(points == 1e3, 1e3, best(points)))  # noqa: E731
        parts.append(losses.discriminator(D, real, fake, None))
    value = -((p * parts[0] + q * parts[1]).sum() * width)
    assert abs(value + math.log(4) - 2 * divergence) < 1e-9


def test_both_generators_want_the_same_and_only_one_gets_a_gradient_where_it_loses():
    """At D(fake) = sigmoid(a): d/da log(1 − D) = −D, and d/da (−log D) = −(1 − D)."""
    a = torch.linspace(-30, 30, 13, dtype=torch.float64)
    slopes = {}
    for losses in (MINIMAX, NON_SATURATING):
        fake = a.clone().requires_grad_()
        loss = losses.generator(lambda fake: fake, fake)
        (slopes[losses],) = torch.autograd.grad(loss.sum(), fake)
        probability = a.sigmoid()
        expected = torch.log1p(-probability) if losses is MINIMAX else -probability.log()
        inside = a.abs() < 20  # beyond, 1 − D is rounded
        torch.testing.assert_close(loss[inside], expected[inside], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(slopes[MINIMAX], -a.sigmoid())
    torch.testing.assert_close(slopes[NON_SATURATING], -(-a).sigmoid())
    assert abs(slopes[MINIMAX][0]) < 1e-12  # D is sure of the fake, and G learns nothing
    assert abs(slopes[NON_SATURATING][0] + 1) < 1e-12


def test_wgan_gp_on_a_linear_critic_is_exact():
    w, b = torch.tensor([3.0, -4.0], dtype=torch.float64), 0.7
    x, fake = points(seed=1), points(seed=2)
    found = WGAN_GP.discriminator(lambda x: x @ w + b, x, fake, U)
    torch.testing.assert_close(found, (fake - x) @ w + 10 * (5 - 1) ** 2)
    torch.testing.assert_close(WGAN_GP.generator(lambda x: x @ w + b, fake), -(fake @ w + b))


def test_wgan_gp_looks_between_each_real_and_its_fake():
    """The slope of |x|²/2 is x itself, so the penalty shows where it was taken: u·x + (1 − u)·fake."""
    x, fake = points(seed=1), points(seed=2)

    def square(x):
        return (x**2).sum(1) / 2

    places = torch.stack([u * a + (1 - u) * b for u, a, b in zip(U, x, fake, strict=True)])
    penalty = 10 * (places.pow(2).sum(1).sqrt() - 1) ** 2
    torch.testing.assert_close(WGAN_GP.discriminator(square, x, fake, U), square(fake) - square(x) + penalty)


def test_wgan_gp_interpolates_images_too():
    x, fake = (points(5, 12, seed).view(5, 1, 3, 4) for seed in (1, 2))

    def flat(x):
        return (x.flatten(1) ** 3).sum(1)

    found = WGAN_GP.discriminator(flat, x, fake, U)
    torch.testing.assert_close(found, WGAN_GP.discriminator(flat, x.flatten(1), fake.flatten(1), U))


@pytest.mark.parametrize("gamma", [0.0, 0.1, 10.0])
def test_r1_is_the_squared_slope_at_real_examples_only(gamma):
    w = torch.tensor([3.0, -4.0], dtype=torch.float64)
    x, fake = points(seed=1), points(seed=2)
    for D, slope in ((lambda x: x @ w, w.expand(5, 2)), (lambda x: (x**2).sum(1) / 2, x)):
        plain = NON_SATURATING.discriminator(D, x, fake, U)
        penalty = gamma / 2 * slope.pow(2).sum(1)
        torch.testing.assert_close(r1_penalty(D, x, gamma), penalty)
        torch.testing.assert_close(r1(gamma).discriminator(D, x, fake, U), plain + penalty)
    assert r1(gamma).generator is NON_SATURATING.generator


@pytest.mark.parametrize("gamma", [-0.1, math.nan, math.inf])
def test_a_penalty_must_make_sense(gamma):
    with pytest.raises(ValueError, match=f"gamma: expected .* got {gamma}"):
        r1(gamma)


def test_both_cross_entropies_are_one_and_only_wgan_looks_at_u():
    assert MINIMAX.discriminator is NON_SATURATING.discriminator
    x, fake = points(seed=1), points(seed=2)
    losses = [[g.discriminator(lambda x: (x**2).sum(1), x, fake, u) for u in (U, 1 - U)] for g in LOSSES.values()]
    assert [torch.equal(*pair) for pair in losses] == [True, True, False, True]


@every_loss
def test_backward_finds_the_slope_of_every_loss(name):
    """`.backward()` through a penalty, itself a gradient, against finite differences."""
    model = small(LOSSES[name]).double()
    x, networks = points(6), {"discriminator": model.discriminator, "generator": model.generator}

    def loss(which):
        about = x if which == "discriminator" else 6
        return getattr(model, f"{which}_loss")(about, generator=seeded())["loss"].sum()

    for which, network in networks.items():
        direction = [torch.randn_like(p) for p in network.parameters()]
        gradient = torch.autograd.grad(loss(which), [*network.parameters()])
        slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True)).item()
        ends = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                for p, d in zip(network.parameters(), direction, strict=True):
                    p.add_(step * d)
            ends.append(loss(which).item())
        assert math.isclose(slope, (ends[0] - ends[1]) / 2e-6, rel_tol=1e-4), which


# The model.


@every_loss
def test_each_network_learns_from_its_own_loss(name):
    model = small(LOSSES[name])
    model.discriminator_loss(points().float(), generator=seeded())["loss"].mean().backward()
    assert all(p.grad is None for p in model.generator.parameters())
    # The last bias moves all logits: a critic that only compares does not feel it.
    *felt, last = model.discriminator.parameters()
    assert all(p.grad.any() for p in felt)
    assert last.grad.any() == (name != "wgan_gp")
    model.generator_loss(5, generator=seeded())["loss"].mean().backward()
    assert all(p.grad.any() for p in model.generator.parameters())


class Labelled(GAN):
    """A GAN with labels, as a subclass writes it."""

    class Conditional(torch.nn.Module):
        def __init__(self, network, size):
            super().__init__()
            self.network, self.label = network, torch.nn.Embedding(3, size)

        def forward(self, x, y):
            return self.network(x + self.label(y))

    def __init__(self):
        super().__init__(3, (8,))
        self.classes = 3
        self.generator, self.discriminator = (
            self.Conditional(self.generator, 3),
            self.Conditional(self.discriminator, 2),
        )


def test_labels_reach_both_networks():
    torch.manual_seed(0)
    model, y = Labelled(), torch.tensor([0, 1, 2, 0, 1])
    assert not torch.equal(model.sample(5, y, generator=seeded()), model.sample(5, y.flip(0), generator=seeded()))
    for loss in (
        lambda y: model.discriminator_loss(points().float(), y, generator=seeded())["loss"],
        lambda y: model.generator_loss(5, y, generator=seeded())["loss"],
    ):
        assert not torch.equal(loss(y), loss(y.flip(0)))
    losses = [step.losses for step in train_gan_steps(model, points().float(), y, steps=3, batch_size=5)]
    assert losses[0] != losses[2]


def test_losses_may_be_ones_own():
    own = GANLosses(lambda f, x, fake, u: (f(x) - 1) ** 2 + f(fake) ** 2, lambda f, fake: (f(fake) - 1) ** 2)
    model = small(own)
    assert model.generator_loss(3, generator=seeded())["loss"].ge(0).all()
    assert len(list(train_gan_steps(model, points().float(), steps=2, batch_size=5))) == 2
