"""Autoencoders where the best one is known: PCA for the linear, shrinkage and exact scores for the denoising."""

import copy
import math

import pytest
import torch
from numeric import seeded
from sklearn.decomposition import PCA

from gen_utils import toys
from gen_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, LinearAutoencoder
from gen_utils.train import train_steps

ANY = (-math.inf, math.inf)


@pytest.fixture(scope="module")
def data():
    """400 examples of six dimensions whose variances fall, and PCA's answer by scikit-learn."""
    x = torch.randn(400, 6, generator=seeded(), dtype=torch.float64) * torch.tensor([3, 2.5, 2, 1, 0.7, 0.5])
    x = x @ torch.linalg.qr(torch.randn(6, 6, generator=seeded(1), dtype=torch.float64))[0] + 2
    return x, PCA().fit(x.numpy())


def dropped(pca, k):
    """The sum of the eigenvalues that k components leave out, of the covariance divided by N."""
    return pca.explained_variance_[k:].sum() * (pca.n_samples_ - 1) / pca.n_samples_


def at_pca(x, pca, k=3, seed=0):
    """A linear autoencoder at PCA's subspace, in coordinates of its own: any invertible A does."""
    model = LinearAutoencoder(k, (6,)).double()
    model.start_from(x)
    axes = torch.from_numpy(pca.components_[:k])
    A = torch.randn(k, k, generator=seeded(seed), dtype=torch.float64)
    with torch.no_grad():
        model.encoder[0].weight.copy_(A @ axes)
        model.encoder[0].bias.copy_(torch.ones(k))
        model.decoder.layers[0].weight.copy_(axes.T @ A.inverse())
        model.decoder.layers[0].bias.sub_(model.decoder.layers[0].weight @ torch.ones(k, dtype=torch.float64))
    return model


@pytest.mark.parametrize("k", [1, 3, 5])
def test_at_pca_s_subspace_the_loss_is_the_dropped_eigenvalues_and_has_no_gradient(data, k):
    x, pca = data
    model = at_pca(x, pca, k)
    loss = model.loss(x)["loss"].mean()
    assert math.isclose(loss.item(), dropped(pca, k), rel_tol=1e-10)
    loss.backward()
    assert all(p.grad.abs().max() < 1e-9 for p in model.parameters())


def test_there_the_reconstruction_is_pca_s(data):
    x, pca = data
    expected = pca.transform(x.numpy())[:, :3] @ pca.components_[:3] + pca.mean_
    torch.testing.assert_close(at_pca(x, pca).reconstruct(x), torch.from_numpy(expected))


def test_no_neighbour_is_better_and_another_eigenspace_is_a_saddle(data):
    x, pca = data
    best, minimum = at_pca(x, pca), dropped(pca, 3)
    for seed in range(5):
        moved = copy.deepcopy(best)
        torch.manual_seed(seed)
        with torch.no_grad():
            for p in moved.parameters():
                p.add_(1e-2 * torch.randn_like(p))
        assert moved.loss(x)["loss"].mean() > minimum + 1e-6
    # With the fourth direction for the third there is no gradient either, but a way down.
    saddle = LinearAutoencoder(3, (6,)).double()
    saddle.start_from(x)
    axes = torch.from_numpy(pca.components_)
    losses = []
    for angle in (0.0, 0.1):
        third = math.cos(angle) * axes[3] + math.sin(angle) * axes[2]
        with torch.no_grad():
            saddle.encoder[0].weight.copy_(torch.stack([axes[0], axes[1], third]))
            saddle.encoder[0].bias.zero_()
            saddle.decoder.layers[0].weight.copy_(saddle.encoder[0].weight.T)
        losses.append(saddle.loss(x)["loss"].mean())
        if angle == 0:
            slopes = torch.autograd.grad(losses[0], list(saddle.parameters()))
            assert all(slope.abs().max() < 1e-9 for slope in slopes)
    assert losses[1] < losses[0]


def test_training_finds_pca_s_subspace(data):
    x, pca = data
    torch.manual_seed(0)
    model = LinearAutoencoder(3, (6,)).double()
    model.start_from(x)
    for _ in train_steps(model, x, steps=400, batch_size=400, lr=0.05):
        pass
    assert math.isclose(model.loss(x)["loss"].mean().item(), dropped(pca, 3), rel_tol=1e-6)
    Q, _ = torch.linalg.qr(model.decoder.layers[0].weight)
    cosines = torch.linalg.svdvals(torch.from_numpy(pca.components_[:3]) @ Q)
    assert cosines.min() > math.cos(math.radians(0.1))
    # The codes themselves are not PCA's: nothing asks the axes to be orthogonal.
    inner = model.decoder.layers[0].weight.T @ model.decoder.layers[0].weight
    assert (inner - inner.diag().diag()).abs().max() > 0.01


