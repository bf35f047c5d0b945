"""What the VAE tab shows: requests from its values, and task results as plain data for its widgets."""

import base64
from collections.abc import Sequence
from typing import Any, cast

from PIL import Image
from torch import Tensor

from imagegen.errors import InputError
from imagegen.images import grid, to_pictures
from imagegen.recipes import Recipe, to_link, to_png, to_webp_animation
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import vae as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.tasks.vae_pictures import Encoding, InterpolateRequest, InterpolateStep
from imagegen.ui.bringing import as_digit, as_face
from imagegen.ui.widgets import data_url, plain_png, shown
from imagegen.ui.wiring import Travelling, last_step

Slot = int | Travelling
"""A seed, or a picture that was put there."""
Held = tuple[tuple[object, Slot], ...]
"""Of each slot what the page asked for, and what it holds."""
Place = tuple[tuple[float, ...], str]
"""Coordinates, and the map that they are on."""

SLIDERS = 32
"""Latents that can be moved on the page, the strongest; the others cost next to nothing."""
MINE = "mine"
"""What the page asks for, with a count of the clicks, where a slot is to take the visitor's picture."""
MAX_CODE = 2**15 - 1
DECIMALS = 4
SHOWN_SIDE = 112
"""Pixels of an animation's frames."""
FRAME_SECONDS = 0.08


# What there is


def models(store: ModelStore) -> list[str]:
    """The autoencoders whose latents can be moved, the map's first; every file is checked.

    Raises:
        CheckpointError: one is damaged, or one that is no face model is missing.
    """
    names = [task.PLANE, task.DIGITS, *(name for name in (task.FACES,) if name in store.names())]
    for name in (*names, task.PLAIN):
        store.checkpoint(name).verify()
    return names


def maps(store: ModelStore) -> dict[str, Any]:
    """Both planes for `plane.js`: atlas, its edges, and codes in thousandths of the way between these.

    Codes are base64 of int16, x and y in turn: text, as the page is slow with long lists.
    """
    shown = []
    for name in task.PLANES:
        plane = task.plane(name, store)
        rows, columns, height, width = plane.atlas.shape
        sheet = plane.atlas.permute(0, 2, 1, 3).reshape(rows * height, columns * width)
        first, last = plane.atlas_range.unbind(dim=1)
        codes = ((plane.mu - first) / (last - first) * 1000).round().clamp(-MAX_CODE, MAX_CODE).numpy().astype("<i2")
        shown.append(
            {
                "name": name,
                "atlas": data_url(plain_png(Image.fromarray(sheet.numpy()))),
                "edges": plane.atlas_range.tolist(),
                "tiles": columns,
                "codes": base64.b64encode(codes.tobytes()).decode(),
            }
        )
    return {"maps": shown, "labels": "".join(map(str, task.plane(task.PLANE, store).labels.tolist()))}


def sliders(store: ModelStore, name: str, asked: object = None) -> dict[str, Any]:
    """What can be moved in an autoencoder: the KL of its strongest latents, and how well each attribute separates."""
    latents = task.latents(name, store)
    separates = task.separability(store) if name == task.FACES else {}
    offsets, attributes = moves_of(asked)
    return {
        "latents": [round(kl, 2) for kl in latents.kl_per_latent[:SLIDERS].tolist()],
        "active": latents.active,
        "attributes": [[name, round(auc, 2)] for name, auc in separates.items()],
        "offsets": offsets,
        "amounts": attributes,
    }


# Requests


def moves_of(asked: object) -> tuple[Any, Any]:
    """Offsets and attributes as the page has them; the request checks what is in them."""
    values = asked if isinstance(asked, dict) else {}
    return values.get("offsets", []), values.get("amounts", [])


def request(models: Sequence[str], model: str, seed: int, asked: object = None) -> task.VaeRequest:
    """One picture of the chosen autoencoder, moved as the page's sliders say."""
    offsets, attributes = moves_of(asked)
    name = checks.choice("model", model, models)
    if name == task.FACES:
        return task.FaceRequest(count=1, seed=seed, offsets=offsets, attributes=attributes)
    kind = task.PlaneRequest if name == task.PLANE else task.DigitRequest
    return kind(count=1, seed=seed, offsets=offsets)


def way_recipe(request: InterpolateRequest, store: ModelStore) -> Recipe | None:
    """What makes a way again; None if a picture of the visitor's went in."""
    if isinstance(request.start, Tensor) or isinstance(request.end, Tensor):
        return None
    return recipe_of(TASKS[f"{request.checkpoint}-way"], request, store)


def decode_request(asked: object) -> task.DecodeRequest:
    """The place that was pointed at, or where both maps begin."""
    values = asked if isinstance(asked, dict) else {}
    return task.DecodeRequest(values.get("z", (0.0, 0.0)), values.get("plane", task.PLANE))


def fitted(subject: Slot, checkpoint: str) -> Tensor | int:
    """A seed as it is, a picture as the autoencoder takes it."""
    if isinstance(subject, int):
        return subject
    return as_face(subject) if checkpoint == task.FACES else as_digit(subject)


