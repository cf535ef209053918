"""The games are the papers', their penalties exact; one step is the same in PyTorch, as a function, as a graph."""

import math
from functools import partial

import pytest
import torch
from numeric import seeded
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils import parameters_to_vector

from gen_utils import toys
from gen_utils.base import GenerativeModel
from gen_utils.models import gan
from gen_utils.models.gan import GAN, MINIMAX, NON_SATURATING, R1, WGAN_GP, Game, r1
from gen_utils.page.export import export
from gen_utils.train import train_gan_steps

GAMES = {"minimax": MINIMAX, "non_saturating": NON_SATURATING, "wgan_gp": WGAN_GP, "r1": R1}
every_game = pytest.mark.parametrize("name", GAMES)
U = torch.rand(5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(9))


def points(n=5, dims=2, seed=0):
    return torch.randn(n, dims, dtype=torch.float64, generator=seeded(seed))


def small(game=NON_SATURATING, seed=0, **sizes):
    torch.manual_seed(seed)
    return GAN(**{"latent_dim": 3, "hidden_dims": (8, 8), "game": game} | sizes)


# What each network minimises.


def normal(x, mu, sigma):
    return (-0.5 * ((x - mu) / sigma) ** 2).exp() / (sigma * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("game", [MINIMAX, NON_SATURATING])
def test_against_the_best_discriminator_the_value_is_jensen_and_shannons(game):
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
        parts.append(game.discriminator(D, real, fake, None))
    value = -((p * parts[0] + q * parts[1]).sum() * width)
    assert abs(value + math.log(4) - 2 * divergence) < 1e-9


def test_both_generators_want_the_same_and_only_one_gets_a_gradient_where_it_loses():
    """At D(fake) = sigmoid(a): d/da log(1 − D) = −D, and d/da (−log D) = −(1 − D)."""
    a = torch.linspace(-30, 30, 13, dtype=torch.float64)
    slopes = {}
    for game in (MINIMAX, NON_SATURATING):
        fake = a.clone().requires_grad_()
        loss = game.generator(lambda fake: fake, fake)
        (slopes[game],) = torch.autograd.grad(loss.sum(), fake)
        probability = a.sigmoid()
        expected = torch.log1p(-probability) if game is MINIMAX else -probability.log()
        inside = a.abs() < 20  # beyond, 1 − D is rounded
        torch.testing.assert_close(loss[inside], expected[inside], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(slopes[MINIMAX], -a.sigmoid())
    torch.testing.assert_close(slopes[NON_SATURATING], -(-a).sigmoid())
    assert abs(slopes[MINIMAX][0]) < 1e-12  # the fake is seen through, and nothing is learnt
    assert abs(slopes[NON_SATURATING][0] + 1) < 1e-12


def test_wgan_gp_on_a_linear_critic_is_exact():
    w, b = torch.tensor([3.0, -4.0], dtype=torch.float64), 0.7
    x, fake = points(seed=1), points(seed=2)
    found = WGAN_GP.discriminator(lambda x: x @ w + b, x, fake, U)
    torch.testing.assert_close(found, (fake - x) @ w + 10 * (5 - 1) ** 2)
    torch.testing.assert_close(WGAN_GP.generator(lambda x: x @ w + b, fake), -(fake @ w + b))


def test_wgan_gp_looks_between_each_real_and_its_fake():
    """The slope of |x|²/2 is x itself, so the penalty tells where it was taken: u·x + (1 − u)·fake."""
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
        torch.testing.assert_close(r1(gamma).discriminator(D, x, fake, U), plain + gamma / 2 * slope.pow(2).sum(1))
    assert r1(gamma).generator is NON_SATURATING.generator


@pytest.mark.parametrize("gamma", [-0.1, math.nan, math.inf])
def test_a_penalty_must_make_sense(gamma):
    with pytest.raises(ValueError, match=f"gamma: expected .* got {gamma}"):
        r1(gamma)


def test_both_cross_entropies_are_one_and_only_wgan_looks_at_u():
    assert MINIMAX.discriminator is NON_SATURATING.discriminator
    x, fake = points(seed=1), points(seed=2)
    losses = [[g.discriminator(lambda x: (x**2).sum(1), x, fake, u) for u in (U, 1 - U)] for g in GAMES.values()]
    assert [torch.equal(*pair) for pair in losses] == [True, True, False, True]


@every_game
def test_backward_finds_the_slope_of_every_loss(name):
    """`.backward()` through a penalty, itself a gradient, against finite differences."""
    model = small(GAMES[name]).double()
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


@pytest.mark.parametrize("event_shape", [(2,), (7,), (1, 3, 4)])
@every_game
def test_shapes_and_what_is_offered(name, event_shape):
    model = small(GAMES[name], event_shape=event_shape)
    x = model.sample(5, generator=seeded())
    assert isinstance(model, GenerativeModel)
    assert x.shape == (5, *event_shape)
    assert not x.requires_grad
    assert model.discriminator(x).shape == (5,)
    assert model.discriminator_loss(x)["loss"].shape == (5,)
    assert model.generator_loss(4)["loss"].shape == (4,)
    assert not any(hasattr(model, missing) for missing in ("log_prob", "elbo", "loss"))


@every_game
def test_each_network_learns_from_its_own_loss(name):
    model = small(GAMES[name])
    model.discriminator_loss(points().float(), generator=seeded())["loss"].mean().backward()
    assert all(p.grad is None for p in model.generator.parameters())
    # The last bias moves all logits: a critic that only compares does not feel it.
    *felt, last = model.discriminator.parameters()
    assert all(p.grad.any() for p in felt)
    assert last.grad.any() == (name != "wgan_gp")
    model.generator_loss(5, generator=seeded())["loss"].mean().backward()
    assert all(p.grad.any() for p in model.generator.parameters())


@every_game
def test_the_seed_fixes_every_bit_and_another_one_changes_them(name):
    model, x = small(GAMES[name]), points().float()
    draws = [
        lambda generator: model.sample(5, generator=generator),
        lambda generator: model.discriminator_loss(x, generator=generator)["loss"],
        lambda generator: model.generator_loss(5, generator=generator)["loss"],
    ]
    for draw in draws:
        first = draw(seeded(0))
        torch.manual_seed(1)  # nothing may come from the global generator
        assert torch.equal(first, draw(seeded(0)))
        assert not torch.equal(first, draw(seeded(1)))


class Labelled(GAN):
    """A GAN that is told labels, as a subclass writes it."""

    class Told(torch.nn.Module):
        def __init__(self, network, size):
            super().__init__()
            self.network, self.label = network, torch.nn.Embedding(3, size)

        def forward(self, x, y):
            return self.network(x + self.label(y))

    def __init__(self):
        super().__init__(3, (8,))
        self.generator, self.discriminator = self.Told(self.generator, 3), self.Told(self.discriminator, 2)


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


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda m: m.sample(0), ValueError, "n: expected a positive integer, got 0"),
        (lambda m: m.generator_loss(-1), ValueError, "n: expected a positive integer, got -1"),
        (lambda m: m.generator_loss(2.0), TypeError, "n: expected a positive integer, got 2.0"),
        (lambda m: m.discriminator_loss(torch.zeros(3)), ValueError, r"x: expected .* got shape \(3,\)"),
        (lambda m: m.discriminator_loss(torch.zeros(3, 2) / 0), ValueError, "x: expected finite values, got NaN"),
        (lambda m: m.discriminator_loss(torch.zeros(3, 2).double()), TypeError, "x: expected a float32 .*float64"),
        (lambda m: GAN(latent_dim=0), ValueError, "latent_dim: expected a positive integer, got 0"),
        (lambda m: GAN(hidden_dims=(8, 0)), ValueError, "sizes: expected a positive integer, got 0"),
        (lambda m: GAN(event_shape=(-2,)), ValueError, "event_shape: expected a positive integer, got -2"),
    ],
)
def test_nonsense_is_refused(call, error, told):
    with pytest.raises(error, match=told):
        call(small())


