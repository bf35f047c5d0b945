"""Autoencoders from the side of the code: draw codes and move them, and the plane of those that have two numbers.

`vae_pictures.py` is the other side: what they make of a picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from imagegen.data.faces import ATTRIBUTES
from imagegen.devices import fit_memory, picture_noise
from imagegen.errors import InputError
from imagegen.models import vae
from imagegen.store import ModelStore
from imagegen.tasks import checks

__all__ = [
    "ACTIVE",
    "DIGITS",
    "FACES",
    "MAX_COUNT",
    "MAX_LATENTS",
    "MAX_OFFSET",
    "MAX_PLACE",
    "PICTURES",
    "PLAIN",
    "PLANE",
    "PLANES",
    "DecodeRequest",
    "DecodeStep",
    "DigitRequest",
    "FaceRequest",
    "Latents",
    "Plane",
    "PlaneRequest",
    "VaeRequest",
    "VaeStep",
    "decode",
    "latents",
    "network",
    "plane",
    "run",
    "separability",
]

DIGITS, FACES = "vae-mnist", "vae-celeba"
PLANES = PLANE, PLAIN = "vae-mnist-2d", "ae-mnist-2d"
"""Those whose codes are places on a map: with noise and KL, and without."""
PICTURES = {DIGITS: (1, 28, 28), FACES: (3, 64, 64), PLANE: (1, 28, 28), PLAIN: (1, 28, 28)}
"""What each takes and draws, (C, H, W)."""

MAX_COUNT = 64
MAX_LATENTS = 256
MAX_OFFSET = 3.0
"""How far a latent or an attribute may be moved, in standard deviations."""
MAX_PLACE = 100.0
"""Of a coordinate on a plane; the plain autoencoder's codes lie far apart."""
ACTIVE = 0.01
"""Nats a picture, on average, below which a latent is dead: the decoder learned to ignore it (Burda et al. 2016)."""


@dataclass(frozen=True)
class VaeRequest:
    """Codes to draw from the prior N(0, 1).

    Args:
        count: pictures, 1 to 64; the code of picture i is drawn from seed + i.
        seed: 0 to 2^32 - 1.
        offsets: added to the latents of every code, the one with the largest KL first (see `latents`), in standard
            deviations of the prior, -3 to 3.
    """

    checkpoint: ClassVar[str] = ""

    count: int = 25
    seed: int = 0
    offsets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        checks.settle(
            self,
            count=checks.whole("count", self.count, 1, MAX_COUNT),
            seed=checks.seed(self.seed),
            offsets=checks.numbers("offsets", self.offsets, MAX_LATENTS, MAX_OFFSET),
        )

    def moves(self, store: ModelStore) -> Tensor:
        """What is added to each code, (z_dim,), on the CPU.

        Raises:
            InputError: there are more offsets than latents.
        """
        moves = torch.zeros(network(self.checkpoint, store).z_dim)
        if self.offsets:
            offsets = checks.numbers("offsets", self.offsets, len(moves), MAX_OFFSET)
            moves[latents(self.checkpoint, store).order[: len(offsets)]] = torch.tensor(offsets)
        return moves


@dataclass(frozen=True)
class DigitRequest(VaeRequest):
    """Digits of `vae-mnist`, 28x28 grey."""

    checkpoint: ClassVar[str] = DIGITS


@dataclass(frozen=True)
class PlaneRequest(VaeRequest):
    """Digits of `vae-mnist-2d`, 28x28 grey; their codes are places on its map."""

    checkpoint: ClassVar[str] = PLANE


@dataclass(frozen=True)
class FaceRequest(VaeRequest):
    """Faces of `vae-celeba`, 64x64 in colour.

    Args:
        attributes: amounts added along the directions of `ATTRIBUTES`, in that order, in standard deviations of the
            codes along each, -3 to 3.
    """

    checkpoint: ClassVar[str] = FACES

    attributes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        attributes = checks.numbers("attributes", self.attributes, len(ATTRIBUTES), MAX_OFFSET)
        checks.settle(self, attributes=attributes)

    def moves(self, store: ModelStore) -> Tensor:
        amounts = torch.tensor(self.attributes)
        return super().moves(store) + amounts @ store.asset(FACES, "directions")[: len(amounts)]


@dataclass(frozen=True)
class VaeStep:
    """Pictures (N, C, H, W) in [-1, 1] and the codes that they were decoded from, z (N, z_dim)."""

    images: Tensor
    z: Tensor
    index: int = 1
    total: int = 1


