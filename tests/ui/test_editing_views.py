"""What the editing tab asks for and shows: its brush as a mask, and steps as plain data."""

import base64

import pytest
import torch
from PIL import Image

from imagegen.errors import InputError
from imagegen.images import open_picture, to_pictures, to_tensor
from imagegen.recipes import from_link, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import editing as task
from imagegen.ui import editing_views as views
from imagegen.ui.widgets import plain_png
from imagegen.ui.wiring import Travelling

FACE = Travelling(Image.effect_noise((80, 64), 90).convert("RGB"))


def brush(box: tuple[int, int, int, int] = (8, 22, 56, 40)) -> dict[str, str]:
    mask = Image.new("RGBA", (64, 64), "black")
    mask.paste((255, 255, 255, 255), box)
    return {"mask": base64.b64encode(plain_png(mask)).decode()}


def shown(url: str) -> torch.Tensor:
    return to_tensor(open_picture(base64.b64decode(url.partition(",")[2])))


def test_the_brush_is_the_mask_and_without_it_the_whole_picture_changes() -> None:
    part = views.request(FACE, brush(), "part", steps=2)
    assert isinstance(part, task.InpaintRequest)
    assert part.inside.sum() == 48 * 18
    assert part.inside[0, 0, 22:40, 8:56].all()
    assert torch.equal(part.picture, to_tensor(FACE.picture.crop((8, 0, 72, 64))))
    for unused in (brush(), None, 7):
        assert type(views.request(FACE, unused, "whole")) is task.EditRequest


@pytest.mark.parametrize("nothing", [None, {}, {"mask": None}, {"mask": "?"}, {"mask": 7}, {"png": "x"}, [1], "x"])
def test_a_brush_that_is_none_is_refused(nothing: object) -> None:
    with pytest.raises(InputError, match="drawing"):
        views.request(FACE, nothing, "part")


def test_what_cannot_be_edited_is_refused() -> None:
    with pytest.raises(InputError, match="There is no picture yet"):
        views.request(None, brush(), "part")
    with pytest.raises(InputError, match="mode must be one of part, whole"):
        views.request(FACE, brush(), "some")
    with pytest.raises(InputError, match="The mask is empty"):
        views.request(FACE, brush((0, 0, 0, 0)), "part")


@pytest.mark.parametrize(("mode", "columns"), [("part", 3), ("whole", 2)])
def test_the_film_holds_every_step_and_the_picture_before_and_after(mode: str, columns: int, store: ModelStore) -> None:
    request = views.request(FACE, brush(), mode, prompt="a sun", steps=5, strength=0.6, guidance_scale=3)
    steps = list(task.run(request, store))
    moments = [moment for step in steps if (moment := views.moment(step))]
    frames = views.frames(request, steps[-1], moments)
    assert views.panels(request) == ["edited.x_t", "edited.seen", "edited.together"][:columns]
    for step, frame in zip(steps, frames, strict=True):
        assert isinstance(step, task.EditStep)
        seen = [step.decode(step.x_t), step.decode(step.seen), step.images][:columns]
        assert (shown(frame) - torch.cat(seen, dim=3)).abs().max() <= 1.01 / 255
    made = views.made(request, steps[-1], views.recipe(request, store))
    film = views.film(request, moments, frames, made, 1.5)
    assert (film["index"], film["total"], film["seconds"], film["guidance"]) == (3, 3, 1.5, 3)
    assert film["timesteps"] == [599, 399, 199]
    assert film["alphas"] == sorted(film["alphas"])
    assert film["changed"] == [pytest.approx(step.changed[0].tolist(), abs=1e-4) for step in steps]
    assert film["norms"] == [pytest.approx(step.norms[0].tolist(), abs=1e-4) for step in steps]
    assert (shown(film["before"]) - request.picture).abs().max() <= 1.01 / 255
    file = base64.b64decode(film["after"].partition(",")[2])
    assert open_picture(file) == to_pictures(steps[-1].images)[0]
    assert read_recipe(file) == from_link(film["link"]) == made.recipe
    assert (film["mask"] is None) == (mode == "whole")
    preview = views.preview(request, steps[0], moments[0])
    assert (preview["index"], preview["total"], preview["mask"]) == (1, 3, film["mask"])
    assert (shown(preview["frames"][0]) - shown(frames[0])).abs().max() <= 2.01 / 255  # decoded alone, and in a batch
