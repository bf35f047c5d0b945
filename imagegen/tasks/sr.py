"""Super-resolution: a picture enlarged four times, tile by tile, as faithfully or as pleasingly as one likes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from PIL import Image
from torch import Tensor

from imagegen.errors import InputError
from imagegen.models.sr import SuperResolver, upscale
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.tiles import TileStep, in_tiles

__all__ = [
    "FAITHFUL",
    "MAX_PIXELS",
    "MAX_SIDE",
    "PLEASING",
    "REAL",
    "PleasingRequest",
    "RealRequest",
    "UpscaleRequest",
    "enlarge",
    "fitted",
    "run",
]

FAITHFUL, PLEASING, REAL = "sr-x4", "srgan-x4", "sr-x4-real"
MAX_PIXELS = 512 * 512
"""Of a picture to enlarge; the result has 2048x2048."""
MAX_SIDE = 4096


@dataclass(frozen=True)
class UpscaleRequest:
    """A picture to enlarge for the smallest error.

    Args:
        picture: (1, 3, H, W) in [-1, 1], at most 512x512 pixels in all and 4096 a side.
    """

    checkpoint: ClassVar[str] = FAITHFUL

    picture: Tensor

    def __post_init__(self) -> None:
        _check_picture(self.picture)

    def shares(self) -> dict[str, float]:
        """What share each network has in the result; together 1."""
        return {self.checkpoint: 1.0}


@dataclass(frozen=True)
class PleasingRequest(UpscaleRequest):
    """A picture to enlarge with detail that looks real, or a mixture of that and the smallest error.

    Args:
        pleasing: share of `srgan-x4` in the result, pixel by pixel; the rest is `sr-x4`.
    """

    checkpoint: ClassVar[str] = PLEASING

    pleasing: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.settle(self, pleasing=checks.number("pleasing", self.pleasing, 0, 1))

    def shares(self) -> dict[str, float]:
        shares = {FAITHFUL: 1 - self.pleasing, PLEASING: self.pleasing}
        return {name: share for name, share in shares.items() if share}


@dataclass(frozen=True)
class RealRequest(UpscaleRequest):
    """A photo to enlarge that is blurred, noisy or squeezed by JPEG, as from a phone or the web."""

    checkpoint: ClassVar[str] = REAL


def run(request: UpscaleRequest, store: ModelStore) -> Iterator[TileStep]:
    """The picture four times as large, one tile a step: (1, 3, 4H, 4W) in [-1, 1].

    Raises:
        CheckpointError: a network is missing or damaged.
    """
    shares = torch.tensor(list(request.shares().values())).view(-1, 1, 1, 1)

    def mixed(made: Tensor) -> Tensor:
        return (shares.to(made.device) * made).sum(dim=0, keepdim=True)

    return _tiles(request.picture, tuple(request.shares()), store, mixed)


def enlarge(picture: Tensor, names: Sequence[str], store: ModelStore) -> Iterator[TileStep]:
    """What each of these networks makes of a picture as `UpscaleRequest` takes it: (N, 3, 4H, 4W), a tile a step."""
    _check_picture(picture)
    return _tiles(picture, names, store, lambda made: made)


def _tiles(
    picture: Tensor, names: Sequence[str], store: ModelStore, join: Callable[[Tensor], Tensor]
) -> Iterator[TileStep]:
    networks = [cast(SuperResolver, store.get(name)) for name in names]
    context = max(network.context for network in networks)
    return in_tiles(lambda tile: join(torch.cat([upscale(network, tile) for network in networks])), picture, context)


def _check_picture(picture: object) -> None:
    fits = isinstance(picture, Tensor) and picture.dtype == torch.float32 and picture.dim() == 4
    if not fits or cast(Tensor, picture).shape[:2] != (1, 3) or not bool((cast(Tensor, picture).abs() <= 1).all()):
        raise InputError("There is no picture yet; draw one, upload one or make one first.")
    height, width = cast(Tensor, picture).shape[2:]
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise InputError(
            "A picture to enlarge may have {side}×{side} pixels in all and {longest} a side; this one has "
            "{width}×{height}. Make it smaller or cut out a part.",
            side=round(MAX_PIXELS**0.5),
            longest=MAX_SIDE,
            width=width,
            height=height,
        )


def fitted(picture: Image.Image) -> Image.Image:
    """The picture, smaller if it has more pixels than can be enlarged."""
    scale = (MAX_PIXELS / (picture.width * picture.height)) ** 0.5
    if scale >= 1:
        return picture
    width, height = (max(1, int(scale * side)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC)
