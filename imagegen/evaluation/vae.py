"""Figures of the autoencoders: how likely real pictures are, what the code costs, copies, samples and paths."""

from torch import Tensor

__all__ = ["area_under_curve"]


def area_under_curve(scores: Tensor, labels: Tensor) -> float:
    """Chance that a picture with the label scores higher than one without (ROC AUC); 0.5 tells nothing.

    Args:
        scores: (N,), no two alike.
        labels: (N,), 1 or 0, both present.
    """
    ranks = scores.argsort().argsort().double()  # from 0
    has = labels.bool()
    count = has.sum()
    return ((ranks[has].mean() - (count - 1) / 2) / (~has).sum()).item()
