"""Tiny untrained GANs of the tutorials' kinds, and the time-lapse of a training that never was."""

import io
import json
from pathlib import Path

import torch
from PIL import Image

from imagegen.cards import Card
from imagegen.checkpoints import Checkpoint, write_checkpoint
from imagegen.models import classic_gan

__all__ = ["SECONDS", "STEPS", "add_classic_gans", "add_time_lapse"]

STEPS = (0, 40, 100)
"""Moments that are shipped; the picture of step n is of grey level n."""
SECONDS = {"gan-mnist-mlp": 60, "gan-mnist-dcgan": 300, "gan-celeba": 300}
"""How long each took."""


def add_classic_gans(folder: Path) -> None:
    """Write gan-mnist-mlp, gan-mnist-dcgan and gan-celeba into `folder`."""
    rng = torch.Generator().manual_seed(6)
    digits = {"z_dim": 6, "start": 7, "widths": [4, 2], "colours": 1}
    faces = {"z_dim": 6, "start": 4, "widths": [4, 4, 2, 2], "colours": 3}
    for name, kind, args in (
        ("gan-mnist-mlp", "MlpGenerator", {"z_dim": 6, "hidden": 8}),
        ("gan-mnist-dcgan", "DcganGenerator", digits),
        ("gan-celeba", "DcganGenerator", faces),
    ):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(7)
            generator = getattr(classic_gan, kind)(**args).eval()
        training = {"command": "none", "seed": 0, "minutes": SECONDS[name] / 60, "hardware": "a CPU"}
        card = Card("Made up.", "apache-2.0", "noise", training, {"FID": {"value": 7.5, "how": "guessed"}})
        config = {"class": f"classic_gan.{kind}", "args": args}
        checkpoint = write_checkpoint(
            folder / name, generator, config, card, {"z": torch.randn(2, 6, generator=rng)}, {}
        )
        add_time_lapse(checkpoint, SECONDS[name])


def add_time_lapse(checkpoint: Checkpoint, seconds: float) -> None:
    """Moments at `STEPS` and a loss that falls from 10 to 1, over so many seconds."""
    history = [{"step": step, "seconds": seconds * step / 100, "loss D": 11 - step / 10} for step in range(10, 101, 10)]
    checkpoint.add("assets/history.json", json.dumps(history).encode())
    for step in STEPS:
        file = io.BytesIO()
        Image.new("L", (10, 10), step).save(file, "PNG")
        checkpoint.add(f"assets/moments/{step:07d}.png", file.getvalue())
