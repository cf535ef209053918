"""The data of the course: MNIST, which is shipped, Fashion-MNIST, found or downloaded, and your own images."""

import gzip
import hashlib
import io
import math
import os
import zlib
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
import torch
from torch import Tensor

from gen_utils import own_data
from gen_utils.base import batch

MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
# From its repository: the course is on no package registry, where anybody could take its name.
REMEDY = "reinstall gen_utils from the course's repository, or restore the file with `git checkout`"
# Where Debian's and Ubuntu's package `dataset-fashion-mnist` puts its files.
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
# MD5 as published in the data set's own repository, zalandoresearch/fashion-mnist.
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


MNIST_BYTES = 12_000_000  # no file of a kind is read that is larger than it may be
MOST_IMAGES = 60_000  # of a part of Fashion-MNIST

FASHION_NAMES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


class Images(NamedTuple):
    """Grey images as floats in [0, 1], `(N, 1, 28, 28)`, labels 0…K−1, `(N,)`, and the names of the K classes."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    names: list[str]

    @property
    def classes(self) -> int:
        """K, the number of classes: from two to ten."""
        return len(self.names)

    @property
    def split(self) -> int:
        """Number of the first training image of the last sixth, on which choices are made: 50,000 of MNIST."""
        return len(self.train) * 5 // 6


def mnist() -> Images:
    """Load MNIST (LeCun, Cortes and Burges): 60,000 training and 10,000 test digits, from the package itself.

    Raises:
        ValueError: the shipped file is damaged.
    """
    with files("gen_utils").joinpath("datasets/mnist.npz").open("rb") as file:
        content = verify(Path(file.name), MNIST_SHA256, REMEDY, MNIST_BYTES)
    with np.load(io.BytesIO(content), allow_pickle=False) as data:
        return _images(data["x_train"], data["y_train"], data["x_test"], data["y_test"], [*"0123456789"])


def fashion_mnist() -> Images:
    """Load Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), a drop-in for MNIST with clothes for digits.

    Debian's package `dataset-fashion-mnist` is read where it is installed; elsewhere the four files
    (30 MB) are downloaded once, with a progress bar, and checked.

    Raises:
        ConnectionError: the files are neither here nor to be had.
        ValueError: a file is damaged, or holds other images than 28 × 28 or other labels than 0 to 9.
    """
    paths = [FASHION_FOLDER / name for name in FASHION_MD5]
    if not all(path.exists() for path in paths):
        try:
            paths = [
                Path(pooch.retrieve(FASHION_ADDRESS + name, f"md5:{md5}", fname=name, progressbar=True))
                for name, md5 in FASHION_MD5.items()
            ]
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"Fashion-MNIST is not in {FASHION_FOLDER} and could not be downloaded ({error}). "
                "On Debian or Ubuntu, `apt install dataset-fashion-mnist` brings it; elsewhere put the four "
                f"files of github.com/zalandoresearch/fashion-mnist into {pooch.os_cache('pooch')}."
            ) from error
    x_train, y_train, x_test, y_test = (_read_idx(*file) for file in zip(paths, [(28, 28), ()] * 2, strict=True))
    for path, x, y in ((paths[1], x_train, y_train), (paths[3], x_test, y_test)):
        if len(x) != len(y) or y.max() >= len(FASHION_NAMES):
            raise ValueError(f"{path}: expected {len(x)} labels 0…9, got {len(y)}, the highest {y.max()}")
    return _images(x_train, y_train, x_test, y_test, FASHION_NAMES)


NAMED = {"mnist": mnist, "fashion_mnist": fashion_mnist}  # what `DATASET` may be called


def load(source: str) -> Images:
    """Load the data set of a notebook's `DATASET`: one of `NAMED`, or the path of your own images.

    Your own images are brought to 28 × 28 pixels, grey, in steps of 1/255. One printed line says what was done.

    - A folder has images of any size, grey or in colour. An image in a sub-folder has its name as label; images in
      the folder itself have none. Two sub-folders `train` and `test` are the two parts.
    - An `.npz` file has the arrays `x_train`, `y_train`, `x_test` and `y_test`, or `x` and `y`, or images alone.
      Images are `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`, with values in [0, 1] or in [0, 255]. Labels are
      `(N,)`, whole numbers or words.

    The middle square of each image is used. An image is first turned as its EXIF data ask, and what is transparent
    becomes white. Without a part for testing, a tenth of each class is set aside, at least 64 images in all, the same
    ones in each call. Images without labels, or with one label alone, become two classes, "darker" and "brighter", so
    that every chapter runs. More than ten classes are refused.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: another name, images or labels that cannot be used, or too few of them.
    """
    if source in NAMED:
        return NAMED[source]()
    names = ", ".join(f'"{name}"' for name in NAMED)
    expected = f"DATASET: expected {names}, or the path of a folder of images or of an .npz file"
    if not source:
        raise ValueError(f"{expected}, got {source!r}")
    path = Path(os.path.expanduser(source))  # unlike Path's own, it allows a user without a home
    if not path.exists():
        raise FileNotFoundError(f"{expected}, got {source!r}; there is none in {Path.cwd()}")
    if not path.is_dir() and not (path.suffix == ".npz" and path.is_file()):
        raise ValueError(f"{expected}, got {source!r}")
    train, test, classes = own_data.read(path)
    y_train, y_test = (np.array([classes.index(name) for name in part.names]) for part in (train, test))
    return _images(train.x, y_train, test.x, y_test, classes)


def binarize(x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw each pixel black or white with its grey value as the probability of white.

    A fresh draw for every batch is *dynamic* binarization (Salakhutdinov and Murray 2008).
    A batch to one of the same shape and precision, with values 0.0 and 1.0.

    Raises:
        TypeError: not a tensor of floating-point numbers.
        ValueError: empty, or values outside [0, 1].
    """
    batch("x", x, support=(0.0, 1.0))
    # With 32 bits at least: of 16, the smallest random numbers are 0 too often, and dark pixels white.
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.rand(x.shape, generator=generator, dtype=dtype, device=x.device).lt_(x).to(x.dtype)


