"""`/upscale` as programs meet it: repeatable, and held to its limits."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from e2e.endpoints import ask, made
from e2e.tiny import Tiny
from e2e.visiting import Answer, assert_refused, encoded, photo
from gradio_client import Client, handle_file
from PIL import Image

from imagegen.images import open_picture, to_pictures, to_tensor
from imagegen.recipes import picture_sha256, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import sr
from imagegen.tasks.registry import replay
from imagegen.tasks.sr_truth import judge, made_small


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


@pytest.fixture
def works_afterwards(http: httpx.Client) -> Iterator[None]:
    yield
    assert ask(http, "upscale", picture=encoded(photo(4, 5))).event == "complete"


def received(http: httpx.Client, answer: Answer) -> tuple[Image.Image, bytes, dict[str, Any]]:
    content = made(http, answer)
    return Image.open(io.BytesIO(content)), content, answer.data[1]


def apart(a: Image.Image, b: Image.Image) -> int:
    assert a.size == b.size
    return int(np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max())


def enlarged(request: sr.UpscaleRequest, store: ModelStore) -> Image.Image:
    *_, last = sr.run(request, store)
    return to_pictures(last.images)[0]


@pytest.mark.parametrize("values", [{}, {"pleasing": 0.3}, {"pleasing": 1}, {"model": "sr-x4-real"}])
def test_the_picture_carries_the_recipe_that_makes_it_again(
    values: dict[str, Any], http: httpx.Client, store: ModelStore
) -> None:
    given = photo(30, 22)
    picture, content, about = received(http, ask(http, "upscale", picture=encoded(given), **values))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (120, 88))
    assert (about["width"], about["height"]) == (120, 88)
    recipe = read_recipe(content)
    assert about["recipe"]["inputs"] == list(recipe.inputs) == [picture_sha256(given)]
    assert b"compositeWithTrainedAlgorithmicMedia" in content
    (again,) = to_pictures(replay(recipe, store, [to_tensor(given)]))
    assert apart(picture.convert("RGB"), again) <= 1
    assert 10 < about["psnr_made_small_again"] < 60


def test_made_small_first_it_is_held_against_the_truth(http: httpx.Client, store: ModelStore) -> None:
    truth, low_res = made_small(photo(90, 71))
    picture, content, about = received(http, ask(http, "upscale", picture=encoded(photo(90, 71)), shrink_first=True))
    assert picture.size == truth.size == (88, 68)
    assert read_recipe(content).inputs == (picture_sha256(low_res),)
    *_, last = judge(truth, [enlarged(sr.UpscaleRequest(to_tensor(low_res)), store)], store)
    (verdict,) = last.verdicts
    assert (about["psnr"], about["ssim"]) == pytest.approx((verdict.psnr, verdict.ssim), abs=1e-3)
    assert about["distance"] == pytest.approx(verdict.distance, abs=1e-3)


def variants() -> dict[str, tuple[bytes, Image.Image]]:
    """Unusual files, and the upright RGB picture that each stands for."""
    grey = photo(12, 9).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    glass = photo(12, 9).convert("RGBA")
    glass.putalpha(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    jpeg = encoded(photo(12, 9), "JPEG", exif=turned)
    cmyk = encoded(photo(12, 9).convert("CMYK"), "JPEG")
    return {
        "one pixel": (encoded(Image.new("RGB", (1, 1), "teal")), Image.new("RGB", (1, 1), "teal")),
        "1x4000": (encoded(photo(4000, 1)), photo(4000, 1)),
        "grey": (encoded(grey), grey.convert("RGB")),
        "16 bits": (encoded(deep), grey.convert("RGB")),
        "transparent": (encoded(glass), Image.new("RGB", (12, 9), "white")),
        "CMYK": (cmyk, open_picture(cmyk)),
        "on its side": (jpeg, open_picture(jpeg)),
    }


@pytest.mark.parametrize("name", variants())
def test_unusual_files_are_enlarged_as_what_they_show(name: str, http: httpx.Client, store: ModelStore) -> None:
    file, meant = variants()[name]
    if name == "on its side":
        assert meant.size == (9, 12)
    picture, _, _ = received(http, ask(http, "upscale", picture=file))
    assert picture.size == (4 * meant.width, 4 * meant.height)
    assert apart(picture.convert("RGB"), enlarged(sr.UpscaleRequest(to_tensor(meant)), store)) <= 1


@pytest.mark.usefixtures("works_afterwards")
@pytest.mark.parametrize(
    ("size", "values", "words"),
    [
        ((520, 512), {}, ("512×512 pixels in all", "this one has 520×512", "Make it smaller")),
        ((4100, 2), {}, ("4096 a side",)),
        ((2052, 2048), {"shrink_first": True}, ("2048×2048 pixels in all",)),
        ((40, 19), {"shrink_first": True}, ("needs 20 pixels a side; this one has 40×19",)),
        ((8, 8), {"model": "sr-x4-real", "pleasing": 0.5}, ("sr-x4-real cannot be mixed", "set pleasing to 0")),
    ],
)
def test_what_does_not_fit_is_refused_with_limit_and_fix(
    size: tuple[int, int], values: dict[str, Any], words: tuple[str, ...], http: httpx.Client
) -> None:
    assert_refused(ask(http, "upscale", picture=encoded(Image.new("L", size)), **values), *words)


@pytest.mark.usefixtures("works_afterwards")
def test_nonsense_is_refused(http: httpx.Client) -> None:
    file = encoded(photo(8, 8))
    assert_refused(ask(http, "upscale", picture=None), "There is no picture yet")
    assert_refused(ask(http, "upscale", picture=file[:60]), "damaged")
    for model in ("srgan-x4", "gan-mnist", "", "../sr-x4", 7, [], "x" * 10**5):
        assert_refused(ask(http, "upscale", picture=file, model=model), "model must be one of")


def test_the_client_needs_a_picture_only(tiny: Tiny, tmp_path: Path) -> None:
    client = Client(tiny.app.url, verbose=False, analytics_enabled=False)
    photo(6, 5).save(tmp_path / "small.png")
    picture, about = client.predict(handle_file(str(tmp_path / "small.png")), api_name="/upscale")
    with Image.open(picture) as large:
        assert large.size == (24, 20)
    assert about["recipe"]["task"] == "upscale"


def test_tiles_leave_no_seams_in_what_is_sent(http: httpx.Client, store: ModelStore) -> None:
    given = photo(200, 140)
    picture, _, _ = received(http, ask(http, "upscale", picture=encoded(given)))
    (whole,) = to_pictures(store.get("sr-x4")(to_tensor(given)).clamp(-1, 1))
    assert apart(picture.convert("RGB"), whole) <= 1
