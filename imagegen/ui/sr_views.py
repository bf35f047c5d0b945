"""What the super-resolution tab shows: what goes in, and steps as plain data for its widgets."""

import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imagegen.data.photos import shrunk, spoilt
from imagegen.evaluation.curves import TRADE
from imagegen.images import to_pictures, to_tensor
from imagegen.models.sr import SCALE
from imagegen.store import ModelStore
from imagegen.tasks import checks, sr_truth
from imagegen.tasks import sr as task
from imagegen.tasks.sr_truth import Verdict, made_small
from imagegen.tasks.tiles import TileStep
from imagegen.ui.bringing import example
from imagegen.ui.widgets import data_url, jpeg
from imagegen.ui.wiring import Travelling

SOURCES = ("whole", "truth")
BICUBIC = "bicubic"
FIRST, FIRST_SIDE = "chelsea", 128
"""The example that is enlarged before there is a picture of the visitor's, and its longer side."""
MIXES = (0.25, 0.5, 0.75)
"""Shares of the pleasing network that are judged beside 0 and 1."""
FULL_ERROR, FULL_DETAIL = 48.0, 12.0
"""Levels of luma at which the map of errors is as bright, and as orange or blue, as it gets."""
INVENTED, LOST = (240, 140, 50), (60, 150, 240)


@dataclass(frozen=True, eq=False)
class Subject:
    """What goes in.

    Args:
        low_res: the picture that is enlarged.
        truth: what it should become, where that is known.
        model: the network for the smallest error.
        was: width and height of the visitor's picture, where it had to be made smaller.
    """

    low_res: Image.Image
    truth: Image.Image | None
    model: str
    was: tuple[int, int] | None = None


def models(store: ModelStore) -> list[str]:
    """The networks that are there, the faithful one first; every file is checked.

    Raises:
        CheckpointError: one is damaged, or the faithful one is missing.
    """
    names = [task.FAITHFUL, *(name for name in (task.PLEASING, task.REAL) if name in store.names())]
    for name in names:
        store.checkpoint(name).verify()
    return names


def losses(store: ModelStore, names: Sequence[str]) -> dict[str, Any]:
    """What each network was trained to make small, as its card says, and the plot of the mixtures if there is one."""
    trained = {name: str(store.checkpoint(name).card().training.get("loss", "")) for name in names}
    drawn = task.PLEASING in names and TRADE in store.checkpoint(task.PLEASING).files("assets")
    plot = data_url(store.checkpoint(task.PLEASING).read(TRADE), "svg+xml") if drawn else None
    return {"losses": trained, "plot": plot}


def subject(names: Sequence[str], travelling: Travelling | None, source: str, model: str) -> Subject:
    """The visitor's picture, or an example, as it is to go in.

    Raises:
        InputError: it is too small to be made smaller first.
    """
    faithful = checks.choice("model", model, [name for name in names if name != task.PLEASING])
    picture = _first() if travelling is None else travelling.picture.convert("RGB")
    if checks.choice("source", source, SOURCES) == "truth":
        truth, low_res = made_small(picture, spoilt if faithful == task.REAL else shrunk)
        return Subject(low_res, truth, faithful)
    small = task.fitted(picture)
    return Subject(small, None, faithful, None if small is picture else picture.size)


def ways(names: Sequence[str], subject: Subject) -> list[str]:
    """The networks that enlarge it: two that can be mixed, or the one for real photos."""
    return (
        [task.FAITHFUL, task.PLEASING] if subject.model == task.FAITHFUL and task.PLEASING in names else [subject.model]
    )


def request(subject: Subject, names: Sequence[str], pleasing: object) -> task.UpscaleRequest:
    """What makes the picture at this place of the slider."""
    picture = to_tensor(subject.low_res)
    share = checks.number("pleasing", pleasing, 0, 1)
    if subject.model == task.REAL:
        return task.RealRequest(picture)
    return task.PleasingRequest(picture, share) if share and task.PLEASING in names else task.UpscaleRequest(picture)


def bicubic(low_res: Image.Image) -> Image.Image:
    return low_res.resize((SCALE * low_res.width, SCALE * low_res.height), Image.Resampling.BICUBIC)


def mixed(faithful: Image.Image, pleasing: Image.Image, share: float) -> Image.Image:
    return Image.blend(faithful, pleasing, share)


# Steps as data


def about(subject: Subject, names: Sequence[str]) -> dict[str, Any]:
    """What there is before the first tile: bicubic interpolation, and the truth where it is known."""
    return {
        "run": secrets.token_hex(4),
        "names": list(names),
        "size": [SCALE * side for side in subject.low_res.size],
        "was": subject.was,
        "low": quick_png(subject.low_res),
        "bicubic": quick_png(bicubic(subject.low_res)),
        "truth": quick_png(subject.truth) if subject.truth else None,
    }


def tile(run: str, names: Sequence[str], step: TileStep) -> dict[str, Any]:
    """A preview of what one step has filled."""
    pictures = zip(names, to_pictures(step.tile), strict=True)
    return {
        "kind": "tile",
        "run": run,
        "box": step.box,
        "tiles": {name: data_url(jpeg(picture), "jpeg") for name, picture in pictures},
        "index": step.index,
        "total": step.total,
    }


def done(pictures: Mapping[str, Image.Image], seconds: float, tiles: int) -> dict[str, Any]:
    """The exact results."""
    return {
        "kind": "done",
        "pictures": {name: quick_png(picture) for name, picture in pictures.items()},
        "seconds": seconds,
        "tiles": tiles,
    }


def given_back(ways: Mapping[str, Image.Image], subject: Subject) -> dict[str, float | None]:
    """How near each way comes to what went in when it is made small again, in dB."""
    return {name: finite(sr_truth.given_back(picture, subject.low_res)) for name, picture in ways.items()}


def verdicts(judged: Mapping[str, Verdict], curve: Sequence[tuple[float, Verdict]]) -> dict[str, Any]:
    """Each way held against the truth.

    Args:
        judged: by name of the way.
        curve: by share of the pleasing network, from 0 to 1; empty where there is none.
    """
    numbers = {
        name: {
            "psnr": finite(verdict.psnr),
            "ssim": verdict.ssim,
            "distance": verdict.distance,
            "invented": verdict.invented,
            "map": quick_png(error_map(verdict.error, verdict.detail)),
        }
        for name, verdict in judged.items()
    }
    points = [[share, finite(verdict.psnr), verdict.distance] for share, verdict in curve]
    return {"ways": numbers, "curve": points}


def error_map(error: Tensor, detail: Tensor) -> Image.Image:
    """Black where nothing is wrong; bright where much is: orange with too much detail, blue with too little."""
    strength = (error.abs() / FULL_ERROR).clamp(max=1).sqrt()[..., None]
    share = (0.5 + 0.5 * (detail / FULL_DETAIL).clamp(-1, 1))[..., None]
    colours = share * torch.tensor(INVENTED) + (1 - share) * torch.tensor(LOST)
    return Image.fromarray((strength * colours).round().numpy().astype(np.uint8))


def quick_png(picture: Image.Image) -> str:
    """Lossless for the page: a third larger than the smallest file, and five times as fast."""
    file = io.BytesIO()
    picture.save(file, "png", compress_level=1)
    return data_url(file.getvalue())


def finite(decibels: float) -> float | None:
    """JSON knows no infinity."""
    return decibels if decibels != float("inf") else None


def _first() -> Image.Image:
    picture = example(FIRST)
    picture.thumbnail((FIRST_SIDE, FIRST_SIDE))
    return picture
