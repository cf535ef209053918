"""Your own images, a folder or an `.npz` file, brought to what the chapters need. `gen_utils.data.load` calls it."""

import math
import warnings
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from gen_utils.output import say

SIDE = 28
# The largest batch of the chapters, the images that chapter 4 looks at one by one, and those of a class in chapter 6.
LEAST_TRAIN, LEAST_TEST, LEAST_OF_A_CLASS = 256, 64, 20
# The figures have ten colours, and the judge of samples has ten outputs. Labels that do not differ teach nothing.
LEAST_CLASSES, MOST_CLASSES = 2, 10
# So that no file, however it was made, takes a machine's memory: pixels of an image, bytes of an .npz file, unpacked.
MOST_IMAGES, MOST_PIXELS, MOST_BYTES = 250_000, 2**26, 2**31
# Of pixels alone. Pillow reads others by running a program on them, as Ghostscript on EPS.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")


ENTRY_BYTES = 46  # of a file in a zip's list, at least
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class Part(NamedTuple):
    """Images as bytes, `(N, 28, 28)`, and the name of each one's class, `(N,)`: "" where there are no labels."""

    x: np.ndarray
    names: np.ndarray


def read(path: Path) -> tuple[Part, Part, list[str]]:
    """Read a folder or file: the part for training, the part for testing, and the names of the classes in order.

    Prints one line that says what was done.

    Raises:
        ValueError: images or labels that cannot be used, or too few of them.
    """
    parts, found = _read_folder(path) if path.is_dir() else _read_npz(path)
    has_ink = [part.x.any((1, 2)) for part in parts]  # chapters 1 and 4 divide by the ink
    parts = [Part(part.x[some], part.names[some]) for part, some in zip(parts, has_ink, strict=True)]
    if black := sum(int((~some).sum()) for some in has_ink):
        found += f"; {black} left out that are all black"
    labelled = len(set().union(*(part.names.tolist() for part in parts))) >= LEAST_CLASSES
    if not labelled:
        parts = _by_brightness(parts)
    parts = [_mixed(part) for part in parts]
    if len(parts) == 1:
        x, of = parts[0]
        n = max(LEAST_TEST, len(x) // 10)
        parts = [Part(x[n:], of[n:]), Part(x[:n], of[:n])]
    train, test = parts
    if len(train.x) < LEAST_TRAIN or len(test.x) < LEAST_TEST:
        raise ValueError(
            f"{path}: expected at least {LEAST_TRAIN} images for training and {LEAST_TEST} for testing, "
            f"got {len(train.x)} and {len(test.x)}"
        )
    if (train.x == train.x[0]).all():
        raise ValueError(f"{path}: expected images that differ, got {len(train.x)} for training, all the same")
    names = sorted({*train.names.tolist(), *test.names.tolist()})
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    if len(names) > MOST_CLASSES:
        raise ValueError(f"{path}: expected at most {MOST_CLASSES} classes, got {len(names)}")
    if len(names) < LEAST_CLASSES:
        raise ValueError(f"{path}: expected labels, or a half of the images that is brighter, got neither")
    for name in names:
        counts = [int((part.names == name).sum()) for part in parts]
        if counts[0] < LEAST_OF_A_CLASS or counts[1] < 1:
            raise ValueError(
                f"{path}: expected at least {LEAST_OF_A_CLASS} images of each class for training and 1 for testing, "
                f"got {counts[0]} and {counts[1]} of class {name!r}"
            )
    kinds = (
        f"in {len(names)} classes"
        if labelled
        else "without labels, so the brighter and the darker half are two classes,"
    )
    say(
        f"own data: {len(train.x) + len(test.x):,} images {kinds} from {path}, {found} → {SIDE} × {SIDE} grey, "
        f"{len(train.x):,} for training, {len(test.x):,} for testing; the judge of samples stays the one of digits"
    )
    return train, test, names


def _by_brightness(parts: list[Part]) -> list[Part]:
    middle = np.median(np.concatenate([part.x.mean((1, 2)) for part in parts]))
    return [Part(part.x, np.where(part.x.mean((1, 2)) > middle, "brighter", "darker")) for part in parts]


def _mixed(part: Part) -> Part:
    """Shuffle, always in the same way, so that every stretch of the images has its share of each class."""
    rng = np.random.default_rng(0)
    place = np.empty(len(part.x))
    for name in np.unique(part.names):
        of_class = rng.permutation(np.flatnonzero(part.names == name))
        place[of_class] = (np.arange(len(of_class)) + rng.random(len(of_class))) / len(of_class)
    order = place.argsort()
    return Part(part.x[order], part.names[order])


def _read_folder(folder: Path) -> tuple[list[Part], str]:
    sub_folders = {each.name.lower(): each for each in folder.iterdir() if each.is_dir() and not _hidden(each.name)}
    halves = [sub_folders[name] for name in ("train", "test") if name in sub_folders]
    if len(halves) == 2 < len(sub_folders):
        others = ", ".join(sorted({*sub_folders} - {"train", "test"}))
        raise ValueError(
            f"{folder}: expected two sub-folders train and test, or one for each class, got {others} too"
        )
    roots = halves if len(halves) == 2 else [folder]
    parts, sizes, modes, unread = [], [], set(), []
    for root in roots:
        pictures, names = [], []
        paths = list(islice(_image_files(root), MOST_IMAGES + 1))
        if len(paths) > MOST_IMAGES:
            raise ValueError(f"{root}: expected at most {MOST_IMAGES:,} images, got more")
        for path in paths:
            try:
                picture, size, mode = _read_image(path)
            except Exception as error:  # Pillow's readers each raise their own
                unread.append(f"{path.relative_to(folder)} ({error})")
                continue
            pictures.append(picture)
            names.append(path.relative_to(root).parts[0] if path.parent != root else "")
            sizes.append(size)
            modes.add(mode)
        without = f"; {len(unread)} left out, the first of them {unread[0]}" if unread else ""
        if not pictures:
            raise ValueError(f"{root}: expected images, got none{without}")
        if 0 < names.count("") < len(names):
            raise ValueError(
                f"{root}: expected images in sub-folders, whose names are their labels, or in the folder itself, "
                f"got {len(names) - names.count('')} in sub-folders and {names.count('')} in the folder itself"
            )
        parts.append(Part(np.stack(pictures), np.array(names)))
    sizes.sort(key=math.prod)
    span = _by(*sizes[0]) if sizes[0] == sizes[-1] else f"from {_by(*sizes[0])} to {_by(*sizes[-1])}"
    return parts, f"{span} {' and '.join(sorted(modes))}{without}"


def _read_image(path: Path) -> tuple[np.ndarray, tuple[int, int], str]:
    formats = [name for name in FORMATS if name in Image.OPEN]  # some are left out of some builds
    with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
        image = Image.open(path, formats=formats)  # its header alone
    with image:
        if math.prod(image.size) > MOST_PIXELS:
            raise ValueError(f"{_by(*image.size)} pixels; expected at most {MOST_PIXELS:,}")
        return _to_grey(image)


def _hidden(name: str) -> bool:
    return name.startswith((".", "__"))  # as .DS_Store, .ipynb_checkpoints and __MACOSX


def _image_files(root: Path) -> Iterator[Path]:
    endings = {ending for ending, name in Image.registered_extensions().items() if name in FORMATS}
    links = (each for each in root.iterdir() if each.is_symlink() and each.is_dir())  # `rglob` follows none
    for path in sorted(path for folder in [root, *links] for path in folder.rglob("*")):
        hidden = any(_hidden(name) for name in path.relative_to(root).parts)
        if path.suffix.lower() in endings and path.is_file() and not hidden:
            yield path


def _to_grey(image: Image.Image) -> tuple[np.ndarray, tuple[int, int], str]:
    """Bring a picture to bytes `(28, 28)`; return them, its width and height, and "grey" or "colour"."""
    image = ImageOps.exif_transpose(image)
    size, mode = image.size, image.mode
    if mode == "F":
        raise ValueError("pixels are floats; save such images as an .npz file")
    if mode.startswith("I"):  # 16 bits
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"expected 16 bits, got values in [{levels.min()}, {levels.max()}]")
        image = Image.fromarray((levels // 257).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    grey = image.convert("RGB").convert("L")  # by way of RGB: a palette has the colours that it names
    return _fit(grey), size, "grey" if mode[0] in "1LI" else "colour"


def _fit(grey: Image.Image) -> np.ndarray:
    return np.asarray(ImageOps.fit(grey, (SIDE, SIDE)))  # the middle square


def _by(width: int, height: int) -> str:
    return f"{width} × {height}"


def _read_npz(path: Path) -> tuple[list[Part], str]:
    try:
        arrays = _arrays(path)
    except Exception as error:  # numpy, zipfile and pickle each raise their own
        raise ValueError(f"{path}: expected an .npz file of numbers, got what cannot be read ({error})") from error
    if len(arrays) == 1:
        arrays = {"x": next(iter(arrays.values()))}
    given = ["_train", "_test"] if "x_train" in arrays else [""]
    if {f"{key}{end}" for key in "xy" for end in given} != set(arrays) != {f"x{end}" for end in given}:
        raise ValueError(
            f"{path}: expected the arrays x_train, y_train, x_test and y_test, or x and y, or images alone, "
            f"got {', '.join(sorted(arrays)) or 'none'}"
        )
    parts = []
    for end in given:
        x, found = _bytes(f"{path}, x{end}", arrays[f"x{end}"])
        y = arrays.get(f"y{end}", np.full(len(x), ""))
        if y.shape != (len(x),) or y.dtype.kind not in "biuU":
            raise ValueError(
                f"{path}, y{end}: expected {len(x)} labels, whole numbers or words, got {y.dtype} of shape {y.shape}"
            )
        parts.append(Part(x, y.astype(str)))
    return parts, found


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an `.npz` file as `np.load` does, but no array before its header, which says how much memory it takes."""
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
        if not 1 <= len(members) <= 4:
            raise ValueError(f"{len(members)} files in it; expected 1 to 4")
        if any(len(member.extra) + len(member.comment) >= ENTRY_BYTES for member in members):
            raise ValueError("its list of files is damaged: one entry hides another")
        if (size := sum(member.file_size for member in members)) > MOST_BYTES:
            raise ValueError(f"{size:,} bytes when unpacked; expected at most {MOST_BYTES:,}")
        arrays = {}
        for member in members:
            with file.open(member) as array:
                version = np.lib.format.read_magic(array)
                if version not in HEADERS:
                    raise ValueError(f"{member.filename} is an array of version {version}; expected {[*HEADERS]}")
                shape, _, dtype = HEADERS[version](array)
                if dtype.hasobject:
                    raise ValueError(f"{member.filename} holds Python objects; expected numbers or words")
                if math.prod(shape) * dtype.itemsize != (found := member.file_size - array.tell()):
                    raise ValueError(f"{member.filename} has {found:,} bytes; expected {dtype} of shape {shape}")
            with file.open(member) as array:
                arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(array, allow_pickle=False)
    return arrays


def _bytes(what: str, x: np.ndarray) -> tuple[np.ndarray, str]:
    """Bring an array of images to bytes `(N, 28, 28)`, and say what they were."""
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3):
        x = np.moveaxis(x, 1, 3)
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if not (x.ndim == 3 or (x.ndim == 4 and x.shape[3] == 3)) or 0 in x.shape or x.dtype.kind not in "biuf":
        raise ValueError(
            f"{what}: expected numbers (N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 or 3, "
            f"got {x.dtype} of shape {x.shape}"
        )
    if len(x) > MOST_IMAGES or math.prod(x.shape[1:3]) > MOST_PIXELS:
        raise ValueError(
            f"{what}: expected at most {MOST_IMAGES:,} images of at most {MOST_PIXELS:,} pixels, got shape {x.shape}"
        )
    low, high = float(x.min()), float(x.max())
    if not (low >= 0 and high <= 255):  # NaN as well
        raise ValueError(f"{what}: expected values in [0, 1] or [0, 255], got [{low:g}, {high:g}]")
    scale = 255.0 if high <= 1 else 1.0

    def picture(image: np.ndarray) -> np.ndarray:
        levels = (image * scale).round().astype(np.uint8)
        return levels if levels.shape == (SIDE, SIDE) else _fit(Image.fromarray(levels).convert("L"))

    return np.stack([picture(image) for image in x]), f"{_by(*x.shape[2:0:-1])} {'grey' if x.ndim == 3 else 'colour'}"
