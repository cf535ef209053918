"""One update of a GAN is the same in PyTorch, as a pure function, and as a graph."""

import math
from functools import partial

import pytest
import torch
from numeric import seeded
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils import parameters_to_vector
from torch.optim.swa_utils import AveragedModel

from gen_utils import toys
from gen_utils.models.gan import GAN, NON_SATURATING, WGAN_GP
from gen_utils.page.export import export
from gen_utils.page.graphs import gan
from gen_utils.page.graphs.gan import LOSSES
from gen_utils.train import average, train_gan_steps

every_loss = pytest.mark.parametrize("name", LOSSES)


def points(n=5, dims=2, seed=0):
    return torch.randn(n, dims, dtype=torch.float64, generator=seeded(seed))


def small(losses=NON_SATURATING, seed=0, **sizes):
    torch.manual_seed(seed)
    return GAN(**{"latent_dim": 3, "hidden_dims": (8, 8), "losses": losses} | sizes)


def sizes(model):
    return [sum(p.numel() for p in network.parameters()) for network in (model.generator, model.discriminator)]


def test_a_network_runs_with_weights_from_outside():
    model, other = small(seed=0), small(seed=1)
    z = model.noise(5, generator=seeded())
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


@every_loss
def test_the_function_is_adam_on_the_same_noise(name):
    """Fifty rounds of `train_gan_steps` against fifty of the pure step: data, noise and weights agree to 1e-9."""
    model = small(LOSSES[name]).double()
    x, n, lr = points(64), 16, 3e-3
    theta, phi = (parameters_to_vector(net.parameters()).detach() for net in (model.generator, model.discriminator))
    zeros = [torch.zeros_like(w) for w in (theta, theta, phi, phi)]
    m_theta, v_theta, m_phi, v_phi = zeros
    generator, order = seeded(5), iter(())  # the one that `train_gan_steps` makes of its seed
    draw = partial(torch.randn, n, model.latent_dim, generator=generator, dtype=torch.float64)
    double = partial(torch.full, (1,), dtype=torch.float64)
    losses = []
    for t in range(1, 51):
        for k in (2 * t - 1, 2 * t):
            chosen = next(order, None)
            if chosen is None:
                order = iter(torch.randperm(64, generator=generator).split(n))
                chosen = next(order)
            z, u = draw(), torch.rand(n, 1, generator=generator, dtype=torch.float64)
            phi, m_phi, v_phi, d_loss = gan.discriminator_step(
                model, phi, m_phi, v_phi, theta, x[chosen], z, u, double(2 * lr / t), double(k)
            )
        theta, m_theta, v_theta, g_loss = gan.generator_step(
            model, theta, m_theta, v_theta, phi, draw(), double(lr / t), double(t)
        )
        losses.append({"discriminator": d_loss.item(), "generator": g_loss.item()})
    rates = {"lr": lr, "discriminator_lr": 2 * lr, "lr_schedule": lambda t: 1 / t}
    training = train_gan_steps(model, x, steps=50, batch_size=n, d_steps=2, seed=5, **rates)
    for step, expected in zip(training, losses, strict=True):
        assert step.losses == pytest.approx(expected, abs=1e-9)
    for network, weights in ((model.generator, theta), (model.discriminator, phi)):
        assert (parameters_to_vector(network.parameters()) - weights).abs().max() < 1e-9


def discriminator_inputs(model, theta, phi):
    """Examples of the graph's inputs, no two of them one tensor: `make_fx` would take them for one input."""
    u = {"u": torch.rand(64, 1, generator=seeded(3))} if model.losses is WGAN_GP else {}
    x, z = toys.ring().sample(64, generator=seeded(1)), model.noise(64, generator=seeded(2))
    state = {"phi": phi, "m": torch.zeros_like(phi), "v": torch.zeros_like(phi), "theta": theta}
    return state | {"x": x, "z": z} | u | {"lr": torch.tensor([1e-3]), "step": torch.tensor([1.0])}


def generator_inputs(model, theta, phi):
    state = {"theta": theta, "m": torch.zeros_like(theta), "v": torch.zeros_like(theta), "phi": phi}
    return state | {
        "z": model.noise(64, generator=seeded(4)),
        "lr": torch.tensor([1e-3]),
        "step": torch.tensor([1.0]),
    }


def discriminator_step(model):
    """The step with the inputs of its graph: only WGAN-GP's has u."""
    if model.losses is WGAN_GP:
        return partial(gan.discriminator_step, model)
    return lambda phi, m, v, theta, x, z, *rest: gan.discriminator_step(model, phi, m, v, theta, x, z, None, *rest)


GRAPHS = {}  # by the loss they contain: some pairs share one


def exported(loss, function, inputs):
    if loss not in GRAPHS:
        traced = make_fx(function)(*inputs.values())
        GRAPHS[loss] = export(traced, inputs, ["weights", "m2", "v2", "loss"], f"step_{len(GRAPHS)}")
    return GRAPHS[loss]


@pytest.mark.slow
@every_loss
def test_the_graph_is_the_step_after_one_and_after_a_hundred(name):
    model = small(LOSSES[name], hidden_dims=(16, 16))
    theta, phi = gan.start(model, torch.randn(sum(sizes(model)), generator=seeded()))
    d, g = discriminator_inputs(model, theta, phi), generator_inputs(model, theta, phi)
    d_step, g_step = discriminator_step(model), partial(gan.generator_step, model)
    d_graph, g_graph = exported(model.losses.discriminator, d_step, d), exported(model.losses.generator, g_step, g)

    def run(graph, *inputs, names):
        return [
            torch.from_numpy(a)
            for a in graph.run(**{k: a.numpy() for k, a in zip(names, inputs, strict=True)}).values()
        ]

    ways = ((d_step, g_step), (partial(run, d_graph, names=d), partial(run, g_graph, names=g)))
    states = [(dict(d), dict(g)) for _ in ways]
    data, noise = toys.ring(), seeded(7)
    for t in range(1, 101):
        fresh = {
            "x": data.sample(64, generator=noise),
            "z": model.noise(64, generator=noise),
            "step": torch.tensor([float(t)]),
        }
        fresh |= {"u": torch.rand(64, 1, generator=noise)} if "u" in d else {}
        z, losses = model.noise(64, generator=noise), []
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


def test_the_mean_of_the_weights_is_that_of_training_in_pytorch():
    """One averaging rule: `average`, as `AveragedModel` calls it, and its twin in the graph."""
    model = torch.nn.Linear(3, 1, bias=False).double().requires_grad_(False)
    averaged, mean = AveragedModel(model, multi_avg_fn=average), torch.full((3,), 1e9, dtype=torch.float64)
    for t in range(1, 200):
        model.weight.normal_(generator=seeded(t))
        averaged.update_parameters(model)
        mean = gan.moving_average(mean, model.weight[0].clone(), torch.tensor([float(t)]))
        torch.testing.assert_close(mean, averaged.module.weight[0], rtol=1e-6, atol=1e-6)
