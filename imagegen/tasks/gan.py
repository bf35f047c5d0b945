"""Digits from a GAN: sample them, move them along latent directions, and ask the critic about any digit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from imagegen.devices import SEEDS, fit_memory, picture_noise
from imagegen.errors import InputError
from imagegen.models.classifier import DigitClassifier
from imagegen.models.gan import (
    CLASSES,
    ConditionalDiscriminator,
    ConditionalGenerator,
    spherical,
    truncate,
)
from imagegen.store import ModelStore
from imagegen.tasks import checks

__all__ = [
    "DIRECTIONS",
    "MAX_COUNT",
    "MAX_FRAMES",
    "MAX_SIGMA",
    "GanRequest",
    "GanStep",
    "ScoreRequest",
    "ScoreStep",
    "WalkRequest",
    "alone",
    "run",
    "score",
    "walk",
]

GENERATOR = "gan-mnist"
DISCRIMINATOR = "gan-mnist-discriminator"
CLASSIFIER = "digit-classifier"

MAX_COUNT = 64
DIRECTIONS = 8
MAX_FRAMES = 60
MAX_SIGMA = 3.0
"""How far a direction may be followed, in standard deviations."""


@dataclass(frozen=True)
class GanRequest:
    """Digits to draw.

    Args:
        digit: 0 to 9, or None for all ten in turn.
        second_digit, mix: another digit to mix in, from mix 0 (none of it) to 1 (nothing else).
        count: pictures, 1 to 64; picture i is drawn from seed + i.
        seed: 0 to 2^32 - 1.
        directions: up to 8 amounts in standard deviations, -3 to 3.
        chosen: the only picture that the directions move, or None for all.
        truncation: 1 draws as trained, 0 gives the average digit.
    """

    digit: int | None = None
    second_digit: int | None = None
    mix: float = 0.0
    count: int = 25
    seed: int = 0
    directions: tuple[float, ...] = ()
    chosen: int | None = None
    truncation: float = 1.0

    def __post_init__(self) -> None:
        count = checks.whole("count", self.count, 1, MAX_COUNT)
        checks.settle(
            self,
            digit=None if self.digit is None else checks.whole("digit", self.digit, 0, CLASSES - 1),
            second_digit=None
            if self.second_digit is None
            else checks.whole("second_digit", self.second_digit, 0, CLASSES - 1),
            mix=checks.number("mix", self.mix, 0, 1),
            count=count,
            seed=checks.seed(self.seed),
            directions=self._check_directions(),
            chosen=None if self.chosen is None else checks.whole("chosen", self.chosen, 0, count - 1),
            truncation=checks.number("truncation", self.truncation, 0, 1.5),
        )

    def _check_directions(self) -> tuple[float, ...]:
        if not isinstance(self.directions, tuple | list) or len(self.directions) > DIRECTIONS:
            raise InputError("directions must be a list of at most {limit} numbers.", limit=DIRECTIONS)
        return tuple(checks.number("each direction", value, -MAX_SIGMA, MAX_SIGMA) for value in self.directions)


@dataclass(frozen=True)
class GanStep:
    """What came out, and what the two judges say.

    Args:
        images: (N, 1, 28, 28) in [-1, 1].
        labels: the digit asked for, (N,); of a mixture the stronger one.
        realness: the critic's logit minus its mean on real digits of that label, (N,).
        readings: what the classifier reads, as probabilities (N, 10).
        index, total: of this step in the run.
    """

    images: Tensor
    labels: Tensor
    realness: Tensor
    readings: Tensor
    index: int = 1
    total: int = 1


@dataclass(frozen=True)
class WalkRequest:
    """A walk from one code to another, on the arc between them.

    Args:
        digit, second_digit: where it starts and ends, 0 to 9.
        seed, second_seed: of the two codes; None for the seed after the first.
        frames: pictures on the way, both ends included, 2 to 60.
    """

    digit: int = 3
    second_digit: int = 8
    seed: int = 0
    second_seed: int | None = None
    frames: int = 24

    def __post_init__(self) -> None:
        checks.settle(
            self,
            digit=checks.whole("digit", self.digit, 0, CLASSES - 1),
            second_digit=checks.whole("second_digit", self.second_digit, 0, CLASSES - 1),
            seed=(seed := checks.seed(self.seed)),
            second_seed=checks.seed(
                (seed + 1) % SEEDS if self.second_seed is None else self.second_seed, "second_seed"
            ),
            frames=checks.whole("frames", self.frames, 2, MAX_FRAMES),
        )


@dataclass(frozen=True)
class WalkStep:
    """The frames so far, (index, 1, 28, 28) in [-1, 1], and the score of the newest one."""

    images: Tensor
    realness: float
    index: int
    total: int


@dataclass(frozen=True)
class ScoreRequest:
    """A digit (1, 1, 28, 28) in [-1, 1] to be judged, and what it is meant to be (None: what it reads as)."""

    picture: Tensor
    digit: int | None = None

    def __post_init__(self) -> None:
        if self.picture.shape != (1, 1, 28, 28) or not self.picture.isfinite().all():
            raise InputError("The digit to judge must be one 28×28 picture; draw or upload one.")
        if self.digit is not None:
            object.__setattr__(self, "digit", checks.whole("digit", self.digit, 0, CLASSES - 1))


@dataclass(frozen=True)
class ScoreStep:
    """The critic's logit minus its mean on real digits, and the classifier's probabilities (10,)."""

    digit: int
    realness: float
    reading: Tensor


def run(request: GanRequest, store: ModelStore) -> Iterator[GanStep]:
    """Draw the digits: one step.

    Raises:
        CheckpointError: a network that it needs is missing or damaged.
    """
    yield _sample(request, store)


@torch.no_grad()
def _sample(request: GanRequest, store: ModelStore) -> GanStep:
    generator = cast(ConditionalGenerator, store.get(GENERATOR))
    labels = _labels(request).to(store.device)
    z = picture_noise(request.seed, request.count, generator.z_dim).to(store.device)
    first, means = generator.embed(labels), store.asset(GENERATOR, "w_means").to(store.device)
    w_mean = means[labels]
    if request.second_digit is not None:
        second = torch.full_like(labels, request.second_digit)
        first = torch.lerp(first, generator.embed(second), request.mix)
        w_mean = torch.lerp(w_mean, means[second], request.mix)
        if request.mix > 0.5:
            labels = second
    w = truncate(generator.mapping(z, first), w_mean, request.truncation)
    w = w + _moves(request, store)
    images = fit_memory(lambda batch: torch.cat([generator.synthesis(part) for part in torch.split(w, batch)]), len(w))
    return GanStep(images, labels, *_judge(images, labels, store))


def alone(request: GanRequest) -> GanRequest:
    """The chosen picture of `request` by itself, as a request for one."""
    index = cast(int, request.chosen)
    digit = index % CLASSES if request.digit is None else request.digit
    return replace(request, digit=digit, count=1, seed=(request.seed + index) % SEEDS, chosen=None)


def walk(request: WalkRequest, store: ModelStore) -> Iterator[WalkStep]:
    """Walk from code to code and from digit to digit, a frame a step."""
    frames: list[Tensor] = []
    for i in range(request.frames):
        image, realness = _walk_frame(request, i / (request.frames - 1), store)
        frames.append(image)
        yield WalkStep(torch.cat(frames), realness, index=i + 1, total=request.frames)


@torch.no_grad()
def _walk_frame(request: WalkRequest, t: float, store: ModelStore) -> tuple[Tensor, float]:
    generator = cast(ConditionalGenerator, store.get(GENERATOR))
    start = picture_noise(request.seed, 1, generator.z_dim)
    end = picture_noise(cast(int, request.second_seed), 1, generator.z_dim)
    z = spherical(start, end, t).to(store.device)
    digits = torch.tensor([request.digit, request.second_digit], device=store.device)
    first, second = generator.embed(digits).chunk(2)
    image = generator.synthesis(generator.mapping(z, torch.lerp(first, second, t)))
    realness, _ = _judge(image, digits[1:] if t > 0.5 else digits[:1], store)
    return image, float(realness)


def _labels(request: GanRequest) -> Tensor:
    if request.digit is None:
        return torch.arange(request.count) % CLASSES
    return torch.full((request.count,), request.digit)


def _moves(request: GanRequest, store: ModelStore) -> Tensor:
    """What the direction sliders add to each style, (N, w_dim)."""
    amounts = torch.zeros(request.count, DIRECTIONS)
    rows = slice(None) if request.chosen is None else request.chosen
    amounts[rows, : len(request.directions)] = torch.tensor(request.directions)
    return (amounts @ store.asset(GENERATOR, "directions")).to(store.device)


def _judge(images: Tensor, labels: Tensor, store: ModelStore) -> tuple[Tensor, Tensor]:
    """Realness (N,) and readings (N, 10)."""
    discriminator = cast(ConditionalDiscriminator, store.get(DISCRIMINATOR))
    classifier = cast(DigitClassifier, store.get(CLASSIFIER))
    real_means = store.asset(DISCRIMINATOR, "real_means").to(store.device)
    return discriminator(images, labels) - real_means[labels], classifier(images).softmax(dim=1)


@torch.no_grad()
def score(request: ScoreRequest, store: ModelStore) -> ScoreStep:
    """Ask both judges about one digit."""
    picture = request.picture.to(store.device)
    classifier = cast(DigitClassifier, store.get(CLASSIFIER))
    digit = request.digit if request.digit is not None else int(classifier(picture).argmax())
    realness, readings = _judge(picture, torch.tensor([digit], device=store.device), store)
    return ScoreStep(digit, float(realness), readings[0])
