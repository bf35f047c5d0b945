"""What a step of the autoencoders learns from, and what their checkpoints carry."""

import csv
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn

from imagegen.data.digits import mnist
from imagegen.data.faces import ATTRIBUTES, faces, made_up_faces
from imagegen.data.pictures import Sources
from imagegen.models.perceptual import Vgg19
from imagegen.models.vae import Vae, kl_per_latent
from imagegen.training.recipe import Recipe, Step
from imagegen.training.recipes import build
from imagegen.training.vae import DigitVaeRecipe, FaceVaeRecipe

pytestmark = pytest.mark.usefixtures("new_accelerator")


def steps(recipe: Recipe, pictures: Tensor, count: int, total: int = 100) -> list[dict[str, float]]:
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    labels = torch.zeros(len(pictures))
    measured = []
    for index in range(count):
        step = Step(accelerator, seed=0, index=index, total=total, batch=len(pictures))
        measured.append({key: float(value) for key, value in recipe.step(pictures, labels, step).items()})
    return measured


def digits(name: str) -> DigitVaeRecipe:
    recipe = build(name, "small", seed=0)
    assert isinstance(recipe, DigitVaeRecipe)
    return recipe


@pytest.mark.parametrize("name", ["vae-mnist", "vae-mnist-2d"])
def test_the_elbo_rises_and_is_the_sum_of_its_parts(name: str) -> None:
    pictures = torch.full((8, 1, 28, 28), -1.0)
    pictures[:, :, 8:12] = 1  # a bar
    measured = steps(digits(name), pictures, 12)
    for line in measured:
        assert line["-ELBO"] == pytest.approx(line["reconstruction"] + line["KL"], rel=1e-5)
    assert measured[-1]["-ELBO"] < 0.8 * measured[0]["-ELBO"]


@pytest.mark.parametrize("name", ["vae-mnist", "ae-mnist-2d"])
def test_the_same_steps_give_the_same_weights(name: str) -> None:
    first, again = digits(name), digits(name)
    for recipe in (first, again):
        steps(recipe, recipe.made_up_data()[:8][0], 3)
    for a, b in zip(first.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_encoder_is_given_pixels_drawn_black_or_white_anew() -> None:
    recipe = digits("vae-mnist")
    given: list[Tensor] = []
    recipe.model.encoder.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].clone()))
    pictures = torch.cat([torch.full((4, 1, 28, 28), grey) for grey in (-1.0, 0.5, 1.0)])
    steps(recipe, pictures, 2)
    first, second = given
    assert first.unique().tolist() == [-1, 1]
    assert first[:4].max() == -1
    assert first[8:].min() == 1
    assert first[4:8].mean() == pytest.approx(0.5, abs=0.06)
    assert not torch.equal(first, second)


def test_the_plain_autoencoder_is_the_same_network_without_noise_and_kl() -> None:
    plain, variational = digits("ae-mnist-2d"), digits("vae-mnist-2d")
    assert plain.args == variational.args
    assert plain.steps == variational.steps
    pictures, _ = plain.made_up_data()[:8]
    (line,) = steps(plain, pictures, 1)
    assert line.keys() == {"reconstruction"}
    head = plain.model.encoder[-1]
    assert isinstance(head, nn.Linear)
    assert head.weight.grad is not None
    assert head.weight.grad[:2].abs().min() > 0  # mu
    assert head.weight.grad[2:].abs().max() == 0  # logvar


@pytest.mark.parametrize("name", ["vae-mnist-2d", "ae-mnist-2d"])
def test_the_plane_ships_with_codes_labels_and_tiles(name: str, mnist_root: Path) -> None:
    recipe = digits(name)
    (export,) = recipe.exports(Sources((mnist_root,)))
    test, labels = mnist(mnist_root, "test")[:]
    mu, _ = recipe.average.encode(test)
    assert torch.allclose(export.assets["mu"], mu, atol=1e-4)
    assert torch.equal(export.assets["labels"], labels)
    atlas, edges = export.assets["atlas"], export.assets["atlas_range"]
    assert atlas.shape == (25, 25, 28, 28)
    assert atlas.dtype == torch.uint8
    assert (mu.amin(dim=0) <= edges[:, 0]).all()
    assert (edges[:, 1] <= mu.amax(dim=0)).all()
    (left, right), (_, bottom) = edges.tolist()
    corners = recipe.average.decode(torch.tensor([[left, bottom], [right, bottom]])).sigmoid() * 255
    assert (atlas[24, [0, 24]] - corners[:, 0]).abs().max() <= 1
    assert ("kl_per_latent" in export.assets) == recipe.variational


