"""Tiny untrained networks of style transfer, with the codes of a few named styles."""

from pathlib import Path

import torch

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.models.style import FastStyle, FeatureNetwork

__all__ = ["STYLES", "add_style_checkpoints"]

STYLES = ("hokusai-great-wave-1831", "monet-water-lilies-1919", "van-gogh-starry-night-1889")


def add_style_checkpoints(folder: Path) -> None:
    """Write style-fast and style-features into `folder`."""
    card = Card("Made up.", "other", "noise", {"command": "none", "seed": 0})
    args = {"code": 8, "width": 12, "blocks": 1}
    rng = torch.Generator().manual_seed(11)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(12)
        fast, features = FastStyle(**args), FeatureNetwork(width=4)
    x = torch.rand(2, 3, 32, 32, generator=rng) * 2 - 1
    codes = {name: 3 * torch.randn(8, generator=rng) for name in STYLES}
    config = {"class": "style.FastStyle", "args": args}
    write_checkpoint(folder / "style-fast", fast.eval(), config, card, {"photos": x, "paintings": x.flip(0)}, codes)
    config = {"class": "style.FeatureNetwork", "args": {"width": 4}}
    write_checkpoint(folder / "style-features", features.eval(), config, card, {"x": x}, {})
