"""Tiny untrained autoencoders with all that the trained ones ship."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.faces import ATTRIBUTES
from imagegen.models.vae import Vae

__all__ = ["add_vae_checkpoints"]

CODES, TILES = 30, 4


def add_vae_checkpoints(folder: Path) -> None:
    """Write vae-mnist, vae-mnist-2d, ae-mnist-2d and vae-celeba into `folder`; they answer codes with noise."""
    rng = torch.Generator().manual_seed(3)
    _write(folder / "vae-mnist", _digit_args(z_dim=8), {"kl_per_latent": torch.tensor([0.5, 0, 2, 0.1, 3, 0, 1, 0.2])})
    _write(folder / "vae-mnist-2d", _digit_args(z_dim=2), {"kl_per_latent": torch.tensor([2.0, 3.0]), **_map(1, rng)})
    _write(folder / "ae-mnist-2d", _digit_args(z_dim=2), _map(20, rng))
    _write(
        folder / "vae-celeba",
        {"channels": 3, "size": 64, "z_dim": 20, "widths": [2, 2, 4, 4], "hidden": 8, "depth": 1},
        {
            "kl_per_latent": torch.linspace(0, 2, 20),
            "sigma": torch.tensor(0.2),
            "directions": torch.randn(len(ATTRIBUTES), 20, generator=rng),
            "direction_auc": torch.linspace(0.5, 0.98, len(ATTRIBUTES)),
        },
    )


def _digit_args(z_dim: int) -> dict[str, Any]:
    return {"z_dim": z_dim, "widths": [2, 4], "hidden": 8, "depth": 1}


def _map(spread: float, rng: torch.Generator) -> dict[str, Tensor]:
    mu = spread * torch.randn(CODES, 2, generator=rng) + torch.tensor([0.0, spread])
    return {
        "mu": mu,
        "labels": torch.arange(CODES) % 10,
        "atlas": torch.randint(0, 256, (TILES, TILES, 28, 28), dtype=torch.uint8, generator=rng),
        "atlas_range": torch.stack([mu.amin(dim=0), mu.amax(dim=0)], dim=1),
    }


def _write(folder: Path, args: dict[str, Any], assets: dict[str, Tensor]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(4)
        model = Vae(**args)
        for network in (model.encoder, model.decoder):
            last = network[-1]
            assert isinstance(last, nn.Linear | nn.Conv2d)
            nn.init.normal_(last.weight, std=1)  # so that every code is another picture, and the other way round
        x = torch.rand(4, args.get("channels", 1), model.size, model.size) * 2 - 1
    card = Card("Made up.", "apache-2.0", "noise", {"command": "none", "seed": 0})
    write_checkpoint(folder, model, {"class": "vae.Vae", "args": args}, card, {"x": x}, assets)
