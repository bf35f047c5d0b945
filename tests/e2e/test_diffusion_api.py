"""The diffusion tab's endpoints as programs meet them: streamed, stopped, faces among them."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from e2e.endpoints import DIGIT, ENDPOINTS, ask, made
from e2e.tiny import Tiny
from e2e.visiting import digit_picture
from gradio_client import Client, handle_file
from PIL import Image

from imagegen.images import to_pictures
from imagegen.models.diffusion import SCHEDULES, betas
from imagegen.recipes import Recipe, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


@pytest.fixture(scope="module")
def client(tiny: Tiny) -> Client:
    return Client(tiny.app.url, verbose=False, analytics_enabled=False)


def test_a_picture_is_drowned_by_each_schedule(client: Client, tmp_path: Path) -> None:
    digit_picture(seven=True).save(tmp_path / "seven.png")
    drown = {"picture": handle_file(tmp_path / "seven.png"), "api_name": "/diffuse_forward"}
    path, about = client.predict(**drown, t=0)
    with Image.open(path) as image:
        assert (image.format, image.size) == ("PNG", (3 * 128, 128))
        clean = np.asarray(image.convert("L"), dtype=np.int16)
    assert np.abs(clean[:, :128] - clean[:, 256:]).max() < 60  # hardly any noise yet, and the same by all
    assert clean.min() < 40
    path, about = client.predict(**drown, t=999, seed=3)
    left = [float((1 - betas(schedule)).prod()) for schedule in SCHEDULES]
    assert about == {"t": 999, "alphas_cumprod": pytest.approx(dict(zip(SCHEDULES, left, strict=True)))}
    with Image.open(path) as image:
        drowned = np.asarray(image.convert("L"), dtype=np.int16)
    assert np.abs(drowned[:, :128] - clean[:, :128]).mean() > 60


def test_a_run_streams_previews_and_then_the_result_with_its_recipe(client: Client, checkpoints: Path) -> None:
    asked = {"model": "ddpm-celeba", "digit": None, "wanted": ["Smiling"], "unwanted": ["Male"], "count": 12, "seed": 9}
    job = client.submit(**asked, steps=20, solver="ddim", eta=0.5, api_name="/diffuse_sample")
    *previews, (result, last) = list(job)
    assert len(previews) >= 2
    seen = [about["step"] for _, about in previews]
    assert seen == sorted(set(seen))
    assert seen[0] == 1
    for path, about in [*previews, (result, last)]:
        assert about["of"] == 20
        assert about["timestep"] == 999 - 50 * (about["step"] - 1)
        with Image.open(path) as image:
            assert image.size == (10 * 64, 2 * 64)
    assert last["step"] == 20
    with pytest.raises(Exception, match="no recipe"):
        read_recipe(Path(previews[0][0]))

    recipe = read_recipe(Path(result))
    assert recipe == Recipe(**last["recipe"] | {"inputs": tuple(last["recipe"]["inputs"])})
    assert recipe.task == "diffusion-faces"
    store = ModelStore(checkpoints, torch.device("cpu"))
    with Image.open(result) as sheet:
        pixels = np.asarray(sheet.convert("RGB"), dtype=np.int16)
    for i in 0, 11:
        top, left = 64 * (i // 10), 64 * (i % 10)
        (again,) = to_pictures(replay(replace(recipe, index=i), store))
        face = pixels[top : top + 64, left : left + 64]
        assert np.abs(np.asarray(again, dtype=np.int16) - face).max() <= 1


def test_same_seed_same_bytes_and_every_argument_counts(http: httpx.Client) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"digit": 3},
        {"seed": 2**32 - 1},
        {"solver": "ddim"},
        {"solver": "DDIM", "eta": 1.0},
        {"steps": 3},
        {"guidance_scale": 0},
        {"digit": None, "count": 2},
    ]
    files = [made(http, ask(http, "diffuse_sample", **{"steps": 4.0} | values)) for values in asked]
    assert len({Image.open(io.BytesIO(file)).tobytes() for file in files}) == len(asked)
    assert made(http, ask(http, "diffuse_sample", steps=4)) == files[0]


def test_a_race_tells_of_every_lane(client: Client) -> None:
    lanes = [["ddim", 2], ["unipc", 1], ["DPM++", 3]]
    path, about = client.predict(digit=4, lanes=lanes, guidance_scale=1, api_name="/diffuse_race")
    with Image.open(path) as image:
        assert image.size == (3 * 28, 28)
    assert [(lane["solver"], lane["steps"], lane["calls"]) for lane in about] == [
        ("ddim", 2, 2),
        ("unipc", 1, 1),
        ("dpm++", 3, 3),
    ]
    assert all(lane["seconds"] > 0 for lane in about)


def test_a_client_that_cancels_makes_room_for_the_next(tiny: Tiny, client: Client) -> None:
    before = tiny.calls()
    job = client.submit(**DIGIT, count=64, steps=100, solver="ddpm", api_name="/diffuse_sample")
    outputs = iter(job)
    for _ in range(3):
        next(outputs)
    job.cancel()
    client.predict(digit=1, steps=1, api_name="/diffuse_sample")
    assert tiny.calls() - before < 50


def test_nothing_is_answered_outside_the_queue(http: httpx.Client) -> None:
    answer = http.post("/run/diffuse_sample", json={"data": list(ENDPOINTS["diffuse_sample"].values())})
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]
