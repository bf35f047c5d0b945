"""Photos to train on: kept apart from what is measured on, and cut into tiles with their quarter-size side.

Set5 and Set14 are only ever measured on, so their pictures are known here and never given: BSDS holds one of
Set5's. The `val` part of BSDS500 is BSD100, on which others measure: it is left alone.
"""

import io
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from imagegen.data.folders import pictures_in
from imagegen.data.pictures import Pictures
from imagegen.errors import InputError
from imagegen.images import to_bytes

__all__ = ["SCALE", "TILE", "cropped", "made_up_photos", "measured_only", "photos", "shrunk", "spoilt", "tiles"]

SCALE = 4
TILE = 32
"""Pixels of a low-resolution tile, width and height."""
EVERY = 20
"""Of so many photos one is kept back to choose by."""
STRIDE = 24
"""Largest step from one tile to the next; they overlap."""
FLAT = 4.0
"""Standard deviation of grey levels (of 255) below which a tile has nothing to teach."""

BLUR = 0.0, 3.0
"""Standard deviation in high-resolution pixels, from, to; likewise below."""
NOISE = 0.0, 8.0
"""Standard deviation in levels of 255."""
JPEG_QUALITY = 40, 95

MEASURED_ON = (
    # Set5
    0x13717175CD4D7133,
    0xB62D9E9B3E1F1575,
    0x74C5E9E5D4CC69A0,
    0x43797971E7E7E7E3,
    0xF0F0F4EC7246763B,
    # Set14
    0x0FABE86868324268,
    0xA9BAF39296B22DBD,
    0x5050213188038182,
    0x2FD276568CC640D2,
    0x9F3930B43D397961,
    0x437979F1E7E7E3E3,
    0x9C9E98D8DC743BA4,
    0xB2F1C407262B918B,
    0x7670795B3B535A7C,
    0x391C38886CC8AA2F,
    0x131351D13BB28CA6,
    0x1C4FCBCBDDDD9587,
    0x7B8567451B4707DB,
    0x001A3713A521113E,
)
"""Fingerprints of Set5 and Set14."""
ALIKE = 8
"""Bits of 64 that may differ in the same picture, saved or sized anew; unrelated photos differ in 15 or more."""


def photos(root: Path | None, split: str) -> list[Image.Image]:
    """Photos below `root`, of any size, without those that are only measured on.

    Args:
        root: a folder or zip of pictures, or a folder of zips.
        split: `train`, or `validation` for every 20th by name; those in a folder called `val` are in neither.

    Raises:
        InputError: there are none.
    """
    if root is None:
        raise InputError("Give photos to train on with --data: a folder or zip of PNG or JPEG files.")
    allowed = [photo for _, photo in pictures_in(root, lambda name: "val" not in PurePosixPath(name).parts)]
    held = split == "validation"
    found = [photo for i, photo in enumerate(allowed) if (i % EVERY == EVERY - 1) == held and not measured_only(photo)]
    if not found:
        raise InputError(
            "{root} holds no photos of the {split} split. Pictures of Set5 and Set14 do not count: they are only "
            "measured on. Name a folder with other photos.",
            root=root,
            split=split,
        )
    return found


def measured_only(photo: Image.Image) -> bool:
    """Is it a picture of Set5 or Set14, whatever its name, size or format?"""
    return any((_fingerprint(photo) ^ known).bit_count() <= ALIKE for known in MEASURED_ON)


def cropped(photo: Image.Image) -> Image.Image:
    """The photo, right and lower edge cut to multiples of 4 pixels."""
    return photo.crop((0, 0, photo.width - photo.width % SCALE, photo.height - photo.height % SCALE))


def shrunk(photo: Image.Image) -> Image.Image:
    """A quarter of the size, antialiased bicubic, 8 bits: the low resolution of all papers."""
    return photo.resize((photo.width // SCALE, photo.height // SCALE), Image.Resampling.BICUBIC)


def spoilt(photo: Image.Image) -> Image.Image:
    """As `shrunk`, but blurred before, and with noise and JPEG artefacts after, by amounts drawn from the photo."""
    rng = np.random.default_rng(_fingerprint(photo))
    small = shrunk(photo.filter(ImageFilter.GaussianBlur(rng.uniform(*BLUR))))
    noisy = np.asarray(small) + rng.normal(0, rng.uniform(*NOISE), (small.height, small.width, 3))
    file = io.BytesIO()
    quality = int(rng.integers(*JPEG_QUALITY))
    Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def tiles(photos: Iterable[Image.Image], shrink: Callable[[Image.Image], Image.Image] = shrunk) -> Pictures:
    """High-resolution tiles (N, 3, 128, 128), each labelled with its low resolution (N, 3, 32, 32), both uint8.

    Each photo is made small as a whole, so that a tile's border is like any other place of a picture.

    Args:
        photos: any sizes; those below 128 pixels on a side and flat tiles are left out.
        shrink: photo -> photo of a quarter of the size.

    Raises:
        InputError: nothing is left.
    """
    high, low = [], []
    for photo in map(cropped, photos):
        high_res, low_res = to_bytes(photo)[0], to_bytes(shrink(photo))[0]
        for top in _starts(low_res.shape[1]):
            for left in _starts(low_res.shape[2]):
                tile = _cut(low_res, top, left, TILE)
                if tile.float().std() > FLAT:
                    low.append(tile)
                    high.append(_cut(high_res, top * SCALE, left * SCALE, TILE * SCALE))
    if not high:
        raise InputError("No photo has {side} pixels on each side; give larger ones.", side=TILE * SCALE)
    return Pictures(torch.stack(high), torch.stack(low))


def made_up_photos() -> list[Image.Image]:
    """16 pictures of 128x128, rings in colours that grow finer outwards, from a fixed seed: hard to enlarge."""
    rng = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 128), torch.linspace(-1, 1, 128), indexing="ij")
    pictures = []
    for _ in range(16):
        down, across, *colour = torch.rand(5, generator=rng)
        rings = (40 * ((y - down).square() + (x - across).square())).cos() * 0.5 + 0.5
        levels = rings[..., None] * (0.4 + 0.6 * torch.stack(colour)) * 255  # (128, 128, 3)
        pictures.append(Image.fromarray(levels.to(torch.uint8).numpy()))
    return pictures


def _fingerprint(photo: Image.Image) -> int:
    """64 bits that survive resizing and compression: is each of 8x9 coarse pixels darker than its right neighbour?"""
    grey = np.asarray(photo.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes())


def _starts(length: int) -> list[int]:
    """Where tiles begin along a side: from edge to edge, evenly, at most STRIDE apart."""
    room = length - TILE
    if room < 0:
        return []
    steps = -(-room // STRIDE)
    return [round(room * k / max(1, steps)) for k in range(steps + 1)]


def _cut(picture: Tensor, top: int, left: int, side: int) -> Tensor:
    return picture[:, top : top + side, left : left + side]
