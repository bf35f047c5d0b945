"""`gan-mnist-mlp`, `gan-mnist-dcgan`, `gan-celeba`: the tutorials' GANs, to hold the others against.

And `gan-mnist-overpowered`, `gan-mnist-collapsed`, `gan-mnist-cured`: what goes wrong in such a training, and a cure.

Binary cross-entropy, one step of each network in turn, a constant learning rate. What tutorials often get wrong
is right here: real pictures lie in [-1, 1] like those of a tanh, a step never has a smaller last batch, and
the discriminator's step sends no gradient into the generator. The generator that ships is an average of its
weights.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imagegen.data.digits import TRAINING_DIGITS, made_up_digits, mnist
from imagegen.data.faces import faces, made_up_faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.models import classic_gan as gan
from imagegen.models.gan import gradient_penalty
from imagegen.training.recipe import Export, Step, follow

__all__ = ["BROKEN", "ClassicGanRecipe", "broken_digits", "dcgan_digits", "dcgan_faces", "mlp_digits"]

LEARNING_RATE = 2e-4
EMA_PICTURES = 50_000
"""Half-life of the weight average."""
BROKEN = {
    "gan-mnist-overpowered": (
        (5e-5, 1e-3), 0.0, "A GAN that was made to fail: its discriminator learned twenty times as fast as the "
        "generator."
    ),
    "gan-mnist-collapsed": (
        (1e-3, 1e-4), 0.0, "A GAN that was made to fail: its discriminator learned a tenth as fast as the generator, "
        "which collapsed to one picture for every code."
    ),
    "gan-mnist-cured": (
        (1e-3, 1e-3), 0.1, "The cure of gan-mnist-overpowered and gan-mnist-collapsed: both networks learn as fast, "
        "and R1 + R2 keeps the discriminator's slopes gentle."
    ),
}  # fmt: skip
"""Name -> learning rates of generator and discriminator, gamma, and the card's summary."""


@dataclass(frozen=True)
class _Data:
    needs: tuple[str, ...]
    load: Callable[[Path | None, str], Pictures]
    made_up: Callable[[], Pictures]
    facts: str
    licence: str
    mirrored: bool = False
    """Whether a picture's mirror image is as good."""
    caution: str = ""


_DIGITS = _Data(
    ("mnist",),
    mnist,
    made_up_digits,
    TRAINING_DIGITS,
    "cc-by-sa-3.0",
)
_FACES = _Data(
    ("celeba",),
    faces,
    made_up_faces,
    "CelebA, aligned training faces at 64x64 (the last 10,000 ids kept back for validation)",
    "other",
    mirrored=True,
    caution=" For non-commercial research only, as CelebA is. CelebA shows celebrities, mostly young, light-skinned "
    "and smiling, and so does this network; CelebA's attribute labels are noisy, and none were used here.",
)


