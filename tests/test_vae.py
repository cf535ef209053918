"""The VAE's mathematics where the truth is known: a latent plane small enough to integrate over."""

import copy

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from gen_utils.metrics import grid_log_joint, grid_log_sum, importance_weighted_bound
from gen_utils.models.vae import VAE, GaussianVAE
from gen_utils.train import train_steps


@pytest.fixture(scope="module")
def model():
    """An untrained VAE whose decoder bends the plane: the encoder is wrong by more than a nat."""
    torch.manual_seed(3)
    model = VAE(latent_dim=2, hidden_dims=(16,), event_shape=(1, 3, 3)).requires_grad_(False)
    for layer in model.decoder.layers[::2]:
        layer.weight.mul_(3)
    return model


@pytest.fixture(scope="module")
def x():
    return torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(1)).round()


def q(model, x):
    return Independent(Normal(*model.encode(x)), 1)


def hermite(mean, std, nodes=48):
    """Points and weights that integrate over independent normals, `(B, nodes², K)` and `(nodes²,)`."""
    points, weights = (torch.tensor(a, dtype=torch.float32) for a in np.polynomial.hermite_e.hermegauss(nodes))
    weights = weights / weights.sum()
    plane = torch.cartesian_prod(points, points)
    return mean[:, None] + std[:, None] * plane, torch.outer(weights, weights).flatten()


def log_likelihood(model, x, z):
    """log p(x_i|z_im) by torch.distributions, `(B, M)`."""
    logits = model.decode(z.flatten(0, 1)).unflatten(0, z.shape[:2])
    return Independent(Bernoulli(logits=logits), 3).log_prob(x[:, None])


def exact_elbo(model, x):
    """E_q[log p(x|z)] by quadrature less KL(q(z|x) ‖ p(z)) by torch.distributions."""
    z, weights = hermite(*model.encode(x))
    prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    return (log_likelihood(model, x, z) * weights).sum(1) - kl_divergence(q(model, x), prior)


def test_the_grid_knows_log_p(model, x):
    z, weights = hermite(torch.zeros(len(x), 2), torch.ones(len(x), 2))
    expected = (log_likelihood(model, x, z) + weights.log()).logsumexp(1)
    torch.testing.assert_close(grid_log_sum(*grid_log_joint(model, x, 201)), expected, atol=1e-3, rtol=0)


def test_the_bound_s_gap_is_the_kl_to_the_posterior(model, x):
    grid, log_joint = grid_log_joint(model, x, 401, limit=10.0)  # an untrained encoder's σ reaches 1.8
    log_px = grid_log_sum(grid, log_joint)
    log_posterior = log_joint - log_px[:, None]
    log_q = q(model, x).log_prob(grid[:, None]).T
    cell = (20 / 400) ** 2
    kl = (log_q.exp() * (log_q - log_posterior)).sum(1) * cell
    assert (kl > 0.05).all()  # there is a gap to explain
    torch.testing.assert_close(log_px - exact_elbo(model, x), kl, atol=1e-3, rtol=0)


def test_the_grid_converges(model, x):
    coarse, fine, finer = (grid_log_sum(*grid_log_joint(model, x, points)) for points in (9, 100, 200))
    torch.testing.assert_close(fine, finer, atol=1e-4, rtol=0)
    assert (coarse - finer).abs().max() > 1e-4  # points do matter, until they are enough


def test_the_grid_is_the_joint_at_each_of_its_points(model, x):
    grid, log_joint = grid_log_joint(model, x, 5, limit=2.0)
    assert log_joint.shape == (4, 25)
    assert sorted(map(tuple, grid.tolist())) == [(a, b) for a in (-2, -1, 0, 1, 2) for b in (-2, -1, 0, 1, 2)]
    expected = log_likelihood(model, x, grid.expand(4, 25, 2)) + Normal(0.0, 1.0).log_prob(grid).sum(1)
    torch.testing.assert_close(log_joint, expected)


