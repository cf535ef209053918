"""Your own images become what the chapters need, what cannot be used is refused in words, and every chapter runs."""

import io

import nbformat
import numpy as np
import papermill
import pytest
import torch
from conftest import ROOT
from PIL import Image

from gen_utils import data, own_data


@pytest.fixture
def drawings():
    """Function to n images of a kind, bytes `(n, height, width, 3)`: a bright shape at a random place."""
    rng = np.random.default_rng(0)

    def draw(kind, n, width=40, height=30):
        y, x = np.mgrid[:height, :width]
        pictures = []
        for _ in range(n):
            right, down = np.abs(x - rng.uniform(15, 25)), np.abs(y - rng.uniform(11, 19))
            shape = {
                "bar": (right < 3) & (down < 8),
                "cross": ((right < 2) | (down < 2)) & (right + down < 9),
                "disc": right**2 + down**2 < 40,
            }[kind]
            grey = shape * rng.uniform(150, 250) + rng.uniform(0, 6, shape.shape)
            pictures.append(np.stack([grey, 0.8 * grey, 0.6 * grey], 2).astype(np.uint8))
        return np.stack(pictures)

    return draw


@pytest.fixture
def folder(tmp_path, drawings):
    """Files of 330 drawings of 40 × 30 in sub-folders for three classes."""
    for kind, n in (("bar", 150), ("cross", 100), ("disc", 80)):
        (tmp_path / "own" / kind).mkdir(parents=True)
        for i, picture in enumerate(drawings(kind, n)):
            Image.fromarray(picture).save(tmp_path / "own" / kind / f"{i}.png")
    return tmp_path / "own"


def test_a_folder_becomes_labelled_images_in_two_parts_and_one_line_says_so(folder, capsys):
    images = data.load(str(folder))
    assert capsys.readouterr().out == (
        f"own data: 330 images in 3 classes from {folder}, 40 × 30 colour → 28 × 28 grey, "
        "266 for training, 64 for testing; the judge of samples stays the one of digits\n"
    )
    assert [tuple(part.shape) for part in images[:4]] == [(266, 1, 28, 28), (266,), (64, 1, 28, 28), (64,)]
    assert [part.dtype for part in images[:4]] == [torch.float32, torch.int64] * 2
    assert (images.names, images.classes, images.split) == (["bar", "cross", "disc"], 3, 221)
    levels = images.train * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    # Every part, and every stretch of one, has its share of each class.
    for labels in (images.train_labels, images.test_labels, images.train_labels[images.split :]):
        shares = labels.bincount(minlength=3) / len(labels)
        assert (shares - torch.tensor([150, 100, 80]) / 330).abs().max() < 2.5 / len(labels)
    for kind in range(3):  # labels are those of the images: mean images of a class are alike in both parts
        means = [x[y == kind].mean(0) for x, y in (images[:2], images[2:4])]
        other = images.train[images.train_labels != kind].mean(0)
        assert (means[0] - means[1]).abs().mean() < (means[0] - other).abs().mean()
    again = data.load(str(folder))
    assert all(torch.equal(a, b) for a, b in zip(images[:4], again[:4], strict=True))
    for name in (each.name for each in folder.iterdir()):  # the two parts have no image in common
        assert name in images.names
    assert not (images.train[:, None] == images.test).flatten(2).all(2).any()


PATTERN = np.zeros((28, 28), np.uint8)
PATTERN[3:9, 5:25] = 255
PATTERN[9:20, 5:9] = 51


def written(image, suffix, **options):
    content = io.BytesIO()
    image.save(content, suffix, **options)
    return Image.open(content)


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 8  # to be turned by 90° to the left
    return written(Image.fromarray(np.rot90(PATTERN, -1)), "PNG", exif=exif)


def translucent():
    alpha = np.dstack([PATTERN, PATTERN, PATTERN, np.full_like(PATTERN, 255)])
    alpha[:2] = 0, 0, 0, 0
    return written(Image.fromarray(alpha), "PNG")


