"""What the diffusion tab shows: the page's words as requests and back, and steps as plain data for its widgets."""

import base64
import io
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_diffusion import FIDS, LOSSES
from PIL import Image

from imagegen.data.faces import ATTRIBUTES
from imagegen.devices import SEEDS
from imagegen.errors import InputError
from imagegen.images import to_pictures
from imagegen.models.diffusion import SCHEDULES, TIMESTEPS
from imagegen.recipes import from_link, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import diffusion as task
from imagegen.tasks import diffusion_experiments as experiments
from imagegen.tasks.registry import recipe_of, request_of, task_of
from imagegen.ui import diffusion_views as views
from imagegen.ui.language import LANGUAGES, locale
from imagegen.ui.wiring import Travelling

BOTH = [task.DIGITS, task.FACES]
VALUES: dict[str, Any] = {"solver": "ddim", "steps": 3, "guidance_scale": 2.0, "eta": 0.25, "seed": 5}


def ask(model: str, traits: list[str] | None = None, digit: int | None = 7, **values: Any) -> task.DiffusionRequest:
    return views.request(BOTH, model, digit, traits or [], **VALUES | values)


def last(request: task.DiffusionRequest, store: ModelStore) -> task.DiffusionStep:
    *_, step = task.run(request, store)
    return step


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(content(url)))


def content(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2])


@pytest.fixture
def copied(checkpoints: Path, tmp_path: Path) -> Path:
    """Checkpoints that a test may change."""
    return Path(shutil.copytree(checkpoints, tmp_path / "checkpoints"))


def store_of(folder: Path) -> ModelStore:
    return ModelStore(folder, torch.device("cpu"))


# What there is


def test_models_are_offered_where_all_that_they_need_is_there(copied: Path, store: ModelStore) -> None:
    assert views.models(store) == BOTH
    shutil.rmtree(copied / task.AUTOENCODER)
    assert views.models(store_of(copied)) == [task.DIGITS]


def test_without_faces_none_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"model must be one of ddpm-mnist\."):
        views.request([task.DIGITS], task.FACES, None, [], **VALUES)


def test_what_stays_still_is_the_schedule_and_the_loss_of_each_model(store: ModelStore) -> None:
    still = views.still(store, BOTH)
    assert len(still["alphas"]) == TIMESTEPS
    assert still["alphas"] == sorted(still["alphas"], reverse=True)
    assert np.allclose(still["alphas"], store.get(task.DIGITS).alphas_cumprod.numpy(), atol=1e-6)
    for name in BOTH:
        curve = still["loss"][name]
        assert [(first, last) for first, last, _ in curve] == [(50 * k, 50 * k + 49) for k in range(20)]
        assert [loss for _, _, loss in curve] == [pytest.approx(loss) for loss in LOSSES.values()]


def test_solver_tables_are_as_the_cards_have_them(store: ModelStore) -> None:
    tables = views.solver_tables(store, BOTH)
    assert list(tables) == BOTH
    for table in tables.values():
        assert set(table) == {"ddim", "unipc"}
        for points in table.values():
            assert points == [(steps, pytest.approx(40 / steps)) for steps in (5, 10, 20)]
    assert sum(len(points) for points in tables[task.DIGITS].values()) == len(FIDS)


def test_curves_run_over_all_noise_levels_of_each_schedule() -> None:
    curves = views.curves()
    assert set(curves) == {"beta", "alpha", "snr"}
    for lines in curves.values():
        assert [line["name"] for line in lines] == list(SCHEDULES)
        for line in lines:
            levels, values = zip(*line["points"], strict=True)
            assert (levels[0], levels[-1], len(levels)) == (0, TIMESTEPS - 1, views.CURVE_POINTS)
            assert all(map(math.isfinite, values))
    for key in "alpha", "snr":
        for line in curves[key]:
            values = [value for _, value in line["points"]]
            assert values == sorted(values, reverse=True)


# The page's words and requests


@pytest.mark.parametrize("trait", views.TRAITS)
def test_a_trait_becomes_a_request_and_comes_back(trait: str) -> None:
    attribute, sign = views.TRAITS[trait]
    request = ask(task.FACES, [trait])
    assert isinstance(request, task.FaceRequest)
    assert (request.wanted, request.unwanted) == (((attribute,), ()) if sign > 0 else ((), (attribute,)))
    assert views.traits_of(request) == [trait]


