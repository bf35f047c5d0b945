"""Style transfer by gradient descent on the pixels themselves (Gatys, Ecker and Bethge 2016)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from imagegen.models.style import STYLE_WEIGHT, Objective, total_variation

__all__ = ["ADAM", "LBFGS", "GatysStep", "gatys"]

LBFGS, ADAM = "lbfgs", "adam"
RANGE_WEIGHT = 100.0
"""Holds pixels within [-1, 1] by a spring outside: cutting them off after each step would mislead L-BFGS."""
HISTORY = 20
"""Past gradients from which L-BFGS guesses the curvature."""
LBFGS_UNIT = 1_000.0
"""The loss is scaled to start here, since L-BFGS ignores changes that are small in absolute numbers."""
ADAM_STEP = 0.02
"""Of 2 from black to white."""


@dataclass(frozen=True)
class GatysStep:
    """Where an optimisation stands: `picture` (1, 3, H, W) in [-1, 1] after `index` of `total` iterations.

    The losses are those that the iteration began with; `content_layers` and `style_layers` are theirs by layer, as
    they are before any weight.
    """

    index: int
    total: int
    picture: Tensor
    content: float
    style: float
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]


def gatys(
    objective: Objective,
    photo: Tensor,
    painting: Tensor,
    iterations: int = 300,
    style_weight: float = STYLE_WEIGHT,
    smoothness: float = 0.0,
    optimizer: str = LBFGS,
    start: Tensor | None = None,
    content_weight: float = 1.0,
    layer_weights: tuple[float, ...] | None = None,
) -> Iterator[GatysStep]:
    """Change pixels until they share the photo's content and the painting's Gram matrices.

    Args:
        photo: (1, 3, H, W) in [-1, 1].
        painting: (1, 3, H', W') in [-1, 1].
        smoothness: weight of `total_variation`.
        optimizer: `lbfgs` or `adam`.
        start: first picture, or None for the photo.
        layer_weights: of each of the objective's style layers, or None for 1 each.
    """
    with torch.no_grad():
        contents, _ = objective.measure(photo)
        _, grams = objective.measure(painting)
        x = (photo if start is None else start).clone(memory_format=torch.contiguous_format)  # as L-BFGS wants it
        weights = torch.tensor(layer_weights or [1.0] * len(objective.style), device=x.device)[:, None]
        content, style = objective.by_layer(x, contents, grams)
        begins = content_weight * content.sum() + style_weight * (weights * style).sum()
    x.requires_grad_()
    unit = LBFGS_UNIT / max(begins.item(), 1e-6)
    descend: torch.optim.Optimizer = (
        torch.optim.Adam([x], lr=ADAM_STEP)
        if optimizer == ADAM
        else torch.optim.LBFGS([x], max_iter=1, history_size=HISTORY, tolerance_grad=0, tolerance_change=0)
    )

    @torch.enable_grad()
    def loss() -> Tensor:
        nonlocal content, style
        descend.zero_grad()
        content, style = objective.by_layer(x, contents, grams)
        outside = (x.abs() - 1).clamp(min=0).square().mean()
        whole = content_weight * content.sum() + style_weight * (weights * style).sum()
        scaled = unit * (whole + (smoothness * total_variation(x) + RANGE_WEIGHT * outside).sum())
        scaled.backward()  # type: ignore[no-untyped-call]
        return scaled

    for index in range(iterations):
        descend.step(loss)  # type: ignore[arg-type]
        by_content = dict(zip(objective.content, content[:, 0].tolist(), strict=True))
        by_style = dict(zip(objective.style, style[:, 0].tolist(), strict=True))
        yield GatysStep(
            index + 1,
            iterations,
            x.detach().clamp(-1, 1),
            sum(by_content.values()),
            float((weights[:, 0] * style[:, 0].detach()).sum()),
            by_content,
            by_style,
        )
