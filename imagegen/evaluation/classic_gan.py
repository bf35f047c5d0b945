"""Figures of the classic GANs, which take a code and nothing else."""

from typing import cast

from torch import Tensor

from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.digits import COUNT, SEED, digit_figures
from imagegen.evaluation.faces import FID_FACES, face_figures
from imagegen.evaluation.features import as_saved, in_batches
from imagegen.evaluation.measures import Figures, without_bars
from imagegen.models.classic_gan import DcganGenerator, MlpGenerator
from imagegen.store import ModelStore

__all__ = ["evaluate_digits", "evaluate_faces"]


def evaluate_digits(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """`digit_figures` of pictures for which no digit was asked, picture i from seed i."""
    return without_bars(digit_figures(_draw(store, name, count), None, store, sources.root()))


def evaluate_faces(store: ModelStore, name: str, sources: Sources, count: int = FID_FACES) -> Figures:
    """`face_figures` of pictures, picture i from seed i."""
    return face_figures(_draw(store, name, count), store, sources)


def _draw(store: ModelStore, name: str, count: int) -> Tensor:
    """Pictures (count, C, H, W), as saved."""
    generator = cast(DcganGenerator | MlpGenerator, store.get(name))
    return as_saved(in_batches(generator, picture_noise(SEED, count, generator.z_dim)))
