"""What the style tab shows: requests from its values, and steps as plain data for its widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import Recipe, to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import style_slow as slow
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.bringing import EXAMPLES, STYLES, example
from imagegen.ui.widgets import data_url, jpeg, plain_png
from imagegen.ui.wiring import Travelling

POWERS = (-1, 4)
"""Of ten, between which style may be weighed over content."""
GRAM_SIDE = 64
"""Pixels of a drawn Gram matrix; larger ones are averaged down to it."""
PAPER, INK = (247, 245, 241), (68, 84, 180)


def photo_of(travelling: Travelling | None) -> Tensor:
    """The visitor's picture, or the first example: (1, 3, H, W) in [-1, 1]."""
    return to_tensor((travelling.picture if travelling else example(EXAMPLES[0])).convert("RGB"))


def painting_of(painting: Travelling | None) -> Tensor:
    """The style that was chosen, or the first example of one."""
    return to_tensor((painting.picture if painting else example(STYLES[0])).convert("RGB"))


def slow_request(
    travelling: Travelling | None,
    painting: Travelling | None,
    made: Travelling | None,
    style_power: object,
    start: str,
    fast: Travelling | None = None,
    **values: Any,
) -> slow.SlowRequest:
    """A request of the page's values; to go on from nothing is to begin with the photo.

    Args:
        made, fast: the last results of the slow and of the fast way.
    """
    weight = 10 ** checks.number("style_power", style_power, *POWERS)
    result = {"picture": made, "fast": fast}.get(start)
    picture = to_tensor(result.picture) if result else None
    layers = tuple(values.pop(layer) for layer in slow.STYLE_LAYERS)
    return slow.SlowRequest(
        photo_of(travelling),
        painting_of(painting),
        picture,
        start="picture" if picture is not None else "photo" if start in ("picture", "fast") else start,
        style_weight=weight,
        layer_weights=layers,
        **values,
    )


def slow_recipe(request: slow.SlowRequest, store: ModelStore) -> Recipe:
    """What makes the result of `request` again; with VGG-19 it names the weights of that."""
    recipe = recipe_of(TASKS["style-slow"], request, store)
    if request.features == slow.VGG:
        return replace(recipe, checkpoint=slow.VGG, sha256=slow.vgg_sha256())
    return recipe


def after(recipe: Recipe, step: slow.SlowStep) -> Travelling:
    """The picture of one step, which is also what so many iterations give."""
    recipe = replace(recipe, request={**recipe.request, "iterations": step.index})
    return Travelling(to_pictures(step.images)[0], recipe)


def preview(run: str, step: slow.SlowStep, picture: Image.Image) -> dict[str, Any]:
    return {
        "run": run,
        "index": step.index,
        "total": step.total,
        "frame": data_url(jpeg(picture), "jpeg"),
        "content": step.content,
        "style": step.style,
        "loss": step.loss,
    }


def kept(made: Travelling) -> dict[str, Any]:
    """A run's newest picture with its recipe, to be saved and handed on."""
    if made.recipe is None:
        return {}
    return {"picture": data_url(to_png(made.picture, made.recipe)), "link": to_link(made.recipe)}


def layer(step: slow.LayersStep) -> str:
    return data_url(jpeg(to_pictures(step.images)[0]), "jpeg")


# What just happened


def story(request: slow.SlowRequest, step: slow.SlowStep, matrices: Sequence[Mapping[str, Tensor]]) -> dict[str, Any]:
    """The loss with this run's numbers, and the Gram matrices of painting, photo and result."""
    (name, content), *_ = step.content.items()
    return {
        "content": {"layer": name, "loss": content, "weight": request.content_weight},
        "style": [
            {"layer": layer, "loss": step.style[layer], "weight": weight, "grams": _drawn([m[layer] for m in matrices])}
            for layer, weight in zip(slow.STYLE_LAYERS, request.layer_weights, strict=True)
        ],
        "style_weight": request.style_weight,
        "loss": step.loss,
        "features": request.features,
    }


def _drawn(matrices: Sequence[Tensor]) -> list[str]:
    """Square pictures, on one scale: paper is 0, ink the largest entry of the first one or more."""
    pictures = []
    largest = matrices[0].max().clamp(min=1e-8)
    for matrix in matrices:
        small = torch.nn.functional.adaptive_avg_pool2d(matrix[None], min(GRAM_SIDE, len(matrix)))
        share = (small / largest).clamp(0, 1).sqrt()[0, :, :, None]
        colours = torch.tensor(PAPER) * (1 - share) + torch.tensor(INK) * share
        pictures.append(data_url(plain_png(Image.fromarray(colours.round().to(torch.uint8).numpy()))))
    return pictures
