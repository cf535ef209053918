"""Our convolutional GAN beside the standard DCGAN recipe: the same seconds of training, the same judge, three seeds.

The recipe is that of PyTorch's DCGAN tutorial, its layers cut to 28 × 28 pixels, its first width, 64, kept: Radford,
Metz and Chintala 2016, arXiv:1511.06434. It takes no labels.
"""

from collections.abc import Callable, Iterator
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gen_utils import pretrained
from gen_utils.classifier import LeNet
from gen_utils.data import binarize, mnist
from gen_utils.metrics import frechet_distance
from gen_utils.recipes import RECIPES
from gen_utils.train import device, train_gan_steps

PEERS: dict[str, str] = {}  # nothing to install: the recipe is written out below
HEADER = (
    f"{'model':<14}{'seed':>5}{'seconds':>9}{'images/s':>10}{'parameters':>12}{'Fréchet: grey':>15}{'Bernoulli':>11}"
)
SEEDS = (0, 1, 2)
SHARES = (0.25, 0.5, 0.75, 1.0)  # of the budget, after which the samples are judged
RECIPE = RECIPES["gan"]
WARM_UP = 50  # steps in which the learning rate climbs


def rows(budget: float, images: int, peers: bool) -> list[dict]:
    """Train each model for `budget` seconds from each seed, and judge it after each quarter: one row each time.

    As many samples are judged as test images, `images`; training stands still meanwhile, and so does its clock.
    """
    train, train_labels, test, _ = (part.to(device()) for part in mnist()[:4])
    judge = Judge(test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:images]])
    builders: dict[str, type[Ours] | type[Recipe]] = {"gen_utils": Ours}
    if peers:
        builders["DCGAN recipe"] = Recipe
    results = []
    for seed in SEEDS:
        for name, build in builders.items():
            torch.manual_seed(seed)
            model, clock = build(), Clock()
            about = {"model": name, "seed": seed, "parameters": sum(p.numel() for p in model.gan.parameters())}
            updates = model.updates(train, train_labels, lambda clock=clock: clock.seconds() / budget, seed)
            steps = 0
            for share in SHARES:
                while clock.seconds() < share * budget:
                    next(updates)
                    steps += 1
                seconds = clock.seconds()
                speed = steps * model.batch_size / seconds
                with clock:
                    row = {"share": share, "seconds": seconds, "images_per_second": speed, **judge(model)}
                results.append(about | row)
    return sorted(results, key=lambda row: (row["share"], row["bernoulli"]))


def line(row: dict) -> str:
    """Lay a row out under `HEADER`."""
    return (
        f"{row['model']:<14}{row['seed']:>5}{row['seconds']:>9.1f}{row['images_per_second']:>10,.0f}"
        f"{row['parameters']:>12,}{row['grey']:>15.2f}{row['bernoulli']:>11.2f}"
    )


