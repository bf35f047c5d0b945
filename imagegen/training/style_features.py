"""`style-features`: the feature network of style transfer, taught by the two that may not be shipped."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.photos import made_up_photos
from imagegen.data.pictures import Pictures, Sources
from imagegen.data.styles import squares
from imagegen.models.perceptual import SqueezeNet, Vgg19, load_squeezenet, load_vgg
from imagegen.models.style import FeatureNetwork
from imagegen.training.recipe import Export, Step, warm_cosine
from imagegen.training.style import (
    PHOTO_SIDE,
    PHOTOS,
    TERMS,
    WARMUP,
    cut,
    patterns,
    recoloured,
    square_photos,
    unlabelled,
)

__all__ = ["StyleFeaturesRecipe"]

LEARNING_RATE = 2e-3
TAUGHT = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_2": 256, "relu5_1": 512}
"""Layers with a teacher, and the teacher's channels: VGG-19's own layers, then stages of SqueezeNet."""
SQUEEZENET_STAGES = {"relu4_2": 2, "relu5_1": 6}
"""Places in its outputs, at the same eighth and sixteenth of the size."""
UNIT_PHOTOS = 16
"""Photos whose features give the teachers' unit."""


class StyleFeaturesRecipe:
    """Distillation: what VGG-19 and SqueezeNet see must be readable from the narrow network, channel by channel.

    Readable through a 1x1 convolution, which is left behind: a Gram matrix of the narrow layer then says what
    that of the wide layer does.
    """

    name = "style-features"
    needs: tuple[str, ...] = ("photos",)
    compiled: tuple[str, ...] = ()

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (5_000, 8), "large": (20_000, 64)}[size]
        self.side = 128
        self.network = FeatureNetwork()
        self.heads = nn.ModuleDict(
            {layer: nn.Conv2d(self.network.channels[layer], wide, 1) for layer, wide in TAUGHT.items()}
        )
        self.networks: dict[str, nn.Module] = {"network": self.network, "heads": self.heads}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.AdamW(
                [*self.network.parameters(), *self.heads.parameters()], betas=(0.9, 0.99), weight_decay=0, fused=True
            )
        }

    def load_data(self, sources: Sources) -> Pictures:
        data = square_photos(sources)
        self._teach(load_vgg(sources.features), load_squeezenet(sources.features), data)
        return data

    def made_up_data(self) -> Pictures:
        self.side = 32
        data = unlabelled(squares(made_up_photos(), self.side))
        self._teach(Vgg19("relu3_1"), SqueezeNet(), data)
        return data

    def _teach(self, vgg: Vgg19, squeezenet: SqueezeNet, data: Pictures) -> None:
        self.frozen = {"teachers": Teachers(vgg, squeezenet, data[:UNIT_PHOTOS][0])}

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        pictures = recoloured(cut(pictures, self.side, 1 / 8, step), step)
        with step.autocast():
            wanted = self.frozen["teachers"](pictures)
            features = self.network.features(pictures)
            unexplained = {
                layer: _unexplained(self.heads[layer](_thinned(features[layer], layer)), _thinned(target, layer))
                for layer, target in wanted.items()
            }
        loss = torch.stack(list(unexplained.values())).sum()
        step.update(self.optimizers["adam"], loss, LEARNING_RATE * warm_cosine(step.progress, WARMUP))
        return {f"unexplained {layer}": share.detach() for layer, share in unexplained.items()}

    def preview(self) -> None:
        return None

    def exports(self, sources: Sources) -> list[Export]:
        return [
            Export(
                name=self.name,
                model=self.network,
                class_name="style.FeatureNetwork",
                args={"width": self.network.width},
                example={"x": patterns(PHOTO_SIDE)},
                summary="A narrow VGG for style transfer, taught to see what VGG-19 (to relu3_1) and SqueezeNet "
                f"(beyond) see. {TERMS}",
                data=PHOTOS,
                licence="other",
                details={
                    "loss": "unexplained variance of the teachers' features, read by 1x1 convolutions",
                    "learning rate": f"{LEARNING_RATE} to 0",
                    "augmentation": "crops from an eighth of the side, flips, mixed colour channels",
                },
            )
        ]


class Teachers(nn.Module):
    """What the narrow network is to see: features of VGG-19 and SqueezeNet, each layer in its own unit.

    SqueezeNet's are in the hundreds, which weights that start near 0 would take thousands of steps to reach.

    Args:
        pictures: (B, 3, H, W) in [-1, 1], over which each layer's standard deviation becomes 1.
    """

    def __init__(self, vgg: Vgg19, squeezenet: SqueezeNet, pictures: Tensor) -> None:
        super().__init__()
        self.vgg, self.squeezenet = vgg.requires_grad_(False), squeezenet.requires_grad_(False)
        self.units = dict.fromkeys(TAUGHT, 1.0)
        self.units = {layer: features.std().item() for layer, features in self(pictures).items()}

    @torch.no_grad()
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        vgg, squeezenet = self.vgg(x), self.squeezenet(x)
        seen = {layer: vgg[layer] for layer in TAUGHT if layer in vgg}
        seen |= {layer: squeezenet[stage] for layer, stage in SQUEEZENET_STAGES.items()}
        return {layer: features.float() / self.units[layer] for layer, features in seen.items()}


def _thinned(features: Tensor, layer: str) -> Tensor:
    """Every fourth or second place of the large layers, which have as much to say as small ones but cost more."""
    every = {"relu1_1": 4, "relu2_1": 2}.get(layer, 1)
    return features[:, :, ::every, ::every]


def _unexplained(guess: Tensor, target: Tensor) -> Tensor:
    """Share of the target's variance (B, C, H, W) that the guess misses; a guess of another size is resized."""
    if guess.shape[2:] != target.shape[2:]:
        guess = F.interpolate(guess, target.shape[2:], mode="bilinear")
    return (guess.float() - target).square().mean() / target.var(dim=(0, 2, 3)).mean()
