"""From a checkpoint's name to measured figures in its card."""

from collections.abc import Callable, Iterator
from functools import partial

from imagegen.cards import Card
from imagegen.data.pictures import Sources
from imagegen.errors import InputError
from imagegen.evaluation import classic_gan, diffusion, digits, faces, sr, style, text_to_image, vae
from imagegen.evaluation.curves import charts
from imagegen.evaluation.measures import Figures
from imagegen.store import ModelStore

__all__ = ["EVALUATIONS", "evaluate"]

EVALUATIONS: dict[str, Callable[[ModelStore, str, Sources], Figures | Iterator[Figures]]] = {
    "ae-mnist-2d": vae.evaluate_autoencoder,
    "ddpm-celeba": diffusion.evaluate_faces,
    "ddpm-mnist": diffusion.evaluate_digits,
    "digit-classifier": digits.evaluate_classifier,
    "face-attributes": faces.evaluate_attributes,
    "face-autoencoder": faces.evaluate_autoencoder,
    "gan-celeba": classic_gan.evaluate_faces,
    "gan-mnist": digits.evaluate_gan,
    "gan-mnist-collapsed": partial(classic_gan.evaluate_digits, count=1_000),
    "gan-mnist-cured": partial(classic_gan.evaluate_digits, count=1_000),
    "gan-mnist-dcgan": classic_gan.evaluate_digits,
    "gan-mnist-discriminator": digits.evaluate_discriminator,
    "gan-mnist-mlp": classic_gan.evaluate_digits,
    "gan-mnist-overpowered": partial(classic_gan.evaluate_digits, count=1_000),
    "sd-mini": text_to_image.evaluate_text_to_image,
    "sr-x4": sr.evaluate_sr,
    "sr-x4-real": sr.evaluate_sr_real,
    "srgan-x4": sr.evaluate_sr,
    "style-fast": style.evaluate_fast,
    "style-features": style.evaluate_features,
    "vae-celeba": vae.evaluate_faces,
    "vae-mnist": vae.evaluate_digits,
    "vae-mnist-2d": vae.evaluate_digits,
}
"""What measures each checkpoint: (store, name, sources) -> figures, or parts of them as they come."""
SHEETS: dict[str, tuple[str, Callable[[ModelStore, str], bytes]]] = {
    "sd-mini": ("assets/prompts.webp", text_to_image.sheet)
}
"""What is drawn for a card besides: its file, and (store, name) -> its content."""


def evaluate(store: ModelStore, name: str, sources: Sources) -> Card:
    """Measure checkpoint `name` and write the figures into its card, with drawings; figures of other origin stay.

    What takes long is written part by part, so that stopping it loses only the part it was at.

    Args:
        sources: where the real pictures lie; what is not given is downloaded.

    Raises:
        CheckpointError: the checkpoint, or one that judges it, is missing or damaged.
        InputError: nothing is known to measure on it, or the data are not there.
    """
    checkpoint = store.checkpoint(name)
    if name not in EVALUATIONS:
        names = ", ".join(EVALUATIONS)
        raise InputError("Nothing is measured on {name}; choose one of {names}.", name=name, names=names)
    card = checkpoint.card()
    measured = EVALUATIONS[name](store, name, sources)
    for part in [measured] if isinstance(measured, dict) else measured:
        card.figures.update(part)
        for file, drawing in charts(card).items():
            checkpoint.add(file, drawing.encode())
        checkpoint.rewrite_card(card)
    if name in SHEETS:
        file, drawn = SHEETS[name]
        checkpoint.add(file, drawn(store, name))
        checkpoint.rewrite_card(card)
    return card
