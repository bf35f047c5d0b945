"""Pictures in and out: what must be refused, and what must come back upright."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import flat_png
from PIL import ExifTags, Image

from imagegen import images
from imagegen.errors import ImageGenError, InputError
from imagegen.images import grid, open_picture, to_pictures, to_tensor


def encode(picture: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def four_colours() -> Image.Image:
    """3 x 2 pixels that no flip or turn leaves as they are."""
    picture = Image.new("RGB", (3, 2), "white")
    for place, colour in {(0, 0): "red", (2, 0): "lime", (0, 1): "blue"}.items():
        picture.putpixel(place, Image.new("RGB", (1, 1), colour).getpixel((0, 0)))
    return picture


def rising_stripes(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), (0, 200 - 20 * i, 20 * i)) for i in range(count)]


MEMORY_PROBE = """
import re, sys, warnings
from imagegen.errors import InputError
from imagegen.images import open_picture

warnings.simplefilter("ignore")
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
data = sys.stdin.buffer.read()
before = peak()
try:
    open_picture(data)
except InputError as error:
    sys.exit(f"{peak() - before} MB: {error}")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize(("side", "rows"), [(50_000, 1), (12_000, 12_000)], ids=["50000x50000", "144 MP"])
def test_a_bomb_is_refused_from_its_header(side: int, rows: int) -> None:
    data = flat_png(side, side, rows)
    assert len(data) < 20_000
    result = subprocess.run([sys.executable, "-c", MEMORY_PROBE], input=data, capture_output=True, timeout=60)
    grown, message = result.stderr.decode().split(" MB: ")
    assert int(grown) < 50
    assert "16 megapixels" in message


def test_the_cap_on_pixels_is_ours_and_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 64)
    assert open_picture(encode(Image.new("L", (64, 64)))).size == (64, 64)
    with pytest.raises(InputError, match="megapixels"):
        open_picture(encode(Image.new("L", (64, 65))))
    with pytest.raises(InputError, match="megapixels"):
        open_picture(Image.new("L", (64, 65)))


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    data = encode(Image.new("L", (2, 2))) + bytes(images.MAX_FILE_BYTES)
    (tmp_path / "large.png").write_bytes(data)
    for source in (data, tmp_path / "large.png"):
        with pytest.raises(InputError, match="20 MB"):
            open_picture(source)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_only_the_first_frame_of_an_animation_is_read(file_format: str) -> None:
    frames = rising_stripes(5)
    options = {"save_all": True, "append_images": frames[1:], "duration": 20}
    if file_format == "WEBP":
        options["lossless"] = True
    picture = open_picture(encode(frames[0], file_format, **options))
    assert picture.getpixel((4, 4)) == (0, 200, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_common_mode_becomes_rgb(mode: str) -> None:
    picture = open_picture(Image.new("RGB", (4, 3), "white").convert(mode))
    assert (picture.mode, picture.size) == ("RGB", (4, 3))
    assert picture.getpixel((1, 1)) == (255, 255, 255)


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    data = encode(Image.new("RGB", (16, 16), (200, 30, 40)).convert("CMYK"), "JPEG", quality=95)
    assert np.allclose(open_picture(data).getpixel((8, 8)), (200, 30, 40), atol=6)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_to_8(file_format: str) -> None:
    levels = np.array([[0, 200, 32768, 65535]], dtype=np.uint16)
    picture = open_picture(encode(Image.fromarray(levels), file_format))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparent_16_bit_grey_becomes_white() -> None:
    levels = np.array([[1000, 40000]], dtype=np.uint16)
    picture = open_picture(encode(Image.fromarray(levels), transparency=1000))
    assert np.asarray(picture)[0, :, 0].tolist() == [255, 156]


@pytest.mark.parametrize("picture", [Image.new("F", (2, 2), 0.5), Image.new("I", (2, 2), 70_000)], ids=["F", "I"])
def test_32_bits_are_refused(picture: Image.Image) -> None:
    with pytest.raises(InputError, match="32 bits"):
        open_picture(encode(picture, "TIFF"))


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_exif_orientation_is_applied(orientation: int, undo: Image.Transpose | None) -> None:
    upright = four_colours()
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert open_picture(encode(stored, exif=exif)).tobytes() == upright.tobytes()


def test_metadata_stays_behind() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "camera"
    picture = open_picture(encode(four_colours(), exif=exif))
    assert picture.info == {}
    assert not picture.getexif()


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_transparency_is_composited_on_white(file_format: str) -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 51))
    opened = open_picture(encode(picture, file_format, lossless=True))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255,) * 3, (204,) * 3]


