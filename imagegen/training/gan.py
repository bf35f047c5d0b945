"""`gan-mnist`: a conditional GAN on MNIST with the losses of R3GAN (Huang et al. 2024).

Relativistic pairing loss, gradient penalties on real (R1) and generated (R2) digits, no tricks besides; the
generator that ships is an average of its weights.
"""

import copy
import math

import torch
from torch import Tensor, nn

from imagegen.data.digits import TRAINING_DIGITS, made_up_digits, mnist
from imagegen.data.pictures import Pictures, Sources
from imagegen.models import gan
from imagegen.training.recipe import Export, Step, follow

__all__ = ["ConditionalGanRecipe"]

LEARNING_RATE = 8e-4, 5e-5
"""From, to."""
GAMMA = 0.05, 0.005
"""Weight of the gradient penalties, from, to."""
PENALTY_EVERY = 4
"""Steps between penalties, each then that many times as heavy (lazy regularisation, Karras et al. 2020)."""
EMA_PICTURES = 50_000
"""Half-life of the weight average."""
DIRECTIONS = 8
STYLES = 4_096
"""Styles a digit that the directions are found from."""
NAMING = 40
"""Styles a digit that the directions are named by."""
NOTICEABLE = 0.8
"""A direction has a name if it moves a measure by this many of the measure's own standard deviations."""


class ConditionalGanRecipe:
    name = "gan-mnist"
    needs: tuple[str, ...] = ("mnist",)
    batch = 128
    compiled: tuple[str, ...] = ("generator",)  # the penalty needs the discriminator's second derivative

    def __init__(self, size: str) -> None:
        self.steps = {"small": 6_300, "large": 80_000}[size]
        self.frozen: dict[str, nn.Module] = {}
        self.generator = gan.ConditionalGenerator()
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.discriminator = gan.ConditionalDiscriminator()
        self.networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
        }
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), betas=(0.0, 0.99), fused=True)
            for name in ("generator", "discriminator")
        }

    def load_data(self, sources: Sources) -> Pictures:
        return mnist(sources.root(), "train")

    def made_up_data(self) -> Pictures:
        return made_up_digits()

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        lr = _slide(LEARNING_RATE, step.progress)
        measured = self._discriminator_step(pictures, labels, step, lr)
        measured |= self._generator_step(pictures, labels, step, lr)
        half_life = min(EMA_PICTURES, 0.05 * step.batch * (step.index + 1))
        follow(self.average, self.generator, 0.5 ** (step.batch / half_life))
        return measured

    def _discriminator_step(self, real: Tensor, labels: Tensor, step: Step, lr: float) -> dict[str, Tensor]:
        penalise = step.index % PENALTY_EVERY == 0
        with step.autocast():
            with torch.no_grad():
                fake = self.generator(step.normal(self.generator.z_dim), labels).float()
            pictures = torch.cat([real, fake]).requires_grad_(penalise)
            logits = self.discriminator(pictures, labels.repeat(2)).float()
            real_logits, fake_logits = logits.chunk(2)
            loss = adversarial = gan.discriminator_loss(real_logits, fake_logits)
            if penalise:
                r1_r2 = 2 * gan.gradient_penalty(pictures, logits)  # a mean over twice the pictures: R1 + R2
                loss = loss + 0.5 * PENALTY_EVERY * _slide(GAMMA, step.progress) * r1_r2
        step.update(self.optimizers["discriminator"], loss, lr)
        return {
            "loss D": adversarial.detach(),
            "D real - fake": (real_logits - fake_logits).detach().mean(),
        }

    def _generator_step(self, real: Tensor, labels: Tensor, step: Step, lr: float) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        with step.autocast():
            fake = self.generator(step.normal(self.generator.z_dim), labels)
            with torch.no_grad():
                real_logits = self.discriminator(real, labels)
            loss = gan.generator_loss(real_logits.float(), self.discriminator(fake, labels).float())
        step.update(self.optimizers["generator"], loss, lr)
        self.discriminator.requires_grad_(True)
        return {"loss G": loss.detach()}

    @torch.no_grad()
    def preview(self) -> Tensor:
        """The same 50 codes, five a digit."""
        device = next(self.average.parameters()).device
        z = torch.randn(50, self.average.z_dim, generator=torch.Generator().manual_seed(1))
        labels = torch.arange(10).repeat_interleave(5)
        return self.average(z.to(device), labels.to(device))  # type: ignore[no-any-return]

    def exports(self, sources: Sources) -> list[Export]:
        average, discriminator, data = self.average, self.discriminator, self.load_data(sources)
        z = torch.randn(4, average.z_dim, generator=torch.Generator().manual_seed(2))
        labels = torch.tensor([3, 1, 4, 7])
        common = {
            "data": TRAINING_DIGITS,
            "licence": "cc-by-sa-3.0",
            "details": {
                "loss": "relativistic pairing + R1 + R2",
                "learning rate": f"{LEARNING_RATE[0]} to {LEARNING_RATE[1]}",
                "gamma": f"{GAMMA[0]} to {GAMMA[1]}, every {PENALTY_EVERY} steps",
                "EMA half-life": f"{EMA_PICTURES:,} pictures",
            },
        }
        with torch.no_grad():
            pictures = average(z, labels)
            real = torch.stack(
                [discriminator(*data[(data.labels == digit).nonzero()[:1000, 0]]) for digit in range(10)]
            )  # (10, 1000)
        return [
            Export(
                name=self.name,
                model=average,
                class_name="gan.ConditionalGenerator",
                args={"z_dim": average.z_dim, "w_dim": average.w_dim, "width": average.width},
                example={"z": z, "labels": labels},
                summary="Draws the digit that is asked for from a code of 64 numbers.",
                assets=_styles(average),
                **common,  # type: ignore[arg-type]
            ),
            Export(
                name=f"{self.name}-discriminator",
                model=discriminator,
                class_name="gan.ConditionalDiscriminator",
                args={"width": discriminator.width},
                example={"x": pictures, "labels": labels},
                summary="The critic that gan-mnist learned from: the more a digit looks like MNIST, the higher "
                "its logit.",
                assets={
                    "real_means": real.mean(dim=1),
                    "real_std": (real - real.mean(dim=1, keepdim=True)).std(),
                },
                **common,  # type: ignore[arg-type]
            ),
        ]


