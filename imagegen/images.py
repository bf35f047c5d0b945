"""Pictures in and out: the only place where a file is decoded or a PIL picture meets a tensor.

A visitor's file is untrusted: it is judged by its content, never by its name, and measured from its
header before a pixel is decoded. Tensors are (B, C, H, W) in [-1, 1], pictures are 8-bit PIL images.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from imagegen.errors import ImageGenError, InputError

__all__ = [
    "DIGIT_SIDE",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "grid",
    "not_finite",
    "open_header",
    "open_picture",
    "to_bytes",
    "to_digit",
    "to_pictures",
    "to_tensor",
]

MAX_PIXELS = 16_000_000  # width x height of a decoded picture
MAX_FILE_BYTES = 20 * 2**20  # size of an encoded picture
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

DIGIT_SIDE = 28  # pixels, width and height of an MNIST picture
MAX_INK_SIDE = 1024  # pixels; a larger photo is made smaller before its digit is looked for
INK_SIDE = 20  # pixels, longer side of the ink in it
MIN_CONTRAST = 24  # grey levels of 255 between paper and ink; with less the picture is blank
STRONG_INK = 0.5  # share of the contrast that is surely ink
FAINT_INK = 0.1  # share of the contrast that may be the edge of a stroke; anything fainter is paper
FULL_INK = 0.75  # quantile of the shrunk ink from which it is pure white, as in MNIST


def open_header(source: bytes | Path) -> Image.Image:
    """Identify a picture file and check its size, without decoding a pixel.

    Raises InputError if it is empty, too large, damaged or of another format.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise InputError("The picture file is empty. Choose another one.")
    if len(data) > MAX_FILE_BYTES:
        raise InputError(
            "The picture file is larger than {limit} MB. Make it smaller and try again.",
            limit=MAX_FILE_BYTES // 2**20,
        )
    with _refusing_unreadable():
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_pixels(image)
    return image


def open_picture(source: bytes | Path | Image.Image) -> Image.Image:
    """An upright 8-bit RGB picture: first frame only, transparency on white, metadata left behind.

    Raises InputError if the source is empty, too large, damaged or of another format.
    """
    image = source if isinstance(source, Image.Image) else open_header(source)
    with _refusing_unreadable():
        _check_pixels(image)
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith(("I", "F")):
            image = _to_8_bits(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        picture = image.convert("RGB")
    picture.info.clear()  # a photo's EXIF says where it was taken and must not travel on
    return picture


def to_tensor(picture: Image.Image) -> Tensor:
    """A picture as float32 (1, 3, H, W) in [-1, 1]; a grey one (mode "L") as (1, 1, H, W)."""
    if picture.mode != "L":
        picture = picture.convert("RGB")
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32)) / 127.5 - 1
    channels_last = pixels.reshape(1, picture.height, picture.width, -1)
    return channels_last.permute(0, 3, 1, 2).contiguous()


def to_bytes(picture: Image.Image) -> Tensor:
    """A picture as uint8 (1, 3, H, W), as training keeps it; a grey one (mode "L") as (1, 1, H, W)."""
    pixels = torch.from_numpy(np.array(picture)).reshape(1, picture.height, picture.width, -1)
    return pixels.permute(0, 3, 1, 2).contiguous()


def to_pictures(batch: Tensor) -> list[Image.Image]:
    """Pictures from (B, C, H, W) in [-1, 1], C = 1 (grey) or 3 (RGB), rounded to the nearest of 256 levels.

    Raises ImageGenError if a value is NaN or infinite: never a black picture in silence.
    """
    if not torch.isfinite(batch).all():
        raise not_finite()
    levels = (batch.detach().float().cpu().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
    channels_last = levels.permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(pixels[..., 0] if batch.shape[1] == 1 else pixels) for pixels in channels_last]


def not_finite() -> ImageGenError:
    """To be raised in place of a black picture."""
    return ImageGenError(
        "The model's output holds values that are not finite numbers, so there is no picture to show. "
        "Try another seed or less extreme settings."
    )


