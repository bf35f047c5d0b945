"""What the diffusion tab shows: requests from its values, and steps as plain data for its widgets."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor

from imagegen.devices import SEEDS
from imagegen.evaluation.curves import loss_curve, solver_table
from imagegen.images import grid, to_pictures, to_tensor
from imagegen.models.diffusion import SCHEDULES, TIMESTEPS, betas, snr
from imagegen.recipes import Recipe, to_link, to_png, to_webp_animation
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import diffusion as task
from imagegen.tasks.diffusion_experiments import ForwardStep, OtherLabels, RaceStep, RoundTripStep
from imagegen.ui.bringing import as_digit, as_face
from imagegen.ui.widgets import data_url, plain_png, shown
from imagegen.ui.wiring import Travelling

TRAITS = {
    "man": ("Male", 1),
    "woman": ("Male", -1),
    "young": ("Young", 1),
    "older": ("Young", -1),
    "smile": ("Smiling", 1),
    "serious": ("Smiling", -1),
    "open mouth": ("Mouth_Slightly_Open", 1),
    "black hair": ("Black_Hair", 1),
    "blond hair": ("Blond_Hair", 1),
    "brown hair": ("Brown_Hair", 1),
    "grey hair": ("Gray_Hair", 1),
    "bald": ("Bald", 1),
    "bangs": ("Bangs", 1),
    "wavy hair": ("Wavy_Hair", 1),
    "beard": ("No_Beard", -1),
    "no beard": ("No_Beard", 1),
    "moustache": ("Mustache", 1),
    "glasses": ("Eyeglasses", 1),
    "hat": ("Wearing_Hat", 1),
    "lipstick": ("Wearing_Lipstick", 1),
    "earrings": ("Wearing_Earrings", 1),
}
"""What the page calls an attribute that is wanted (1) or unwanted (-1)."""
PANEL = 64
"""Pixels a side of a panel that shows latents."""
NOISE_REACH = 2.5
"""Standard deviations of noise that black and white stand for."""
LARGEST_DROWNED = 128
FRAME_SECONDS = 0.12
CURVE_POINTS = 101


# What there is, told once


def models(store: ModelStore) -> list[str]:
    """The diffusion models that are there, digits first."""
    return [task.DIGITS, *(name for name in (task.FACES,) if {name, task.AUTOENCODER} <= set(store.names()))]


def needed(store: ModelStore) -> list[str]:
    """The checkpoints that the tab computes with."""
    names = models(store)
    return [*names, task.AUTOENCODER] if task.FACES in names else names


def still(store: ModelStore, names: Sequence[str]) -> dict[str, Any]:
    """What stays the same while pictures come and go: the schedule, and each model's loss at each noise level."""
    return {
        "alphas": [round(x, 6) for x in (1 - betas("cosine")).cumprod(0).tolist()],
        "loss": {name: loss_curve(store.checkpoint(name).card()) for name in names},
    }


def curves() -> dict[str, list[dict[str, Any]]]:
    """log10 of β, ᾱ, and log10 of the signal-to-noise ratio of each schedule, at every tenth noise level."""
    at = torch.linspace(0, TIMESTEPS - 1, CURVE_POINTS).round().long()

    def line(schedule: str, values: Tensor) -> dict[str, Any]:
        points = zip(at.tolist(), values[at].tolist(), strict=True)
        return {"name": schedule, "points": [(t, round(value, 6)) for t, value in points]}

    found: dict[str, list[dict[str, Any]]] = {"beta": [], "alpha": [], "snr": []}
    for schedule in SCHEDULES:
        added = betas(schedule)
        left = (1 - added).cumprod(0)
        for key, values in {"beta": added.log10(), "alpha": left, "snr": snr(left).log10()}.items():
            found[key].append(line(schedule, values))
    return found


def solver_tables(store: ModelStore, names: Sequence[str]) -> dict[str, Any]:
    """FID by solver and steps of each model, as its card has it."""
    return {name: solver_table(store.checkpoint(name).card()) for name in names}


# Requests


def request(
    names: Sequence[str], model: str, digit: int | None, traits: Sequence[str], **values: Any
) -> task.DiffusionRequest:
    """A request of the chosen model; what the other one alone understands is left out."""
    if checks.choice("model", model, names) == task.DIGITS:
        return task.DigitRequest(digit=digit, **values)
    chosen = [TRAITS[name] for name in checks.choices("traits", traits, list(TRAITS))]
    wanted = tuple(attribute for attribute, sign in chosen if sign > 0)
    return task.FaceRequest(wanted=wanted, unwanted=tuple(a for a, sign in chosen if sign < 0), **values)


def traits_of(request: task.DiffusionRequest) -> list[str]:
    """The page's words for what a face request says."""
    if not isinstance(request, task.FaceRequest):
        return []
    said = {(name, 1) for name in request.wanted} | {(name, -1) for name in request.unwanted}
    return [word for word, meaning in TRAITS.items() if meaning in said]


