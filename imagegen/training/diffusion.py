"""`ddpm-mnist` and `ddpm-celeba`: diffusion models of digits, in pixels, and of faces, in an autoencoder's latents.

Both learn to predict the velocity at every noise level at once (Salimans and Ho 2022). What a picture shows is
sometimes kept from them, so that guidance has a plain model to start from (Ho and Salimans 2022).
"""

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.digits import TRAINING_DIGITS, made_up_digits, mnist
from imagegen.data.faces import ATTRIBUTES, faces, made_up_faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.devices import choose_device, generators, picture_noise
from imagegen.errors import InputError
from imagegen.models import diffusion
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.store import ModelStore
from imagegen.training.recipe import Export, Step, follow, warm_cosine

__all__ = ["DigitDiffusionRecipe", "FaceDiffusionRecipe", "denoising_loss", "latents_of"]

LEARNING_RATE = 1e-3
WARMUP = 0.02
"""Share of the run in which the learning rate climbs."""
GRADIENT_NORM = 1.0
UNLABELLED = 0.1
"""Share of the pictures of which nothing is said."""
DIGIT_GAMMA, FACE_GAMMA = 20.0, 5.0
"""Signal-to-noise ratio from which on all levels weigh the same: sharp strokes are learned where noise is low."""
EMA_HALF_LIFE = 0.03
"""Of the run so far, so that the average is never held back by its start."""
PREVIEW_STEPS, FACE_GUIDANCE = 10, 2.0
PREVIEWED: tuple[dict[str, int], ...] = (
    {},
    {"Male": 1, "Smiling": 1},
    {"Male": -1, "Smiling": 1, "Blond_Hair": 1},
    {"Male": 1, "Eyeglasses": 1, "Young": -1},
    {"Male": -1, "Black_Hair": 1, "Bangs": 1},
    {"Male": 1, "No_Beard": -1, "Wearing_Hat": 1},
)
ENCODED_AT_ONCE = 128


class _DiffusionRecipe:
    """What the two have in common: a denoiser, its average and how they learn."""

    compiled: tuple[str, ...] = ("model",)

    def __init__(self, args: dict[str, Any]) -> None:
        self.args = args
        self.model = diffusion.Denoiser(**args)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {"model": self.model, "average": self.average}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        }

    def _learn(self, pictures: Tensor, labels: Tensor, step: Step, gamma: float) -> dict[str, Tensor]:
        with step.autocast():
            loss = denoising_loss(self.model, pictures, labels, step, gamma)
        step.update(
            self.optimizers["adamw"], loss, LEARNING_RATE * warm_cosine(step.progress, WARMUP), clip=GRADIENT_NORM
        )
        follow(self.average, self.model, 0.5 ** (1 / (1 + EMA_HALF_LIFE * step.index)))
        return {"loss": loss.detach()}

    def _drawn(self, labels: Tensor, guidance_scale: float) -> Tensor:
        """One picture for each row of labels, from the same noise each time."""
        x = picture_noise(0, len(labels), *self.average.picture)
        rngs = generators(0, len(labels))
        *_, last = diffusion.denoise(self.average, x, labels, rngs, "ddim", PREVIEW_STEPS, guidance_scale)
        return last.pred_x0

    def _example(self, labels: Tensor) -> dict[str, Tensor]:
        """One call of the network at four noise levels, for four rows of labels."""
        x_t = picture_noise(2, 4, *self.average.picture)
        return {"x_t": x_t, "timesteps": torch.tensor([999, 600, 300, 0]), "labels": labels}

    def _details(self, gamma: float) -> dict[str, Any]:
        return {
            "parameters": sum(p.numel() for p in self.average.parameters()),
            "noise": f"{self.average.schedule}, {diffusion.TIMESTEPS:,} levels",
            "loss": f"squared error of the velocity, min-SNR weights with gamma {gamma:g}",
            "learning rate": f"{LEARNING_RATE:g}, warm-up over {WARMUP:.0%} of the run, then down a cosine to 0",
            "without label": f"{UNLABELLED:.0%} of the pictures",
            "EMA half-life": f"{EMA_HALF_LIFE:.0%} of the run so far",
        }


class DigitDiffusionRecipe(_DiffusionRecipe):
    name = "ddpm-mnist"
    needs: tuple[str, ...] = ("mnist",)

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (10_000, 64), "large": (12_000, 256)}[size]
        sizes: dict[str, dict[str, Any]] = {
            "small": {"channels": [64, 128]},
            "large": {"channels": [64, 128], "layers": 2},
        }
        super().__init__(sizes[size])

    def load_data(self, sources: Sources) -> Pictures:
        return _asking(mnist(sources.root(), "train"))

    def made_up_data(self) -> Pictures:
        return _asking(made_up_digits())

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        return self._learn(pictures, labels * (step.uniform(1) >= UNLABELLED), step, DIGIT_GAMMA)

    def preview(self) -> Tensor:
        """Five of each digit."""
        return self._drawn(F.one_hot(torch.arange(10).repeat_interleave(5), 10).float(), guidance_scale=1)

    def exports(self, sources: Sources) -> list[Export]:
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="diffusion.Denoiser",
                args=self.args,
                example=self._example(F.one_hot(torch.tensor([3, 1, 4, 7]), 10).float()),
                summary="Draws the digit that is asked for out of noise, step by step.",
                data=TRAINING_DIGITS,
                licence="cc-by-sa-3.0",
                details=self._details(DIGIT_GAMMA),
            )
        ]