def run(request: VaeRequest, store: ModelStore) -> Iterator[VaeStep]:
    """Draw the pictures: one step.

    Raises:
        CheckpointError: the network is missing or damaged.
        InputError: it has fewer latents than `request` moves.
    """
    yield _sample(request, store)


@torch.no_grad()
def _sample(request: VaeRequest, store: ModelStore) -> VaeStep:
    model = network(request.checkpoint, store)
    z = (picture_noise(request.seed, request.count, model.z_dim) + request.moves(store)).to(store.device)
    logits = fit_memory(lambda batch: torch.cat([model.decode(part) for part in torch.split(z, batch)]), len(z))
    return VaeStep(vae.picture(logits), z)


def network(name: str, store: ModelStore) -> vae.Vae:
    return cast(vae.Vae, store.get(name))


@dataclass(frozen=True)
class Latents:
    """What the sliders of an autoencoder move.

    Args:
        order: indices of the latents, the one with the largest KL first, (z_dim,).
        kl_per_latent: mean over real pictures in nats, in that order, (z_dim,).
        active: so many, the first ones, are in use; the others are dead.
    """

    order: Tensor
    kl_per_latent: Tensor
    active: int


def latents(name: str, store: ModelStore) -> Latents:
    """The latents of a variational autoencoder, by what each costs.

    Raises:
        CheckpointError: `name` ships no KL, as the plain autoencoder does not.
    """
    kl_per_latent, order = store.asset(name, "kl_per_latent").sort(descending=True, stable=True)
    return Latents(order, kl_per_latent, int((kl_per_latent > ACTIVE).sum()))


def separability(store: ModelStore) -> dict[str, float]:
    """How well the code tells each of `ATTRIBUTES` in held-out faces: area under the ROC curve, 0.5 for not at all."""
    return dict(zip(ATTRIBUTES, store.asset(FACES, "direction_auc").tolist(), strict=True))


@dataclass(frozen=True)
class Plane:
    """The map of an autoencoder whose code is two numbers.

    Args:
        mu: places of test digits, (N, 2).
        labels: what these are, (N,).
        atlas: the plane decoded, (S, S, 28, 28) uint8; row i at the i-th y, column j at the j-th x.
        atlas_range: ((x of the first column, of the last), (y of the first row, of the last)).
    """

    mu: Tensor
    labels: Tensor
    atlas: Tensor
    atlas_range: Tensor


def plane(name: str, store: ModelStore) -> Plane:
    """The shipped map of one of `PLANES`.

    Raises:
        InputError: it has no map.
    """
    name = checks.choice("plane", name, PLANES)
    return Plane(*(store.asset(name, key) for key in ("mu", "labels", "atlas", "atlas_range")))


@dataclass(frozen=True)
class DecodeRequest:
    """A place on one map, to be looked at on both.

    Args:
        z: its two coordinates, -100 to 100.
        plane: the one of `PLANES` whose coordinates these are; on the other map the place is as far from the edges
            of the atlas, as a share of it.
    """

    seed: ClassVar[int] = 0
    """Of its recipe; nothing is drawn at random."""

    z: tuple[float, float] = (0.0, 0.0)
    plane: str = PLANE

    def __post_init__(self) -> None:
        z = checks.numbers("z", self.z, 2, MAX_PLACE)
        if len(z) != 2:
            raise InputError("z must be two numbers, a place on the map.")
        checks.settle(self, z=z, plane=checks.choice("plane", self.plane, PLANES))


@dataclass(frozen=True)
class DecodeStep:
    """The place as decoded with and without noise and KL in training, in the order of `PLANES`.

    Args:
        images: (2, 1, 28, 28) in [-1, 1].
        z: its coordinates on each map, (2, 2).
    """

    images: Tensor
    z: Tensor
    index: int = 1
    total: int = 1


def decode(request: DecodeRequest, store: ModelStore) -> Iterator[DecodeStep]:
    """Decode the place: one step."""
    yield _decode(request, store)


@torch.no_grad()
def _decode(request: DecodeRequest, store: ModelStore) -> DecodeStep:
    edges = torch.stack([store.asset(name, "atlas_range") for name in PLANES])  # (plane, axis, first and last)
    first, last = edges[PLANES.index(request.plane)].unbind(dim=-1)
    share = (torch.tensor(request.z) - first) / (last - first)
    z = torch.lerp(edges[..., 0], edges[..., 1], share).to(store.device)  # (2, 2)
    logits = [network(name, store).decode(place) for name, place in zip(PLANES, torch.split(z, 1), strict=True)]
    return DecodeStep(vae.picture(torch.cat(logits)), z)
