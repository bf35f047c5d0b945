"""The autoencoder of latent diffusion: its grid, what standardising changes, and what it must leave alone."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from imagegen.models.autoencoder import FaceAutoencoder


@pytest.fixture
def autoencoder() -> FaceAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return FaceAutoencoder((4, 8, 8, 8), latent_channels=5, groups=2).eval().requires_grad_(False)


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_picture_becomes_a_grid_and_a_picture_again(autoencoder: FaceAutoencoder, pictures: Tensor) -> None:
    latents = autoencoder.encode(pictures)
    assert latents.shape == (3, 5, 8, 8)
    assert autoencoder.decode(latents).shape == pictures.shape
    assert torch.equal(autoencoder(pictures), autoencoder.decode(latents))


def test_each_resolution_but_the_first_halves_the_grid(pictures: Tensor) -> None:
    assert FaceAutoencoder((4, 8, 8), latent_channels=2).encode(pictures).shape == (3, 2, 16, 16)


def test_each_picture_is_coded_by_itself(autoencoder: FaceAutoencoder, pictures: Tensor) -> None:
    assert torch.allclose(autoencoder(pictures)[1:2], autoencoder(pictures[1:2]), atol=1e-5)


def test_standardised_latents_have_mean_0_and_variance_1_and_copies_stay(
    autoencoder: FaceAutoencoder, pictures: Tensor
) -> None:
    latents, logvar = autoencoder.posterior(pictures)
    copies = autoencoder(pictures)
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    assert mean.abs().max() > 0.01
    autoencoder.standardise(mean, std)
    now, logvar_now = autoencoder.posterior(pictures)
    assert torch.allclose(now.mean(dim=(0, 2, 3)), torch.zeros(5), atol=1e-4)
    assert torch.allclose(now.std(dim=(0, 2, 3)), torch.ones(5), atol=1e-4)
    assert torch.allclose(logvar_now.exp() * std[:, None, None] ** 2, logvar.exp(), rtol=1e-3)
    assert torch.allclose(autoencoder(pictures), copies, atol=1e-4)


def test_a_pipeline_of_diffusers_can_hold_the_same_weights(
    autoencoder: FaceAutoencoder, pictures: Tensor, tmp_path: Path
) -> None:
    from diffusers import AutoencoderKL

    autoencoder.vae.save_pretrained(tmp_path)
    loaded = AutoencoderKL.from_pretrained(tmp_path)
    latents = loaded.encode(pictures).latent_dist.mean * loaded.config.scaling_factor
    assert torch.allclose(latents, autoencoder.encode(pictures), atol=1e-5)
    copies = loaded.decode(latents / loaded.config.scaling_factor).sample
    assert torch.allclose(copies, autoencoder(pictures), atol=1e-5)
