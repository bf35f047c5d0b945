"""Pictures of the GANs that take a code and nothing else: digits of two tutorials, and faces."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from imagegen.devices import fit_memory, picture_noise
from imagegen.models.classic_gan import DcganGenerator, MlpGenerator
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.gan import MAX_COUNT

__all__ = ["DCGAN", "FACES", "MLP", "ClassicGanRequest", "ClassicGanStep", "run"]

MLP, DCGAN, FACES = "gan-mnist-mlp", "gan-mnist-dcgan", "gan-celeba"


@dataclass(frozen=True)
class ClassicGanRequest:
    """Pictures to draw.

    Args:
        checkpoint: `MLP`, `DCGAN` or `FACES`.
        count: pictures, 1 to 64; picture i is drawn from seed + i.
        seed: 0 to 2^32 - 1.
    """

    checkpoint: str = MLP
    count: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        checks.settle(
            self,
            checkpoint=checks.choice("checkpoint", self.checkpoint, (MLP, DCGAN, FACES)),
            count=checks.whole("count", self.count, 1, MAX_COUNT),
            seed=checks.seed(self.seed),
        )


@dataclass(frozen=True)
class ClassicGanStep:
    """Pictures (N, 1, 28, 28), or of faces (N, 3, 64, 64), in [-1, 1]."""

    images: Tensor
    index: int = 1
    total: int = 1


def run(request: ClassicGanRequest, store: ModelStore) -> Iterator[ClassicGanStep]:
    """Draw the pictures: one step.

    Raises:
        CheckpointError: the generator is missing or damaged.
    """
    yield ClassicGanStep(_draw(request, store))


@torch.no_grad()
def _draw(request: ClassicGanRequest, store: ModelStore) -> Tensor:
    generator = cast(DcganGenerator | MlpGenerator, store.get(request.checkpoint))
    z = picture_noise(request.seed, request.count, generator.z_dim).to(store.device)
    return fit_memory(lambda batch: torch.cat([generator(part) for part in torch.split(z, batch)]), len(z))
