"""Super-resolution: four times as many pixels a side, from a small network that computes at low resolution."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["SCALE", "PatchCritic", "SuperResolver", "upscale"]

SCALE = 4


class SuperResolver(nn.Module):
    """Low resolution (B, 3, H, W) in [-1, 1] -> (B, 3, 4H, 4W), about in [-1, 1].

    Residual blocks without normalisation (EDSR, Lim et al. 2017), all at low resolution; one convolution then
    gives each pixel's 4x4 block as 48 channels (Shi et al. 2016), added to 16 copies of the pixel itself.

    Args:
        width: channels of the body.
        blocks: residual blocks of two convolutions.
    """

    def __init__(self, width: int = 32, blocks: int = 5) -> None:
        super().__init__()
        self.width, self.blocks = width, blocks
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(_Residual(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, 3 * SCALE**2, 3, padding=1)
        with torch.no_grad():
            self.tail.weight.mul_(0.1)  # at first little is added to the copies

    def forward(self, low_res: Tensor) -> Tensor:
        details = self.tail(self.body(self.head(low_res)))  # (B, 48, H, W)
        copies = low_res.repeat_interleave(SCALE**2, dim=1)
        return F.pixel_shuffle(details + copies, SCALE)


class _Residual(nn.Module):
    """A block that begins as almost the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        for convolution in (self.first, self.second):
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x).relu_())  # type: ignore[no-any-return]


class PatchCritic(nn.Module):
    """Pictures (B, 3, H, W) in [-1, 1] -> a logit for each patch (B, 1, H/8, W/8), the higher the more it looks real.

    Spectral normalisation (Miyato et al. 2018) keeps its slope in check.

    Args:
        width: channels of the first layer; later ones have 2 and 4 times as many.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(3, width, 3, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(4 * width, 4 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


@torch.no_grad()
def upscale(network: nn.Module, low_res: Tensor) -> Tensor:
    """A whole picture (1, 3, h, w) in [-1, 1] -> (1, 3, 4h, 4w) in [-1, 1], on the network's device."""
    device = next(network.parameters()).device
    return network(low_res.to(device)).clamp(-1, 1)  # type: ignore[no-any-return]
