"""Known densities: their log p and entropy by independent means, their draws by their own density."""

import math

import pytest
import torch
from numeric import seeded
from scipy.integrate import dblquad, quad
from scipy.stats import ks_2samp
from sklearn.datasets import make_moons

from gen_utils import toys

TOYS = {
    "checkerboard": toys.Checkerboard,
    "eight_gaussians": toys.eight_gaussians,
    "moons": toys.moons,
    "moons-.05": lambda: toys.moons(0.05),
    "ring": toys.ring,
    "grid": toys.grid,
}
every_toy = pytest.mark.parametrize("name", TOYS)


def within(values, expected):
    """The mean of `values` lies within 3 standard errors of what is expected."""
    return abs(values.mean().item() - expected) < 3 * values.std().item() / math.sqrt(len(values))


def gaussian(x, y, mean, sigma):
    return math.exp(-((x - mean[0]) ** 2 + (y - mean[1]) ** 2) / (2 * sigma**2)) / (2 * math.pi * sigma**2)


def moon(x, y, sigma):
    """The density of scikit-learn's moons, by scipy's adaptive quadrature over both arcs."""

    def at(t):
        outer = gaussian(x, y, (math.cos(t), math.sin(t)), sigma)
        return (outer + gaussian(x, y, (1 - math.cos(t), 0.5 - math.sin(t)), sigma)) / 2

    return quad(at, 0, math.pi, limit=500, epsabs=1e-13, points=[math.pi / 4, math.pi / 2])[0] / math.pi


@every_toy
def test_draws_have_the_entropy_that_is_computed(name):
    toy = TOYS[name]()
    x = toy.sample(20_000, generator=seeded())
    assert x.shape == (20_000, 2)
    log_p = toy.log_prob(x).double()
    if name == "checkerboard":
        assert torch.allclose(log_p, torch.tensor(-math.log(32)).double())
    else:
        assert within(-log_p, toy.entropy())


@every_toy
def test_a_density_integrates_to_one(name):
    toy = TOYS[name]()
    if name == "checkerboard":
        box = torch.rand(40_000, 2, generator=seeded()) * 10 - 5
        assert within(100 * toy.log_prob(box).exp(), 1)
        return
    # E_q[p(x)/q(x)] = 1 for x from q, the same twice as wide.
    wide = toys.IsotropicMixture(toy.means, 2 * toy.sigma, toy.log_weights.exp())
    x = wide.sample(40_000, generator=seeded())
    assert within((toy.log_prob(x) - wide.log_prob(x)).exp(), 1)


def test_entropies_are_the_known_ones():
    assert toys.Checkerboard().entropy() == math.log(32)
    # Components that do not touch: log K and the entropy of one.
    one = 1 + math.log(2 * math.pi)
    assert toys.ring().entropy() == pytest.approx(math.log(8) + one + 2 * math.log(0.01), abs=1e-7)
    assert toys.grid().entropy() == pytest.approx(math.log(25) + one + 2 * math.log(0.05), abs=1e-7)
    # By quadrature on a grid, of another program.
    assert toys.eight_gaussians().entropy() == pytest.approx(2.8319, abs=5e-5)
    assert toys.moons(0.1).entropy() == pytest.approx(1.0076, abs=5e-5)
    assert toys.moons(0.05).entropy() == pytest.approx(0.2892, abs=5e-5)


def test_the_entropy_of_two_that_overlap_is_scipy_s():
    toy = toys.IsotropicMixture(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0.7, torch.tensor([3.0, 1.0]))

    def integrand(y, x):
        p = 0.75 * gaussian(x, y, (0, 0), 0.7) + 0.25 * gaussian(x, y, (1, 0), 0.7)
        return -p * math.log(p)

    assert toy.entropy() == pytest.approx(dblquad(integrand, -6, 7, -6, 6)[0], abs=1e-6)


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.5])
def test_the_moons_are_an_integral_over_their_arcs(sigma):
    toy = toys.moons(sigma).double()
    x = torch.cat(
        [toy.sample(20, generator=seeded()), torch.tensor([[0.0, 0.25], [1.0, 0.0], [-1.0, -0.05]]).double()]
    )
    expected = torch.tensor([math.log(moon(*point, sigma)) for point in x.tolist()], dtype=torch.float64)
    torch.testing.assert_close(toy.log_prob(x), expected, atol=1e-6, rtol=0)


