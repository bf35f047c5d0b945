"""Figures of super-resolution on Set5 and Set14, the same for a network and for bicubic interpolation.

The protocol of the papers: sides cut to multiples of 4, low resolution by antialiased bicubic and kept as 8 bits,
the result rounded to 8 bits, and PSNR and SSIM on luma without 4 pixels of border.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.data.folders import pictures_in
from imagegen.data.photos import cropped, shrunk, spoilt
from imagegen.data.pictures import Sources
from imagegen.errors import InputError
from imagegen.evaluation.features import as_saved
from imagegen.evaluation.measures import Figures, figure
from imagegen.images import to_tensor
from imagegen.models.perceptual import SqueezeNet, load_squeezenet
from imagegen.models.sr import upscale

__all__ = ["evaluate_sr", "evaluate_sr_real", "luma", "perceptual_distance", "psnr", "ssim"]

BORDER = 4
"""Pixels of each side that are not judged."""
BARS = {
    "sr-x4": {"PSNR": "≥ 27.6", "PSNR of bicubic": "26.1 ± 0.05"},
    "srgan-x4": {"perceptual distance over bicubic's": "≤ 0.6", "PSNR of bicubic": "26.1 ± 0.05"},
}
"""For Set14 with the usual low resolution, by checkpoint."""


def _evaluate(
    store: ModelStore, name: str, sources: Sources, shrink: Callable[[Image.Image], Image.Image], seen: str
) -> Figures:
    """PSNR (dB) and SSIM on luma, and the perceptual distance over that of bicubic interpolation.

    Args:
        sources: the data set is a folder with Set5 and Set14 as folders or zips; SqueezeNet's folder.

    Raises:
        InputError: a set is not there.
        CheckpointError: SqueezeNet is not there.
    """
    network, judge = store.get(name), load_squeezenet(sources.features)
    figures: Figures = {}
    for title in ("Set5", "Set14"):
        scores = []
        for _, picture in pictures_in(_found(sources.root(), title)):
            photo = cropped(picture)
            low_res, high_res = shrink(photo), to_tensor(photo)
            ours = as_saved(upscale(network, to_tensor(low_res)))
            bicubic = to_tensor(low_res.resize(photo.size, Image.Resampling.BICUBIC))
            scores.append([_scores(judge, restored, high_res) for restored in (ours, bicubic)])
        ours_mean, bicubic_mean = torch.tensor(scores).mean(dim=0).tolist()
        named = {
            "PSNR": ours_mean[0],
            "PSNR of bicubic": bicubic_mean[0],
            "SSIM": ours_mean[1],
            "SSIM of bicubic": bicubic_mean[1],
            "perceptual distance over bicubic's": ours_mean[2] / bicubic_mean[2],
        }
        how = f"mean of {len(scores)} photos, low resolution by {seen}"
        bars = BARS.get(name, {}) if title == "Set14" and shrink is shrunk else {}
        figures |= {f"{title}: {key}": figure(value, how, bars.get(key, "")) for key, value in named.items()}
    parameters = sum(p.numel() for p in network.parameters())
    return {**figures, "parameters": figure(parameters, "all of the network", "≤ 300,000")}


evaluate_sr = partial(_evaluate, shrink=shrunk, seen="antialiased bicubic")
evaluate_sr_real = partial(_evaluate, shrink=spoilt, seen="blur, antialiased bicubic, noise and JPEG")


def luma(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] -> Y (B, 1, H - 8, W - 8), 16 for black to 235 for white (ITU-R BT.601)."""
    weights = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    whole = 16 + (weights * (pictures * 0.5 + 0.5)).sum(dim=1, keepdim=True)
    return whole[..., BORDER:-BORDER, BORDER:-BORDER]


def psnr(restored: Tensor, high_res: Tensor) -> float:
    """Of luma, in dB; both (1, 3, H, W) in [-1, 1]."""
    error = (luma(restored) - luma(high_res)).square().mean()
    return (10 * torch.log10(255**2 / error)).item()


def ssim(restored: Tensor, high_res: Tensor) -> float:
    """Structural similarity of luma (Wang et al. 2004), up to 1; both (1, 3, H, W) in [-1, 1]."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    return cast(Tensor, structural_similarity_index_measure(luma(restored), luma(high_res), data_range=255.0)).item()


@torch.no_grad()
def perceptual_distance(judge: SqueezeNet, restored: Tensor, high_res: Tensor) -> float:
    """The form of LPIPS (Zhang et al. 2018) with unit weights: it means something only as a ratio.

    At each place the features of a layer are scaled to length 1; their squared difference is averaged over
    places, then over layers.
    """
    pairs = zip(judge(restored), judge(high_res), strict=True)
    layers = [(F.normalize(a) - F.normalize(b)).square().sum(dim=1).mean() for a, b in pairs]
    return torch.stack(layers).mean().item()


def _scores(judge: SqueezeNet, restored: Tensor, high_res: Tensor) -> tuple[float, float, float]:
    return psnr(restored, high_res), ssim(restored, high_res), perceptual_distance(judge, restored, high_res)


def _found(root: Path | None, title: str) -> Path:
    """`root/Set5`, `root/set5.zip` ..."""
    for path in sorted(root.iterdir()) if root is not None and root.is_dir() else ():
        if path.stem.lower() == title.lower():
            return path
    raise InputError(
        "{root} holds no {title}; name with --data a folder that holds Set5 and Set14, as folders or zips.",
        root=root or "Nothing",
        title=title,
    )
