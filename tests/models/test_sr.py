"""The super-resolution network: what goes in, what comes out, and how it begins; and how near that is."""

import math
from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from imagegen.images import to_tensor
from imagegen.models.sr import PatchCritic, SuperResolver, luma, psnr, ssim, upscale


@pytest.fixture
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((97, 82), Image.Resampling.BICUBIC)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3, 7, 12), (1, 3, 40, 24)])
def test_each_side_is_four_times_as_long(shape: tuple[int, ...]) -> None:
    with torch.no_grad():
        output = SuperResolver(8, 1)(noise(*shape))
    assert output.shape == (shape[0], 3, shape[2] * 4, shape[3] * 4)


def test_it_has_at_most_300_000_parameters() -> None:
    assert sum(p.numel() for p in SuperResolver().parameters()) == 107_248


def test_details_are_added_to_copies_of_the_pixels() -> None:
    network = SuperResolver(8, 2)
    with torch.no_grad():
        network.tail.weight.zero_()
        network.tail.bias.zero_()
        output = network(noise(2, 3, 5, 6))
    assert torch.equal(output, F.interpolate(noise(2, 3, 5, 6), scale_factor=4, mode="nearest"))


def test_a_fresh_network_is_not_far_from_the_copies() -> None:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(0)
        output = SuperResolver()(noise(1, 3, 32, 32))
    copies = F.interpolate(noise(1, 3, 32, 32), scale_factor=4, mode="nearest")
    assert 0 < (output - copies).abs().mean() < 0.2


def test_a_pixel_sees_no_further_than_its_convolutions_reach() -> None:
    network = SuperResolver(8, 2)  # 6 convolutions of 3x3: 6 pixels in each direction
    low_res = noise(1, 3, 17, 17).requires_grad_()
    network(low_res)[0, :, 32:36, 32:36].sum().backward()  # the middle pixel's block
    assert low_res.grad is not None
    assert network.context == 6
    rows = low_res.grad.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
    assert (rows.min(), rows.max()) == (2, 14)


def test_upscale_stays_in_range_and_keeps_no_gradient() -> None:
    network = SuperResolver(8, 1)
    with torch.no_grad():
        network.tail.bias.fill_(1.5)
    output = upscale(network, noise(1, 3, 9, 5))
    assert output.shape == (1, 3, 36, 20)
    assert output.max() == 1
    assert output.min() >= -1
    assert not output.requires_grad


def test_the_critic_gives_a_logit_for_each_patch() -> None:
    assert PatchCritic(4)(noise(2, 3, 64, 32)).shape == (2, 1, 8, 4)


def test_the_critics_layers_do_not_magnify() -> None:
    critic = PatchCritic(4)
    with torch.no_grad():
        for _ in range(50):  # each takes one power iteration
            critic(noise(1, 3, 16, 16))
        critic.eval()
        largest = [
            torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
            for layer in critic.layers
            if isinstance(layer, torch.nn.Conv2d)
        ]
    assert torch.allclose(torch.stack(largest), torch.ones(5), atol=0.05)


def test_luma_runs_from_16_to_235() -> None:
    pictures = torch.stack([torch.full((3, 9, 10), -1.0), torch.ones(3, 9, 10)])
    assert luma(pictures).shape == (2, 1, 1, 2)
    assert torch.allclose(luma(pictures)[:, 0, 0, 0], torch.tensor([16.0, 235.0]), atol=0.01)


def test_psnr_of_a_known_error(photo: Image.Image) -> None:
    high_res = to_tensor(photo)
    one_level_off = high_res + 1 / 127.5
    assert psnr(one_level_off, high_res) == pytest.approx(20 * math.log10(255 * 255 / 219), abs=0.01)


def test_the_border_is_not_judged(photo: Image.Image) -> None:
    high_res = to_tensor(photo)
    spoilt = torch.zeros_like(high_res)
    spoilt[..., 4:-4, 4:-4] = high_res[..., 4:-4, 4:-4]
    assert psnr(spoilt, high_res) == math.inf
    assert ssim(spoilt, high_res) == 1


def test_ssim_is_that_of_torchmetrics(photo: Image.Image) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    high_res = to_tensor(photo)
    noise = torch.randn(high_res.shape, generator=torch.Generator().manual_seed(0))
    values = [ssim(high_res + amount * noise, high_res) for amount in (0.02, 0.2)]
    assert 1 > values[0] > values[1]
    for amount, value in zip((0.02, 0.2), values, strict=True):
        pair = luma(high_res + amount * noise), luma(high_res)
        theirs = cast(torch.Tensor, structural_similarity_index_measure(*pair, data_range=255.0))
        assert value == pytest.approx(theirs.item(), abs=1e-5)