# One step as a function of flat vectors.


def sizes(model):
    return [sum(p.numel() for p in network.parameters()) for network in (model.generator, model.discriminator)]


def test_a_network_runs_with_weights_from_outside():
    model, other = small(seed=0), small(seed=1)
    z = model.noise(5, seeded())
    theta = parameters_to_vector(other.generator.parameters())
    assert torch.equal(gan.call(model.generator, theta, z), other.generator(z))


def test_the_start_has_logits_and_points_of_order_one():
    model = small(latent_dim=2, hidden_dims=(64, 64))
    theta, phi = gan.start(model, torch.randn(sum(sizes(model)), generator=seeded()))
    assert [len(theta), len(phi)] == sizes(model)
    for network, weights in ((model.generator, theta), (model.discriminator, phi)):
        place = 0
        for p in network.parameters():
            piece = weights[place : place + p.numel()]
            place += p.numel()
            if p.ndim == 1:
                assert not piece.any()
            else:  # a sample's deviation, within four standard errors of one over the root of the inputs
                error = abs(piece.std().item() * math.sqrt(p.shape[1]) - 1)
                assert error < 4 / math.sqrt(2 * p.numel())


@every_game
def test_the_function_is_adam_on_the_same_noise(name):
    """Fifty rounds of `train_gan_steps` against fifty of the pure step: data, noise and weights agree to 1e-9."""
    model = small(GAMES[name]).double()
    x, n, lr = points(64), 16, 3e-3
    theta, phi = (parameters_to_vector(net.parameters()).detach() for net in (model.generator, model.discriminator))
    zeros = [torch.zeros_like(w) for w in (theta, theta, phi, phi)]
    m_theta, v_theta, m_phi, v_phi = zeros
    generator, order = seeded(5), iter(())  # the one that `train_gan_steps` makes of its seed
    draw = partial(torch.randn, n, model.latent_dim, generator=generator)
    double = partial(torch.full, (1,), dtype=torch.float64)
    losses = []
    for t in range(1, 51):
        for k in (2 * t - 1, 2 * t):
            chosen = next(order, None)
            if chosen is None:
                order = iter(torch.randperm(64, generator=generator).split(n))
                chosen = next(order)
            z, u = draw().double(), torch.rand(n, 1, generator=generator).double()
            phi, m_phi, v_phi, d_loss = gan.discriminator_step(
                model, phi, m_phi, v_phi, theta, x[chosen], z, u, double(2 * lr / t), double(k)
            )
        theta, m_theta, v_theta, g_loss = gan.generator_step(
            model, theta, m_theta, v_theta, phi, draw().double(), double(lr / t), double(t)
        )
        losses.append({"discriminator": d_loss.item(), "generator": g_loss.item()})
    training = train_gan_steps(
        model,
        x,
        steps=50,
        batch_size=n,
        lr=lr,
        discriminator_lr=2 * lr,
        d_steps=2,
        seed=5,
        lr_schedule=lambda t: 1 / t,
    )
    for step, expected in zip(training, losses, strict=True):
        assert step.losses == pytest.approx(expected, abs=1e-9)
    for network, weights in ((model.generator, theta), (model.discriminator, phi)):
        assert (parameters_to_vector(network.parameters()) - weights).abs().max() < 1e-9


