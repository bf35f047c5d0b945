"""What can be known of an enlarged picture: how near it comes to a true one, where it is wrong, what it gives back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from PIL import Image, ImageChops
from torch import Tensor

from imagegen.data.photos import cropped, shrunk
from imagegen.errors import InputError
from imagegen.images import to_tensor
from imagegen.models.perceptual import feature_distance
from imagegen.models.sr import SCALE, luma, psnr, ssim
from imagegen.store import ModelStore
from imagegen.tasks.sr import MAX_PIXELS

__all__ = ["FEATURES", "SMALLEST", "TruthStep", "Verdict", "given_back", "judge", "made_small"]

SMALLEST = 20
"""Pixels a side of a picture to make small first."""
FEATURES = "style-features"
"""The checkpoint whose features tell how alike two pictures look."""
LAYERS = ("relu1_2", "relu2_2", "relu3_1")
TILE = 256
"""Pixels a side, at most, of what the features see at once."""
BLUR = 9
"""Pixels across which detail is told from its surroundings, and summed."""


@dataclass(frozen=True)
class Verdict:
    """A restored picture held against the true one.

    Args:
        psnr: of luma without 4 pixels of border, in dB; infinite if nothing differs.
        ssim: of the same, up to 1.
        distance: of the form of LPIPS in `style-features`, mean over tiles; None without that checkpoint.
        l1: mean absolute error of the pixels in [-1, 1], which `sr-x4` was trained to make small.
        error: luma's, (H - 8, W - 8), in levels of 255.
        detail: local deviation of luma more than in the true picture, the same size; negative where it is less.
        invented: share of the squared error that lies where there is more detail than in the true picture.
    """

    psnr: float
    ssim: float
    distance: float | None
    l1: float
    error: Tensor
    detail: Tensor
    invented: float


@dataclass(frozen=True)
class TruthStep:
    """One tile compared by its features; the last step has the verdicts, one a picture."""

    index: int
    total: int
    verdicts: tuple[Verdict, ...] = ()


def made_small(
    picture: Image.Image, shrink: Callable[[Image.Image], Image.Image] = shrunk
) -> tuple[Image.Image, Image.Image]:
    """The picture, sides cut to multiples of 4, and its quarter-size side.

    Raises:
        InputError: it is too small, or larger than what can be enlarged would become.
    """
    high_res = cropped(picture.convert("RGB"))
    if min(high_res.size) < SMALLEST:
        raise InputError(
            "To be made small first, a picture needs {smallest} pixels a side; this one has {width}×{height}.",
            smallest=SMALLEST,
            width=picture.width,
            height=picture.height,
        )
    if high_res.width * high_res.height > SCALE**2 * MAX_PIXELS:
        raise InputError(
            "To be made small first, a picture may have {side}×{side} pixels in all; this one has {width}×{height}.",
            side=SCALE * round(MAX_PIXELS**0.5),
            width=picture.width,
            height=picture.height,
        )
    return high_res, shrink(high_res)


def judge(high_res: Image.Image, restored: list[Image.Image], store: ModelStore) -> Iterator[TruthStep]:
    """Hold restored pictures against the true one, a tile a step.

    Raises:
        CheckpointError: `style-features` is damaged.
    """
    truth, pictures = to_tensor(high_res), [to_tensor(picture) for picture in restored]
    boxes = _boxes(high_res)
    sums = torch.zeros(len(pictures))
    seen = FEATURES in store.names()
    for index, box in enumerate(boxes if seen else [], start=1):
        if index > 1:
            yield TruthStep(index - 1, len(boxes))
        sums += _distances([_cut(x, box) for x in (truth, *pictures)], store) * _area(box)
    distances = (sums / (high_res.width * high_res.height)).tolist() if seen else [None] * len(pictures)
    verdicts = (_verdict(truth, picture, each) for picture, each in zip(pictures, distances, strict=True))
    yield TruthStep(len(boxes), len(boxes), tuple(verdicts))


def given_back(restored: Image.Image, low_res: Image.Image) -> float:
    """PSNR in dB, of all channels, of the restored picture made small again against what it was made from.

    Whatever detail a network adds, it should be detail that the low resolution does not show.
    """
    difference = to_tensor(ImageChops.difference(shrunk(restored), low_res)) + 1  # of 0 to 2
    return float(10 * torch.log10(4 / difference.square().mean()))


@torch.no_grad()
def _verdict(truth: Tensor, picture: Tensor, distance: float | None) -> Verdict:
    error = luma(picture) - luma(truth)
    detail = _detail(luma(picture)) - _detail(luma(truth))
    invented = error.square()[detail > 0].sum() / error.square().sum().clamp(min=1e-9)
    return Verdict(
        psnr(picture, truth),
        ssim(picture, truth),
        distance,
        float((picture - truth).abs().mean()),
        error[0, 0],
        detail[0, 0],
        float(invented),
    )


def _detail(y: Tensor) -> Tensor:
    """Standard deviation of luma (1, 1, H, W) around each place."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)

    return mean((y - mean(y)).square()).sqrt()


@torch.no_grad()
def _distances(tiles: list[Tensor], store: ModelStore) -> Tensor:
    """Of each tile but the first from the first: (N,)."""
    network = store.get(FEATURES)
    wanted, *seen = ([network.features(tile.to(store.device), LAYERS[-1])[layer] for layer in LAYERS] for tile in tiles)
    return torch.stack([feature_distance(each, wanted) for each in seen]).cpu()


def _boxes(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    """Left, top, right and lower edge of tiles that are about as large as each other."""

    def edges(length: int) -> list[tuple[int, int]]:
        count = -(-length // TILE)
        return [(length * i // count, length * (i + 1) // count) for i in range(count)]

    rows, columns = edges(picture.height), edges(picture.width)
    return [(left, top, right, bottom) for (top, bottom), (left, right) in product(rows, columns)]


def _cut(x: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    left, top, right, bottom = box
    return x[..., top:bottom, left:right]


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
