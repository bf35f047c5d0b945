"""`vae-mnist`, `vae-mnist-2d`, `ae-mnist-2d`, `vae-celeba`: pictures squeezed through a code, and back.

Digits: every pixel is drawn black or white anew at each step, by its grey level (dynamic binarisation), so that the
Bernoulli likelihood is one. Faces: a Gaussian as wide as the errors of the batch (sigma-VAE, Rybkin et al. 2021),
and beside the ELBO the same for features of a VGG, because pixels alone reward blur.
"""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.digits import TRAINING_DIGITS, made_up_digits, mnist
from imagegen.data.faces import faces, made_up_faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.evaluation.features import BATCH, in_batches
from imagegen.evaluation.measures import area_under_curve
from imagegen.models import vae
from imagegen.models.perceptual import Vgg19, load_vgg
from imagegen.training.recipe import Export, Step, follow, warm_cosine, young_decay

__all__ = ["DigitVaeRecipe", "FaceVaeRecipe", "autoencoder_2d", "vae_2d", "vae_digits"]

LR_WARMUP = 0.02
KL_WARMUP = 0.1
"""Share of the run in which the weight of the KL grows to 1: latents are used before they are taxed."""
EMA_DECAY = 0.999
CODES = 5_000
"""Test digits whose place on the plane ships."""
ATLAS_SIDE = 25
"""Tiles a side of the decoded plane."""
ATLAS_QUANTILE = 0.005
"""Share of the codes left out beyond each edge of the plane."""
LAYERS = ("relu1_1", "relu2_1", "relu3_1")
LOOKS = 0.5
"""Weight of the VGG term against the pixels' likelihood."""
SEEN = {"small": 0.25, "large": 1.0}
"""Share of a batch that the VGG looks at: it costs more than the autoencoder."""


class _VaeRecipe:
    """What all have in common: the networks, the average that ships, and how they are updated.

    Args:
        name: of recipe and checkpoint.
        args: constructor arguments of the network.
        steps, batch: of a whole run.
        lr: highest learning rate.
        summary: for the card.
    """

    compiled: tuple[str, ...] = ("encoder", "decoder")

    def __init__(self, name: str, args: Mapping[str, Any], steps: int, batch: int, lr: float, summary: str) -> None:
        self.name, self.args, self.steps, self.batch = name, args, steps, batch
        self.lr, self.summary = lr, summary
        self.model = vae.Vae(**args)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {
            "encoder": self.model.encoder,
            "decoder": self.model.decoder,
            "average": self.average,
        }
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99), fused=True)
        }

    def _update(self, loss: Tensor, step: Step) -> None:
        step.update(self.optimizers["adamw"], loss, self.lr * warm_cosine(step.progress, LR_WARMUP))
        follow(self.average, self.model, young_decay(EMA_DECAY, step.index))

    @torch.no_grad()
    def preview(self) -> Tensor:
        """The same 25 codes of N(0, 1); on a plane, 5 by 5 places of equal share."""
        if self.average.z_dim == 2:
            quantiles = torch.special.ndtri(torch.linspace(0.1, 0.9, 5))
            z = torch.cartesian_prod(quantiles, quantiles).flip(1)  # x runs along a row
        else:
            z = torch.randn(25, self.average.z_dim, generator=torch.Generator().manual_seed(1))
        return vae.picture(self.average.decode(z.to(next(self.average.parameters()).device)))


class DigitVaeRecipe(_VaeRecipe):
    """Digits of 28x28."""

    needs: tuple[str, ...] = ("mnist",)
    variational = True
    """Whether there are noise and KL."""

    def load_data(self, sources: Sources) -> Pictures:
        return mnist(sources.root(), "train")

    def made_up_data(self) -> Pictures:
        return made_up_digits()

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        x = (step.uniform(*pictures.shape[1:]) < 0.5 * pictures + 0.5).float()
        noise = step.normal(self.model.z_dim)
        with step.autocast():
            mu, logvar = self.model.encode(2 * x - 1)
            logits = self.model.decode(vae.reparametrise(mu, logvar, noise) if self.variational else mu)
        reconstruction = -vae.bernoulli_log_likelihood(x, logits).mean()
        if not self.variational:
            self._update(reconstruction, step)
            return {"reconstruction": reconstruction.detach()}
        kl = vae.kl_per_latent(mu, logvar).sum(dim=1).mean()
        self._update(reconstruction + min(1.0, step.progress / KL_WARMUP) * kl, step)
        return {"-ELBO": (reconstruction + kl).detach(), "reconstruction": reconstruction.detach(), "KL": kl.detach()}

    def exports(self, sources: Sources) -> list[Export]:
        test, labels = mnist(sources.root(), "test")[:CODES]
        mu, logvar = in_batches(self.average.encoder, test).chunk(2, dim=1)
        assets = {"kl_per_latent": vae.kl_per_latent(mu, logvar).mean(dim=0)} if self.variational else {}
        if self.average.z_dim == 2:
            assets |= {"mu": mu.contiguous(), "labels": labels, **_atlas(self.average, mu)}
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="vae.Vae",
                args=self.args,
                example={"x": made_up_digits()[:4][0]},
                assets=assets,
                summary=self.summary,
                data=TRAINING_DIGITS,
                licence="cc-by-sa-3.0",
                details={
                    "loss": "-ELBO in nats, Bernoulli" if self.variational else "Bernoulli cross-entropy in nats",
                    "binarisation": "drawn anew at each step by the grey levels",
                    **({"KL weight": f"0 to 1 in the first {KL_WARMUP:.0%}"} if self.variational else {}),
                    "learning rate": f"{self.lr}, cosine to 0",
                    "EMA decay": EMA_DECAY,
                },
            )
        ]


