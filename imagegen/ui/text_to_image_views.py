"""What the words tab shows: steps as plain data for its widgets."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.images import to_pictures
from imagegen.recipes import Recipe, to_link, to_png
from imagegen.tasks import text_to_image as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.widgets import data_url, plain_png
from imagegen.ui.wiring import Travelling

__all__ = ["Moment", "film", "frames", "made", "moment", "notes", "recipes", "sheet"]


@dataclass(frozen=True)
class Moment:
    """What is kept of a step for the film of its first picture.

    Args:
        pred_x0: latents of the picture seen, (1, C, h, w).
        heat: of each word, (words, h, w).
        norms: of v(negative), v(prompt) and their difference, (3,).
    """

    timestep: int
    pred_x0: Tensor
    heat: Tensor
    norms: Tensor


def moment(step: task.TextToImageStep, reading: task.Reading) -> Moment:
    heat = reading.heat(step.guided.attention[:1])[0].cpu()
    return Moment(step.timestep, step.guided.pred_x0[:1].clone(), heat, step.guided.norms[0].cpu())


def frames(decode: Callable[[Tensor], Tensor], moments: Sequence[Moment]) -> list[str]:
    pictures = to_pictures(decode(torch.cat([each.pred_x0 for each in moments])))
    return [data_url(plain_png(picture)) for picture in pictures]


def film(
    request: task.TextToImageRequest,
    index: int,
    reading: task.Reading,
    moments: Sequence[Moment],
    frames: Sequence[str],
) -> dict[str, Any]:
    """Every step of one picture to scrub through; a word's heat goes from its least to its most at that step."""
    heat = torch.stack([each.heat for each in moments])  # (steps, words, h, w)
    if heat.numel():
        least, most = (pick(heat, dim=(2, 3), keepdim=True) for pick in (torch.amin, torch.amax))
        heat = (heat - least) / (most - least).clamp(min=1e-9)
    return {
        "which": index,
        "frames": list(frames),
        "timesteps": [each.timestep for each in moments],
        "words": list(reading.words),
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
    }


def recipes(request: task.TextToImageRequest, store: ModelStore) -> list[Recipe]:
    return [recipe_of(TASKS["text-to-image"], request, store, i) for i in range(request.count)]


def made(step: task.TextToImageStep, recipes: Sequence[Recipe]) -> list[Travelling]:
    return [Travelling(*pair) for pair in zip(to_pictures(step.images), recipes, strict=True)]


def sheet(step: task.TextToImageStep, done: Sequence[Travelling] = ()) -> dict[str, Any]:
    """The pictures of a step; of the last one, `done`, with their recipes."""
    if not done:
        pictures = [data_url(plain_png(picture)) for picture in to_pictures(step.images)]
        return {"pictures": pictures, "index": step.index, "total": step.total}
    signed = [(each.picture, each.recipe) for each in done if each.recipe]
    return {
        "pictures": [data_url(to_png(picture, recipe)) for picture, recipe in signed],
        "links": [to_link(recipe) for _, recipe in signed],
        "index": step.index,
        "total": step.total,
    }
