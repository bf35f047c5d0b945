"""Inpainting with a network that was never told of masks: outside the mask it is always shown the picture itself."""

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.models.diffusion import predict_noise

__all__ = ["cells", "keep_outside", "without_seam"]

FADE = 0.05
"""How fast a seam's correction dies away: to a tenth within some 5 pixels."""
ROUNDS = 64
"""Of the iteration that spreads it; each reaches a pixel further."""


def cells(mask: Tensor, side: int) -> Tensor:
    """A mask of pixels (1, 1, H, W), 1 where to paint, as one of latents (1, 1, side, side).

    A cell that is masked by half or more is painted anew, one that is masked by less in proportion.
    """
    return (2 * F.adaptive_avg_pool2d(mask, side)).clamp(max=1)


def keep_outside(x_t: Tensor, pred_x0: Tensor, latents: Tensor, cells: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """What is seen in x_t inside the mask, and outside it the picture's own latents: noise and x0, (N, C, h, w).

    A solver that is told so walks there along the picture noised to each level, and inside the network sees what it
    has to fit to (Lugmayr et al. 2022, eq. 8).

    Args:
        latents: of the picture, (N, C, h, w).
        left: ᾱ of x_t's noise level, (N,).
    """
    pred_x0 = torch.lerp(latents, pred_x0, cells)
    return predict_noise(x_t, pred_x0, left), pred_x0


def without_seam(painted: Tensor, picture: Tensor, mask: Tensor) -> Tensor:
    """Outside the mask `picture` as it is; inside `painted`, with what it is off at the mask's border taken out.

    An autoencoder's copy is never quite the picture. Its error at the border goes on inside, and dies away there as
    d = mean of d's four neighbours / (1 + FADE) (Poisson blending, Pérez et al. 2003, with a screen).

    Args:
        painted: (N, 3, H, W) in [-1, 1].
        picture: (1, 3, H, W), mask: (1, 1, H, W), 1 inside.
    """
    inside = mask.bool()
    error = torch.where(inside, 0, picture - painted)
    spread = error
    for _ in range(ROUNDS):
        near = F.pad(spread, (1, 1, 1, 1), mode="replicate")
        mean = (near[..., :-2, 1:-1] + near[..., 2:, 1:-1] + near[..., 1:-1, :-2] + near[..., 1:-1, 2:]) / 4
        spread = torch.where(inside, mean / (1 + FADE), error)
    return torch.where(inside, (painted + spread).clamp(-1, 1), picture)