def vae_digits(size: str) -> DigitVaeRecipe:
    large = size == "large"
    return DigitVaeRecipe(
        "vae-mnist",
        {"z_dim": 32, "widths": (64, 128), "depth": 3} if large else {"z_dim": 32},
        steps=40_000 if large else 32_000,
        batch=512 if large else 128,
        lr=2e-3 if large else 3e-3,
        summary="Squeezes a digit into 32 numbers and back, and knows how likely each digit is.",
    )


class PlainAutoencoderRecipe(DigitVaeRecipe):
    """The same without noise and KL: what the two are for."""

    variational = False


def vae_2d(size: str) -> DigitVaeRecipe:
    summary = "Squeezes a digit into two numbers: every digit is a place on a map without holes."
    return _on_a_plane(DigitVaeRecipe, "vae-mnist-2d", size, summary)


def autoencoder_2d(size: str) -> DigitVaeRecipe:
    summary = "A plain autoencoder with two numbers a digit, to hold against vae-mnist-2d: its map has holes."
    return _on_a_plane(PlainAutoencoderRecipe, "ae-mnist-2d", size, summary)


def _on_a_plane(kind: type[DigitVaeRecipe], name: str, size: str, summary: str) -> DigitVaeRecipe:
    large = size == "large"
    return kind(
        name,
        {"z_dim": 2, "widths": (32, 64), "depth": 3} if large else {"z_dim": 2},
        steps=40_000 if large else 13_000,
        batch=512 if large else 128,
        lr=2e-3,
        summary=summary,
    )


