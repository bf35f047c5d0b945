"""The style tab's endpoints as programs meet them: streamed, with recipes, and what they refuse."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2e.endpoints import ENDPOINTS, ask, brought, made
from e2e.tiny import Tiny
from e2e.visiting import assert_refused
from made_up_style import STYLES
from PIL import Image

from imagegen.images import open_picture, to_tensor
from imagegen.recipes import read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


def picture(seed: int, size: tuple[int, int] = (60, 45)) -> Image.Image:
    return Image.effect_mandelbrot(size, (-2 + seed / 9, -1, 0.6, 1), 20).convert("RGB")


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
    answer = ask(http, "stylize_slow", photo=picture(1), painting=picture(4), iterations=5)
    file, about = made(http, answer), answer.data[1]
    assert (about["iteration"], about["of"]) == (5, 5)
    assert [*about["style"]] == ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    again = replay(read_recipe(file), store, [to_tensor(picture(1)), to_tensor(picture(4))])
    assert (again - to_tensor(open_picture(file))).abs().max() <= 2.01 / 255
    long = {**ENDPOINTS["stylize_slow"], "iterations": 60, "size": 128}
    data = [brought(http, value) for value in long.values()]
    event = http.post("/call/stylize_slow", json={"data": data}).json()
    stream = http.get(f"/call/stylize_slow/{event['event_id']}", timeout=120).text
    assert stream.count("event: generating") >= 2


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
