"""Small measures that several families share, and how a figure is written down."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from imagegen.evaluation.features import as_saved, in_batches

__all__ = ["Figures", "area_under_curve", "copies", "equal_error_threshold", "figure", "without_bars"]

Figures = dict[str, dict[str, Any]]
"""Name -> {"value": number, "how": conditions, "bar": what it is held against}, as in a card."""


def figure(value: float, how: str, bar: str = "") -> dict[str, Any]:
    """One entry of `Figures`: its value, under which conditions, and what it is held against."""
    return {"value": value, "how": how, "bar": bar}


def without_bars(figures: Figures) -> Figures:
    """The same figures of a model that is not held against anything: a baseline."""
    return {name: {**entry, "bar": ""} for name, entry in figures.items()}


def copies(model: nn.Module, pictures: Tensor, how: str) -> Figures:
    """How close reconstructions from mu, rounded to 8 bits, come to pictures (N, C, H, W) in [-1, 1]."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    seen = as_saved(in_batches(model, pictures))
    error = (seen - pictures).square().flatten(1).mean(dim=1)
    light = 0.5 * seen + 0.5, 0.5 * pictures + 0.5  # SSIM compares mean brightness, which must not be negative
    similarity = cast(Tensor, structural_similarity_index_measure(*light, data_range=1.0))
    return {
        "PSNR of reconstructions": figure((10 * torch.log10(4 / error)).mean().item(), f"dB; {how}"),
        "SSIM of reconstructions": figure(similarity.item(), how),
    }


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


def equal_error_threshold(scores: Tensor, labels: Tensor) -> float:
    """The score above which as large a share of those without the label lies as of those with it below.

    Args:
        scores: (N,).
        labels: (N,), 1 or 0, both present.
    """
    order = scores.argsort()
    has = labels[order].double()
    missed = has.cumsum(0) / has.sum()  # with the label, and not above the i-th score
    wrong = 1 - (1 - has).cumsum(0) / (1 - has).sum()  # without it, and above
    return scores[order[(missed - wrong).abs().argmin()]].item()
