"""Draw the preview picture of links to the course: digits that come out of noise.

The diffusion model of chapter 6 draws it, with the weights that ship. 1200 × 630 pixels, as social networks want.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from execute import ROOT
from torch import Tensor

from gen_utils import pretrained
from gen_utils.models.diffusion import ImageDiffusion
from gen_utils.models.samplers import ddim
from gen_utils.models.unet import UNet
from gen_utils.plots import COLOURS

CARD = ROOT / "book/_static/card.png"
TITLE = "Deep Generative Models, Live"
LINES = """\
An interactive course, from density estimation to diffusion.
Every model trains in minutes and runs in the page."""
LABELS, SEED = [2, 7, 4], 0
STEPS, SHOWN = 50, [0, 12, 18, 23, 28, 33, 38, 44, 50]
SIZE, DOTS = (1200, 630), 100  # pixels, and how many to an inch


def walks() -> Tensor:
    """Draw a digit of each label: its states on the way from noise, `(len(SHOWN), len(LABELS), 28, 28)` in [0, 1]."""
    model = pretrained.load(ImageDiffusion(UNet()), "06_unet")
    y, generator = torch.tensor(LABELS), torch.Generator().manual_seed(SEED)
    x_T = torch.randn(len(y), *model.event_shape, generator=generator)
    schedule = model.schedule.strided(STEPS)
    states = [*ddim(lambda x, log_snr: model.guided(x, log_snr, y, 1.5), x_T, schedule, 1.0, generator=generator)]
    return torch.stack([states[i] for i in SHOWN]).squeeze(2).add(1).div(2).clamp(0, 1)


def main() -> None:
    """Put the title above the walks, and write the file."""
    figure = plt.figure(figsize=[side / DOTS for side in SIZE], dpi=DOTS, facecolor="white")
    figure.text(0.045, 0.86, TITLE, fontsize=40, fontweight="bold", color="#1a1a1a", va="center")
    figure.text(0.046, 0.725, LINES, fontsize=18, color="#4d4d4d", va="center", linespacing=1.5)
    figure.add_artist(plt.Rectangle((0, 0.975), 1, 0.025, color=COLOURS["model"]))
    pictures = np.pad(walks().numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))  # a white gap between neighbours
    ax = figure.add_axes((0.045, 0.04, 0.91, 0.58))
    ax.imshow(np.block([[*row] for row in pictures.swapaxes(0, 1)]), cmap="gray_r", vmin=0, vmax=1)
    ax.set_anchor("W")
    ax.set_axis_off()
    figure.savefig(CARD, metadata={"Software": None})
    print(CARD.relative_to(ROOT))


if __name__ == "__main__":
    main()
