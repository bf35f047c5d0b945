"""Networks trained on ImageNet whose features measure how alike two pictures look.

They are never shipped: training and evaluation take them from a folder, or torchvision downloads its own.
Both take pictures (B, 3, H, W) in [-1, 1], as everything here does.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from imagegen.errors import CheckpointError

__all__ = ["SqueezeNet", "Vgg19", "feature_distance", "load_squeezenet", "load_vgg", "vgg_is_here"]

VGG_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512))
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])
VGG_FILE = "vgg19-normalised-relu3_1.safetensors"
TORCHVISION_VGG = "vgg19-dcbb9e9d.pth"
"""As torchvision calls it; to ask torchvision would take as long as to import torch."""
SQUEEZENET_FILE = "squeezenet1_1-imagenet.safetensors"


class Vgg19(nn.Module):
    """VGG-19 (Simonyan & Zisserman 2014) up to the layer `last`.

    Args:
        last: such as `relu3_1`.
        padding_mode: `zeros` as it was trained, or `reflect` as the normalised one of Gatys wants it.
        average: average pooling instead of maximum, which Gatys et al. (2016) found to look better.
    """

    def __init__(
        self, last: str = "relu5_1", padding_mode: Literal["zeros", "reflect"] = "zeros", average: bool = False
    ) -> None:
        super().__init__()
        self.preprocess = nn.Conv2d(3, 3, 1)
        self.pool = nn.AvgPool2d(2) if average else nn.MaxPool2d(2)
        self.layers = nn.ModuleDict()
        channels = 3
        for block, widths in enumerate(VGG_BLOCKS, start=1):
            for place, width in enumerate(widths, start=1):
                self.layers[f"relu{block}_{place}"] = nn.Conv2d(channels, width, 3, 1, 1, padding_mode=padding_mode)
                channels = width
                if f"relu{block}_{place}" == last:
                    return

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Pictures (B, 3, H, W) in [-1, 1] -> features by layer, after ReLU: (B, C, H/2^(block-1), ...)."""
        x = self.preprocess(x * 0.5 + 0.5)
        features = {}
        for name, convolution in self.layers.items():
            if name.endswith("_1") and name != "relu1_1":
                x = self.pool(x)
            x = features[name] = convolution(x).relu()
        return features


class SqueezeNet(nn.Module):
    """The convolutions of SqueezeNet 1.1 (Iandola et al. 2016), with torchvision's names."""

    STAGES = (1, 4, 7, 9, 10, 11, 12)
    """Places in `features` whose outputs LPIPS compares: the first ReLU and the last fire of each width."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import squeezenet1_1

        self.features = squeezenet1_1(weights=None).features
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("std", torch.ones(1, 3, 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Pictures (B, 3, H, W) in [-1, 1] -> the outputs of `STAGES`; the last is (B, 512, H', W')."""
        x = (x * 0.5 + 0.5 - self.mean) / self.std
        outputs = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.STAGES:
                outputs.append(x.clone() if place == 1 else x)  # the next layer may work in place
        return outputs


def feature_distance(seen: Iterable[Tensor], wanted: Iterable[Tensor]) -> Tensor:
    """The form of LPIPS (Zhang et al. 2018) with unit weights, a number of no meaning by itself.

    At each place the features of a layer, (B, C, H, W), are scaled to length 1; their squared difference is averaged
    over places, then over layers.
    """
    pairs = zip(seen, wanted, strict=True)
    return torch.stack([(F.normalize(a) - F.normalize(b)).square().sum(dim=1).mean() for a, b in pairs]).mean()


def load_vgg(folder: Path | None, last: str = "relu3_1", average: bool = False) -> Vgg19:
    """The weight-normalised VGG-19 of `folder`, which goes up to relu3_1, or torchvision's.

    Raises:
        CheckpointError: the file is not there or is another network.
    """
    if folder is None:
        from torchvision.models import VGG19_Weights

        tensors = VGG19_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True)
        vgg = Vgg19(last, "zeros", average)
        weights = [key for key in tensors if key.startswith("features.") and key.endswith(".weight")]
        with torch.no_grad():
            for layer, key in zip(vgg.layers.values(), weights, strict=False):
                layer.weight.copy_(tensors[key])  # type: ignore[operator]
                layer.bias.copy_(tensors[key.replace("weight", "bias")])  # type: ignore[operator]
            vgg.preprocess.weight.copy_(torch.diag(1 / IMAGENET_STD)[..., None, None])
            vgg.preprocess.bias.copy_(-IMAGENET_MEAN / IMAGENET_STD)  # type: ignore[union-attr]
    else:
        vgg = Vgg19(last, "reflect", average)
        tensors = _tensors(folder / VGG_FILE)
        names = {f"layers.{name}": f"conv{name.removeprefix('relu')}" for name in vgg.layers}
        _load(vgg, {key: tensors.get(_renamed(key, names)) for key in vgg.state_dict()}, folder / VGG_FILE)
    return vgg.eval().requires_grad_(False)


def vgg_is_here() -> bool:
    """Whether torchvision's VGG-19 lies in torch's cache, so that loading it opens no connection."""
    return (Path(torch.hub.get_dir()) / "checkpoints" / TORCHVISION_VGG).is_file()


def load_squeezenet(folder: Path | None) -> SqueezeNet:
    """The SqueezeNet of `folder`, which takes [0, 1] as it is, or torchvision's.

    Raises:
        CheckpointError: the file is not there or is another network.
    """
    squeezenet = SqueezeNet()
    if folder is None:
        from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

        squeezenet.features = squeezenet1_1(weights=SqueezeNet1_1_Weights.IMAGENET1K_V1).features
        squeezenet.mean.copy_(IMAGENET_MEAN[:, None, None])
        squeezenet.std.copy_(IMAGENET_STD[:, None, None])
    else:
        tensors = _tensors(folder / SQUEEZENET_FILE)
        given = {key: tensors.get(key) for key in squeezenet.state_dict() if key.startswith("features")}
        _load(squeezenet, {**squeezenet.state_dict(), **given}, folder / SQUEEZENET_FILE)
    return squeezenet.eval().requires_grad_(False)


def _tensors(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise CheckpointError("{file} is not there; name its folder with --features.", file=file)
    return load_file(file)


def _renamed(key: str, names: dict[str, str]) -> str:
    owner, _, kind = key.rpartition(".")
    return f"{names.get(owner, owner)}.{kind}"


def _load(model: nn.Module, tensors: dict[str, Tensor | None], file: Path) -> None:
    missing = [key for key, tensor in tensors.items() if tensor is None]
    if missing:
        raise CheckpointError("{file} holds no {tensor}.", file=file, tensor=missing[0])
    model.load_state_dict({key: tensor for key, tensor in tensors.items() if tensor is not None})
