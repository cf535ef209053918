"""How the chapters train their models: the one place that has the numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from gen_utils import toys
from gen_utils.base import Trainable
from gen_utils.data import Images, binarize
from gen_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, LinearAutoencoder
from gen_utils.models.conv_gan import ConvGAN
from gen_utils.models.diffusion import Diffusion, ImageDiffusion
from gen_utils.models.flows import CouplingFlow
from gen_utils.models.gan import GAN, r1
from gen_utils.models.made import MADE
from gen_utils.models.unet import UNet
from gen_utils.models.vae import VAE, GaussianVAE
from gen_utils.nets import Denoiser
from gen_utils.train import average, device, train_gan_steps, train_steps


@dataclass(frozen=True)
class Recipe:
    """How a chapter trains one model, on the 60,000 images or on points of its own.

    Attributes:
        model: makes the model, untrained; its weights come from PyTorch's global generator. A model with labels is
            made for ten classes, or for as many as the argument `classes` says.
        steps: updates; of a GAN, rounds.
        batch_size: examples in a batch, of all processes together.
        lr: the highest learning rate.
        weights: name of the weights that come with the package.
        labels: whether the model takes the labels.
        prepare: called on each batch, `prepare(x, generator=generator)`, before the model sees it.
        points: draws the training data of a model of the plane, `(N, 2)`.
        lr_schedule: factor of a GAN's learning rate, from the round's number and the number of rounds.
        anneal: changes the model after an update, from its number and the number of updates.
        average: how weights are averaged, as `AveragedModel` takes it, where the chapter keeps their average.
    """

    model: Callable[..., Trainable | GAN]
    steps: int
    batch_size: int
    lr: float
    weights: str | None = None
    labels: bool = False
    prepare: Callable[..., Tensor] | None = None
    points: Callable[[], Tensor] | None = None
    lr_schedule: Callable[..., float] | None = None
    anneal: Callable[[Any, int, int], None] | None = None
    average: Callable[[Any, Any, int | Tensor], None] | None = None

    def with_steps(self, steps: int) -> Self:
        """Return the same recipe with another number of updates."""
        return replace(self, steps=steps)

    def options(self) -> dict[str, Any]:
        """Return what `train_steps`, or `train_gan_steps`, takes by name, except for the seed."""
        options: dict[str, Any] = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "prepare": self.prepare,
        }
        if self.lr_schedule:
            options["lr_schedule"] = partial(self.lr_schedule, steps=self.steps)
        return options

    def __str__(self) -> str:
        return f"{self.steps} updates, {self.batch_size} examples each, learning rate {self.lr:g}"


def _moons() -> Tensor:
    return toys.moons().sample(200_000, generator=torch.Generator().manual_seed(2))


def _ring() -> Tensor:
    return toys.ring().sample(200_000, generator=torch.Generator().manual_seed(2))


def _eight() -> Tensor:
    eight = toys.eight_gaussians()
    return toys.IsotropicMixture(eight.means / 2, eight.sigma / 2).sample(
        50_000, generator=torch.Generator().manual_seed(1)
    )


def _unet(classes: int = 10) -> ImageDiffusion:
    return ImageDiffusion(UNet(classes=classes), classes=classes)


def _warm_up(model: VAE, number: int, steps: int) -> None:
    # The rate's weight grows over the first third: a latent unit that is switched off early seldom comes back.
    model.beta = min(1.0, number / (0.3 * steps))


def _fall(number: int, steps: int) -> float:
    return min(number / 50, (1 - number / steps) ** 3)


# An epoch of the images is 234 updates of 256, or 937 of 64.
RECIPES = {
    # Chapter 1
    "flow": Recipe(CouplingFlow, 1000, 512, 5e-3, "01_flow", points=_moons),
    "made": Recipe(MADE, 1250, 256, 5e-3, "01_made", prepare=binarize),
    # Chapter 3
    "linear": Recipe(partial(LinearAutoencoder, 6), 703, 256, 1e-2),
    "autoencoder": Recipe(Autoencoder, 2343, 64, 5e-3, "03_autoencoder"),
    "conditional": Recipe(partial(Autoencoder, 2, classes=10), 1406, 64, 5e-3, "03_conditional", labels=True),
    "denoiser": Recipe(partial(DenoisingAutoencoder, 0.5), 1406, 64, 5e-3, "03_denoiser"),
    # Chapter 4
    "plane": Recipe(partial(VAE, 2), 937, 256, 1e-3, "04_plane", prepare=binarize),
    "vae": Recipe(partial(VAE, 24, beta=0.0), 2812, 256, 4e-3, "04_vae", prepare=binarize, anneal=_warm_up),
    "cvae": Recipe(
        partial(VAE, 10, (256, 256), classes=10), 703, 256, 4e-3, "04_cvae", labels=True, prepare=binarize
    ),
    "gaussian": Recipe(partial(GaussianVAE, 16, (256, 256)), 703, 256, 2e-3),
    # Chapter 5
    "gan_plane": Recipe(partial(GAN, losses=r1()), 2500, 128, 5e-4, points=_ring),
    "gan": Recipe(ConvGAN, 4000, 64, 6e-3, "05_gan", labels=True, lr_schedule=_fall, average=average),
    # Chapter 6
    "diffusion_plane": Recipe(lambda: Diffusion(Denoiser()), 2000, 512, 5e-3, "06_plane", points=_eight),
    "unet": Recipe(_unet, 5000, 64, 5e-3, "06_unet", labels=True, average=average),
}


def train_on(images: Images, name: str, *, part: float = 1.0, seed: int = 0) -> Any:
    """Train a chapter's model on another data set, and return it in evaluation mode.

    Args:
        images: the data set; a model with labels is made for as many classes as it has.
        name: of the recipe.
        part: of the recipe's steps, at least one step.
        seed: of the first weights, the order of the data and the noise.
    """
    recipe = RECIPES[name]
    recipe = recipe.with_steps(max(1, round(part * recipe.steps)))
    torch.manual_seed(seed)
    model: Any = recipe.model(classes=images.classes) if recipe.labels else recipe.model()
    model = model.to(device())
    x, y = images.train.to(device()), images.train_labels.to(device()) if recipe.labels else None
    if start_from := getattr(model, "start_from", None):
        start_from(x)
    averaged = AveragedModel(model, multi_avg_fn=recipe.average) if recipe.average else None
    train = train_gan_steps if isinstance(model, GAN) else train_steps
    for update in train(model, x, y, **recipe.options(), seed=seed):
        if recipe.anneal:
            recipe.anneal(model, update.number, recipe.steps)
        if averaged:
            averaged.update_parameters(model)
    if averaged:
        model.load_state_dict(averaged.module.state_dict())
    return model.eval()
