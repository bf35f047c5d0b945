"""Words to pictures as programs meet it: documented, streamed, stopped, and refused where it must be.

Rows 11 to 18 and 25 of the bad inputs, through the endpoint; the next valid request succeeds.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from e2e.endpoints import ask, made
from e2e.tiny import Tiny
from e2e.visiting import Answer, assert_refused
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from imagegen.images import open_picture, to_tensor
from imagegen.recipes import Recipe, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay

NAME = "text_to_image"


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


@pytest.fixture(scope="module")
def client(tiny: Tiny) -> Client:
    return Client(tiny.app.url, verbose=False, analytics_enabled=False)


def paint(http: httpx.Client, **values: object) -> Answer:
    return ask(http, NAME, **values)


def test_a_run_streams_previews_and_then_the_result_with_its_recipe(client: Client, checkpoints: Path) -> None:
    prompt = "a smilling 戴眼镜的 woman 🦄, " + "sun " * 80
    asked = {"prompt": prompt, "negative_prompt": "太阳", "count": 4, "seed": 9, "solver": "DPM++", "steps": 30}
    *previews, (result, last) = list(client.submit(**asked, guidance_scale=3, api_name=f"/{NAME}"))
    assert len(previews) >= 2
    seen = [about["step"] for _, about in previews]
    assert seen == sorted(set(seen))
    assert seen[0] == 1
    for path, about in [*previews, (result, last)]:
        assert about["of"] == 30
        with Image.open(path) as image:
            assert image.size == (3 * 64, 2 * 64)
    assert last["unknown"] == {"smilling": ["smiling", "smile"], "🦄": []}
    assert set(last["cut_off"].split()) == {"sun"}
    recipe = read_recipe(Path(result))
    assert recipe == Recipe(**last["recipe"] | {"inputs": ()})
    assert (recipe.task, recipe.checkpoint) == ("text-to-image", "sd-mini")
    again = replay(recipe, ModelStore(checkpoints, torch.device("cpu")))
    shown = to_tensor(open_picture(Path(result)))[:, :, :64, :64]
    assert (again - shown).abs().max() <= 1.01 / 255


def test_same_seed_same_bytes_and_every_argument_counts(http: httpx.Client) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"prompt": "太阳"},
        {"negative_prompt": "a sun"},
        {"seed": 2**32 - 1},
        {"solver": "UniPC"},
        {"steps": 3},
        {"guidance_scale": 0},
        {"count": 2},
    ]
    files = [made(http, paint(http, **{"steps": 4.0} | values)) for values in asked]
    assert len({Image.open(io.BytesIO(file)).tobytes() for file in files}) == len(asked)
    assert made(http, paint(http, steps=4)) == files[0]


def test_row_16_control_bytes_are_stripped_and_not_logged(http: httpx.Client, tiny: Tiny) -> None:
    answer = paint(http, prompt="a\0 smiling\x1b[31m\x07 woman\r\n")
    assert answer.data[1]["recipe"]["request"]["prompt"] == "a smiling[31m woman"
    for solver in ("\x1b[2J\0", "../../etc/passwd"):
        assert_refused(paint(http, solver=solver), "solver must be one of")
    assert not {"\x1b", "\0", "\x07"} & set(tiny.app.log.read_text())


@pytest.mark.parametrize("text", ["file:///etc/passwd", "http://169.254.169.254/", "../../etc/passwd", "data:,x" * 99])
def test_rows_17_and_18_a_prompt_is_never_an_address(http: httpx.Client, text: str) -> None:
    answer = paint(http, prompt=text)
    assert answer.event == "complete"
    assert "etc" not in answer.data[0]["path"]


def test_a_client_reads_the_message_in_its_language(tiny: Tiny, client: Client) -> None:
    with pytest.raises(AppError, match=r"^prompt must be a text of at most 1000 characters\.$"):
        client.predict(prompt="x" * 2_000, api_name=f"/{NAME}")
    with tiny.app.http(Cookie="imagegen_language=zh") as http:
        assert paint(http, prompt="x" * 2_000).message == "提示词必须是文字，最多 1000 个字符。"
