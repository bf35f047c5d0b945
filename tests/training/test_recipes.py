"""Every recipe: built from its seed, run dry, and what one step must and must not change."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from imagegen.errors import InputError
from imagegen.training.gan import ConditionalGanRecipe
from imagegen.training.loop import Options, train
from imagegen.training.recipe import Recipe, Step
from imagegen.training.recipes import RECIPES, SIZES, build, made_up_data

pytestmark = pytest.mark.usefixtures("new_accelerator")


def weights(recipe: Recipe) -> dict[str, Tensor]:
    """A copy of all that is saved."""
    return {
        f"{name}/{key}": tensor.clone()
        for name, network in recipe.networks.items()
        for key, tensor in network.state_dict().items()
    }


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_dry(name: str, tmp_path: Path) -> None:
    recipe = build(name, "small", seed=0)
    before = weights(recipe)
    run = train(recipe, made_up_data(recipe), Options(tmp_path, steps=2, batch=16, device="cpu", precision="no"))
    assert run.facts()["step"] == 2
    (line,) = run.read_history()
    assert len(line) > 2
    changed = {key.split("/")[0] for key, tensor in weights(recipe).items() if not torch.equal(tensor, before[key])}
    assert changed == recipe.networks.keys()
    pictures = recipe.preview()
    assert len(list(run.moments.iterdir())) == (0 if pictures is None else 3)


@pytest.mark.parametrize("name", RECIPES)
def test_the_seed_decides_the_weights_and_nothing_else_is_touched(name: str) -> None:
    state = torch.random.get_rng_state()
    first, again, other = (weights(build(name, "small", seed)) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_it_is(name: str, size: str) -> None:
    recipe = build(name, size, seed=0)
    assert recipe.name == name
    assert recipe.needs
    assert recipe.steps > 0
    assert recipe.batch > 0
    assert set(recipe.compiled) <= recipe.networks.keys()
    made_up = made_up_data(recipe)
    assert made_up.pixels.dtype in (torch.uint8, torch.float16)
    assert len(made_up.labels) == len(made_up.pixels) >= 16


@pytest.mark.parametrize(
    ("name", "size", "choice"), [("stylegan", "small", "[a-z0-9-, ]*gan-mnist"), ("gan-mnist", "huge", "small, large")]
)
def test_another_name_or_size_is_refused_with_what_there_is(name: str, size: str, choice: str) -> None:
    with pytest.raises(InputError, match=f"choose one of {choice}"):
        build(name, size, seed=0)


def test_a_gan_step_teaches_both_and_keeps_an_average_between() -> None:
    recipe = build("gan-mnist", "small", seed=1)
    assert isinstance(recipe, ConditionalGanRecipe)
    start = recipe.generator.to_picture.weight.detach().clone()
    pictures, labels = recipe.made_up_data()[:8]
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    for index in range(3):
        measured = recipe.step(pictures, labels, Step(accelerator, seed=0, index=index, total=100, batch=8))
    assert measured.keys() == {"loss D", "loss G", "D real - fake"}
    assert not any(value.requires_grad for value in measured.values())
    assert all(p.requires_grad for p in recipe.discriminator.parameters())
    assert not any(p.requires_grad for p in recipe.average.parameters())
    now, average = recipe.generator.to_picture.weight.detach(), recipe.average.to_picture.weight
    assert 0 < (average - now).norm() < (start - now).norm()


def test_the_preview_shows_five_of_each_digit_from_the_average() -> None:
    recipe = build("gan-mnist", "small", seed=1)
    pictures = recipe.preview()
    assert pictures is not None
    assert pictures.shape == (50, 1, 28, 28)
    assert torch.equal(pictures, recipe.preview())