def hold(asked: object, held: Held, travelling: Travelling | None) -> Held:
    """Fill the slots as asked: a seed, or `mine` with a number for the visitor's picture as it is at that moment.

    Raises:
        InputError: there is no picture to take, or a seed is none.
    """
    wanted = asked if isinstance(asked, list) and len(asked) == len(held) else [before for before, _ in held]
    return tuple(
        (want, subject if want == before else _taken(want, travelling))
        for want, (before, subject) in zip(wanted, held, strict=True)
    )


def drawn(subject: Slot, checkpoint: str, store: ModelStore) -> Tensor:
    """A picture as the autoencoder takes it, (1, C, H, W) in [-1, 1]: the visitor's, or the sample of a seed."""
    found = fitted(subject, checkpoint)
    if isinstance(found, Tensor):
        return found
    step = last_step(task.run(request([checkpoint], checkpoint, found), store), store)
    return cast(task.VaeStep, step).images.cpu()


def _taken(want: object, travelling: Travelling | None) -> Slot:
    if not (isinstance(want, str) and want.startswith(MINE)):
        return checks.seed(want)
    if travelling is None:
        raise InputError("There is no picture yet; draw one, upload one or make one first.")
    return travelling


def captions(held: Held) -> list[int | None]:
    """The seed of each slot, or None for a picture of the visitor's."""
    return [subject if isinstance(subject, int) else None for _, subject in held]


# Results as data


def spot(store: ModelStore, request: task.DecodeRequest, step: task.DecodeStep) -> dict[str, Any]:
    """Both digits of a place, each a file with its recipe."""
    recipes = [recipe_of(TASKS["vae-place"], request, store, i) for i in range(len(step.images))]
    pictures = zip(to_pictures(step.images), recipes, strict=True)
    return {
        "pictures": [data_url(to_png(picture, recipe)) for picture, recipe in pictures],
        "z": _rounded(step.z),
        "link": to_link(recipes[0]),
    }


def encoding(store: ModelStore, model: str, x: Tensor, found: Encoding, on_map: Sequence[Encoding]) -> dict[str, Any]:
    """A picture, what is left of it, and the ELBO in its parts.

    Args:
        on_map: what both planes make of it, in the order of `PLANES`; empty for a face.
    """
    posterior = found.posterior
    assert posterior is not None  # the plain autoencoder is not among the models
    latents = task.latents(model, store)
    kl = posterior.kl_per_latent.cpu()[latents.order]
    place = None
    if on_map:
        variational, plain = on_map
        assert variational.posterior is not None
        place = {
            "mu": _rounded(variational.mu),
            "sigma": _rounded(variational.posterior.sigma),
            "plain": _rounded(plain.mu),
        }
    return {
        "model": model,
        "picture": shown(x),
        "copy": shown(found.images),
        "samples": [data_url(plain_png(picture)) for picture in to_pictures(posterior.samples)],
        "log_likelihood": round(posterior.log_likelihood, 2),
        "kl": round(float(kl.sum()), 2),
        "bars": [round(nats, 3) for nats in kl.tolist()],
        "active": latents.active,
        "place": place,
    }


def ends(held: Held, drawn: Sequence[Tensor]) -> dict[str, Any]:
    """Where a way will begin and end."""
    side = drawn[0].shape[-1]
    return {"captions": captions(held), "side": side, "ends": [shown(picture) for picture in drawn]}


def preview(held: Held, step: InterpolateStep) -> dict[str, Any]:
    """The newest frame, and the same moment as a blend."""
    return {
        "captions": captions(held),
        "index": step.index,
        "total": step.total,
        "side": step.images.shape[-1],
        "frame": shown(step.images[-1:]),
        "blend": shown(step.blend[-1:]),
    }


def way(held: Held, step: InterpolateStep, recipe: Recipe | None) -> dict[str, Any]:
    """The whole way: one sheet, frames above and blends below, and an animation there and back."""
    frames = to_pictures(step.images)
    side = frames[0].width
    sheet = grid(frames + to_pictures(step.blend), step.total, gap=0)
    large = [frame.resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.NEAREST) for frame in frames]
    return {
        "captions": captions(held),
        "index": step.index,
        "total": step.total,
        "side": side,
        "sheet": data_url(plain_png(sheet)),
        "animation": data_url(to_webp_animation([*large, *large[-2:0:-1]], FRAME_SECONDS, recipe), "webp"),
    }


def moved(made: Travelling, before: Tensor | None) -> dict[str, Any]:
    """A picture as the sliders have it, with its recipe where it can be made again; else what it was before."""
    picture, recipe = made.picture, made.recipe
    return {
        "png": data_url(to_png(picture, recipe) if recipe else plain_png(picture)),
        "before": None if before is None else shown(before),
        "smooth": picture.mode == "RGB",
        "link": to_link(recipe) if recipe else None,
    }


def total(held: Held, drawn: Sequence[Tensor], result: Tensor) -> dict[str, Any]:
    """The three terms of a sum, and what it comes to."""
    return {"captions": captions(held), "pictures": [shown(picture) for picture in (*drawn, result)]}


def sliders_of(request: task.VaeRequest) -> dict[str, Any]:
    """What the sliders say where a request comes from a link."""
    return {"offsets": list(request.offsets), "amounts": list(getattr(request, "attributes", ()))}


def _rounded(values: Tensor) -> Any:
    return values.cpu().double().mul(10**DECIMALS).round().div(10**DECIMALS).tolist()
