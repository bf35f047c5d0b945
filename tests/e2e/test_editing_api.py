"""Editing as programs meet it: streamed, with a recipe, and masks of every kind each as it is stated."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from e2e.endpoints import MASK, PICTURE, ask, made
from e2e.tiny import Tiny
from e2e.visiting import assert_refused, photo
from gradio_client import Client, handle_file
from PIL import Image, ImageChops

from imagegen.images import open_picture
from imagegen.recipes import read_recipe

BOTH = pytest.mark.parametrize("name", ["edit_image", "inpaint"])


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


def test_a_run_streams_previews_and_then_the_result_with_its_recipe(tiny: Tiny, tmp_path: Path) -> None:
    photo(64, 64).save(tmp_path / "photo.png")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 64, 20))
    mask.save(tmp_path / "mask.png")
    client = Client(tiny.app.url, verbose=False, analytics_enabled=False)
    pictures = [handle_file(tmp_path / name) for name in ("photo.png", "mask.png")]
    asked = {"prompt": "a smilling 女士", "count": 4, "seed": 9, "steps": 40}
    *previews, (result, last) = list(client.submit(*pictures, **asked, api_name="/inpaint"))
    assert len(previews) >= 2
    assert all(about["of"] == 40 for _, about in previews)
    assert last["unknown"] == {"smilling": ["smiling", "smile"]}
    recipe = read_recipe(Path(result))
    assert (recipe.task, recipe.seed, len(recipe.inputs)) == ("inpaint", 9, 2)
    sheet, before = np.asarray(open_picture(Path(result))), np.asarray(photo(64, 64))
    assert sheet.shape == (128, 192, 3)
    for top, left in ((0, 0), (0, 64), (0, 128), (64, 0)):
        assert (sheet[top + 20 : top + 64, left : left + 64] == before[20:]).all()
        assert (sheet[top : top + 20, left : left + 64] != before[:20]).mean() > 0.5


@BOTH
def test_same_seed_same_bytes_and_every_argument_counts(name: str, http: httpx.Client) -> None:
    asked = [
        {}, {"prompt": "太阳"}, {"negative_prompt": "a sun"}, {"strength": 0.5}, {"count": 2}, {"seed": 1},
        {"solver": "UniPC"}, {"steps": 3}, {"guidance_scale": 0}, {"picture": photo(40, 40)},
        *([{"mask": ImageChops.invert(MASK)}] if name == "inpaint" else []),
    ]  # fmt: skip
    files = [made(http, ask(http, name, **{"steps": 4, **values})) for values in asked]
    assert len({open_picture(file).tobytes() for file in files}) == len(asked)
    assert made(http, ask(http, name, steps=4.0)) == files[0]


def test_row_19_masks_are_what_the_page_and_the_documentation_say(http: httpx.Client) -> None:
    assert_refused(ask(http, "inpaint", mask=Image.new("L", PICTURE.size)), "The mask is empty")
    assert_refused(ask(http, "inpaint", mask=None), "The mask is empty")
    assert_refused(ask(http, "inpaint", mask=Image.new("L", (39, 41), 255)), "40×40 pixels; it has 39×41")
    full = made(http, ask(http, "inpaint", mask=Image.new("L", PICTURE.size, 255), steps=3))
    painted = made(http, ask(http, "text_to_image", steps=3))
    assert np.abs(np.asarray(open_picture(full), int) - np.asarray(open_picture(painted))).max() <= 1
    clear = Image.new("RGBA", PICTURE.size)  # transparent counts as white
    assert open_picture(made(http, ask(http, "inpaint", mask=clear, steps=3))) == open_picture(full)


@BOTH
def test_without_a_picture_it_says_what_to_do(name: str, http: httpx.Client) -> None:
    assert_refused(ask(http, name, picture=None), "There is no picture yet")
