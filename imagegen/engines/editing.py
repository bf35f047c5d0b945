"""A picture of any size as a pipeline takes it, and what it painted at the picture's own size again."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.models.inpainting import without_seam

__all__ = ["brought", "taken_back"]


def brought(picture: Tensor, mask: Tensor | None, side: int, step: int) -> dict[str, Any]:
    """What a pipeline is called with: the longer side is `side`, and both are multiples of `step`.

    Args:
        picture: (1, 3, H, W) in [-1, 1].
        mask: (1, 1, H, W), 1 where to paint; what is masked in part is masked.
    """
    longer = max(picture.shape[2:])
    height, width = (max(step, round(each * side / longer / step) * step) for each in picture.shape[2:])
    given = {"image": (_sized(picture, height, width) + 1) / 2, "height": height, "width": width}
    return given if mask is None else given | {"mask_image": F.adaptive_max_pool2d(mask, (height, width))}


@torch.no_grad()
def taken_back(painted: Tensor, picture: Tensor, mask: Tensor | None) -> Tensor:
    """At the size of `picture`, and outside the mask the picture itself, (N, 3, H, W) in [-1, 1]."""
    painted = _sized(painted, *picture.shape[2:])
    if mask is None:
        return painted
    return torch.cat([without_seam(each[None], picture, mask) for each in painted])  # large ones need room


def _sized(picture: Tensor, height: int, width: int) -> Tensor:
    if picture.shape[2:] == (height, width):
        return picture
    return F.interpolate(picture, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)
