"""What the editing tab shows and asks: steps as plain data for its widgets, and its controls as a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imagegen.engines.engine import Painted
from imagegen.errors import InputError
from imagegen.images import grid, to_pictures, to_tensor
from imagegen.models.diffusion import betas
from imagegen.models.text import SCHEDULE
from imagegen.recipes import Recipe, to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import editing as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.tasks.text_to_image import CHECKPOINT
from imagegen.ui.text_to_image_views import previews
from imagegen.ui.widgets import data_url, jpeg, picture_from_pad, plain_png, shown
from imagegen.ui.wiring import Travelling

__all__ = [
    "DEFAULTS",
    "MODES",
    "Moment",
    "film",
    "frames",
    "made",
    "moment",
    "panels",
    "preview",
    "recipe",
    "request",
    "subject",
    "under_brush",
]

Step = task.EditStep | Painted
BRUSH_SIDE = 768
"""Pixels of a picture under the brush."""
MODES = ("part", "whole")
DEFAULTS = {"part": 1.0, "whole": task.EditRequest.strength}
"""Strength of each mode."""
ALPHAS_CUMPROD = (1 - betas(SCHEDULE)).cumprod(0)


@dataclass(frozen=True)
class Moment:
    """What is kept of a step for the film: latents of the first picture, each (1, C, h, w), and its numbers.

    Of an engine only what it takes the picture to be.
    """

    timestep: int
    pred_x0: Tensor
    x_t: Tensor | None = None
    seen: Tensor | None = None
    changed: Sequence[float] = ()
    norms: Sequence[float] = ()


def subject(travelling: Travelling | None, engine: object) -> Tensor:
    """The travelling picture as the engine takes it: (1, 3, 64, 64) in [-1, 1], or all of it."""
    if travelling is None:
        raise InputError("There is no picture yet; draw one, upload one or make one first.")
    picture = to_tensor(travelling.picture.convert("RGB"))
    return task.fitted(picture) if engine == CHECKPOINT else picture


def under_brush(travelling: Travelling, engine: object) -> dict[str, Any]:
    """The same for the brush, whether it is sd-mini's, for which the parts of a face have their places, and whether it
    is the visitor's own, for which a face that is being made is given up.
    """
    about = {"faces": engine == CHECKPOINT, "brought": travelling.recipe is None}
    if engine == CHECKPOINT:
        return {"png": shown(subject(travelling, engine)), **about}
    picture = travelling.picture.convert("RGB")
    picture.thumbnail((BRUSH_SIDE, BRUSH_SIDE))
    return {"png": data_url(jpeg(picture), "jpeg"), **about}


def request(travelling: Travelling | None, brush: object, mode: object, **values: Any) -> task.EditRequest:
    """What the controls ask for.

    Args:
        brush: the brush's value: {"mask": base64 of a PNG}.
    """
    engine = values.get("engine", CHECKPOINT)
    picture = subject(travelling, engine)
    if checks.choice("mode", mode, MODES) == "whole":
        return task.EditRequest(picture, **values)
    drawn = brush.get("mask") if isinstance(brush, dict) else None
    mask = picture_from_pad(drawn)
    if engine != CHECKPOINT:  # the brush draws smaller
        mask = mask.resize((picture.shape[3], picture.shape[2]), Image.Resampling.NEAREST)
    return task.InpaintRequest(picture, mask=to_tensor(mask), **values)


def recipe(request: task.EditRequest, store: ModelStore) -> Recipe:
    name = "inpaint" if isinstance(request, task.InpaintRequest) else "edit-image"
    return recipe_of(TASKS[name], request, store)


def made(request: task.EditRequest, step: Step, recipe: Recipe) -> Travelling:
    mask = to_pictures(request.mask)[0] if isinstance(request, task.InpaintRequest) else None
    return Travelling(to_pictures(step.images)[0], recipe, drawn=mask)


def moment(step: Step) -> Moment | None:
    """None where there is nothing to look at, as where no step was walked."""
    if isinstance(step, Painted):
        return None if step.pred_x0 is None else Moment(step.timestep, step.pred_x0)
    x_t, seen, pred_x0 = (latents[:1].clone() for latents in (step.x_t, step.seen, step.pred_x0))
    numbers = ([round(value, 4) for value in row[0].tolist()] for row in (step.changed, step.norms))
    return Moment(step.timestep, pred_x0, x_t, seen, *numbers)


def panels(request: task.EditRequest) -> list[str]:
    """What stands side by side in a frame: x_t, what is seen in it, and with a mask that put together with the picture.

    Of an engine only what is seen.
    """
    if request.engine != CHECKPOINT:
        return ["edited.alone"]
    return ["edited.x_t", "edited.seen", *(["edited.together"] if isinstance(request, task.InpaintRequest) else [])]


def frames(request: task.EditRequest, step: Step, moments: Sequence[Moment]) -> list[str]:
    """The panels of each moment in one picture."""
    pred_x0 = torch.cat([each.pred_x0 for each in moments])
    if isinstance(step, Painted):
        assert step.decode
        return previews(step.decode(pred_x0))
    x_t, seen = ([getattr(each, name) for each in moments] for name in ("x_t", "seen"))
    columns = [step.decode(torch.cat(x_t)), step.decode(torch.cat(seen))]
    if isinstance(request, task.InpaintRequest):
        columns.append(step.finish(pred_x0))
    rows: list[tuple[Image.Image, ...]] = list(zip(*map(to_pictures, columns), strict=True))
    return [data_url(plain_png(grid(row, len(row), gap=0))) for row in rows]


def preview(request: task.EditRequest, step: Step, seen: Moment) -> dict[str, Any]:
    return {
        "frames": frames(request, step, [seen]),
        "panels": panels(request),
        "index": step.index,
        "total": step.total,
        "mask": _mask(request),
    }


def film(
    request: task.EditRequest, moments: Sequence[Moment], frames: Sequence[str], done: Travelling, seconds: float
) -> dict[str, Any]:
    """Every step to scrub through, the picture before and after, and the numbers of the formulas.

    Args:
        frames: of the moments, or fewer where the result need not wait for them.
    """
    assert done.recipe
    timesteps = [each.timestep for each in moments]
    return {
        "frames": list(frames),
        "panels": panels(request),
        "index": max(1, len(moments)),
        "total": max(1, len(moments)),
        "mask": _mask(request),
        "before": shown(request.picture),
        "after": data_url(to_png(done.picture, done.recipe)),
        "link": to_link(done.recipe),
        "seconds": seconds,
        "timesteps": timesteps,
        "alphas": [float(ALPHAS_CUMPROD[t]) for t in timesteps],
        "changed": [list(each.changed) for each in moments if each.changed],
        "norms": [list(each.norms) for each in moments if each.norms],
        "guidance": request.guidance_scale,
    }


def _mask(request: task.EditRequest) -> str | None:
    return shown(2 * request.inside - 1) if isinstance(request, task.InpaintRequest) else None
