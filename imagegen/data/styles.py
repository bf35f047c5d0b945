"""Paintings and textures to learn styles from, and square pictures of one size made of any."""

from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor

from imagegen.data.folders import pictures_in
from imagegen.errors import InputError
from imagegen.images import to_bytes

__all__ = ["HELD_OUT_EVERY", "made_up_styles", "squares", "styles"]

HELD_OUT_EVERY = 8
"""Of the names of `training-only` in sorted order: those styles are only measured on."""
PARTS = {"named": "public-domain", "train": "training-only", "test": "training-only"}


def styles(root: Path | None, split: str) -> dict[str, Image.Image]:
    """Name -> painting or texture of any size.

    Args:
        root: a folder with `public-domain` and `training-only`, each a zip or a folder of pictures.
        split: `named` (public domain, may be shown), `train` (of mixed terms), or `test` for every eighth of those.

    Raises:
        InputError: they are not there.
    """
    part = PARTS[split]
    found = [] if root is None else [path for path in (root / f"{part}.zip", root / part) if path.exists()]
    if not found:
        raise InputError(
            "Give styles with --data: a folder that holds public-domain and training-only, each a zip or a folder "
            "of pictures; {root} does not.",
            root=root or "nothing",
        )
    pictures = {Path(name).stem: picture for name, picture in pictures_in(found[0])}
    if split == "named":
        return pictures
    names = sorted(pictures)
    held_out = set(names[::HELD_OUT_EVERY])
    return {name: pictures[name] for name in names if (name in held_out) == (split == "test")}


def squares(pictures: Iterable[Image.Image], side: int) -> Tensor:
    """The middle of each picture, its shorter side made `side` pixels long: uint8 (N, 3, side, side)."""
    return torch.cat([to_bytes(ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)) for picture in pictures])


def made_up_styles() -> list[Image.Image]:
    """Four checked, striped and dotted pictures of 128x128 in strong colours."""
    y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    masks = (
        (x // 16 + y // 16) % 2 == 0,
        (x + y) // 12 % 2 == 0,
        (x % 24 - 12).square() + (y % 24 - 12).square() < 64,
        ((x / 10).sin() * 8 + y) // 10 % 2 == 0,
    )
    inks = torch.tensor([[[230, 60, 30], [20, 40, 120]], [[250, 200, 40], [30, 110, 90]]], dtype=torch.uint8)
    return [
        Image.fromarray(torch.where(mask[..., None], inks[i % 2, 0], inks[i % 2, 1]).numpy())  # (128, 128, 3)
        for i, mask in enumerate(masks)
    ]
