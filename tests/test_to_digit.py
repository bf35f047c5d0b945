"""Digits from people: any drawing or photo comes out as MNIST would show it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imagegen import images
from imagegen.errors import InputError
from imagegen.images import to_digit, to_pictures, to_tensor


def drawing(
    *, size: int = 280, pen: int = 28, ink: str = "black", paper: str = "white", scale: float = 1
) -> Image.Image:
    """A hand's 7: a bar, a slanting stem and a short dash across it."""
    picture = Image.new("RGB", (size, size), paper)
    draw = ImageDraw.Draw(picture)
    lines = [[(0.3, 0.25), (0.68, 0.25), (0.45, 0.8)], [(0.42, 0.5), (0.62, 0.5)]]
    for line in lines:
        points = [(x * size * scale, y * size * scale) for x, y in line]
        draw.line(points, fill=ink, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.circle((x, y), pen / 2 - 1, fill=ink)
    return picture


def photographed(picture: Image.Image) -> Image.Image:
    """The same on grainy grey paper, with light that falls from the left."""
    levels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
    light = np.linspace(220, 140, picture.width)
    grain = np.random.default_rng(0).normal(0, 4, levels.shape)
    return Image.fromarray(((0.2 + 0.8 * levels) * light + grain).clip(0, 255).astype(np.uint8))


def ink_of(digit: torch.Tensor) -> np.ndarray:
    return ((digit[0, 0] + 1) / 2).numpy()


def shadowed(picture: Image.Image) -> Image.Image:
    ImageDraw.Draw(picture).circle((10, 250), 25, fill="#c0c0c0")
    return picture


DRAWINGS = {
    "dark on light": drawing(),
    "light on dark": drawing(ink="white", paper="black"),
    "blue on cream": drawing(ink="navy", paper="#fff4d6"),
    "pencil": drawing(ink="#a0a0a0", paper="#eeeeee"),
    "small in a corner": drawing(size=900, pen=9, scale=0.1),
    "thin pen": drawing(pen=4),
    "shadow in a corner": shadowed(drawing()),
    "photo": photographed(drawing()),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_digit_is_framed_as_mnist_frames_it(name: str) -> None:
    ink = ink_of(to_digit(DRAWINGS[name]))
    assert ink.shape == (28, 28)
    assert ink.min() == 0
    assert ink.max() == 1
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert np.quantile(ink[ink > 0], 0.75) > 0.99
    centre = [(np.arange(28) @ ink.sum(axis=axis)) / ink.sum() for axis in (1, 0)]
    assert np.allclose(centre, 14, atol=0.5)


@pytest.mark.parametrize("name", [name for name in DRAWINGS if name != "thin pen"])
def test_paper_ink_and_light_do_not_change_the_digit(name: str) -> None:
    difference = np.abs(ink_of(to_digit(DRAWINGS[name])) - ink_of(to_digit(drawing())))
    assert difference.mean() < 0.03


def test_a_transparent_canvas_is_read_as_white_paper() -> None:
    opaque = drawing()
    canvas = Image.new("RGBA", opaque.size, (0, 0, 0, 0))
    canvas.paste("black", mask=opaque.convert("L").point(lambda level: 255 - level))
    assert torch.equal(to_digit(canvas), to_digit(opaque))


def test_faint_ends_of_a_stroke_belong_to_the_digit() -> None:
    one = np.zeros((28, 28), dtype=np.uint8)
    one[5:25, 13:16] = 255
    one[5, 13:16], one[24, 13:16] = 90, 60
    picture = Image.fromarray(one)
    assert torch.allclose(to_digit(picture), to_tensor(picture))


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_digit_as_in_mnist_stays_as_it_is(name: str) -> None:
    once = to_digit(DRAWINGS[name])
    twice = to_digit(to_pictures(once)[0])
    thrice = to_digit(to_pictures(twice)[0])
    assert (once - twice).abs().mean() < 0.005
    assert (once - twice).abs().max() <= 2 * images.FAINT_INK  # what is fainter is taken for paper
    assert torch.equal(twice, thrice)


@pytest.mark.parametrize(
    "blank",
    [
        Image.new("RGB", (280, 280), "white"),
        Image.new("RGBA", (280, 280), (0, 0, 0, 0)),
        Image.new("L", (1, 1)),
        photographed(Image.new("L", (200, 200), "white")),
    ],
    ids=["white", "transparent", "one pixel", "photo of paper"],
)
def test_a_blank_picture_is_refused(blank: Image.Image) -> None:
    with pytest.raises(InputError, match="Draw a digit"):
        to_digit(blank)


@settings(max_examples=50, deadline=None)
@given(levels=st.binary(min_size=1, max_size=400), width=st.integers(1, 20))
def test_any_picture_is_a_digit_or_blank(levels: bytes, width: int) -> None:
    width = min(width, len(levels))
    height = len(levels) // width
    picture = Image.frombytes("L", (width, height), levels[: width * height])
    try:
        digit = to_digit(picture)
    except InputError:
        return
    assert digit.shape == (1, 1, 28, 28)
    assert digit.min() >= -1
    assert digit.max() == 1
