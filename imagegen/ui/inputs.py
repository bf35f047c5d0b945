"""Components whose input is safe: what a visitor uploads is decoded by our own code only."""

from abc import ABCMeta
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.component_meta import ComponentMeta
from gradio.data_classes import ImageData
from PIL import Image
from pydantic import ValidationError, ValidatorFunctionWrapHandler, model_validator

from imagegen.errors import InputError
from imagegen.images import open_picture

__all__ = ["Json", "Picture", "Slider"]


class _NoStub(ComponentMeta):
    """Gradio's own metaclass writes a .pyi beside every subclass, which type checkers would read instead."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> "_NoStub":
        return ABCMeta.__new__(cls, name, bases, attrs)


class Upload(ImageData):
    """What a call names as its picture; whatever is no such thing names no file, and so `Picture` refuses it."""

    @model_validator(mode="wrap")
    @classmethod
    def _or_nothing(cls, value: Any, check: ValidatorFunctionWrapHandler) -> "Upload":
        try:
            return check(value)  # type: ignore[no-any-return]
        except ValidationError:
            return cls()


class Picture(gr.Image, metaclass=_NoStub):
    """A `gr.Image` that hands its handler an upright RGB `PIL.Image.Image` from `images.open_picture`.

    `gr.Image` itself trusts the file's name, leaves GIFs unconverted, clips 16 bits to white, drops
    transparency and decodes pictures of any size. Results are shown as PNG, which loses nothing.
    """

    is_template = True  # the page draws it with the parent's frontend
    data_model = Upload

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"format": "png", "type": "pil", **options})

    def get_config(self, cls: type[Block] | None = None) -> dict[str, Any]:
        return super().get_config(gr.Image)  # Gradio reads the names of the options off __init__

    def preprocess(self, payload: ImageData | None) -> Image.Image | InputError | None:  # type: ignore[override]
        """The visitor's picture, None without one, or why it is refused: `wiring.named` says so in their language."""
        if payload is None:
            return None
        try:
            if not payload.path:
                raise InputError("Upload the picture first: files are named by the path that an upload returned.")
            return open_picture(Path(payload.path))
        except InputError as refusal:
            return refusal


class Slider(gr.Slider, metaclass=_NoStub):
    """A `gr.Slider` that passes on what it is given: the request checks it, and says what is wrong with it."""

    is_template = True

    def get_config(self, cls: type[Block] | None = None) -> dict[str, Any]:
        return super().get_config(gr.Slider)

    def preprocess(self, payload: Any) -> Any:
        return payload


class Json(gr.JSON, metaclass=_NoStub):
    """A `gr.JSON` whose schema is one: the parent's says `"type": {}`, for which MCP refuses every call."""

    is_template = True

    def get_config(self, cls: type[Block] | None = None) -> dict[str, Any]:
        return super().get_config(gr.JSON)

    def api_info(self) -> dict[str, Any]:
        return {"description": "any valid json"}
