"""What every engine is to the rest of the app: asked for pictures after a prompt, it paints them step by step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["AUTO", "Asked", "Engine", "Painted"]

AUTO = "auto"
"""The size that an engine paints best."""


@dataclass(frozen=True)
class Asked:
    """What is to be painted: a picture for each of `seeds`. What does not apply to an engine, it leaves aside.

    Args:
        picture: to change, (1, 3, H, W) in [-1, 1] of any size, which is then that of the results.
        mask: (1, 1, H, W), 1 where to paint; where it is 0, each result is `picture` to the bit.
        strength: 0 gives `picture` itself, 1 keeps nothing of it; of the steps, this share is walked.
    """

    prompt: str
    negative_prompt: str
    seeds: tuple[int, ...]
    solver: str
    steps: int
    guidance_scale: float
    size: str
    picture: Tensor | None = None
    mask: Tensor | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class Painted:
    """One step; the last one's `images` are the result.

    Args:
        index, total: of this step in the run, from 1; 0 while a service is waited for.
        timestep: its noise level.
        result: the pictures (N, 3, H, W) in [-1, 1], of the last step only.
        pred_x0: what the first picture is taken to be, latents (1, C, h, w), where that can be looked at.
        decode: from such latents to pictures (N, 3, H, W) in [-1, 1].
        attention: of the first picture to each token, (1, L, h, w), where it is watched.
    """

    index: int
    total: int
    timestep: int = 0
    result: Tensor | None = None
    pred_x0: Tensor | None = None
    decode: Callable[[Tensor], Tensor] | None = None
    attention: Tensor | None = None

    @property
    def images(self) -> Tensor:
        """The result; before, what the first picture is taken to be, or none at all, (0, 3, 1, 1)."""
        if self.result is not None:
            return self.result
        if self.pred_x0 is None or self.decode is None:
            return torch.empty(0, 3, 1, 1)
        return self.decode(self.pred_x0)


class Engine(Protocol):
    """Something given at start that paints after a prompt.

    `name` names it in requests and recipes; `heeds` holds the fields of a request that it does not leave aside, and
    `picture` only where it edits, as a whole and under a mask; `solvers` and `sizes` are what it takes for these,
    `max_count` its limit of pictures in a request. One that is `remote` needs no turn on the device, and paints another
    picture each time.
    """

    name: str
    remote: bool
    heeds: frozenset[str]
    solvers: tuple[str, ...]
    sizes: tuple[str, ...]
    max_count: int

    def sha256(self) -> str:
        """Names exactly these weights; of a service, only its name."""

    def tokenizer(self) -> Any:
        """Of the words whose attention is watched, or None."""

    def paint(self, asked: Asked) -> Iterator[Painted]:
        """
        Raises:
            ImageGenError: the picture was refused, or could not be painted.
        """
