"""What a program meets: named endpoints, their results, and two lanes that share the device."""

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from e2e.visiting import CHECKPOINTS, App, Visit, call, digit_picture, sample, score, sheet
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from numpy.typing import NDArray
from PIL import Image

from imagegen.images import to_pictures
from imagegen.recipes import Recipe, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay

SIDE = 28
LONG_WALK: list[object] = [3, 8, 0, 1, 60]  # digit, second digit, seed, second seed, frames


@pytest.fixture(scope="module")
def client(app: App) -> Client:
    return Client(app.url, verbose=False, analytics_enabled=False)


def digits(png: bytes | Path, count: int) -> list[NDArray[np.int16]]:
    """The single digits of a sheet, ten in a row."""
    with Image.open(io.BytesIO(png) if isinstance(png, bytes) else png) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.int16)
    corners = [(SIDE * (i // 10), SIDE * (i % 10)) for i in range(count)]
    return [pixels[top : top + SIDE, left : left + SIDE] for top, left in corners]


def test_sample_of_the_documented_defaults(client: Client) -> None:
    path, judged = client.predict(digit=None, second_digit=None, api_name="/gan_sample")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (10 * SIDE, 3 * SIDE)
    assert judged["labels"] == [i % 10 for i in range(25)]
    assert len(judged["realness"]) == len(judged["readings"]) == 25
    agreed = sum(label == reading for label, reading in zip(judged["labels"], judged["readings"], strict=True))
    assert agreed >= 24


@pytest.mark.parametrize("count", [1, 10, 64])
def test_sheet_is_as_large_as_its_digits(client: Client, count: int) -> None:
    path, judged = client.predict(digit=7, second_digit=None, count=count, api_name="/gan_sample")
    with Image.open(path) as image:
        assert image.size == (SIDE * min(count, 10), SIDE * -(-count // 10))
    assert judged["labels"] == [7] * count


def test_every_control_changes_the_picture(http: httpx.Client) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"digit": 4},
        {"digit": 4, "second_digit": 9, "mix": 0.5},
        {"seed": 1},
        {"truncation": 0.5},
        *({"directions": [0] * i + [2]} for i in range(8)),
    ]
    pixels = {Image.open(io.BytesIO(sheet(http, sample(http, **values)))).tobytes() for values in asked}
    assert len(pixels) == len(asked)


def test_nothing_is_answered_outside_the_queue(http: httpx.Client) -> None:
    answer = http.post("/run/gan_sample", json={"data": [7, None, 0, 1, 0, 1, []]})
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


def test_same_seed_same_bytes(http: httpx.Client) -> None:
    first, second = (sheet(http, sample(http, seed=4_294_967_295)) for _ in range(2))
    assert first == second


def test_a_digit_is_the_same_in_any_batch(http: httpx.Client) -> None:
    seed = 2**32 - 2  # the third digit's seed starts again at 0
    together = digits(sheet(http, sample(http, digit=5, count=12, seed=seed)), 12)
    for i in 0, 1, 2, 11:
        (alone,) = digits(sheet(http, sample(http, digit=5, count=1, seed=(seed + i) % 2**32)), 1)
        assert np.abs(together[i] - alone).max() <= 1


def test_recipe_repeats_each_digit(client: Client) -> None:
    path, judged = client.predict(
        digit=2, second_digit=3, mix=0.3, count=4, seed=9, directions=[1.5, -1], api_name="/gan_sample"
    )
    recipe = read_recipe(Path(path))
    fields = judged["recipe"]
    assert recipe == Recipe(**fields | {"inputs": tuple(fields["inputs"])})
    store = ModelStore(CHECKPOINTS, torch.device("cpu"))
    for i, digit in enumerate(digits(Path(path), 4)):
        (again,) = to_pictures(replay(replace(recipe, index=i), store))
        assert np.abs(np.asarray(again, dtype=np.int16) - digit).max() <= 1


def test_score_reads_a_drawing(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    digit_picture(seven=True).save(path)
    verdict = client.predict(picture=handle_file(path), digit=None, api_name="/gan_score")
    assert verdict["digit"] == 7
    assert len(verdict["reading"]) == 10
    assert sum(verdict["reading"]) == pytest.approx(1, abs=1e-3)
    meant = client.predict(picture=handle_file(path), digit=0, api_name="/gan_score")
    assert meant["digit"] == 0
    assert meant["reading"] == verdict["reading"]
    assert meant["realness"] != verdict["realness"]


def test_a_walk_streams_and_ends_as_an_animation_that_can_be_made_again(client: Client) -> None:
    walking = client.submit(digit=2, second_digit=7, seed=5, second_seed=9, frames=60, api_name="/gan_walk")
    answers = [(Path(path), about) for path, about in walking]
    *previews, (film, about) = answers
    assert previews
    assert all(path.suffix == ".png" and 0 < said["frame"] < 60 for path, said in previews)
    assert [said["frame"] for _, said in answers] == sorted(said["frame"] for _, said in answers)
    assert (about["frame"], about["of"]) == (60, 60)
    recipe = read_recipe(film)
    assert recipe == Recipe(**about["recipe"] | {"inputs": ()})
    wanted = {"digit": 2, "second_digit": 7, "seed": 5, "second_seed": 9, "frames": 60}
    assert recipe.request == wanted
    last = to_pictures(replay(replace(recipe, index=59), ModelStore(CHECKPOINTS, torch.device("cpu"))))[0]
    with Image.open(film) as image:
        assert image.format == "WEBP"
        assert getattr(image, "n_frames", 1) == 60
        image.seek(59)
        shown = np.asarray(image.convert("L").resize(last.size), dtype=np.int16)
    assert np.abs(shown - np.asarray(last, dtype=np.int16)).max() <= 1


def test_a_walk_without_a_second_seed_ends_at_the_next_one(client: Client) -> None:
    _, about = client.predict(digit=1, second_digit=1, seed=3, second_seed=None, frames=2, api_name="/gan_walk")
    assert about["recipe"]["request"]["second_seed"] == 4
    with pytest.raises(AppError, match=r"frames must be a whole number from 2 to 60\."):
        client.predict(frames=61, second_seed=None, api_name="/gan_walk")


def test_client_reads_the_message(client: Client) -> None:
    with pytest.raises(AppError, match=r"count must be a whole number from 1 to 64\."):
        client.predict(digit=None, second_digit=None, count=65, api_name="/gan_sample")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "digit must be a whole number from 0 to 9."),
        ({"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "数字必须是 0 到 9 的整数。"),
        ({"Cookie": "imagegen_language=zh"}, "数字必须是 0 到 9 的整数。"),
        ({"Accept-Language": "zh", "Cookie": "imagegen_language=en"}, "digit must be a whole number from 0 to 9."),
    ],
)
def test_errors_are_in_the_visitors_language(app: App, headers: dict[str, str], message: str) -> None:
    with app.http(**headers) as http:
        assert call(http, "gan_sample", [10, None, 0, 25, 0, 1, []]).message == message


def test_a_refused_picture_is_explained_in_the_visitors_language(app: App) -> None:
    with app.http(Cookie="imagegen_language=zh") as http:
        assert "图片" in score(http, b"<svg/>").message


def test_a_slider_is_answered_while_a_walk_streams(app: App, http: httpx.Client) -> None:
    with app.http() as walking:
        visit = Visit(walking)
        visit.join("walk", LONG_WALK)
        frames = (message for message in visit.messages() if message["msg"] == "process_generating")
        next(frames)
        started = time.perf_counter()
        assert sample(http).event == "complete"
        answered = time.perf_counter()
        assert sum(1 for _ in frames) > 10
        assert answered - started < (time.perf_counter() - started) / 2, "the slider waited for the walk"
