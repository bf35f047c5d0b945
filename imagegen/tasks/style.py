"""The fast way of style transfer: one pass of a network that is told the style by a code."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.checkpoints import ASSETS
from imagegen.errors import InputError
from imagegen.models.style import FastStyle
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.style_slow import MIN_SIZE, check_picture, fitted
from imagegen.tasks.tiles import TileStep, in_tiles

__all__ = [
    "FAST",
    "MAX_MIX",
    "MAX_SIZE",
    "OWN",
    "PICTURES",
    "WHOLE",
    "StyleRequest",
    "code_of",
    "keep_colours",
    "run",
    "style_names",
]

FAST = "style-fast"
OWN = "painting"
"""What a style is called that is no named one but the painting that was brought."""
PICTURES = ("photo", "painting")
"""Fields of `StyleRequest` that hold one."""
MAX_MIX = 4
MAX_SIZE = 2048
WHOLE = 512
"""Up to this size a picture is painted at once; a larger one by tiles, with the moments of itself at this size."""
TILE, CONTEXT = 384, 64
"""Of tiles; one pixel of a photo reaches 48 pixels far, and strides want multiples of 4."""
STRIDE = 4
STYLE_SIZE = 256
"""Longer side of paintings as the encoder sees them, as in training."""
LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class StyleRequest:
    """A photo to paint in one to four styles at once.

    Args:
        photo: (1, 3, H, W) in [-1, 1].
        painting: (1, 3, H, W) in [-1, 1]; it is the style called `painting`, and the only one if none is named.
        style: names from `style_names` in any case, or `painting`; a list, or words with commas between.
        weights: of each style in the mixture, 0 to 1; none are equal weights.
        strength: 0 to 1, from the photo's own style to the one asked for.
        keep_colours: whether only light and dark are painted.
        size: longer side of the result, 64 to 2,048 pixels.
    """

    photo: Tensor
    painting: Tensor | None = None
    style: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    strength: float = 1.0
    keep_colours: bool = False
    size: int = WHOLE

    def __post_init__(self) -> None:
        style = checks.words("style", self.style, MAX_MIX) or ((OWN,) if self.painting is not None else ())
        weights = checks.numbers("weights", self.weights, MAX_MIX, 1.0) or (1.0,) * len(style)
        if not style:
            raise InputError("Choose a style by name, or bring a painting.")
        if len(weights) != len(style) or min(weights) < 0 or not any(weights):
            raise InputError("weights must be a number from 0 to 1 for each style, and one of them above 0.")
        checks.settle(
            self,
            style=style,
            weights=weights,
            strength=checks.number("strength", self.strength, 0, 1),
            keep_colours=checks.flag("keep_colours", self.keep_colours),
            size=checks.whole("size", self.size, MIN_SIZE, MAX_SIZE),
        )
        check_picture(self.photo, self.size)
        if OWN in style:
            check_picture(self.painting, STYLE_SIZE)


def style_names(store: ModelStore) -> tuple[str, ...]:
    """The named styles, whose codes are shipped.

    Raises:
        CheckpointError: the network is missing or damaged.
    """
    return tuple(sorted(store.checkpoint(FAST).tensors(ASSETS)))


def run(request: StyleRequest, store: ModelStore) -> Iterator[TileStep]:
    """The painted picture, (1, 3, H, W) in [-1, 1], one tile a step; up to 512 pixels there is but one.

    Raises:
        InputError: there is no style of that name.
        CheckpointError: the network is missing or damaged.
    """
    network = cast(FastStyle, store.get(FAST))
    code = code_of(request, store)
    photo = fitted(request.photo, request.size)
    height, width = photo.shape[2:]
    moments = None
    if request.size > WHOLE:
        with torch.no_grad():
            moments = network.moments(_padded(fitted(photo, WHOLE)).to(store.device), code)

    def paint(tile: Tensor) -> Tensor:
        painted = network.paint(tile.to(store.device), code, moments).cpu()
        return keep_colours(painted, tile) if request.keep_colours else painted

    side = TILE if request.size > WHOLE else WHOLE + STRIDE
    for step in in_tiles(paint, _padded(photo), CONTEXT, side):
        yield replace(step, images=step.images[..., :height, :width])


def code_of(request: StyleRequest, store: ModelStore) -> Tensor:
    """The mixture of codes, (1, code), moved towards the photo's own by what `strength` lacks. Raises as `run`."""
    network = cast(FastStyle, store.get(FAST))
    known = (OWN, *style_names(store))
    names = [checks.choice("each of style", name, known) for name in request.style]
    codes = [
        _encoded(network, cast(Tensor, request.painting), store) if name == OWN else store.asset(FAST, name)[None]
        for name in names
    ]
    shares = torch.tensor(request.weights) / sum(request.weights)
    mixed = (torch.cat([code.cpu() for code in codes]) * shares[:, None]).sum(dim=0, keepdim=True)
    own = _encoded(network, request.photo, store) if request.strength < 1 else mixed
    return own.cpu().lerp(mixed, request.strength).to(store.device)


def keep_colours(painted: Tensor, photo: Tensor) -> Tensor:
    """The light and dark of one, the hues of the other: both (B, 3, H, W) in [-1, 1]."""
    lighter = ((painted - photo) * LUMA.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    return (photo + lighter).clamp(-1, 1)


@torch.no_grad()
def _encoded(network: FastStyle, painting: Tensor, store: ModelStore) -> Tensor:
    return network.encode(fitted(painting, STYLE_SIZE).to(store.device))


def _padded(picture: Tensor) -> Tensor:
    """Right and lower edge mirrored up to multiples of 4 pixels."""
    height, width = picture.shape[2:]
    return F.pad(picture, (0, -width % STRIDE, 0, -height % STRIDE), mode="reflect")
