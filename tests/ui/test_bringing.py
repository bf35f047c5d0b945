"""The visitor's picture as networks take it: digits, and faces whose eyes are put where CelebA has them."""

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagegen.data.faces import _cropped
from imagegen.errors import InputError
from imagegen.images import to_digit, to_pictures
from imagegen.ui.bringing import EXAMPLES, EYES, FOLDER, STYLES, align_face, as_digit, as_face, example, eyes_in
from imagegen.ui.wiring import Travelling

PHOTO = (600, 400)
OUTSIDE = (128, 128, 128)


def photo(eyes: list[tuple[float, float]], size: tuple[int, int] = PHOTO) -> Image.Image:
    """Blue, with a red dot where the left eye is and a green one for the right."""
    picture = Image.new("RGB", size, "blue")
    for (x, y), colour in zip(eyes, ("red", "lime"), strict=True):
        x, y = x * size[0], y * size[1]
        ImageDraw.Draw(picture).ellipse((x - 9, y - 9, x + 9, y + 9), fill=colour)
    return picture


def found_eyes(picture: Image.Image) -> list[tuple[float, float]]:
    """Where red and green are, as shares."""
    pixels = np.asarray(picture, dtype=np.int16)
    masks = [(pixels[..., 0] > 160) & (pixels[..., 1] < 90), (pixels[..., 1] > 160) & (pixels[..., 0] < 90)]
    height, width = pixels.shape[:2]
    return [((x.mean() + 0.5) / width, (y.mean() + 0.5) / height) for y, x in (np.nonzero(mask) for mask in masks)]


def test_the_eyes_belong_where_the_training_faces_have_them() -> None:
    frame = photo([(69 / 178, 112 / 218), (108 / 178, 112 / 218)], (178, 218))
    assert np.allclose(found_eyes(_cropped(frame)), EYES, atol=0.012)


@pytest.mark.parametrize(
    "eyes", [[(0.4, 0.5), (0.6, 0.5)], [(0.3, 0.3), (0.4, 0.6)], [(0.7, 0.7), (0.8, 0.2)], [(0.1, 0.1), (0.15, 0.1)]]
)
def test_a_face_is_turned_and_scaled_until_its_eyes_lie_there(eyes: list[tuple[float, float]]) -> None:
    aligned = align_face(photo(eyes), [list(eye) for eye in eyes])
    assert aligned.width == aligned.height
    assert np.allclose(found_eyes(aligned), EYES, atol=0.015)
    assert align_face(photo(eyes), [list(eye) for eye in reversed(eyes)]).tobytes() == aligned.tobytes()
    between = math.dist(*((x * PHOTO[0], y * PHOTO[1]) for x, y in eyes))
    assert aligned.width == pytest.approx(max(64, between / (EYES[1][0] - EYES[0][0])), abs=1)  # as sharp as the photo


def test_what_lies_outside_the_photo_is_grey() -> None:
    aligned = align_face(photo([(0.02, 0.5), (0.2, 0.5)]), [[0.02, 0.5], [0.2, 0.5]])
    assert aligned.getpixel((0, aligned.height // 2)) == OUTSIDE


@pytest.mark.parametrize("size", [(64, 64), (600, 400), (300, 500)])
def test_untouched_dots_crop_the_square_middle(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    aligned = align_face(picture, [list(eye) for eye in eyes_in(picture)])
    assert aligned.width == pytest.approx(min(size), abs=1)
    assert (as_face(Travelling(aligned)) - as_face(Travelling(picture))).abs().mean() < 0.03


NO_EYES: list[Any] = [
    *(None, [], "12", {}, [[0.4, 0.5]], [[0.4, 0.5]] * 2, [[0.4, 0.5], [0.6]], [[0.4, 0.5], [math.nan, 0.5]]),
    *([[0.4, 0.5], [9, 0.5]], [[0.4, 0.5], "x"], [[0.4, True], [0.6, 0.5]], [[0.4, 0.5], None], [[1, 2, 3]] * 2),
]


@pytest.mark.parametrize("eyes", NO_EYES)
def test_eyes_that_are_none(eyes: Any) -> None:
    with pytest.raises(InputError, match="eyes must be"):
        align_face(photo([(0.4, 0.5), (0.6, 0.5)]), eyes)


def test_a_drawing_is_cut_out_as_a_digit_and_one_made_here_is_left_alone() -> None:
    drawing = Image.new("L", (90, 90), 255)
    drawing.paste(0, (10, 10, 20, 60))
    assert (as_digit(Travelling(drawing.copy())) == to_digit(drawing)).all()
    small = to_pictures(to_digit(drawing))[0]
    assert (as_digit(Travelling(small)) == to_digit(small)).all()  # brought, not made here


def test_the_example_photos_are_there_in_colour_and_credited() -> None:
    credits = (FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for name in (*EXAMPLES, *STYLES):
        photo = example(name)
        assert photo.mode == "RGB"
        assert 256 < max(photo.size) <= 512
        assert f"`{name}.jpg`" in credits
    assert {file.stem for file in FOLDER.glob("*.jpg")} == {*EXAMPLES, *STYLES}


@pytest.mark.parametrize("name", [None, "", "../examples/rocket", "mona-lisa", 3])
def test_an_example_that_is_none(name: Any) -> None:
    with pytest.raises(InputError, match="example must be one of"):
        example(name)
