"""Tiny untrained diffusion models, with cards that hold every curve."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.faces import ATTRIBUTES
from imagegen.evaluation.curves import fid_name, loss_name
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.diffusion import Denoiser

__all__ = ["add_diffusion_checkpoints"]

LOSSES = {loss_name(50 * k, 50 * k + 49): 0.2 / (k + 1) for k in range(20)}
FIDS = {fid_name(500, name, steps): 40 / steps for name in ("ddim", "unipc") for steps in (5, 10, 20)}


def add_diffusion_checkpoints(folder: Path) -> None:
    """Write ddpm-mnist, ddpm-celeba and face-autoencoder into `folder`; each label draws other noise."""
    faces = {"picture": [16, 8, 8], "labels": len(ATTRIBUTES), "channels": [8, 16], "patch": 1, "clip": None}
    _write_denoiser(folder / "ddpm-mnist", {"channels": [8, 16]})
    _write_denoiser(folder / "ddpm-celeba", faces)
    narrow = {"channels": [4, 4, 8, 8]}
    rng = torch.Generator().manual_seed(5)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(6)
        autoencoder = FaceAutoencoder(**narrow)
    example = {"x": torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1}
    _write(folder / "face-autoencoder", autoencoder, "autoencoder.FaceAutoencoder", narrow, example, {})


def _write_denoiser(folder: Path, args: dict[str, Any]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        model = Denoiser(**args)
        nn.init.normal_(model.label_embedding.weight, std=2)
    example = {
        "x_t": torch.randn(2, *model.picture, generator=torch.Generator().manual_seed(8)),
        "timesteps": torch.tensor([100, 900]),
        "labels": torch.eye(model.labels)[:2],
    }
    _write(folder, model, "diffusion.Denoiser", args, example, LOSSES | FIDS)


def _write(
    folder: Path,
    model: nn.Module,
    name: str,
    args: dict[str, Any],
    example: dict[str, Tensor],
    figures: dict[str, float],
) -> None:
    guessed = {key: {"value": value, "how": "guessed"} for key, value in figures.items()}
    card = Card("Made up.", "apache-2.0", "noise", {"command": "none", "seed": 0}, guessed)
    write_checkpoint(folder, model, {"class": name, "args": args}, card, example, {})