def test_a_model_that_ignores_its_latents_has_the_prior_as_posterior_and_no_gap(x):
    model = VAE(latent_dim=2, hidden_dims=(4,), event_shape=(1, 3, 3)).requires_grad_(False)
    for layer in (model.encoder.layers[-1], model.decoder.layers[-1]):
        layer.weight.zero_()
    model.encoder.layers[-1].bias.zero_()
    log_px = Bernoulli(logits=model.decoder.layers[-1].bias).log_prob(x.flatten(1)).sum(1)
    torch.testing.assert_close(model.elbo(x), log_px)
    torch.testing.assert_close(grid_log_sum(*grid_log_joint(model, x, 201)), log_px)


def test_loss_and_log_weights_average_to_the_elbo(model, x):
    expected = exact_elbo(model, x)
    generator = torch.Generator().manual_seed(0)
    many = x.repeat(2000, 1, 1, 1)
    for draws in (model.elbo(many, generator=generator), model.log_weights(many, 1, generator=generator)[0]):
        draws = draws.unflatten(0, (2000, 4))
        error = draws.std(0) / 2000**0.5
        assert (error > 0).all()
        assert ((draws.mean(0) - expected).abs() < 3 * error).all()


def test_distortion_and_rate_are_what_they_are_called(model, x):
    parts = model.loss(x, generator=torch.Generator().manual_seed(0))
    mu, sigma = model.encode(x)
    z = mu + sigma * torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(parts["distortion"], -log_likelihood(model, x, z[:, None])[:, 0])
    prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    torch.testing.assert_close(parts["rate"], kl_divergence(q(model, x), prior))


def test_weights_are_unbiased_and_the_bound_approaches_log_p(model, x):
    copies, K = 512, 256
    for one in x:
        generator = torch.Generator().manual_seed(0)
        log_w = model.log_weights(one.expand(copies, 1, 3, 3), K, generator=generator)
        log_px = grid_log_sum(*grid_log_joint(model, one[None], 201)).item()
        w = (log_w - log_px).exp().mean(0)  # E w = p(x): `copies` independent estimates of 1
        assert abs(w.mean() - 1) < 3 * w.std() / copies**0.5
        gaps = [log_px - importance_weighted_bound(log_w, k).mean().item() for k in (1, 4, 16, 64, K)]
        assert gaps == sorted(gaps, reverse=True)
        assert gaps[0] > 0.05
        assert abs(gaps[-1]) < 3 * importance_weighted_bound(log_w, K).std() / copies**0.5 + 0.5 * w.var()


