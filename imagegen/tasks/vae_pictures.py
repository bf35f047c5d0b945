"""Autoencoders from the side of the picture: encode it, go from it to another, change it, do sums with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.devices import picture_noise
from imagegen.errors import InputError
from imagegen.models import vae
from imagegen.models.gan import spherical
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.gan import MAX_FRAMES
from imagegen.tasks.vae import DIGITS, FACES, PICTURES, PLAIN, VaeRequest, VaeStep, network

__all__ = [
    "PATHS",
    "SAMPLES",
    "ArithmeticRequest",
    "EditRequest",
    "EncodeRequest",
    "Encoding",
    "InterpolateRequest",
    "InterpolateStep",
    "Posterior",
    "arc",
    "arithmetic",
    "edit",
    "encode",
    "interpolate",
]

SAMPLES = 10
"""Of q(z | x)."""
PATHS = ("straight", "spherical")
OPPOSITE = 1e-6
"""Codes whose cosine is within this of -1 lie opposite: no arc between them is the shortest."""


@dataclass(frozen=True)
class EncodeRequest:
    """A picture to encode.

    Args:
        picture: (1, C, H, W) in [-1, 1], as `PICTURES` has it for the checkpoint.
        checkpoint: one of `PICTURES`.
        seed: of the samples; sample i is drawn from seed + i.
    """

    picture: Tensor
    checkpoint: str = DIGITS
    seed: int = 0

    def __post_init__(self) -> None:
        checkpoint = checks.choice("checkpoint", self.checkpoint, tuple(PICTURES))
        _check_picture(self.picture, checkpoint)
        checks.settle(self, checkpoint=checkpoint, seed=checks.seed(self.seed))


@dataclass(frozen=True)
class Posterior:
    """q(z | x) = N(mu, sigma^2) of a picture, and its ELBO: `log_likelihood` - sum of `kl_per_latent`.

    Args:
        sigma: standard deviation of each latent, (z_dim,).
        samples: decoded, (10, C, H, W) in [-1, 1].
        log_likelihood: E[log p(x | z)] in nats, mean over these samples. A grey pixel of a digit stands for a black
            or white one, white with its grey level as probability; of faces it is a density on [-1, 1].
        kl_per_latent: in nats, (z_dim,).
    """

    sigma: Tensor
    samples: Tensor
    log_likelihood: float
    kl_per_latent: Tensor

    @property
    def elbo(self) -> float:
        return self.log_likelihood - float(self.kl_per_latent.sum())


@dataclass(frozen=True)
class Encoding:
    """What an autoencoder makes of a picture.

    Args:
        mu: its code, (z_dim,); of two numbers, its place on the map.
        images: the reconstruction from mu, (1, C, H, W) in [-1, 1].
        posterior: None for the plain autoencoder, whose code is a point.
    """

    mu: Tensor
    images: Tensor
    posterior: Posterior | None


@torch.no_grad()
def encode(request: EncodeRequest, store: ModelStore) -> Encoding:
    """Squeeze a picture through the code.

    Raises:
        CheckpointError: the network is missing or damaged.
    """
    model = network(request.checkpoint, store)
    x = request.picture.to(store.device)
    mu, logvar = model.encode(x)
    images = vae.picture(model.decode(mu))
    if request.checkpoint == PLAIN:
        return Encoding(mu[0], images, None)
    noise = picture_noise(request.seed, SAMPLES, model.z_dim).to(store.device)
    logits = model.decode(vae.reparametrise(mu, logvar, noise))
    samples = vae.picture(logits)
    if request.checkpoint == FACES:
        log_p = vae.gaussian_log_likelihood(x, samples, store.asset(FACES, "sigma").to(store.device))
    else:
        log_p = vae.bernoulli_log_likelihood((0.5 * x + 0.5).expand_as(logits), logits)
    kl = vae.kl_per_latent(mu, logvar)[0]
    return Encoding(mu[0], images, Posterior((0.5 * logvar[0]).exp(), samples, float(log_p.mean()), kl))


@dataclass(frozen=True)
class InterpolateRequest:
    """A way from one picture to another.

    Args:
        start, end: each a picture (1, C, H, W) in [-1, 1], or the seed of a code of the prior.
        checkpoint: one of `PICTURES`; the plain autoencoder has no prior and takes pictures only.
        path: `straight`, or `spherical`: on the arc around the origin, with a radius that changes evenly.
        frames: pictures on the way, both ends included, 2 to 60.
    """

    start: Tensor | int = 0
    end: Tensor | int = 1
    checkpoint: str = DIGITS
    path: str = "straight"
    frames: int = 24

    def __post_init__(self) -> None:
        checkpoint = checks.choice("checkpoint", self.checkpoint, tuple(PICTURES))
        checks.settle(
            self,
            start=_checked_end(self.start, checkpoint),
            end=_checked_end(self.end, checkpoint),
            checkpoint=checkpoint,
            path=checks.choice("path", self.path, PATHS),
            frames=checks.whole("frames", self.frames, 2, MAX_FRAMES),
        )

    @property
    def seed(self) -> int:
        """Of its recipe, where it begins at a seed."""
        return self.start if isinstance(self.start, int) else 0


@dataclass(frozen=True)
class InterpolateStep:
    """The frames so far.

    Args:
        images: decoded on the way, (index, C, H, W) in [-1, 1]; the first and last are the two reconstructions.
        z: where on the way, (index, z_dim).
        blend: the two pictures mixed pixel by pixel in the same shares, (index, C, H, W).
        index, total: of the newest frame, from 1.
    """

    images: Tensor
    z: Tensor
    blend: Tensor
    index: int
    total: int


def interpolate(request: InterpolateRequest, store: ModelStore) -> Iterator[InterpolateStep]:
    """Go from picture to picture, a frame a step."""
    (a, first), (b, last) = (_code(end, request.checkpoint, store) for end in (request.start, request.end))
    way = arc if request.path == "spherical" else torch.lerp
    images, codes, blend = [], [], []
    for i in range(request.frames):
        t = i / (request.frames - 1)
        codes.append(way(a, b, t))
        images.append(_picture(codes[-1], request.checkpoint, store))
        blend.append(torch.lerp(first, last, t))
        yield InterpolateStep(torch.cat(images), torch.cat(codes), torch.cat(blend), i + 1, request.frames)


def arc(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Point t of the way from code a to b, (1, z_dim) each, that turns and stretches evenly.

    The arc of a GAN's codes needs both to be as long, which mu is not: between opposite codes of other lengths it
    would leave the map. Opposite codes are joined by a straight line.
    """
    if float(F.cosine_similarity(a, b)) < OPPOSITE - 1:
        return torch.lerp(a, b, t)
    radius = torch.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    return radius * spherical(F.normalize(a), F.normalize(b), t)


