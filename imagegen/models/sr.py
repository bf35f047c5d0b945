"""Super-resolution: four times as many pixels a side, from a small network that computes at low resolution.

And how near a restored picture comes to the true one, by the papers' protocol.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from imagegen.data.photos import SCALE

__all__ = ["BORDER", "SCALE", "PatchCritic", "SuperResolver", "luma", "psnr", "ssim", "upscale"]

BORDER = 4
"""Pixels of each side that are not judged."""
WINDOW, SPREAD = 11, 1.5
"""Pixels across, and standard deviation, of the Gaussian within which SSIM compares."""


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

    @property
    def context(self) -> int:
        """How far away, in pixels of low resolution, one pixel can change the result: a step a convolution."""
        return 2 * self.blocks + 2

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


def luma(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] -> Y (B, 1, H - 8, W - 8), 16 for black to 235 for white (ITU-R BT.601)."""
    weights = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    whole = 16 + (weights * (pictures * 0.5 + 0.5)).sum(dim=1, keepdim=True)
    return whole[..., BORDER:-BORDER, BORDER:-BORDER]


def psnr(restored: Tensor, high_res: Tensor) -> float:
    """Of luma, in dB; both (1, 3, H, W) in [-1, 1]."""
    error = (luma(restored) - luma(high_res)).square().mean()
    return (10 * torch.log10(255**2 / error)).item()


def ssim(restored: Tensor, high_res: Tensor) -> float:
    """Structural similarity of luma (Wang et al. 2004), up to 1; both (1, 3, H, W) in [-1, 1], at least 14 a side."""
    x, y = luma(restored), luma(high_res)
    mean_x, mean_y, xx, yy, xy = _windowed(torch.cat([x, y, x * x, y * y, x * y])).unsqueeze(1)
    var_x, var_y, covariance = xx - mean_x.square(), yy - mean_y.square(), xy - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    unlike = (mean_x.square() + mean_y.square() + c1) * (var_x + var_y + c2)
    return float((alike / unlike).mean())


def _windowed(x: Tensor) -> Tensor:
    """Gaussian means (B, 1, H, W) around each place; beyond its border a picture is mirrored."""
    reach = WINDOW // 2
    weights = (-0.5 * (torch.arange(-reach, reach + 1) / SPREAD).square()).softmax(dim=0)
    mirrored = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(F.conv2d(mirrored, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