@pytest.mark.parametrize("hidden_dims", [(), (8,), (8, 6)])
def test_the_loss_is_the_squared_error_of_the_reconstruction(hidden_dims):
    torch.manual_seed(0)
    model = Autoencoder(3, hidden_dims, (1, 4, 5)).requires_grad_(False)
    x = torch.rand(7, 1, 4, 5)
    model.start_from(x)
    x_hat = model.reconstruct(x)
    assert model.encode(x).shape == (7, 3)
    assert torch.equal(model.decode(model.encode(x)), x_hat)
    expected = torch.stack(
        [
            sum((a - b) ** 2 for a, b in zip(*pair, strict=True))
            for pair in zip(x.flatten(1), x_hat.flatten(1), strict=True)
        ]
    )
    torch.testing.assert_close(model.loss(x)["loss"], expected)
    # Nothing is random: another generator changes nothing.
    assert torch.equal(model.loss(x, generator=seeded(1))["loss"], model.loss(x, generator=seeded(2))["loss"])


def test_the_decoder_mirrors_the_encoder():
    model = Autoencoder(5, (8, 6), (2, 3))
    shapes = [tuple(layer.weight.shape) for layer in [*model.encoder[::2], *model.decoder.layers[::2]]]
    assert shapes == [(8, 6), (6, 8), (5, 6), (6, 5), (8, 6), (6, 8)]


@pytest.mark.parametrize("support", [(0.0, 1.0), (-1.0, 3.0)])
def test_the_output_stays_inside_the_support_and_reaches_all_of_it(support):
    low, high = support
    model = Autoencoder(1, (), (1,), support).requires_grad_(False)
    model.decoder.layers[0].weight.fill_(1)
    model.decoder.layers[0].bias.zero_()
    x_hat = model.decode(torch.tensor([[-30.0], [0.0], [30.0]]))
    torch.testing.assert_close(x_hat, torch.tensor([[low], [(low + high) / 2], [high]]))


@pytest.mark.parametrize("support", [(0.0, 1.0), (-1.0, 3.0), ANY])
@pytest.mark.parametrize("hidden_dims", [(), (8,)])
def test_a_model_starts_from_the_mean_of_the_data(support, hidden_dims):
    torch.manual_seed(0)
    model = Autoencoder(2, hidden_dims, (4,), support).requires_grad_(False)
    x = torch.tensor([[0.0, 1, 0, 1], [0, 1, 1, 0], [0, 1, 1, 1]])
    model.start_from(x)
    model.decoder.layers[-1].weight.zero_()
    torch.testing.assert_close(model.reconstruct(x), x.mean(0).expand(3, 4), atol=4.1e-3, rtol=0)
    # The encoder sees what differs from the mean.
    torch.testing.assert_close(model.encode(x), model.encoder(x - x.mean(0)))


