"""From a checkpoint's name to measured figures in its card."""

from collections.abc import Callable
from pathlib import Path

from imagegen.cards import Card
from imagegen.checkpoints import ModelStore
from imagegen.errors import InputError
from imagegen.evaluation import digits

__all__ = ["EVALUATIONS", "evaluate"]

EVALUATIONS: dict[str, Callable[[ModelStore, str, Path | None], digits.Figures]] = {
    "digit-classifier": digits.evaluate_classifier,
    "gan-mnist": digits.evaluate_gan,
    "gan-mnist-discriminator": digits.evaluate_discriminator,
}
"""What measures each checkpoint: (store, name, data root or None to download) -> figures."""


def evaluate(store: ModelStore, name: str, data_root: Path | None) -> Card:
    """Measure checkpoint `name` and write the figures into its card; figures of other origin stay.

    Args:
        data_root: where the real pictures lie, or None to download them.

    Raises:
        CheckpointError: the checkpoint, or one that judges it, is missing or damaged.
        InputError: nothing is known to measure on it, or the data are not there.
    """
    checkpoint = store.checkpoint(name)
    if name not in EVALUATIONS:
        names = ", ".join(EVALUATIONS)
        raise InputError("Nothing is measured on {name}; choose one of {names}.", name=name, names=names)
    card = checkpoint.card()
    card.figures.update(EVALUATIONS[name](store, name, data_root))
    checkpoint.rewrite_card(card)
    return card