class Ours:
    """`ConvGAN` with its labels, a learning rate that falls as the cube of the time left, and averaged weights."""

    batch_size = RECIPE.batch_size

    def __init__(self) -> None:
        self.gan = RECIPE.model().to(device())
        self.averaged = AveragedModel(self.gan, multi_avg_fn=RECIPE.average).eval()

    def updates(self, x: Tensor, y: Tensor, share: Callable[[], float], seed: int) -> Iterator[None]:
        """Train without end; `share()` is that of the time that is over."""
        self.labels = y
        for _ in train_gan_steps(
            self.gan,
            x,
            y,
            steps=10**9,
            batch_size=RECIPE.batch_size,
            lr=RECIPE.lr,
            lr_schedule=lambda number: min(number / WARM_UP, max(0.0, 1 - share()) ** 3),
            seed=seed,
        ):
            self.averaged.update_parameters(self.gan)
            yield

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n images, their labels from the training data."""
        chosen = torch.randint(len(self.labels), (n,), generator=generator, device=self.labels.device)
        return self.averaged.module.sample(n, self.labels[chosen], generator=generator)


class Recipe:
    """DCGAN as the tutorial trains it: z of 100, tanh, cross-entropy, Adam at 2e-4 with beta1 .5, batches of 128."""

    batch_size = 128

    def __init__(self) -> None:
        self.generator = nn.Sequential(
            nn.Unflatten(1, (100, 1, 1)),
            *(nn.ConvTranspose2d(100, 256, 4, bias=False), nn.BatchNorm2d(256), nn.ReLU()),  # (B, 256, 4, 4)
            *(nn.ConvTranspose2d(256, 128, 3, 2, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU()),  # (B, 128, 7, 7)
            *(nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),  # (B, 64, 14, 14)
            *(nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh()),  # (B, 1, 28, 28)
        )
        self.discriminator = nn.Sequential(
            *(nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)),  # (B, 64, 14, 14)
            *(nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)),  # (B, 128, 7, 7)
            *(nn.Conv2d(128, 256, 3, 2, 1, bias=False), nn.BatchNorm2d(256), nn.LeakyReLU(0.2)),  # (B, 256, 4, 4)
            *(nn.Conv2d(256, 1, 4, bias=False), nn.Flatten(0)),  # (B,)
        )
        self.gan = nn.ModuleList([self.generator, self.discriminator]).to(device())
        for layer in (*self.generator, *self.discriminator):
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, 1.0, 0.02)
            elif hasattr(layer, "weight"):
                nn.init.normal_(layer.weight, 0.0, 0.02)

    def updates(self, x: Tensor, y: Tensor, share: Callable[[], float], seed: int) -> Iterator[None]:
        """Train without end, as the tutorial does: one draw of the generator serves both networks."""
        for_generator, for_discriminator = (torch.optim.Adam(p.parameters(), 2e-4, (0.5, 0.999)) for p in self.gan)
        while True:
            for chosen in torch.randperm(len(x), device=x.device).split(self.batch_size):
                real = 2 * x[chosen] - 1
                fake = self.generator(torch.randn(len(chosen), 100, device=x.device))
                for_discriminator.zero_grad()
                F.softplus(-self.discriminator(real)).mean().backward()
                F.softplus(self.discriminator(fake.detach())).mean().backward()
                for_discriminator.step()
                for_generator.zero_grad()
                F.softplus(-self.discriminator(fake)).mean().backward()
                for_generator.step()
                yield

    @torch.no_grad()
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n images; the tutorial stays in training mode, and so does this."""
        z = torch.randn(n, 100, generator=generator, device=generator.device)
        return torch.cat([self.generator(part) for part in z.split(self.batch_size)]).clamp(-1, 1).add(1).div(2)


class Judge:
    """Compares a model's samples with test images: the Fréchet distance in the course's one classifier."""

    def __init__(self, x: Tensor) -> None:
        self.classifier = pretrained.load(LeNet(), "classifier").to(x.device)
        self.grey = self.features(x)
        self.binary = self.features(binarize(x, generator=torch.Generator(x.device).manual_seed(0)))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Compute the 84 features, `(N, 84)`, of which the distance takes the mean and the covariance."""
        return torch.cat([self.classifier.features(part) for part in x.split(1000)])

    def __call__(self, model: Ours | Recipe) -> dict[str, float]:
        """Judge as many samples as there are test images, as they are and as Bernoulli draws."""
        generator = torch.Generator(self.grey.device).manual_seed(1)
        return self.distances(model.draw(len(self.grey), generator), generator)

    def distances(self, x: Tensor, generator: torch.Generator) -> dict[str, float]:
        """Judge samples that have been drawn."""
        return {
            "grey": frechet_distance(self.features(x), self.grey),
            "bernoulli": frechet_distance(self.features(binarize(x, generator=generator)), self.binary),
        }


class Clock:
    """Counts the seconds since it was made, except those inside `with clock:`."""

    def __init__(self) -> None:
        self.start = perf_counter()

    def seconds(self) -> float:
        """Read the clock."""
        return perf_counter() - self.start

    def __enter__(self) -> None:
        """Stop the clock."""
        self.stopped = perf_counter()

    def __exit__(self, *error: object) -> None:
        """Start the clock again."""
        self.start += perf_counter() - self.stopped
