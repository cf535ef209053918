"""The flow's mathematics: inverses, determinants by autograd, a density that integrates to one, and its graph."""

import math

import pytest
import torch
from numeric import seeded
from torch.autograd.functional import jacobian
from torch.distributions import MultivariateNormal

from gen_utils import toys
from gen_utils.models.flows import LIMIT, CouplingFlow, spline, spline_inverse, spline_knots
from gen_utils.page import export
from gen_utils.train import train_steps


def bent(event_shape=(2,), couplings=3, bins=5, strength=1.5):
    """An untrained flow, in double precision, whose curves are far from straight."""
    torch.manual_seed(0)
    flow = CouplingFlow(event_shape, couplings, (16,), bins).double().requires_grad_(False)
    for coupling in flow.couplings:
        coupling.own.normal_(std=strength / 4)
        coupling.net[-1].weight.mul_(strength)
        coupling.net[-1].bias.mul_(strength)
    flow.start_from(3 + 2 * torch.randn(1000, *event_shape, generator=seeded()).double())
    return flow


def points(n, dims=2, size=2.5):
    return size * torch.randn(n, dims, generator=seeded(), dtype=torch.float64)  # some lie beyond the splines


shapes = pytest.mark.parametrize("shape", [(2,), (3,), (1, 2, 2)])


@shapes
def test_decode_undoes_encode_and_encode_decode(shape):
    flow = bent(shape)
    z = points(200, math.prod(shape))
    x = flow.decode(z)
    assert x.shape == (200, *shape)
    torch.testing.assert_close(flow.encode(x)[0], z, atol=1e-8, rtol=0)
    flow = bent(shape, strength=0.5)  # where f⁻¹ is steep, it makes the rounding of z large
    x = flow.decode(points(200, math.prod(shape))) * 3
    torch.testing.assert_close(flow.decode(flow.encode(x)[0]), x, atol=1e-8, rtol=0)


@shapes
def test_the_log_determinant_is_autograd_s(shape):
    flow = bent(shape)
    D = math.prod(shape)
    x = flow.decode(points(20, D))
    for one, log_det in zip(x, flow.encode(x)[1], strict=True):
        dz_dx = jacobian(lambda x: flow.encode(x[None])[0][0], one).reshape(D, D)
        torch.testing.assert_close(log_det, torch.linalg.slogdet(dz_dx)[1])


