"""MNIST, as torchvision or a folder of its four files gives it."""

import gzip
import shutil
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F

from imagegen.data.pictures import Pictures
from imagegen.errors import InputError

__all__ = ["TRAINING_DIGITS", "VALIDATION_DIGITS", "made_up_digits", "mnist"]

TRAINING_DIGITS = "MNIST, 55,000 training digits (the last 5,000 kept back for validation)"
"""What the cards of networks trained on `mnist(root, "train")` say of their data."""
VALIDATION_DIGITS = 5_000
"""The last training digits, kept back to choose by."""

_MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def mnist(root: Path | None, split: str) -> Pictures:
    """MNIST digits, 1x28x28.

    Args:
        root: a torchvision root (`ROOT/MNIST/raw/`), a folder that holds the four idx files, gzipped or
            not, or None to download them.
        split: `train` (55,000), `validation` (5,000) or `test` (10,000).

    Raises:
        InputError: the files are not there.
    """
    from torchvision.datasets import MNIST

    with tempfile.TemporaryDirectory() as unpacked:
        if root is None:
            home = Path(torch.hub.get_dir()) / "mnist"
            data = MNIST(home, train=split != "test", download=True)
        else:
            data = MNIST(_torchvision_root(root, Path(unpacked)), train=split != "test")
        pictures = Pictures(data.data.unsqueeze(1).contiguous(), data.targets)
    if split == "test":
        return pictures
    border = len(pictures) - min(VALIDATION_DIGITS, len(pictures) // 2)
    return pictures.part(0, border) if split == "train" else pictures.part(border, len(pictures))


def _torchvision_root(root: Path, unpacked: Path) -> Path:
    """`root` if torchvision reads it, else `unpacked` filled from the idx files found flat in `root`."""
    if all((root / "MNIST" / "raw" / name).is_file() for name in _MNIST_FILES):
        return root
    raw = unpacked / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in _MNIST_FILES:
        plain, packed = root / name, root / f"{name}.gz"
        if plain.is_file():
            shutil.copyfile(plain, raw / name)
        elif packed.is_file():
            with gzip.open(packed) as source, (raw / name).open("wb") as target:
                shutil.copyfileobj(source, target)
        else:
            raise InputError("{root} holds no MNIST: {name} or {name}.gz is missing.", root=root, name=name)
    return unpacked


def made_up_digits() -> Pictures:
    """512 blurred blobs with labels, from a fixed seed: enough to run a recipe, nothing to learn."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(512, 1, 7, 7, generator=rng)
    pixels = F.interpolate(coarse, size=28, mode="bilinear").mul(255).to(torch.uint8)
    return Pictures(pixels, torch.randint(0, 10, (512,), generator=rng))