def test_log_weights_are_joint_over_proposal(model, x):
    log_w = model.log_weights(x, 3, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    mu, sigma = model.encode(x)
    for row in log_w:
        z = mu + sigma * torch.randn(4, 2, generator=generator)
        joint = log_likelihood(model, x, z[:, None])[:, 0] + Normal(0.0, 1.0).log_prob(z).sum(1)
        torch.testing.assert_close(row, joint - q(model, x).log_prob(z))


def test_log_likelihood_table_is_every_pair(model, x):
    z = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    found = model.log_likelihood_table(x, z)
    assert found.shape == (4, 6)
    torch.testing.assert_close(found, log_likelihood(model, x, z.expand(4, 6, 2)))


def test_reparameterized_draws_have_their_mean_and_deviation(model):
    mu, sigma, n = torch.tensor([-1.0, 3.0]), torch.tensor([0.1, 2.0]), 50_000
    z = model.reparameterize(mu.expand(n, 2), sigma.expand(n, 2), generator=torch.Generator().manual_seed(0))
    assert ((z.mean(0) - mu).abs() < 3 * sigma / n**0.5).all()
    assert ((z.std(0) - sigma).abs() < 3 * sigma / (2 * n) ** 0.5).all()
    assert abs(torch.corrcoef(z.T)[0, 1]) < 3 / n**0.5


def test_gradients_pass_through_the_draw(model):
    mu, sigma = torch.zeros(5, 2, requires_grad=True), torch.ones(5, 2, requires_grad=True)
    z = model.reparameterize(mu, sigma, generator=torch.Generator().manual_seed(0))
    z.sum().backward()
    assert torch.equal(mu.grad, torch.ones(5, 2))
    torch.testing.assert_close(sigma.grad, z.detach())  # dz/dσ = ε, here z itself


def test_sample_means_are_the_decoded_prior(model):
    x = model.sample_mean(7, generator=torch.Generator().manual_seed(0))
    z = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(x, model.decode(z).sigmoid())


@pytest.mark.parametrize("family", [VAE, GaussianVAE])
def test_samples_are_draws_of_x_with_the_model_s_mean_and_variance(family):
    torch.manual_seed(0)
    model = family(latent_dim=2, hidden_dims=(8,), event_shape=(4,)).double().requires_grad_(False)
    if family is GaussianVAE:
        model.log_sigma.fill_(-1)
    model.decoder.layers[-1].weight.zero_()  # p(x|z) is the same for all z: mean and variance are known
    n, mean = 100_000, model.sample_mean(1)[0]
    variance = mean * (1 - mean) if family is VAE else torch.full((4,), 2.0).double().neg().exp()
    x = model.sample(n, generator=torch.Generator().manual_seed(1))
    assert ((x.mean(0) - mean).abs() < 4 * (variance / n).sqrt()).all()
    torch.testing.assert_close(x.var(0), variance, rtol=0.03, atol=0)
    assert torch.corrcoef(x.T).sub(torch.eye(4)).abs().max() < 4 / n**0.5
    assert set(x.unique().tolist()) == {0.0, 1.0} if family is VAE else len(x.unique()) == 4 * n


def test_the_encoder_says_log_sigma_within_bounds_that_keep_the_loss_finite():
    model = VAE(latent_dim=5, hidden_dims=(4,), event_shape=(3,)).requires_grad_(False)
    log_sigma = torch.tensor([-100.0, -6.0, 0.0, 2.0, 100.0])
    model.encoder.layers[-1].weight.zero_()
    model.encoder.layers[-1].bias.copy_(torch.cat([torch.arange(5.0), log_sigma]))
    mu, sigma = model.encode(torch.ones(1, 3))
    assert mu[0].tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(sigma[0], torch.tensor([-7.0, -6.0, 0.0, 2.0, 3.0]).exp())
    assert model.loss(torch.ones(1, 3))["loss"].isfinite().all()


def test_the_latent_units_a_constructor_asks_for_are_there():
    model = VAE(latent_dim=5, hidden_dims=(8, 6), event_shape=(2, 3))
    shapes = [tuple(layer.weight.shape) for layer in [*model.encoder.layers[::2], *model.decoder.layers[::2]]]
    assert shapes == [(8, 6), (6, 8), (10, 6), (6, 5), (8, 6), (6, 8)]
    assert [part.shape for part in model.encode(torch.rand(3, 2, 3))] == [(3, 5), (3, 5)]


def test_the_table_of_a_gaussian_model_is_every_pair():
    torch.manual_seed(0)
    model = GaussianVAE(latent_dim=2, hidden_dims=(8,), event_shape=(1, 3, 3), sigma=0.3).requires_grad_(False)
    x, z = torch.randn(4, 1, 3, 3), torch.randn(6, 2)
    pixels = Independent(Normal(model.decode(z), 0.3), 3)
    expected = pixels.log_prob(x[:, None])
    torch.testing.assert_close(model.log_likelihood_table(x, z), expected)
    torch.testing.assert_close(model.log_likelihood(x, model.decode(z[:4])), expected.diagonal())


def test_the_gaussian_model_s_gap_on_the_grid_is_the_kl():
    torch.manual_seed(0)
    model = GaussianVAE(latent_dim=2, hidden_dims=(8,), event_shape=(4,)).requires_grad_(False)
    x = torch.randn(3, 4)
    log_px = grid_log_sum(*grid_log_joint(model, x, 201, limit=10.0))
    log_w = model.log_weights(x.repeat(20_000, 1), 1, generator=torch.Generator().manual_seed(0))[0]
    w = (log_w.unflatten(0, (-1, 3)) - log_px).exp()
    assert ((w.mean(0) - 1).abs() < 3 * w.std(0) / len(w) ** 0.5).all()


def test_beta_weighs_the_rate_in_the_loss_and_nowhere_else():
    models = [VAE(2, (4,), (3,), beta=beta).requires_grad_(False) for beta in (1.0, 4.0)]
    models[1].load_state_dict(models[0].state_dict())
    x = torch.ones(5, 3)
    one, four = (model.loss(x, generator=torch.Generator().manual_seed(0)) for model in models)
    assert (one["rate"] > 0.01).all()
    torch.testing.assert_close(four["loss"], one["loss"] + 3 * one["rate"])
    bounds = [model.elbo(x, generator=torch.Generator().manual_seed(0)) for model in models]
    assert torch.equal(*bounds)


def test_a_conditional_model_is_trained_with_labels():
    x, y = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(64, 1), torch.tensor([0, 1]).repeat(64)
    torch.manual_seed(0)
    model = VAE(latent_dim=1, hidden_dims=(16,), event_shape=(2,), classes=2)
    *_, last = train_steps(model, x, y, steps=300, batch_size=32, lr=1e-2)
    # All there is to know is in the label, so the code says nothing, and both classes are drawn right.
    assert last.losses["loss"] < 0.1
    drawn = model.sample_mean(64, y[:64], generator=torch.Generator().manual_seed(0))
    assert (drawn.round() == x[:64]).all()


@pytest.fixture(scope="module")
def ppca():
    """Data of five dimensions, and a linear VAE with the closed form of Tipping and Bishop 1999 as its weights."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 2, generator=generator) @ torch.randn(2, 5, generator=generator)
    x = (x + 0.3 * torch.randn(400, 5, generator=generator) + 1).double()
    pca = PCA(n_components=2).fit(x.numpy())
    axes, variances = torch.from_numpy(pca.components_.T), torch.from_numpy(pca.explained_variance_)
    noise, mean = pca.noise_variance_, torch.from_numpy(pca.mean_)
    model = (
        GaussianVAE(latent_dim=2, hidden_dims=(), event_shape=(5,), sigma=noise**0.5).double().requires_grad_(False)
    )
    decoder, encoder = model.decoder.layers[0], model.encoder.layers[0]
    decoder.weight.copy_(axes * (variances - noise).sqrt())
    decoder.bias.copy_(mean)
    back = (decoder.weight / variances).T  # (WᵀW + σ²I)⁻¹Wᵀ, where WᵀW + σ²I is diagonal: the variances
    encoder.weight.zero_()[:2] = back / 2  # the encoder sees 2x − 1
    encoder.bias[:2] = back @ (0.5 - mean)
    encoder.bias[2:] = 0.5 * (noise / variances).log()
    return model, x, pca


def test_the_linear_vae_is_probabilistic_pca(ppca):
    model, x, pca = ppca
    log_px = torch.from_numpy(pca.score_samples(x.numpy()))
    # Its encoder is the exact posterior: the weight of any z is p(x) itself.
    log_w = model.log_weights(x, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(log_w, log_px.expand(3, 400), atol=1e-5, rtol=0)


def test_no_other_linear_vae_is_better(ppca):
    model, x, _ = ppca
    moved = copy.deepcopy(model)
    exact = model.log_weights(x, 1)[0].mean()
    torch.manual_seed(0)
    for parameter in moved.parameters():
        before = parameter.clone()
        parameter.add_(0.1 * torch.randn_like(parameter))
        generator = torch.Generator().manual_seed(0)
        elbo = torch.stack([moved.elbo(x, generator=generator).mean() for _ in range(20)]).mean()
        assert elbo < exact
        parameter.copy_(before)


@pytest.mark.parametrize("family", [VAE, GaussianVAE])
def test_a_model_starts_from_the_mean_of_the_data(family):
    torch.manual_seed(0)
    model = family(latent_dim=2, hidden_dims=(8,), event_shape=(4,)).requires_grad_(False)
    model.decoder.layers[-1].weight.zero_()
    x = torch.tensor([[0.0, 1, 0, 1], [0, 1, 1, 0], [0, 1, 1, 1]])
    model.start_from(x)
    torch.testing.assert_close(model.sample_mean(2), x.mean(0).expand(2, 4), atol=1.1e-3, rtol=0)
    if family is GaussianVAE:  # and no other constant picture, and no other σ, is more probable
        best = model.log_likelihood(x, model.decode(torch.zeros(3, 2))).sum()
        for change in (0.01, -0.01):
            for parameter in (model.log_sigma, model.decoder.layers[-1].bias):
                parameter.add_(change)
                assert model.log_likelihood(x, model.decode(torch.zeros(3, 2))).sum() < best
                parameter.sub_(change)
