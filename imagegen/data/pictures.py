"""Pictures as bytes on one device, and where the command line said that they lie."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["Pictures", "Sources"]


@dataclass(frozen=True)
class Pictures:
    """Pictures as uint8 (N, C, H, W), or latents as float16, with what is known of each, on one device.

    `labels` (N, ...) is whatever the recipe learns from beside the picture: a class, attributes, the token
    ids of captions, the low-resolution side.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Pictures as floats (B, C, H, W) in [-1, 1], latents as they are, and labels (B, ...)."""
        chosen = self.pixels[index].float()
        return chosen / 127.5 - 1 if self.pixels.dtype == torch.uint8 else chosen, self.labels[index]

    def part(self, start: int, stop: int) -> "Pictures":
        return Pictures(self.pixels[start:stop], self.labels[start:stop])

    def to(self, device: torch.device) -> "Pictures":
        return Pictures(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Sources:
    """What `--data` (repeatable), `--features`, `--checkpoints` and `--device` named.

    Args:
        data: data sets in the order in which a recipe needs them; one that is not given is downloaded.
        features: folder of the feature networks VGG-19 and SqueezeNet, or None to download torchvision's.
        checkpoints: where the networks lie that a recipe builds on.
        device: where they compute what is trained on.
    """

    data: tuple[Path, ...] = ()
    features: Path | None = None
    checkpoints: Path = Path("checkpoints")
    device: str = "auto"

    def root(self, index: int = 0) -> Path | None:
        """The data set at this place, or None where it was not given."""
        return self.data[index] if index < len(self.data) else None