@dataclass(frozen=True)
class EditRequest:
    """A picture to change.

    Args:
        picture: (1, C, H, W) in [-1, 1].
        wanted: the checkpoint, and what to add to the code; count and seed do not matter.
    """

    picture: Tensor
    wanted: VaeRequest

    def __post_init__(self) -> None:
        _check_picture(self.picture, self.wanted.checkpoint)


@torch.no_grad()
def edit(request: EditRequest, store: ModelStore) -> VaeStep:
    """The reconstruction of a picture with its latents or attributes moved: one picture and its code."""
    z, _ = _code(request.picture, request.wanted.checkpoint, store)
    z = z + request.wanted.moves(store).to(store.device)
    return VaeStep(_picture(z, request.wanted.checkpoint, store), z)


@dataclass(frozen=True)
class ArithmeticRequest:
    """A sum of three codes, a - b + c.

    Args:
        a, b, c: each a picture (1, C, H, W) in [-1, 1], or the seed of a code of the prior.
        checkpoint: one of `PICTURES`.
    """

    a: Tensor | int
    b: Tensor | int
    c: Tensor | int
    checkpoint: str = FACES

    def __post_init__(self) -> None:
        checkpoint = checks.choice("checkpoint", self.checkpoint, tuple(PICTURES))
        checks.settle(
            self,
            a=_checked_end(self.a, checkpoint),
            b=_checked_end(self.b, checkpoint),
            c=_checked_end(self.c, checkpoint),
            checkpoint=checkpoint,
        )


def arithmetic(request: ArithmeticRequest, store: ModelStore) -> VaeStep:
    """What a is without b and with c: one picture and its code."""
    (a, _), (b, _), (c, _) = (_code(part, request.checkpoint, store) for part in (request.a, request.b, request.c))
    z = a - b + c
    return VaeStep(_picture(z, request.checkpoint, store), z)


@torch.no_grad()
def _code(part: Tensor | int, checkpoint: str, store: ModelStore) -> tuple[Tensor, Tensor]:
    """The code (1, z_dim) of a picture or seed, and the picture, (1, C, H, W)."""
    model = network(checkpoint, store)
    if isinstance(part, Tensor):
        x = part.to(store.device)
        return model.encode(x)[0], x
    z = picture_noise(part, 1, model.z_dim).to(store.device)
    return z, vae.picture(model.decode(z))


@torch.no_grad()
def _picture(z: Tensor, checkpoint: str, store: ModelStore) -> Tensor:
    return vae.picture(network(checkpoint, store).decode(z))


def _checked_end(part: object, checkpoint: str) -> object:
    """A picture as `checkpoint` takes it, or a seed if it draws codes."""
    if isinstance(part, int | float) and not isinstance(part, bool):
        if checkpoint == PLAIN:
            raise InputError("{name} cannot draw a code; give it a picture.", name=checkpoint)
        return checks.seed(part)
    _check_picture(part, checkpoint)
    return part


def _check_picture(picture: object, checkpoint: str) -> None:
    shape = PICTURES[checkpoint]
    fits = isinstance(picture, Tensor) and picture.dtype == torch.float32 and picture.shape == (1, *shape)
    if not fits or not bool((cast(Tensor, picture).abs() <= 1).all()):  # false for NaN too
        raise InputError(
            "{name} takes one picture of {side}×{side} pixels, with values from -1 to 1; draw, upload or make one.",
            name=checkpoint,
            side=shape[1],
        )