def discriminator_inputs(model, theta, phi):
    """Examples of the graph's inputs, no two of them one tensor: `make_fx` would take them for one input."""
    u = {"u": torch.rand(64, 1, generator=seeded(3))} if model.game is WGAN_GP else {}
    x, z = toys.ring().sample(64, generator=seeded(1)), model.noise(64, seeded(2))
    state = {"phi": phi, "m": torch.zeros_like(phi), "v": torch.zeros_like(phi), "theta": theta}
    return state | {"x": x, "z": z} | u | {"lr": torch.tensor([1e-3]), "step": torch.tensor([1.0])}


def generator_inputs(model, theta, phi):
    state = {"theta": theta, "m": torch.zeros_like(theta), "v": torch.zeros_like(theta), "phi": phi}
    return state | {"z": model.noise(64, seeded(4)), "lr": torch.tensor([1e-3]), "step": torch.tensor([1.0])}


def discriminator_step(model):
    """The step with the inputs of its graph: only WGAN-GP's has u."""
    if model.game is WGAN_GP:
        return partial(gan.discriminator_step, model)
    return lambda phi, m, v, theta, x, z, *rest: gan.discriminator_step(model, phi, m, v, theta, x, z, None, *rest)


GRAPHS = {}  # by the loss they contain, since games share


def exported(loss, function, inputs):
    if loss not in GRAPHS:
        traced = make_fx(function)(*inputs.values())
        GRAPHS[loss] = export(traced, inputs, ["weights", "m2", "v2", "loss"], f"step_{len(GRAPHS)}")
    return GRAPHS[loss]


