"""Small widgets of ours: data goes in as JSON, `static/NAME.js` draws it, in either language and theme."""

import base64
import inspect
import io
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image
from torch import Tensor

from imagegen.errors import InputError
from imagegen.images import open_picture, to_pictures

__all__ = [
    "STATIC",
    "data_url",
    "handed_over",
    "jpeg",
    "picture_from_pad",
    "plain_png",
    "saved",
    "shown",
    "source",
    "widget",
]

STATIC = Path(__file__).parent / "static"
MAX_PAD_CHARACTERS = 200_000


def widget(name: str, value: Any = None, elem_id: str | None = None, **constants: Any) -> gr.HTML:
    """A `gr.HTML` whose `value` is plain data; its script watches the value and draws it.

    `name` is the script's, the element's class and, without `elem_id`, its id. `constants` are the script's `props`
    beside the value: what is there whatever came before its tab was opened for the first time.
    """
    return gr.HTML(
        value,
        html_template=f'<div class="{name}" role="group"></div>',
        js_on_load=(STATIC / f"{name}.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id or name,
        **constants,
    )


def data_url(file: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def jpeg(picture: Image.Image) -> bytes:
    """For large previews: a fifth of the size of a PNG, and 20 times as fast."""
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=88)
    return file.getvalue()


def plain_png(picture: Image.Image) -> bytes:
    """For previews and for pictures from outside, which have no recipe."""
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def shown(pictures: Tensor) -> str:
    """The first picture of (B, C, H, W) in [-1, 1], for a widget."""
    return data_url(plain_png(to_pictures(pictures[:1])[0]))


def saved(file: bytes, name: str) -> str:
    """A file in Gradio's own cache, where an output component serves it as it is.

    In a folder of its own: written again for a second visitor, it would be cut off for the first.
    """
    folder = Path(get_upload_folder()) / secrets.token_hex(8)
    return str(gr.processing_utils.save_bytes_to_cache(file, name, str(folder)))


def handed_over(file: bytes, name: str, about: Any) -> tuple[str | None, Any]:
    """What an endpoint returns: a picture among Gradio's files, and what is told of it.

    Where none can be written, as on a full disk, the picture is told too, with a warning.
    """
    try:
        return saved(file, name), about
    except OSError as problem:
        warning = f"No file could be written here ({problem.strerror}); the picture is a data: URL instead."
        return None, {"about": about, "picture": data_url(file, name.rpartition(".")[2]), "warning": warning}


def picture_from_pad(drawing: object) -> Image.Image:
    """The pad's value, base64 of a PNG, as a picture.

    Raises:
        InputError: it is too long or no picture.
    """
    if not isinstance(drawing, str) or len(drawing) > MAX_PAD_CHARACTERS:
        raise InputError("A drawing must be a base64 PNG of at most {limit} characters.", limit=MAX_PAD_CHARACTERS)
    try:
        return open_picture(base64.b64decode(drawing, validate=True))
    except ValueError as problem:
        raise InputError("The drawing is not valid base64; draw it again.") from problem


def source(*functions: Callable[..., Any]) -> str:
    """The lines that ran, to be shown with a copy button."""
    return "\n\n".join(inspect.getsource(inspect.unwrap(function)).rstrip() for function in functions)