def verify(path: Path, sha256: str, remedy: str, most: int) -> bytes:
    """Return the content of a file of at most `most` bytes, or refuse one that is not what was published.

    What is checked is what is returned: a file that changes afterwards changes nothing.

    Raises:
        OSError: no such file, or one that cannot be read.
        ValueError: names the file, the digest or size expected and found, and the way out.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} is damaged: expected at most {most:,} bytes, found more. To repair it, {remedy}.")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{path} is damaged: expected sha256 {sha256}, found {found}. To repair it, {remedy}.")
    return content


def _images(
    x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, names: list[str]
) -> Images:
    def grey(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x).unsqueeze(1).float().div_(255)

    def label(y: np.ndarray) -> Tensor:
        return torch.from_numpy(y).long()

    return Images(grey(x_train), label(y_train), grey(x_test), label(y_test), names)


def _read_idx(path: Path, one: tuple[int, ...]) -> np.ndarray:
    """Read bytes `(N, *one)` from a zipped IDX file; N is at most `MOST_IMAGES`."""
    # IDX: two zero bytes, the type (8 = uint8), the number of axes, each axis as a big-endian int32, the data.
    axes = 1 + len(one)
    start = 4 + 4 * axes
    try:
        with gzip.open(path) as file:
            raw = file.read(start + MOST_IMAGES * math.prod(one) + 1)  # what unpacks to more is not unpacked
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected a zipped IDX file, got what cannot be unpacked ({error})") from error
    n, *found = np.frombuffer(raw[4:start], ">u4").tolist() if len(raw) > start else [0]
    if raw[:4] != bytes([0, 0, 8, axes]) or tuple(found) != one or len(raw) != start + n * math.prod(one):
        sizes = ", ".join(["N", *map(str, one)])
        raise ValueError(
            f"{path}: expected an IDX file of bytes ({sizes}), 1 ≤ N ≤ {MOST_IMAGES:,}, got {len(raw):,} bytes "
            f"that begin with {raw[:start].hex(' ', 4)}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(n, *one).copy()
