"""What the words tab shows: steps as plain data for its widgets."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imagegen.engines.engine import Painted
from imagegen.images import to_pictures
from imagegen.recipes import Recipe, to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import text_to_image as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.widgets import data_url, plain_png
from imagegen.ui.wiring import Travelling, steps_in_turn

__all__ = ["Moment", "film", "frames", "made", "moment", "notes", "previews", "recipes", "sheet", "steps"]

Step = task.TextToImageStep | Painted
PREVIEW_SIDE = 256
"""Pixels of a picture that is not the last."""


def steps(requests: Sequence[task.TextToImageRequest], store: ModelStore, *, abreast: bool = False) -> Iterator[Step]:
    """Of one request, or of several side by side; a service is not waited for while one holds the device."""
    run = task.abreast(requests, store) if abreast else task.run(requests[0], store)
    engine = task.engine_of(requests[0], store)
    return run if engine and engine.remote else steps_in_turn(run, store, "job")


@dataclass(frozen=True)
class Moment:
    """What is kept of a step for the film of its first picture.

    Args:
        pred_x0: latents of the picture seen, (1, C, h, w).
        heat: of each word, (words, h, w).
        norms: of v(negative), v(prompt) and their difference, (3,), or none.
    """

    timestep: int
    pred_x0: Tensor
    heat: Tensor
    norms: Tensor


def moment(step: Step, reading: task.Reading) -> Moment | None:
    """None where there is nothing to look at, as while a service is waited for."""
    if isinstance(step, Painted):
        if step.pred_x0 is None:
            return None
        attention = torch.empty(1, 0, 1, 1) if step.attention is None else step.attention
        return Moment(step.timestep, step.pred_x0, reading.heat(attention)[0].cpu(), torch.empty(0))
    heat = reading.heat(step.guided.attention[:1])[0].cpu()
    return Moment(step.timestep, step.guided.pred_x0[:1].clone(), heat, step.guided.norms[0].cpu())


def frames(decode: Callable[[Tensor], Tensor], moments: Sequence[Moment]) -> list[str]:
    return previews(decode(torch.cat([each.pred_x0 for each in moments])))


def previews(images: Tensor) -> list[str]:
    """Small enough that a page takes many of them."""
    pictures = to_pictures(images)
    for picture in pictures:
        picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return [data_url(plain_png(picture)) for picture in pictures]


def film(
    request: task.TextToImageRequest,
    index: int,
    reading: task.Reading,
    moments: Sequence[Moment],
    frames: Sequence[str],
) -> dict[str, Any]:
    """Every step of one picture to scrub through; a word's heat goes from its least to its most at that step.

    Of an engine that shows no steps, only which picture is looked at.
    """
    heat = torch.stack([each.heat for each in moments]) if moments else torch.empty(0, 0, 1, 1)  # (steps, words, h, w)
    if heat.numel():
        least, most = (pick(heat, dim=(2, 3), keepdim=True) for pick in (torch.amin, torch.amax))
        heat = (heat - least) / (most - least).clamp(min=1e-9)
    return {
        "which": index,
        "frames": list(frames),
        "timesteps": [each.timestep for each in moments],
        "words": list(reading.words) if moments else [],
        "side": heat.shape[-1],
        "heat": base64.b64encode((heat * 255).round().to(torch.uint8).numpy().tobytes()).decode(),
        "shares": [[round(share, 4) for share in each.heat.mean(dim=(1, 2)).tolist()] for each in moments],
        "norms": [[round(norm, 4) for norm in each.norms.tolist()] for each in moments],
        "guidance": request.guidance_scale,
    }


def notes(reading: task.Reading) -> dict[str, Any]:
    return {
        "tokens": [[token.id, token.text, token.word] for token in reading.tokens],
        "cut": reading.cut_off,
        "unknown": [[word, list(near)] for word, near in reading.unknown.items()],
        "negations": list(reading.negations),
    }


def recipes(request: task.TextToImageRequest, store: ModelStore) -> list[Recipe]:
    return [recipe_of(TASKS["text-to-image"], request, store, i) for i in range(request.count)]


def made(step: Step, recipes: Sequence[Recipe]) -> list[Travelling]:
    return [Travelling(*pair) for pair in zip(to_pictures(step.images), recipes, strict=True)]


def sheet(step: Step, recipes: Sequence[Recipe] = ()) -> dict[str, Any]:
    """The pictures of a step; of the last one as large as they are, with their recipes."""
    shown: dict[str, Any] = {"index": step.index, "total": step.total}
    if not recipes:
        return shown | {"pictures": previews(step.images)}
    signed = zip(to_pictures(step.images), recipes, strict=True)
    return shown | {
        "pictures": [data_url(to_png(picture, recipe)) for picture, recipe in signed],
        "links": [to_link(recipe) for recipe in recipes],
    }
