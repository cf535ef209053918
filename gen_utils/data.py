"""The data of the course: MNIST, shipped with the package, and Fashion-MNIST, found or downloaded."""

import gzip
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
import torch
from torch import Tensor

from gen_utils.base import batch

MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
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


class Images(NamedTuple):
    """Grey images as floats in [0, 1], `(N, 1, 28, 28)`, and their labels 0…9, `(N,)`."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def mnist() -> Images:
    """Load MNIST (LeCun, Cortes and Burges): 60,000 training and 10,000 test digits, from the package itself.

    Raises:
        ValueError: the shipped file is damaged.
    """
    with files("gen_utils").joinpath("datasets/mnist.npz").open("rb") as file:
        verify(Path(file.name), MNIST_SHA256, "reinstall gen_utils, or restore the file with `git checkout`")
        data = np.load(file)
        return _images(data["x_train"], data["y_train"], data["x_test"], data["y_test"])


def fashion_mnist() -> Images:
    """Load Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), a drop-in for MNIST with clothes for digits.

    Debian's package `dataset-fashion-mnist` is read where it is installed; elsewhere the four files
    (30 MB) are downloaded once, with a progress bar, and checked.

    Raises:
        ConnectionError: the files are neither here nor to be had.
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
    return _images(*(_read_idx(path) for path in paths))


def load(name: str) -> Images:
    """Load the data set that a notebook's `DATASET` names: `"mnist"` or `"fashion_mnist"`.

    Raises:
        ValueError: another name.
    """
    if name not in ("mnist", "fashion_mnist"):
        raise ValueError(f'DATASET: expected "mnist" or "fashion_mnist", got {name!r}')
    return mnist() if name == "mnist" else fashion_mnist()


def binarize(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw each pixel black or white with its grey value as the probability of white.

    A fresh draw for every batch is *dynamic* binarization (Salakhutdinov and Murray 2008).
    A batch to one of the same shape and precision, with values 0.0 and 1.0.

    Raises:
        TypeError: not a tensor of floating-point numbers.
        ValueError: empty, or values outside [0, 1].
    """
    batch("x", x, support=(0.0, 1.0))
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).lt_(x)


def verify(path: Path, sha256: str, remedy: str) -> None:
    """Refuse a file whose content is not what was published.

    Raises:
        ValueError: names the file, the digest expected and found, and the way out.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"{path} is damaged: expected sha256 {sha256}, found {found}. To repair it, {remedy}.")


def _images(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Images:
    def grey(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x).unsqueeze(1).float().div_(255)

    def label(y: np.ndarray) -> Tensor:
        return torch.from_numpy(y).long()

    return Images(grey(x_train), label(y_train), grey(x_test), label(y_test))


def _read_idx(path: Path) -> np.ndarray:
    # IDX: two zero bytes, the type (8 = uint8), the number of axes, each axis as a big-endian int32, the data.
    raw = gzip.decompress(path.read_bytes())
    axes = raw[3]
    shape = np.frombuffer(raw, ">i4", axes, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()
