"""What the editing tab shows and asks: steps as plain data for its widgets, and its controls as a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.errors import InputError
from imagegen.images import grid, to_pictures, to_tensor
from imagegen.models.diffusion import betas
from imagegen.models.text import SCHEDULE
from imagegen.recipes import Recipe, to_link, to_png
from imagegen.tasks import checks
from imagegen.tasks import editing as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.widgets import data_url, picture_from_pad, plain_png, shown
from imagegen.ui.wiring import Travelling

__all__ = ["DEFAULTS", "MODES", "Moment", "film", "frames", "made", "moment", "preview", "recipe", "request", "subject"]

MODES = ("part", "whole")
DEFAULTS = {"part": 1.0, "whole": task.EditRequest.strength}
"""Strength of each mode."""
ALPHAS_CUMPROD = (1 - betas(SCHEDULE)).cumprod(0)


@dataclass(frozen=True)
class Moment:
    """What is kept of a step for the film: latents of the first picture, each (1, C, h, w), and its numbers."""

    x_t: Tensor
    seen: Tensor
    pred_x0: Tensor
    timestep: int
    changed: list[float]
    norms: list[float]


def subject(travelling: Travelling | None) -> Tensor:
    """The travelling picture as the model takes it, (1, 3, 64, 64) in [-1, 1]."""
    if travelling is None:
        raise InputError("There is no picture yet; draw one, upload one or make one first.")
    return task.fitted(to_tensor(travelling.picture))


def request(travelling: Travelling | None, brush: object, mode: object, **values: Any) -> task.EditRequest:
    """What the controls ask for.

    Args:
        brush: the brush's value: {"mask": base64 of a PNG}.
    """
    picture = subject(travelling)
    if checks.choice("mode", mode, MODES) == "whole":
        return task.EditRequest(picture, **values)
    drawn = brush.get("mask") if isinstance(brush, dict) else None
    return task.InpaintRequest(picture, mask=to_tensor(picture_from_pad(drawn)), **values)


def recipe(request: task.EditRequest, store: ModelStore) -> Recipe:
    name = "inpaint" if isinstance(request, task.InpaintRequest) else "edit-image"
    return recipe_of(TASKS[name], request, store)


def made(step: task.EditStep, recipe: Recipe) -> Travelling:
    return Travelling(to_pictures(step.images)[0], recipe)


def moment(step: task.EditStep) -> Moment:
    x_t, seen, pred_x0 = (latents[:1].clone() for latents in (step.x_t, step.seen, step.pred_x0))
    numbers = ([round(value, 4) for value in row[0].tolist()] for row in (step.changed, step.norms))
    return Moment(x_t, seen, pred_x0, step.timestep, *numbers)


def frames(request: task.EditRequest, step: task.EditStep, moments: Sequence[Moment]) -> list[str]:
    """Of each moment x_t, what the network sees, and with a mask that put together with the picture, side by side."""
    columns = [
        step.decode(torch.cat([each.x_t for each in moments])),
        step.decode(torch.cat([each.seen for each in moments])),
    ]
    if isinstance(request, task.InpaintRequest):
        columns.append(step.finish(torch.cat([each.pred_x0 for each in moments])))
    rows: list[tuple[Image.Image, ...]] = list(zip(*map(to_pictures, columns), strict=True))
    return [data_url(plain_png(grid(row, len(row), gap=0))) for row in rows]


def preview(request: task.EditRequest, step: task.EditStep) -> dict[str, Any]:
    (frame,) = frames(request, step, [moment(step)])
    return {"frames": [frame], "index": step.index, "total": step.total, "mask": _mask(request)}


def film(
    request: task.EditRequest, moments: Sequence[Moment], frames: Sequence[str], done: Travelling, seconds: float
) -> dict[str, Any]:
    """Every step to scrub through, the picture before and after, and the numbers of the formulas."""
    assert done.recipe
    timesteps = [each.timestep for each in moments]
    return {
        "frames": list(frames),
        "index": len(moments),
        "total": len(moments),
        "mask": _mask(request),
        "before": shown(request.picture),
        "after": data_url(to_png(done.picture, done.recipe)),
        "link": to_link(done.recipe),
        "seconds": seconds,
        "timesteps": timesteps,
        "alphas": [float(ALPHAS_CUMPROD[t]) for t in timesteps],
        "changed": [each.changed for each in moments],
        "norms": [each.norms for each in moments],
        "guidance": request.guidance_scale,
    }


def _mask(request: task.EditRequest) -> str | None:
    return shown(2 * request.inside - 1) if isinstance(request, task.InpaintRequest) else None
