"""Generative adversarial networks: a generator and a discriminator that learn from each other.

| here | in the papers |
| --- | --- |
| `z`, `w` | latent code, and the style that the mapping network makes of it (StyleGAN, Karras et al. 2019) |
| `discriminator_loss`, `generator_loss` | relativistic pairing, f(D(real) - D(fake)) (Jolicoeur-Martineau 2018) |
| `gradient_penalty` | R1 on real and R2 on generated pictures (Mescheder et al. 2018; R3GAN, Huang et al. 2024) |
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "MEASURES",
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "discriminator_loss",
    "generator_loss",
    "gradient_penalty",
    "measure",
    "spherical",
    "truncate",
]

CLASSES = 10
LEAK = 0.2


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log sigmoid(D(real) - D(fake)): the critic wants each real digit above its generated partner."""
    return F.softplus(fake_logits - real_logits).mean()


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log sigmoid(D(fake) - D(real)): the generator wants the opposite."""
    return F.softplus(real_logits - fake_logits).mean()


def gradient_penalty(pictures: Tensor, logits: Tensor) -> Tensor:
    """Mean squared length of the gradient of D at `pictures`: a critic that is flat there cannot run away.

    Args:
        pictures: (B, 1, 28, 28), requiring a gradient.
        logits: (B,), computed from them.
    """
    (slope,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()


def truncate(w: Tensor, w_mean: Tensor, truncation: float) -> Tensor:
    """Pull styles towards their mean: 1 keeps them, 0 gives the average digit (Karras et al. 2019)."""
    return w_mean + truncation * (w - w_mean)


def spherical(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Point t of the arc from code a to code b, (B, z_dim) each: normal codes lie on a shell, and so does the arc."""
    cosine = F.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = torch.acos(cosine)[:, None]
    if bool((angle < 1e-4).any()):
        return torch.lerp(a, b, t)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


MEASURES = ("slant", "thickness", "width", "height", "corners", "top-heavy")


def measure(digits: Tensor) -> Tensor:
    """What an eye sees in a digit, (B, 6), in the order of `MEASURES`.

    Args:
        digits: (B, 1, 28, 28) in [-1, 1].
    """
    ink = (digits[:, 0] + 1) / 2 + 1e-6  # (B, 28, 28)
    mass = ink.sum(dim=(1, 2))
    along = torch.arange(28.0, device=ink.device)
    y, x = along[:, None], along[None, :]

    def mean(values: Tensor) -> Tensor:
        return (ink * values).sum(dim=(1, 2)) / mass

    dx, dy = x - mean(x)[:, None, None], y - mean(y)[:, None, None]
    edge = (ink.diff(dim=1).abs().sum(dim=(1, 2)) + ink.diff(dim=2).abs().sum(dim=(1, 2))) / 2
    slant = -mean(dx * dy) / mean(dy.square())
    straight = dx + slant[:, None, None] * dy
    width = mean(straight.square()).sqrt()
    corners = mean(straight.square() * dy.square()) / (mean(straight.square()) * mean(dy.square()))
    return torch.stack([slant, mass / edge, width, mean(dy.square()).sqrt(), corners, mean(dy**3)], dim=1)


