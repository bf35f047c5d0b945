"""What a step of the classic GANs teaches whom, and what ships."""

import copy
import json

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from imagegen.data.pictures import Sources
from imagegen.models import classic_gan as gan
from imagegen.models.gan import gradient_penalty
from imagegen.training.classic_gan import BROKEN, ClassicGanRecipe
from imagegen.training.recipe import Step
from imagegen.training.recipes import build

pytestmark = pytest.mark.usefixtures("new_accelerator")


def recipe_of(name: str) -> ClassicGanRecipe:
    recipe = build(name, "small", seed=1)
    assert isinstance(recipe, ClassicGanRecipe)
    return recipe


def run(recipe: ClassicGanRecipe, steps: int) -> dict[str, Tensor]:
    pictures, labels = recipe.made_up_data()[:8]
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    for index in range(steps):
        measured = recipe.step(pictures, labels, Step(accelerator, seed=0, index=index, total=100, batch=8))
    return measured


def test_each_network_learns_from_its_own_loss_alone() -> None:
    recipe = recipe_of("gan-mnist-mlp")
    generator, discriminator = copy.deepcopy(recipe.generator), copy.deepcopy(recipe.discriminator)
    run(recipe, 1)
    pictures, _ = recipe.made_up_data()[:8]
    step = Step(Accelerator(cpu=True, mixed_precision="no"), seed=0, index=0, total=100, batch=8)
    fake = generator(step.normal(100))
    judged = gan.discriminator_loss(discriminator(pictures), discriminator(fake.detach()))
    wished = gan.generator_loss(recipe.discriminator(fake))  # by the discriminator after its step
    for network, loss, trained in (
        (discriminator, judged, recipe.discriminator),
        (generator, wished, recipe.generator),
    ):
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        for expected, parameter in zip(gradients, trained.parameters(), strict=True):
            assert parameter.grad is not None
            assert torch.allclose(parameter.grad, expected, atol=1e-6)


def test_an_average_follows_and_the_discriminator_can_learn_again() -> None:
    recipe = recipe_of("gan-mnist-dcgan")
    start = copy.deepcopy(recipe.generator)
    measured = run(recipe, 3)
    assert measured.keys() == {"loss D", "loss G", "D(real)", "D(fake)"}
    assert not any(value.requires_grad for value in measured.values())
    assert all(p.requires_grad for p in recipe.discriminator.parameters())
    before, now, average = (
        torch.cat([p.detach().flatten() for p in network.parameters()])
        for network in (start, recipe.generator, recipe.average)
    )
    assert 0 < (average - now).norm() < (before - now).norm()


@pytest.mark.parametrize(
    ("name", "licence"),
    [("gan-mnist-mlp", "cc-by-sa-3.0"), ("gan-mnist-dcgan", "cc-by-sa-3.0"), ("gan-celeba", "other")],
)
def test_a_checkpoint_is_rebuilt_from_what_its_config_says(name: str, licence: str) -> None:
    recipe = recipe_of(name)
    (export,) = recipe.exports(Sources())
    assert export.name == name
    assert export.licence == licence
    assert ("non-commercial research only" in export.summary) == (licence == "other")
    args = json.loads(json.dumps(dict(export.args)))
    rebuilt = getattr(gan, export.class_name.removeprefix("classic_gan."))(**args).eval()
    rebuilt.load_state_dict(export.model.state_dict())
    with torch.no_grad():
        pictures = export.model(**export.example)
        assert torch.equal(rebuilt(**export.example), pictures)
    assert pictures.shape[1:] == recipe.made_up_data().pixels.shape[1:]


def test_the_preview_is_of_fixed_codes() -> None:
    recipe = recipe_of("gan-mnist-mlp")
    pictures = recipe.preview()
    assert pictures.shape == (25, 1, 28, 28)
    assert torch.equal(pictures, recipe.preview())


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_training_differs_in_what_its_card_says(name: str) -> None:
    recipe = recipe_of(name)
    (export,) = recipe.exports(Sources())
    generator, discriminator = recipe.rates
    rates, gamma, what = BROKEN[name]
    assert (generator, discriminator) == rates
    assert export.summary == what
    assert ("R1 + R2" in export.details["loss"]) == (gamma > 0)
    run(recipe, 1)
    for name, rate in (("generator", generator), ("discriminator", discriminator)):
        assert recipe.optimizers[name].param_groups[0]["lr"] == rate


def test_a_steep_discriminator_pays() -> None:
    """With a large gamma one step makes it flatter at real and generated digits than without."""

    def slopes(gamma: float) -> list[float]:
        recipe = recipe_of("gan-mnist-cured")
        recipe.gamma = gamma
        run(recipe, 5)
        pictures, _ = recipe.made_up_data()[:8]
        found = []
        for x in (pictures, recipe.generator(torch.zeros(8, 100)).detach()):
            x = x.clone().requires_grad_()
            found.append(gradient_penalty(x, recipe.discriminator(x)).item())
        return found

    assert all(flat < 0.5 * steep for flat, steep in zip(slopes(100.0), slopes(0.0), strict=True))
