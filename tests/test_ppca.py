"""PPCA against scikit-learn and the formulas of joint Gaussians."""

import math

import numpy as np
import pytest
import torch
from numeric import close, normal, seeded
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from gen_utils.models.ppca import PPCA
from gen_utils.page.export import export
from gen_utils.page.graphs.ppca import refine_log_prob


@pytest.fixture(scope="module")
def ppca():
    x = normal(120, 3) * torch.tensor([3.0, 2, 1]) @ normal(3, 6, seed=1) + 0.5 * normal(120, 6, seed=2) + 10
    return PPCA(2, (2, 3)).double().fit(x.unflatten(1, (2, 3))), x.unflatten(1, (2, 3))


def moments(model):
    return model.mu, model.W @ model.W.T + model.sigma**2 * torch.eye(len(model.mu)).double()


def test_ppca_is_scikit_learn_s_with_n_in_place_of_n_minus_1(ppca):
    model, x = ppca
    n, sk = len(x), PCA(2).fit(x.flatten(1).numpy())
    close(moments(model)[1] * n / (n - 1), sk.get_covariance())
    # With its own divisor it is ours exactly.
    sk.explained_variance_ *= (n - 1) / n
    sk.noise_variance_ *= (n - 1) / n
    close(model.log_prob(x), sk.score_samples(x.flatten(1).numpy()))
    # And with theirs, ours is theirs.
    scaled = PPCA(2, (2, 3)).double()
    scaled.load_state_dict(model.state_dict())
    scaled.W *= (n / (n - 1)) ** 0.5
    scaled.sigma *= (n / (n - 1)) ** 0.5
    close(scaled.log_prob(x), PCA(2).fit(x.flatten(1).numpy()).score_samples(x.flatten(1).numpy()))
    assert model.log_prob(x).mean() > scaled.log_prob(x).mean()


def test_data_of_several_parts_are_fitted_as_one(ppca):
    x = ppca[1].repeat(80, 1, 1)  # 9600 examples
    close(PPCA(2, (2, 3)).double().fit(x).log_prob(x[:120]), ppca[0].log_prob(x[:120]))


def test_ppca_s_density_is_the_gaussian_s(ppca):
    model, x = ppca
    mu, covariance = moments(model)
    close(model.log_prob(x), multivariate_normal(mu, covariance).logpdf(x.flatten(1).numpy()))


def test_no_other_ppca_is_more_likely(ppca):
    model, x = ppca
    best = model.log_prob(x).mean()
    for seed in range(20):
        moved = PPCA(2, (2, 3)).double()
        moved.load_state_dict(
            {name: v * (1 + 0.05 * normal(1, *v.shape, seed=seed)[0]) for name, v in model.state_dict().items()}
        )
        assert moved.log_prob(x).mean() < best


def test_the_posterior_is_bayes_rule_on_the_joint_gaussian():
    model = PPCA(2, (2, 3)).double()  # any weights, not only those of a fit
    model.W.copy_(normal(6, 2))
    model.mu.copy_(normal(6, seed=1))
    model.sigma.fill_(0.7)
    x = normal(5, 2, 3, seed=2)
    mu, covariance = moments(model)
    gain = model.W.T @ torch.linalg.inv(covariance)
    mean, spread = model.posterior(x)
    close(mean, (x.flatten(1) - mu) @ gain.T)
    close(spread, torch.eye(2) - gain @ model.W)
    close(model.log_prob(x), multivariate_normal(mu, covariance).logpdf(x.flatten(1).numpy()))
    # log p(x) = log p(x|z) + log p(z) − log p(z|x), whatever z is.
    z = normal(5, 2, seed=3)
    noise = multivariate_normal(np.zeros(6), 0.49 * np.eye(6)).logpdf((x - model.decode(z)).flatten(1).numpy())
    prior, posterior = (
        multivariate_normal(np.zeros(2)).logpdf(z),
        multivariate_normal(np.zeros(2), spread).logpdf(z - mean),
    )
    close(model.log_prob(x), noise + prior - posterior)


@pytest.mark.parametrize("same", [True, False])
def test_imputation_is_the_conditional_gaussian(ppca, same):
    model, x = ppca
    x = x[:10]
    observed = torch.rand((2, 3) if same else x.shape, generator=seeded()) < 0.5
    found = model.impute(torch.where(observed, x, 1e3), observed)
    mu, S = moments(model)
    for one, mask, filled in zip(x.flatten(1), observed.expand(x.shape).flatten(1), found.flatten(1), strict=True):
        expected = one.clone()
        if (~mask).any():
            gain = S[~mask][:, mask] @ torch.linalg.inv(S[mask][:, mask])
            expected[~mask] = mu[~mask] + gain @ (one[mask] - mu[mask])
        close(filled, expected, 1e-9)


def test_nothing_observed_is_imputed_by_the_mean_and_all_observed_by_itself(ppca):
    model, x = ppca
    close(model.impute(x, torch.zeros(2, 3, dtype=torch.bool)), model.mu.view(2, 3).expand(x.shape))
    assert torch.equal(model.impute(x, torch.ones(2, 3, dtype=torch.bool)), x)


