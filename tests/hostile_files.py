"""Picture files that cost little to send and much to open."""

import struct
import zlib

from e2e.visiting import encoded
from PIL import Image

__all__ = ["animated_gif", "flat_png"]


def flat_png(width: int, height: int, rows: int | None = None) -> bytes:
    """A 1-bit PNG that declares any size and holds all of its rows, or only so many."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    lines = bytes((-(-width // 8) + 1) * (height if rows is None else rows))
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def animated_gif(first: Image.Image, frames: int) -> bytes:
    """The grey picture `first`, then black ones of the same size."""
    one, black = (encoded(picture.convert("L"), "GIF") for picture in (first, Image.new("L", first.size)))
    frame = black[black.rindex(b"\x2c\0\0\0\0" + struct.pack("<HH", *first.size)) : -1]
    return one[:-1] + frame * (frames - 1) + b";"