def test_palette_transparency_is_composited_on_white() -> None:
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.putpixel((1, 0), 1)
    opened = open_picture(encode(picture, transparency=0))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (10, 20, 30)]


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_extreme_sides_work(size: tuple[int, int]) -> None:
    assert open_picture(encode(Image.new("RGB", size))).size == size


def test_content_counts_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "picture.gif").write_bytes(encode(four_colours()))
    assert open_picture(tmp_path / "picture.gif").tobytes() == four_colours().tobytes()
    (tmp_path / "picture.png").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    with pytest.raises(InputError, match="PNG, JPEG, WebP, GIF, BMP or TIFF"):
        open_picture(tmp_path / "picture.png")


@pytest.mark.parametrize("data", [b"<!doctype html><p>hello", b"hello", b"%PDF-1.7", encode(four_colours(), "PPM")])
def test_other_content_is_refused_with_the_formats_that_work(data: bytes) -> None:
    with pytest.raises(InputError, match="PNG, JPEG, WebP, GIF, BMP or TIFF"):
        open_picture(data)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_file_is_refused(file_format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    open_picture(data)
    with pytest.raises(InputError):
        open_picture(data[: len(data) // 2])


def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        open_picture(b"")
    with pytest.raises(InputError, match=r"gone\.png"):
        open_picture(tmp_path / "gone.png")


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1), ("RGBA", 3), ("P", 3)])
def test_to_tensor_has_documented_shape_and_range(mode: str, channels: int) -> None:
    tensor = to_tensor(four_colours().convert(mode))
    assert (tensor.shape, tensor.dtype) == ((1, channels, 2, 3), torch.float32)
    assert (tensor[0, :, 1, 1] == 1).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_survive_the_round_trip(channels: int) -> None:
    levels = torch.randint(256, (2, channels, 5, 7), generator=torch.Generator().manual_seed(0))
    pictures = to_pictures(levels / 127.5 - 1)
    assert [picture.mode for picture in pictures] == ["L" if channels == 1 else "RGB"] * 2
    back = torch.cat([to_tensor(picture) for picture in pictures])
    assert torch.equal(((back + 1) * 127.5).round().long(), levels)


def test_to_pictures_rounds_to_the_nearest_level_and_clips() -> None:
    values = torch.tensor([-9.0, 0.6 / 127.5 - 1, 0.4 / 127.5 - 1, 9.0]).reshape(1, 1, 1, 4)
    (picture,) = to_pictures(values)
    assert np.asarray(picture).tolist() == [[0, 1, 0, 255]]
    (picture,) = to_pictures(values.half())
    assert picture.getpixel((3, 0)) == 255


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_picture_is_made_of_values_that_are_not_finite(value: float) -> None:
    batch = torch.zeros(2, 3, 4, 4)
    batch[1, 2, 3, 3] = value
    with pytest.raises(ImageGenError, match="not finite"):
        to_pictures(batch)


def test_grid_places_pictures_row_by_row() -> None:
    colours = ["red", "lime", "blue"]
    sheet = grid([Image.new("RGB", (4, 3), colour) for colour in colours], columns=2, gap=1)
    assert sheet.size == (9, 7)
    assert [sheet.getpixel(place) for place in [(0, 0), (5, 0), (0, 4)]] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]
    assert sheet.getpixel((4, 0)) == sheet.getpixel((8, 6)) == (255, 255, 255)
    assert grid([Image.new("L", (4, 3))], columns=5).size == (4, 3)
