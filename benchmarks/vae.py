"""Our VAE beside pythae's: the same latent size, seconds of training, binarized digits and estimator."""

import contextlib
import io
import math
from time import perf_counter

import torch
from torch import Tensor, nn

from benchmarks.clock import steps_per_second
from gen_utils.data import binarize, mnist
from gen_utils.likelihoods import bernoulli_log_prob, normal_log_prob
from gen_utils.metrics import importance_weighted_bound
from gen_utils.models.vae import VAE
from gen_utils.recipes import RECIPES
from gen_utils.train import device, train_steps

PEERS = {"pythae": "pythae"}  # names to import, and to install
HEADER = f"{'model':<18}{'seconds':>9}{'images/s':>10}{'parameters':>12}{'ELBO':>10}{'L_500':>10} ± s.e. (nats)"
RECIPE = RECIPES["vae"]
K = 500


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Train each model for `budget` seconds, judge it on `images` test images: one row each, the best first.

    Ours comes first and takes about `budget`: its schedule needs the number of steps before it starts. The others
    are stopped by the clock after exactly as long as it took.
    """
    train, _, test, *_ = mnist()
    seed = torch.Generator().manual_seed(0)
    test = binarize(test[torch.randperm(len(test), generator=seed)[:images]], generator=seed).to(device())
    model, seconds, seen = train_ours(train.to(device()), budget)
    results = [{"model": "gen_utils", **describe(model, seconds, seen), **judge(model, test)}]
    if peers:
        # pythae binds its log, as tqdm its bar, to what stderr is at import.
        with contextlib.redirect_stderr(io.StringIO()):
            from benchmarks import pythae_vae
        for name, lr in {"pythae": 1e-4, "pythae, lr 1e-3": 1e-3}.items():
            with contextlib.redirect_stderr(io.StringIO()):
                peer, own, seen = pythae_vae.train(train, model.latent_dim, seconds, lr)
            results.append({"model": name, **describe(peer, own, seen), **judge(peer, test)})
    return sorted(results, key=lambda row: -row["bound"])


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    return (
        f"{row['model']:<18}{row['seconds']:>9.1f}{row['images_per_second']:>10,.0f}{row['parameters']:>12,}"
        f"{row['elbo']:>10.2f}{row['bound']:>10.2f} ± {row['standard_error']:.2f}"
    )


def train_ours(x: Tensor, budget: float) -> tuple[VAE, float, int]:
    """Train for about `budget` seconds on `x` and return the model, the seconds it took and the images it saw."""
    given = {"batch_size": RECIPE.batch_size, "lr": RECIPE.lr, "prepare": RECIPE.prepare}
    updates = train_steps(RECIPE.model().to(x.device), x, steps=1_000_000, **given)
    steps = max(1, round(budget * steps_per_second(updates, budget / 10)))
    torch.manual_seed(0)
    model = RECIPE.model().to(x.device)
    start = perf_counter()
    model.start_from(x)
    for update in train_steps(model, x, steps=steps, **given):
        RECIPE.anneal(model, update.number, steps)
    return model, perf_counter() - start, steps * RECIPE.batch_size


def describe(model: nn.Module, seconds: float, seen: int) -> dict[str, float]:
    """What the training cost: seconds, images a second, parameters."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"seconds": seconds, "images_per_second": seen / seconds, "parameters": parameters}


def judge(model: nn.Module, x: Tensor) -> dict[str, float]:
    """Estimate the ELBO and L_500 on binarized `x`, with the same noise for every model; nats an image.

    The standard error is that of the mean of L_500 over images.
    """
    generator = torch.Generator(x.device).manual_seed(0)
    elbo, bound = [], []
    for part in x.split(1000):
        weights = log_weights(model, part, K, generator=generator)
        elbo.append(weights.mean(0))
        bound.append(importance_weighted_bound(weights, K))
    elbo, bound = torch.cat(elbo).double(), torch.cat(bound).double()
    error = bound.std() / math.sqrt(len(bound))
    return {"elbo": elbo.mean().item(), "bound": bound.mean().item(), "standard_error": error.item()}


@torch.no_grad()
def log_weights(model: nn.Module, x: Tensor, k: int, *, generator: torch.Generator) -> Tensor:
    """Draw k latents from q(z|x) and return log p(x, z) − log q(z|x) of each, `(k, B)` in nats.

    `VAE.log_weights`, for any model with `encode` and `decode`.
    """
    mu, sigma = model.encode(x)
    weights = []
    for _ in range(k):
        z = mu + sigma * torch.randn(mu.shape, generator=generator, device=mu.device)
        weights.append(bernoulli_log_prob(x, model.decode(z)) + normal_log_prob(z) - normal_log_prob(z, mu, sigma))
    return torch.stack(weights)
