"""What the page hands back of its visit is as hostile as any other input."""

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from hostile_files import flat_png
from PIL import Image

from imagegen.errors import InputError
from imagegen.images import to_pictures
from imagegen.recipes import to_json, to_png
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.journey import MAX_TAKEN, _show, _take_back
from imagegen.ui.widgets import data_url, plain_png
from imagegen.ui.wiring import Travelling


def handed_back(png: object) -> Any:
    return _take_back(SimpleNamespace(_data={"png": png}))


def test_a_picture_comes_back_with_its_recipe(store: Any) -> None:
    request = TASKS["gan"].request(digit=4, count=1)
    *_, last = TASKS["gan"].run(request, store)
    picture, recipe = to_pictures(last.images)[0], recipe_of(TASKS["gan"], request, store)
    back = handed_back(data_url(to_png(picture, recipe)))
    assert to_json(back.recipe) == to_json(recipe)
    assert back.picture.size == picture.size
    assert handed_back(data_url(plain_png(Image.new("RGB", (9, 7))))).recipe is None


@pytest.mark.parametrize(
    "png",
    [
        None,
        7,
        ["x"],
        "A" * (MAX_TAKEN + 1),
        "data:image/png;base64,§",
        "data:,",
        flat_png(50_000, 50_000, 1),
        b"<svg/>",
    ],
)
def test_what_is_no_picture_is_refused(png: object) -> None:
    with pytest.raises(InputError):
        handed_back(data_url(png) if isinstance(png, bytes) else png)


def test_the_same_picture_is_one_stop(store: Any) -> None:
    picture = Travelling(Image.new("RGB", (20, 20), "red"))
    _, first, visit = _show(picture, ())
    _, again, visit = _show(Travelling(picture.picture.copy()), visit)
    assert first["id"] == again["id"]
    assert len(visit) == 1
    large = Travelling(Image.effect_noise((1024, 1024), 99).convert("RGB"))
    _, kept, visit = _show(large, visit)
    assert kept["png"].startswith("data:image/jpeg")
    assert len(kept["png"]) < MAX_TAKEN
    assert kept["trip"] == first["trip"]


def test_what_is_made_only_once_is_in_no_link(store: Any) -> None:
    request = TASKS["gan"].request(digit=4, count=1)
    *_, last = TASKS["gan"].run(request, store)
    made = Travelling(to_pictures(last.images)[0], recipe_of(TASKS["gan"], request, store))
    _, shown, _ = _show(made, ())
    assert shown["trip"]
    _, shown, _ = _show(made, (), {"gan-mnist"})
    assert shown["trip"] is None


def test_an_event_without_data_is_refused() -> None:
    with pytest.raises(InputError):
        _take_back(SimpleNamespace(_data=base64))
