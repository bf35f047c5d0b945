"""`ddpm-mnist`: a diffusion model that draws the digit that is asked for.

It learns to predict the velocity at every noise level at once (Salimans and Ho 2022); a share of the pictures
comes without a label, so that guidance has a plain model to start from (Ho and Salimans 2022).
"""

import copy
import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.digits import made_up_digits, mnist
from imagegen.data.pictures import Pictures, Sources
from imagegen.devices import generators, picture_noise
from imagegen.models import diffusion
from imagegen.training.recipe import Export, Step, follow

__all__ = ["DigitDiffusionRecipe"]

LEARNING_RATE = 1e-3
WARMUP = 0.02
"""Share of the run in which the learning rate climbs."""
GRADIENT_NORM = 1.0
UNLABELLED = 0.1
"""Share of the pictures whose label is not said."""
GAMMA = 20.0
"""Signal-to-noise ratio from which on all levels weigh the same: strokes have sharp edges, learned where noise is low."""
EMA_HALF_LIFE = 0.03
"""Of the run so far, so that the average is never held back by its start."""
PREVIEW_STEPS = 10


class DigitDiffusionRecipe:
    name = "ddpm-mnist"
    needs: tuple[str, ...] = ("mnist",)
    compiled: tuple[str, ...] = ("model",)

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (10_000, 64), "large": (15_000, 512)}[size]
        sizes: dict[str, dict[str, Any]] = {
            "small": {"channels": [64, 128]},
            "large": {"channels": [128, 256], "layers": 2, "attention": True},
        }
        self.args = sizes[size]
        self.frozen: dict[str, nn.Module] = {}
        self.model = diffusion.Denoiser(**self.args)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {"model": self.model, "average": self.average}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        }

    def load_data(self, sources: Sources) -> Pictures:
        return _asking(mnist(sources.root(), "train"))

    def made_up_data(self) -> Pictures:
        return _asking(made_up_digits())

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        said = labels * (step.uniform(1) >= UNLABELLED)
        with step.autocast():
            loss = denoising_loss(self.model, pictures, said, step, GAMMA)
        step.update(self.optimizers["adamw"], loss, LEARNING_RATE * _warm_cosine(step.progress), clip=GRADIENT_NORM)
        follow(self.average, self.model, 0.5 ** (1 / (1 + EMA_HALF_LIFE * step.index)))
        return {"loss": loss.detach()}

    def preview(self) -> Tensor:
        """The same noise each time, five a digit."""
        labels = F.one_hot(torch.arange(10).repeat_interleave(5), 10).float()
        x = picture_noise(0, len(labels), *self.average.picture)
        *_, last = diffusion.denoise(self.average, x, labels, generators(0, len(x)), "ddim", PREVIEW_STEPS)
        return last.pred_x0

    def exports(self, sources: Sources) -> list[Export]:
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="diffusion.Denoiser",
                args=self.args,
                example={
                    "x_t": picture_noise(2, 4, *self.average.picture),
                    "timesteps": torch.tensor([999, 600, 300, 0]),
                    "labels": F.one_hot(torch.tensor([3, 1, 4, 7]), 10).float(),
                },
                summary="Draws the digit that is asked for out of noise, step by step.",
                data="MNIST, 55,000 training digits (the last 5,000 kept back for validation)",
                licence="cc-by-sa-3.0",
                details=_details(self.average),
            )
        ]


def denoising_loss(model: nn.Module, x0: Tensor, labels: Tensor, step: Step, gamma: float = 5.0) -> Tensor:
    """Mean squared error of the velocity, min-SNR weighted; the batch is spread evenly over the noise levels.

    Args:
        model: called as a `Denoiser` is, with `alphas_cumprod` of its own.
        x0: pictures or latents (B, C, H, W).
        labels: whatever the model takes.
        gamma: of the weights.
    """
    place = (step.uniform()[0] + torch.arange(len(x0), device=x0.device) / len(x0)) % 1
    timesteps = (place * diffusion.TIMESTEPS).long()
    level = cast(Tensor, model.alphas_cumprod)[timesteps]
    noise = step.normal(*x0.shape[1:])
    v = model(diffusion.q_sample(x0, noise, level), timesteps, labels).float()
    error = (v - diffusion.velocity(x0, noise, level)).square().mean(dim=(1, 2, 3))
    loss: Tensor = (diffusion.min_snr_weight(level, gamma) * error).mean()
    return loss


def _asking(digits: Pictures) -> Pictures:
    """Each digit with the row of numbers that asks for it."""
    return Pictures(digits.pixels, F.one_hot(digits.labels, 10).float())


def _details(model: diffusion.Denoiser) -> dict[str, Any]:
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "noise": f"{model.schedule}, {diffusion.TIMESTEPS:,} levels",
        "loss": f"squared error of the velocity, min-SNR weights with gamma {GAMMA:g}",
        "learning rate": f"{LEARNING_RATE:g}, warm-up over {WARMUP:.0%} of the run, then down a cosine to 0",
        "without label": f"{UNLABELLED:.0%} of the pictures",
        "EMA half-life": f"{EMA_HALF_LIFE:.0%} of the run so far",
    }


def _warm_cosine(progress: float) -> float:
    """Up in a line to 1, then down a cosine to 0."""
    if progress < WARMUP:
        return progress / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))
