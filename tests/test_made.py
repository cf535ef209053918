"""MADE where all 2^D images can be listed: its sum, its conditionals, its draws; and its graph."""

from itertools import product

import pytest
import torch
from numeric import seeded
from torch.autograd.functional import jacobian
from torch.distributions import Bernoulli, Independent

from gen_utils.models.made import MADE
from gen_utils.page import export
from gen_utils.page.graphs.made import draw_in_rounds
from gen_utils.train import train_steps

networks = pytest.mark.parametrize("hidden_dims", [(), (5,), (24,), (24, 17, 31)])


def wild(hidden_dims, size):
    """An untrained MADE, in double precision, whose pixels depend on each other strongly."""
    torch.manual_seed(0)
    model = MADE(hidden_dims, (size,)).double().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_()
    return model


def states(size):
    """Every binary image, `(2^size, size)`, in the order of the numbers that they write."""
    return torch.tensor(list(product([0.0, 1.0], repeat=size)), dtype=torch.float64)


def numbers(x):
    return (x.long() * 2 ** torch.arange(x.shape[1] - 1, -1, -1)).sum(1)


def chi2_fits(counts, p):
    """The counts are those of draws from p, by Pearson's statistic within 3 deviations of its mean."""
    expected = p * counts.sum()
    often = expected > 10
    rest = torch.stack([counts[~often].sum(), expected[~often].sum()])
    statistic = ((counts - expected) ** 2 / expected)[often].sum()
    degrees = often.sum() - 1
    if rest[1] > 10:
        statistic, degrees = statistic + (rest[0] - rest[1]) ** 2 / rest[1], degrees + 1
    assert degrees >= 3
    return abs(statistic - degrees) < 3 * (2 * degrees) ** 0.5


@networks
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_logit_sees_the_pixels_before_it_all_of_them_and_no_other(hidden_dims, size):
    model = wild(hidden_dims, size)
    x = torch.rand(size, generator=seeded(), dtype=torch.float64)
    dlogits_dx = jacobian(lambda x: model.logits(x[None])[0], x)
    assert torch.equal(dlogits_dx != 0, torch.ones(size, size).tril(-1).bool())


@pytest.mark.parametrize("hidden_dims", [(6,), (24,), (24, 17, 31)])
def test_the_hidden_layers_alone_see_all_pixels_before_too(hidden_dims):
    model = wild(hidden_dims, 7)
    model.direct.weight.zero_()
    assert all((degrees.min(), degrees.max()) == (1, 6) for degrees in model.degrees[1:])  # 7 would be silent
    dlogits_dx = jacobian(lambda x: model.logits(x[None])[0], torch.zeros(7, dtype=torch.float64))
    assert torch.equal(dlogits_dx != 0, torch.ones(7, 7).tril(-1).bool())


@networks
def test_the_probabilities_of_all_images_sum_to_one(hidden_dims):
    total = wild(hidden_dims, 10).log_prob(states(10)).exp().sum()
    assert total == pytest.approx(1, abs=1e-8)  # torch's softplus leaves out e⁻²⁰ = 2e-9


def test_the_logits_are_the_conditionals_of_the_listed_density():
    model = wild((24, 17), 6)
    x = states(6)
    p = model.log_prob(x).exp()
    for d in range(6):
        for start in product([0.0, 1.0], repeat=d):
            alike = (x[:, :d] == torch.tensor(start)).all(1)
            white = p[alike & (x[:, d] == 1)].sum() / p[alike].sum()
            torch.testing.assert_close(model.logits(x[alike])[:, d].sigmoid(), white.expand(2 ** (6 - d)))


@networks
def test_samples_come_as_often_as_log_prob_says(hidden_dims):
    model = wild(hidden_dims, 5)
    counts = numbers(model.sample(50_000, generator=seeded())).bincount(minlength=32)
    assert chi2_fits(counts, model.log_prob(states(5)).exp())


def test_completions_come_as_often_as_the_conditional_says():
    model = wild((24, 17), 6)
    x = torch.tensor([0.0, 1.0, 1.0, 0.5, 0.25, 1.0], dtype=torch.float64).expand(50_000, 6)
    found = model.complete(x, 2, generator=seeded())
    assert (found[:, :2] == x[:, :2]).all()
    every = states(6)
    p = model.log_prob(every).exp() * (every[:, :2] == x[0, :2]).all(1)
    assert chi2_fits(numbers(found).bincount(minlength=64)[16:32], (p / p.sum())[16:32])
    anything = torch.cat([x[:, :2], torch.zeros(50_000, 4, dtype=torch.float64)], 1)
    assert torch.equal(model.complete(anything, 2, generator=seeded()), found)
    assert torch.equal(x[0], torch.tensor([0.0, 1.0, 1.0, 0.5, 0.25, 1.0]).double()), "the input is left as it was"


@networks
@pytest.mark.parametrize("observed", [0, 3])
def test_drawing_unit_by_unit_is_drawing_with_whole_passes(hidden_dims, observed):
    model = wild(hidden_dims, 9)
    start = torch.rand(200, 9, generator=seeded(1), dtype=torch.float64).round()
    x = start.clone()
    u = torch.rand(200, 9, generator=seeded(), dtype=torch.float64)
    for d in range(observed, 9):
        x[:, d] = (u[:, d] < model.logits(x)[:, d].sigmoid()).double()
    assert torch.equal(model.complete(start, observed, generator=seeded()), x)


