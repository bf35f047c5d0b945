"""The digit classifier: judge of generated digits and, by its penultimate layer, their feature network."""

import torch
from torch import Tensor, nn

__all__ = ["DigitClassifier", "DigitFeatures", "block"]


def block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """What every judge is built of: (B, in, H, W) -> (B, out, H / stride, W / stride)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class DigitClassifier(nn.Module):
    """Digits (B, 1, 28, 28) in [-1, 1] -> logits (B, 10).

    Args:
        width: channels of the first block; later blocks have 2 and 4 times as many.
    """

    num_features = 128

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.body = nn.Sequential(
            block(1, width, 1),  # (B, w, 28, 28)
            block(width, width, 2),  # (B, w, 14, 14)
            block(width, 2 * width, 1),
            block(2 * width, 2 * width, 2),  # (B, 2w, 7, 7)
            block(2 * width, 4 * width, 1),
            block(4 * width, 4 * width, 2),  # (B, 4w, 4, 4)
            nn.Flatten(),
            nn.Linear(4 * width * 16, self.num_features),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(self.num_features, 10)

    def features(self, x: Tensor) -> Tensor:
        """Penultimate activations after ReLU, (B, 128): what FID, KID, precision and recall compare."""
        return self.body(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))  # type: ignore[no-any-return]


class DigitFeatures(nn.Module):
    """The classifier as torchmetrics asks for it: pictures in, features (B, 128) or logits (B, 10) out."""

    num_features = DigitClassifier.num_features

    def __init__(self, classifier: DigitClassifier, logits: bool = False) -> None:
        super().__init__()
        self.classifier = classifier
        self.logits = logits

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x) if self.logits else self.classifier.features(x)
