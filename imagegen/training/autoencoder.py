"""`face-autoencoder`: faces and emoji as latents, for latent diffusion and text-to-image to paint in.

Trained without the pairs that text-to-image must combine by itself, since it is a part of it.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn, split

from imagegen.data.emoji import EmojiFact, emoji, made_up_emoji
from imagegen.data.faces import SIDE, faces, kept_out, made_up_faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.evaluation.features import BATCH
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.perceptual import Vgg19, load_vgg
from imagegen.training.recipe import Export, Step, follow, warm_cosine, young_decay

__all__ = ["AutoencoderRecipe"]

LEARNING_RATE = 2e-3
WARMUP = 0.05
KL_WEIGHT = 1e-4
"""Small: the latents need some noise around them so that diffusion may miss them a little, not a prior."""
LOOKS = 0.2
"""Weight of the VGG term against the mean error of pixels."""
LAYERS = ("relu1_1", "relu2_1", "relu3_1")
EMOJI_COPIES = 3
"""There are seven times as many faces, and an emoji is harder to copy."""
EMA_DECAY = 0.999
GRADIENT_NORM = 1.0
MEASURED = 4_096
"""Training pictures that the latents' mean and spread are measured on."""
SHOWN_SET, SHOWN = "noto", 25


class AutoencoderRecipe:
    name = "face-autoencoder"
    needs: tuple[str, ...] = ("celeba", "emoji")
    compiled: tuple[str, ...] = ("encoder", "decoder")

    def __init__(self, size: str) -> None:
        large = size == "large"
        self.args: dict[str, Any] = {
            "channels": (32, 64, 96, 128) if large else (16, 32, 64, 128),
            "latent_channels": 16,
        }
        self.steps, self.batch = (4_000, 128) if large else (10_000, 8)
        self.window = SIDE if large else SIDE // 2
        """Side of the window that the VGG looks at: on the whole picture it costs more than the autoencoder."""
        self.model = FaceAutoencoder(**self.args)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        vae = self.model.vae
        self.networks: dict[str, nn.Module] = {
            "encoder": vae.encoder,
            "to_latents": vae.quant_conv,
            "from_latents": vae.post_quant_conv,
            "decoder": vae.decoder,
            "average": self.average,
        }
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        }
        self.shown = torch.empty(0, 3, SIDE, SIDE)

    def load_data(self, sources: Sources) -> Pictures:
        self.frozen["vgg"] = load_vgg(sources.features, LAYERS[-1])
        return self._mixed(faces(sources.root(0), "train"), *emoji(sources.root(1), "train"))

    def made_up_data(self) -> Pictures:
        self.frozen["vgg"] = Vgg19(LAYERS[-1]).eval().requires_grad_(False)
        return self._mixed(made_up_faces(), *made_up_emoji())

    def _mixed(self, people: Pictures, icons: Pictures, facts: Sequence[EmojiFact]) -> Pictures:
        noto = torch.tensor([i for i, fact in enumerate(facts) if fact.set == SHOWN_SET])
        self.shown, _ = icons[noto[:: math.ceil(len(noto) / SHOWN)]]
        allowed = people.pixels[~kept_out(people.labels)]
        pixels = torch.cat([allowed, *[icons.pixels] * EMOJI_COPIES])
        return Pictures(pixels, torch.zeros(len(pixels)))

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        with step.autocast():
            mean, logvar = self.model.posterior(pictures)
            noise = step.normal(*mean.shape[1:])
            shown = self.model.decode(mean + (0.5 * logvar).exp() * noise)
        error = (shown.float() - pictures).abs().mean()
        looks = self._looks(shown, pictures, step)
        mean, logvar = mean.float(), logvar.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum() / pictures.numel()  # nats a value of the picture
        loss = error + LOOKS * looks + KL_WEIGHT * kl
        step.update(
            self.optimizers["adamw"], loss, LEARNING_RATE * warm_cosine(step.progress, WARMUP), clip=GRADIENT_NORM
        )
        follow(self.average, self.model, young_decay(EMA_DECAY, step.index))
        return {"error": error.detach(), "looks": looks.detach(), "KL": kl.detach()}

    def _looks(self, shown: Tensor, pictures: Tensor, step: Step) -> Tensor:
        """Mean over the layers of the features' error over their own size, within one window of all pictures."""
        top, left = (step.uniform(2)[0] * (SIDE - self.window + 1)).long().tolist()
        window = (..., slice(top, top + self.window), slice(left, left + self.window))
        with step.autocast():
            with torch.no_grad():
                wanted = self.frozen["vgg"](pictures[window])
            felt = self.frozen["vgg"](shown[window])
        errors = [(felt[k].float() - wanted[k].float()).abs().mean() / wanted[k].float().abs().mean() for k in LAYERS]
        return torch.stack(errors).mean()

    @torch.no_grad()
    def preview(self) -> Tensor:
        """The same training emoji, seen through the autoencoder; no face, since moments are shipped."""
        return self.average(self.shown.to(next(self.average.parameters()).device))  # type: ignore[no-any-return]

    def exports(self, sources: Sources) -> list[Export]:
        self._standardise(self.load_data(sources))
        example, _ = made_up_faces()[:2]
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="autoencoder.FaceAutoencoder",
                args=self.args,
                example={"x": example},
                summary="Squeezes a face or an emoji of 64x64 into a small grid of latents and back; latent diffusion "
                "and text-to-image paint in it. For non-commercial research only, as CelebA is. CelebA shows "
                "celebrities, mostly young, light-skinned and smiling; others may be copied less well.",
                data="CelebA, aligned training faces at 64x64 (the last 10,000 ids kept back, and glasses with blond "
                "hair, grey hair or a hat), and emoji, every 20th name kept back: Noto Emoji and Blobmoji (Apache-2.0) "
                "and EmojiTwo (art CC BY 4.0)",
                licence="other",
                details={
                    "loss": f"mean absolute error + {LOOKS} x that of features + {KL_WEIGHT} x KL",
                    "features": f"VGG-19 {', '.join(LAYERS)}, a window of {self.window} px",
                    "emoji": f"each {EMOJI_COPIES} times as often as a face",
                    "learning rate": f"{LEARNING_RATE}, cosine to 0",
                    "gradient norm": f"at most {GRADIENT_NORM}",
                    "EMA decay": EMA_DECAY,
                    "latents": f"mean 0, variance 1 in each channel, measured on {MEASURED:,} training pictures",
                },
            )
        ]

    @torch.no_grad()
    def _standardise(self, pictures: Pictures) -> None:
        chosen = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[:MEASURED]
        latents = torch.cat([self.average.encode(pictures[part][0]) for part in split(chosen, BATCH)])
        self.average.standardise(latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3)))