class _StyledConv(nn.Module):
    """3x3 convolution whose channels the style scales and shifts."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.style = nn.Linear(w_dim, 2 * out_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.conv(x)
        x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)
        scale, shift = self.style(w)[:, :, None, None].chunk(2, dim=1)
        return F.leaky_relu(torch.addcmul(shift, x, 1 + scale), LEAK, inplace=True)


class ConditionalGenerator(nn.Module):
    """A code and a digit -> a picture, through a style: `synthesis(mapping(z, embed(labels)))`.

    Args:
        z_dim: length of the code z, drawn from N(0, I).
        w_dim: length of the style w.
        width: channels at 28x28; four and six times as many at 14x14 and 7x7.
    """

    def __init__(self, z_dim: int = 64, w_dim: int = 128, width: int = 16) -> None:
        super().__init__()
        self.z_dim, self.w_dim, self.width = z_dim, w_dim, width
        low, middle = 6 * width, 4 * width
        self.label_embedding = nn.Embedding(CLASSES, z_dim)
        self.mapping_layers = nn.Sequential(
            nn.Linear(2 * z_dim, w_dim), nn.LeakyReLU(LEAK), nn.Linear(w_dim, w_dim), nn.LeakyReLU(LEAK)
        )
        self.start = nn.Linear(w_dim, low * 49)
        self.conv7a = _StyledConv(low, low, w_dim)
        self.conv7b = _StyledConv(low, middle, w_dim)
        self.conv14a = _StyledConv(middle, middle, w_dim)
        self.conv14b = _StyledConv(middle, 4 * width, w_dim)
        self.conv28 = _StyledConv(width, width, w_dim)
        self.to_picture = nn.Conv2d(width, 1, 3, padding=1)
        # PyTorch's own start would shrink the code threefold in each layer; most of its dimensions then stay unused.
        for layer in (self.mapping_layers[0], self.mapping_layers[2], self.start):
            nn.init.kaiming_normal_(cast(Tensor, layer.weight), a=LEAK)

    def embed(self, labels: Tensor) -> Tensor:
        """Digits (B,) -> label vectors (B, z_dim); two of them may be mixed by a straight line."""
        return self.label_embedding(labels)  # type: ignore[no-any-return]

    def mapping(self, z: Tensor, label: Tensor) -> Tensor:
        """Code (B, z_dim) and label vector (B, z_dim) -> style w (B, w_dim)."""
        return self.mapping_layers(torch.cat([z, label], dim=1))  # type: ignore[no-any-return]

    def synthesis(self, w: Tensor) -> Tensor:
        """Style (B, w_dim) -> digits (B, 1, 28, 28) in [-1, 1]."""
        x = self.start(w).unflatten(1, (-1, 7, 7))  # (B, 6w, 7, 7)
        x = self.conv7b(self.conv7a(x, w), w)  # (B, 4w, 7, 7)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.conv14b(self.conv14a(x, w), w)  # (B, 4w, 14, 14)
        x = self.conv28(F.pixel_shuffle(x, 2), w)  # (B, w, 28, 28)
        return torch.tanh(self.to_picture(x))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.synthesis(self.mapping(z, self.embed(labels)))


class _CriticBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut. No normalisation: a score must not depend on the batch."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv_a = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv_b = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_b(F.leaky_relu(self.conv_a(F.leaky_relu(x, LEAK)), LEAK))
        return (self.shortcut(x) + y) * 0.5**0.5  # type: ignore[no-any-return]


class ConditionalDiscriminator(nn.Module):
    """Digits (B, 1, 28, 28) in [-1, 1] and their labels (B,) -> logits (B,): higher looks more real.

    The label enters by projection (Miyato and Koyama 2018). Only differences of logits were trained:
    compare a logit with its mean over real digits.

    Args:
        width: channels at 28x28; four and six times as many at 14x14 and 7x7.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.block14 = _CriticBlock(4 * width, 4 * width)
        self.block7 = _CriticBlock(4 * width, 6 * width)
        self.summary = nn.Linear(6 * width * 49, 128)
        self.score = nn.Linear(128, 1)
        self.label_embedding = nn.Embedding(CLASSES, 128)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        x = F.pixel_unshuffle(self.stem(x), 2)  # (B, 4w, 14, 14)
        x = F.avg_pool2d(self.block14(x), 2)  # (B, 4w, 7, 7)
        x = F.leaky_relu(self.block7(x), LEAK)  # (B, 6w, 7, 7)
        h = F.leaky_relu(self.summary(x.flatten(1)), LEAK)  # (B, 128)
        projection = (h * self.label_embedding(labels)).sum(dim=1) / 128**0.5
        return self.score(h).squeeze(1) + projection  # type: ignore[no-any-return]
