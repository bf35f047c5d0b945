"""Words and editing with an engine beside the checkpoint: the same requests, steps, recipes and comparisons."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_pipelines import add_sd
from PIL import Image
from torch import Tensor

from imagegen.engines.openai_images import OpenAIImages
from imagegen.engines.pipelines import Pipeline
from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import Recipe, from_json, to_json
from imagegen.store import ModelStore
from imagegen.tasks import editing
from imagegen.tasks import text_to_image as task
from imagegen.tasks.editing import EditRequest, InpaintRequest
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


# Editing

PICTURE = to_tensor(Image.effect_noise((50, 30), 90).convert("RGB"))
MASK = torch.full((1, 1, 30, 50), -1.0)
MASK[..., 5:20, 35:45] = 1


def edits(drawn: Tensor | None = MASK, **values: Any) -> EditRequest:
    values = {"count": 2, "seed": 3, "steps": 2, "engine": "sd", **values}
    return EditRequest(PICTURE, **values) if drawn is None else InpaintRequest(PICTURE, mask=drawn, **values)


def edited(request: EditRequest, own: ModelStore) -> Tensor:
    *_, last = editing.run(request, own)
    return last.images


def test_a_picture_keeps_its_size_and_every_pixel_outside_the_mask(own: ModelStore) -> None:
    after = edited(edits(), own)
    outside = (MASK < 0).expand(2, 3, -1, -1)
    assert torch.equal(after[outside], PICTURE.expand(2, -1, -1, -1)[outside])
    assert (after - PICTURE).abs()[~outside].mean() > 0.05
    whole = edited(edits(None), own)
    assert whole.shape == (2, 3, 30, 50)
    assert (whole - PICTURE).abs()[outside].mean() > 0.05
    gray = replace(edits(None), picture=PICTURE[:, :1])
    assert edited(gray, own).shape == (2, 3, 30, 50)


@pytest.mark.parametrize("drawn", [None, MASK], ids=["edit-image", "inpaint"])
def test_the_recipe_of_an_edit_names_the_engine_and_makes_it_again(drawn: Tensor | None, own: ModelStore) -> None:
    asked = edits(drawn)
    made = recipe_of(TASKS["edit-image" if drawn is None else "inpaint"], asked, own, 1)
    inputs = [PICTURE] if drawn is None else [PICTURE, drawn]
    assert (made.checkpoint, made.request["engine"], len(made.inputs)) == ("sd", "sd", len(inputs))
    again = replay(from_json(to_json(made)), own, inputs)
    assert (again - edited(asked, own)[1:]).abs().max() <= 1 / 255


def test_a_recipe_from_before_there_were_engines_still_opens(own: ModelStore) -> None:
    asked = edits(engine="sd-mini", count=1)
    made = recipe_of(TASKS["inpaint"], asked, own)
    older = replace(made, request={name: value for name, value in made.request.items() if name != "engine"})
    opened = request_of(older, own, [PICTURE, MASK])
    assert opened.engine == "sd-mini"
    assert torch.equal(replay(older, own, [PICTURE, MASK]), edited(asked, own))


def test_an_engine_that_cannot_edit_is_refused_with_those_that_can(
    own: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    service = OpenAIImages("gpt-image-2")
    store = ModelStore(own.folder, own.device, engines={**own.engines, service.name: service})
    assert list(editing.editors(store)) == ["sd"]
    with pytest.raises(InputError, match=r"openai/gpt-image-2 edits no pictures; choose one of sd-mini, sd\."):
        edited(edits(engine=service.name), store)
    with pytest.raises(InputError, match=r"engine must be one of sd-mini, sd\."):
        edited(edits(engine="sd-maxi"), store)


def test_what_is_too_much_for_an_engine_is_refused(own: ModelStore) -> None:
    with pytest.raises(InputError, match="count must be a whole number from 1 to 16"):
        edited(edits(count=17), own)
    large = replace(edits(None), picture=torch.zeros(1, 3, 1, 1).expand(-1, -1, 4000, 2001))
    with pytest.raises(InputError, match="more than 16 megapixels together"):
        edited(large, own)
    with pytest.raises(InputError, match="mask is empty"):
        edits(torch.full((1, 1, 30, 50), -1.0))
    assert edits().inside.sum() == 15 * 10
    corner = torch.full((1, 1, 30, 50), -1.0)
    corner[..., 0] = 1
    assert edits(corner).inside.sum() == 30
    with pytest.raises(InputError, match="mask is empty"):
        edits(corner, engine="sd-mini")  # in what it cuts off
