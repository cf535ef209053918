"""The classifier with which the course compares samples: a small convolutional network for the ten digits.

LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, sec. II.B), but with SiLU and maximum pooling. Models are compared by
its 84-dimensional penultimate layer; drawings are read by its logits. `pretrained.load(LeNet(), "classifier")` fills
it with the shipped weights. They come from the first 50,000 training images; the last 10,000 are for validation.
"""

from torch import Tensor, nn

from gen_utils.base import batch

FEATURES = 84


class LeNet(nn.Module):
    """LeNet-5 for grey images `(B, 1, 28, 28)` in [0, 1]: 61,706 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),  # (B, 6, 28, 28)
            nn.SiLU(),
            nn.MaxPool2d(2),  # (B, 6, 14, 14)
            nn.Conv2d(6, 16, 5),  # (B, 16, 10, 10)
            nn.SiLU(),
            nn.MaxPool2d(2),  # (B, 16, 5, 5)
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.SiLU(),
            nn.Linear(120, FEATURES),
            nn.SiLU(),
        )
        self.head = nn.Linear(FEATURES, 10)

    def features(self, x: Tensor) -> Tensor:
        """Compute the penultimate layer, `(B, 84)`, in which the metrics compare sets of images.

        Raises:
            TypeError: not a tensor of single-precision numbers, or of the model's own precision.
            ValueError: another shape, empty, not finite, or outside [0, 1].
        """
        return self.body(batch("x", x, (1, 28, 28), (0.0, 1.0), self.head.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of the ten digits, `(B, 10)`; raises what `features` raises."""
        return self.head(self.features(x))
