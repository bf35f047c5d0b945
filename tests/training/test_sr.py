"""Super-resolution recipes: pairs stay pairs, the network learns, and the GAN starts where `sr-x4` ended."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import save_file

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.pictures import Sources
from imagegen.errors import CheckpointError
from imagegen.models.perceptual import SQUEEZENET_FILE, VGG_FILE, SqueezeNet, Vgg19
from imagegen.models.sr import SuperResolver
from imagegen.training.recipe import Step
from imagegen.training.recipes import build
from imagegen.training.sr import SuperResolutionGanRecipe, SuperResolutionRecipe, _turned

pytestmark = pytest.mark.usefixtures("new_accelerator")


def step_at(index: int, batch: int, total: int = 100) -> Step:
    return Step(Accelerator(cpu=True, mixed_precision="no"), seed=0, index=index, total=total, batch=batch)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((160, 128), Image.Resampling.BICUBIC).save(file, "PNG")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("one.png", file.getvalue())
    return tmp_path / "photos.zip"


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A VGG-19 of noise in the form of the normalised one, and a SqueezeNet of noise."""
    model = Vgg19("relu3_1", "reflect")
    named = {key.replace("layers.relu", "conv"): tensor for key, tensor in model.state_dict().items()}
    save_file(named, tmp_path / VGG_FILE)
    save_file(SqueezeNet().state_dict(), tmp_path / SQUEEZENET_FILE)
    return tmp_path


def test_pairs_are_turned_together_each_in_its_own_way() -> None:
    low = torch.arange(16.0).view(1, 1, 4, 4).expand(64, 3, 4, 4)
    high = F.interpolate(low, scale_factor=4, mode="nearest") / 127.5 - 1
    turned, small = _turned(high, low, step_at(0, batch=64))
    assert torch.allclose(F.avg_pool2d(turned, 4), small)
    assert len({tuple(picture.flatten().tolist()) for picture in small}) == 8


def test_it_learns_to_beat_copies_of_the_pixels(photos: Path) -> None:
    recipe = build("sr-x4", "small", seed=0)
    assert isinstance(recipe, SuperResolutionRecipe)
    data = recipe.load_data(Sources((photos,)))
    high, low = data[:]
    low_res = low.float() / 127.5 - 1
    copies = F.l1_loss(F.interpolate(low_res, scale_factor=4, mode="nearest"), high)
    losses = [recipe.step(*data[:], step_at(index, batch=2, total=15))["loss"] for index in range(15)]
    assert losses[-1] < 0.8 * copies
    assert not losses[-1].requires_grad
    assert F.l1_loss(recipe.average(low_res), high) < 0.8 * copies


def test_the_preview_shows_made_up_rings_only() -> None:
    recipe = build("sr-x4", "small", seed=0)
    pictures = recipe.preview()
    assert pictures is not None
    assert pictures.shape == (3, 3, 128, 128)
    assert torch.equal(pictures, recipe.preview())


def test_the_real_recipe_learns_from_worse_pictures(photos: Path) -> None:
    clean, real = (build(name, "small", seed=0).load_data(Sources((photos,))) for name in ("sr-x4", "sr-x4-real"))
    assert torch.equal(clean.pixels, real.pixels)
    assert (clean.labels.float() - real.labels.float()).abs().mean() > 1


def test_the_gan_starts_from_the_checkpoint(photos: Path, features: Path, tmp_path: Path) -> None:
    start = SuperResolver().half().float().eval()
    config = {"class": "sr.SuperResolver", "args": {"width": start.width, "blocks": start.blocks}}
    example = {"low_res": torch.zeros(1, 3, 4, 4)}
    write_checkpoint(tmp_path / "sr-x4", start, config, Card("made up", "other", "noise"), example, {})
    recipe = build("srgan-x4", "small", seed=3)
    assert isinstance(recipe, SuperResolutionGanRecipe)
    data = recipe.load_data(Sources((photos, tmp_path / "sr-x4"), features))
    for network in (recipe.network, recipe.average):
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), start.parameters(), strict=True))
    measured = [recipe.step(*data[:2], step_at(index, batch=2)) for index in range(2)][1]
    assert measured.keys() == {"loss D", "D real - fake", "content", "directions", "adversarial", "pixels"}
    assert all(value.isfinite() and not value.requires_grad for value in measured.values())
    assert all(p.requires_grad for p in recipe.critic.parameters())
    assert not torch.equal(recipe.network.head.weight, start.head.weight)
    assert not any(p.requires_grad for given in recipe.frozen.values() for p in given.parameters())


def test_the_gan_without_a_start_says_what_is_missing(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="sr-x4"):
        build("srgan-x4", "small", seed=0).load_data(Sources((photos, tmp_path / "sr-x4")))


@pytest.mark.parametrize("name", ["sr-x4", "sr-x4-real", "srgan-x4"])
def test_an_export_rebuilds_the_average(name: str) -> None:
    recipe = build(name, "small", seed=0)
    (export,) = recipe.exports(Sources())
    assert export.name == name
    assert "non-commercial" in export.summary
    network = SuperResolver(**export.args)
    network.load_state_dict(export.model.state_dict())
    assert export.model is recipe.networks["average"]
    with torch.no_grad():
        assert torch.equal(network(**export.example), recipe.preview())