def test_several_traits_come_back_together() -> None:
    traits = ["woman", "serious", "bangs", "glasses", "no beard"]
    request = ask(task.FACES, traits[::-1])
    assert sorted(views.traits_of(request)) == sorted(traits)
    assert views.alone(request, 0)["traits"] == views.traits_of(request)


def test_traits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="Male cannot be both wanted and unwanted"):
        ask(task.FACES, ["man", "woman"])


@pytest.mark.parametrize("traits", [["Attractive"], ["man", 7], "x" * 10**5, None, 7, {"man": 1}, ["man"] * 22])
def test_other_traits_are_refused(traits: Any) -> None:
    with pytest.raises(InputError, match=r"^(each of )?traits must be"):
        views.request(BOTH, task.FACES, None, traits, **VALUES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trait_and_attribute_has_words(language: str) -> None:
    words = locale(language)
    for keys in [f"face.{trait}" for trait in views.TRAITS], [f"face.attribute.{name}" for name in ATTRIBUTES]:
        said = [words[key] for key in keys]
        assert all(said)
        assert len(set(said)) == len(said)


def test_traits_speak_of_known_attributes_each_in_one_way() -> None:
    assert {attribute for attribute, _ in views.TRAITS.values()} == set(ATTRIBUTES)
    assert len(set(views.TRAITS.values())) == len(views.TRAITS)


@pytest.mark.parametrize("model", [*BOTH, "DDPM-MNIST"])
def test_what_the_other_model_alone_understands_is_left_out(model: str) -> None:
    request = ask(model, ["smile"], digit=3)
    assert request.checkpoint == model.lower()
    assert getattr(request, "digit", 3) == 3
    assert getattr(request, "wanted", ("Smiling",)) == ("Smiling",)


@pytest.mark.parametrize("model", ["gan-mnist", "", None, 7, True, ["ddpm-mnist"]])
def test_another_model_is_refused(model: Any) -> None:
    with pytest.raises(InputError, match=r"model must be one of ddpm-mnist, ddpm-celeba\."):
        ask(model)


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("index", [0, 2])
def test_one_picture_of_a_request_is_drawn_alone_by_the_controls(model: str, index: int, store: ModelStore) -> None:
    request = replace(ask(model, ["smile"], digit=None, seed=SEEDS - 1), count=3)
    values = views.alone(request, index)
    assert values["seed"] == (SEEDS - 1 + index) % SEEDS
    controls = {name: values[name] for name in ("model", "digit", "traits", *VALUES)}
    alone = views.request(BOTH, **controls)
    assert alone.count == 1
    assert alone.checkpoint == model
    difference = last(alone, store).images[0] - last(request, store).images[index]
    assert difference.abs().max() <= 1 / 255


def test_each_request_has_the_task_that_replays_it(store: ModelStore) -> None:
    for model in BOTH:
        request = ask(model, ["bald"])
        assert task_of(request).checkpoint == model
        assert request_of(recipe_of(task_of(request), request, store), store) == request


# Steps as data


def test_a_frame_of_pixels_shows_the_numbers_themselves(store: ModelStore) -> None:
    step = last(ask(task.DIGITS), store)
    frame = views.frame(step)
    assert (frame.mode, frame.size) == ("RGB", (3 * 28, 28))
    shown = np.asarray(frame.convert("L"))
    for i, values in enumerate((step.x_t, step.noise_pred / views.NOISE_REACH, step.pred_x0)):
        (picture,) = to_pictures(values)
        assert np.array_equal(shown[:, 28 * i : 28 * (i + 1)], np.asarray(picture))


def test_a_frame_of_latents_shows_their_channels_as_a_square_beside_the_face(store: ModelStore) -> None:
    step = last(ask(task.FACES), store)
    frame = views.frame(step)
    assert (frame.mode, frame.size) == ("RGB", (3 * 64, 64))
    shown = np.asarray(frame)
    assert np.array_equal(shown[:, 128:], np.asarray(to_pictures(step.images)[0]))
    for i, values in enumerate((step.x_t, step.noise_pred)):
        fifth = (values / views.NOISE_REACH)[:, 4:5]  # of sixteen: the first in the second row
        (picture,) = to_pictures(fifth)
        block = shown[16:32, 64 * i : 64 * i + 16]
        assert np.array_equal(block, np.asarray(picture.convert("RGB").resize((16, 16), Image.Resampling.NEAREST)))


@pytest.mark.parametrize(("model", "guidance_scale", "side"), [(task.DIGITS, 2.0, 28), (task.FACES, 1.0, 64)])
def test_a_film_holds_every_step_and_what_made_it(
    model: str, guidance_scale: float, side: int, store: ModelStore
) -> None:
    request = ask(model, guidance_scale=guidance_scale)
    steps = list(task.run(request, store))
    frames = [views.frame(step) for step in steps]
    made = Travelling(to_pictures(steps[-1].images)[0], recipe_of(task_of(request), request, store))
    film = views.film(request, steps, frames, 1.5, made)
    assert (film["model"], film["index"], film["total"], film["seconds"]) == (model, 3, 3, 1.5)
    assert film["timesteps"] == [999, 666, 332]
    assert [decoded(url).size for url in film["frames"]] == [(3 * side, side)] * 3
    assert decoded(film["picture"]).size == (side, side)
    with decoded(film["animation"]) as animation:
        assert getattr(animation, "n_frames", 1) == 3
    for recipe in (
        read_recipe(content(film["picture"])),
        read_recipe(content(film["animation"])),
        from_link(film["link"]),
    ):
        assert request_of(recipe, store) == request
    preview = views.preview(request, steps[0], frames[0])
    assert preview["frames"] == film["frames"][:1]
    assert preview.keys() < film.keys()  # the widget draws either


def test_a_picture_is_made_to_fit_the_model() -> None:
    drawn = Image.new("RGB", (200, 100), "white")
    drawn.paste("black", (90, 20, 110, 80))
    assert views.fitted(Travelling(drawn), task.DIGITS).shape == (1, 1, 28, 28)
    assert views.fitted(Travelling(drawn), task.FACES).shape == (1, 3, 64, 64)
    grey = Image.new("L", (28, 28), 77)
    assert views.fitted(Travelling(grey), task.FACES).shape == (1, 3, 64, 64)
    with pytest.raises(InputError, match="blank"):
        views.fitted(Travelling(grey), task.DIGITS)


def test_a_digit_that_was_made_here_stays_as_it_is(store: ModelStore) -> None:
    request = ask(task.DIGITS)
    images = last(request, store).images
    made = Travelling(to_pictures(images)[0], recipe_of(task_of(request), request, store))
    assert (views.fitted(made, task.DIGITS) - images).abs().max() <= 1 / 255


@pytest.mark.parametrize("size", [(28, 28), (1024, 512), (128, 129)])
def test_a_picture_to_drown_is_small_and_the_visitors_own_stays_large(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)
    small = views.small(picture)
    assert max(small.shape[2:]) <= views.LARGEST_DROWNED
    assert picture.size == size


def test_a_drowned_picture_is_shown_by_each_schedule() -> None:
    step = experiments.drown(experiments.ForwardRequest(torch.zeros(1, 1, 16, 16), 400))
    shown = views.forward(400, step)
    assert shown["t"] == 400
    assert [panel["schedule"] for panel in shown["panels"]] == list(SCHEDULES)
    for panel, left in zip(shown["panels"], step.alphas_cumprod.tolist(), strict=True):
        assert panel["alpha"] == pytest.approx(left)
        assert decoded(panel["png"]).size == (16, 16)
        assert len(panel["histogram"]) == experiments.BINS
        assert sum(panel["histogram"]) == pytest.approx(1, abs=0.01)


def test_other_labels_are_shown_with_what_was_asked_for(store: ModelStore) -> None:
    for request, asked, count in [
        (ask(task.DIGITS, digit=3), ["3"], 10),
        (ask(task.FACES, ["smile", "woman"]), ["Smiling"], len(ATTRIBUTES)),
    ]:
        *_, seen = experiments.other_labels(request, 2, store)
        shown = views.others(request, seen)
        assert shown["asked"] == asked
        assert set(asked) <= set(shown["names"])
        assert len(shown["names"]) == len(shown["pictures"]) == count
        assert shown["t"] == 666


def test_a_lane_waits_before_it_runs() -> None:
    assert views.lane("ddim", 10, None) == {"solver": "ddim", "total": 10, "index": 0}
    step = experiments.RaceStep(0, torch.zeros(1, 1, 28, 28), 4, 10, 8, 0.5, False)
    shown = views.lane("ddim", 10, step)
    assert decoded(shown.pop("png")).size == (28, 28)
    assert shown == {"solver": "ddim", "total": 10, "index": 4, "calls": 8, "seconds": 0.5}
