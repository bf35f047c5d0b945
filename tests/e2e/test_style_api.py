"""The style tab's endpoints as programs meet them: documented, streamed, with recipes, and what they refuse."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2e.diffusing import Tiny
from e2e.visiting import NO_NUMBERS, Answer, assert_refused, call, encoded, upload
from gradio_client import Client
from made_up_style import STYLES
from PIL import Image

from imagegen.checkpoints import ModelStore
from imagegen.images import open_picture, to_tensor
from imagegen.recipes import read_recipe
from imagegen.tasks.registry import replay

DEFAULTS: dict[str, dict[str, Any]] = {
    "stylize": {
        "photo": None,
        "painting": None,
        "style": [STYLES[0]],
        "weights": [],
        "strength": 1,
        "keep_colours": False,
        "size": 96,
    },
    "stylize_slow": {
        "photo": None,
        "painting": None,
        "picture": None,
        "features": "style-features",
        "pooling": "average",
        "size": 64,
        "iterations": 5,
        "optimizer": "lbfgs",
        "start": "photo",
        "content_layer": "relu4_2",
        "content_weight": 1,
        "style_weight": 100,
        "layer_weights": [1, 1, 1, 1, 1],
        "smoothness": 3,
        "seed": 0,
    },
}
LIMITS = {"strength": "0 to 1", "size": "64 to", "iterations": "1 to 1000", "seed": "0 to"}


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


def picture(seed: int, size: tuple[int, int] = (60, 45)) -> Image.Image:
    return Image.effect_mandelbrot(size, (-2 + seed / 9, -1, 0.6, 1), 20).convert("RGB")


def ask(http: httpx.Client, name: str, **values: object) -> Answer:
    brought = {
        key: upload(http, encoded(value)) if isinstance(value, Image.Image) else value for key, value in values.items()
    }
    return call(http, name, list({**DEFAULTS[name], **brought}.values()))


def made(http: httpx.Client, answer: Answer) -> bytes:
    assert answer.event == "complete", answer
    return http.get(answer.data[0]["url"]).content


def test_both_are_documented(tiny: Tiny) -> None:
    api: Any = Client(tiny.app.url, verbose=False, analytics_enabled=False).view_api(
        return_format="dict", print_info=False
    )
    for name, defaults in DEFAULTS.items():
        endpoint = api["named_endpoints"][f"/{name}"]
        assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == list(defaults)
        assert "Returns:" in endpoint["description"]
        for parameter in defaults:
            assert f"{parameter}:" in endpoint["description"]


@pytest.mark.parametrize(
    "asked", [{}, {"style": list(STYLES), "weights": [1, 0.5, 0]}, {"style": [], "painting": picture(3)}, {"size": 600}]
)
def test_a_photo_is_painted_and_carries_its_recipe(
    asked: dict[str, Any], http: httpx.Client, store: ModelStore
) -> None:
    file = made(http, ask(http, "stylize", photo=picture(1), keep_colours=True, **asked))
    recipe = read_recipe(file)
    assert b"compositeWithTrainedAlgorithmicMedia" in file
    painted = Image.open(io.BytesIO(file))
    size = asked.get("size", 96)
    assert painted.size == (size, size * 3 // 4)
    taken = [to_tensor(picture(1)), *([to_tensor(asked["painting"])] if "painting" in asked else [])]
    again = replay(recipe, store, taken)
    assert (again - to_tensor(open_picture(file))).abs().max() <= 1.01 / 255


def test_the_slow_way_streams_and_each_picture_has_its_recipe(
    tiny: Tiny, http: httpx.Client, store: ModelStore
) -> None:
    answer = ask(http, "stylize_slow", photo=picture(1), painting=picture(4))
    file, about = made(http, answer), answer.data[1]
    assert (about["iteration"], about["of"]) == (5, 5)
    assert [*about["style"]] == ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    again = replay(read_recipe(file), store, [to_tensor(picture(1)), to_tensor(picture(4))])
    assert (again - to_tensor(open_picture(file))).abs().max() <= 2.01 / 255
    long = {**DEFAULTS["stylize_slow"], "photo": upload(http, encoded(picture(1))), "iterations": 60, "size": 128}
    event = http.post("/call/stylize_slow", json={"data": list({**long, "painting": long["photo"]}.values())}).json()
    stream = http.get(f"/call/stylize_slow/{event['event_id']}", timeout=120).text
    assert stream.count("event: generating") >= 2


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize(("name", "field"), [("stylize", "size"), ("stylize_slow", "iterations")])
def test_what_is_no_number_is_refused(name: str, field: str, value: object, http: httpx.Client) -> None:
    pictures = {"photo": picture(1), "painting": picture(2)}
    assert_refused(ask(http, name, **pictures, **{field: value}), LIMITS[field])


@pytest.mark.parametrize(
    ("name", "asked", "reason"),
    [
        ("stylize", {"photo": None}, "A photo and a painting are needed"),
        ("stylize", {"style": ["../../etc/passwd"]}, "each of style must be one of"),
        ("stylize", {"style": "x" * 100_000}, "each of style must be one of"),
        ("stylize", {"style": [], "painting": None}, "Choose a style by name"),
        ("stylize", {"photo": picture(1, (2, 400))}, "at least 32 pixels wide"),
        ("stylize_slow", {"painting": None}, "A photo and a painting are needed"),
        ("stylize_slow", {"features": "vgg-16"}, "features must be one of"),
        ("stylize_slow", {"layer_weights": [1]}, "layer_weights must be 5 numbers"),
    ],
)
def test_what_cannot_be_painted_is_refused_and_the_next_is_painted(
    name: str, asked: dict[str, Any], reason: str, http: httpx.Client
) -> None:
    pictures = {"photo": picture(1), "painting": picture(2)}
    assert_refused(ask(http, name, **{**pictures, **asked}), reason)
    assert ask(http, name, **pictures).event == "complete"


@pytest.mark.parametrize("content", [b"<svg/>", encoded(picture(1))[:300], b""], ids=["svg", "cut off", "empty"])
def test_a_file_that_is_no_picture_is_refused(content: bytes, http: httpx.Client) -> None:
    values = [upload(http, content, "photo.png"), *list(DEFAULTS["stylize"].values())[1:]]
    assert_refused(call(http, "stylize", values), "picture")