def test_the_large_code_ships_with_what_each_latent_costs(mnist_root: Path) -> None:
    (export,) = digits("vae-mnist").exports(Sources((mnist_root,)))
    assert export.assets.keys() == {"kl_per_latent"}
    assert export.assets["kl_per_latent"].shape == (32,)
    assert export.assets["kl_per_latent"].min() >= 0


@pytest.mark.parametrize("name", ["ae-mnist-2d", "vae-celeba", "vae-mnist", "vae-mnist-2d"])
def test_the_args_rebuild_the_network(name: str) -> None:
    for size in ("small", "large"):
        recipe = build(name, size, seed=0)
        assert isinstance(recipe, DigitVaeRecipe | FaceVaeRecipe)
        Vae(**recipe.args).load_state_dict(recipe.average.state_dict())


@pytest.fixture(scope="module")
def face_recipe() -> FaceVaeRecipe:
    recipe = build("vae-celeba", "small", seed=0)
    assert isinstance(recipe, FaceVaeRecipe)
    return recipe


def test_a_face_step_listens_to_the_vgg_and_leaves_it_alone(face_recipe: FaceVaeRecipe) -> None:
    pictures, _ = face_recipe.made_up_data()[:2]
    vgg = face_recipe.frozen["vgg"]
    assert isinstance(vgg, Vgg19)
    (line,) = steps(face_recipe, pictures, 1)
    assert line["-ELBO"] == pytest.approx(line["reconstruction"] + line["KL"], rel=1e-4)
    assert line.keys() == {"-ELBO", "reconstruction", "KL", "looks"}
    assert all(p.grad is None for p in vgg.parameters())
    assert "vgg" not in face_recipe.networks


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Two faces of each split, one with all attributes and one with none."""
    pixels = made_up_faces().pixels.permute(0, 2, 3, 1).numpy()
    with (tmp_path / "attributes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", *ATTRIBUTES))
        for i, stem in enumerate(("000001", "000002", "162769", "162770", "162771", "162772")):
            Image.fromarray(pixels[i]).save(tmp_path / f"{stem}.png")
            table.writerow((f"{stem}.png", *[i % 2] * len(ATTRIBUTES)))
    return tmp_path


def test_faces_ship_with_directions_of_one_deviation_and_nothing_of_any_face(
    face_recipe: FaceVaeRecipe, celeba: Path
) -> None:
    (export,) = face_recipe.exports(Sources((celeba,)))
    shapes = {key: tuple(tensor.shape) for key, tensor in export.assets.items()}
    count = len(ATTRIBUTES)
    assert shapes == {"directions": (count, 128), "direction_auc": (count,), "kl_per_latent": (128,), "sigma": ()}
    model = export.model
    mu, _ = model.encode(faces(celeba, "train")[:][0])
    assert mu.mean(dim=0).abs().max() < 1e-3
    way = mu[1] - mu[0]
    for direction in export.assets["directions"]:
        assert torch.cosine_similarity(direction, way, dim=0) > 0.999
        assert direction.norm() == pytest.approx((way.norm() / 2**0.5).item(), rel=1e-3)  # deviation of two points
    assert set(export.assets["direction_auc"].tolist()) <= {0.0, 1.0}
    validation, _ = faces(celeba, "validation")[:]
    error = (face_recipe.average(validation) - validation).square().mean().sqrt()
    assert export.assets["sigma"].item() == pytest.approx(error.item(), rel=1e-3)
    assert torch.allclose(model(validation), face_recipe.average(validation), atol=1e-3)
    kl = kl_per_latent(*model.encode(validation)).mean(dim=0)
    assert torch.allclose(export.assets["kl_per_latent"], kl, atol=1e-4)
    assert export.licence == "other"
    assert "non-commercial research" in export.summary
