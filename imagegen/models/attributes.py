"""The judge of prompted faces: which of the attributes that prompts speak of are there."""

from torch import Tensor, nn

from imagegen.models.classifier import block

__all__ = ["FaceAttributes"]


class FaceAttributes(nn.Module):
    """Faces (B, 3, 64, 64) in [-1, 1] -> logits (B, attributes), each against its own threshold.

    Args:
        attributes: how many.
        width: channels at 32x32; twice, four and eight times as many at half the side each.
    """

    def __init__(self, attributes: int = 17, width: int = 32) -> None:
        super().__init__()
        self.attributes, self.width = attributes, width
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),  # (B, 12, 32, 32): a convolution at 64x64 would cost more than all others
            block(12, width, 1),
            block(width, 2 * width, 2),  # (B, 2w, 16, 16)
            block(2 * width, 2 * width, 1),
            block(2 * width, 4 * width, 2),  # (B, 4w, 8, 8)
            block(4 * width, 4 * width, 1),
            block(4 * width, 8 * width, 2),  # (B, 8w, 4, 4)
            block(8 * width, 8 * width, 1),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8 * width * 16, attributes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))  # type: ignore[no-any-return]
