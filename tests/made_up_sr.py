"""Tiny untrained super-resolution networks of each kind, and a feature network to judge by."""

from pathlib import Path

import torch
from torch import Tensor, nn

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.models.sr import SuperResolver
from imagegen.models.style import FeatureNetwork

__all__ = ["add_sr_checkpoints"]

LOUDNESS = {"sr-x4": 0.3, "srgan-x4": 3.0, "sr-x4-real": 0.6}
"""How much each adds to the copies of the pixels, as shares of a fresh network's."""


def add_sr_checkpoints(folder: Path) -> None:
    """Write sr-x4, srgan-x4, sr-x4-real and style-features into `folder`."""
    low_res = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(5)) * 2 - 1
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(6)
        for name, loudness in LOUDNESS.items():
            network = SuperResolver(width=4, blocks=1)
            network.tail.weight.mul_(10 * loudness)
            _write(folder / name, network, "sr.SuperResolver", {"width": 4, "blocks": 1}, {"low_res": low_res})
        features = FeatureNetwork(width=2).eval()
        x = torch.rand(1, 3, 32, 32) * 2 - 1
        _write(folder / "style-features", features, "style.FeatureNetwork", {"width": 2}, {"x": x})


def _write(folder: Path, network: nn.Module, kind: str, args: dict[str, int], example: dict[str, Tensor]) -> None:
    card = Card("Made up.", "other", "noise", {"command": "none", "seed": 0, "loss": "made up"})
    write_checkpoint(folder, network, {"class": kind, "args": args}, card, example, {})
