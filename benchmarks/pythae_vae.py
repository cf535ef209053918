"""The peer of our VAE: pythae's, with its own default networks, trainer and settings.

Chadebec, Vincent and Allassonnière 2022, arXiv:2206.08309. Imported only where pythae is installed.
"""

import contextlib
import tempfile
from time import perf_counter

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from gen_utils.data import binarize


class OutOfTime(Exception):  # noqa: N818, it is no error
    """Leaves pythae's training loop, which otherwise ends only between epochs."""


class Clock(TrainingCallback):
    """Stops the training when `budget` seconds are over, and binarizes the data afresh for every epoch.

    Each image is seen once an epoch, so one draw of all of them is as dynamic as a draw for every batch, and it
    is pythae's cheapest way to have one: no work for each example.
    """

    def __init__(self, x: Tensor, budget: float) -> None:
        self.x, self.budget = x, budget
        self.steps, self.seconds = 0, 0.0

    def on_train_begin(self, training_config: BaseTrainerConfig, **kwargs: object) -> None:
        """Start the clock."""
        self.start = perf_counter()

    def on_epoch_begin(self, training_config: BaseTrainerConfig, **kwargs: object) -> None:
        """Draw every pixel black or white."""
        kwargs["train_loader"].dataset.data = binarize(self.x)

    def on_train_step_end(self, training_config: BaseTrainerConfig, **kwargs: object) -> None:
        """Count an update, and stop after the last that fits."""
        self.steps, self.seconds = self.steps + 1, perf_counter() - self.start
        if self.seconds >= self.budget:
            raise OutOfTime


class Trained(nn.Module):
    """pythae's two networks, called as our VAE's are: pixels to μ and σ, latents to logits."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and standard deviation of q(z|x), two `(B, K)`."""
        output = self.model.encoder(x)
        return output.embedding, (0.5 * output.log_covariance).exp()

    def decode(self, z: Tensor) -> Tensor:
        """Return the logits of p(x|z), `(B, 1, 28, 28)`.

        They are taken before the decoder's last sigmoid, which rounds to 0 and 1: pythae's own log p(x|z) is cut
        off at −100 a pixel there, the one from logits is not.
        """
        hidden, (linear, _) = self.model.decoder.layers
        return linear(hidden(z)).unflatten(1, self.model.input_dim)


def train(x: Tensor, latent_dim: int, budget: float, lr: float) -> tuple[Trained, float, int]:
    """Train for `budget` seconds on `x` and return the model, the seconds it took and the images it saw.

    All but `lr` is pythae's default: one hidden layer of 512, Adam, batches of 64, no schedule. Where the trainer
    would return the weights of its best epoch, this returns those at the end of the time.
    """
    torch.manual_seed(0)
    model = VAE(VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=latent_dim, reconstruction_loss="bce"))
    clock = Clock(x, budget)
    with tempfile.TemporaryDirectory() as folder:
        # It never gets to the last epoch, and nothing else depends on their number.
        config = BaseTrainerConfig(output_dir=folder, num_epochs=1_000_000, learning_rate=lr)
        data = BaseDataset(binarize(x), torch.zeros(len(x)))
        trainer = BaseTrainer(model, data, training_config=config, callbacks=[clock])
        with contextlib.suppress(OutOfTime):
            trainer.train()
    epochs, rest = divmod(clock.steps, len(trainer.train_loader))
    return Trained(model).eval(), clock.seconds, epochs * len(x) + rest * config.per_device_train_batch_size
