"""The GAN's networks, and its formulas where their answers are known."""

import math

import pytest
import torch
from torch import Tensor

from imagegen.models.gan import (
    MEASURES,
    ConditionalDiscriminator,
    ConditionalGenerator,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    measure,
    spherical,
    truncate,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_generator_shapes_and_range() -> None:
    generator = ConditionalGenerator(z_dim=8, w_dim=16, width=2)
    labels = torch.tensor([0, 5, 9])
    w = generator.mapping(normal(3, 8), generator.embed(labels))
    pictures = generator.synthesis(w)
    assert w.shape == (3, 16)
    assert pictures.shape == (3, 1, 28, 28)
    assert pictures.abs().max() <= 1
    assert torch.equal(generator(normal(3, 8), labels), pictures)


def test_code_and_label_both_change_the_picture() -> None:
    generator = ConditionalGenerator(z_dim=8, w_dim=16, width=2)
    z, other = normal(1, 8), normal(1, 8, seed=1)
    three, four = torch.tensor([3]), torch.tensor([4])
    assert (generator(z, three) - generator(other, three)).abs().max() > 1 / 255
    assert (generator(z, three) - generator(z, four)).abs().max() > 1 / 255


def test_the_networks_are_as_small_as_promised() -> None:
    assert sum(p.numel() for p in ConditionalGenerator().parameters()) <= 2_000_000


def test_the_critic_scores_each_digit_for_itself() -> None:
    discriminator = ConditionalDiscriminator(width=2)
    pictures, labels = normal(6, 1, 28, 28), torch.arange(6)
    together = discriminator(pictures, labels)
    assert together.shape == (6,)
    for i in range(6):
        assert torch.allclose(discriminator(pictures[i : i + 1], labels[i : i + 1])[0], together[i], atol=1e-5)


def test_the_critic_heeds_the_label() -> None:
    scores = ConditionalDiscriminator(width=2)(normal(1, 1, 28, 28).expand(10, -1, -1, -1), torch.arange(10))
    assert len(scores.unique()) == 10


def test_losses_of_equal_logits_are_log_2() -> None:
    logits = normal(5)
    for loss in (discriminator_loss, generator_loss):
        assert loss(logits, logits).item() == pytest.approx(math.log(2))


def test_the_two_want_the_opposite() -> None:
    real, fake = normal(5), normal(5, seed=1)
    assert discriminator_loss(real, fake) == generator_loss(fake, real)
    assert discriminator_loss(real + 9, real) < 0.001
    assert generator_loss(real + 9, real) > 8.9


def test_only_differences_of_logits_count() -> None:
    real, fake = normal(5), normal(5, seed=1)
    assert discriminator_loss(real + 3, fake + 3).item() == pytest.approx(discriminator_loss(real, fake).item())


def test_the_penalty_of_a_linear_critic_is_its_squared_norm() -> None:
    weight, pictures = normal(1, 28, 28), normal(4, 1, 28, 28, seed=1).requires_grad_()
    penalty = gradient_penalty(pictures, (pictures * weight).sum(dim=(1, 2, 3)))
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_the_penalty_can_be_learned_from() -> None:
    scale, pictures = torch.tensor(3.0, requires_grad=True), normal(2, 1, 28, 28).requires_grad_()
    gradient_penalty(pictures, scale * pictures.sum(dim=(1, 2, 3))).backward()  # 784 scale^2
    assert scale.grad == pytest.approx(2 * 3 * 784)


def test_truncation_goes_from_the_mean_to_the_style_and_beyond() -> None:
    w, mean = normal(2, 16), normal(2, 16, seed=1)
    assert torch.equal(truncate(w, mean, 0), mean)
    assert torch.allclose(truncate(w, mean, 1), w, atol=1e-6)
    assert torch.allclose(truncate(w, mean, 1.5) - mean, 1.5 * (w - mean), atol=1e-6)


def test_the_arc_keeps_its_ends_and_its_length() -> None:
    a, b = torch.zeros(1, 4), torch.zeros(1, 4)
    a[0, 0], b[0, 1] = 2, 2
    assert torch.allclose(spherical(a, b, 0), a, atol=1e-6)
    assert torch.allclose(spherical(a, b, 1), b, atol=1e-6)
    for t in (0.1, 0.5, 0.8):
        point = spherical(a, b, t)
        assert point.norm().item() == pytest.approx(2, rel=1e-5)
        assert torch.acos(point[0, 0] / 2).item() == pytest.approx(t * math.pi / 2, rel=1e-4)


def test_the_arc_between_equal_codes_is_that_code() -> None:
    a = normal(1, 8)
    assert torch.allclose(spherical(a, a, 0.3), a, atol=1e-5)


def bar(*, top: float = 5, bottom: float = 23, lean: float = 0, half_width: float = 1.5, foot: float = 0) -> Tensor:
    """A stroke (1, 28, 28); it leans right by `lean` pixels a row, and grows wider by `foot` pixels a row."""
    y, x = torch.arange(28.0)[:, None], torch.arange(28.0)[None, :]
    half = half_width + foot * (y - top)
    ink = (half + 0.5 - (x - 14 - lean * (14 - y)).abs()).clamp(0, 1) * ((y >= top) & (y <= bottom))
    return ink[None] * 2 - 1


@pytest.mark.parametrize(
    ("name", "rising"),
    [
        ("slant", [bar(lean=lean) for lean in (-0.4, -0.2, 0, 0.2, 0.4)]),
        ("thickness", [bar(half_width=half) for half in (0.5, 1, 2, 3)]),
        ("width", [bar(half_width=half) for half in (0.5, 1, 2, 3)]),
        ("height", [bar(top=14 - half, bottom=14 + half) for half in (4, 6, 8, 10)]),
        ("top-heavy", [bar(half_width=1, foot=0.3), bar(), bar(half_width=6.4, foot=-0.3)]),
    ],
)
def test_a_measure_rises_with_what_it_is_named_for(name: str, rising: list[Tensor]) -> None:
    values = measure(torch.stack(rising))[:, MEASURES.index(name)].tolist()
    assert values == sorted(values)
    assert values[-1] > 1.05 * values[0]


def test_slant_is_pixels_a_row_and_nothing_for_an_upright_stroke() -> None:
    slants = measure(torch.stack([bar(), bar(lean=0.3)]))[:, MEASURES.index("slant")]
    assert slants.tolist() == pytest.approx([0, 0.3], abs=0.02)


def test_corners_tell_a_box_from_a_cross() -> None:
    box, cross = torch.full((28, 28), -1.0), torch.full((28, 28), -1.0)
    box[6:22, 6:22] = 1
    box[9:19, 9:19] = -1
    cross[6:22, 12:16] = 1
    cross[12:16, 6:22] = 1
    corners = measure(torch.stack([box, cross])[:, None])[:, MEASURES.index("corners")]
    assert corners[0] > 2 * corners[1]
