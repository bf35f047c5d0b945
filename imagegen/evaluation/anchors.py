"""Real digits, slightly spoilt: what a FID is held against, because its scale means nothing by itself."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.data.pictures import Pictures
from imagegen.evaluation.features import as_saved

__all__ = ["ROTATED", "digit_anchors"]

ROTATED = "rotated ±4.5°"
"""The anchor that is the bar for generated digits."""

DEGREES = 4.5
SIGMA = 0.5
MORE_ONES = 0.03
NEXT_DOOR = ((-1, 0), (1, 0), (0, -1), (0, 1))


def digit_anchors(digits: Pictures, count: int, seed: int) -> dict[str, Tensor]:
    """Five sets of `count` digits each, (count, 1, 28, 28) in [-1, 1], rounded to 8 bits.

    - as they are: chosen at random from `digits`; the floor that a perfect model would reach.
    - rotated ±4.5°: the same, each by its own angle, uniform, bilinear, black from outside.
    - shifted 1 px: the same, each up, down, left or right.
    - blurred 0.5: the same, by a Gaussian of this standard deviation in pixels.
    - 3 % more ones: the same, but 3 % of the set, drawn from those that are not ones, are replaced by ones
      that were not chosen; the share of ones rises by 3 percentage points.
    """
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(digits), generator=rng)
    chosen, rest = order[:count], order[count:]
    pictures, _ = digits[chosen]
    with_more_ones, _ = digits[_more_ones(digits.labels, chosen, rest)]
    return {
        "as they are": pictures,
        ROTATED: as_saved(_rotate(pictures, rng)),
        "shifted 1 px": as_saved(_shift(pictures, rng)),
        "blurred 0.5": as_saved(_blur(pictures)),
        "3 % more ones": with_more_ones,
    }


def _rotate(pictures: Tensor, rng: torch.Generator) -> Tensor:
    angle = (torch.rand(len(pictures), generator=rng) * 2 - 1) * math.radians(DEGREES)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return _warp(pictures, torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3))


def _shift(pictures: Tensor, rng: torch.Generator) -> Tensor:
    direction = torch.randint(len(NEXT_DOOR), (len(pictures),), generator=rng)
    pixel = 2 / pictures.shape[-1]  # the width is 2 in the coordinates of an affine grid
    offset = torch.tensor(NEXT_DOOR)[direction, :, None] * pixel  # (N, 2, 1)
    return _warp(pictures, torch.cat([torch.eye(2).expand(len(pictures), 2, 2), offset], dim=2))


def _warp(pictures: Tensor, matrices: Tensor) -> Tensor:
    """Each picture seen through its own affine matrix (N, 2, 3), bilinear, black from outside."""
    grid = F.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures + 1, grid, align_corners=False) - 1


def _blur(pictures: Tensor) -> Tensor:
    from torchvision.transforms.functional import gaussian_blur

    return gaussian_blur(pictures, kernel_size=5, sigma=SIGMA)  # type: ignore[no-any-return]


def _more_ones(labels: Tensor, chosen: Tensor, rest: Tensor) -> Tensor:
    """Indices of the chosen, some replaced; `chosen` and `rest` are in random order."""
    extra = round(MORE_ONES * len(chosen))
    places = (labels[chosen] != 1).nonzero()[:extra, 0]
    mixed = chosen.clone()
    mixed[places] = rest[labels[rest] == 1][:extra]
    return mixed
