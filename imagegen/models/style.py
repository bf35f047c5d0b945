"""Style transfer: paint one picture with the textures of another.

| here | in the papers |
| --- | --- |
| `gram` | G = F Fᵀ / (H W): which features occur together, wherever they are (Gatys et al. 2016) |
| `Objective` | α content + β style; `STYLE_WEIGHT` is β / α |
| `FastStyle` | one pass of a network instead (Johnson et al. 2016), told the style by a code (Ghiasi et al. 2017) |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "STYLE_WEIGHT",
    "FastStyle",
    "FeatureNetwork",
    "Objective",
    "StyleEncoder",
    "differences",
    "distance",
    "gram",
    "total_variation",
]

STYLE_WEIGHT = 3.0
"""A photo as it is then scores ten times what 300 iterations of L-BFGS make of it, or more."""


Moments = list[tuple[Tensor, Tensor]]


def gram(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C), in fp32: mean over the picture of every product of two channels."""
    flat = features.flatten(2).float()
    with torch.autocast(features.device.type, enabled=False):
        return flat @ flat.transpose(1, 2) / flat.shape[2]


def total_variation(x: Tensor) -> Tensor:
    """Mean absolute step from pixel to pixel, (B,)."""
    return x.diff(dim=2).abs().mean(dim=(1, 2, 3)) + x.diff(dim=3).abs().mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class Objective:
    """What a stylised picture should share with a photo, and what with a painting.

    Args:
        features: pictures (B, 3, H, W) in [-1, 1] -> features by layer.
        content, style: layers that are compared for each.
        scales: sizes at which pictures are compared, each half of the one before, so that broad strokes are felt.
    """

    features: Callable[[Tensor], dict[str, Tensor]]
    content: tuple[str, ...] = ("relu3_1",)
    style: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1")
    scales: int = 3

    def measure(self, pictures: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content features (B, C, H, W) and Gram matrices (B, C, C) of every scale and layer."""
        contents, grams = [], []
        for scale in range(self.scales):
            features = self.features(F.avg_pool2d(pictures, 2**scale))
            contents += [features[layer] for layer in self.content]
            grams += [gram(features[layer]) for layer in self.style]
        return contents, grams

    def losses(self, pictures: Tensor, contents: Sequence[Tensor], grams: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """How far `pictures` are from those contents, and from those grams: (B,) each."""
        content, style = self.by_layer(pictures, contents, grams)
        return content.sum(0), style.sum(0)

    def by_layer(self, pictures: Tensor, contents: Sequence[Tensor], grams: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The same, of each layer over all scales: (content layers, B) and (style layers, B)."""
        own_contents, own_grams = self.measure(pictures)
        pairs = (self.content, own_contents, contents), (self.style, own_grams, grams)
        content, style = (differences(a, b).view(self.scales, len(layers), -1).sum(0) for layers, a, b in pairs)
        return content, style


def differences(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """Mean squared difference of each pair, (pairs, B)."""
    return torch.stack([(a.float() - b.float()).square().flatten(1).mean(1) for a, b in zip(ours, theirs, strict=True)])


def distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """Sum of mean squared differences, (B,)."""
    return differences(ours, theirs).sum(0)


class FeatureNetwork(nn.Module):
    """A narrow VGG: the same layers by name up to relu5_1, fewer channels, taught to see as VGG-19 does.

    Batch normalisation gives every channel the same weight in a Gram matrix; it is folded into the convolutions
    when a checkpoint is loaded.

    Args:
        width: channels at full size; two, four, eight and eight times as many further down.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.width = width
        self.channels: dict[str, int] = {}
        self.layers = nn.ModuleDict()
        before = 3
        for block, (factor, depth) in enumerate(((1, 2), (2, 2), (4, 2), (8, 2), (8, 1)), start=1):
            for place in range(1, depth + 1):
                name, channels = f"relu{block}_{place}", factor * width
                self.layers[name] = nn.Sequential(
                    nn.Conv2d(before, channels, 3, padding=1, padding_mode="reflect", bias=False),
                    nn.BatchNorm2d(channels),
                )
                before = self.channels[name] = channels

    def features(self, x: Tensor, last: str = "relu5_1") -> dict[str, Tensor]:
        """Pictures (B, 3, H, W) in [-1, 1] -> features by layer up to `last`, after ReLU: (B, C, H/2^(block-1), ...).

        Sides must be at least 2 at the last layer: 32 pixels for relu5_1.
        """
        features: dict[str, Tensor] = {}
        for name, layer in self.layers.items():
            if name.endswith("_1") and name != "relu1_1":
                x = F.avg_pool2d(x, 2)
            x = features[name] = F.relu(layer(x))
            if name == last:
                break
        return features

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)["relu5_1"]


class StyleEncoder(nn.Module):
    """A painting -> its code: Gram matrices of a few small convolutional layers, and a linear reading of them.

    Args:
        code: length of the code.
    """

    WIDTHS = (16, 32, 48, 64)
    SUMMED = 24
    """Channels whose products are taken, of each layer."""

    def __init__(self, code: int) -> None:
        super().__init__()
        inputs = (3, *self.WIDTHS)
        self.convolutions = nn.ModuleList(
            _convolution(inputs[i], width, stride=2 if i else 1) for i, width in enumerate(self.WIDTHS)
        )
        self.summed = nn.ModuleList(nn.Conv2d(width, self.SUMMED, 1) for width in self.WIDTHS)
        self.read = nn.Linear(len(self.WIDTHS) * self.SUMMED * (self.SUMMED + 1) // 2, code)
        nn.init.kaiming_normal_(self.read.weight, nonlinearity="linear")

    def forward(self, x: Tensor) -> Tensor:
        """Paintings (B, 3, H, W) in [-1, 1] -> codes (B, code)."""
        row, column = torch.triu_indices(self.SUMMED, self.SUMMED, device=x.device)
        products = []
        for convolution, summed in zip(self.convolutions, self.summed, strict=True):
            x = F.relu(convolution(x))
            products.append(torch.asinh(gram(summed(x))[:, row, column]))  # a few products are far larger than the rest
        return self.read(torch.cat(products, dim=1))  # type: ignore[no-any-return]


class FastStyle(nn.Module):
    """Any style in one pass: `paint(photos, encode(paintings))`.

    The style enters by the mean and deviation of every channel of every layer (Dumoulin et al. 2017; Huang and
    Belongie 2017). Most work is done at a quarter of the size. Codes may be mixed by a straight line.

    Args:
        code: length of a style's code.
        width: channels at a quarter of the size; two thirds and a third as many above.
        blocks: residual blocks there.
    """

    def __init__(self, code: int = 128, width: int = 48, blocks: int = 5) -> None:
        super().__init__()
        self.code, self.width, self.blocks = code, width, blocks
        small, middle = width // 3, 2 * width // 3
        self.encoder = StyleEncoder(code)
        self.down = nn.ModuleList(
            [_convolution(3, small), _convolution(small, middle, stride=2), _convolution(middle, width, stride=2)]
        )
        self.residual = nn.ModuleList(_convolution(width, width) for _ in range(2 * blocks))
        self.up = nn.ModuleList([_convolution(width, middle), _convolution(middle, small)])
        self.to_picture = nn.Conv2d(small, 3, 3, padding=1, padding_mode="reflect")
        self.styled = [c.out_channels for c in (*self.down, *self.residual, *self.up)]
        self.hidden = nn.Linear(code, code)
        self.modulation = nn.Linear(code, 2 * sum(self.styled))
        nn.init.kaiming_normal_(self.hidden.weight)
        nn.init.normal_(self.modulation.weight, std=0.05)

    def encode(self, paintings: Tensor) -> Tensor:
        """Paintings (B, 3, H, W) in [-1, 1] -> codes (B, code)."""
        return self.encoder(paintings)  # type: ignore[no-any-return]

    def paint(self, photos: Tensor, codes: Tensor, moments: Moments | None = None) -> Tensor:
        """Photos (B, 3, H, W) in [-1, 1], sides divisible by 4, and codes (B, code) -> pictures like the photos.

        Args:
            moments: of a whole picture, where `photos` are tiles of it; each by itself would have colours of its own.
        """
        given = iter(moments or ())
        return self._painted(photos, codes, lambda x: next(given) if moments else _moments(x))

    def moments(self, photos: Tensor, codes: Tensor) -> Moments:
        """Variance and mean (B, C, 1, 1) of every channel that the style dresses, layer by layer."""
        seen: Moments = []

        def note(x: Tensor) -> tuple[Tensor, Tensor]:
            seen.append(_moments(x))
            return seen[-1]

        self._painted(photos, codes, note)
        return seen

    def _painted(self, photos: Tensor, codes: Tensor, measure: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
        looks = self.modulation(F.relu(self.hidden(codes)))[:, :, None, None]
        look = iter(torch.split(looks, [2 * channels for channels in self.styled], dim=1))

        def dressed(x: Tensor) -> Tensor:
            return _dressed(x, next(look), *measure(x))

        x = photos
        for convolution in self.down:
            x = F.relu(dressed(convolution(x)))
        for first, second in zip(self.residual[::2], self.residual[1::2], strict=True):
            x = x + dressed(second(F.relu(dressed(first(x)))))
        for convolution in self.up:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.relu(dressed(convolution(x)))
        return torch.tanh(self.to_picture(x))

    def forward(self, photos: Tensor, paintings: Tensor) -> Tensor:
        return self.paint(photos, self.encode(paintings))


def _convolution(channels: int, width: int, stride: int = 1) -> nn.Conv2d:
    convolution = nn.Conv2d(channels, width, 3, stride, padding=1, padding_mode="reflect")
    nn.init.kaiming_normal_(convolution.weight)
    return convolution


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    return torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)


def _dressed(x: Tensor, look: Tensor, variance: Tensor, mean: Tensor) -> Tensor:
    """Each channel of (B, C, H, W) brought to the mean and deviation that the style (B, 2C, 1, 1) asks for."""
    scale, shift = look.chunk(2, dim=1)
    scale = (1 + scale) * torch.rsqrt(variance + 1e-5)
    return torch.addcmul(shift - mean * scale, x, scale)
