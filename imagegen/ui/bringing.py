"""Bringing a picture of one's own: a sketch pad and an upload, in any tab; either becomes the travelling picture."""

from typing import Any

import gradio as gr
from PIL import Image

from imagegen.ui.inputs import Picture
from imagegen.ui.language import T
from imagegen.ui.widgets import picture_from_pad, widget
from imagegen.ui.wiring import Travelling, live

__all__ = ["pad_and_upload"]


def pad_and_upload(travelling: gr.State, prefix: str = "") -> None:
    """Add both where the page stands; `prefix` keeps the ids of each tab apart."""
    pad = widget("pad", elem_id=f"{prefix}pad")
    upload = Picture(
        label=T("upload"), sources=["upload", "clipboard"], height=150, elem_id=f"{prefix}upload", elem_classes="upload"
    )
    live([pad.input], _take_drawing, {"drawing": pad}, [travelling])
    live([upload.upload], _take_upload, {"picture": upload}, [travelling])


def _take_drawing(drawing: str) -> Any:
    return Travelling(picture_from_pad(drawing))


def _take_upload(picture: Image.Image | None) -> Any:
    return Travelling(picture) if picture else gr.skip()
