"""The data are the real ones, and a damaged or missing copy says so."""

import functools
import gzip
import hashlib
import http.server
import math
import struct
import threading

import numpy as np
import pooch
import pytest
import torch

from gen_utils import data
from gen_utils.models.made import MADE

# MD5 of the unzipped IDX files, as published with MNIST.
PUBLISHED = {
    "train": "6bbc9ace898e44ae57da46a324031adb",
    "train_labels": "a25bea736e30d166cdddb491f175f624",
    "test": "2646ac647ad5339dbf082846283269ea",
    "test_labels": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def mnist():
    return data.mnist()


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("part", PUBLISHED)
def test_mnist_is_the_published_file_byte_for_byte(mnist, part):
    values = getattr(mnist, part)
    pixels = values.squeeze(1) * 255 if values.is_floating_point() else values
    assert torch.equal(pixels, pixels.round())
    assert hashlib.md5(idx(pixels.numpy().astype(np.uint8))).hexdigest() == PUBLISHED[part]


def test_mnist_shapes_ranges_and_label_counts(mnist):
    assert [tuple(part.shape) for part in mnist[:4]] == [(60000, 1, 28, 28), (60000,), (10000, 1, 28, 28), (10000,)]
    assert [part.dtype for part in mnist[:4]] == [torch.float32, torch.int64] * 2
    assert (mnist.train.min(), mnist.train.max()) == (0, 1)
    assert mnist.train_labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_a_damaged_copy_is_refused_and_says_the_way_out(tmp_path, monkeypatch):
    content = bytearray((data.files("gen_utils") / "datasets/mnist.npz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == data.MNIST_SHA256
    content[len(content) // 2] ^= 1
    copy = tmp_path / "datasets/mnist.npz"
    copy.parent.mkdir()
    copy.write_bytes(content)
    monkeypatch.setattr(data, "files", lambda _: tmp_path)
    with pytest.raises(ValueError, match="is damaged") as refusal:
        data.mnist()
    for message in (str(copy), data.MNIST_SHA256, hashlib.sha256(content).hexdigest(), "reinstall", "git checkout"):
        assert message in str(refusal.value)


def test_binarize_is_white_as_often_as_the_pixel_is_bright():
    p = torch.linspace(0, 1, 101)
    draws = data.binarize(p.expand(20_000, 101), generator=torch.Generator().manual_seed(0))
    assert draws.unique().tolist() == [0, 1]
    deviation = draws.mean(0) - p
    # Black and white are certain: their standard error is 0.
    assert (deviation[[0, -1]] == 0).all()
    z = deviation[1:-1] / (p * (1 - p) / len(draws)).sqrt()[1:-1]
    assert abs(z.sum() / 99**0.5) < 3
    assert abs((z**2).sum() - 99) < 3 * (2 * 99) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_dark_pixels_are_seldom_white_in_16_bits_too(dtype):
    for p in (1 / 255, 1e-3):
        x = torch.full((1_000_000,), p).to(dtype)
        p = x[0].item()
        white = data.binarize(x, generator=torch.Generator().manual_seed(0))
        assert white.dtype == dtype
        made = MADE((), (1,)).to(dtype)
        with torch.no_grad():
            made.output.bias.fill_(math.log(p / (1 - p)))
        for found in (white, made.sample(1_000_000, generator=torch.Generator().manual_seed(0))):
            assert abs(found.double().mean() - p) < 4 * (p / len(x)) ** 0.5 + 0.03 * p  # the logit is rounded too


def test_binarize_repeats_with_its_seed_and_keeps_shape_and_precision():
    x = torch.rand(50, 1, 4, 4, dtype=torch.float64)
    first, again, other = (data.binarize(x, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.shape, first.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.full((2, 3), 255.0), ValueError, r"expected values in \[0, 1\], got \[255, 255\]"),
        (torch.full((2, 3), -0.1), ValueError, r"expected values in \[0, 1\], got \[-0.1, -0.1\]"),
        (torch.full((2, 3), torch.nan), ValueError, "expected finite values, got NaN"),
        (torch.ones(2, 3, dtype=torch.uint8), TypeError, "expected a float tensor .* got dtype torch.uint8"),
        (torch.ones(0, 3), ValueError, r"B ≥ 1, got shape \(0, 3\)"),
        (torch.tensor(0.5), ValueError, r"B ≥ 1, got shape \(\)"),
        ([[0.5]], TypeError, "expected a float tensor .* got list"),
    ],
)
def test_binarize_refuses_what_is_not_grey(x, error, message):
    with pytest.raises(error, match=message):
        data.binarize(x)


@pytest.mark.parametrize("name", ["x", "Mnist", "", None, __file__])
def test_load_refuses_unknown_names(name):
    with pytest.raises((ValueError, FileNotFoundError), match=r'expected "mnist", .*or the path.*, got ') as e:
        data.load(name)
    assert repr(name) in str(e.value)


@pytest.fixture
def small_fashion(tmp_path):
    """Four files as Fashion-MNIST's, of a few random images, and what is in them."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, top, shape, dtype=np.uint8) for n in (5, 3) for top, shape in ((256, (n, 28, 28)), (10, n))
    ]
    folder = tmp_path / "fashion"
    folder.mkdir()
    for name, array in zip(data.FASHION_MD5, arrays, strict=True):
        (folder / name).write_bytes(gzip.compress(idx(array)))
    return folder, arrays


def assert_read(images, arrays):
    train, train_labels, test, test_labels = arrays
    assert np.array_equal(images.train.numpy(), (train / np.float32(255))[:, None])
    assert np.array_equal(images.test.numpy(), (test / np.float32(255))[:, None])
    assert (images.train_labels.tolist(), images.test_labels.tolist()) == (
        train_labels.tolist(),
        test_labels.tolist(),
    )


def test_fashion_mnist_reads_the_folder_of_the_package(small_fashion, monkeypatch):
    folder, arrays = small_fashion
    monkeypatch.setattr(data, "FASHION_FOLDER", folder)
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: pytest.fail("asked the network"))
    assert_read(data.load("fashion_mnist"), arrays)


def test_fashion_mnist_says_how_to_get_it_where_there_is_neither_folder_nor_network(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setattr(data, "FASHION_FOLDER", tmp_path / "absent")
    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(ConnectionError, match="network is unreachable") as refusal:
        data.fashion_mnist()
    for message in (str(tmp_path / "absent"), "apt install dataset-fashion-mnist", "zalandoresearch/fashion-mnist"):
        assert message in str(refusal.value)
    assert str(pooch.os_cache("pooch")) in str(refusal.value)


@pytest.fixture
def served(small_fashion, tmp_path, monkeypatch):
    """The small files on a server of this machine, under a cache of their own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    folder, arrays = small_fashion
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in data.FASHION_MD5}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data, "FASHION_FOLDER", tmp_path / "absent")
    monkeypatch.setattr(data, "FASHION_MD5", md5)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        monkeypatch.setattr(data, "FASHION_ADDRESS", f"http://127.0.0.1:{server.server_port}/")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield folder, arrays
        server.shutdown()


def test_fashion_mnist_is_downloaded_once(served, monkeypatch):
    _, arrays = served
    assert_read(data.fashion_mnist(), arrays)
    monkeypatch.setattr(data, "FASHION_ADDRESS", "http://127.0.0.1:9/")  # nothing listens there
    assert_read(data.fashion_mnist(), arrays)


def test_a_wrong_download_is_refused(served):
    folder, _ = served
    name, expected = list(data.FASHION_MD5.items())[-1]
    wrong = gzip.compress(idx(np.zeros(3, np.uint8)))
    (folder / name).write_bytes(wrong)
    with pytest.raises(ConnectionError, match="dataset-fashion-mnist") as refusal:
        data.fashion_mnist()
    for message in (name, expected, hashlib.md5(wrong).hexdigest()):
        assert message in str(refusal.value)


@pytest.mark.skipif(not data.FASHION_FOLDER.exists(), reason="the package dataset-fashion-mnist is not installed")
def test_the_packaged_fashion_mnist_is_the_published_one():
    # Debian's builds repeat, so it took name and time out of gzip's headers. Put back, the published digests appear.
    times = {"train": 1504176606, "t10k": 1504176627}
    for name, md5 in data.FASHION_MD5.items():
        raw = (data.FASHION_FOLDER / name).read_bytes()
        header = raw[:3] + b"\x08" + struct.pack("<I", times[name.split("-")[0]]) + raw[8:10]
        published = header + name.removesuffix(".gz").encode() + b"\0" + raw[10:]
        assert hashlib.md5(published).hexdigest() == md5
    images = data.fashion_mnist()
    assert [tuple(part.shape) for part in images[:4]] == [(60000, 1, 28, 28), (60000,), (10000, 1, 28, 28), (10000,)]
    # Xiao, Rasul and Vollgraf 2017, section 2: each class has as many examples as any other.
    assert images.train_labels.bincount().tolist() == [6000] * 10
    assert images.test_labels.bincount().tolist() == [1000] * 10
