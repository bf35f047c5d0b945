"""`sr-x4`: super-resolution for the smallest error, and its sharper sister `srgan-x4`."""

import copy
import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from imagegen.data.photos import made_up_photos, photos, shrunk, spoilt, tiles
from imagegen.data.pictures import Pictures, Sources
from imagegen.images import to_tensor
from imagegen.models.sr import SuperResolver
from imagegen.training.recipe import Export, Step, follow

__all__ = ["SuperResolutionRecipe", "sr_x4", "sr_x4_real"]

LEARNING_RATE = 1e-3
WARMUP = 0.02
EMA_STEPS, EMA_SHARE = 1_000, 0.05
"""Steps that the average of weights looks back, or this share of those so far."""
PREVIEWS = 3
DATA = (
    "T91, the 200 photos of BSDS500's train/ and 1,000 samples of ImageNet, without those that are in Set5 or Set14, "
    "in tiles of 128x128"
)


class SuperResolutionRecipe:
    """Mean absolute error, as it gives a higher PSNR than the squared error itself (Lim et al. 2017).

    Args:
        name: of recipe and checkpoint.
        size: `small` or `large`; the network is the same.
        shrink: photo -> the low resolution that it is to be restored from.
        seen: what that does, for the card.
    """

    needs = ("photos",)
    compiled = ("network",)

    def __init__(self, size: str, name: str, shrink: Callable[[Image.Image], Image.Image], seen: str) -> None:
        self.name, self.shrink, self.seen = name, shrink, seen
        self.steps, self.batch = {"small": (40_000, 16), "large": (60_000, 64)}[size]
        self.network = SuperResolver()
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {"network": self.network, "average": self.average}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.Adam(self.network.parameters(), betas=(0.9, 0.99), fused=True)
        }

    def load_data(self, sources: Sources) -> Pictures:
        return tiles(photos(sources.root(), "train"), self.shrink)

    def made_up_data(self) -> Pictures:
        return tiles(made_up_photos(), self.shrink)

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        high_res, low_res = _turned(pictures, labels, step)
        with step.autocast():
            restored = self.network(low_res)
        loss = F.l1_loss(restored.float(), high_res)
        step.update(self.optimizers["adam"], loss, LEARNING_RATE * _warm_cosine(step.progress))
        follow(self.average, self.network, 1 - 1 / min(EMA_STEPS, 1 + EMA_SHARE * step.index))
        return {"loss": loss.detach()}

    def preview(self) -> Tensor:
        return _enlarged_rings(self.average)

    def exports(self, sources: Sources) -> list[Export]:
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="sr.SuperResolver",
                args={"width": self.average.width, "blocks": self.average.blocks},
                example={"low_res": _low_res_rings()},
                summary="Four times as many pixels a side, as near to the photo as it can be. "
                "For non-commercial research only, as its data are.",
                data=DATA,
                licence="other",
                details={
                    "loss": "mean absolute error",
                    "learning rate": f"{LEARNING_RATE} to 0",
                    "augmentation": "flips and quarter turns",
                    "low resolution": self.seen,
                    "EMA": f"of the last {EMA_STEPS:,} steps",
                },
            )
        ]


def _low_res_rings() -> Tensor:
    return torch.cat([to_tensor(shrunk(picture)) for picture in made_up_photos()[:PREVIEWS]])


@torch.no_grad()
def _enlarged_rings(network: nn.Module) -> Tensor:
    """Made-up pictures, because photos that were trained on may not be shown."""
    device = next(network.parameters()).device
    return network(_low_res_rings().to(device))  # type: ignore[no-any-return]


def _turned(high_res: Tensor, low_res: Tensor, step: Step) -> tuple[Tensor, Tensor]:
    """Each square picture (B, 3, H, H) in [-1, 1] and its low resolution (B, 3, h, h) of 0 to 255, both in
    [-1, 1], flipped and turned by its own choice of the eight ways.
    """
    low_res = low_res.float() / 127.5 - 1
    across, down, diagonal = (step.uniform(3, 1, 1, 1) < 0.5).unbind(1)  # each (B, 1, 1, 1)
    pair = []
    for x in (high_res, low_res):
        x = torch.where(across, x.flip(3), x)
        x = torch.where(down, x.flip(2), x)
        x = torch.where(diagonal, x.transpose(2, 3), x)
        pair.append(x.contiguous(memory_format=torch.channels_last))
    return pair[0], pair[1]


def _warm_cosine(progress: float) -> float:
    """Up in a line to 1, then down a cosine to 0."""
    if progress < WARMUP:
        return progress / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))


sr_x4 = partial(SuperResolutionRecipe, name="sr-x4", shrink=shrunk, seen="antialiased bicubic")
sr_x4_real = partial(
    SuperResolutionRecipe, name="sr-x4-real", shrink=spoilt, seen="blur, antialiased bicubic, noise, JPEG"
)
