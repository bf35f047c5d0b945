"""What the style tab shows, and what it says where a network is missing."""

import shutil
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_style import STYLES
from PIL import Image
from serving import ROOT

from imagegen.errors import InputError
from imagegen.images import to_tensor
from imagegen.recipes import read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import style_slow as slow
from imagegen.ui import style_fast
from imagegen.ui import style_views as views
from imagegen.ui.bringing import example
from imagegen.ui.wiring import Travelling

PAGES = """
import sys
from pathlib import Path
import gradio as gr, torch
from imagegen.store import ModelStore
from imagegen.ui import add_tab

for folder in sys.argv[1:]:
    with gr.Blocks(analytics_enabled=False) as page, gr.Tabs() as tabs:
        add_tab("style", ModelStore(Path(folder), torch.device("cpu")), gr.State(None), tabs)
    print(repr(str(page.get_config_file())))
"""
LAYERS = dict.fromkeys(slow.STYLE_LAYERS, 1.0)
VALUES: dict[str, Any] = {"travelling": None, "painting": None, "made": None, "style_power": 2.0, "start": "photo"}


def shown(url: str) -> Image.Image:
    return Image.open(BytesIO(b64decode(url.partition(",")[2])))


def test_without_pictures_of_ones_own_there_are_examples() -> None:
    request = views.slow_request(**VALUES, **LAYERS)
    assert torch.equal(request.photo, to_tensor(example("chelsea")))
    assert torch.equal(request.painting, to_tensor(example("strokes")))
    assert request.style_weight == 100
    brought = Travelling(Image.new("L", (40, 50), 7))
    request = views.slow_request(**VALUES | {"travelling": brought}, **LAYERS)
    assert request.photo.shape == (1, 3, 50, 40)


def test_it_goes_on_from_the_last_result_of_either_way_if_there_is_one() -> None:
    slowly, fast = (Travelling(Image.new("RGB", (40, 40), colour)) for colour in ("red", "blue"))
    for start, result in (("picture", slowly), ("fast", fast)):
        request = views.slow_request(**VALUES | {"start": start, "made": slowly}, fast=fast, **LAYERS)
        assert request.start == "picture"
        assert request.picture is not None
        assert torch.equal(request.picture, to_tensor(result.picture))
        assert views.slow_request(**VALUES | {"start": start}, **LAYERS).start == "photo"


@pytest.mark.parametrize("power", [None, "2", float("nan"), True, 400, 5])
def test_a_power_that_is_none(power: Any) -> None:
    with pytest.raises(InputError, match="style_power must be a number from -1 to 4"):
        views.slow_request(**VALUES | {"style_power": power}, **LAYERS)


def test_what_stop_keeps_is_a_picture_with_the_recipe_of_its_iteration(store: ModelStore) -> None:
    request = views.slow_request(**VALUES, **LAYERS, size=64, iterations=30)
    recipe = views.slow_recipe(request, store)
    first = next(slow.run(request, store))
    made = views.after(recipe, first)
    file = b64decode(views.kept(made)["picture"].partition(",")[2])
    assert read_recipe(file).request["iterations"] == 1
    assert recipe.request["iterations"] == 30


def test_the_story_tells_the_numbers_and_draws_each_matrix(store: ModelStore) -> None:
    request = views.slow_request(**VALUES, **LAYERS, size=64, iterations=1)
    step = next(slow.run(request, store))
    matrices = [slow.grams(request, picture, store) for picture in (request.painting, request.photo, step.images)]
    story = views.story(request, step, matrices)
    whole = story["content"]["loss"] + story["style_weight"] * sum(each["loss"] for each in story["style"])
    assert whole == pytest.approx(story["loss"], rel=1e-4)
    assert [each["layer"] for each in story["style"]] == list(slow.STYLE_LAYERS)
    assert [shown(url).size for url in story["style"][0]["grams"]] == [(4, 4)] * 3


def test_a_drawn_matrix_is_dark_where_features_go_together() -> None:
    matrix = torch.diag(torch.tensor([1.0, 0.0]))
    (url,) = views._drawn([matrix])
    picture = shown(url)
    assert picture.getpixel((0, 0)) == views.INK
    assert picture.getpixel((1, 0)) == picture.getpixel((1, 1)) == views.PAPER


@pytest.mark.parametrize("asked", [None, 3, "x", {}, {"style": []}, {"style": 3}, {"style": ["a"] * 9}])
def test_a_style_must_be_chosen(asked: Any, store: ModelStore) -> None:
    with pytest.raises(InputError):
        style_fast.request(asked, None, None, False, 64)


def test_the_painting_goes_in_only_where_it_is_asked_for() -> None:
    assert style_fast.request({"style": [STYLES[0]]}, None, None, False, 64).painting is None
    request = style_fast.request({"style": [STYLES[0], "painting"], "weights": [1, 0.5]}, None, None, True, 64)
    assert request.painting is not None
    assert request.weights == (1, 0.5)


def test_without_its_network_the_fast_part_says_so_and_the_slow_one_is_there(checkpoints: Path, tmp_path: Path) -> None:
    """In a process of its own: a page leaves event loops behind."""
    both, slowly, neither = checkpoints, tmp_path / "slow", tmp_path / "neither"
    shutil.copytree(checkpoints / "style-features", slowly / "style-features")
    neither.mkdir()
    folders = [str(folder) for folder in (both, slowly, neither)]
    result = subprocess.run(
        [sys.executable, "-c", PAGES, *folders], capture_output=True, text=True, check=True, cwd=ROOT
    )
    with_both, without_fast, without_any = result.stdout.splitlines()
    assert "style.fast.missing" not in with_both
    assert "large-run" in with_both
    assert "style.fast.missing" in without_fast
    assert "style-run" in without_fast
    assert "large-run" not in without_fast
    assert "style-off" in without_any
    assert "style-off" not in without_fast
