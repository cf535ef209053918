"""The U-Net computes what its parts say, listens to noise and label, learns what can be known, and exports."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numeric import seeded

from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.unet import FLOOR, Block, Bottleneck, UNet, rms
from gen_utils.nets import sinusoidal_embedding
from gen_utils.page.export import export, round_to_half
from gen_utils.train import train_steps


def awake(module, seed=0):
    """Give every parameter a value of its own, also those that start at zero."""
    for parameter in module.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=seeded(seed)).to(parameter.dtype), alpha=0.05)
    return module


def build(**sizes):
    torch.manual_seed(0)
    return UNet(**{"width": 4, "hidden": 8} | sizes)


def inputs(n=3):
    return (
        torch.randn(n, 1, 28, 28, generator=seeded(1)),
        torch.linspace(-9, 9, n),
        10 - 4 * torch.arange(n),  # 10: no label
    )


@pytest.mark.parametrize("event_shape", [(1, 28, 28), (3, 8, 12)])
def test_v_and_c_have_the_shape_of_the_image_and_are_zero_before_training(event_shape):
    network = build(event_shape=event_shape, classes=2)
    given = torch.randn(3, *event_shape, generator=seeded()), torch.zeros(3), torch.arange(3)  # 2: no label
    assert torch.equal(network(*given), torch.zeros(3, 2 * event_shape[0], *event_shape[1:]))
    assert awake(network)(*given).any()


def test_every_parameter_learns_and_no_example_looks_at_another():
    network, (x_t, log_snr, y) = awake(build()), inputs()
    out = network(x_t, log_snr, y)
    out.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    for k in range(3):
        one = slice(k, k + 1)
        torch.testing.assert_close(network(x_t[one], log_snr[one], y[one]), out[one], rtol=1e-4, atol=1e-5)


def test_what_trains_c_trains_nothing_else():
    network = awake(build())
    network(*inputs())[:, 1].square().sum().backward()
    trained = {name for name, parameter in network.named_parameters() if parameter.grad.any()}
    assert trained == {"variance_out.weight", "variance_out.bias", "variance_cond.weight", "variance_cond.bias"}


def test_noise_level_and_label_change_the_prediction():
    network, (x_t, log_snr, y) = awake(build()), inputs()
    out = network(x_t, log_snr, y)
    assert not torch.allclose(network(x_t, log_snr + 1, y), out)
    assert not torch.allclose(network(x_t, log_snr, (y + 1) % 11), out)
    with pytest.raises(IndexError):
        network(x_t, log_snr, torch.full_like(y, 11))


def test_one_pixel_reaches_every_pixel():
    network, (x_t, log_snr, y) = awake(build()), inputs(1)
    x_t.requires_grad_()
    (slope,) = torch.autograd.grad(network(x_t, log_snr, y)[0, 0, 27, 27], x_t)
    assert (slope != 0).all()


def test_detail_passes_beside_the_coarse_map():
    network, (x_t, log_snr, y) = awake(build()), inputs(1)
    for parameter in network.up.parameters():
        parameter.data.zero_()
    out, other = (network(x, log_snr, y) for x in (x_t, x_t.flip(3)))
    assert not torch.allclose(out, other, atol=1e-2)


def test_the_embedding_is_sines_and_then_cosines():
    x, frequencies = torch.tensor([[-20.0, 3.0], [-0.3, 0.0], [11.0, 2.0]]), torch.logspace(-1, 0.5, 5)
    angle = (x.numpy()[:, :, None] * np.geomspace(0.1, 10**0.5, 5)).reshape(3, 10)
    expected = torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], 1)).float()
    torch.testing.assert_close(sinusoidal_embedding(x, frequencies), expected, rtol=1e-4, atol=1e-4)
    of_one = sinusoidal_embedding(x[:, 0], frequencies)
    torch.testing.assert_close(of_one, expected[:, [*range(5), *range(10, 15)]], rtol=1e-4, atol=1e-4)


def test_rms_is_the_root_mean_square_of_each_example():
    x = torch.randn(4, 3, 5, 5, generator=seeded(), dtype=torch.float64) * torch.tensor([1e-9, 1, 7, 0]).view(
        4, 1, 1, 1
    )
    expected = x.square().mean((1, 2, 3), keepdim=True).sqrt() + FLOOR
    torch.testing.assert_close(rms(x), expected)


def test_a_block_normalises_before_its_first_convolution():
    block = awake(Block(3, 5, 7)).double()
    x = torch.randn(4, 3, 6, 6, generator=seeded(), dtype=torch.float64)
    cond = torch.randn(4, 7, generator=seeded(1), dtype=torch.float64)
    scale, shift = (part[:, :, None, None] for part in block.film(cond).split(5, 1))
    h = F.conv2d(x / rms(x), block.first.weight, padding=1) * (1 + scale) + shift
    expected = block.shortcut(x) + block.second(h * torch.sigmoid(h))
    torch.testing.assert_close(block(x, cond), expected)
    scaled = block(100 * x, cond) - block.shortcut(100 * x)
    torch.testing.assert_close(scaled, expected - block.shortcut(x), rtol=0, atol=2e-3)


def test_the_bottleneck_is_a_perceptron_of_the_normalised_map():
    layer = awake(Bottleneck(3, (2, 7, 7), 6, 7)).double()
    x = torch.randn(4, 3, 7, 7, generator=seeded(), dtype=torch.float64)
    cond = torch.randn(4, 7, generator=seeded(1), dtype=torch.float64)
    reduced = torch.einsum("oc,bcij->boij", layer.conv_in.weight[:, :, 0, 0], x) + layer.conv_in.bias[:, None, None]
    scale, shift = layer.film(cond).split(6, 1)
    h = (reduced / rms(reduced)).reshape(4, -1) @ layer.first.weight.T * (1 + scale) + shift
    out = ((h * torch.sigmoid(h)) @ layer.second.weight.T + layer.second.bias).view(reduced.shape)
    out = torch.einsum("oc,bcij->boij", layer.conv_out.weight[:, :, 0, 0], out) + layer.conv_out.bias[:, None, None]
    torch.testing.assert_close(layer(x, cond), x + out)


def test_it_learns_what_can_be_known():
    # Two images, one a label: from noise alone, the best guess is the label's image, and without one their mean.
    images = torch.zeros(2, 1, 28, 28)
    images[0, :, :14], images[1, :, :, :14] = 1, 1  # white above, white on the left
    y = torch.arange(256) % 2
    torch.manual_seed(0)
    model = ImageDiffusion(UNet(width=4, hidden=32), classes=10)
    for _ in train_steps(model, images[y], y, steps=200, batch_size=16, lr=5e-3):
        pass
    noise, log_snr = torch.randn(64, 1, 28, 28, generator=seeded(1)), torch.full((64,), -12.0)
    x0 = 2 * images - 1
    with torch.no_grad():
        for label, expected in ((0, x0[0]), (1, x0[1]), (None, x0.mean(0))):
            y = None if label is None else torch.full((64,), label)
            x0_hat, _ = model.predict(noise, log_snr, y)
            assert (x0_hat - expected).square().mean() < 0.25, label  # of the other two, at least 0.5


def test_the_guided_network_exports():
    torch.manual_seed(0)
    model = ImageDiffusion(awake(UNet())).eval()
    round_to_half(model)
    examples = {
        "x_t": torch.randn(1, 1, 28, 28, generator=seeded()),
        "log_snr": torch.tensor([math.log(0.3)]),
        "y": torch.tensor([3]),
        "weight": torch.tensor([1.5]),
    }
    graph = export(model.guided, examples, ["x0_hat", "c"], "test_unet", tolerance=1e-4)
    assert len(graph.read()) <= 1_700_000
    found = graph.run(
        x_t=examples["x_t"].numpy()[:, :, ::-1].copy(),
        log_snr=np.float32([2.0]),
        y=np.int64([7]),
        weight=np.float32([0.0]),
    )
    with torch.no_grad():
        expected, _ = model.predict(examples["x_t"].flip(2), torch.tensor([2.0]))
    np.testing.assert_allclose(found["x0_hat"], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["classes", "width", "hidden"])
def test_sizes_are_positive(name):
    with pytest.raises(ValueError, match=f"{name}: expected a positive integer, got 0"):
        UNet(**{name: 0})


@pytest.mark.parametrize("event_shape", [(28, 28), (1, 30, 28), (1, 28, 26), (0, 28, 28)])
def test_images_that_do_not_halve_twice_are_refused(event_shape):
    with pytest.raises(ValueError, match="event_shape: expected"):
        UNet(event_shape)
