"""The VAE tab's endpoints as programs meet them: repeatable, and held to their limits.

The app has tiny untrained checkpoints, faces among them.
"""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from e2e.endpoints import ask, made
from e2e.tiny import Tiny
from e2e.visiting import NAN, Visit, assert_refused, digit_picture
from gradio_client import Client, handle_file
from numpy.typing import NDArray
from PIL import Image

from imagegen.images import to_digit, to_pictures
from imagegen.recipes import read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import vae as task
from imagegen.tasks import vae_pictures as pictures
from imagegen.tasks.registry import replay

NO_NAMES: list[Any] = ["gan-mnist", "", "x" * 10**5, "\x1b[2J\0", None, 7, True, NAN, ["vae-mnist"], {"vae-mnist": 1}]
NO_MOVES: list[Any] = [[NAN], [3.1], [-3.1], ["1"], [True], [None], [[1]], [10**400], "12", 7, {"0": 1}, None]


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


@pytest.fixture(scope="module")
def client(tiny: Tiny) -> Client:
    return Client(tiny.app.url, verbose=False, analytics_enabled=False)


@pytest.fixture
def works_afterwards(http: httpx.Client) -> Iterator[None]:
    yield
    assert ask(http, "vae_decode").event == "complete"


def pixels(source: bytes | str) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


def test_a_place_is_decoded_on_both_maps_and_again_by_its_recipe(client: Client, checkpoints: Path) -> None:
    path, about = client.predict(z=[0.5, -0.25], plane=task.PLAIN, api_name="/vae_decode")
    assert about["z"][task.PLAIN] == pytest.approx([0.5, -0.25], abs=1e-4)
    store = ModelStore(checkpoints, torch.device("cpu"))
    (step,) = task.decode(task.DecodeRequest((0.5, -0.25), task.PLAIN), store)
    assert about["z"][task.PLANE] == pytest.approx(step.z[0].tolist(), abs=1e-4)
    shown = pixels(path)
    assert shown.shape == (28, 56, 3)
    (again,) = to_pictures(replay(read_recipe(Path(path)), store))
    assert np.abs(shown[:, :28, 0] - np.asarray(again, dtype=np.int16)).max() <= 1


def test_a_drawing_is_encoded(client: Client, checkpoints: Path, tmp_path: Path) -> None:
    digit_picture(seven=True).save(tmp_path / "seven.png")
    picture = handle_file(tmp_path / "seven.png")
    path, about = client.predict(picture=picture, seed=3, api_name="/vae_encode")
    store = ModelStore(checkpoints, torch.device("cpu"))
    x = to_digit(digit_picture(seven=True))
    found = pictures.encode(pictures.EncodeRequest(x, task.DIGITS, 3), store)
    assert found.posterior
    assert about["elbo"] == pytest.approx(found.posterior.elbo, rel=1e-4)
    assert about["elbo"] == pytest.approx(about["log_likelihood"] - sum(about["kl_per_latent"]), rel=1e-4)
    assert about["mu"] == pytest.approx(found.mu.tolist(), abs=1e-4)
    assert len(about["sigma"]) == 8
    sheet = pixels(path)
    assert sheet.shape == (28, 12 * 28, 3)
    assert np.abs(sheet[:, :28, 0] - np.asarray(to_pictures(x)[0], dtype=np.int16)).max() <= 1

    path, about = client.predict(picture=picture, checkpoint=task.PLAIN, api_name="/vae_encode")
    assert set(about) == {"mu"}
    assert pixels(path).shape == (28, 2 * 28, 3)
    path, about = client.predict(picture=picture, checkpoint=task.FACES, api_name="/vae_encode")
    assert len(about["mu"]) == 20
    assert pixels(path).shape == (64, 12 * 64, 3)


def test_a_way_streams_and_ends_at_the_asked_ends(client: Client, tmp_path: Path) -> None:
    digit_picture().save(tmp_path / "one.png")
    job = client.submit(
        start_picture=handle_file(tmp_path / "one.png"), end_picture=None, end_seed=4, frames=40, path="spherical",
        api_name="/vae_interpolate",
    )  # fmt: skip
    *_, (path, about) = list(job)
    assert about == {"frame": 40, "of": 40}
    sheet = pixels(path)
    assert sheet.shape == (56, 40 * 28, 3)
    own = np.asarray(to_pictures(to_digit(digit_picture()))[0], dtype=np.int16)
    assert np.abs(sheet[28:, :28, 0] - own).max() <= 1  # the blend begins at the picture itself
    assert np.array_equal(sheet[:28, -28:], sheet[28:, -28:])  # a sample is its own reconstruction
    middle = (sheet[28:, :28] + sheet[28:, -28:]) / 2
    assert np.abs(middle - sheet[28:, 20 * 28 : 21 * 28]).mean() < 10


