"""Editing by words: a picture noised to some level and painted back after a prompt, as a whole or under a mask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from imagegen.data.faces import SIDE
from imagegen.devices import generators
from imagegen.engines.engine import Engine, Painted
from imagegen.errors import InputError
from imagegen.images import MAX_PIXELS, to_pictures, to_tensor
from imagegen.models.diffusion import SOLVERS, betas, q_sample, solve, solver
from imagegen.models.inpainting import cells, keep_outside, without_seam
from imagegen.models.text import SCHEDULE, guided
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.engines import asked, engine_named
from imagegen.tasks.text_to_image import (
    CHECKPOINT,
    MAX_COUNT,
    MAX_GUIDANCE,
    MAX_NAME,
    MAX_PROMPT,
    MAX_STEPS,
    decode,
    encode,
)

__all__ = ["EditRequest", "EditStep", "InpaintRequest", "editors", "engine_of", "fitted", "run"]


@dataclass(frozen=True)
class EditRequest:
    """A picture to change by words (SDEdit, Meng et al. 2021), by `sd-mini` or another engine of the app that edits.

    Args:
        picture: (1, 1 or 3, H, W) in [-1, 1]; `sd-mini` takes its square middle, at 64x64, another engine all of it,
            and the results are as large as the picture.
        prompt: what it is to show, in English or Chinese, at most 1,000 characters; the model reads 75 tokens of it.
        negative_prompt: what to go away from.
        strength: 0 to 1, the share of the steps that is walked: 0 gives a copy, of `sd-mini` the autoencoder's, 1
            begins with pure noise, as text-to-image does.
        count: pictures, 1 to 64; picture i is drawn from seed + i.
        seed: 0 to 2^32 - 1.
        solver: one of `SOLVERS`, or any other case of one.
        steps: 1 to 100, from pure noise; of them the last strength x steps are walked.
        guidance_scale: 0 paints after the negative prompt, 1 after the prompt, up to 12 more so.
        engine: `sd-mini`, or another one that the app was started with; what does not apply to it is left aside.
    """

    picture: Tensor
    prompt: str = "a smiling woman with glasses"
    negative_prompt: str = ""
    strength: float = 0.6
    count: int = 1
    seed: int = 0
    solver: str = "ddim"
    steps: int = 20
    guidance_scale: float = 3.0
    engine: str = CHECKPOINT

    def __post_init__(self) -> None:
        if not _is_picture(self.picture):
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        checks.settle(
            self,
            prompt=checks.text("prompt", self.prompt, MAX_PROMPT),
            negative_prompt=checks.text("negative_prompt", self.negative_prompt, MAX_PROMPT),
            strength=checks.number("strength", self.strength, 0, 1),
            count=checks.whole("count", self.count, 1, MAX_COUNT),
            seed=checks.seed(self.seed),
            solver=checks.choice("solver", self.solver, SOLVERS),
            steps=checks.whole("steps", self.steps, 1, MAX_STEPS),
            guidance_scale=checks.number("guidance_scale", self.guidance_scale, 0, MAX_GUIDANCE),
            engine=checks.text("engine", self.engine, MAX_NAME),
        )


@dataclass(frozen=True)
class InpaintRequest(EditRequest):
    """A part of a picture to paint anew; every pixel outside the mask stays as it is.

    Args:
        mask: (1, 1 or 3, H, W) in [-1, 1], as large as the picture: masked is what is lighter than middle grey. It
            is cut and brought to size as the picture is, where a pixel is masked if any of it was. With all of it
            masked nothing of the picture is seen, as in text-to-image; an empty one is refused.
        strength: less than 1 keeps some of what was under the mask.
    """

    mask: Tensor = field(kw_only=True)
    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _is_picture(self.mask):
            raise _no_mask()
        if self.mask.shape[2:] != self.picture.shape[2:]:
            (height, width), (mask_height, mask_width) = self.picture.shape[2:], self.mask.shape[2:]
            raise InputError(
                "The mask must be as large as the picture, {width}×{height} pixels; it has {mask_width}×{mask_height}.",
                width=width,
                height=height,
                mask_width=mask_width,
                mask_height=mask_height,
            )
        if not self.inside.any():
            raise _no_mask()

    @property
    def inside(self) -> Tensor:
        """The mask as it is used: 1 where to paint and 0 elsewhere, (1, 1, 64, 64), or (1, 1, H, W) by an engine."""
        light = (to_tensor(to_pictures(self.mask)[0].convert("L")) > 0).float()
        if self.engine != CHECKPOINT:
            return light
        height, width = light.shape[2:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return F.adaptive_max_pool2d(light[..., top : top + side, left : left + side], SIDE)


@dataclass(frozen=True)
class EditStep:
    """One step; the last one's `images` are the result.

    Args:
        x_t: noisy latents (N, C, h, w).
        seen: what the network takes the latents to be, everywhere.
        pred_x0: the same inside the mask, and the picture's own outside it.
        norms: root mean squares (N, 3) of v(negative), of v(prompt) and of how far they are apart.
        decode: from latents to pictures.
        finish: from latents to results: with a mask, decoded inside and the picture itself outside.
        changed: root mean square of what `seen` is off the picture's latents, inside and outside the mask, (N, 2);
            0 outside a mask that is full.
        index, total: of this step in the run, from 1.
        timestep: its noise level, of 1,000.
    """

    x_t: Tensor
    seen: Tensor
    pred_x0: Tensor
    norms: Tensor
    decode: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor], Tensor]
    changed: Tensor
    index: int
    total: int
    timestep: int

    @property
    def images(self) -> Tensor:
        """What the pictures are taken to be, (N, 3, 64, 64) in [-1, 1]; decoded when asked for."""
        return self.finish(self.pred_x0)


def fitted(picture: Tensor) -> Tensor:
    """The square middle in colour, (1, 3, 64, 64); of a picture of that size itself."""
    whole = to_pictures(picture)[0].convert("RGB")
    return to_tensor(ImageOps.fit(whole, (SIDE, SIDE), Image.Resampling.BICUBIC))


def editors(store: ModelStore) -> dict[str, Engine]:
    """The engines of the app that edit, by name."""
    return {name: engine for name, engine in store.engines.items() if "picture" in engine.heeds}


def engine_of(request: EditRequest, store: ModelStore) -> Engine | None:
    """The engine that a request names, or None for the checkpoint.

    Raises:
        InputError: the app has no such engine, or it does not edit, or not so much at once.
    """
    able = editors(store)
    if request.engine in store.engines.keys() - able.keys():
        raise InputError(
            "{name} edits no pictures; choose one of {names}.",
            name=request.engine,
            names=", ".join([CHECKPOINT, *able]),
        )
    engine = engine_named(request, CHECKPOINT, able)
    if engine and request.picture.shape[2:].numel() * request.count > MAX_PIXELS:
        raise InputError(
            "The pictures asked for have more than {limit} megapixels together; ask for fewer, or bring a smaller one.",
            limit=MAX_PIXELS // 10**6,
        )
    return engine


def run(request: EditRequest, store: ModelStore) -> Iterator[EditStep | Painted]:
    """Change the picture; with strength 0, or so little that no step is walked, the one step is the copy.

    Raises:
        InputError: its engine is not there, or does not do what is asked for.
    """
    if engine := engine_of(request, store):
        mask = request.inside if isinstance(request, InpaintRequest) else None
        picture = request.picture.expand(-1, 3, -1, -1)
        yield from engine.paint(replace(asked(request), picture=picture, mask=mask, strength=request.strength))
    else:
        yield from _walked(request, store)


def _walked(request: EditRequest, store: ModelStore) -> Iterator[EditStep]:
    pipeline, device = store.get(CHECKPOINT), store.device
    count, steps = request.count, request.steps
    picture = fitted(request.picture).to(device)
    inside = request.inside.to(device) if isinstance(request, InpaintRequest) else torch.ones_like(picture[:, :1])
    latents = _latents(pipeline.vae, picture).expand(count, -1, -1, -1)
    part = cells(inside, latents.shape[-1])
    pictures = partial(decode, pipeline.vae)
    finish = partial(_finish, pictures, picture, inside)

    rngs = generators(request.seed, count)
    noise = torch.stack([torch.randn(latents.shape[1:], generator=rng) for rng in rngs]).to(device)
    walked = round(request.strength * steps)
    first = steps - walked
    if not walked:
        nothing = torch.zeros(count, 3)
        yield EditStep(latents, latents, latents, nothing, pictures, finish, nothing[:, :2], 1, 1, 0)
        return
    words = encode(pipeline, [request.negative_prompt] * count + [request.prompt] * count)
    scale = torch.full((count,), request.guidance_scale, device=device)
    alphas_cumprod = (1 - betas(SCHEDULE)).cumprod(0).float().to(device)
    start = int(solver(request.solver, steps, SCHEDULE).timesteps[first])
    x = q_sample(latents, noise, alphas_cumprod[start].expand(count))
    seen: list[Any] = []

    def look(x_t: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
        left = alphas_cumprod[timestep].expand(count)
        seen.append(guided(pipeline.unet, x_t, left, timestep, words, scale))
        return keep_outside(x_t, seen[-1].pred_x0, latents, part, left)

    for step in solve(look, x, rngs, request.solver, steps, SCHEDULE, first=first):
        network = seen.pop()
        yield EditStep(
            x_t=step.x_t,
            seen=network.pred_x0,
            pred_x0=step.pred_x0,
            norms=network.norms,
            decode=pictures,
            finish=finish,
            changed=_changed(network.pred_x0 - latents, part),
            index=step.index - first + 1,
            total=walked,
            timestep=step.timestep,
        )


@torch.no_grad()
def _latents(vae: Any, picture: Tensor) -> Tensor:
    return vae.encode(picture).latent_dist.mean * vae.config.scaling_factor  # type: ignore[no-any-return]


@torch.no_grad()
def _finish(pictures: Callable[[Tensor], Tensor], picture: Tensor, inside: Tensor, latents: Tensor) -> Tensor:
    return without_seam(pictures(latents), picture, inside)


def _changed(difference: Tensor, part: Tensor) -> Tensor:
    squares = difference.square().mean(dim=1, keepdim=True)
    shares = [(squares * where).sum(dim=(1, 2, 3)) / where.sum().clamp(min=1e-9) for where in (part, 1 - part)]
    return torch.stack(shares, dim=1).sqrt()


def _is_picture(picture: object) -> bool:
    return isinstance(picture, Tensor) and picture.dim() == 4 and len(picture) == 1 and picture.shape[1] in (1, 3)


def _no_mask() -> InputError:
    return InputError("The mask is empty: paint over the part that is to change.")
