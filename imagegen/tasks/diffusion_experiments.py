"""What one learns about diffusion by trying: drowning a picture, bringing it back, racing solvers, asking otherwise."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from imagegen.data.faces import SIDE
from imagegen.devices import generators, picture_noise, synchronize
from imagegen.errors import InputError
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.classifier import DigitClassifier
from imagegen.models.diffusion import SCHEDULES, SOLVERS, TIMESTEPS, betas, predict, q_sample, solver
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.diffusion import (
    AUTOENCODER,
    DIGITS,
    MAX_STEPS,
    DiffusionRequest,
    DiffusionStep,
    decoder,
    denoiser,
    run,
    walk,
)
from imagegen.tasks.gan import CLASSIFIER

__all__ = [
    "BINS",
    "LANES",
    "ForwardRequest",
    "ForwardStep",
    "OtherLabels",
    "RaceRequest",
    "RaceStep",
    "RoundTripRequest",
    "RoundTripStep",
    "drown",
    "other_labels",
    "race",
    "round_trip",
]

BINS, REACH = 48, 3.0
"""Of the histogram of pixel values, from -REACH to REACH."""
SMALLEST, LARGEST = 8, 256
"""Sides of a picture to drown, in pixels."""
LANES = 3
LEVELS = 8
"""Noise levels that a round trip turns back at."""


@dataclass(frozen=True)
class ForwardRequest:
    """A picture to drown in noise.

    Args:
        picture: (1, C, H, W) in [-1, 1], 8 to 256 pixels a side.
        t: noise level, 0 to 999.
        seed: of the noise, 0 to 2^32 - 1.
    """

    picture: Tensor
    t: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        _check_picture(self.picture)
        checks.settle(self, t=checks.whole("t", self.t, 0, TIMESTEPS - 1), seed=checks.seed(self.seed))


@dataclass(frozen=True)
class ForwardStep:
    """The picture at one noise level, by each of `SCHEDULES`.

    Args:
        images: x_t, (3, C, H, W), not bounded.
        alphas_cumprod: share of the picture's variance that is left, (3,).
        histograms: share of the pixel values in each of `BINS` bins from -3 to 3, (3, BINS); the outermost hold what
            lies beyond.
    """

    images: Tensor
    alphas_cumprod: Tensor
    histograms: Tensor


def drown(request: ForwardRequest) -> ForwardStep:
    """x_t of one picture in the same noise by each schedule (Ho et al. 2020, eq. 4)."""
    left = torch.stack([(1 - betas(schedule)).cumprod(0)[request.t] for schedule in SCHEDULES])
    size = len(SCHEDULES), *request.picture.shape[1:]
    x_t = q_sample(request.picture.expand(size), picture_noise(request.seed, 1, *size[1:]).expand(size), left)
    counts = torch.stack([image.clamp(-REACH, REACH).histc(BINS, -REACH, REACH) for image in x_t])
    return ForwardStep(x_t, left, counts / x_t[0].numel())


@dataclass(frozen=True)
class RoundTripRequest:
    """A picture to drown to several levels and bring back from each.

    Args:
        picture: (1, C, H, W) in [-1, 1], as the model draws them: digits 1x28x28, faces 3x64x64.
        diffusion: model, solver, steps and what is to be asked for on the way back; of one picture.
    """

    picture: Tensor
    diffusion: DiffusionRequest

    def __post_init__(self) -> None:
        _check_picture(self.picture)
        checks.settle(self, diffusion=replace(self.diffusion, count=1))


@dataclass(frozen=True)
class RoundTripStep:
    """One step on the way back from one level; the level's last one says what came back.

    Args:
        drowned: the picture at the level, (1, C, H, W); latents are not decoded.
        timestep: its noise level.
        index, total: of this level, from 1; the first is the least drowned.
        images: what came back, (1, C, H, W) in [-1, 1]; None on the way, and so are the following.
        psnr: of it against the picture, in dB of the range from -1 to 1.
        reading: what the classifier reads in a digit; None for faces.
    """

    drowned: Tensor
    timestep: int
    index: int
    total: int
    images: Tensor | None = None
    psnr: float | None = None
    reading: int | None = None


def round_trip(request: RoundTripRequest, store: ModelStore) -> Iterator[RoundTripStep]:
    """Drown a picture to `LEVELS` levels and denoise it from each (Meng et al. 2022, SDEdit)."""
    diffusion = request.diffusion
    model = denoiser(diffusion, store)
    if request.picture.shape[1:] != (model.picture if diffusion.checkpoint == DIGITS else (3, SIDE, SIDE)):
        raise InputError("{name} takes pictures of its own size only.", name=diffusion.checkpoint)
    x0 = request.picture if diffusion.checkpoint == DIGITS else _encode(request.picture, store)
    timesteps = solver(diffusion.solver, diffusion.steps, model.schedule).timesteps
    starts = sorted({round(i * (len(timesteps) - 1) / (LEVELS - 1)) for i in range(LEVELS)}, reverse=True)
    for index, first in enumerate(starts):
        rngs = generators(diffusion.seed, 1)
        epsilon = torch.randn(model.picture, generator=rngs[0])[None]
        timestep = int(timesteps[first])
        drowned = q_sample(x0, epsilon, model.alphas_cumprod[[timestep]].cpu())
        level = RoundTripStep(drowned, timestep, index + 1, len(starts))
        for step in walk(diffusion, store, drowned, rngs, first):
            if step.index < step.total:
                yield level
            else:
                images = step.images.cpu()
                error = (images - request.picture).square().mean()
                psnr = float(10 * (4 / error.clamp(min=1e-10)).log10())
                reading = _reading(images, store) if diffusion.checkpoint == DIGITS else None
                yield replace(level, images=images, psnr=psnr, reading=reading)


@dataclass(frozen=True)
class RaceRequest:
    """The same noise walked back by two or three solvers, or by one in different numbers of steps.

    Args:
        diffusion: model, seed, guidance and what is asked for; of one picture.
        lanes: solver and steps of each.
    """

    diffusion: DiffusionRequest
    lanes: Sequence[tuple[str, int]] = (("ddim", 10), ("unipc", 10), ("ddim", 50))

    def __post_init__(self) -> None:
        if not isinstance(self.lanes, list | tuple) or not 2 <= len(self.lanes) <= LANES:
            raise InputError("A race has 2 to {limit} lanes, each a solver and a number of steps.", limit=LANES)
        checks.settle(
            self, diffusion=replace(self.diffusion, count=1, eta=0.0), lanes=tuple(map(self._checked, self.lanes))
        )

    def _checked(self, lane: object) -> tuple[str, int]:
        if not isinstance(lane, list | tuple) or len(lane) != 2:
            raise InputError("A race has 2 to {limit} lanes, each a solver and a number of steps.", limit=LANES)
        return checks.choice("solver", lane[0], SOLVERS), checks.whole("steps", lane[1], 1, MAX_STEPS)


@dataclass(frozen=True)
class RaceStep:
    """One step of one lane.

    Args:
        lane: which, from 0.
        images: what it takes the picture to be, (1, C, H, W) in [-1, 1].
        index, total: of its steps, from 1.
        calls: of the network so far; guidance needs two a step.
        seconds: that its steps have taken so far.
        done: whether this is the last step of the whole race.
    """

    lane: int
    images: Tensor
    index: int
    total: int
    calls: int
    seconds: float
    done: bool


def race(request: RaceRequest, store: ModelStore) -> Iterator[RaceStep]:
    """All lanes from the same noise, a step each in turn."""
    requests = [replace(request.diffusion, solver=name, steps=steps) for name, steps in request.lanes]
    runs = {lane: run(each, store) for lane, each in enumerate(requests)}
    seconds = [0.0] * len(requests)
    calls_a_step = 1 if request.diffusion.guidance_scale == 1 else 2
    while runs:
        for lane, steps in list(runs.items()):
            synchronize(store.device)
            started = time.perf_counter()
            step = next(steps)
            synchronize(store.device)
            seconds[lane] += time.perf_counter() - started
            if step.index == step.total:
                del runs[lane]
            yield RaceStep(
                lane, step.images, step.index, step.total, step.index * calls_a_step, seconds[lane], not runs
            )


@dataclass(frozen=True)
class OtherLabels:
    """What one step of a run would have seen in the same noise, had something else been asked for.

    Args:
        names: of what was asked for instead, K of them.
        images: (K, C, H, W) in [-1, 1].
        timestep: noise level of the step.
    """

    names: tuple[str, ...]
    images: Tensor
    timestep: int


def other_labels(request: DiffusionRequest, index: int, store: ModelStore) -> Iterator[DiffusionStep | OtherLabels]:
    """Walk the first picture of `request` to step `index`, from 1, and look at it with each of `request.others()`."""
    request = replace(request, count=1)
    for step in islice(run(request, store), checks.whole("index", index, 1, request.steps)):
        yield step
    names, rows = request.others()
    look = partial(predict, denoiser(request, store), step.x_t.expand(len(rows), -1, -1, -1), step.timestep)
    _, x0 = look(rows.to(step.x_t.device), max(1.0, request.guidance_scale))
    yield OtherLabels(names, decoder(request, store)(x0), step.timestep)


@torch.no_grad()
def _encode(picture: Tensor, store: ModelStore) -> Tensor:
    autoencoder = cast(FaceAutoencoder, store.get(AUTOENCODER))
    return autoencoder.encode(picture.to(store.device)).cpu()


@torch.no_grad()
def _reading(digit: Tensor, store: ModelStore) -> int:
    return int(cast(DigitClassifier, store.get(CLASSIFIER))(digit.to(store.device)).argmax())


def _check_picture(picture: object) -> None:
    if not isinstance(picture, Tensor) or picture.dim() != 4 or len(picture) != 1:
        raise InputError("There is no picture yet; draw one, upload one or make one first.")
    if not all(SMALLEST <= side <= LARGEST for side in picture.shape[2:]):
        raise InputError("The picture must have {low} to {high} pixels a side.", low=SMALLEST, high=LARGEST)
