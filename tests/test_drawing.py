"""A drawing is prepared as MNIST's digits were: against a second implementation, identities, and MNIST itself."""

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from gen_utils import data, pretrained
from gen_utils.classifier import LeNet
from gen_utils.page import export
from gen_utils.page.graphs.drawing import prepare

S = 280


@pytest.fixture(scope="module")
def mnist_test():
    images = data.mnist()
    return images.test, images.test_labels


@pytest.fixture
def rng():
    seed = time.time_ns() % 2**32
    print(f"seed {seed}")  # shown when the test fails
    return np.random.default_rng(seed)


def scribble(rng, reach=S):
    """A few random strokes in grey within a square of `reach` pixels, as a drawing."""
    picture = Image.new("L", (S, S))
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 5)):
        points = rng.uniform(0.15 * reach, 0.85 * reach, size=(rng.integers(2, 6), 2))
        grey, width = int(rng.integers(60, 256)), int(rng.integers(3, 30))
        pen.line([tuple(point) for point in points], fill=grey, width=width, joint="curve")
    return torch.from_numpy(np.asarray(picture) / np.float32(255))[None, None]


def undecided(ink):
    """Whether the centre of mass lies half-way between two places, where single precision may take either."""
    _, centre = reference(ink)
    return any(abs(c - round(c)) < 1e-3 for c in centre)


def reference(ink):
    """The same in other words: areas from sums that are interpolated, in double precision; then whole shifts."""
    drawing = ink[0, 0].double().numpy()
    rows, columns = np.flatnonzero(drawing.any(1)), np.flatnonzero(drawing.any(0))
    image = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pixel = max(image.shape) / 20
    centre = []
    for _ in range(2):  # rows, then columns, with the axes swapped in between
        sums = np.vstack([np.zeros(image.shape[1]), np.cumsum(image, axis=0)])
        edges = np.minimum(np.arange(21) * pixel, len(image))
        at = [np.interp(edges, np.arange(len(sums)), line) for line in sums.T]
        image = np.diff(at, axis=1) / pixel  # transposed
    height, width = (
        np.ceil(size - 1e-9) for size in ((rows[-1] - rows[0] + 1) / pixel, (columns[-1] - columns[0] + 1) / pixel)
    )
    field = np.zeros((28, 28))
    for axis in (1, 0):
        centre.append((image.sum(axis) * (np.arange(20) + 0.5)).sum() / image.sum())
    field[:20, :20] = image
    shifts = [int(np.clip(np.rint(14.5 - c), 0, 28 - size)) for c, size in zip(centre, (height, width), strict=True)]
    return np.roll(field, shifts, axis=(0, 1)), centre


def centre_of_mass(image):
    place = torch.arange(28.0) + 0.5
    return [((place * image.sum(axis)).sum() / image.sum()).item() for axis in (1, 0)]


def test_it_is_what_a_second_implementation_gives(rng):
    compared = 0
    for _ in range(60):
        ink = scribble(rng)
        if undecided(ink):
            continue
        np.testing.assert_allclose(prepare(ink)[0, 0], reference(ink)[0], atol=2e-5)
        compared += 1
    assert compared > 40


def test_where_pixels_divide_evenly_it_is_pillow_s_box_filter(rng):
    ink = torch.zeros(1, 1, S, S)
    ink[0, 0, 30:230, 50:190] = torch.from_numpy(rng.uniform(0.1, 1, size=(200, 140)).astype(np.float32))
    crop = Image.fromarray(ink[0, 0, 30:230, 50:190].numpy())
    expected = np.asarray(crop.resize((14, 20), Image.Resampling.BOX))
    found = prepare(ink)[0, 0].numpy()
    rows, columns = found.any(1).nonzero()[0], found.any(0).nonzero()[0]
    np.testing.assert_allclose(found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], expected, atol=1e-5)


def test_the_longer_side_is_twenty_pixels_and_the_centre_of_mass_in_the_middle_pixel(rng):
    for _ in range(40):
        ink = scribble(rng)
        image = prepare(ink)[0, 0]
        assert max(int(image.amax(axis).nonzero().diff(dim=0).sum()) for axis in (1, 0)) == 19
        for centre, line in zip(centre_of_mass(image), (image.amax(1), image.amax(0)), strict=True):
            at_the_edge = bool(line[0] > 0 or line[-1] > 0)  # a lopsided drawing that can't move further
            assert abs(centre - 14.5) <= 0.5 + 1e-3 or at_the_edge


def test_no_ink_is_lost_even_from_lopsided_drawings(rng):
    lopsided = torch.zeros(1, 1, S, S)
    lopsided[..., 10:60, 20:260] = 1  # all mass at the top,
    lopsided[..., 60:270, 30:33] = 0.5  # and a thin tail down
    for ink in (lopsided, lopsided.flip(2), lopsided.mT, lopsided.mT.flip(3), *(scribble(rng) for _ in range(20))):
        rows, columns = ink[0, 0].amax(1).nonzero(), ink[0, 0].amax(0).nonzero()
        pixel = max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) / 20
        assert prepare(ink).sum().item() == pytest.approx((ink.sum() / pixel**2).item(), rel=1e-4)