class FaceDiffusionRecipe(_DiffusionRecipe):
    """In the latents of the checkpoint `face-autoencoder`, computed once, with those of the mirrored faces."""

    name = "ddpm-celeba"
    needs: tuple[str, ...] = ("celeba",)

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (16_000, 64), "large": (12_000, 256)}[size]
        sizes: dict[str, dict[str, Any]] = {
            "small": {"channels": [128, 192]},
            "large": {"channels": [128, 192], "attention": True},
        }
        latents = {"picture": [16, 8, 8], "labels": len(ATTRIBUTES), "patch": 1, "clip": None}
        super().__init__({**latents, **sizes[size]})

    def load_data(self, sources: Sources) -> Pictures:
        autoencoder = ModelStore(sources.checkpoints, torch.device("cpu")).get("face-autoencoder")
        people, device = faces(sources.root(), "train"), choose_device(sources.device)
        return self._in_latents(people, cast(FaceAutoencoder, autoencoder), device)

    def made_up_data(self) -> Pictures:
        autoencoder = FaceAutoencoder().eval().requires_grad_(False)
        return self._in_latents(made_up_faces().part(0, 32), autoencoder, torch.device("cpu"))

    def _in_latents(self, people: Pictures, autoencoder: FaceAutoencoder, device: torch.device) -> Pictures:
        self.frozen["autoencoder"] = autoencoder
        latents = latents_of(autoencoder, torch.cat([people.pixels, people.pixels.flip(3)]), device)
        if latents.shape[1:] != self.model.picture:
            raise InputError(
                "The latents of {autoencoder} are {found}; {name} is built for {wanted}.",
                autoencoder="face-autoencoder",
                found=tuple(latents.shape[1:]),
                name=self.name,
                wanted=self.model.picture,
            )
        return Pictures(latents, (people.labels.float() * 2 - 1).repeat(2, 1))

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        """Of each face some attributes are kept back, from none to all, so that any few can be asked for."""
        said = step.uniform(labels.shape[1]) >= step.uniform(1)
        return self._learn(pictures, labels * said * (step.uniform(1) >= UNLABELLED), step, FACE_GAMMA)

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Five faces for each of `PREVIEWED`."""
        asked = [[request.get(name, 0) for name in ATTRIBUTES] for request in PREVIEWED]
        labels = torch.tensor(asked).float().repeat_interleave(5, dim=0)
        latents = self._drawn(labels, FACE_GUIDANCE)
        return cast(FaceAutoencoder, self.frozen["autoencoder"]).decode(latents).clamp(-1, 1)

    def exports(self, sources: Sources) -> list[Export]:
        people = faces(sources.root(), "train")
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="diffusion.Denoiser",
                args=self.args,
                example=self._example(torch.eye(4, len(ATTRIBUTES))),
                summary="Draws faces out of noise in the latents of face-autoencoder, with the attributes that are "
                "asked for. For non-commercial research only, as CelebA is. CelebA's people are celebrities, mostly "
                "young and white, and its labels are noisy and follow the taste of those who labelled.",
                data=f"CelebA, {len(people):,} aligned faces, and each mirrored",
                licence="other",
                details=self._details(FACE_GAMMA) | {"attributes": "of each face some kept back, from none to all"},
            )
        ]


def denoising_loss(model: nn.Module, x0: Tensor, labels: Tensor, step: Step, gamma: float | None = 5.0) -> Tensor:
    """Mean squared error of the velocity, min-SNR weighted; the batch is spread evenly over the noise levels.

    Args:
        model: called as a `Denoiser` is, with `alphas_cumprod` of its own.
        x0: pictures or latents (B, C, H, W).
        labels: whatever the model takes.
        gamma: of the weights; None gives all noise levels the same.
    """
    place = (step.uniform()[0] + torch.arange(len(x0), device=x0.device) / len(x0)) % 1
    timesteps = (place * diffusion.TIMESTEPS).long()
    level = cast(Tensor, model.alphas_cumprod)[timesteps]
    noise = step.normal(*x0.shape[1:])
    v = model(diffusion.q_sample(x0, noise, level), timesteps, labels).float()
    error = (v - diffusion.velocity(x0, noise, level)).square().mean(dim=(1, 2, 3))
    loss: Tensor = (error if gamma is None else diffusion.min_snr_weight(level, gamma) * error).mean()
    return loss


@torch.no_grad()
def latents_of(autoencoder: FaceAutoencoder, pixels: Tensor, device: torch.device) -> Tensor:
    """Latents of pictures (N, 3, 64, 64) uint8 as float16, which is finer than the noise they are given."""
    autoencoder.to(device)
    batches = (pixels[i : i + ENCODED_AT_ONCE].to(device) for i in range(0, len(pixels), ENCODED_AT_ONCE))
    return torch.cat([autoencoder.encode(batch.float() / 127.5 - 1).half().cpu() for batch in batches])


def _asking(digits: Pictures) -> Pictures:
    """Each digit with the row of numbers that asks for it."""
    return Pictures(digits.pixels, F.one_hot(digits.labels, 10).float())
