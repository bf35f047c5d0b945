"""What the diffusion recipes learn from, what they keep back, and what their checkpoints carry."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from made_up_data import TRAINING_FACES, write_sources
from torch import Tensor, nn

from imagegen.cards import Card
from imagegen.checkpoints import CLASSES, write_checkpoint
from imagegen.data.digits import mnist
from imagegen.data.faces import ATTRIBUTES, faces
from imagegen.data.pictures import Sources
from imagegen.errors import InputError
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.diffusion import Denoiser, betas
from imagegen.training import diffusion
from imagegen.training.diffusion import (
    DigitDiffusionRecipe,
    FaceDiffusionRecipe,
    denoising_loss,
    latents_of,
)
from imagegen.training.recipe import Recipe, Step
from imagegen.training.recipes import build

pytestmark = pytest.mark.usefixtures("new_accelerator")


class NothingThere(nn.Module):
    """Knows that every picture is zero, and then the noise is all that there is."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("alphas_cumprod", (1 - betas("cosine")).cumprod(0).float())
        self.timesteps = torch.empty(0)

    def forward(self, x_t: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        self.timesteps = timesteps
        left = self.alphas_cumprod[timesteps][:, None, None, None]
        return x_t * (left / (1 - left)).sqrt()


def step(batch: int, index: int = 0, total: int = 10) -> Step:
    return Step(Accelerator(cpu=True, mixed_precision="no"), 0, index, total, batch)


@pytest.fixture
def digit_recipe() -> DigitDiffusionRecipe:
    recipe = build("ddpm-mnist", "small", seed=0)
    assert isinstance(recipe, DigitDiffusionRecipe)
    return recipe


@pytest.fixture
def face_recipe() -> FaceDiffusionRecipe:
    recipe = build("ddpm-celeba", "small", seed=0)
    assert isinstance(recipe, FaceDiffusionRecipe)
    return recipe


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return write_sources(tmp_path)


def write_autoencoder(folder: Path, latent_channels: int) -> FaceAutoencoder:
    args = {"channels": (4, 4, 4, 8), "latent_channels": latent_channels}
    model = FaceAutoencoder(**args).half().float().eval()
    write_checkpoint(
        folder / "face-autoencoder",
        model,
        {"class": "autoencoder.FaceAutoencoder", "args": args},
        Card("Made up.", "other", "noise"),
        {"x": torch.zeros(1, 3, 64, 64)},
        {},
    )
    return model


def labels_that_are_learned(recipe: Recipe, labels: Tensor) -> Tensor:
    """What the network is told in one step on as many pictures of nothing."""
    told: list[Tensor] = []
    model = recipe.networks["model"]
    assert isinstance(model, Denoiser)
    model.label_embedding.register_forward_pre_hook(lambda _, args: told.append(args[0]))
    recipe.step(torch.zeros(len(labels), *model.picture), labels, step(len(labels)))
    return told[0]


def test_a_model_that_knows_the_pictures_has_no_loss() -> None:
    model = NothingThere()
    assert float(denoising_loss(model, torch.zeros(8, 1, 4, 4), torch.zeros(8, 1), step(8))) < 1e-6
    assert float(denoising_loss(model, torch.ones(8, 1, 4, 4), torch.zeros(8, 1), step(8))) > 0.1


def test_a_batch_is_spread_over_all_noise_levels() -> None:
    model = NothingThere()
    denoising_loss(model, torch.zeros(20, 1, 4, 4), torch.zeros(20, 1), step(20))
    assert sorted((model.timesteps // 50).tolist()) == list(range(20))


def test_digits_are_asked_for_by_one_row_each(digit_recipe: DigitDiffusionRecipe, mnist_root: Path) -> None:
    data, digits = digit_recipe.load_data(Sources((mnist_root,))), mnist(mnist_root, "train")
    assert torch.equal(data.pixels, digits.pixels)
    assert torch.equal(data.labels, F.one_hot(digits.labels, 10).float())


def test_a_tenth_of_the_digits_comes_without_label(digit_recipe: DigitDiffusionRecipe) -> None:
    labels = F.one_hot(torch.arange(80) % 10, 10).float()
    told = labels_that_are_learned(digit_recipe, labels)
    unsaid = (told == 0).all(dim=1)
    assert 2 <= int(unsaid.sum()) <= 18
    assert torch.equal(told[~unsaid], labels[~unsaid])


def test_of_faces_any_few_attributes_are_said(face_recipe: FaceDiffusionRecipe) -> None:
    labels = torch.randint(0, 2, (60, 17), generator=torch.Generator().manual_seed(0)).float() * 2 - 1
    told = labels_that_are_learned(face_recipe, labels)
    said = told != 0
    assert torch.equal(told[said], labels[said])
    assert 0.3 < said.float().mean() < 0.6
    counts = said.sum(dim=1)
    assert (counts == 0).sum() >= 3
    assert (counts > 12).sum() >= 6


def test_a_step_teaches_and_the_average_lies_between(digit_recipe: DigitDiffusionRecipe) -> None:
    pictures, labels = digit_recipe.made_up_data()[:8]
    start = digit_recipe.model.unet.conv_in.weight.detach().clone()
    for index in range(1, 4):
        measured = digit_recipe.step(pictures, labels, step(8, index))
    assert not measured["loss"].requires_grad
    now, average = digit_recipe.model.unet.conv_in.weight.detach(), digit_recipe.average.unet.conv_in.weight
    assert 0 < (average - now).norm() < (start - now).norm()


def test_faces_are_learned_as_latents_with_their_mirror_images(
    face_recipe: FaceDiffusionRecipe, sources: Sources
) -> None:
    autoencoder = write_autoencoder(sources.checkpoints, latent_channels=16)
    data, people = face_recipe.load_data(sources), faces(sources.root(), "train")
    count = len(people)
    assert count == TRAINING_FACES
    assert data.pixels.shape == (2 * count, 16, 8, 8)
    assert data.pixels.dtype == torch.float16
    with torch.no_grad():
        mirrored = autoencoder.encode(people[:][0].flip(3))
    assert torch.allclose(data.pixels[count:].float(), mirrored, atol=0.01)
    assert torch.equal(data.labels[:count], people.labels * 2.0 - 1)
    assert torch.equal(data.labels[count:], data.labels[:count])


def test_an_autoencoder_of_another_grid_is_refused(face_recipe: FaceDiffusionRecipe, sources: Sources) -> None:
    write_autoencoder(sources.checkpoints, latent_channels=4)
    with pytest.raises(InputError, match=r"are \(4, 8, 8\); ddpm-celeba is built for \(16, 8, 8\)"):
        face_recipe.load_data(sources)


def test_latents_do_not_depend_on_how_many_are_encoded_at_once() -> None:
    autoencoder = FaceAutoencoder((4, 4, 4, 8), 2).eval()
    pixels = torch.randint(0, 256, (130, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together, alone = (latents_of(autoencoder, some, torch.device("cpu")) for some in (pixels, pixels[128:]))
    assert torch.allclose(together[128:], alone, atol=0.01)


def test_previews_are_the_same_each_time(digit_recipe: DigitDiffusionRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "PREVIEW_STEPS", 2)
    pictures = digit_recipe.preview()
    assert pictures.shape == (50, 1, 28, 28)
    assert pictures.abs().max() <= 1
    assert torch.equal(pictures, digit_recipe.preview())


def test_faces_are_shown_decoded(face_recipe: FaceDiffusionRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "PREVIEW_STEPS", 2)
    face_recipe.made_up_data()
    pictures = face_recipe.preview()
    assert pictures.shape == (30, 3, 64, 64)
    assert pictures.abs().max() <= 1


@pytest.mark.parametrize(("name", "licence"), [("ddpm-mnist", "cc-by-sa-3.0"), ("ddpm-celeba", "other")])
def test_the_checkpoint_is_the_average_and_its_arguments_rebuild_it(name: str, licence: str, sources: Sources) -> None:
    recipe = build(name, "small", seed=0)
    (export,) = recipe.exports(sources)
    assert export.name == name
    assert export.model is recipe.networks["average"]
    assert export.licence == licence
    assert export.class_name in CLASSES
    rebuilt = Denoiser(**export.args)
    rebuilt.load_state_dict(export.model.state_dict())
    assert torch.equal(rebuilt.eval()(**export.example), export.model(**export.example))
    if name == "ddpm-celeba":
        assert "non-commercial" in export.summary
        assert export.example["labels"].shape == (4, len(ATTRIBUTES))
