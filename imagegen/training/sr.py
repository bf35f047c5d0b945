"""`sr-x4`: super-resolution for the smallest error, and its sharper sister `srgan-x4`."""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from imagegen.checkpoints import Checkpoint
from imagegen.data.photos import made_up_photos, photos, shrunk, spoilt, tiles
from imagegen.data.pictures import Pictures, Sources
from imagegen.images import to_tensor
from imagegen.models import gan
from imagegen.models.perceptual import SqueezeNet, Vgg19, feature_distance, load_squeezenet, load_vgg
from imagegen.models.sr import PatchCritic, SuperResolver
from imagegen.training.recipe import Export, Step, follow, warm_cosine

__all__ = ["SuperResolutionGanRecipe", "SuperResolutionRecipe", "sr_x4", "sr_x4_real"]

LEARNING_RATE = 1e-3
GAN_LEARNING_RATE = 2e-4
CRITIC_LEARNING_RATE = 4e-4
WARMUP = 0.02
FEATURES = ("relu1_2", "relu2_2", "relu3_1")
"""Layers of VGG-19 that must agree."""
ADVERSARIAL = 0.01
PIXELS = 0.5
DIRECTIONS = 1.0
"""Weight of what SqueezeNet sees, as directions of its features: VGG-19 up to relu3_1 alone left fine texture out."""
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
        seen, summary: what that does, and what the network is for, for the card.
    """

    needs: tuple[str, ...] = ("photos",)
    compiled: tuple[str, ...] = ("network",)

    def __init__(
        self, size: str, name: str, shrink: Callable[[Image.Image], Image.Image], seen: str, summary: str
    ) -> None:
        self.name, self.shrink, self.seen, self.summary = name, shrink, seen, summary
        self.steps, self.batch = {"small": (50_000, 16), "large": (30_000, 128)}[size]
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
        step.update(self.optimizers["adam"], loss, LEARNING_RATE * warm_cosine(step.progress, WARMUP))
        _follow(self.average, self.network, step)
        return {"loss": loss.detach()}

    def preview(self) -> Tensor:
        return _enlarged_rings(self.average)

    def exports(self, sources: Sources) -> list[Export]:
        return [
            _export(
                self.name,
                self.average,
                self.summary,
                {
                    "loss": "mean absolute error",
                    "learning rate": f"{LEARNING_RATE} to 0",
                    "low resolution": self.seen,
                },
            )
        ]


class SuperResolutionGanRecipe:
    """SRGAN (Ledig et al. 2017): details that look right instead of the mean of all that could be there.

    It starts from `sr-x4`, or goes on from an earlier `srgan-x4`. Features of VGG-19 and SqueezeNet say what the photo
    shows; a critic of patches says whether they look real, each held against the true one at its place (relativistic
    pairing).
    """

    name = "srgan-x4"
    needs: tuple[str, ...] = ("photos", "sr-x4")
    compiled: tuple[str, ...] = ("network",)

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (8_000, 4), "large": (10_000, 32)}[size]
        self.network = SuperResolver()
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.critic = PatchCritic()
        self.networks: dict[str, nn.Module] = {
            "network": self.network,
            "average": self.average,
            "critic": self.critic,
        }
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), betas=(0.5, 0.99), fused=True)
            for name in ("network", "critic")
        }

    def load_data(self, sources: Sources) -> Pictures:
        start = _start(sources).load().state_dict()
        for network in (self.network, self.average):
            network.load_state_dict(start)
        self.frozen["vgg"] = load_vgg(sources.features, FEATURES[-1])
        self.frozen["squeezenet"] = load_squeezenet(sources.features)
        return tiles(photos(sources.root(), "train"))

    def made_up_data(self) -> Pictures:
        self.frozen["vgg"] = Vgg19(FEATURES[-1]).eval().requires_grad_(False)
        self.frozen["squeezenet"] = SqueezeNet().eval().requires_grad_(False)
        return tiles(made_up_photos())

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        high_res, low_res = _turned(pictures, labels, step)
        with step.autocast():
            restored = self.network(low_res)
        measured = self._critic_step(high_res, restored.detach().float(), step)
        measured |= self._network_step(high_res, restored.float(), step)
        _follow(self.average, self.network, step)
        return measured

    def _critic_step(self, high_res: Tensor, restored: Tensor, step: Step) -> dict[str, Tensor]:
        with step.autocast():
            real, fake = self.critic(torch.cat([high_res, restored])).float().chunk(2)
        loss = gan.discriminator_loss(real, fake)
        step.update(self.optimizers["critic"], loss, CRITIC_LEARNING_RATE * warm_cosine(step.progress, WARMUP))
        return {"loss D": loss.detach(), "D real - fake": (real - fake).detach().mean()}

    def _network_step(self, high_res: Tensor, restored: Tensor, step: Step) -> dict[str, Tensor]:
        self.critic.requires_grad_(False)
        with step.autocast():
            with torch.no_grad():
                real, wanted, there = (network(high_res) for network in (self.critic, *self.frozen.values()))
            fake, seen, felt = (network(restored) for network in (self.critic, *self.frozen.values()))
        adversarial = gan.generator_loss(real.float(), fake.float())
        content = torch.stack([F.l1_loss(seen[layer].float(), wanted[layer].float()) for layer in FEATURES]).mean()
        pixels = F.l1_loss(restored, high_res)
        directions = feature_distance(map(Tensor.float, felt), map(Tensor.float, there))
        loss = content + DIRECTIONS * directions + ADVERSARIAL * adversarial + PIXELS * pixels
        step.update(self.optimizers["network"], loss, GAN_LEARNING_RATE * warm_cosine(step.progress, WARMUP))
        self.critic.requires_grad_(True)
        parts = {"content": content, "directions": directions, "adversarial": adversarial, "pixels": pixels}
        return {name: part.detach() for name, part in parts.items()}

    def preview(self) -> Tensor:
        return _enlarged_rings(self.average)

    def exports(self, sources: Sources) -> list[Export]:
        return [
            _export(
                self.name,
                self.average,
                "Four times as many pixels a side, with invented detail that looks real.",
                {
                    "start": _start(sources).name,
                    "loss": f"L1 of VGG-19 {', '.join(FEATURES)} + {DIRECTIONS} x directions of SqueezeNet's features "
                    f"+ {ADVERSARIAL} x relativistic pairing + {PIXELS} x L1 of pixels",
                    "learning rate": f"{GAN_LEARNING_RATE} to 0, critic {CRITIC_LEARNING_RATE} to 0",
                    "low resolution": "antialiased bicubic",
                },
            )
        ]


def _start(sources: Sources) -> Checkpoint:
    """The checkpoint to begin with."""
    return Checkpoint(sources.root(1) or sources.checkpoints / "sr-x4")


def _export(name: str, network: SuperResolver, summary: str, details: Mapping[str, Any]) -> Export:
    return Export(
        name=name,
        model=network,
        class_name="sr.SuperResolver",
        args={"width": network.width, "blocks": network.blocks},
        example={"low_res": _low_res_rings()},
        summary=f"{summary} For non-commercial research only, as its data are.",
        data=DATA,
        licence="other",
        details={
            "augmentation": "flips and quarter turns",
            "EMA": f"of the last {EMA_STEPS:,} steps",
            **details,
        },
    )


def _follow(average: nn.Module, network: nn.Module, step: Step) -> None:
    follow(average, network, 1 - 1 / min(EMA_STEPS, 1 + EMA_SHARE * step.index))


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


sr_x4 = partial(
    SuperResolutionRecipe,
    name="sr-x4",
    shrink=shrunk,
    seen="antialiased bicubic",
    summary="Four times as many pixels a side, as near to the photo as it can be.",
)
sr_x4_real = partial(
    SuperResolutionRecipe,
    name="sr-x4-real",
    shrink=spoilt,
    seen="blur, antialiased bicubic, noise, JPEG",
    summary="Four times as many pixels a side of a photo with blur, noise and the traces of JPEG, as near to the clean "
    "photo as it can be.",
)