def test_the_moons_are_scikit_learn_s():
    toy = toys.moons(0.1)
    theirs = make_moons(20_000, noise=0.1, random_state=0)[0]
    ours = toy.sample(20_000, generator=seeded()).numpy()
    for direction in ((1, 0), (0, 1), (1, 1), (1, -1)):
        assert ks_2samp(theirs @ direction, ours @ direction).pvalue > 0.01
    assert within(-toy.log_prob(torch.from_numpy(theirs).float()).double(), toy.entropy())


def test_the_checkerboard_is_ffjord_s():
    generator = seeded()
    x1 = torch.rand(20_000, generator=generator) * 4 - 2
    x2 = torch.rand(20_000, generator=generator) - 2.0 * torch.randint(0, 2, (20_000,), generator=generator)
    theirs = 2 * torch.stack([x1, x2 + x1.floor() % 2], 1)  # its toy_data.py
    toy = toys.Checkerboard()
    assert toy.log_prob(theirs).isfinite().all()
    ours = toy.sample(20_000, generator=seeded(1))
    counts = [torch.histogramdd(x, bins=[8, 8], range=[-4.0, 4.0] * 2).hist for x in (theirs, ours)]
    full = counts[0].bool()
    assert full.sum() == 32
    assert torch.equal(full, counts[1].bool())
    for count in counts:
        expected = 20_000 / 32
        chi2 = ((count[full] - expected) ** 2 / expected).sum()
        assert abs(chi2 - 31) < 3 * math.sqrt(2 * 31)
    assert toy.log_prob(torch.tensor([[-3.0, -1.0], [4.5, 4.5], [3.0, 5.0]])).tolist() == [-math.inf] * 3


def test_a_mixture_s_draws_have_its_weights_and_width():
    toy = toys.IsotropicMixture(torch.tensor([[-5.0, 1.0], [5.0, 2.0]]), 0.5, torch.tensor([3.0, 1.0]))
    x = toy.sample(20_000, generator=seeded()).double()
    left = x[:, 0] < 0
    assert within(left.double(), 0.75)
    for side, mean in ((left, [-5.0, 1.0]), (~left, [5.0, 2.0])):
        offsets = x[side] - torch.tensor(mean)
        for axis in (0, 1):
            assert within(offsets[:, axis], 0)
            assert within(offsets[:, axis] ** 2, 0.25)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_a_width_must_make_sense(sigma):
    for build in (toys.moons, lambda sigma: toys.IsotropicMixture(torch.zeros(1, 2), sigma)):
        with pytest.raises(ValueError, match=r"sigma: expected a .*number.*, got"):
            build(sigma)


@pytest.mark.parametrize(
    ("means", "weights", "error", "message"),
    [
        ([[0.0, 0.0]], None, TypeError, "means: expected a float tensor .* got list"),
        (torch.zeros(3, 3), None, ValueError, r"means: expected .* \(B, 2\) .* got shape \(3, 3\)"),
        (torch.zeros(3, 2), torch.ones(2), ValueError, r"weights: expected shape \(3,\), got shape \(2,\)"),
    ],
)
def test_a_mixture_needs_points_and_a_weight_for_each(means, weights, error, message):
    with pytest.raises(error, match=message):
        toys.IsotropicMixture(means, 0.5, weights)


