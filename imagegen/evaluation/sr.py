"""Figures of super-resolution on Set5 and Set14, the same for a network and for bicubic interpolation.

The protocol of the papers: sides cut to multiples of 4, low resolution by antialiased bicubic and kept as 8 bits,
the result rounded to 8 bits, and PSNR and SSIM on luma without 4 pixels of border.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from imagegen.data.folders import pictures_in
from imagegen.data.photos import cropped, shrunk, spoilt
from imagegen.data.pictures import Sources
from imagegen.errors import InputError
from imagegen.evaluation.curves import MIXTURES, PERCEPTUAL, mixture
from imagegen.evaluation.features import as_saved
from imagegen.evaluation.measures import Figures, figure
from imagegen.images import to_tensor
from imagegen.models.perceptual import SqueezeNet, feature_distance, load_squeezenet
from imagegen.models.sr import psnr, ssim, upscale
from imagegen.store import ModelStore
from imagegen.tasks.sr import FAITHFUL, PLEASING

__all__ = ["evaluate_sr", "evaluate_sr_real", "perceptual_distance"]

BARS = {
    "sr-x4": {"PSNR": "≥ 27.6", "PSNR of bicubic": "26.1 ± 0.05"},
    "srgan-x4": {PERCEPTUAL: "≤ 0.6", "PSNR of bicubic": "26.1 ± 0.05"},
}
"""For Set14 with the usual low resolution, by checkpoint."""


def _evaluate(
    store: ModelStore, name: str, sources: Sources, shrink: Callable[[Image.Image], Image.Image], seen: str
) -> Figures:
    """PSNR (dB) and SSIM on luma, and the perceptual distance over that of bicubic interpolation.

    Of `srgan-x4` also those of its mixtures with `sr-x4`, of which `curves.charts` draws one against the other.

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
            restored = {"": upscale(network, to_tensor(low_res)).cpu()}
            if name == PLEASING:
                restored |= _mixtures(upscale(store.get(FAITHFUL), to_tensor(low_res)).cpu(), restored[""])
            bicubic = to_tensor(low_res.resize(photo.size, Image.Resampling.BICUBIC))
            ways = {way: as_saved(made) for way, made in restored.items()} | {" of bicubic": bicubic}
            scores.append([_scores(judge, made, high_res) for made in ways.values()])
        means = dict(zip(ways, torch.tensor(scores).mean(dim=0).tolist(), strict=True))
        named = {f"PSNR{way}": mean[0] for way, mean in means.items()}
        named |= {f"SSIM{way}": mean[1] for way, mean in means.items()}
        named |= {f"{PERCEPTUAL}{way}": means[way][2] / means[" of bicubic"][2] for way in restored}
        how = f"mean of {len(scores)} photos, low resolution by {seen}"
        bars = BARS.get(name, {}) if title == "Set14" and shrink is shrunk else {}
        figures |= {f"{title}: {key}": figure(value, how, bars.get(key, "")) for key, value in named.items()}
    parameters = sum(p.numel() for p in network.parameters())
    return {**figures, "parameters": figure(parameters, "all of the network", "≤ 300,000")}


evaluate_sr = partial(_evaluate, shrink=shrunk, seen="antialiased bicubic")
evaluate_sr_real = partial(_evaluate, shrink=spoilt, seen="blur, antialiased bicubic, noise and JPEG")


@torch.no_grad()
def perceptual_distance(judge: SqueezeNet, restored: Tensor, high_res: Tensor) -> float:
    """The form of LPIPS on SqueezeNet, both (1, 3, H, W) in [-1, 1]: it means something only as a ratio."""
    return feature_distance(judge(restored), judge(high_res)).item()


def _mixtures(faithful: Tensor, pleasing: Tensor) -> dict[str, Tensor]:
    """By what the card calls them, in shares of the pleasing one."""
    return {mixture(percent): torch.lerp(faithful, pleasing, percent / 100) for percent in MIXTURES}


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
