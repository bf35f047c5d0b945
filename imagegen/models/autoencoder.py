"""The autoencoder that latent diffusion paints in: a picture as a small grid of latents, and back.

diffusers' `AutoencoderKL` (Kingma & Welling 2013; Rombach et al. 2022), narrow where the grid is fine, because that
is where the time goes.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

__all__ = ["FaceAutoencoder"]


class FaceAutoencoder(nn.Module):
    """Pictures (B, 3, 64, 64) in [-1, 1] <-> latents (B, latent_channels, h, w) of mean 0 and variance 1.

    Args:
        channels: of each resolution, from 64x64 down; each next one has half the side.
        latent_channels: of the grid at the last resolution.
        groups: of the group norms. Few: a group of two channels loses how light and how colourful it was.

    `vae` is the plain `AutoencoderKL`, as a pipeline of diffusers takes it.
    """

    def __init__(
        self, channels: tuple[int, ...] = (16, 32, 64, 128), latent_channels: int = 16, groups: int = 1
    ) -> None:
        from diffusers import AutoencoderKL
        from diffusers.models.resnet import ResnetBlock2D

        super().__init__()
        self.vae: Any = AutoencoderKL(  # type: ignore[no-untyped-call]
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            block_out_channels=tuple(channels),
            layers_per_block=1,
            latent_channels=latent_channels,
            norm_num_groups=groups,
            sample_size=64,
            scaling_factor=1.0,
            force_upcast=False,
            mid_block_add_attention=False,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                nn.init.zeros_(cast(Tensor, module.bias))
        for module in self.modules():
            if isinstance(module, ResnetBlock2D):  # at first each block does nothing, and all learn at once
                nn.init.zeros_(module.conv2.weight)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latents of pictures: both (B, latent_channels, h, w)."""
        latents = self.vae.encode(x).latent_dist
        return latents.mean, latents.logvar

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, 64, 64) in [-1, 1] -> latents (B, latent_channels, h, w)."""
        return self.posterior(x)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, latent_channels, h, w) -> pictures (B, 3, 64, 64), in [-1, 1] but for a little."""
        return self.vae.decode(latents).sample  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    @torch.no_grad()
    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Make latents of this mean and standard deviation (latent_channels,) ones of 0 and 1; pictures stay the same.

        The two 1x1 convolutions beside the latents take it in, so that `scaling_factor` is 1 and no pipeline
        needs to know.
        """
        to_latents, from_latents = self.vae.quant_conv, self.vae.post_quant_conv
        count = len(mean)
        from_latents.bias += from_latents.weight[:, :, 0, 0] @ mean
        from_latents.weight *= std[:, None, None]
        to_latents.bias[:count] = (to_latents.bias[:count] - mean) / std
        to_latents.weight[:count] /= std[:, None, None, None]
        to_latents.bias[count:] -= 2 * std.log()