@every_toy
def test_the_generator_alone_decides(name):
    toy = TOYS[name]()
    first = toy.sample(4, generator=seeded())
    torch.manual_seed(1)
    assert torch.equal(first, toy.sample(4, generator=seeded()))
    assert not torch.equal(first, toy.sample(4, generator=seeded(1)))
    with pytest.raises(ValueError, match="x: expected"):
        toy.log_prob(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="n: expected a positive integer, got 0"):
        toy.sample(0)


def slope(toy, x_t, alpha_bar_t):
    """The gradient of the diffused log p, as it is written down, by autograd in double precision."""
    x_t = x_t.double().requires_grad_()
    variance = alpha_bar_t * toy.sigma**2 + 1 - alpha_bar_t
    distance = (x_t[:, None] - math.sqrt(alpha_bar_t) * toy.means.double()).square().sum(2)
    log_p = (toy.log_weights.double() - distance / (2 * variance)).logsumexp(1)
    return torch.autograd.grad(log_p.sum(), x_t)[0]


@pytest.mark.parametrize("alpha_bar_t", [0.9, 0.3])
def test_a_diffused_mixture_is_the_mixture_and_noise(alpha_bar_t):
    toy = toys.IsotropicMixture(torch.tensor([[0.0, 0.0], [1.0, -0.5]]), 0.4, torch.tensor([3.0, 1.0]))
    diffused = toy.diffused(alpha_bar_t)
    signal, noise = math.sqrt(alpha_bar_t), math.sqrt(1 - alpha_bar_t)

    def integrand(y0, x0, x, y):
        p = 0.75 * gaussian(x0, y0, (0, 0), 0.4) + 0.25 * gaussian(x0, y0, (1, -0.5), 0.4)
        return p * gaussian(x, y, (signal * x0, signal * y0), noise)

    for point in ([0.0, 0.0], [0.7, -0.2], [-1.0, 1.5]):
        expected = math.log(dblquad(integrand, -3, 4, -4, 3, args=point, epsabs=1e-10)[0])
        assert diffused.log_prob(torch.tensor([point])).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["eight_gaussians", "moons", "ring", "grid"])
def test_the_score_is_the_slope_of_the_log_density(name):
    toy = TOYS[name]()
    x = toy.sample(200, generator=seeded())
    for alpha_bar_t in (1.0, 0.999, 0.5, 1e-4):
        diffused = toy.diffused(alpha_bar_t)
        x_t = math.sqrt(alpha_bar_t) * x + math.sqrt(1 - alpha_bar_t) * torch.randn(x.shape, generator=seeded(1))
        expected = slope(toy, x_t, alpha_bar_t)
        for score in (toy.score(x_t, alpha_bar_t), diffused.score(x_t)):
            # Beside the slope of one Gaussian, which is about 1/σ: narrow ones leave single precision few digits.
            assert ((score - expected) * diffused.sigma).abs().max() < 1e-3
        torch.testing.assert_close(TOYS[name]().double().score(x_t.double(), alpha_bar_t), expected)


def test_each_point_may_have_a_noise_level_of_its_own():
    toy = toys.eight_gaussians()
    x, levels = torch.randn(5, 2, generator=seeded()), torch.linspace(0.01, 1, 5)
    expected = torch.cat([toy.score(one[None], level.item()) for one, level in zip(x, levels, strict=True)])
    torch.testing.assert_close(toy.score(x, levels[:, None]), expected)
    torch.testing.assert_close(toy.score(x, levels[2]), toy.score(x, levels[2].item()))


@pytest.mark.parametrize("alpha_bar_t", [-0.1, 1.1, math.nan])
def test_a_noise_level_must_make_sense(alpha_bar_t):
    with pytest.raises(ValueError, match=r"alpha_bar_t: expected a number in \[0, 1\], got"):
        toys.ring().diffused(alpha_bar_t)


def test_a_score_asks_for_points():
    with pytest.raises(ValueError, match="x: expected"):
        toys.ring().score(torch.zeros(3, 3))