class ClassicGanRecipe:
    """One generator and one discriminator, without labels.

    Args:
        name: of recipe and checkpoint.
        data: what it learns.
        generator, discriminator: fresh networks.
        args: constructor arguments of the generator.
        steps, batch: of a whole run.
        betas: of Adam.
        summary: for the card.
        rates: learning rates of generator and discriminator.
        gamma: weight of R1 + R2 (Mescheder et al. 2018) in the discriminator's loss.
    """

    compiled: tuple[str, ...] = ()
    """None: on CUDA torch.compile guesses wrong strides for what is one pixel wide, and stops (torch 2.11, H200)."""

    def __init__(
        self,
        name: str,
        data: _Data,
        generator: gan.MlpGenerator | gan.DcganGenerator,
        discriminator: nn.Module,
        args: Mapping[str, Any],
        steps: int,
        batch: int,
        betas: tuple[float, float],
        summary: str,
        rates: tuple[float, float] = (LEARNING_RATE, LEARNING_RATE),
        gamma: float = 0.0,
    ) -> None:
        self.name, self.data, self.args, self.summary = name, data, args, summary
        self.rates, self.gamma = rates, gamma
        self.needs = data.needs
        self.steps, self.batch = steps, batch
        self.betas = betas
        self.generator, self.discriminator = generator, discriminator
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {
            "generator": generator,
            "discriminator": discriminator,
            "average": self.average,
        }
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), betas=betas, fused=True)
            for name in ("generator", "discriminator")
        }

    def load_data(self, sources: Sources) -> Pictures:
        return self.data.load(sources.root(0), "train")

    def made_up_data(self) -> Pictures:
        return self.data.made_up()

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        z = step.normal(self.generator.z_dim)
        if self.data.mirrored:
            pictures = torch.where(step.uniform(1, 1, 1) < 0.5, pictures.flip(3), pictures)
        rate_g, rate_d = self.rates
        with step.autocast():
            fake = self.generator(z).float()
            real, seen = (x.detach().requires_grad_(self.gamma > 0) for x in (pictures, fake))
            real_logits = self.discriminator(real).float()
            fake_logits = self.discriminator(seen).float()
            loss = loss_d = gan.discriminator_loss(real_logits, fake_logits)
            if self.gamma:
                r1, r2 = gradient_penalty(real, real_logits), gradient_penalty(seen, fake_logits)
                loss = loss + 0.5 * self.gamma * (r1 + r2)
        step.update(self.optimizers["discriminator"], loss, rate_d)

        self.discriminator.requires_grad_(False)
        with step.autocast():
            loss_g = gan.generator_loss(self.discriminator(fake).float())
        step.update(self.optimizers["generator"], loss_g, rate_g)
        self.discriminator.requires_grad_(True)

        half_life = min(EMA_PICTURES, 0.05 * step.batch * (step.index + 1))
        follow(self.average, self.generator, 0.5 ** (step.batch / half_life))
        return {
            "loss D": loss_d.detach(),
            "loss G": loss_g.detach(),
            "D(real)": real_logits.detach().sigmoid().mean(),
            "D(fake)": fake_logits.detach().sigmoid().mean(),
        }

    @torch.no_grad()
    def preview(self) -> Tensor:
        """The same 25 codes, drawn by the average."""
        z = torch.randn(25, self.average.z_dim, generator=torch.Generator().manual_seed(1))
        return self.average(z.to(next(self.average.parameters()).device))  # type: ignore[no-any-return]

    def exports(self, sources: Sources) -> list[Export]:
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name=f"classic_gan.{type(self.generator).__name__}",
                args=self.args,
                example={"z": torch.randn(4, self.average.z_dim, generator=torch.Generator().manual_seed(2))},
                summary=self.summary + self.data.caution,
                data=self.data.facts,
                licence=self.data.licence,
                details={
                    "loss": "binary cross-entropy, non-saturating"
                    + (f", R1 + R2 at gamma {self.gamma}" if self.gamma else ""),
                    "optimiser": f"Adam {self.betas}",
                    "learning rate": _said(self.rates),
                    "EMA half-life": f"{EMA_PICTURES:,} pictures",
                },
            )
        ]


def _said(rates: tuple[float, float]) -> float | str:
    generator, discriminator = rates
    return generator if generator == discriminator else f"{generator} (generator), {discriminator} (discriminator)"


def mlp_digits(size: str) -> ClassicGanRecipe:
    """The first GAN of most tutorials; it has one size."""
    return ClassicGanRecipe(
        "gan-mnist-mlp",
        _DIGITS,
        gan.MlpGenerator(),
        gan.MlpDiscriminator(),
        args={},
        steps=110_000,
        batch=100,
        betas=(0.9, 0.999),
        summary="Draws digits from a code of 100 numbers: the tutorials' first GAN, three linear layers.",
    )


def dcgan_digits(size: str) -> ClassicGanRecipe:
    large = size == "large"
    args: dict[str, Any] = {"start": 7, "widths": (256, 128) if large else (128, 64), "colours": 1}
    return ClassicGanRecipe(
        "gan-mnist-dcgan",
        _DIGITS,
        gan.DcganGenerator(**args),
        gan.DcganDiscriminator(**args),
        args=args,
        steps=40_000 if large else 12_000,
        batch=128 if large else 64,
        betas=(0.5, 0.999),
        summary="Draws digits from a code of 100 numbers: the tutorials' DCGAN.",
    )


def dcgan_faces(size: str) -> ClassicGanRecipe:
    """DCGAN as wide as in PyTorch's tutorial, which is half of the paper, or half of that for a CPU."""
    large = size == "large"
    args: dict[str, Any] = {"start": 4, "widths": (512, 256, 128, 64) if large else (256, 128, 64, 32), "colours": 3}
    return ClassicGanRecipe(
        "gan-celeba",
        _FACES,
        gan.DcganGenerator(**args),
        gan.DcganDiscriminator(**args),
        args=args,
        steps=40_000 if large else 10_000,
        batch=128 if large else 64,
        betas=(0.5, 0.999),
        summary="Draws faces of 64x64 from a code of 100 numbers: the DCGAN of Radford et al. (2015), "
        + ("half as wide." if large else "a quarter as wide."),
    )


def broken_digits(size: str, name: str) -> ClassicGanRecipe:
    """A narrow MLP GAN whose discriminator learns too fast, too slowly, or as fast and with R1 + R2; one size."""
    rates, gamma, what = BROKEN[name]
    return ClassicGanRecipe(
        name,
        _DIGITS,
        gan.MlpGenerator(hidden=128),
        gan.MlpDiscriminator(hidden=128),
        args={"hidden": 128},
        steps=4_000,
        batch=100,
        betas=(0.5, 0.999),
        summary=what,
        rates=rates,
        gamma=gamma,
    )
