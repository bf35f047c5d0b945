"""Figures of the classic GANs, which take a code and nothing else."""

from typing import cast

from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.digits import COUNT, SEED, Figures, digit_figures
from imagegen.evaluation.features import as_saved, in_batches
from imagegen.models.classic_gan import DcganGenerator, MlpGenerator

__all__ = ["evaluate_digits"]


def evaluate_digits(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """`digit_figures` but for reading: no digit was asked for."""
    return digit_figures(_draw(store, name, count), None, store, sources.root())


def _draw(store: ModelStore, name: str, count: int) -> Tensor:
    """Pictures (count, C, H, W) as saved, picture i from seed i."""
    generator = cast(DcganGenerator | MlpGenerator, store.get(name))
    return as_saved(in_batches(generator, picture_noise(SEED, count, generator.z_dim)))
