"""Every recipe by its name: `python -m imagegen train NAME`."""

from collections.abc import Callable
from functools import partial

import torch

from imagegen.data.pictures import Pictures
from imagegen.errors import InputError
from imagegen.training.attributes import AttributesRecipe
from imagegen.training.autoencoder import AutoencoderRecipe
from imagegen.training.classic_gan import BROKEN, broken_digits, dcgan_digits, dcgan_faces, mlp_digits
from imagegen.training.classifier import ClassifierRecipe
from imagegen.training.diffusion import DigitDiffusionRecipe, FaceDiffusionRecipe
from imagegen.training.gan import ConditionalGanRecipe
from imagegen.training.recipe import Recipe
from imagegen.training.sr import SuperResolutionGanRecipe, sr_x4, sr_x4_real
from imagegen.training.style import FastStyleRecipe
from imagegen.training.style_features import StyleFeaturesRecipe
from imagegen.training.text_to_image import TextToImageRecipe
from imagegen.training.vae import FaceVaeRecipe, autoencoder_2d, vae_2d, vae_digits

__all__ = ["RECIPES", "SIZES", "build", "made_up_data"]

SIZES = ("small", "large")
"""For six minutes to four hours of a CPU core, and for five to ten minutes of a modern GPU."""

RECIPES: dict[str, Callable[[str], Recipe]] = {
    "ae-mnist-2d": autoencoder_2d,
    FaceDiffusionRecipe.name: FaceDiffusionRecipe,
    DigitDiffusionRecipe.name: DigitDiffusionRecipe,
    ClassifierRecipe.name: ClassifierRecipe,
    AttributesRecipe.name: AttributesRecipe,
    AutoencoderRecipe.name: AutoencoderRecipe,
    "gan-celeba": dcgan_faces,
    ConditionalGanRecipe.name: ConditionalGanRecipe,
    **{name: partial(broken_digits, name=name) for name in BROKEN},
    "gan-mnist-dcgan": dcgan_digits,
    "gan-mnist-mlp": mlp_digits,
    TextToImageRecipe.name: TextToImageRecipe,
    "sr-x4": sr_x4,
    "sr-x4-real": sr_x4_real,
    SuperResolutionGanRecipe.name: SuperResolutionGanRecipe,
    FastStyleRecipe.name: FastStyleRecipe,
    StyleFeaturesRecipe.name: StyleFeaturesRecipe,
    "vae-celeba": FaceVaeRecipe,
    "vae-mnist": vae_digits,
    "vae-mnist-2d": vae_2d,
}


def build(name: str, size: str, seed: int) -> Recipe:
    """The recipe with fresh weights drawn from `seed`; the caller's own randomness is left as it was.

    Raises:
        InputError: there is no recipe of that name, or it has no such size.
    """
    if name not in RECIPES:
        raise InputError("There is no recipe {name}; choose one of {names}.", name=repr(name), names=", ".join(RECIPES))
    if size not in SIZES:
        raise InputError("There is no size {size}; choose one of {sizes}.", size=repr(size), sizes=", ".join(SIZES))
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(seed)
        return RECIPES[name](size)


def made_up_data(recipe: Recipe) -> Pictures:
    """What `--dry-run` trains on; networks that stand in for given ones are the same each time."""
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        return recipe.made_up_data()
