"""Steps of a prompt as the page gets them."""

import base64
from typing import Any

import numpy as np
import pytest
import torch

from imagegen.images import open_picture, to_tensor
from imagegen.recipes import from_link
from imagegen.store import ModelStore
from imagegen.tasks import text_to_image as task
from imagegen.tasks.registry import replay, request_of
from imagegen.tasks.text_to_image import Reading, TextToImageRequest, TextToImageStep, Token
from imagegen.ui import text_to_image_views as views

REQUEST = TextToImageRequest(prompt="smiling 戴眼镜的 sunn", count=2, seed=3, steps=2, guidance_scale=3)


@pytest.fixture(scope="module")
def steps(store: ModelStore) -> list[TextToImageStep]:
    return list(task.run(REQUEST, store))


@pytest.fixture(scope="module")
def reading(store: ModelStore) -> Reading:
    return task.read(REQUEST.prompt, store)


def test_the_film_holds_every_step_of_one_picture(steps: list[TextToImageStep], reading: Reading) -> None:
    moments = [views.moment(step, reading) for step in steps]
    film = views.film(REQUEST, 1, reading, moments, views.frames(steps[0].decode, moments))
    assert (film["which"], film["timesteps"], film["guidance"], film["side"]) == (1, [999, 499], 3.0, 8)
    decoded = [open_picture(base64.b64decode(frame.partition(",")[2])) for frame in film["frames"]]
    for step, frame in zip(steps, decoded, strict=True):
        assert (to_tensor(frame) - step.images[:1]).abs().max() <= 1.01 / 255
    assert film["words"] == ["smiling", "戴眼镜的", "sunn"]
    assert film["norms"] == [pytest.approx(step.guided.norms[0].tolist(), abs=1e-4) for step in steps]
    heat = np.frombuffer(base64.b64decode(film["heat"]), dtype=np.uint8).reshape(2, 3, 8, 8)
    for step, share, maps in zip(steps, film["shares"], heat, strict=True):
        exact = reading.heat(step.guided.attention)[0]
        assert share == pytest.approx(exact.mean(dim=(1, 2)).tolist(), abs=1e-4)
        for word, seen in zip(exact, maps, strict=True):
            assert (seen.min(), seen.max()) == (0, 255)
            assert seen.argmax() == word.argmax()
            expected = (word - word.min()) / (word.max() - word.min()) * 255
            assert np.abs(seen - expected.numpy()).max() <= 0.51


def test_a_prompt_without_words_has_a_film_too(store: ModelStore) -> None:
    request = TextToImageRequest(prompt="", steps=1)
    reading = task.read("", store)
    film = views.film(request, 0, reading, [views.moment(step, reading) for step in task.run(request, store)], [])
    assert (film["words"], film["heat"], film["shares"]) == ([], "", [[]])


def test_notes_tell_how_the_prompt_was_read() -> None:
    tokens = (Token(0, "<|startoftext|>", None), Token(9, "suns", 0))
    notes = views.notes(Reading(("suns",), tokens, "the rest", {"suns": ("sun",), "龙": ()}, ("no",)))
    assert notes == {
        "tokens": [[0, "<|startoftext|>", None], [9, "suns", 0]],
        "cut": "the rest",
        "unknown": [["suns", ["sun"]], ["龙", []]],
        "negations": ["no"],
    }


def test_pictures_get_their_recipes_when_they_are_done(steps: list[TextToImageStep], store: ModelStore) -> None:
    preview = views.sheet(steps[0])
    assert (len(preview["pictures"]), preview["index"], preview["total"]) == (2, 1, 2)
    assert "links" not in preview
    signed = views.recipes(REQUEST, store)
    assert [each.recipe for each in views.made(steps[-1], signed)] == signed
    sheet: dict[str, Any] = views.sheet(steps[-1], signed)
    recipes = [from_link(link) for link in sheet["links"]]
    assert [recipe.index for recipe in recipes] == [0, 1]
    assert request_of(recipes[1], store) == REQUEST
    again = torch.cat([replay(recipe, store) for recipe in recipes])
    assert (again - steps[-1].images).abs().max() <= 1 / 255
