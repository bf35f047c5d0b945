"""Diffusion step by step: out of noise to a digit or a face, and every step can be looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.data.faces import ATTRIBUTES
from imagegen.devices import generators
from imagegen.errors import InputError
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.diffusion import SOLVERS, Denoiser, denoise
from imagegen.models.gan import CLASSES
from imagegen.store import ModelStore
from imagegen.tasks import checks

__all__ = [
    "AUTOENCODER",
    "DIGITS",
    "FACES",
    "MAX_COUNT",
    "MAX_GUIDANCE",
    "MAX_STEPS",
    "DiffusionRequest",
    "DiffusionStep",
    "DigitRequest",
    "FaceRequest",
    "decoder",
    "denoiser",
    "noise",
    "run",
    "walk",
]

DIGITS, FACES, AUTOENCODER = "ddpm-mnist", "ddpm-celeba", "face-autoencoder"
MAX_COUNT = 64
MAX_STEPS = 100
MAX_GUIDANCE = 8.0


@dataclass(frozen=True)
class DiffusionRequest:
    """What any of the models can be asked for.

    Args:
        count: pictures, 1 to 64; picture i is drawn from seed + i.
        seed: 0 to 2^32 - 1.
        solver: one of `SOLVERS`, or any other case of one.
        steps: calls of the network, 1 to 100.
        guidance_scale: 0 draws whatever comes, 1 what is asked for, up to 8 more so.
        eta: fresh noise of ddim's steps, 0 to 1; other solvers know none.
    """

    checkpoint: ClassVar[str] = ""

    count: int = 1
    seed: int = 0
    solver: str = "unipc"
    steps: int = 20
    guidance_scale: float = 1.0
    eta: float = 0.0

    def __post_init__(self) -> None:
        checks.settle(
            self,
            count=checks.whole("count", self.count, 1, MAX_COUNT),
            seed=checks.seed(self.seed),
            solver=checks.choice("solver", self.solver, SOLVERS),
            steps=checks.whole("steps", self.steps, 1, MAX_STEPS),
            guidance_scale=checks.number("guidance_scale", self.guidance_scale, 0, MAX_GUIDANCE),
            eta=checks.number("eta", self.eta, 0, 1),
        )
        if self.eta and self.solver != "ddim":
            raise InputError("eta belongs to ddim; with {solver} it must be 0.", solver=self.solver)

    def labels(self) -> Tensor:
        """What is asked for of each picture, (count, L), as `Denoiser` takes it."""
        raise NotImplementedError

    def others(self) -> tuple[tuple[str, ...], Tensor]:
        """Names and rows (K, L) of other things to ask of the first picture."""
        raise NotImplementedError


@dataclass(frozen=True)
class DigitRequest(DiffusionRequest):
    """Digits of `ddpm-mnist`, 28x28 grey.

    Args:
        digit: 0 to 9, or None for all ten in turn.
    """

    checkpoint: ClassVar[str] = DIGITS

    guidance_scale: float = 1.25
    digit: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        digit = None if self.digit is None else checks.whole("digit", self.digit, 0, CLASSES - 1)
        checks.settle(self, digit=digit)

    def labels(self) -> Tensor:
        digits = torch.arange(self.count) % CLASSES if self.digit is None else torch.full((self.count,), self.digit)
        return F.one_hot(digits, CLASSES).float()

    def others(self) -> tuple[tuple[str, ...], Tensor]:
        return tuple(map(str, range(CLASSES))), torch.eye(CLASSES)


@dataclass(frozen=True)
class FaceRequest(DiffusionRequest):
    """Faces of `ddpm-celeba`, 64x64 in colour.

    Args:
        wanted, unwanted: names of `ATTRIBUTES`, as lists or with commas between; of the others nothing is said.
    """

    checkpoint: ClassVar[str] = FACES

    guidance_scale: float = 2.0
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = checks.choices("wanted", self.wanted, ATTRIBUTES)
        unwanted = checks.choices("unwanted", self.unwanted, ATTRIBUTES)
        if both := set(wanted) & set(unwanted):
            raise InputError("{name} cannot be both wanted and unwanted.", name=min(both))
        checks.settle(self, wanted=wanted, unwanted=unwanted)

    def labels(self) -> Tensor:
        said = [(name in self.wanted) - (name in self.unwanted) for name in ATTRIBUTES]
        return torch.tensor(said).float().repeat(self.count, 1)

    def others(self) -> tuple[tuple[str, ...], Tensor]:
        return ATTRIBUTES, torch.eye(len(ATTRIBUTES)) + self.labels()[0] * (1 - torch.eye(len(ATTRIBUTES)))


@dataclass(frozen=True)
class DiffusionStep:
    """One step; the last one's `images` are the result.

    Args:
        x_t, noise_pred, pred_x0: as in `Denoising`, (N, C, H, W): pixels, or latents of faces.
        decode: from there to pictures.
        index, total: of this step in the run, from 1.
        timestep: its noise level, of 1,000.
    """

    x_t: Tensor
    noise_pred: Tensor
    pred_x0: Tensor
    decode: Callable[[Tensor], Tensor]
    index: int
    total: int
    timestep: int

    @property
    def images(self) -> Tensor:
        """What the network takes the pictures to be, (N, C, H, W) in [-1, 1]; latents are decoded when asked for."""
        return self.decode(self.pred_x0)


def run(request: DiffusionRequest, store: ModelStore) -> Iterator[DiffusionStep]:
    """Draw the pictures that `request` asks for, one call of the network a step."""
    return walk(request, store, *noise(request, store))


def noise(request: DiffusionRequest, store: ModelStore) -> tuple[Tensor, list[torch.Generator]]:
    """Where a run starts, (count, C, H, W), and the generators that its solver goes on with."""
    rngs = generators(request.seed, request.count)
    return torch.stack([torch.randn(denoiser(request, store).picture, generator=rng) for rng in rngs]), rngs


def walk(
    request: DiffusionRequest, store: ModelStore, x: Tensor, rngs: list[torch.Generator], first: int = 0
) -> Iterator[DiffusionStep]:
    """The steps of `request` from `x` on, which is noise, or pictures drowned to the noise level of step `first`."""
    model, decode = denoiser(request, store), decoder(request, store)
    scale, eta = request.guidance_scale, request.eta
    for step in denoise(model, x, request.labels(), rngs, request.solver, request.steps, scale, eta, first):
        yield DiffusionStep(step.x_t, step.noise_pred, step.pred_x0, decode, step.index + 1, step.total, step.timestep)


def denoiser(request: DiffusionRequest, store: ModelStore) -> Denoiser:
    return cast(Denoiser, store.get(request.checkpoint))


def decoder(request: DiffusionRequest, store: ModelStore) -> Callable[[Tensor], Tensor]:
    """From what is denoised, (N, C, H, W), to pictures in [-1, 1]."""
    if request.checkpoint == DIGITS:
        return lambda pixels: pixels
    autoencoder = cast(FaceAutoencoder, store.get(AUTOENCODER))
    return torch.no_grad()(lambda latents: autoencoder.decode(latents).clamp(-1, 1))