def _slide(ends: tuple[float, float], progress: float) -> float:
    """From the first value to the second along half a cosine."""
    return ends[1] + (ends[0] - ends[1]) * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def _styles(generator: gan.ConditionalGenerator) -> dict[str, Tensor]:
    """Mean style of each digit, and the directions in which styles of one digit differ most.

    `directions` (8, w_dim) are principal components times their standard deviation (GANSpace, Härkönen et
    al. 2020), so that a slider at 1 moves by one standard deviation. `direction_names` (8,) says what each
    does, as an index into `gan.MEASURES`, or -1.
    """
    z = torch.randn(STYLES, generator.z_dim, generator=torch.Generator().manual_seed(3))
    styles = torch.stack(
        [generator.mapping(z, generator.embed(torch.full((STYLES,), digit))) for digit in range(gan.CLASSES)]
    )  # (10, STYLES, w_dim)
    means = styles.mean(dim=1)
    centred = (styles - means[:, None]).flatten(0, 1)
    _, scale, components = torch.linalg.svd(centred, full_matrices=False)
    directions = components[:DIRECTIONS] * scale[:DIRECTIONS, None] / len(centred) ** 0.5
    names, signs = _name(generator, styles[:, :NAMING].flatten(0, 1), directions)
    return {"w_means": means, "directions": directions * signs[:, None], "direction_names": names}


def _name(generator: gan.ConditionalGenerator, w: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """For each direction the measure that it changes most, each measure used once, and the sign that makes it grow.

    The change from -2 to +2 standard deviations is compared with how much the measure varies by itself.
    """
    spread = gan.measure(generator.synthesis(w)).std(dim=0)
    effects = torch.stack(
        [
            (gan.measure(generator.synthesis(w + 2 * d)) - gan.measure(generator.synthesis(w - 2 * d))).mean(dim=0)
            for d in directions
        ]
    )  # (directions, measures)
    effects = effects / spread
    names = torch.full((len(directions),), -1)
    signs = torch.ones(len(directions))
    free = effects.abs().clone()
    while free.max() > NOTICEABLE:
        direction, kind = divmod(int(free.argmax()), free.shape[1])
        names[direction], signs[direction] = kind, effects[direction, kind].sign()
        free[direction], free[:, kind] = 0, 0
    return names, signs
