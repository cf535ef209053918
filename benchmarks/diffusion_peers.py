"""The libraries beside our diffusion model: networks, schedules and losses of their own, in small.

denoising-diffusion-pytorch (github.com/lucidrains/denoising-diffusion-pytorch) and 🤗 diffusers (von Platen et al.
2022). Imported only where both are installed.
"""

import contextlib
import io
import sys
from unittest.mock import Mock

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch import Tensor, nn

from benchmarks.diffusion import ETA, STEPS, pixels

# The library's trainer and its data loader want torchvision, which has no build for PyTorch without CUDA.
sys.modules["torchvision"] = Mock()
from denoising_diffusion_pytorch import GaussianDiffusion, Unet  # noqa: E402

del sys.modules["torchvision"]


class DenoisingDiffusion(nn.Module):
    """denoising-diffusion-pytorch with its defaults: v, the sigmoid schedule, attention at each resolution."""

    batch_size = 32  # also of the samples: the fastest on two cores

    def __init__(self) -> None:
        super().__init__()
        network = Unet(dim=16, channels=1, dim_mults=(1, 2, 4))
        self.diffusion = GaussianDiffusion(network, image_size=28, sampling_timesteps=STEPS[0], ddim_sampling_eta=ETA)

    def loss(self, x: Tensor) -> Tensor:
        """Compute the mean squared error of v of one batch."""
        return self.diffusion(x)

    def draw(self, n: int, steps: int, generator: torch.Generator) -> Tensor:
        """Draw n images by its DDIM. It takes PyTorch's own generator, which starts from the same seed here."""
        torch.manual_seed(generator.initial_seed())
        self.diffusion.sampling_timesteps = steps
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
            return torch.cat([self.diffusion.sample(len(part)) for part in torch.arange(n).split(self.batch_size)])


class Diffusers(nn.Module):
    """diffusers' U-Net without attention and its schedulers' defaults: ε, the linear schedule."""

    batch_size = 32

    def __init__(self) -> None:
        super().__init__()
        self.network = UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            block_out_channels=(32, 64, 64),
            down_block_types=("DownBlock2D",) * 3,
            up_block_types=("UpBlock2D",) * 3,
            add_attention=False,
        )
        self.scheduler = DDPMScheduler()

    def loss(self, x: Tensor) -> Tensor:
        """Compute the mean squared error of ε of one batch."""
        x0, eps = 2 * x - 1, torch.randn_like(x)
        t = torch.randint(self.scheduler.config.num_train_timesteps, (len(x),), device=x.device)
        return F.mse_loss(self.network(self.scheduler.add_noise(x0, eps, t), t).sample, eps)

    def draw(self, n: int, steps: int, generator: torch.Generator) -> Tensor:
        """Draw n images by its DDIM."""
        scheduler, images = DDIMScheduler.from_config(self.scheduler.config), []
        scheduler.set_timesteps(steps)
        x_T = torch.randn(n, 1, 28, 28, generator=generator, device=generator.device)
        for x in x_T.split(self.batch_size):
            for t in scheduler.timesteps:
                x = scheduler.step(self.network(x, t).sample, t, x, eta=ETA, generator=generator).prev_sample
            images.append(pixels(x))
        return torch.cat(images)