CASES = {
    "grey": (lambda: Image.fromarray(PATTERN), "grey"),
    "colour": (lambda: Image.fromarray(PATTERN).convert("RGB"), "colour"),
    "palette": (lambda: written(Image.fromarray(PATTERN).convert("RGB").quantize(3), "PNG"), "colour"),
    "16 bits": (
        lambda: written(Image.fromarray(PATTERN * np.uint16(257) + 100 * (PATTERN < 255).astype(np.uint16)), "PNG"),
        "grey",
    ),
    "EXIF": (rotated, "grey"),
    "transparent": (translucent, "colour"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_picture_keeps_its_pixels_however_it_is_stored(case):
    make, colour = CASES[case]
    expected = PATTERN.copy()
    if case == "transparent":
        expected[:2] = 255
    found, size, mode = own_data._to_grey(make())
    np.testing.assert_array_equal(found, expected)
    assert (size, mode) == ((28, 28), colour)


def test_the_middle_square_is_used():
    wide = np.full((56, 100), 255, np.uint8)
    wide[:, 22:78] = np.kron(PATTERN, np.ones((2, 2), np.uint8))
    found, size, _ = own_data._to_grey(Image.fromarray(wide))
    assert size == (100, 56)
    inner = np.zeros_like(PATTERN, bool)  # away from edges, where resizing blurs
    inner[5:7, 8:22] = inner[12:18, 12:22] = True
    np.testing.assert_allclose(found[inner].astype(int), PATTERN[inner], atol=3)


def test_hidden_unreadable_black_and_other_files_are_left_out_and_the_line_says_which(folder, capsys):
    (folder / ".cache").mkdir()
    (folder / ".cache/a.png").write_bytes(b"hidden")
    (folder / "bar/._0.png").write_bytes(b"hidden")
    (folder / "labels.csv").write_text("no image", encoding="utf-8")
    (folder / "bar/broken.png").write_bytes((folder / "bar/0.png").read_bytes()[:60])
    Image.new("L", (9, 9)).save(folder / "disc/black.png")
    assert len(data.load(str(folder)).train) == 266
    line = capsys.readouterr().out
    assert "from 9 × 9 to 40 × 30 colour and grey; 1 left out, the first of them bar/broken.png (" in line
    assert "; 1 left out that are all black → 28 × 28 grey" in line


def test_images_without_labels_are_halved_by_brightness(tmp_path, drawings, capsys):
    (tmp_path / "deep").mkdir()
    for i, picture in enumerate(drawings("bar", 330)):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    images = data.load(str(tmp_path))
    assert images.names == ["brighter", "darker"]
    assert "330 images without labels, so the brighter and the darker half are two classes" in capsys.readouterr().out
    bright = images.train.mean((1, 2, 3))
    assert bright[images.train_labels == 0].min() > bright[images.train_labels == 1].max()


def test_train_and_test_folders_stay_apart(folder, tmp_path):
    for path in sorted(folder.rglob("*.png")):
        part = "test" if int(path.stem) % 5 == 0 else "train"
        (tmp_path / "two" / part / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(tmp_path / "two" / part / path.parent.name / path.name)
    images = data.load(str(tmp_path / "two"))
    assert (len(images.train), len(images.test), images.names) == (264, 66, ["bar", "cross", "disc"])
    (tmp_path / "links").mkdir()
    for part in ("train", "test"):  # whatever the case, and behind links
        (tmp_path / "links" / part.title()).mkdir()
        for path in (tmp_path / "two" / part).iterdir():
            (tmp_path / "links" / part.title() / path.name).symlink_to(path)
    again = data.load(str(tmp_path / "links"))
    assert again.names == images.names
    assert torch.equal(again.test, images.test)
    (tmp_path / "links" / "val").mkdir()
    with pytest.raises(ValueError, match=r"expected two sub-folders train and test, .* got val too"):
        data.load(str(tmp_path / "links"))


GREY = np.random.default_rng(1).integers(1, 256, (400, 28, 28), dtype=np.uint8)
DIGITS = np.arange(400) % 4


@pytest.mark.parametrize(
    "x",
    [
        GREY,
        GREY.astype(np.float64),
        (GREY / 255).astype(np.float32),
        GREY[:, None],
        GREY[..., None],
        np.repeat(GREY[..., None], 3, 3),
        np.repeat(GREY[:, None], 3, 1) / 255,
    ],
)
def test_arrays_of_every_form_are_the_same_images(x, tmp_path):
    np.savez(tmp_path / "own.npz", x=x, y=DIGITS)
    images = data.load(str(tmp_path / "own.npz"))
    found = torch.cat([images.train, images.test]).mul(255).round().byte().squeeze(1).numpy()
    labels = torch.cat([images.train_labels, images.test_labels]).numpy()
    order, expected = (np.lexsort(each.reshape(400, -1)[:, :9].T) for each in (found, GREY))
    np.testing.assert_array_equal(found[order], GREY[expected])
    np.testing.assert_array_equal(labels[order], DIGITS[expected])


def test_given_parts_and_words_or_numbers_as_labels_are_kept(tmp_path):
    numbers = np.where(DIGITS < 2, 9, 10)  # in the order of numbers, not of words
    np.savez(tmp_path / "own.npz", x_train=GREY[:300], y_train=numbers[:300], x_test=GREY[300:], y_test=numbers[300:])
    images = data.load(str(tmp_path / "own.npz"))
    assert (images.names, len(images.train), len(images.test)) == (["9", "10"], 300, 100)
    assert images.train.sum() == pytest.approx(GREY[:300].sum() / 255, rel=1e-5)
    words = np.array(["cat", "dog", "ant", "bee"])[DIGITS]
    np.savez(tmp_path / "own.npz", x=GREY, y=words)
    assert data.load(str(tmp_path / "own.npz")).names == ["ant", "bee", "cat", "dog"]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": GREY[:200]}, "at least 256 images for training and 64 for testing, got 136 and 64"),
        ({"x": GREY, "y": DIGITS[:9]}, r"expected 400 labels, whole numbers or words, got int64 of shape \(9,\)"),
        ({"x": GREY, "y": DIGITS / 2}, "got float64"),
        ({"x": GREY, "labels": DIGITS}, "expected the arrays x_train, .* got labels, x"),
        ({"x_train": GREY, "y_train": DIGITS, "x_test": GREY}, "got x_test, x_train, y_train"),
        ({"x": GREY.reshape(400, 784)}, r"got uint8 of shape \(400, 784\)"),
        ({"x": GREY - 300.0}, r"expected values in \[0, 1\] or \[0, 255\], got \[-299, -45\]"),
        ({"x": np.where(GREY < 9, np.nan, 0.5)}, r"got \[nan, nan\]"),
        ({"x": GREY, "y": np.arange(400) % 11}, "at most 10 classes, got 11"),
        ({"x": GREY, "y": np.arange(400) < 3}, "at least 20 images of each class .* of class 'True'"),
        ({"x": np.repeat(GREY[:1], 400, 0), "y": DIGITS}, "expected images that differ, got 336 for training"),
        ({"x": np.repeat(GREY[:1], 400, 0)}, "expected images that differ"),
        ({"x": np.stack([GREY[0], GREY[0].T] * 200)}, "expected labels, or a half of the images that is brighter"),
        ({"x": np.array([None])}, "cannot be read"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_in_words(arrays, reason, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ValueError, match=reason):
        data.load(str(tmp_path / "own.npz"))


def test_folders_that_cannot_be_used_are_refused_in_words(folder, tmp_path):
    (folder / "bar/0.png").rename(folder / "0.png")
    with pytest.raises(ValueError, match="got 329 in sub-folders and 1 in the folder itself"):
        data.load(str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected images, got none"):
        data.load(str(tmp_path / "empty"))
    (tmp_path / "empty/a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"got none; 1 left out, the first of them a.jpg \("):
        data.load(str(tmp_path / "empty"))


def test_a_path_may_begin_with_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert data.load("~/own").classes == 3


@pytest.fixture(scope="module")
def clothes(tmp_path_factory):
    """Folder of three kinds of Fashion-MNIST: other images, another number of classes, and the two parts given."""
    if not data.FASHION_FOLDER.exists():
        pytest.skip("the package dataset-fashion-mnist is not installed")
    fashion, folder = data.fashion_mnist(), tmp_path_factory.mktemp("clothes")
    for part, x, y in (("train", fashion.train, fashion.train_labels), ("test", fashion.test, fashion.test_labels)):
        for kind in (1, 7, 8):  # trousers, sneakers, bags
            (folder / part / str(kind)).mkdir(parents=True)
            for i, picture in enumerate(x[y == kind][:300].mul(255).byte().squeeze(1).numpy()):
                Image.fromarray(picture).resize((40, 36)).save(folder / part / str(kind) / f"{i}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("chapter", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem[:2])
def test_every_chapter_runs_to_its_end_on_own_data(chapter, clothes, tmp_path):
    parameters = nbformat.read(chapter, as_version=4).metadata.profiles.smoke | {"DATASET": str(clothes)}
    papermill.execute_notebook(
        chapter, tmp_path / "out.ipynb", parameters, cwd=chapter.parent, progress_bar=False, log_output=False
    )
