"""Rows 2 to 10 of the bad inputs through the API: pictures reach the handler upright, 8-bit and RGB."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from e2e.visiting import encoded
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from hostile_files import flat_png
from PIL import Image
from serving import free_port, serving

# An app that tells what its handler was given, shows it, and can change the component on the page.
APP = """
import sys
import gradio as gr
from imagegen.ui.inputs import Picture
from imagegen.ui.launch import Settings, launch, wait
from imagegen.ui.wiring import named

def see(picture):
    return picture and [type(picture).__module__, picture.mode, picture.size, picture.getpixel((0, 0))]

with gr.Blocks(analytics_enabled=False) as blocks:
    picture, shown, seen = Picture(label="Yours", sources=["upload"]), Picture(), gr.JSON()
    gr.on(fn=named(see, {"picture": picture}), inputs=picture, outputs=seen, api_name="see")
    gr.on(fn=lambda picture: picture, inputs=picture, outputs=shown, api_name="show")
    gr.on(fn=lambda: gr.update(label="Mine"), outputs=picture, api_name="rename")
print(launch(blocks, Settings(port=int(sys.argv[1]))), flush=True)
wait(blocks)
"""

RED = Image.new("RGB", (6, 4), "red")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    uploads = tmp_path_factory.mktemp("uploads")
    with serving("-c", APP, str(free_port()), env={"GRADIO_TEMP_DIR": str(uploads)}) as url:
        yield url


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}gradio_api", trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def gradio(url: str) -> Client:
    return Client(url, verbose=False, analytics_enabled=False)


def see(http: httpx.Client, name: str, data: bytes) -> tuple[str, Any]:
    """Upload a file under a name and call /see: the last event's name and its data."""
    path = http.post("/upload", files={"files": (name, data)}).json()[0]
    payload = {"data": [{"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}]}
    event_id = http.post("/call/see", json=payload).json()["event_id"]
    event, answer = http.get(f"/call/see/{event_id}").text.strip().split("\n\n")[-1].split("\n")
    return event.removeprefix("event: "), json.loads(answer.removeprefix("data: "))


def turned(orientation: int) -> bytes:
    """A JPEG that is red on the left and blue on the right until its EXIF orientation is heeded."""
    image = Image.new("RGB", (32, 16), "blue")
    image.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif)


def name_only(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("name", "data", "size", "pixel"),
    [
        ("plain.png", encoded(RED), (6, 4), (255, 0, 0)),
        ("png.gif", encoded(RED), (6, 4), (255, 0, 0)),
        ("png.svg", encoded(RED), (6, 4), (255, 0, 0)),
        ("noname", encoded(RED), (6, 4), (255, 0, 0)),
        (
            "animated.gif",
            encoded(RED, "GIF", save_all=True, append_images=[Image.new("RGB", (6, 4), "blue")] * 3),
            (6, 4),
            (255, 0, 0),
        ),
        ("deep.png", encoded(Image.fromarray(np.full((4, 6), 32896, np.uint16))), (6, 4), (128, 128, 128)),
        ("clear.png", encoded(Image.new("RGBA", (6, 4), (255, 0, 0, 0))), (6, 4), (255, 255, 255)),
        ("half.png", encoded(Image.new("LA", (6, 4), (0, 0))), (6, 4), (255, 255, 255)),
        ("palette.png", encoded(RED.convert("P")), (6, 4), (255, 0, 0)),
        ("print.jpg", encoded(Image.new("CMYK", (8, 8)), "JPEG"), (8, 8), (255, 255, 255)),
        ("photo.jpg", turned(1), (32, 16), (254, 0, 0)),
        ("photo.jpg", turned(6), (16, 32), (254, 0, 0)),
        ("photo.jpg", turned(3), (32, 16), (0, 0, 254)),
    ],
    ids=name_only,
)
def test_handler_gets_the_picture_by_its_content(
    http: httpx.Client, name: str, data: bytes, size: tuple[int, int], pixel: tuple[int, int, int]
) -> None:
    assert see(http, name, data) == ("complete", [["PIL.Image", "RGB", list(size), list(pixel)]])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture"),
        ("page.png", b"<!doctype html><title>Hello</title>", "not a picture"),
        ("cut.png", encoded(Image.effect_noise((64, 64), 90))[:-900], "damaged"),
        ("empty.png", b"", "empty"),
        ("bomb.png", flat_png(12_000, 12_000), "16 megapixels"),
    ],
    ids=name_only,
)
def test_refusal_says_why_and_the_next_request_succeeds(
    http: httpx.Client, name: str, data: bytes, message: str
) -> None:
    event, answer = see(http, name, data)
    assert event == "error"
    assert message in str(answer)
    assert "Traceback" not in str(answer)
    assert see(http, "plain.png", encoded(RED))[0] == "complete"


def test_nothing_is_given_for_nothing(gradio: Client) -> None:
    assert gradio.predict(None, api_name="/see") is None


def test_client_reads_why_its_picture_was_refused(gradio: Client, tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_text("<!doctype html>")
    with pytest.raises(AppError, match="not a picture"):
        gradio.predict(handle_file(path), api_name="/see")


def test_pictures_are_shown_without_loss(gradio: Client, tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 30, 3), dtype=np.uint8)).save(path)
    shown = gradio.predict(handle_file(path), api_name="/show")
    with Image.open(shown) as image, Image.open(path) as original:
        assert image.format == "PNG"
        assert np.array_equal(image, original)


def test_stays_safe_after_an_update_of_the_component(gradio: Client, tmp_path: Path) -> None:
    gradio.predict(api_name="/rename")
    path = tmp_path / "clear.png"
    Image.new("RGBA", (6, 4), (255, 0, 0, 0)).save(path)
    seen = gradio.predict(handle_file(path), api_name="/see")
    assert seen == ["PIL.Image", "RGB", [6, 4], [255, 255, 255]]


def test_page_draws_it_as_an_image_with_its_own_options(http: httpx.Client) -> None:
    config = http.get(str(http.base_url).removesuffix("gradio_api/") + "config").json()
    first = next(item for item in config["components"] if item["props"].get("label") == "Yours")
    assert first["type"] == "image"
    assert first["props"]["sources"] == ["upload"]
    assert first["props"]["format"] == "png"


def test_no_stub_is_written_beside_the_source() -> None:
    assert not list((Path(__file__).parents[2] / "imagegen").rglob("*.pyi"))
