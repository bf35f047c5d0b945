"""`face-attributes`: the judge of prompted faces, trained apart from all that draws them.

The pairs that text-to-image must combine by itself are kept out here too, so that the judge cannot have learnt them
as one thing.
"""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.faces import ATTRIBUTES, KEPT_OUT, faces, kept_out, made_up_faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.evaluation.features import in_batches
from imagegen.evaluation.measures import area_under_curve, equal_error_threshold
from imagegen.models.attributes import FaceAttributes
from imagegen.training.recipe import Export, Step, follow, warm_cosine, young_decay

__all__ = ["AttributesRecipe"]

LEARNING_RATE = 2e-3
WARMUP = 0.05
EMA_DECAY = 0.999
MAX_SHIFT = 3 / 64
"""Of the width."""
MAX_LIGHT, MAX_CONTRAST = 0.2, 0.2
"""Each colour channel is multiplied by 1 ± contrast and moved by ± light, alone."""


class AttributesRecipe:
    name = "face-attributes"
    needs: tuple[str, ...] = ("celeba",)
    batch = 128
    compiled: tuple[str, ...] = ("model",)

    def __init__(self, size: str) -> None:
        self.steps = 6_000 if size == "large" else 4_000
        self.args: dict[str, Any] = {"attributes": len(ATTRIBUTES), "width": 32}
        self.model = FaceAttributes(**self.args)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {"model": self.model, "average": self.average}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(self.model.parameters(), weight_decay=0.05, fused=True)
        }

    def load_data(self, sources: Sources) -> Pictures:
        return _allowed(faces(sources.root(), "train"))

    def made_up_data(self) -> Pictures:
        return made_up_faces()

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        seen = _moved(_recoloured(pictures, step.uniform(2, 3)), step.uniform(3))
        with step.autocast():
            logits = self.model(seen)
        loss = F.binary_cross_entropy_with_logits(logits.float(), labels.float())
        step.update(self.optimizers["adamw"], loss, lr=LEARNING_RATE * warm_cosine(step.progress, WARMUP))
        follow(self.average, self.model, young_decay(EMA_DECAY, step.index))
        return {"loss": loss.detach(), "accuracy": ((logits.detach() > 0) == labels.bool()).float().mean()}

    def preview(self) -> None:
        return None

    def exports(self, sources: Sources) -> list[Export]:
        validation = _allowed(faces(sources.root(), "validation"))
        pictures, labels = validation[:]
        logits = in_batches(self.average, pictures)
        each = range(len(ATTRIBUTES))
        example, _ = made_up_faces()[:4]
        pairs = ", ".join(" with ".join(pair).replace("_", " ").lower() for pair in KEPT_OUT)
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="attributes.FaceAttributes",
                args=self.args,
                example={"x": example},
                assets={
                    "thresholds": torch.tensor([equal_error_threshold(logits[:, i], labels[:, i]) for i in each]),
                    "separability": torch.tensor([area_under_curve(logits[:, i], labels[:, i]) for i in each]),
                },
                summary=f"Says which of {len(ATTRIBUTES)} attributes a face of 64x64 has, and so judges whether a "
                "prompted face shows what was asked. A measuring tool for generated faces, for non-commercial research "
                "only, as CelebA is: not for photographs of people. CelebA shows celebrities, mostly young, "
                "light-skinned and smiling; its labels are noisy, and `Male` and `Young` are what its annotators saw.",
                data="CelebA, aligned training faces at 64x64 (the last 10,000 ids kept back for validation; kept out: "
                f"{pairs})",
                licence="other",
                details={
                    "attributes": ", ".join(ATTRIBUTES),
                    "loss": "binary cross-entropy, each attribute by itself",
                    "learning rate": f"{LEARNING_RATE}, cosine to 0",
                    "augmentation": f"mirrored, shifted by up to {MAX_SHIFT * 64:.0f} px, colours ±{MAX_LIGHT}",
                    "EMA decay": EMA_DECAY,
                    "thresholds": f"of equal error on {len(labels):,} validation faces",
                },
            )
        ]


def _allowed(people: Pictures) -> Pictures:
    allowed = ~kept_out(people.labels)
    return Pictures(people.pixels[allowed], people.labels[allowed])


def _recoloured(pictures: Tensor, chance: Tensor) -> Tensor:
    """Each colour channel of each picture brighter or darker, by `chance` (B, 2, 3) in [0, 1)."""
    scale, shift = (2 * chance - 1)[..., None, None].unbind(dim=1)  # (B, 3, 1, 1) each
    return pictures * (1 + MAX_CONTRAST * scale) + MAX_LIGHT * shift


def _moved(pictures: Tensor, chance: Tensor) -> Tensor:
    """Each picture mirrored or not and shifted, by `chance` (B, 3) in [0, 1); edges go on outwards."""
    mirror = torch.where(chance[:, 0] < 0.5, -1.0, 1.0)
    shift = (2 * chance[:, 1:] - 1) * 2 * MAX_SHIFT  # the width is 2 in the coordinates of an affine grid
    zero = torch.zeros_like(mirror)
    matrices = torch.stack([mirror, zero, shift[:, 0], zero, zero + 1, shift[:, 1]], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