def alone(request: task.DiffusionRequest, index: int) -> dict[str, Any]:
    """Values of the controls that draw picture `index` of a request."""
    digit = index % 10 if getattr(request, "digit", None) is None else getattr(request, "digit", None)
    return asdict(request) | {
        "model": request.checkpoint,
        "digit": digit,
        "traits": traits_of(request),
        "seed": (request.seed + index) % SEEDS,
    }


# Pictures


def small(picture: Image.Image) -> Tensor:
    """A picture to drown, (1, C, H, W), its longer side at most `LARGEST_DROWNED`."""
    picture = picture.copy()
    picture.thumbnail((LARGEST_DROWNED, LARGEST_DROWNED))
    return to_tensor(picture)


def fitted(subject: Travelling, checkpoint: str) -> Tensor:
    """The visitor's picture as the model draws its own: a digit as MNIST has it, or the square middle at 64x64."""
    return as_digit(subject) if checkpoint == task.DIGITS else as_face(subject)


def frame(step: task.DiffusionStep) -> Image.Image:
    """x_t, the predicted noise and the predicted picture side by side; PNG, as JPEG would smear such small ones."""
    picture = to_pictures(step.images[:1])[0]
    scale = 1 if step.x_t.shape[1] == 1 else NOISE_REACH
    before = [_panel(step.x_t / scale), _panel(step.noise_pred / NOISE_REACH)]
    return grid([panel.resize(picture.size, Image.Resampling.NEAREST) for panel in before] + [picture], 3, gap=0)


def _panel(values: Tensor) -> Image.Image:
    """One grey picture as it is; latents as a square of their channels."""
    if values.shape[1] == 1:
        return to_pictures(values[:1])[0]
    return grid(to_pictures(values[0, :, None]), round(values.shape[1] ** 0.5), gap=0)


# Steps as data


def preview(request: task.DiffusionRequest, step: task.DiffusionStep, picture: Image.Image) -> dict[str, Any]:
    return {
        "model": request.checkpoint,
        "frames": [data_url(plain_png(picture))],
        "timesteps": [step.timestep],
        "index": step.index,
        "total": step.total,
    }


def film(
    request: task.DiffusionRequest,
    steps: Sequence[task.DiffusionStep],
    frames: Sequence[Image.Image],
    seconds: float,
    made: Travelling,
) -> dict[str, Any]:
    """The finished run: every step to scrub through, the picture with its recipe, and the animation."""
    scale = 4 if made.picture.width < PANEL else 2
    large = [frame.resize((frame.width * scale, frame.height * scale), Image.Resampling.NEAREST) for frame in frames]
    return {
        "model": request.checkpoint,
        "frames": [data_url(plain_png(frame)) for frame in frames],
        "timesteps": [step.timestep for step in steps],
        "index": len(steps),
        "total": len(steps),
        "seconds": seconds,
        "calls": len(steps) * (1 if request.guidance_scale == 1 else 2),
        "picture": data_url(to_png(made.picture, cast(Recipe, made.recipe))),
        "animation": data_url(to_webp_animation(large, FRAME_SECONDS, cast(Recipe, made.recipe)), "webp"),
        "link": to_link(cast(Recipe, made.recipe)),
    }


def others(request: task.DiffusionRequest, seen: OtherLabels) -> dict[str, Any]:
    asked = [str(request.digit)] if isinstance(request, task.DigitRequest) else list(getattr(request, "wanted", ()))
    pictures = [data_url(plain_png(picture)) for picture in to_pictures(seen.images)]
    return {"model": request.checkpoint, "names": list(seen.names), "pictures": pictures, "asked": asked,
            "t": seen.timestep}  # fmt: skip


def forward(t: int, step: ForwardStep) -> dict[str, Any]:
    """x_t and its histogram by each schedule, with the numbers of the formula."""
    return {
        "t": t,
        "panels": [
            {
                "schedule": schedule,
                "png": shown(step.images[i : i + 1]),
                "alpha": float(step.alphas_cumprod[i]),
                "histogram": [round(share, 4) for share in step.histograms[i].tolist()],
            }
            for i, schedule in enumerate(SCHEDULES)
        ],
    }


def level(step: RoundTripStep) -> dict[str, Any]:
    drowned = _panel(step.drowned if step.drowned.shape[1] == 1 else step.drowned / NOISE_REACH)
    return {
        "t": step.timestep,
        "drowned": data_url(plain_png(drowned)),
        "png": shown(cast(Tensor, step.images)),
        "psnr": step.psnr,
        "reading": step.reading,
    }


def lane(name: str, steps: int, step: RaceStep | None) -> dict[str, Any]:
    if step is None:
        return {"solver": name, "total": steps, "index": 0}
    return {
        "solver": name,
        "total": steps,
        "index": step.index,
        "calls": step.calls,
        "seconds": step.seconds,
        "png": shown(step.images),
    }