def test_what_the_label_says_the_code_need_not():
    # Four corners; the label names one coordinate, and the code of one number has to hold the other only.
    corners = torch.cartesian_prod(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    x, y = corners.repeat(32, 1), torch.tensor([0, 0, 1, 1]).repeat(32)
    torch.manual_seed(0)
    model = Autoencoder(1, (16,), (2,), classes=2)
    for _ in train_steps(model, x, y, steps=300, batch_size=32, lr=2e-2):
        pass
    assert model.loss(x, y)["loss"].max() < 0.05
    swapped = model.decode(model.encode(corners), 1 - y[:4])
    assert (swapped[:, 0].round() == 1 - corners[:, 0]).all()


@pytest.fixture(scope="module")
def shrinkage():
    """Gaussian data with a known covariance, and the denoiser E[x|x̃] = μ + C(C + σ²I)⁻¹(x̃ − μ) as weights."""
    C = torch.tensor([[2.0, 0.8], [0.8, 0.5]], dtype=torch.float64)
    mu, sigma = torch.tensor([1.0, -2.0], dtype=torch.float64), 0.6
    S = C @ torch.linalg.inv(C + sigma**2 * torch.eye(2, dtype=torch.float64))
    model = DenoisingAutoencoder(sigma, 2, (), (2,), ANY).double().requires_grad_(False)
    model.mu.copy_(mu)
    model.encoder[0].weight.copy_(S)
    model.encoder[0].bias.zero_()
    model.decoder.layers[0].weight.copy_(torch.eye(2))
    model.decoder.layers[0].bias.copy_(mu)
    x = mu + torch.randn(200_000, 2, generator=seeded(), dtype=torch.float64) @ torch.linalg.cholesky(C).T
    return model, x, C, mu


def test_the_best_denoiser_s_residual_is_the_score(shrinkage):
    model, _, C, mu = shrinkage
    smoothed = torch.distributions.MultivariateNormal(mu, C + model.sigma**2 * torch.eye(2, dtype=torch.float64))
    x = smoothed.sample((100,)).requires_grad_()
    (expected,) = torch.autograd.grad(smoothed.log_prob(x).sum(), x)
    torch.testing.assert_close(model.score(x.detach()), expected)


def test_its_loss_is_the_posterior_s_variance(shrinkage):
    model, x, C, _ = shrinkage
    precision = torch.linalg.inv(C) + torch.eye(2, dtype=torch.float64) / model.sigma**2
    expected = torch.linalg.inv(precision).trace()
    loss = model.loss(x, generator=seeded(1))["loss"]
    assert abs(loss.mean() - expected) < 3 * loss.std() / len(loss) ** 0.5


def test_training_finds_the_best_denoiser(shrinkage):
    best, x, _, _ = shrinkage
    torch.manual_seed(0)
    model = DenoisingAutoencoder(best.sigma, 2, (), (2,), ANY).double()
    model.start_from(x)
    for _ in train_steps(model, x, steps=800, batch_size=1000, lr=0.05):
        pass
    product = (model.decoder.layers[0].weight @ model.encoder[0].weight).detach()
    torch.testing.assert_close(product, best.encoder[0].weight, atol=0.01, rtol=0)


def test_a_bent_denoiser_learns_the_score_of_two_clusters():
    means = torch.tensor([[-1.5, 0.0], [1.5, 0.0]])
    density, smoothed = toys.IsotropicMixture(means, 0.3), toys.IsotropicMixture(means, 0.5)  # 0.3² + 0.4² = 0.5²
    x = density.sample(20_000, generator=seeded())
    torch.manual_seed(0)
    model = DenoisingAutoencoder(0.4, 16, (32,), (2,), ANY)
    model.start_from(x)
    for _ in train_steps(model, x, steps=800, batch_size=500, lr=4e-2):
        pass
    noisy = smoothed.sample(2000, generator=seeded(1)).requires_grad_()
    (exact,) = torch.autograd.grad(smoothed.log_prob(noisy).sum(), noisy)
    error = (model.score(noisy.detach()) - exact).square().sum() / exact.square().sum()
    assert error < 0.01


def test_the_noise_is_seeded_and_of_the_size_it_says():
    torch.manual_seed(0)
    model = DenoisingAutoencoder(0.5, 4, (8,), (1, 3, 3)).requires_grad_(False)
    x = torch.rand(6, 1, 3, 3)
    losses = [model.loss(x, generator=seeded(seed))["loss"] for seed in (0, 0, 1)]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])
    noisy = x + 0.5 * torch.randn(x.shape, generator=seeded())
    torch.testing.assert_close(losses[0], (x - model.denoise(noisy)).square().flatten(1).sum(1))
    torch.testing.assert_close(model.score(noisy) * 0.25 + noisy, model.denoise(noisy))


def refused(error, message, call):
    with pytest.raises(error, match=message) as refusal:
        call()
    assert "got" in str(refusal.value)


@pytest.mark.parametrize("support", [(0.0, math.inf), (-math.inf, 1.0), (1.0, 0.0), (0.0, 0.0), (math.nan, 1.0)])
def test_a_support_with_one_end_is_refused(support):
    refused(ValueError, "support: expected", lambda: Autoencoder(2, (4,), (3,), support))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf, math.nan])
def test_a_deviation_must_be_positive(sigma):
    refused(ValueError, "sigma: expected a positive number", lambda: DenoisingAutoencoder(sigma, 2, (4,), (3,)))


def test_noisy_images_may_leave_the_support_and_are_checked():
    model = DenoisingAutoencoder(0.5, 2, (4,), (4,))
    assert model.denoise(torch.rand(3, 4) + 5).shape == (3, 4)
    for call in (model.denoise, model.score):
        refused(ValueError, "x_noisy: expected", lambda call=call: call(torch.zeros(3, 5)))
        refused(ValueError, "x_noisy: expected", lambda call=call: call(torch.full((3, 4), torch.inf)))
