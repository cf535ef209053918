"""Our Gaussian mixture and KDE beside scikit-learn's: the same data, start and number of steps; then the memory.

Each model runs in a process of its own, whose peak of memory is its own too. Seconds are the fit's or the scoring's,
without imports and data.
"""

import json
import math
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from gen_utils.data import binarize, mnist
from gen_utils.models.density import KDE
from gen_utils.models.mixtures import BernoulliMixture, GaussianMixture, em_steps

PEERS = {"sklearn": "scikit-learn"}  # names to import, and to install
HEADER = f"{'task':<18}{'model':<12}{'seconds':>9}{'log-likelihood':>18}{'MB before':>11}{'MB peak':>9}"
EM_STEPS = 20
# Examples, dimensions, components.
MIXTURES = {"gmm-2d": (100_000, 2, 8), "gmm-16d": (20_000, 16, 10)}
# Kernels, queries, dimensions, bandwidth.
KDES = {"kde-2d": (10_000, 10_000, 2, 0.2), "kde-784d": (10_000, 500, 784, 1.0)}


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Run each task by us and by scikit-learn, the tasks on 60,000 digits by us alone: one row each.

    Sizes are fixed, so `budget` says only how long a task may take, in minutes for its seconds. `images` is the
    number of test digits.
    """
    tasks = [(task, who) for task in (*MIXTURES, *KDES) for who in ("gen_utils", *(PEERS if peers else ()))]
    tasks += [("kde-mnist", "gen_utils"), ("bernoulli-mnist", "gen_utils")]
    return [{"model": who, "task": task, **measured(task, who, images, 60 * budget)} for task, who in tasks]


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    return (
        f"{row['task']:<18}{row['model']:<12}{row['seconds']:>9.2f}{row['log_likelihood']:>18.6f}"
        f"{row['megabytes_before']:>11,.0f}{row['megabytes_peak']:>9,.0f}"
    )


def measured(task: str, who: str, images: int, limit: float) -> dict[str, float]:
    """Run one task in a process of its own, with as many threads as this one has."""
    threads = str(torch.get_num_threads())
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mixtures", task, who, str(images), threads],
        cwd=Path(__file__).resolve().parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        capture_output=True,
        encoding="utf-8",
        timeout=limit,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{task} by {who} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    """Run the task that the arguments name, and print what it took as JSON."""
    task, who, images, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    if task in MIXTURES:
        work = gaussian_mixture(*MIXTURES[task], who)
    elif task in KDES:
        work = kde(*KDES[task], who)
    else:
        work = {"kde-mnist": kde_mnist, "bernoulli-mnist": bernoulli_mnist}[task](int(images))
    before = peak()
    start = perf_counter()
    log_likelihood = work()
    seconds = perf_counter() - start
    row = {"seconds": seconds, "log_likelihood": log_likelihood}
    print(json.dumps(row | {"megabytes_before": before, "megabytes_peak": peak()}))


def peak() -> float:
    """The most memory that this process has held so far, in megabytes of a million bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def gaussian_mixture(n: int, dims: int, components: int, who: str) -> Callable[[], float]:
    """EM for `EM_STEPS` steps in double precision; the result is the mean log p(x) before the last of them."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(components, dims, generator=generator, dtype=torch.float64)
    x = centres[torch.randint(components, (n,), generator=generator)]
    x = x + torch.randn(n, dims, generator=generator, dtype=torch.float64)
    model = GaussianMixture(components, dims).double().start_from(x, generator=generator)
    if who == "gen_utils":
        return lambda: [step.log_likelihood for step in em_steps(model, x, steps=EM_STEPS)][-1]
    from sklearn.mixture import GaussianMixture as Theirs

    warnings.simplefilter("ignore")  # that it has not converged
    theirs = Theirs(
        components,
        tol=0,
        reg_covar=0,
        max_iter=EM_STEPS,
        init_params="random",  # not used, and the cheapest
        weights_init=model.pi.numpy(),
        means_init=model.mu.numpy(),
        precisions_init=model.covariance.inverse().numpy(),
    )
    return lambda: float(theirs.fit(x.numpy()).lower_bound_)


def kde(n: int, queries: int, dims: int, bandwidth: float, who: str) -> Callable[[], float]:
    """Score queries in double precision; the result is their mean log p(x)."""
    generator = torch.Generator().manual_seed(0)
    data, x = (torch.randn(size, dims, generator=generator, dtype=torch.float64) for size in (n, queries))
    if who == "gen_utils":
        return lambda: KDE(data, bandwidth).log_prob(x).mean().item()
    from sklearn.neighbors import KernelDensity

    # One leaf: faster here than its default, whose bounds also round away the density far from the data.
    theirs = KernelDensity(bandwidth=bandwidth, leaf_size=n)
    return lambda: float(theirs.fit(data.numpy()).score_samples(x.numpy()).mean())


def kde_mnist(images: int) -> Callable[[], float]:
    """Score the test digits, grey, under a kernel at each of 60,000, in single precision."""
    train, _, test, *_ = mnist()
    return lambda: KDE(train, 0.2).log_prob(test[:images]).mean().item()


def bernoulli_mnist(images: int) -> Callable[[], float]:
    """Fit 50 Bernoulli pictures to 60,000 binarized digits in `EM_STEPS` steps, and score the test digits."""
    generator = torch.Generator().manual_seed(0)
    train, test = (binarize(x, generator=generator) for x in (mnist().train, mnist().test))

    def work() -> float:
        model = BernoulliMixture(50).start_from(train, generator=generator)
        for _ in em_steps(model, train, steps=EM_STEPS):
            pass
        return finite(model.log_prob(test[:images]))

    return work


def finite(log_px: Tensor) -> float:
    """Return the mean, which must be a number."""
    mean = log_px.mean().item()
    assert math.isfinite(mean)
    return mean


if __name__ == "__main__":
    main()
