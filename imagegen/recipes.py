"""The recipe: what made a picture, carried inside its file or a link, so that it can be made again.

Recipes come back from strangers: they are bounded before they are parsed, and every field is checked in
one place, `Recipe.__post_init__`. A recipe that exists is one that is safe to hand to a task.
"""

import base64
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagegen import __version__
from imagegen.errors import InputError
from imagegen.images import open_header

__all__ = [
    "Recipe",
    "from_json",
    "from_link",
    "picture_sha256",
    "read_recipe",
    "to_json",
    "to_link",
    "to_png",
    "to_webp_animation",
]

FORMAT_VERSION = 1
MAX_JSON_BYTES = 64_000
MAX_NUMBER = 2**53  # JSON readers disagree about larger integers
MAX_NESTING = 3  # lists within lists in a request
LOSSLESS_PIXELS = 256 * 256  # width x height; larger animations are compressed with loss

NAME = r"[A-Za-z0-9][\w.-]{0,99}"
SHA256 = r"[0-9a-f]{64}"
SURROGATES = re.compile("[\ud800-\udfff]")  # JSON can spell them, UTF-8 cannot

TEXT_KEY = "imagegen"
XMP_KEY = "XML:com.adobe.xmp"
XMP_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}"
 xmlns:imagegen="urn:imagegen:" imagegen:recipe="{link}"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
XMP_RECIPE = re.compile(rb'imagegen:recipe="([\w-]*)"')


@dataclass(frozen=True)
class Recipe:
    """All that is needed to make one picture again. Raises InputError if a field is out of bounds."""

    task: str  # name of the task, such as "gan"
    checkpoint: str  # name of the checkpoint, or OWNER/NAME
    sha256: str  # of the checkpoint's weights, 64 hexadecimal digits
    request: dict[str, Any]  # the task's fields; strings, numbers, booleans, None and lists of these
    seed: int  # of the whole request, 0 to 2^32 - 1
    index: int  # the picture's place in the request, from 0
    inputs: tuple[str, ...] = ()  # `picture_sha256` of each picture that went in
    version: str = __version__  # of imagegen

    def __post_init__(self) -> None:
        valid = {
            "task": _matches(NAME, self.task),
            "checkpoint": _matches(f"{NAME}(/{NAME})?", self.checkpoint),
            "sha256": _matches(SHA256, self.sha256),
            "request": _is_request(self.request),
            "seed": type(self.seed) is int and 0 <= self.seed < 2**32,
            "index": type(self.index) is int and 0 <= self.index < 2**32,
            "inputs": isinstance(self.inputs, tuple) and all(_matches(SHA256, item) for item in self.inputs),
            "version": _matches(NAME, self.version),
        }
        for field, is_valid in valid.items():
            if not is_valid:
                raise InputError(
                    "The recipe cannot be used: its {field} is not valid. Choose another picture or link.",
                    field=field,
                )
        _check_size(len(to_json(self).encode()))


def to_json(recipe: Recipe) -> str:
    """The recipe as compact JSON with sorted keys; the same recipe is always the same text."""
    content = {"v": FORMAT_VERSION, **vars(recipe)}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> Recipe:
    """The recipe in untrusted JSON of at most 64 kB. Raises InputError for anything else."""
    _check_size(len(text))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    names = {field.name for field in fields(Recipe)}
    if not isinstance(content, dict) or content.keys() != names | {"v"}:
        raise _unreadable()
    version = content.pop("v")
    if type(version) is not int or version != FORMAT_VERSION or not isinstance(content["inputs"], list):
        raise _unreadable()
    return Recipe(**content | {"inputs": tuple(content["inputs"])})


def to_link(recipe: Recipe) -> str:
    """The recipe as base64url without padding, for the `recipe` parameter of a link."""
    return base64.urlsafe_b64encode(to_json(recipe).encode()).rstrip(b"=").decode()


def from_link(text: str) -> Recipe:
    """The recipe in an untrusted link parameter. Raises InputError if there is none."""
    _check_size(len(text) * 3 // 4)
    try:
        padded = text + "=" * (-len(text) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise _unreadable() from error
    return from_json(content)


def picture_sha256(picture: Image.Image) -> str:
    """Names a picture by its size and pixels, whatever file they came in."""
    rgb = picture.convert("RGB")
    return hashlib.sha256(b"%dx%d" % rgb.size + rgb.tobytes()).hexdigest()


def to_png(picture: Image.Image, recipe: Recipe) -> bytes:
    """A PNG file with the recipe in an iTXt chunk, and XMP that declares it as made by a model."""
    text = PngInfo()
    text.add_itxt(TEXT_KEY, to_json(recipe))
    text.add_itxt(XMP_KEY, _xmp(recipe))
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=text)
    return file.getvalue()


def to_webp_animation(frames: Sequence[Image.Image], seconds_per_frame: float, recipe: Recipe) -> bytes:
    """A WebP file that loops over equally large frames; WebP has no text chunks, so XMP holds the recipe."""
    first, *others = frames
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=round(seconds_per_frame * 1000),
        loop=0,
        lossless=first.width * first.height <= LOSSLESS_PIXELS,
        xmp=_xmp(recipe).encode(),
    )
    return file.getvalue()


def read_recipe(source: bytes | Path) -> Recipe:
    """The recipe inside a picture file. Raises InputError if there is none or it is not as it should be."""
    metadata = open_header(source).info
    text = metadata.get(TEXT_KEY)
    if isinstance(text, str):
        return from_json(text)
    xmp = metadata.get("xmp")
    in_xmp = XMP_RECIPE.search(xmp) if isinstance(xmp, bytes) else None
    if in_xmp is None:
        raise InputError("This picture carries no recipe. Choose a PNG or WebP file as it was saved here.")
    return from_link(in_xmp[1].decode())


def _xmp(recipe: Recipe) -> str:
    source_type = "compositeWithTrainedAlgorithmicMedia" if recipe.inputs else "trainedAlgorithmicMedia"
    return XMP_PACKET.format(source_type=source_type, link=to_link(recipe))


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _is_request(request: object) -> bool:
    return isinstance(request, dict) and all(
        _matches(r"[a-z]\w{0,63}", key) and _is_plain(value, MAX_NESTING) for key, value in request.items()
    )


def _is_plain(value: object, nesting: int) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return SURROGATES.search(value) is None
    if isinstance(value, int | float):
        return abs(value) <= MAX_NUMBER  # False for NaN too
    return isinstance(value, list | tuple) and nesting > 0 and all(_is_plain(v, nesting - 1) for v in value)


def _check_size(size: int) -> None:
    if size > MAX_JSON_BYTES:
        raise InputError(
            "The recipe is larger than {limit} kB. Use a shorter prompt or fewer settings.",
            limit=MAX_JSON_BYTES // 1000,
        )


def _unreadable() -> InputError:
    return InputError("The recipe is damaged or of another version. Choose another picture or link.")