def test_the_path_draws_one_pixel_after_the_other():
    torch.manual_seed(0)
    model = MADE((8,), (1, 2, 3))
    path = list(model.sample_path(40, generator=seeded()))
    assert len(path) == 6
    assert torch.equal(path[-1], model.sample(40, generator=seeded()))
    for d, x in enumerate(path):
        assert x.shape == (40, 1, 2, 3)
        assert torch.equal(x.flatten(1)[:, : d + 1], path[-1].flatten(1)[:, : d + 1])
        assert not x.flatten(1)[:, d + 1 :].any()


def test_it_starts_from_independent_pixels():
    model = MADE((8,), (5,))
    model.output.weight.data.zero_()
    x = torch.rand(300, 5, generator=seeded())
    model.start_from(x)
    expected = Independent(Bernoulli(probs=x.mean(0)), 1).log_prob(x.round())
    torch.testing.assert_close(model.log_prob(x.round()), expected)


@networks
def test_nothing_that_a_mask_forbids_is_learnt(hidden_dims):
    torch.manual_seed(0)
    model = MADE(hidden_dims, (6,))
    before = [parameter.clone() for parameter in model.parameters()]
    x = torch.rand(64, 6, generator=seeded()).round()
    for _ in train_steps(model, x, steps=20, batch_size=32, lr=0.1):
        pass
    layers = [*model.hidden, model.output, model.direct]
    for layer in layers:
        old = dict(zip(model.parameters(), before, strict=True))[layer.weight]
        assert not (old != layer.weight)[layer.mask == 0].any()
        assert (old != layer.weight)[layer.mask == 1].any()
    with torch.no_grad():
        assert model.double().log_prob(states(6)).exp().sum() == pytest.approx(1, abs=1e-8)


def test_it_learns_what_pixels_tell_of_each_other():
    # Two coins, and whether they differ: no pixel tells anything of another alone, and the entropy is 2 ln 2 = 1.386.
    coins = torch.rand(4000, 2, generator=seeded()).round()
    x = torch.cat([coins, (coins[:, :1] - coins[:, 1:]).abs()], 1)
    torch.manual_seed(0)
    model = MADE((16,), (3,))
    model.start_from(x)
    for _ in train_steps(model, x, steps=300, batch_size=100, lr=0.03):
        pass
    with torch.no_grad():
        nll = -model.log_prob(x.unique(dim=0)).mean()
    assert len(x.unique(dim=0)) == 4
    assert 1.386 < nll < 1.42


def stepper(model, name):
    """The graph of one round, and a function that calls it with tensors."""
    blank = torch.zeros(1, *model.event_shape)
    graph = export.export(
        draw_in_rounds(model), {"x": blank, "u": blank + 0.5, "chosen": blank}, ["x_next", "p"], name
    )

    def call(x, u, chosen):
        answer = graph.run(x=x.numpy(), u=u.numpy(), chosen=chosen.numpy())
        return torch.from_numpy(answer["x_next"]), torch.from_numpy(answer["p"])

    return graph, call


@pytest.mark.slow
@pytest.mark.parametrize("hidden_dims", [(), (24,), (24, 17)])
def test_the_graph_draws_the_same_pixels_from_the_same_noise(hidden_dims):
    model = MADE(hidden_dims, (1, 5, 6))
    model.load_state_dict(wild(hidden_dims, 30).state_dict())
    _, call = stepper(model, "small")
    x = torch.rand(1, 1, 5, 6, generator=seeded(1)).round()
    for seed in range(5):
        u = torch.rand(1, 30, generator=seeded(seed)).view(1, 1, 5, 6)
        expected = model.complete(x, 12, generator=seeded(seed))
        found = x
        for d in range(12, 30):
            chosen = torch.zeros(1, 30)
            chosen[0, d] = 1
            found, p = call(found, u, chosen.view(1, 1, 5, 6))
        assert torch.equal(found, expected)
        torch.testing.assert_close(call(found, u, chosen.view(1, 1, 5, 6) * 0)[1], model.logits(found).sigmoid())
        # All at once, until nothing changes.
        chosen = (torch.arange(30) >= 12).float().view(1, 1, 5, 6)
        found, steps = x, 0
        while not torch.equal(found, after := call(found, u, chosen)[0]):
            found, steps = after, steps + 1
        assert torch.equal(found, expected)
        assert steps <= 18
        assert p.shape == (1, 1, 5, 6)


def test_the_headline_model_fits_a_page():
    torch.manual_seed(0)
    model = MADE()
    model.direct.weight.data.normal_(std=0.1)
    export.round_to_half(model)
    graph, call = stepper(model, "headline")
    assert len(graph.read()) <= export.MAX_BYTES
    x = torch.rand(1, 1, 28, 28, generator=seeded()).round()
    found, p = call(x, torch.full_like(x, 0.3), torch.ones_like(x))
    expected = model.logits(x).sigmoid()
    torch.testing.assert_close(p, expected, atol=1e-5, rtol=0)
    clear = (expected - 0.3).abs() > 1e-5
    assert torch.equal(found[clear], (expected > 0.3).float()[clear])


def test_grey_pixels_have_no_probability():
    model = MADE((4,), (3,))
    for method in (model.log_prob, model.loss):
        with pytest.raises(ValueError, match=r"x: expected pixels that are 0 or 1, got 0\.25"):
            method(torch.tensor([[0.0, 0.25, 1.0]]))


@pytest.mark.parametrize("observed", [-1, 3, 1.0, None])
def test_what_is_observed_must_leave_something(observed):
    with pytest.raises(ValueError, match=f"observed: expected a whole number from 0 to 2, got {observed}"):
        MADE((4,), (3,)).complete(torch.zeros(1, 3), observed)


@pytest.mark.parametrize("width", [0, -3])
def test_a_layer_without_units_is_refused(width):
    with pytest.raises(ValueError, match=f"hidden_dims: expected a positive integer, got {width}"):
        MADE((4, width))
