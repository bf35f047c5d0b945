"""The GANs that tutorials begin with: a code becomes a picture, and no label is asked for.

| here | in the papers |
| --- | --- |
| `MlpGenerator`, `MlpDiscriminator` | fully connected networks (Goodfellow et al. 2014) |
| `DcganGenerator`, `DcganDiscriminator` | strided convolutions and batch norm (DCGAN, Radford et al. 2015) |
| `discriminator_loss`, `generator_loss` | binary cross-entropy; the generator's is the non-saturating one |
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "DcganDiscriminator",
    "DcganGenerator",
    "MlpDiscriminator",
    "MlpGenerator",
    "discriminator_loss",
    "generator_loss",
]

LEAK = 0.2


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log D(real) - log(1 - D(fake)), D = sigmoid(logit): 1 for real pictures, 0 for generated ones."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-log D(fake): it still has a slope where the discriminator is sure, unlike log(1 - D(fake))."""
    return F.softplus(-fake_logits).mean()


class MlpGenerator(nn.Module):
    """A code (B, z_dim) from N(0, I) -> digits (B, 1, 28, 28) in [-1, 1].

    Args:
        z_dim: length of the code.
        hidden: units in each of the two hidden layers.
    """

    def __init__(self, z_dim: int = 100, hidden: int = 256) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.layers = nn.Sequential(
            nn.Linear(z_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 28 * 28),
            nn.Tanh(),
            nn.Unflatten(1, (1, 28, 28)),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)  # type: ignore[no-any-return]


class MlpDiscriminator(nn.Module):
    """Digits (B, 1, 28, 28) in [-1, 1] -> logits (B,): above 0 it takes them for real."""

    def __init__(self, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, hidden),
            nn.LeakyReLU(LEAK),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(LEAK),
            nn.Linear(hidden, 1),
            nn.Flatten(0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


class DcganGenerator(nn.Module):
    """A code (B, z_dim) from N(0, I) -> pictures (B, colours, S, S) in [-1, 1], S = start * 2^len(widths).

    Args:
        z_dim: length of the code.
        start: side of the first feature map.
        widths: channels of each feature map, coarse to fine; the sides double from one to the next.
        colours: channels of the pictures.
    """

    def __init__(
        self,
        z_dim: int = 100,
        start: int = 4,
        widths: tuple[int, ...] = (512, 256, 128, 64),
        colours: int = 3,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        layers: list[nn.Module] = [
            nn.Unflatten(1, (z_dim, 1, 1)),
            nn.ConvTranspose2d(z_dim, widths[0], start, bias=False),  # (B, widths[0], start, start)
        ]
        for coarse, fine in pairwise(widths):
            layers += [nn.BatchNorm2d(coarse), nn.ReLU(), nn.ConvTranspose2d(coarse, fine, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.ConvTranspose2d(widths[-1], colours, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_as_in_the_paper)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)  # type: ignore[no-any-return]


class DcganDiscriminator(nn.Module):
    """Pictures (B, colours, S, S) in [-1, 1] -> logits (B,): above 0 it takes them for real.

    The generator's mirror image, with the same arguments; batch norm makes a logit depend on the batch.
    """

    def __init__(self, start: int = 4, widths: tuple[int, ...] = (512, 256, 128, 64), colours: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(colours, widths[-1], 4, 2, 1), nn.LeakyReLU(LEAK)]
        for fine, coarse in pairwise(reversed(widths)):
            layers += [nn.Conv2d(fine, coarse, 4, 2, 1, bias=False), nn.BatchNorm2d(coarse), nn.LeakyReLU(LEAK)]
        layers += [nn.Conv2d(widths[0], 1, start), nn.Flatten(0)]
        self.layers = nn.Sequential(*layers)
        self.apply(_as_in_the_paper)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


def _as_in_the_paper(layer: nn.Module) -> None:
    """Weights from N(0, 0.02²), those of batch norm from N(1, 0.02²)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
