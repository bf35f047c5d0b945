"""The slow way of style transfer (Gatys et al. 2016): change pixels until the features fit, and watch.

By the same means one sees what a layer sees: what a picture becomes that shares with another only one layer's content,
or only the style of some layers.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.devices import picture_noise
from imagegen.errors import InputError
from imagegen.models.gatys import ADAM, LBFGS, gatys
from imagegen.models.perceptual import Vgg19, load_vgg, vgg_is_here
from imagegen.models.style import FeatureNetwork, Objective, gram
from imagegen.store import ModelStore
from imagegen.tasks import checks

__all__ = [
    "CONTENT_LAYERS",
    "FEATURES",
    "MAX_ITERATIONS",
    "MAX_SIZE",
    "MIN_SIDE",
    "MIN_SIZE",
    "NETWORKS",
    "OPTIMIZERS",
    "PICTURES",
    "POOLINGS",
    "STARTS",
    "STYLE_LAYERS",
    "VGG",
    "LayersRequest",
    "LayersStep",
    "SlowRequest",
    "SlowStep",
    "check_picture",
    "fitted",
    "grams",
    "layers",
    "networks",
    "run",
    "vgg_sha256",
]

FEATURES, VGG = "style-features", "vgg-19"
NETWORKS = (FEATURES, VGG)
PICTURES = ("photo", "painting", "picture")
"""Fields of `SlowRequest` that hold one."""
POOLINGS = ("average", "maximum")
OPTIMIZERS = (LBFGS, ADAM)
STARTS = ("photo", "noise", "picture")
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
MIN_SIZE, MAX_SIZE = 64, 512
"""Longer side of the picture, in pixels."""
MIN_SIDE = 32
"""Of the shorter one: with less there is nothing left at the last layer."""
MAX_ITERATIONS = 1000
MAX_WEIGHT = 1e4
"""Of style against content."""
LAYERS_SIZE, LAYERS_ITERATIONS = 128, 60


@dataclass(frozen=True)
class SlowRequest:
    """A photo to paint in the style of a painting.

    Args:
        photo, painting: (1, 3, H, W) in [-1, 1].
        picture: where to go on from, where `start` says so.
        features: the network whose layers are compared; `vgg-19` only where its weights are on disk.
        pooling: of VGG-19; ours always takes averages.
        size: longer side of the result and of the painting, 64 to 512.
        iterations: 1 to 1,000.
        optimizer: `lbfgs` or `adam`.
        start: `photo`, `noise` or `picture`.
        content_layer: one of `CONTENT_LAYERS`.
        content_weight: 0 to 100.
        style_weight: 0 to 10,000.
        layer_weights: of each of `STYLE_LAYERS`, 0 to 10.
        smoothness: weight of the total variation, 0 to 100.
        seed: of the noise, 0 to 2^32 - 1.
    """

    photo: Tensor
    painting: Tensor
    picture: Tensor | None = None
    features: str = FEATURES
    pooling: str = "average"
    size: int = 256
    iterations: int = 150
    optimizer: str = LBFGS
    start: str = "photo"
    content_layer: str = "relu4_2"
    content_weight: float = 1.0
    style_weight: float = 100.0
    layer_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    smoothness: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        start = checks.choice("start", self.start, STARTS)
        checks.settle(
            self,
            features=checks.choice("features", self.features, NETWORKS),
            pooling=checks.choice("pooling", self.pooling, POOLINGS),
            size=checks.whole("size", self.size, MIN_SIZE, MAX_SIZE),
            iterations=checks.whole("iterations", self.iterations, 1, MAX_ITERATIONS),
            optimizer=checks.choice("optimizer", self.optimizer, OPTIMIZERS),
            start=start,
            content_layer=checks.choice("content_layer", self.content_layer, CONTENT_LAYERS),
            content_weight=checks.number("content_weight", self.content_weight, 0, 100),
            style_weight=checks.number("style_weight", self.style_weight, 0, MAX_WEIGHT),
            layer_weights=checks.numbers("layer_weights", self.layer_weights, len(STYLE_LAYERS), 10),
            smoothness=checks.number("smoothness", self.smoothness, 0, 100),
            seed=checks.seed(self.seed),
        )
        if len(self.layer_weights) < len(STYLE_LAYERS) or min(self.layer_weights) < 0:
            raise InputError("layer_weights must be {count} numbers from 0 to 10.", count=len(STYLE_LAYERS))
        if not self.content_weight and not (self.style_weight and any(self.layer_weights)):
            raise InputError("Nothing is asked for: give content or style a weight above 0.")
        for picture in (self.photo, self.painting, *([self.picture] if start == "picture" else [])):
            check_picture(picture, self.size)


@dataclass(frozen=True)
class SlowStep:
    """Where the optimisation stands after an iteration; the last one's `images` are the result.

    Args:
        images: (1, 3, H, W) in [-1, 1].
        content, style: losses of the layers, before any weight, by layer's name.
        loss: content_weight * content + style_weight * (weighted sum of style).
        index, total: of the iterations.
    """

    images: Tensor
    content: dict[str, float]
    style: dict[str, float]
    loss: float
    index: int
    total: int


def run(request: SlowRequest, store: ModelStore) -> Iterator[SlowStep]:
    """Paint, one iteration a step.

    Raises:
        InputError: VGG-19 is asked for and not on disk.
        CheckpointError: our feature network is missing or damaged.
    """
    photo, painting = (fitted(picture, request.size).to(store.device) for picture in (request.photo, request.painting))
    for step in gatys(
        Objective(features(request, store), (request.content_layer,), STYLE_LAYERS, scales=1),
        photo,
        painting,
        request.iterations,
        request.style_weight,
        request.smoothness,
        request.optimizer,
        _start(request, photo),
        request.content_weight,
        request.layer_weights,
    ):
        loss = request.content_weight * step.content + request.style_weight * step.style
        yield SlowStep(
            step.picture.cpu(), dict(step.content_layers), dict(step.style_layers), loss, step.index, step.total
        )


def _start(request: SlowRequest, photo: Tensor) -> Tensor | None:
    if request.start == "noise":
        noise: Tensor = picture_noise(request.seed, 1, *photo.shape[1:]).to(photo.device) * 0.3
        return noise.clamp(-1, 1)
    if request.start == "picture" and request.picture is not None:
        return F.interpolate(request.picture.to(photo.device), photo.shape[2:], mode="bicubic").clamp(-1, 1)
    return None


@dataclass(frozen=True)
class LayersRequest:
    """What each layer sees: reconstructions from noise, as in figure 1 of the paper.

    Args:
        photo, painting: (1, 3, H, W) in [-1, 1].
        features, pooling, seed: as in `SlowRequest`.
    """

    photo: Tensor
    painting: Tensor
    features: str = FEATURES
    pooling: str = "average"
    seed: int = 0

    def lanes(self) -> tuple[SlowRequest, ...]:
        """The photo's content from each of five layers, then the painting's style up to each."""
        common = {
            "features": self.features,
            "pooling": self.pooling,
            "seed": self.seed,
            "size": LAYERS_SIZE,
            "iterations": LAYERS_ITERATIONS,
            "start": "noise",
        }
        nothing = (0.0,) * len(STYLE_LAYERS)
        contents = [
            SlowRequest(self.photo, self.painting, content_layer=layer, layer_weights=nothing, **common)  # type: ignore[arg-type]
            for layer in STYLE_LAYERS
        ]
        styles = [
            SlowRequest(
                self.photo,
                self.painting,
                content_weight=0,
                layer_weights=tuple(float(place <= last) for place in range(len(STYLE_LAYERS))),
                **common,  # type: ignore[arg-type]
            )
            for last in range(len(STYLE_LAYERS))
        ]
        return (*contents, *styles)


@dataclass(frozen=True)
class LayersStep:
    """One iteration of one reconstruction.

    Args:
        lane: 0 to 4 content from one of `STYLE_LAYERS`, 5 to 9 style up to one of them.
        images: (1, 3, H, W) in [-1, 1].
        index, total: of all iterations of all of them.
    """

    lane: int
    images: Tensor
    index: int
    total: int


def layers(request: LayersRequest, store: ModelStore) -> Iterator[LayersStep]:
    """All ten reconstructions, one iteration of each in turn. Raises as `run`."""
    runs = [run(lane, store) for lane in request.lanes()]
    total, index = len(runs) * LAYERS_ITERATIONS, 0
    for _ in range(LAYERS_ITERATIONS):
        for lane, steps in enumerate(runs):
            index += 1
            yield LayersStep(lane, next(steps).images, index, total)


def grams(request: SlowRequest, picture: Tensor, store: ModelStore) -> dict[str, Tensor]:
    """Gram matrix (C, C) of each of `STYLE_LAYERS` of a picture (1, 3, H, W) in [-1, 1], as `request` sees it."""
    with torch.no_grad():
        seen = features(request, store)(fitted(picture, request.size).to(store.device))
    return {layer: gram(seen[layer])[0].cpu() for layer in STYLE_LAYERS}


def networks() -> tuple[str, ...]:
    """The feature networks that can be used here, ours first."""
    return NETWORKS if vgg_is_here() else (FEATURES,)


def features(request: SlowRequest | LayersRequest, store: ModelStore) -> Callable[[Tensor], dict[str, Tensor]]:
    """Pictures (B, 3, H, W) in [-1, 1] -> features by layer."""
    if request.features == FEATURES:
        return cast(FeatureNetwork, store.get(FEATURES)).features
    if not vgg_is_here():
        raise InputError("VGG-19 is not on this machine's disk, and nothing is downloaded unasked; use style-features.")
    return _vgg(request.pooling == "average").to(store.device)


def vgg_sha256() -> str:
    """Names the weights of VGG-19 that were used, as far as they were."""
    weights = [parameter.cpu().numpy().tobytes() for parameter in _vgg(True).parameters()]
    return hashlib.sha256(b"".join(weights)).hexdigest()


@lru_cache(maxsize=2)
def _vgg(average: bool) -> Vgg19:
    return load_vgg(None, "relu5_1", average)


def fitted(picture: Tensor, size: int) -> Tensor:
    """(1, 3, H, W) brought to a longer side of `size`, antialiased."""
    height, width = picture.shape[2:]
    scale = size / max(height, width)
    sides = max(1, round(height * scale)), max(1, round(width * scale))
    return F.interpolate(picture, sides, mode="bicubic", antialias=True).clamp(-1, 1)


def check_picture(picture: object, size: int) -> None:
    """
    Raises:
        InputError: it is no (1, 3, H, W) in [-1, 1], or too narrow once it is `fitted` to `size`.
    """
    if not isinstance(picture, Tensor) or picture.dim() != 4 or picture.shape[:2] != (1, 3):
        raise InputError("A photo and a painting are needed; choose an example, or upload one.")
    if not bool((picture.abs() <= 1).all()):
        raise InputError("A picture must hold values from -1 to 1.")
    height, width = picture.shape[2:]
    if round(min(height, width) * size / max(height, width)) < MIN_SIDE:
        raise InputError(
            "A picture must be at least {least} pixels wide and high when its longer side is {size}; this one has "
            "{width}×{height}. Cut out a part, or choose a larger size.",
            least=MIN_SIDE,
            size=size,
            width=width,
            height=height,
        )