@every_game
def test_the_graph_is_the_step_after_one_and_after_a_hundred(name):
    model = small(GAMES[name], hidden_dims=(16, 16))
    theta, phi = gan.start(model, torch.randn(sum(sizes(model)), generator=seeded()))
    d, g = discriminator_inputs(model, theta, phi), generator_inputs(model, theta, phi)
    d_step, g_step = discriminator_step(model), partial(gan.generator_step, model)
    d_graph, g_graph = exported(model.game.discriminator, d_step, d), exported(model.game.generator, g_step, g)

    def run(graph, *inputs, names):
        return [
            torch.from_numpy(a)
            for a in graph.run(**{k: a.numpy() for k, a in zip(names, inputs, strict=True)}).values()
        ]

    ways = ((d_step, g_step), (partial(run, d_graph, names=d), partial(run, g_graph, names=g)))
    states = [(dict(d), dict(g)) for _ in ways]
    data, noise = toys.ring(), seeded(7)
    for t in range(1, 101):
        fresh = {"x": data.sample(64, generator=noise), "z": model.noise(64, noise), "step": torch.tensor([float(t)])}
        fresh |= {"u": torch.rand(64, 1, generator=noise)} if "u" in d else {}
        z, losses = model.noise(64, noise), []
        for (first, second), (d, g) in zip(ways, states, strict=True):
            d.update(fresh)
            d["phi"], d["m"], d["v"], d_loss = first(*d.values())
            g.update(phi=d["phi"], z=z, step=fresh["step"])
            g["theta"], g["m"], g["v"], g_loss = second(*g.values())
            d["theta"] = g["theta"]
            losses.append(torch.cat([d_loss, g_loss]))
        if t in (1, 100):
            (d, g), (d_onnx, g_onnx) = states
            pairs = [(d[k], d_onnx[k]) for k in ("phi", "m", "v")] + [(g[k], g_onnx[k]) for k in ("theta", "m", "v")]
            # Moments relative to their size, which for WGAN-GP is about 10.
            apart = max(((a - b).abs().max() / a.abs().max().clamp(min=1)).item() for a, b in [*pairs, tuple(losses)])
            assert apart <= {1: 1e-5, 100: 1e-4}[t], (t, apart)
    assert (states[0][0]["phi"] - phi).abs().max() > 0.01  # it has moved


def test_small_constants_survive_the_export():
    """Without Adam's, 0/0 would stop the page's training."""

    def update(gradient, m, v, lr, step):
        return gan.adam(torch.zeros_like(gradient), gradient, m, v, lr, step)[0]

    inputs = {"gradient": torch.zeros(3), "m": torch.zeros(3), "v": torch.zeros(3)}
    inputs |= {"lr": torch.ones(1), "step": 2 * torch.ones(1)}
    graph = export(make_fx(update)(*inputs.values()), inputs, ["theta"], "constants")
    found = graph.run(**{name: value.numpy() for name, value in inputs.items()})
    assert not found["theta"].any()  # neither moved nor NaN


def test_the_mean_forgets_its_start_and_then_what_is_long_past():
    history = [torch.randn(3, dtype=torch.float64, generator=seeded(t)) for t in range(6000)]
    mean = torch.full((3,), 1e9, dtype=torch.float64)
    for t, theta in enumerate(history, 1):
        mean = gan.moving_average(mean, theta, torch.tensor([t], dtype=torch.float64))
        if t == 1:
            assert torch.allclose(mean, theta)
        if t == 991:  # of step s ≤ t, the weight is 10/(9 + s) · Π (r − 1)/(9 + r) over later r
            shares = [
                10 / (9 + s) * math.prod((r - 1) / (9 + r) for r in range(s + 1, t + 1)) for s in range(1, t + 1)
            ]
            assert math.isclose(sum(shares), 1)
            assert torch.allclose(mean, sum(w * theta for w, theta in zip(shares, history, strict=False)))
    assert torch.allclose(gan.moving_average(mean, mean + 1, torch.tensor([9000.0])), mean + 0.002)


def test_a_game_may_be_ones_own():
    own = Game(lambda f, x, fake, u: (f(x) - 1) ** 2 + f(fake) ** 2, lambda f, fake: (f(fake) - 1) ** 2)
    model = small(own)
    assert model.generator_loss(3, generator=seeded())["loss"].ge(0).all()
    assert len(list(train_gan_steps(model, points().float(), steps=2, batch_size=5))) == 2
