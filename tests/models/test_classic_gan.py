"""The classic GANs' networks, and their losses where the answer is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.models.classic_gan import (
    DcganDiscriminator,
    DcganGenerator,
    MlpDiscriminator,
    MlpGenerator,
    discriminator_loss,
    generator_loss,
)

DIGITS = {"start": 7, "widths": (4, 2), "colours": 1}
FACES = {"start": 4, "widths": (8, 4, 2, 2), "colours": 3}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("generator", "discriminator", "shape"),
    [
        (MlpGenerator(hidden=8), MlpDiscriminator(hidden=8), (1, 28, 28)),
        (DcganGenerator(**DIGITS), DcganDiscriminator(**DIGITS), (1, 28, 28)),
        (DcganGenerator(**FACES), DcganDiscriminator(**FACES), (3, 64, 64)),
    ],
)
def test_a_code_becomes_a_picture_and_a_picture_a_logit(
    generator: nn.Module, discriminator: nn.Module, shape: tuple[int, ...]
) -> None:
    pictures = generator(normal(3, 100))
    assert pictures.shape == (3, *shape)
    assert pictures.abs().max() <= 1
    assert (generator(normal(3, 100, seed=1)) - pictures).abs().max() > 1 / 255
    assert discriminator(pictures).shape == (3,)


def test_the_face_networks_are_those_of_the_paper() -> None:
    generator, discriminator = DcganGenerator(), DcganDiscriminator()
    assert sum(p.numel() for p in generator.parameters()) == pytest.approx(3.58e6, rel=0.01)
    assert sum(p.numel() for p in discriminator.parameters()) == pytest.approx(2.77e6, rel=0.01)
    for network in (generator, discriminator):
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_the_losses_are_cross_entropies() -> None:
    real, fake = normal(50), normal(50, seed=1)
    ones, zeros = torch.ones(50), torch.zeros(50)
    entropy = F.binary_cross_entropy_with_logits
    expected = entropy(real, ones) + entropy(fake, zeros)
    assert discriminator_loss(real, fake).item() == pytest.approx(expected.item(), rel=1e-5)
    assert generator_loss(fake).item() == pytest.approx(entropy(fake, ones).item(), rel=1e-5)


def test_losses_of_a_discriminator_that_knows_nothing() -> None:
    logits = torch.zeros(5)
    assert discriminator_loss(logits, logits).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(logits).item() == pytest.approx(math.log(2))


def test_the_generator_still_learns_where_the_discriminator_is_sure() -> None:
    logits = torch.full((1,), -30.0, requires_grad=True)
    generator_loss(logits).backward()
    assert logits.grad == pytest.approx(-1)
