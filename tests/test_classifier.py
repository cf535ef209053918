"""The shipped classifier reads MNIST, has 84 features that all vary, and refuses what it cannot read."""

import pytest
import torch
import train_classifier
from safetensors.torch import load_file

from gen_utils import data, pretrained
from gen_utils.classifier import LeNet


@pytest.fixture(scope="module", autouse=True)
def no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def model():
    return pretrained.load(LeNet(), "classifier")


@pytest.fixture(scope="module")
def images():
    return data.mnist()


def accuracy(model, x, labels):
    return (model(x).argmax(1) == labels).double().mean().item()


def test_it_reads_digits_that_it_never_saw(model, images):
    right = {
        "test": accuracy(model, images.test, images.test_labels),
        "validation": accuracy(model, images.train[50_000:], images.train_labels[50_000:]),
        "black and white": accuracy(model, data.binarize(images.test), images.test_labels),
    }
    print(", ".join(f"{name} {100 * share:.2f} %" for name, share in right.items()))
    assert min(right["test"], right["validation"]) >= 0.988
    assert right["black and white"] >= 0.985


def test_the_features_are_the_penultimate_layer(model, images):
    features = model.features(images.test[:1000])
    assert features.shape == (1000, 84)
    assert features.dtype == torch.float32
    torch.testing.assert_close(model.head(features), model(images.test[:1000]))
    assert (features.std(0) > 0.1).all()  # a feature that never moved would judge nothing
    assert torch.linalg.matrix_rank(features.double().T.cov()) == 84
    torch.testing.assert_close(model.features(images.test[3:4])[0], features[3])  # each image on its own


def test_the_weights_are_small_and_in_half_precision():
    file = pretrained.FOLDER / "classifier.safetensors"
    weights = load_file(file)
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert sum(value.numel() for value in weights.values()) == 61_706  # LeNet-5 with all maps connected
    assert file.stat().st_size < 130_000


def test_it_trains_from_scratch_and_twice_to_the_same_weights(images, monkeypatch):
    few = data.Images(images.train[:1280], images.train_labels[:1280], images.test, images.test_labels, images.names)
    monkeypatch.setattr(data, "mnist", lambda: few)
    monkeypatch.setattr(train_classifier, "EPOCHS", 3)
    monkeypatch.setattr(train_classifier, "tqdm", lambda epochs, **_: epochs)
    with torch.enable_grad():
        first, second = train_classifier.train(), train_classifier.train()
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert accuracy(first, images.test[:1000], images.test_labels[:1000]) > 0.5


def test_augmented_digits_stay_readable_and_half_of_them_turn_black_and_white(model, images):
    x = train_classifier.augment(images.test[:2000], torch.Generator().manual_seed(0))
    assert ((x == 0) | (x == 1)).flatten(1).all(1).tolist() == [True, False] * 1000
    assert ((x >= 0) & (x <= 1)).all()
    assert not torch.equal(x[1::2], images.test[1:2000:2])
    assert accuracy(model, x, images.test_labels[:2000]) > 0.97


@pytest.mark.parametrize("method", ["features", "forward"])
@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        ([[0.0]], TypeError, "got list"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), TypeError, "got dtype torch.uint8"),
        (torch.zeros(2, 1, 28, 28).double(), TypeError, "got dtype torch.float64"),
        (torch.zeros(1, 28, 28), ValueError, r"got shape \(1, 28, 28\)"),
        (torch.zeros(0, 1, 28, 28), ValueError, r"got shape \(0, 1, 28, 28\)"),
        (torch.zeros(1, 3, 28, 28), ValueError, r"got shape \(1, 3, 28, 28\)"),
        (torch.full((1, 1, 28, 28), 255.0), ValueError, r"expected values in \[0, 1\], got \[255, 255\]"),
        (torch.full((1, 1, 28, 28), -0.1), ValueError, r"expected values in \[0, 1\], got \[-0.1"),
        (torch.full((1, 1, 28, 28), torch.nan), ValueError, "got NaN"),
    ],
    ids=["list", "bytes", "double", "no-batch", "empty", "colour", "0-255", "negative", "nan"],
)
def test_it_refuses_in_words(model, method, x, error, words):
    with pytest.raises(error, match=words):
        getattr(model, method)(x)
