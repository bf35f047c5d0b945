"""Bringing a picture of one's own: a sketch pad and an upload, in any tab; either becomes the travelling picture.

And the travelling picture as networks take it: a digit as MNIST has it, or a face.
"""

from typing import Any

import gradio as gr
from PIL import Image, ImageOps
from torch import Tensor

from imagegen.data.faces import SIDE
from imagegen.images import DIGIT_SIDE, to_digit, to_tensor
from imagegen.ui.inputs import Picture
from imagegen.ui.language import T
from imagegen.ui.widgets import picture_from_pad, widget
from imagegen.ui.wiring import Travelling, live

__all__ = ["as_digit", "as_face", "pad_and_upload"]


def pad_and_upload(travelling: gr.State, prefix: str = "") -> None:
    """Add both where the page stands; `prefix` keeps the ids of each tab apart."""
    pad = widget("pad", elem_id=f"{prefix}pad")
    upload = Picture(
        label=T("upload"), sources=["upload", "clipboard"], height=150, elem_id=f"{prefix}upload", elem_classes="upload"
    )
    live([pad.input], _take_drawing, {"drawing": pad}, [travelling])
    live([upload.upload], _take_upload, {"picture": upload}, [travelling])


def as_digit(subject: Travelling) -> Tensor:
    """(1, 1, 28, 28) in [-1, 1], white on black; a digit that was made here is that already."""
    picture = subject.picture
    made_here = subject.recipe is not None and picture.size == (DIGIT_SIDE, DIGIT_SIDE)
    return to_tensor(picture) if made_here else to_digit(picture)


def as_face(subject: Travelling) -> Tensor:
    """The square middle, (1, 3, 64, 64) in [-1, 1]."""
    return to_tensor(ImageOps.fit(subject.picture.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC))


def _take_drawing(drawing: str) -> Any:
    return Travelling(picture_from_pad(drawing))


def _take_upload(picture: Image.Image | None) -> Any:
    return Travelling(picture) if picture else gr.skip()