@pytest.mark.parametrize("swap", [0, 1])
def test_a_coupling_knows_the_determinant_of_both_directions(swap):
    coupling = bent((3,)).couplings[swap]
    z = points(20, 3)
    for step in (coupling, coupling.inverse):
        for one, log_det in zip(z, step(z)[1], strict=True):
            matrix = jacobian(lambda z, step=step: step(z[None])[0][0], one)
            torch.testing.assert_close(log_det, torch.linalg.slogdet(matrix)[1])
    # One half leads: it does not see the other, and each of the others sees itself and those that lead.
    seen = jacobian(lambda z: coupling(z[None])[0][0], z[0].clamp(-1, 1)) != 0
    expected = [[1, 1, 1], [0, 1, 0], [0, 0, 1]] if swap else [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert seen.int().tolist() == expected


def test_the_density_integrates_to_one():
    flow = bent()
    axis = torch.linspace(-1, 1, 701, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis) * 14 + 3
    assert flow.log_prob(x).exp().sum() * (28 / 700) ** 2 == pytest.approx(1, abs=1e-4)


def test_samples_have_the_density_that_log_prob_says():
    flow = bent()
    x = flow.sample(100_000, generator=seeded())
    cells = torch.histogramdd(x, bins=[12, 12], range=[-3.0, 9.0] * 2).hist / len(x)
    axis = torch.arange(-3, 9, 0.02, dtype=torch.float64) + 0.01
    density = flow.log_prob(torch.cartesian_prod(axis, axis)).exp().reshape(12, 50, 12, 50).sum((1, 3)) * 0.02**2
    error = (density * (1 - density) / len(x)).sqrt()
    seen = density * len(x) > 20
    assert seen.sum() > 20
    chi2 = (((cells - density)[seen] / error[seen]) ** 2).sum()
    assert abs(chi2 - seen.sum()) < 3 * (2 * seen.sum()) ** 0.5


def test_beyond_the_splines_the_flow_is_the_identity():
    flow = bent()
    z = torch.tensor([[6.0, -7.0], [-5.5, 40.0]]).double()
    assert torch.equal(flow.decode(z), z * flow.scale + flow.shift)
    log_p = MultivariateNormal(flow.shift, torch.diag(flow.scale**2)).log_prob(flow.decode(z))
    torch.testing.assert_close(flow.log_prob(flow.decode(z)), log_p)


def test_a_flow_whose_networks_say_zero_is_a_gaussian():
    flow = bent(strength=0.0)
    x = flow.decode(points(50))
    expected = MultivariateNormal(flow.shift, torch.diag(flow.scale**2)).log_prob(x)
    torch.testing.assert_close(flow.log_prob(x), expected)


def test_start_from_standardises():
    flow = CouplingFlow((2,), 1)
    x = torch.randn(500, 2, generator=seeded()) * torch.tensor([0.1, 7.0]) + torch.tensor([3.0, -20.0])
    flow.start_from(x)
    *_, before, after = flow.decode_path(torch.zeros(1, 2))
    torch.testing.assert_close(after, before * x.std(0, correction=0) + x.mean(0))
    with pytest.raises(ValueError, match="got 1 examples with a constant one"):
        flow.start_from(x[:1])


def knots(bins=6, strength=2.0):
    return spline_knots(strength * torch.randn(500, 3 * bins - 1, generator=seeded(), dtype=torch.float64), bins)


def test_a_spline_rises_through_its_knots_with_their_slopes():
    where = knots()
    x, y, slope = where
    assert (x.diff() > 0).all()
    assert (y.diff() > 0).all()
    assert (slope > 0).all()
    for ends, edge in ((x, 0), (y, 0), (x, -1), (y, -1)):
        torch.testing.assert_close(ends[:, edge], torch.full((500,), LIMIT if edge else -LIMIT).double())
    for k in range(7):
        found, log_slope = spline(x[:, k], where)
        torch.testing.assert_close(found, y[:, k], atol=1e-8, rtol=0)
        torch.testing.assert_close(log_slope, slope[:, k].log(), atol=1e-6, rtol=0)


def test_a_spline_s_slope_and_inverse():
    where = knots()
    for one in torch.linspace(-6, 6, 41, dtype=torch.float64):
        x = one.expand(500).clone().requires_grad_()
        y, log_slope = spline(x, where)
        (dy_dx,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(dy_dx.log(), log_slope)
        back, log_back = spline_inverse(y.detach(), where)
        torch.testing.assert_close(back, x.detach(), atol=1e-8, rtol=0)
        torch.testing.assert_close(log_back, -log_slope.detach(), atol=1e-6, rtol=0)


def test_the_slope_of_the_steepest_inverse_is_a_number():
    where = spline_knots(5 * torch.randn(20_000, 23, generator=seeded()), 8)
    y, _ = spline(10 * torch.rand(20_000, generator=seeded(1)) - 5, where)
    _, log_slope = spline_inverse(y, where)
    assert log_slope.isfinite().all()


def test_a_spline_of_equal_pieces_and_slopes_is_straight():
    where = spline_knots(torch.zeros(50, 14, dtype=torch.float64), 5)
    x = torch.linspace(-6, 6, 50, dtype=torch.float64)
    y, log_slope = spline(x, where)
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_slope, torch.zeros(50).double(), atol=1e-12, rtol=0)


def test_the_path_goes_from_the_base_to_the_sample():
    flow = bent(couplings=4)
    states = list(flow.sample_path(7, generator=seeded()))
    assert len(states) == 6
    z = torch.randn(7, 2, generator=seeded(), dtype=torch.float64)
    assert torch.equal(states[0], z)
    assert torch.equal(states[-1], flow.sample(7, generator=seeded()))
    torch.testing.assert_close(flow.encode(states[-1])[0], z)
    for coupling, before, after in zip(reversed(flow.couplings), states[:4], states[1:5], strict=True):
        torch.testing.assert_close(coupling(after)[0], before)


def test_it_learns_two_moons():
    toy = toys.moons()
    x, test = toy.sample(50_000, generator=seeded()), toy.sample(20_000, generator=seeded(1))
    torch.manual_seed(0)
    flow = CouplingFlow(couplings=4, hidden_dims=(32, 32), bins=8)
    flow.start_from(x)
    for _ in train_steps(flow, x, steps=300, batch_size=512, lr=1e-2):
        pass
    with torch.no_grad():
        gap = (toy.log_prob(test) - flow.log_prob(test)).double()
    error = gap.std() / len(gap) ** 0.5
    assert -3 * error < gap.mean() < 0.1


@pytest.mark.slow
def test_the_layers_run_as_a_graph():
    flow = bent().float()
    z = 2 * torch.randn(64, 2, generator=seeded())
    graph = export.export(lambda z: torch.stack([*flow.decode_path(z)]), {"z": z}, ["states"], "states")
    expected = torch.stack([*flow.sample_path(64, generator=seeded(5))])
    found = graph.run(z=torch.randn(64, 2, generator=seeded(5)).numpy())["states"]
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=0)
    x = expected[-1]
    graph = export.export(flow.log_prob, {"x": x}, ["log_p"], "log_prob")
    found = graph.run(x=(x + 0.5).numpy())["log_p"]
    torch.testing.assert_close(torch.from_numpy(found), flow.log_prob(x + 0.5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_one_dimension_is_too_few(shape):
    with pytest.raises(ValueError, match="event_shape: expected at least two dimensions in all, got"):
        CouplingFlow(shape)
