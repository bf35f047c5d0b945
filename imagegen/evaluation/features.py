"""What a judge network sees in pictures, and the statistics of real ones that ship beside its weights."""

import torch
from torch import Tensor, nn, split

from imagegen.images import to_pictures, to_tensor
from imagegen.models.classifier import DigitClassifier, DigitFeatures

__all__ = ["BATCH", "as_saved", "in_batches", "reference_statistics"]

BATCH = 500
"""Pictures that a network is given at once; it bounds memory and changes no figure."""


def as_saved(pictures: Tensor) -> Tensor:
    """Pictures (N, C, H, W) in [-1, 1] rounded to the 8 bits of a file: what people get is what is judged.

    Raises:
        ImageGenError: a value is not finite.
    """
    return torch.cat([to_tensor(picture) for picture in to_pictures(pictures)])


@torch.no_grad()
def in_batches(network: nn.Module, *inputs: Tensor) -> Tensor:
    """`network(*inputs)` for inputs (N, ...), computed in batches on its own device: (N, ...) on the CPU."""
    device = next(network.parameters()).device
    batches = zip(*(split(tensor, BATCH) for tensor in inputs), strict=True)
    return torch.cat([network(*(tensor.to(device) for tensor in batch)).cpu() for batch in batches])


def reference_statistics(classifier: DigitClassifier, pictures: Tensor) -> dict[str, Tensor]:
    """All that FID needs to know of the real pictures (N, 1, 28, 28) in [-1, 1].

    Returns:
        reference_sum: of the features f, (128,) float64.
        reference_outer: sum of f fᵀ, (128, 128) float64.
        reference_count: N, int64.
    """
    features = in_batches(DigitFeatures(classifier), pictures).double()
    return {
        "reference_sum": features.sum(dim=0),
        "reference_outer": features.T @ features,
        "reference_count": torch.tensor(len(features)),
    }
