"""One look for every figure: each function takes an `ax` and returns it.

A colour has one meaning in all figures and widgets (the palette of Okabe and Ito, safe for colour-blind readers).
Exact values are drawn dashed in the colour of the text, a grey that is readable on light and on dark backgrounds.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

COLOURS = {
    "data": "#0072B2",
    "model": "#D55E00",
    "latent": "#CC79A7",
    "decision": "#009E73",
    "noise": "#999999",
    "truth": "#767676",
}
# Ten colours for classes that colour-blind readers can distinguish too: Petroff 2021, arXiv:2107.02270.
CLASSES = [
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
]  # fmt: skip
WIDTH = 5.0  # inches; at 144 dots per inch as wide as the text column, and readable at half of it, on a phone


def use_style() -> None:
    """Set matplotlib to the style of the book: a transparent background, text readable on light and on dark."""
    grey = COLOURS["truth"]
    mpl.rcParams.update(
        {
            "figure.dpi": 144,
            "savefig.dpi": 144,
            "figure.facecolor": "none",
            "savefig.facecolor": "none",
            "savefig.bbox": "tight",
            "axes.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=[COLOURS["model"], COLOURS["data"], COLOURS["decision"]]),
            "font.size": 10,
            "image.cmap": "viridis",
            **dict.fromkeys(["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"], grey),
        }
    )


def figure(
    columns: int = 1,
    height: float = 2.2,
    width_ratios: Sequence[float] | None = None,
    rows: int = 1,
    height_ratios: Sequence[float] | None = None,
) -> tuple[Figure, Any]:
    """Make a figure as wide as the text: `(figure, ax)`, or `(figure, axes)` for several columns or rows of axes."""
    return plt.subplots(
        rows,
        columns,
        figsize=(WIDTH, height),
        width_ratios=width_ratios,
        height_ratios=height_ratios,
        layout="constrained",
    )


def show_images(ax: Axes, images: Tensor | np.ndarray, columns: int | None = None) -> Axes:
    """Show images `(N, 1, H, W)` with values in [0, 1], dark ink on light paper, as a grid without gaps.

    Raises:
        ValueError: another shape.
    """
    images = images.numpy(force=True) if isinstance(images, Tensor) else images
    if images.ndim != 4 or images.shape[1] != 1 or len(images) == 0:
        raise ValueError(f"images: expected shape (N, 1, H, W), got {tuple(images.shape)}")
    n, _, height, width = images.shape
    columns = columns or n
    rows = -(-n // columns)
    grid = np.zeros((rows * columns, height, width), dtype=images.dtype)
    grid[:n] = images[:, 0]
    picture = grid.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def label_scatter(ax: Axes, points: np.ndarray, labels: np.ndarray) -> Axes:
    """Scatter `(N, 2)` points as the digits of their labels `(N,)`: readable without seeing colours."""
    for label in np.unique(labels):
        x, y = points[labels == label].T
        ax.scatter(x, y, marker=f"${label}$", s=22, color=CLASSES[label], linewidths=0)
    return ax
