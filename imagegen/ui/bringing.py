"""Bringing a picture of one's own in any tab: digits by a sketch pad or an upload, photos by one click on an example,
an upload or the webcam. Whichever it is becomes the travelling picture.

And the travelling picture as networks take it: a digit as MNIST has it, or a face.
"""

import math
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps
from torch import Tensor

from imagegen.data.faces import SIDE
from imagegen.errors import InputError
from imagegen.images import DIGIT_SIDE, open_picture, to_digit, to_tensor
from imagegen.tasks import checks
from imagegen.tasks.journey import MAX_SIDE
from imagegen.ui.inputs import Picture
from imagegen.ui.language import T
from imagegen.ui.widgets import data_url, jpeg, picture_from_pad, widget
from imagegen.ui.wiring import Travelling, live, said

__all__ = [
    "EXAMPLES",
    "EYES",
    "STYLES",
    "align_face",
    "as_digit",
    "as_face",
    "example",
    "eyes_in",
    "pad_and_upload",
    "photo_and_examples",
]

FOLDER = Path(__file__).parent / "examples"
EXAMPLES = ("chelsea", "astronaut", "coffee", "flower", "china", "rocket")
"""Photos that anyone may show; whose they are stands in the folder's ATTRIBUTION.md."""
STYLES = ("strokes", "mosaic", "waves", "shapes")
"""Pictures to take a style from, drawn by `scripts/example_styles.py`."""
THUMBNAIL = 96

EYES = ((0.388, 0.517), (0.607, 0.517))
"""Where `data/faces.py` crops them to, as shares: CelebA's aligned frame has them at (69, 112) and (108, 112)."""
MIN_BETWEEN_EYES = 0.02


def pad_and_upload(travelling: gr.State, prefix: str = "") -> None:
    """Add both where the page stands; `prefix` keeps the ids of each tab apart."""
    pad = widget("pad", elem_id=f"{prefix}pad")
    upload = Picture(
        label=T("upload"), sources=["upload", "clipboard"], height=150, elem_id=f"{prefix}upload", elem_classes="upload"
    )
    live([pad.input], _take_drawing, {"drawing": pad}, [travelling])
    live([upload.upload], _take_upload, {"picture": upload}, [travelling])


def photo_and_examples(
    travelling: gr.State, prefix: str = "", names: tuple[str, ...] = EXAMPLES, label: str = "photo.own"
) -> None:
    """Add examples, one click each, and an upload with webcam where the page stands; `prefix` as above.

    Args:
        travelling: takes what is brought, as a `Travelling`.
        names: of the examples.
        label: key of the words above the upload; keys have dots, as the page would translate a control's value "photo".
    """
    thumbnails = [
        {"name": name, "png": data_url(jpeg(ImageOps.fit(example(name), (THUMBNAIL, THUMBNAIL))), "jpeg")}
        for name in names
    ]
    examples = widget("examples", thumbnails, elem_id=f"{prefix}examples")
    sources: list[Any] = ["upload", "webcam", "clipboard"]
    upload = Picture(label=T(label), sources=sources, height=200, elem_id=f"{prefix}photo", elem_classes="upload")
    live([examples.select], _take_example, {}, [travelling])
    live([upload.input], _take_upload, {"picture": upload}, [travelling])


def example(name: object) -> Image.Image:
    """One of `EXAMPLES` or `STYLES`, its longer side at most 512 pixels.

    Raises:
        InputError: there is none of that name.
    """
    return open_picture(FOLDER / f"{checks.choice('example', name, (*EXAMPLES, *STYLES))}.jpg")


def as_digit(subject: Travelling) -> Tensor:
    """(1, 1, 28, 28) in [-1, 1], white on black; a digit that was made here is that already."""
    picture = subject.picture
    made_here = subject.recipe is not None and picture.size == (DIGIT_SIDE, DIGIT_SIDE)
    return to_tensor(picture) if made_here else to_digit(picture)


def as_face(subject: Travelling) -> Tensor:
    """The square middle, (1, 3, 64, 64) in [-1, 1]."""
    return to_tensor(ImageOps.fit(subject.picture.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC))


def eyes_in(picture: Image.Image) -> list[tuple[float, float]]:
    """Where the eyes are, as shares of width and height, if the square middle is a face as CelebA has it."""
    side = min(picture.size)
    return [tuple(0.5 + (x - 0.5) * side / whole for x, whole in zip(eye, picture.size, strict=True)) for eye in EYES]  # type: ignore[misc]


def align_face(picture: Image.Image, eyes: object) -> Image.Image:
    """Turn, scale and crop a photo so that its eyes lie where CelebA's do; square, as large as it is in the photo.

    Args:
        eyes: two places as shares of width and height.

    Raises:
        InputError: they are no such places, or one and the same.
    """
    points = eyes if isinstance(eyes, list) and len(eyes) == 2 else [None, None]
    places = sorted(checks.numbers("eyes", point, 2, 1.0) for point in points)
    if not all(len(place) == 2 for place in places) or math.dist(*places) < MIN_BETWEEN_EYES:
        raise InputError("The eyes must be two places in the picture, apart from each other.")
    left, right = (complex(x * picture.width, y * picture.height) for x, y in places)
    first, second = (complex(*eye) for eye in EYES)
    scale = (right - left) / (second - first)  # pixels of the photo, turned, that are as wide as the crop
    side = min(max(SIDE, round(abs(scale))), MAX_SIDE)
    step, corner = scale / side, left - scale * first
    turned = (step.real, -step.imag, corner.real, step.imag, step.real, corner.imag)
    grey = (128, 128, 128)
    return picture.convert("RGB").transform(
        (side, side), Image.Transform.AFFINE, turned, Image.Resampling.BICUBIC, fillcolor=grey
    )


def _take_example(event: gr.EventData) -> Any:
    return Travelling(example(said(event).get("name")))


def _take_drawing(drawing: str) -> Any:
    picture = picture_from_pad(drawing)
    return Travelling(picture, drawn=picture)


def _take_upload(picture: Image.Image | None) -> Any:
    return Travelling(picture) if picture else gr.skip()
