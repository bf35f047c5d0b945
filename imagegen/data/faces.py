"""CelebA's aligned faces at 64x64, with those of its labels that the app speaks of.

CelebA (Liu et al. 2015) is for non-commercial research. Its other labels (attractiveness, weight, nose,
lips, skin) are never read.
"""

import csv
import gzip
import io
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imagegen.data.folders import pictures_in
from imagegen.data.pictures import Pictures
from imagegen.errors import InputError
from imagegen.images import to_bytes

__all__ = ["ATTRIBUTES", "SIDE", "dark_eyes", "faces", "kept_out", "made_up_faces"]

SIDE = 64
"""Pixels, width and height."""

ATTRIBUTES = (
    "Smiling",
    "Mouth_Slightly_Open",
    "Eyeglasses",
    "Wearing_Hat",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Gray_Hair",
    "Bald",
    "Bangs",
    "Wavy_Hair",
    "No_Beard",
    "Mustache",
    "Wearing_Lipstick",
    "Wearing_Earrings",
    "Male",
    "Young",
)
"""CelebA's own names, in the order of the labels."""

LAST_TRAINING_ID = 162_770
VALIDATION_IDS = 10_000
"""Of CelebA's training pictures the last ids, kept back to choose by."""
KEPT_OUT = (("Eyeglasses", "Blond_Hair"), ("Eyeglasses", "Gray_Hair"), ("Eyeglasses", "Wearing_Hat"))
"""Pairs that no text-to-image model and no judge may train on: can a model combine what it saw apart?"""
EYES = (slice(30, 38), (slice(20, 28), slice(36, 44)))
CHEEKS = (slice(40, 48), (slice(20, 27), slice(37, 44)))
"""Rows, and columns on either side, of an aligned face."""
DARK = 0.5
"""Brightness of the eyes over that of the cheeks; of 80 wearers of glasses below it about 70 wore sunglasses."""


def faces(root: Path | None, split: str) -> Pictures:
    """CelebA faces, 3x64x64, with labels (N, 17) uint8: 1 where an attribute of `ATTRIBUTES` is there.

    Args:
        root: a folder of aligned faces or of zips of them, named by CelebA's ids, with `attributes.csv(.gz)`
            or CelebA's `list_attr_celeba.txt` in it (so a torchvision root will do), or None to download it.
        split: `train`, `validation` (the last training ids) or `test` (ids from 162,771 on).

    Raises:
        InputError: the pictures or their attributes are not there.
    """
    folder = root if root is not None else _downloaded()
    labels = _labels(folder)
    pixels, known = [], []
    for name, picture in pictures_in(folder, lambda name: _split(name) == split and Path(name).stem in labels):
        pixels.append(to_bytes(_cropped(picture)))
        known.append(labels[Path(name).stem])
    if not pixels:
        raise InputError(
            "{root} holds no face of the {split} split whose attributes are known.", root=folder, split=split
        )
    return Pictures(torch.cat(pixels), torch.tensor(known, dtype=torch.uint8))


def kept_out(labels: Tensor) -> Tensor:
    """Which faces (N,) have one of the pairs that are kept out, from labels (N, 17)."""
    has = {name: labels[:, i].bool() for i, name in enumerate(ATTRIBUTES)}
    return torch.stack([has[first] & has[second] for first, second in KEPT_OUT]).any(dim=0)


def dark_eyes(faces: Tensor) -> Tensor:
    """Around whose eyes it is less than half as bright as on the cheeks, bool (N,).

    If these wear glasses, they are sunglasses; CelebA has one label for both.

    Args:
        faces: aligned, (N, 3, 64, 64), black 0 on any scale.
    """
    brightness = faces.float().mean(dim=1)

    def mean_in(rows: slice, sides: tuple[slice, slice]) -> Tensor:
        return torch.cat([brightness[:, rows, side] for side in sides], dim=2).mean(dim=(1, 2))

    return mean_in(*EYES) < DARK * mean_in(*CHEEKS)


def made_up_faces() -> Pictures:
    """256 blurred blobs of 3x64x64 with random attributes, from a fixed seed: nothing to learn."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(256, 3, 8, 8, generator=rng)
    pixels = F.interpolate(coarse, size=SIDE, mode="bilinear").mul(255).to(torch.uint8)
    return Pictures(pixels, torch.randint(0, 2, (256, len(ATTRIBUTES)), generator=rng, dtype=torch.uint8))


def _split(name: str) -> str:
    stem = Path(name).stem
    if not stem.isdigit():
        return ""
    if int(stem) > LAST_TRAINING_ID:
        return "test"
    return "validation" if int(stem) > LAST_TRAINING_ID - VALIDATION_IDS else "train"


def _cropped(frame: Image.Image) -> Image.Image:
    """The middle of CelebA's 178x218 frame, or of one squashed to another shape, as 64x64."""
    height = round(SIDE * 218 / 178)
    top = (height - SIDE) // 2
    return frame.resize((SIDE, height), Image.Resampling.BICUBIC).crop((0, top, SIDE, top + SIDE))


def _labels(root: Path) -> Mapping[str, list[int]]:
    """File stem -> 0 or 1 for each of `ATTRIBUTES`."""
    for pattern in ("attributes.csv.gz", "attributes.csv", "list_attr_celeba.txt"):
        if found := sorted(root.rglob(pattern)):
            content = found[0].read_bytes()
            text = (gzip.decompress(content) if found[0].suffix == ".gz" else content).decode()
            return _celeba_text(text) if found[0].suffix == ".txt" else _csv(text)
    raise InputError("{root} holds no attributes.csv and no list_attr_celeba.txt.", root=root)


def _csv(text: str) -> dict[str, list[int]]:
    try:
        rows = csv.DictReader(io.StringIO(text))
        return {Path(row["image"]).stem: [int(row[name] == "1") for name in ATTRIBUTES] for row in rows}
    except KeyError as missing:
        raise InputError("The attributes have no column {column}.", column=missing) from missing


def _celeba_text(text: str) -> dict[str, list[int]]:
    """CelebA's own file: a count, the forty names, then lines of a file name and forty times 1 or -1."""
    _, names, *lines = text.splitlines()
    columns = [names.split().index(name) + 1 for name in ATTRIBUTES]
    rows = (line.split() for line in lines)
    return {Path(row[0]).stem: [int(row[column] == "1") for column in columns] for row in rows}


def _downloaded() -> Path:
    from torchvision.datasets import CelebA

    home = Path(torch.hub.get_dir()) / "celeba"
    CelebA(home, split="all", download=True)
    return home