@pytest.mark.parametrize(
    ("observed", "error", "came"),
    [
        (torch.ones(2, 3), TypeError, "torch.float32"),
        (torch.ones(3, 2, dtype=torch.bool), ValueError, r"\(3, 2\)"),
        (torch.ones(1, 2, 3, dtype=torch.bool), ValueError, r"\(1, 2, 3\)"),
        (None, TypeError, "NoneType"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(ppca, observed, error, came):
    model, x = ppca
    with pytest.raises(error, match=f"observed: expected .*got .*{came}"):
        model.impute(x, observed)


def test_samples_of_ppca_have_its_moments(ppca):
    n, (model, _) = 40_000, ppca
    x = model.sample(n, generator=seeded()).flatten(1)
    mu, S = moments(model)
    assert ((x.mean(0) - mu).abs() < 3 * (S.diagonal() / n).sqrt()).all()
    error = ((S**2 + S.diagonal()[:, None] * S.diagonal()) / n).sqrt()
    assert ((x.T.cov() - S).abs() < 3 * error).all()


def test_a_plane_has_no_ppca_and_needs_more_dimensions_than_latents():
    plane = (normal(50, 2) @ normal(2, 6, seed=1)).unflatten(1, (2, 3))
    for x in (plane, plane[:2], plane.float()):
        with pytest.raises(ValueError, match="span more than latent_dim=2 dimensions"):
            PPCA(2, (2, 3)).to(x.dtype).fit(x)
    with pytest.raises(ValueError, match="fewer than the 6 dimensions of an example, got 6"):
        PPCA(6, (2, 3))


@pytest.mark.parametrize(("K", "P"), [(1, 6 + 6 + 1), (2, 6 + 12 - 1 + 1), (5, 6 * 7 // 2 + 6)])
def test_parameters_of_ppca_are_counted(K, P):  # noqa: N803
    # With K = D − 1 it is any Gaussian: the mean and a symmetric matrix.
    assert PPCA(K, (2, 3)).free_parameters == P


def estimate(refine, eps, blocks=(None,)):
    """Refine from nothing, in blocks that end at these numbers of draws."""
    found, before = torch.zeros(eps.shape[1], 2).to(eps), 0
    for end in blocks:
        block = eps[before:end]
        spare = torch.full_like(block[:2], 1e3)  # what does not count may be anything
        found = refine(
            torch.cat([block, spare]), torch.tensor([len(block)]).to(eps), torch.tensor([before]).to(eps), found
        )
        before += len(block)
    return found


def test_estimates_are_the_mean_of_p_of_x_given_z_and_of_the_weights(ppca):
    model, x = ppca
    eps = normal(50, 3, 2, seed=5)
    found = estimate(refine_log_prob(model, x[:1], widening=1.4), eps)
    V = torch.linalg.svd(model.W, full_matrices=False).Vh
    mean, covariance = model.posterior(x[:1])
    # Standard deviations in the turned space, where the posterior is diagonal.
    scale = 1.4 * (V @ covariance @ V.T).diagonal().sqrt()
    noise = multivariate_normal(np.zeros(6), model.sigma.item() ** 2 * np.eye(6))
    prior = multivariate_normal(np.zeros(2))
    for repeat in range(3):
        z = eps[:, repeat] @ V
        log_px_z = torch.as_tensor(noise.logpdf((x[:1] - model.decode(z)).flatten(1)))
        close(found[repeat, 0], log_px_z.logsumexp(0) - math.log(50), 1e-9)
        z = mean + (scale * eps[:, repeat]) @ V
        log_px_z = torch.as_tensor(noise.logpdf((x[:1] - model.decode(z)).flatten(1)))
        q = multivariate_normal(mean[0], 1.4**2 * covariance)
        log_weight = log_px_z + torch.as_tensor(prior.logpdf(z) - q.logpdf(z))
        close(found[repeat, 1], log_weight.logsumexp(0) - math.log(50), 1e-9)


def test_blocks_of_draws_are_one_and_the_exact_posterior_needs_a_single_draw(ppca):
    model, x = ppca
    eps = normal(40, 4, 2, seed=6)
    refine = refine_log_prob(model, x[3:4])
    close(estimate(refine, eps, blocks=(1, 3, 20, 40)), estimate(refine, eps))
    exact = estimate(refine_log_prob(model, x[3:4], widening=1.0), eps[:1])[:, 1]
    close(exact, model.log_prob(x[3:4]).expand(4))


def test_estimates_are_unbiased_before_the_logarithm(ppca):
    model, x = ppca
    found = estimate(refine_log_prob(model, x[7:8]), normal(1, 40_000, 2, seed=7))
    ratio = (found - model.log_prob(x[7:8])).exp()
    assert ((ratio.mean(0) - 1).abs() < 3 * ratio.std(0) / 200).all()


def test_the_graph_starts_from_nothing(ppca):
    model, x = PPCA(2, (2, 3)), ppca[1][:1].float()
    model.load_state_dict(ppca[0].state_dict())
    refine = refine_log_prob(model, x)
    inputs = {"eps": normal(8, 3, 2).float(), "count": torch.tensor([5.0]), "before": torch.tensor([0.0])}
    graph = export(refine, inputs | {"estimate": torch.zeros(3, 2)}, ["new_estimate"], "refine")
    feeds = {name: value.numpy() for name, value in inputs.items()}
    found = graph.run(**feeds, estimate=np.full((3, 2), 1e6, np.float32))["new_estimate"]
    expected = estimate(refine_log_prob(ppca[0], ppca[1][:1]), inputs["eps"][:5].double())
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_estimates_need_one_example_and_a_width(ppca):
    model, x = ppca
    with pytest.raises(ValueError, match="x: expected one example, got 2"):
        refine_log_prob(model, x[:2])
    for widening in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"widening: expected a positive number, got {widening}"):
            refine_log_prob(model, x[:1], widening)
