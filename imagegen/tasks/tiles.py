"""Large pictures through a network, tile by tile: the result of the whole with the memory of a tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

__all__ = ["TILE", "TileStep", "in_tiles"]

TILE = 128
"""Pixels of the picture, width and height, that a step adds to the result."""


@dataclass(frozen=True)
class TileStep:
    """The result so far.

    Args:
        images: (N, C, H, W) on the CPU, 0 where nothing has been computed yet; later steps fill the same tensor.
        box: left, top, right and lower edge of what this step has filled, in pixels of `images`.
        index, total: of this step, from 1.
    """

    images: Tensor
    box: tuple[int, int, int, int]
    index: int
    total: int

    @property
    def tile(self) -> Tensor:
        """What this step has filled, (N, C, h, w)."""
        left, top, right, bottom = self.box
        return self.images[..., top:bottom, left:right]


def in_tiles(
    network: Callable[[Tensor], Tensor], picture: Tensor, context: int, side: int = TILE
) -> Iterator[TileStep]:
    """What `network` makes of `picture`, one tile a step, row by row.

    A tile is seen with its surroundings, which are cut off the result. Where the picture ends, so does the tile:
    the network fills in what lies beyond as it does for the whole picture.

    Args:
        network: (1, C, h, w) -> (N, C', h s, w s), with the same whole scale s at any size; it may give several
            pictures at once, stacked.
        picture: (1, C, H, W).
        context: pixels seen on each side of a tile. From as far as one pixel can change the result on, the result is
            that of the whole picture. A network that goes down by strides needs a multiple of them here, in `side`
            and in the sides of the picture.
        side: of a tile, in pixels of the picture.
    """
    height, width = picture.shape[-2:]
    corners = list(product(range(0, height, side), range(0, width, side)))
    images: Tensor | None = None
    for index, (top, left) in enumerate(corners, start=1):
        bottom, right = min(top + side, height), min(left + side, width)
        first_row, first_column = max(0, top - context), max(0, left - context)
        seen = picture[..., first_row : bottom + context, first_column : right + context]
        with torch.no_grad():
            made = network(seen)
        scale = made.shape[-1] // seen.shape[-1]
        rows = slice((top - first_row) * scale, (bottom - first_row) * scale)
        columns = slice((left - first_column) * scale, (right - first_column) * scale)
        if images is None:
            images = torch.zeros(*made.shape[:2], height * scale, width * scale)
        box = (left * scale, top * scale, right * scale, bottom * scale)
        images[..., box[1] : box[3], box[0] : box[2]] = made[..., rows, columns]
        yield TileStep(images, box, index, len(corners))