def test_a_face_is_edited(client: Client, http: httpx.Client, checkpoints: Path, tmp_path: Path) -> None:
    path, about = client.predict(
        picture=None, seed=5, attributes={"eyeglasses": 2, "Smiling": -1}, offsets=[1], api_name="/vae_edit_face"
    )
    recipe = read_recipe(Path(path))
    assert recipe.request["attributes"][:3] == [-1, 0, 2]
    (again,) = to_pictures(replay(recipe, ModelStore(checkpoints, torch.device("cpu"))))
    assert np.abs(pixels(path) - np.asarray(again, dtype=np.int16)).max() <= 1
    assert len(about["z"]) == 20
    photo = Image.linear_gradient("L").convert("RGB")
    photo.save(tmp_path / "photo.png")
    path, about = client.predict(picture=handle_file(tmp_path / "photo.png"), api_name="/vae_edit_face")
    assert pixels(path).shape == (64, 64, 3)
    assert "recipe" not in about
    files = [made(http, ask(http, "vae_edit_face", **moved)) for moved in ({}, {"seed": 1}, {"offsets": [2]})]
    assert len({pixels(file).tobytes() for file in files}) == 3


# Limits


@pytest.mark.usefixtures("works_afterwards")
def test_places_that_are_none(http: httpx.Client) -> None:
    for z in [[], [1], [1, 2, 3], "12", 7, None, {"x": 1}, [0, 101], [0, NAN], [0, True], ["1", 0], [[0], 0]]:
        assert_refused(ask(http, "vae_decode", z=z), "z must be")
    for plane in [*NO_NAMES, "vae-mnist"]:
        assert_refused(ask(http, "vae_decode", plane=plane), "plane must be one of vae-mnist-2d, ae-mnist-2d")


@pytest.mark.usefixtures("works_afterwards")
def test_checkpoints_and_paths_that_are_none(http: httpx.Client) -> None:
    for name in NO_NAMES:
        assert_refused(ask(http, "vae_encode", checkpoint=name), "checkpoint must be one of")
        assert_refused(ask(http, "vae_interpolate", checkpoint=name), "checkpoint must be one of")
        assert_refused(ask(http, "vae_interpolate", path=name), "path must be one of straight, spherical")


@pytest.mark.usefixtures("works_afterwards")
def test_moves_that_cannot_be_made(http: httpx.Client) -> None:
    for offsets in [*NO_MOVES, [0] * 21]:
        assert_refused(ask(http, "vae_edit_face", offsets=offsets), "offsets")
    for amount in [NAN, math.inf, 3.1, "1", True, None, [1]]:
        assert_refused(ask(http, "vae_edit_face", attributes={"Smiling": amount}), "attributes")
    for attributes in ({"Attractive": 1}, {"": 1}, [["Smiling", 1]], "Smiling", 7, None, NAN):
        assert_refused(ask(http, "vae_edit_face", attributes=attributes), "attribute")


@pytest.mark.usefixtures("works_afterwards")
def test_pictures_that_cannot_be_taken(http: httpx.Client) -> None:
    blank = Image.new("L", (40, 40), 255)
    assert_refused(ask(http, "vae_encode", picture=None), "There is no picture yet")
    assert_refused(ask(http, "vae_encode", picture=blank), "The picture is blank")
    assert_refused(ask(http, "vae_interpolate", end_picture=blank), "The picture is blank")


def test_messages_are_in_the_visitors_language(tiny: Tiny) -> None:
    with tiny.app.http(Cookie="imagegen_language=zh") as http:
        assert ask(http, "vae_interpolate", frames=1).message == "帧数必须是 2 到 60 的整数。"
        assert "属性" in ask(http, "vae_edit_face", attributes={"Attractive": 1}).message


# What only the page asks: events whose values a program can make up


@pytest.mark.usefixtures("works_afterwards")
@pytest.mark.parametrize(
    ("event", "values"),
    [
        ("decode", [{"z": "x"}]),
        ("decode", [{"z": [1e9, 0]}]),
        ("choose_ends", ["vae-mnist", ["mine-1", 3], None, None]),
        ("choose_ends", ["vae-mnist", [NAN, 3], None, None]),
        ("shift", ["vae-mnist", "sample", 0, None, {"offsets": [99]}]),
        ("shift", ["vae-mnist", "mine", 0, None, {}]),
        ("add_up", [["mine-1", 2, 3], None, None]),
    ],
)
def test_the_pages_own_events_are_checked_too(http: httpx.Client, event: str, values: list[object]) -> None:
    visit = Visit(http)
    visit.join(event, values)
    ended = [message for message in visit.messages() if message["msg"] == "process_completed"]
    assert [message["success"] for message in ended] == [False]
    assert ended[0]["output"]["error"]