def test_place_and_size_of_a_drawing_do_not_matter(rng):
    for _ in range(10):
        ink = scribble(rng, reach=140)
        if undecided(ink):
            continue
        image = prepare(ink)
        moved = ink.roll([int(n) for n in rng.integers(0, 140, size=2)], dims=(2, 3))
        larger = ink[..., :140, :140].repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(prepare(moved), image, atol=2e-5, rtol=0)
        torch.testing.assert_close(prepare(larger), image, atol=2e-5, rtol=0)


def test_edges_turn_grey_in_proportion(rng):
    y, x = torch.meshgrid(torch.arange(S) - 139.5, torch.arange(S) - 139.5, indexing="ij")
    disc = ((x**2 + y**2).sqrt() < 100).float()[None, None]
    image = prepare(disc)
    assert ((image > 0.02) & (image < 0.98)).sum() > 40
    assert (image == 1).sum() > 200
    assert image.sum().item() == pytest.approx(np.pi * 10**2, rel=0.002)  # the area of a disc 20 pixels wide
    ink = scribble(rng)
    torch.testing.assert_close(prepare(ink / 2), prepare(ink) / 2)


def test_the_ends_an_empty_page_a_full_one_and_a_dot():
    assert torch.equal(prepare(torch.zeros(1, 1, S, S)), torch.zeros(1, 1, 28, 28))
    dot = torch.zeros(1, 1, S, S)
    dot[..., 279, 0] = 1
    for ink in (torch.ones(1, 1, S, S), dot):
        image = prepare(ink)[0, 0]
        assert image.sum().item() == pytest.approx(400, rel=1e-4)
        assert image.count_nonzero() == 400
        assert [abs(centre - 14.5) for centre in centre_of_mass(image)] == pytest.approx([0.5, 0.5], abs=1e-3)
    assert (prepare(torch.ones(1, 1, S, S).double()) <= 1).all()


def test_mnist_s_own_digits_come_back(mnist_test, rng):
    x = mnist_test[0][torch.from_numpy(rng.choice(10_000, 200, replace=False))]
    # Three of the 10,000 are 19 pixels high, for reasons of their own.
    whole = [max(i[0].amax(1).count_nonzero(), i[0].amax(0).count_nonzero()) == 20 for i in x]
    x = x[torch.tensor(whole)]
    assert len(x) > 190
    large = F.interpolate(x, size=S)  # each pixel as ten by ten
    found = torch.cat([prepare(each[None]) for each in large])
    difference = (found - x).abs()
    print(f"mean difference {difference.mean():.1e}, largest {difference.max():.1e}")
    assert difference.max() < 1e-5


def test_two_hundred_digits_anywhere_on_the_pad_are_read(mnist_test, rng):
    model = pretrained.load(LeNet(), "classifier")
    x, labels = mnist_test
    chosen = torch.from_numpy(rng.choice(10_000, 200, replace=False))
    prepared = torch.cat([prepare(rendered(each[0], rng)) for each in x[chosen]])
    with torch.no_grad():
        right = (model(prepared).argmax(1) == labels[chosen]).double().mean().item()
    print(f"{100 * right:.1f} % read")
    assert right >= 0.95


def rendered(image, rng):
    """A digit of random size at a random place of the pad, enlarged with smooth edges."""
    side = int(rng.integers(112, S + 1))
    picture = Image.fromarray((255 * image).round().byte().numpy()).resize((side, side), Image.Resampling.BICUBIC)
    pad = Image.new("L", (S, S))
    pad.paste(picture, tuple(int(n) for n in rng.integers(0, S - side + 1, size=2)))
    return torch.from_numpy(np.asarray(pad) / np.float32(255))[None, None]


def test_the_graph_does_what_pytorch_does(rng):
    drawings = [ink for ink in (scribble(rng) for _ in range(20)) if not undecided(ink)]
    graph = export.export(prepare, {"ink": drawings[0]}, ["x"], "00_prepare", tolerance=1e-5)
    assert graph.path.stat().st_size < 100_000
    for ink in (torch.zeros(1, 1, S, S), *drawings):
        found = graph.run(ink=ink.numpy())["x"]
        np.testing.assert_allclose(found, prepare(ink), atol=1e-5)


@pytest.mark.parametrize(
    ("ink", "error", "message"),
    [
        (np.zeros((1, 1, S, S)), TypeError, "got ndarray"),
        (torch.zeros(1, 1, S, S, dtype=torch.uint8), TypeError, "got dtype torch.uint8"),
        (torch.zeros(1, 1, 28, 28), ValueError, r"ink: expected .*\(B, 1, 280, 280\).*got shape \(1, 1, 28, 28\)"),
        (torch.zeros(2, 1, S, S), ValueError, r"ink: expected one drawing \(1, 1, 280, 280\), got shape \(2, "),
        (torch.full((1, 1, S, S), 255.0), ValueError, r"expected values in \[0, 1\], got \[255, 255\]"),
        (torch.full((1, 1, S, S), torch.nan), ValueError, "got NaN"),
    ],
    ids=["array", "bytes", "small", "two", "0-255", "nan"],
)
def test_it_refuses_in_words(ink, error, message):
    with pytest.raises(error, match=message):
        prepare(ink)
