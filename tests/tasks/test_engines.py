"""The words' task with an engine beside the checkpoint: the same request, steps, recipes and comparisons."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_up_pipelines import add_sd

from imagegen.checkpoints import ModelStore
from imagegen.engines.pipelines import Pipeline
from imagegen.errors import InputError
from imagegen.images import to_pictures
from imagegen.recipes import Recipe
from imagegen.tasks import text_to_image as task
from imagegen.tasks.registry import TASKS, recipe_of, replay, request_of
from imagegen.tasks.text_to_image import TextToImageRequest
from imagegen.ui import text_to_image_views as views

REQUEST = TextToImageRequest(prompt="a smiling 戴眼镜的", count=2, seed=3, steps=2, engine="sd")


@pytest.fixture(scope="module")
def own(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    cpu = torch.device("cpu")
    engine = Pipeline(add_sd(tmp_path_factory.mktemp("engines") / "sd"), cpu, "sd")
    return ModelStore(checkpoints, cpu, engines={"sd": engine})


def recipe(own: ModelStore, index: int = 0) -> Recipe:
    return recipe_of(TASKS["text-to-image"], REQUEST, own, index)


def test_a_recipe_names_the_engine_and_makes_its_picture_again(own: ModelStore) -> None:
    *_, last = task.run(REQUEST, own)
    made = recipe(own, index=1)
    assert (made.checkpoint, made.sha256) == ("sd", own.engines["sd"].sha256())
    assert request_of(made, own) == REQUEST
    assert (replay(made, own) - last.images[1:]).abs().max() <= 1 / 255


def test_a_recipe_of_an_engine_that_is_not_here_is_refused(own: ModelStore, store: ModelStore) -> None:
    with pytest.raises(InputError, match="painted by 'sd', which this app was not started with"):
        request_of(recipe(own), store)
    with pytest.raises(InputError, match="other weights of sd"):
        request_of(replace(recipe(own), sha256="0" * 64), own)
    with pytest.raises(InputError, match="contradicts itself"):
        request_of(replace(recipe(own), checkpoint="sd-mini"), own)


def test_side_by_side_each_is_as_alone(own: ModelStore) -> None:
    requests = [task.alone(REQUEST, 0), replace(task.alone(REQUEST, 0), guidance_scale=9.0)]
    steps = list(task.abreast(requests, own))
    assert [(step.index, step.total) for step in steps] == [(i, 4) for i in (1, 2, 3, 4)]
    for request, picture in zip(requests, steps[-1].images, strict=True):
        *_, alone = task.run(request, own)
        assert (alone.images[0] - picture).abs().max() <= 1 / 255
    with pytest.raises(InputError, match="need the same engine"):
        next(task.abreast([REQUEST, replace(REQUEST, engine="sd-mini")], own))


def test_a_prompt_is_read_by_the_engines_own_tokenizer_and_nothing_is_strange_to_it(own: ModelStore) -> None:
    reading = task.read("a smiling dragoon, 戴眼镜的", own, own.engines["sd"])
    assert reading.words == ("a", "smiling", "dragoon", "戴眼镜的")
    assert reading.unknown == {}
    *_, last = task.run(REQUEST, own)
    moment = views.moment(last, task.read(REQUEST.prompt, own, own.engines["sd"]))
    assert moment is not None
    assert moment.heat.shape == (3, 32, 32)
    film = views.film(REQUEST, 0, reading, [moment], views.frames(own.engines["sd"]._decode, [moment]))
    assert (film["side"], film["norms"]) == (32, [[]])
    assert to_pictures(last.images)[0].size == (64, 64)
