"""Variational autoencoders: a picture becomes a small Gaussian on a map, and every place of the map a picture.

| here | in the papers |
| --- | --- |
| `encode` -> `mu`, `logvar` | q(z \\| x) = N(mu, exp(logvar)), one Gaussian a latent (Kingma & Welling 2014) |
| `decode` -> `logits` | p(x \\| z): Bernoulli for digits; for faces a Gaussian around `picture(logits)` |
| `reparametrise` | z = mu + sigma * noise: the sample keeps its gradient |
| `kl_per_latent` | KL(q(z \\| x) \\|\\| N(0, 1)): what it costs to say where the picture lies |
| ELBO | E[`bernoulli_log_likelihood` or `gaussian_log_likelihood`] - sum of `kl_per_latent` |
| `log_weights`, `importance_bound` | w = p(x, z) / q(z \\| x); log of the mean of k weights (IWAE, Burda et al. 2016) |
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "Vae",
    "bernoulli_log_likelihood",
    "gaussian_log_likelihood",
    "importance_bound",
    "kl_per_latent",
    "log_weights",
    "picture",
    "reparametrise",
    "whitened",
]


def reparametrise(mu: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """A sample of q(z | x), moved and scaled out of `noise` ~ N(0, 1); all shapes broadcast."""
    return mu + (0.5 * logvar).exp() * noise


def kl_per_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence from N(0, 1) in nats, for each latent by itself: (B, z_dim)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x | z) in nats, (B,), of black and white pixels x in {0, 1}."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(dim=1)


def gaussian_log_likelihood(x: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """log p(x | z) in nats, (B,), where each value has the same standard deviation `sigma`, a scalar."""
    error = ((x - mean) / sigma).square() + 2 * sigma.log() + math.log(2 * math.pi)
    return -0.5 * error.flatten(1).sum(dim=1)


def log_weights(log_likelihood: Tensor, z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log p(x | z) + log p(z) - log q(z | x), (...), of samples z (..., z_dim) of q."""
    log_prior = -0.5 * z.square()
    log_posterior = -0.5 * ((z - mu).square() / logvar.exp() + logvar)
    return log_likelihood + (log_prior - log_posterior).sum(dim=-1)


def importance_bound(log_w: Tensor) -> Tensor:
    """log mean exp over k samples, (B, k) -> (B,): at k = 1 the ELBO, and the larger k, the closer to log p(x)."""
    return log_w.logsumexp(dim=1) - math.log(log_w.shape[1])


def picture(logits: Tensor) -> Tensor:
    """What the decoder shows, in [-1, 1]: for digits the probability of white."""
    return 2 * logits.sigmoid() - 1


class _Block(nn.Module):
    """Two 3x3 convolutions added to their input. No normalisation: the second starts at zero instead."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_a = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_b = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv_b.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_b(F.silu(self.conv_a(F.silu(x))))  # type: ignore[no-any-return]


def _dense(inputs: int, hidden: int, outputs: int) -> list[nn.Module]:
    """Three linear layers, started so that a code keeps its size on the way; PyTorch's own start would shrink it."""
    linear = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)
    for layer in linear:
        nn.init.kaiming_normal_(layer.weight)
    return [linear[0], nn.SiLU(), linear[1], nn.SiLU(), linear[2]]


class _Axes(nn.Module):
    """mu and logvar of z, (B, 2 z_dim), become those of (z - mean) @ axes; of its covariance the diagonal is kept."""

    mean: Tensor
    axes: Tensor

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(z_dim))
        self.register_buffer("axes", torch.eye(z_dim))

    def forward(self, code: Tensor) -> Tensor:
        mu, logvar = code.float().chunk(2, dim=1)
        return torch.cat([(mu - self.mean) @ self.axes, (logvar.exp() @ self.axes.square()).log()], dim=1)


class Vae(nn.Module):
    """Residual encoder and decoder with a Gaussian code between: `picture(decode(mu))` of a picture is its copy.

    Args:
        channels: of a picture, 1 or 3.
        size: its side in pixels.
        z_dim: latents.
        widths: channels at a half, a quarter ... of the size.
        hidden: width of the two dense layers beside the code, in encoder and decoder.
        depth: residual blocks at each size in the decoder; the encoder has one.
        axes: whether the code is turned and scaled at last, see `whitened`.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        z_dim: int = 32,
        widths: Sequence[int] = (16, 32),
        hidden: int = 256,
        depth: int = 2,
        axes: bool = False,
    ) -> None:
        super().__init__()
        self.z_dim, self.size = z_dim, size
        first, last = widths[0], widths[-1]
        side = size >> len(widths)  # of the smallest map
        down: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, first, 3, padding=1), _Block(first)]
        for wide, narrow in pairwise(widths):
            down += [nn.Conv2d(wide, narrow, 2, stride=2), _Block(narrow)]
        up: list[nn.Module] = [_Block(last) for _ in range(depth)]
        for wide, narrow in reversed(list(pairwise(widths))):
            up += [nn.Conv2d(narrow, 4 * wide, 1), nn.PixelShuffle(2), *(_Block(wide) for _ in range(depth))]
        self.encoder = nn.Sequential(
            *down,
            nn.SiLU(),
            nn.Flatten(),
            *_dense(last * side**2, hidden, 2 * z_dim),
            *([_Axes(z_dim)] if axes else []),
        )
        self.decoder = nn.Sequential(
            *_dense(z_dim, hidden, last * side**2),
            nn.Unflatten(1, (last, side, side)),
            *up,
            nn.SiLU(),
            nn.Conv2d(first, 2 * first, 3, padding=1),
            nn.PixelShuffle(2),  # (B, first / 2, size, size)
            nn.SiLU(),
            nn.Conv2d(first // 2, channels, 3, padding=1),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) in [-1, 1] -> mu and logvar, (B, z_dim) each, fp32."""
        mu, logvar = self.encoder(x).float().chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, z_dim) -> logits (B, C, H, W), fp32; `picture` shows them."""
        return self.decoder(z).float()  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction from mu, in [-1, 1]."""
        mu, _ = self.encode(x)
        return picture(self.decode(mu))


@torch.no_grad()
def whitened(model: Vae, mean: Tensor, covariance: Tensor, **args: Any) -> Vae:
    """The same autoencoder with the Gaussian that fits its codes as its prior (Ghosh et al. 2020).

    Codes are turned onto that Gaussian's axes, largest first, and scaled, so that it is N(0, 1) in them. Pictures and
    their copies stay the same; a latent that no picture uses costs nothing any more.

    Args:
        mean, covariance: of z over pictures and over q(z | x), (z_dim,) and (z_dim, z_dim).
        args: what `model` was built with.
    """
    variances, directions = (part.flip(-1) for part in torch.linalg.eigh(covariance.double()))
    deviations = variances.sqrt()
    turned = Vae(**args, axes=True)
    turned.load_state_dict(model.state_dict(), strict=False)
    axes, first = cast(_Axes, turned.encoder[-1]), cast(nn.Linear, turned.decoder[0])
    axes.mean.copy_(mean)
    axes.axes.copy_(directions / deviations)
    first.bias.add_(first.weight @ mean)
    first.weight.copy_(first.weight.double() @ (directions * deviations))
    return turned
