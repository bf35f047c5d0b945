"""A denoiser that cannot be better: of pictures whose pixels are Gaussian, every answer is known."""

from collections.abc import Sequence

from torch import Tensor, nn

from imagegen.models.diffusion import betas

__all__ = ["ExactDenoiser"]


class ExactDenoiser(nn.Module):
    """The best there is for pictures from N(mean, std²), and so the ODE's solution is known."""

    mean, std = 0.5, 0.25
    schedule, clip = "cosine", None

    def __init__(self, picture: Sequence[int] = (1, 8, 8)) -> None:
        super().__init__()
        self.picture = tuple(picture)
        self.register_buffer("alphas_cumprod", (1 - betas(self.schedule)).cumprod(0).float())

    def forward(self, x_t: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        left = self.alphas_cumprod[timesteps][:, None, None, None]
        gain = left.sqrt() * self.std**2 / (left * self.std**2 + 1 - left)
        x0 = self.mean + gain * (x_t - left.sqrt() * self.mean)
        return (left.sqrt() * x_t - x0) / (1 - left).sqrt()

    def end(self, x_t: Tensor, timestep: int) -> Tensor:
        """Where the ODE leads from `x_t`: it keeps how many standard deviations away from the mean each pixel is."""
        left = self.alphas_cumprod[timestep]
        spread = (left * self.std**2 + 1 - left).sqrt()
        return self.mean + self.std * (x_t - left.sqrt() * self.mean) / spread