def grid(pictures: Sequence[Image.Image], columns: int, gap: int = 2, background: str = "white") -> Image.Image:
    """One RGB sheet of equally large pictures, row by row, `gap` pixels of `background` between them."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), background)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        sheet.paste(picture, (column * (width + gap), row * (height + gap)))
    return sheet


def to_digit(picture: Image.Image) -> Tensor:
    """A drawing or photo of one digit as MNIST would show it: (1, 1, 28, 28) in [-1, 1], white on black.

    As MNIST was made (LeCun et al., 1998, "Gradient-based learning applied to document recognition"):
    the longer side of the ink is 20 pixels, antialiased, and its centre of mass lies in pixel (14, 14),
    as near as whole steps and the frame allow. Ink may be dark on light or light on dark.
    Raises InputError for a blank picture.
    """
    grey = open_picture(picture).convert("L")
    grey.thumbnail((MAX_INK_SIDE, MAX_INK_SIDE))
    ink = _cut_out_ink(np.asarray(grey, dtype=np.float32))
    scale = INK_SIDE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BILINEAR))
    small = np.minimum(1, small / np.quantile(small[small > 0], FULL_INK))  # a thin pen must not fade away

    canvas = torch.full((1, 1, DIGIT_SIDE, DIGIT_SIDE), -1.0)
    top, left = _offset(small.sum(axis=1)), _offset(small.sum(axis=0))
    canvas[0, 0, top : top + height, left : left + width] = torch.from_numpy(small) * 2 - 1
    return canvas


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError("The file {name} cannot be opened.", name=path.name) from error


@contextmanager
def _refusing_unreadable() -> Iterator[None]:
    """Pillow's decoders fail with anything from struct.error to KeyError; to a visitor it is all one."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            "This file is not a picture that can be read here. Use PNG, JPEG, WebP, GIF, BMP or TIFF."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            "The picture has more than {limit} megapixels. Make it smaller and try again.",
            limit=MAX_PIXELS // 10**6,
        ) from error
    except Exception as error:
        raise InputError("The picture file is damaged or cut off. Save it anew or choose another.") from error


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion clips it to white."""
    levels = np.array(image)
    if image.mode == "F" or levels.min() < 0 or levels.max() > 65535:
        raise InputError("The picture has 32 bits per channel. Save it with 8 or 16 bits.")
    levels = levels.astype(np.int32)
    levels[levels == image.info.get("transparency", -1)] = 65535
    return Image.fromarray(((levels + 128) // 257).astype(np.uint8))


def _cut_out_ink(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """From grey levels (H, W) to the box that holds the ink, paper 0 and ink up to 1."""
    ink = grey - _paper(grey)
    if ink.max() < -ink.min():
        ink = -ink
    contrast = ink.max()
    if contrast < MIN_CONTRAST:
        raise InputError("The picture is blank. Draw a digit first, dark on light or light on dark.")
    ink /= contrast
    ink[ink < FAINT_INK] = 0

    # Strong ink says where the digit is; faint edges count only beside it, shadows further off do not.
    (top, bottom), (left, right) = _extent(ink > STRONG_INK)
    margin = max(bottom - top, right - left) // INK_SIDE + 1
    ink = ink[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    (top, bottom), (left, right) = _extent(ink > 0)
    return ink[top:bottom, left:right]


def _paper(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bare paper (H, W): a plane through the medians of the four sides, as light often falls aslant."""
    top, bottom, left, right = (np.median(side) for side in (grey[0], grey[-1], grey[:, 0], grey[:, -1]))
    down, across = (np.linspace(-0.5, 0.5, side, dtype=np.float32) for side in grey.shape)
    slope: NDArray[np.float32] = (bottom - top) * down[:, None] + (right - left) * across
    return slope + np.float32((top + bottom + left + right) / 4)


def _extent(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row and one past the last that hold a True; then the same for columns."""
    lines = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return [(int(line[0]), int(line[-1]) + 1) for line in lines]


def _offset(mass: NDArray[np.float32]) -> int:
    """Where a strip of this mass begins in the frame so that its centre of mass is in the middle."""
    centre = float(np.arange(len(mass)) @ mass / mass.sum())
    return min(max(0, round(DIGIT_SIDE / 2 - centre)), DIGIT_SIDE - len(mass))
