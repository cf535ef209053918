"""Train the course's classifier and publish its weights, the same every time: about 80 seconds on one core."""

import os

import torch
import torch.nn.functional as F
from execute import ROOT, publish
from torch import Tensor
from tqdm import tqdm

from gen_utils import data, pretrained
from gen_utils.classifier import LeNet
from gen_utils.output import STAGING

EPOCHS, BATCH_SIZE, LR, SEED = 15, 128, 4e-3, 0


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, scale and shift each image as hands do, by up to 9°, 10 % and 2 pixels, and binarize every second one.

    So the classifier can read a reader's drawing, and judges black-and-white samples as well as grey ones.
    """
    u = 2 * torch.rand(5, len(x), generator=generator) - 1
    angle, width, height = 0.15 * u[0], 1 + 0.1 * u[1], 1 + 0.1 * u[2]
    right, down = u[3:] * 2 / 14  # pixels of 28, where an image reaches from -1 to 1
    first = torch.stack([width * angle.cos(), -height * angle.sin(), right], 1)
    second = torch.stack([width * angle.sin(), height * angle.cos(), down], 1)
    grid = F.affine_grid(torch.stack([first, second], 1), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, align_corners=False).clamp(0, 1)
    x[::2] = data.binarize(x[::2], generator=generator)
    return x


def train() -> LeNet:
    """Fit a LeNet to the first 50,000 training images; the last 10,000 stay unseen, for validation."""
    images = data.mnist()
    x, labels = images.train[:50_000], images.train_labels[:50_000]
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    model = LeNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=EPOCHS * -(-len(x) // BATCH_SIZE))
    for _ in tqdm(range(EPOCHS), unit="epoch"):
        for chosen in torch.randperm(len(x), generator=generator).split(BATCH_SIZE):
            loss = F.cross_entropy(model(augment(x[chosen], generator)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


if __name__ == "__main__":
    staging = ROOT / "_build/classifier"
    os.environ[STAGING] = str(staging)
    torch.set_num_threads(1)  # the order of sums, and so the last bits, depend on the number of threads
    pretrained.save(train(), "classifier")
    publish(staging, ROOT)
