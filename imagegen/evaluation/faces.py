"""Figures of face models: FID against held-out faces in the features of a SqueezeNet, copies, and attributes.

The SqueezeNet was trained on ImageNet and is part of no loss of a face model, so that none was taught to please it.
"""

import io
from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from imagegen.data.emoji import emoji
from imagegen.data.faces import ATTRIBUTES, faces
from imagegen.data.pictures import Sources
from imagegen.evaluation.distribution import fid_from
from imagegen.evaluation.features import as_saved, in_batches
from imagegen.evaluation.measures import Figures, area_under_curve, copies, figure
from imagegen.images import to_pictures, to_tensor
from imagegen.models.perceptual import SqueezeNet, load_squeezenet
from imagegen.store import ModelStore

__all__ = [
    "FaceFeatures",
    "evaluate_attributes",
    "evaluate_autoencoder",
    "face_anchors",
    "face_fids",
    "face_figures",
]

AS_THEY_ARE, HALF, JPEG = "as they are", "at half resolution", "JPEG 50"
SIDE = 128
"""Pixels that faces are enlarged to: the features are of a sixteenth of the side."""
FID_FACES = 5_000
COPIED_FACES = 1_000
SEED = 0


class FaceFeatures(nn.Module):
    """Faces (B, 3, 64, 64) in [-1, 1] on any device -> features (B, 512) on the CPU.

    They are the last fire module's, averaged over all positions, of faces enlarged to 128x128.
    """

    num_features = 512

    def __init__(self, squeezenet: SqueezeNet) -> None:
        super().__init__()
        self.squeezenet = squeezenet

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        enlarged = F.interpolate(x.to(self.squeezenet.mean.device), size=SIDE, mode="bilinear", align_corners=False)
        return cast(Tensor, self.squeezenet(enlarged)[-1]).mean(dim=(2, 3)).cpu()


def face_figures(pictures: Tensor, store: ModelStore, sources: Sources, what: str = "pictures") -> Figures:
    """FID of generated faces, beside that of real ones slightly spoilt.

    Args:
        pictures: (N, 3, 64, 64) in [-1, 1], rounded to 8 bits.
        store: its device looks at the pictures.
        sources: CelebA first; the folder of SqueezeNet.
        what: they are and how they were drawn, for the card.
    """
    anchors = face_anchors(_training_faces(sources, len(pictures)))
    return _fid_figures("FID", pictures, anchors, store, sources, f"{len(pictures):,} {what}")


def evaluate_autoencoder(
    store: ModelStore, name: str, sources: Sources, faces_copied: int = COPIED_FACES, fid_faces: int = FID_FACES
) -> Figures:
    """How close copies come to held-out faces and emoji, and how far copies of training faces are from real ones."""
    model = store.get(name)
    held_out, _ = faces(sources.root(0), "test")[:faces_copied]
    icons, _ = emoji(sources.root(1), "test")
    anchors = face_anchors(_training_faces(sources, fid_faces))
    copied = as_saved(in_batches(model, anchors[AS_THEY_ARE]))
    how = f"copies of {len(copied):,} training faces"
    return {
        **_of("faces", copies(model, held_out, f"first {len(held_out):,} held-out faces of CelebA")),
        **_of("emoji", copies(model, icons[:][0], f"{len(icons)} emoji of held-out names, on white")),
        **_fid_figures("FID of copies", copied, anchors, store, sources, how),
    }


def evaluate_attributes(store: ModelStore, name: str, sources: Sources) -> Figures:
    """How well held-out faces with an attribute are told from those without, for each by itself and on average."""
    pictures, labels = faces(sources.root(), "test")[:]
    logits = in_batches(store.get(name), pictures)
    seen, there = logits > store.asset(name, "thresholds"), labels.bool()
    areas = torch.tensor([area_under_curve(logits[:, i], labels[:, i]) for i in range(len(ATTRIBUTES))])
    found = (seen & there).sum(dim=0) / there.sum(dim=0)
    spared = (~seen & ~there).sum(dim=0) / (~there).sum(dim=0)
    balanced = (found + spared) / 2
    how = f"{len(labels):,} held-out faces of CelebA"
    at = f"{how}, at the threshold of equal error on validation faces"
    return {
        "AUC": figure(areas.mean().item(), f"mean over {len(ATTRIBUTES)} attributes; {how}"),
        "balanced accuracy": figure(balanced.mean().item(), f"mean over {len(ATTRIBUTES)} attributes; {at}"),
        **{f"AUC, {key}": figure(area.item(), how) for key, area in zip(ATTRIBUTES, areas, strict=True)},
        **{f"balanced accuracy, {key}": figure(b.item(), at) for key, b in zip(ATTRIBUTES, balanced, strict=True)},
    }


def face_anchors(real: Tensor) -> dict[str, Tensor]:
    """Real faces (N, 3, 64, 64) in [-1, 1] as they are, at half resolution and as JPEG of quality 50, all 8 bits."""
    half = F.interpolate(real, scale_factor=0.5, mode="bicubic", antialias=True)
    restored = F.interpolate(half, size=real.shape[-2:], mode="bicubic")
    return {AS_THEY_ARE: real, HALF: as_saved(restored), JPEG: torch.cat([_jpeg(face) for face in to_pictures(real)])}


def face_fids(sets: Mapping[str, Tensor], held_out: Tensor, squeezenet: SqueezeNet) -> dict[str, float]:
    """Fréchet distance (Heusel et al. 2017) of each set of pictures (N, 3, 64, 64) from the held-out ones."""
    distance = fid_from(FaceFeatures(squeezenet), held_out)
    return {name: distance(pictures) for name, pictures in sets.items()}


def _fid_figures(
    title: str, pictures: Tensor, anchors: Mapping[str, Tensor], store: ModelStore, sources: Sources, how: str
) -> Figures:
    held_out, _ = faces(sources.root(), "test")[:]
    squeezenet = load_squeezenet(sources.features).to(store.device)
    distances = face_fids({title: pictures, **anchors}, held_out, squeezenet)
    against = f"seed {SEED}, SqueezeNet features at {SIDE}x{SIDE}, {len(held_out):,} held-out faces of CelebA"
    real = f"{len(anchors[AS_THEY_ARE]):,} training faces, {against}"
    bar = f"≤ {distances[HALF]:.3g} (real faces {HALF})"
    return {
        title: figure(distances[title], f"{how}, {against}", bar),
        f"{title} over that of real faces {HALF}": figure(distances[title] / distances[HALF], f"{how}, {against}"),
        **{f"FID of real faces {anchor}": figure(distances[anchor], real) for anchor in anchors},
    }


def _training_faces(sources: Sources, count: int) -> Tensor:
    people = faces(sources.root(), "train")
    return people[torch.randperm(len(people), generator=torch.Generator().manual_seed(SEED))[:count]][0]


def _jpeg(face: Image.Image) -> Tensor:
    file = io.BytesIO()
    face.save(file, "JPEG", quality=50)
    return to_tensor(Image.open(file))


def _of(what: str, figures: Figures) -> Figures:
    return {f"{key}, {what}": figure for key, figure in figures.items()}