class FaceVaeRecipe(_VaeRecipe):
    """Faces of 64x64; a VGG-19 looks at the reconstructions too."""

    needs: tuple[str, ...] = ("celeba",)

    def __init__(self, size: str) -> None:
        large = size == "large"
        args = {
            "channels": 3,
            "size": 64,
            "z_dim": 128,
            "widths": (32, 64, 96, 128),
            "hidden": 512,
            "depth": 2 if large else 1,
        }
        summary = (
            f"Squeezes a face into {args['z_dim']} numbers and back. For non-commercial research only, as CelebA is. "
            "CelebA shows celebrities, mostly young, light-skinned and smiling, and so does this network; CelebA's "
            "attribute labels, which name its directions, are noisy."
        )
        super().__init__(
            "vae-celeba",
            args,
            steps=8_000 if large else 6_000,
            batch=256 if large else 64,
            lr=1e-3,
            summary=summary,
        )
        self.seen = SEEN[size]

    def load_data(self, sources: Sources) -> Pictures:
        self.frozen["vgg"] = load_vgg(sources.features, "relu3_1")
        return faces(sources.root(), "train")

    def made_up_data(self) -> Pictures:
        self.frozen["vgg"] = Vgg19("relu3_1").requires_grad_(False)
        return made_up_faces()

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        noise = step.normal(self.model.z_dim)
        seen = math.ceil(self.seen * len(pictures))
        with step.autocast():
            mu, logvar = self.model.encode(pictures)
            shown = vae.picture(self.model.decode(vae.reparametrise(mu, logvar, noise)))
            with torch.no_grad():
                wanted = self.frozen["vgg"](pictures[:seen])
            felt = self.frozen["vgg"](shown[:seen])
        values = pictures[0].numel()
        reconstruction = values * _best_gaussian(shown, pictures)
        looks = values * torch.stack([_best_gaussian(felt[layer], wanted[layer]) for layer in LAYERS]).mean()
        kl = vae.kl_per_latent(mu, logvar).sum(dim=1).mean()
        self._update(reconstruction + min(1.0, step.progress / KL_WARMUP) * kl + LOOKS * looks, step)
        return {
            "-ELBO": (reconstruction + kl).detach(),
            "reconstruction": reconstruction.detach(),
            "KL": kl.detach(),
            "looks": looks.detach(),
        }

    def exports(self, sources: Sources) -> list[Export]:
        train, held_out = faces(sources.root(), "train"), faces(sources.root(), "test")
        mu, logvar = _codes(self.average, train)
        covariance = mu.T.cov() + logvar.exp().mean(dim=0).diag()
        model = vae.whitened(self.average, mu.mean(dim=0), covariance, **self.args).eval()
        directions = _directions(_codes(model, train)[0], train.labels)
        scores = _codes(model, held_out)[0] @ directions.T  # (N, attributes)
        validation, _ = faces(sources.root(), "validation")[:]
        mu, logvar = in_batches(model.encoder, validation).chunk(2, dim=1)
        error = vae.picture(in_batches(model.decoder, mu)) - validation
        return [
            Export(
                name=self.name,
                model=model,
                class_name="vae.Vae",
                args={**self.args, "axes": True},
                example={"x": made_up_faces()[:4][0]},
                assets={
                    "kl_per_latent": vae.kl_per_latent(mu, logvar).mean(dim=0),
                    "sigma": error.square().mean().sqrt(),
                    "directions": directions,
                    "direction_auc": torch.tensor(
                        [area_under_curve(scores[:, i], held_out.labels[:, i]) for i in range(len(directions))]
                    ),
                },
                summary=self.summary,
                data="CelebA, aligned training faces at 64x64 (the last 10,000 ids kept back for validation)",
                licence="other",
                details={
                    "loss": f"-ELBO in nats, Gaussian of the best width, + {LOOKS} x the same of features",
                    "features": f"VGG-19 {', '.join(LAYERS)}, {self.seen:.0%} of each batch",
                    "KL weight": f"0 to 1 in the first {KL_WARMUP:.0%}",
                    "prior": "after training, the Gaussian that fits the codes of the training faces, turned and "
                    "scaled into N(0, 1) (Ghosh et al. 2020)",
                    "learning rate": f"{self.lr}, cosine to 0",
                    "EMA decay": EMA_DECAY,
                },
            )
        ]


def _best_gaussian(shown: Tensor, wanted: Tensor) -> Tensor:
    """Nats a value under a Gaussian around `shown` of the best standard deviation, which is the root of the MSE."""
    return 0.5 * (1 + torch.log(2 * math.pi * (shown.float() - wanted.float()).square().mean()))


def _codes(model: vae.Vae, pictures: Pictures) -> tuple[Tensor, Tensor]:
    """mu and logvar, (N, z_dim) each, of all pictures."""
    parts = [in_batches(model.encoder, pictures[i : i + BATCH][0]) for i in range(0, len(pictures), BATCH)]
    mu, logvar = torch.cat(parts).chunk(2, dim=1)
    return mu, logvar


def _directions(codes: Tensor, labels: Tensor) -> Tensor:
    """From the mean code without an attribute to that with it, (attributes, z_dim).

    Each is as long as the codes' standard deviation along it, so that a slider at 1 moves by one.
    """
    has = labels.T.float()  # (attributes, N)
    with_it = has @ codes / has.sum(dim=1, keepdim=True)
    without = (1 - has) @ codes / (1 - has).sum(dim=1, keepdim=True)
    unit = F.normalize(with_it - without)
    return unit * (codes @ unit.T).std(dim=0)[:, None]


@torch.no_grad()
def _atlas(model: vae.Vae, mu: Tensor) -> dict[str, Tensor]:
    """The plane around the codes (N, 2), decoded.

    Returns:
        atlas: (ATLAS_SIDE, ATLAS_SIDE, 28, 28) uint8, grey levels; row i at the i-th y, column j at the j-th x.
        atlas_range: ((x of the first column, of the last), (y of the first row, of the last)).
    """
    edges = mu.quantile(torch.tensor([ATLAS_QUANTILE, 1 - ATLAS_QUANTILE]), dim=0).T  # (2, 2)
    x, y = (torch.linspace(low, high, ATLAS_SIDE) for low, high in edges.tolist())
    z = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # (ATLAS_SIDE, ATLAS_SIDE, 2)
    tiles = model.decode(z.flatten(0, 1)).sigmoid().mul(255).round().to(torch.uint8)
    return {"atlas": tiles.view(ATLAS_SIDE, ATLAS_SIDE, model.size, model.size), "atlas_range": edges.contiguous()}
