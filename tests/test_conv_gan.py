"""The convolutional GAN minimises what its papers say, listens to the label, and exports."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numeric import seeded
from torch.optim.swa_utils import AveragedModel

from gen_utils.models.conv_gan import GAMMA, ConvGAN
from gen_utils.output import output_folder
from gen_utils.page.export import export, round_to_half
from gen_utils.train import average, train_gan_steps


def build(seed=0, **sizes):
    torch.manual_seed(seed)
    return ConvGAN(**{"latent_dim": 5, "generator_width": 4, "discriminator_width": 3} | sizes)


def examples(n=16):
    return torch.rand(n, 1, 28, 28, generator=seeded(1)), torch.randint(10, (n,), generator=seeded(2))


def test_losses_are_cross_entropies_and_the_penalty_is_half_the_squared_slope():
    model, (x, y) = build().double().eval(), examples()  # eval: samples that do not depend on who is beside them
    x = x.double()
    fake = model.sample(16, y, generator=seeded())
    real_logit, fake_logit = (model.discriminator.body(part)[range(16), y] for part in (x, fake))
    ones = torch.ones(16, dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(real_logit, ones, reduction="none")
    expected = expected + F.binary_cross_entropy_with_logits(fake_logit, 1 - ones, reduction="none")
    found = model.discriminator_loss(x, y, generator=seeded())
    torch.testing.assert_close(found["loss"] - found["penalty"], expected)

    # By finite differences along the slope itself: |∇f| is f's derivative in that direction.
    few = x[:2].clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(few, y[:2]).sum(), few)
    norm = slope.flatten(1).norm(dim=1)
    move = 1e-4 * slope / norm.view(-1, 1, 1, 1)
    with torch.no_grad():
        rise = (model.discriminator(x[:2] + move, y[:2]) - model.discriminator(x[:2] - move, y[:2])) / 2e-4
    torch.testing.assert_close(found["penalty"][:2], 8 * GAMMA / 2 * rise**2, rtol=1e-6, atol=0)
    assert (found["penalty"][2:] == 0).all()

    praise = F.binary_cross_entropy_with_logits(fake_logit, ones, reduction="none")
    torch.testing.assert_close(model.generator_loss(16, y, generator=seeded())["loss"], praise)


@pytest.mark.parametrize("n", [1, 7, 8, 20])
def test_the_penalty_s_mean_is_that_over_those_asked(n):
    model, (x, y) = build(), examples(n)
    penalty = model.discriminator_loss(x, y)["penalty"].detach()
    few = max(1, n // 8)
    assert (penalty > 0).sum() == few
    alone = model.discriminator_loss(x[:1], y[:1])["penalty"].detach()
    assert math.isclose(penalty[0] * few / n, alone[0], rel_tol=1e-5)


@pytest.mark.parametrize("who", ["generator", "discriminator"])
def test_each_loss_reaches_every_weight_of_its_network(who):
    model, (x, y) = build(), examples(64)
    losses = {"generator": model.generator_loss(64, y), "discriminator": model.discriminator_loss(x, y)}
    losses[who]["loss"].mean().backward()
    for name, parameter in getattr(model, who).named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name
    if who == "discriminator":
        assert all(parameter.grad is None for parameter in model.generator.parameters())


def test_no_logit_depends_on_another_image():
    D, (x, y) = build().discriminator, examples(6)
    alone = torch.cat([D(x[i : i + 1], y[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(D(x, y), alone)
    torch.testing.assert_close(D.logits(x)[torch.arange(6), y], alone)
    assert D.logits(x).shape == (6, 10)


def test_it_learns_which_label_means_what():
    y = torch.arange(512) % 2
    x = torch.rand(512, 1, 28, 28, generator=seeded()) * 0.2
    x[y == 0, :, :14] += 0.7
    x[y == 1, :, 14:] += 0.7
    model = build(classes=2)
    averaged = AveragedModel(model, multi_avg_fn=average)
    for _ in train_gan_steps(model, x, y, steps=150, batch_size=32, lr=8e-3):
        averaged.update_parameters(model)
    samples = averaged.module.eval().sample(512, y, generator=seeded(4))
    for label in (0, 1):
        found = samples[y == label].mean(0)
        assert (found - x[y == label].mean(0)).abs().mean() < 0.1  # the other label's mean is 0.7 away


def test_the_average_s_memory_grows_with_the_run():
    # On a ramp a(t) = t it obeys t·m·a′ = t − a, whose solution is t/(1 + m): the last twentieth, m, whatever t.
    averaged = [torch.zeros(1, dtype=torch.float64)]
    for number in range(1, 4001):
        average(averaged, [torch.full((1,), float(number), dtype=torch.float64)], number)
        if number in (1000, 4000):
            assert math.isclose(averaged[0].item(), number / 1.05, rel_tol=2e-3)


def test_an_averaged_model_starts_as_a_copy_and_takes_the_buffers():
    model, (_, y) = build(), examples()
    averaged = AveragedModel(model, multi_avg_fn=average)
    averaged.update_parameters(model)
    model.generator_loss(16, y)  # moves the running means
    averaged.update_parameters(model)
    assert all(map(torch.equal, averaged.module.state_dict().values(), model.state_dict().values()))


def test_both_networks_export_with_their_weights_in_half_precision():
    torch.manual_seed(0)
    model = ConvGAN().eval()
    round_to_half(model)
    (x, _), z = examples(1), torch.randn(1, 32, generator=seeded())
    ten = torch.arange(10)
    G = export(lambda z: model.generator(z.expand(10, -1), ten), {"z": z}, ["x"], "05_test_generator")
    D = export(lambda x: model.discriminator.logits(x).sigmoid(), {"x": x}, ["p"], "05_test_discriminator")
    halves = [sum(p.numel() for p in network.parameters()) * 2 for network in (model.generator, model.discriminator)]
    for graph, half in zip((G, D), halves, strict=True):
        assert graph.path.is_relative_to(output_folder())
        assert graph.error <= 1e-5
        assert half <= len(graph.read()) <= half + 60_000
    z, x = torch.randn(1, 32, generator=seeded(5)), torch.rand(1, 1, 28, 28, generator=seeded(6))  # others
    with torch.no_grad():
        images, p = (
            model.generator(z.expand(10, -1), ten),
            model.discriminator(x.expand(10, -1, -1, -1), ten).sigmoid(),
        )
    assert G.run(z=z.numpy())["x"].shape == (10, 1, 28, 28)
    np.testing.assert_allclose(G.run(z=z.numpy())["x"], images.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(D.run(x=x.numpy())["p"], p[None].numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("event_shape", [(1, 28, 28), (3, 8, 20), (2, 4, 4)])
def test_images_may_have_any_channels_and_any_sides_divisible_by_4(event_shape):
    model, y = build(classes=3, event_shape=event_shape), torch.tensor([0, 2])
    x = model.sample(2, y, generator=seeded())
    assert x.shape == (2, *event_shape)
    assert 0 <= x.amin() < x.amax() <= 1
    assert model.discriminator_loss(x, y)["loss"].shape == (2,)


@pytest.mark.parametrize("event_shape", [(28, 28), (1, 28, 30), (1, 27, 28), (1, 1, 28, 28)])
def test_other_shapes_are_refused_at_once(event_shape):
    with pytest.raises(ValueError, match=r"event_shape: expected .* multiples of 4, got"):
        ConvGAN(event_shape=event_shape)


def test_sampling_between_two_steps_of_training_changes_neither_draws_nor_statistics():
    model, (_, y) = build(), examples()
    asleep, awake = copy.deepcopy(model).eval(), model.train()
    for _ in range(2):  # in training mode too, draws depend on the running statistics only
        assert torch.equal(awake.sample(16, y, generator=seeded()), asleep.sample(16, y, generator=seeded()))
    statistics = awake.generator.body[2].running_mean.clone()
    awake.discriminator_loss(*examples())  # but its fake batch is training
    assert not torch.equal(awake.generator.body[2].running_mean, statistics)
