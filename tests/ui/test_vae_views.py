"""What the VAE tab shows: the page's values as requests and slots, and results as plain data for its widgets."""

import base64
import io
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagegen.data.faces import ATTRIBUTES
from imagegen.errors import CheckpointError, InputError
from imagegen.images import to_pictures
from imagegen.recipes import from_link, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import vae as task
from imagegen.tasks import vae_pictures as pictures
from imagegen.tasks.registry import recipe_of, replay, request_of, task_of
from imagegen.ui import vae_views as views
from imagegen.ui.wiring import Travelling

ALL = [task.PLANE, task.DIGITS, task.FACES]
SEVEN = Image.new("L", (60, 60), 255)
SEVEN.paste(0, (20, 10, 28, 50))
BROUGHT = Travelling(SEVEN.copy())
NO_MOVES: list[Any] = [None, [], "x", 3, {}, {"latents": [1]}]


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(content(url)))


def content(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2])


def encode(store: ModelStore, name: str, x: torch.Tensor) -> pictures.Encoding:
    return pictures.encode(pictures.EncodeRequest(x, name), store)


# What there is


def test_models_are_offered_where_they_are_whole(checkpoints: Path, store: ModelStore, tmp_path: Path) -> None:
    assert views.models(store) == ALL
    copied = Path(shutil.copytree(checkpoints, tmp_path / "checkpoints"))
    shutil.rmtree(copied / task.FACES)
    assert views.models(ModelStore(copied, store.device)) == ALL[:2]
    weights = copied / task.PLAIN / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"ae-mnist-2d/model\.safetensors is damaged"):
        views.models(ModelStore(copied, store.device))
    shutil.rmtree(copied / task.PLAIN)
    with pytest.raises(CheckpointError, match="no checkpoint 'ae-mnist-2d'"):
        views.models(ModelStore(copied, store.device))


def test_maps_hold_the_atlas_and_where_each_digit_lies(store: ModelStore) -> None:
    maps = views.maps(store)
    for name, shown in zip(task.PLANES, maps["maps"], strict=True):
        plane = task.plane(name, store)
        assert (shown["name"], shown["tiles"]) == (name, 4)
        sheet = np.asarray(decoded(shown["atlas"]))
        assert sheet.shape == (4 * 28, 4 * 28)
        assert np.array_equal(sheet[28:56, 84:112], plane.atlas[1, 3].numpy())  # the second y, the last x
        edges = torch.tensor(shown["edges"])
        assert torch.equal(edges, plane.atlas_range)
        codes = torch.from_numpy(np.frombuffer(base64.b64decode(shown["codes"]), "<i2").reshape(-1, 2).astype("f4"))
        back = edges[:, 0] + codes / 1000 * (edges[:, 1] - edges[:, 0])
        assert torch.allclose(back, plane.mu, atol=float((edges[:, 1] - edges[:, 0]).max()) / 1900)
        assert maps["labels"] == "".join(str(label) for label in plane.labels.tolist())


def test_sliders_say_what_each_latent_costs_and_each_attribute_separates(store: ModelStore) -> None:
    digits = views.sliders(store, task.DIGITS)
    assert digits["latents"] == pytest.approx([3, 2, 1, 0.5, 0.2, 0.1, 0, 0])
    assert (digits["active"], digits["attributes"]) == (6, [])
    assert (digits["offsets"], digits["amounts"]) == ([], [])
    faces = views.sliders(store, task.FACES, {"offsets": [1], "amounts": [2]})
    assert [name for name, _ in faces["attributes"]] == list(ATTRIBUTES)
    assert faces["attributes"][0][1] == 0.5
    assert (faces["offsets"], faces["amounts"]) == ([1], [2])
    assert len(faces["latents"]) <= views.SLIDERS


# Requests


def test_a_request_is_of_the_chosen_model_and_moved_as_the_sliders_say() -> None:
    moves = {"offsets": [1, -2.5], "amounts": [0, 3]}
    assert views.request(ALL, task.PLANE, 5, moves) == task.PlaneRequest(1, 5, (1, -2.5))
    assert views.request(ALL, "VAE-MNIST", 5, moves) == task.DigitRequest(1, 5, (1, -2.5))
    assert views.request(ALL, task.FACES, 5, moves) == task.FaceRequest(1, 5, (1, -2.5), (0, 3))
    for nothing in NO_MOVES:
        assert views.request(ALL, task.FACES, 5, nothing) == task.FaceRequest(1, 5)


@pytest.mark.parametrize(
    ("model", "seed", "moves", "word"),
    [
        ("vae-celeba", 0, None, "model"),
        ("ae-mnist-2d", 0, None, "model"),
        (None, 0, None, "model"),
        (task.DIGITS, -1, None, "seed"),
        (task.DIGITS, 0.5, None, "seed"),
        (task.DIGITS, 0, {"offsets": [math.nan]}, "offsets"),
        (task.DIGITS, 0, {"offsets": "12"}, "offsets"),
        (task.DIGITS, 0, {"offsets": [4]}, "offsets"),
    ],
)
def test_a_request_is_checked(model: Any, seed: Any, moves: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        views.request(ALL[:2], model, seed, moves)


def test_sliders_of_a_link_are_those_that_were_set(store: ModelStore) -> None:
    for request in (task.PlaneRequest(1, 3, (1,)), task.FaceRequest(1, 3, (1, 0.5), (0, -2))):
        recipe = recipe_of(task_of(request), request, store)
        again = request_of(recipe, store)
        assert views.request(ALL, again.checkpoint, again.seed, views.sliders_of(again)) == request


def test_the_place_that_was_pointed_at() -> None:
    assert views.decode_request(None) == views.decode_request({"maps": []}) == task.DecodeRequest()
    asked = {"z": [1, -2], "plane": task.PLAIN}
    assert views.decode_request(asked) == task.DecodeRequest((1, -2), task.PLAIN)
    for nonsense in ({"z": [1]}, {"z": "12"}, {"z": [0, math.inf]}, {"plane": "vae-mnist"}, {"plane": 3}):
        with pytest.raises(InputError, match=r"must be"):
            views.decode_request(nonsense)


# Slots

SEEDS: views.Held = ((1, 1), (2, 2))


def test_a_slot_holds_a_seed_or_the_picture_as_it_was_when_it_was_taken() -> None:
    other = Travelling(SEVEN.copy())
    held = views.hold(["mine-1", 7.0], SEEDS, BROUGHT)
    assert [subject for _, subject in held] == [BROUGHT, 7]
    assert views.captions(held) == [None, 7]
    held = views.hold(["mine-1", "mine-2"], held, other)  # the first stays what it was
    assert [subject for _, subject in held] == [BROUGHT, other]
    held = views.hold(["mine-3", "mine-2"], held, other)
    assert [subject for _, subject in held] == [other, other]
    assert views.hold(["mine-3", "mine-2"], held, None) == held


@pytest.mark.parametrize("nothing", [None, 3, "mine-1", [], [1], [1, 2, 3], {"names": []}])
def test_slots_stay_as_they_are_where_nothing_is_asked(nothing: Any) -> None:
    assert views.hold(nothing, SEEDS, None) == SEEDS


@pytest.mark.parametrize("want", [-1, 2**32, 0.5, True, None, "7", "yours", [1], {}, math.nan, 10**400])
def test_what_no_slot_can_hold(want: Any) -> None:
    held: views.Held = ((5, 5), (6, 6))
    with pytest.raises(InputError, match="seed"):
        views.hold([want, 6], held, BROUGHT)


def test_no_picture_can_be_taken_where_there_is_none() -> None:
    with pytest.raises(InputError, match="There is no picture yet"):
        views.hold([1, "mine-1"], SEEDS, None)


@pytest.mark.parametrize("name", ALL)
def test_what_a_slot_holds_is_drawn_as_the_model_takes_it(name: str, store: ModelStore) -> None:
    for subject in (3, BROUGHT):
        drawn = views.drawn(subject, name, store)
        assert drawn.shape == (1, *task.PICTURES[name])
        pictures.EncodeRequest(drawn, name)
    assert views.fitted(3, name) == 3
    request, drawn = views.request(ALL, name, 3), views.drawn(3, name, store)
    made = Travelling(to_pictures(drawn)[0], recipe_of(task_of(request), request, store))
    again = views.drawn(made, name, store)
    assert (again - drawn).abs().max() <= 1.01 / 255  # a digit made here is not cut out anew


# Results


def test_a_place_shows_both_digits_each_with_its_recipe(store: ModelStore) -> None:
    request = task.DecodeRequest((0.5, 0.25))
    (step,) = task.decode(request, store)
    spot = views.spot(store, request, step)
    assert spot["z"][0] == [0.5, 0.25]
    assert request_of(from_link(spot["link"]), store) == request
    for i, url in enumerate(spot["pictures"]):
        recipe = read_recipe(content(url))
        assert (recipe.task, recipe.index) == ("vae-place", i)
        (again,) = to_pictures(replay(recipe, store))
        assert np.array_equal(np.asarray(again), np.asarray(decoded(url)))


@pytest.mark.parametrize("name", ALL)
def test_an_encoding_has_its_elbo_in_parts_and_its_place_if_it_is_a_digit(name: str, store: ModelStore) -> None:
    x = views.drawn(4, name, store)
    found = encode(store, name, x)
    on_map = [encode(store, each, x) for each in task.PLANES] if name != task.FACES else []
    shown = views.encoding(store, name, x, found, on_map)
    assert found.posterior
    assert shown["log_likelihood"] - shown["kl"] == pytest.approx(found.posterior.elbo, abs=0.02)
    assert sum(shown["bars"]) == pytest.approx(shown["kl"], abs=0.02)
    latents = task.latents(name, store)
    assert shown["bars"] == pytest.approx(found.posterior.kl_per_latent[latents.order].tolist(), abs=1e-3)
    assert shown["active"] == latents.active
    assert len(shown["samples"]) == pictures.SAMPLES
    assert np.array_equal(np.asarray(decoded(shown["copy"])), np.asarray(to_pictures(found.images)[0]))
    if name == task.FACES:
        assert shown["place"] is None
    else:
        on_plane = on_map[0].posterior
        assert on_plane
        assert shown["place"]["mu"] == pytest.approx(on_map[0].mu.tolist(), abs=1e-4)
        assert shown["place"]["sigma"] == pytest.approx(on_plane.sigma.tolist(), abs=1e-4)
        assert shown["place"]["plain"] == pytest.approx(on_map[1].mu.tolist(), abs=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_way_is_shown_frame_by_frame_and_then_whole(name: str, store: ModelStore) -> None:
    held = views.hold([4, "mine-1"], SEEDS, BROUGHT)
    start, end = (views.fitted(subject, name) for _, subject in held)
    request = pictures.InterpolateRequest(start, end, name, frames=5)
    assert views.way_recipe(request, store) is None
    first, *_, last = pictures.interpolate(request, store)
    begin = views.ends(held, [views.drawn(subject, name, store) for _, subject in held])
    newest = views.preview(held, first)
    assert begin["captions"] == newest["captions"] == [4, None]
    assert (newest["index"], newest["total"]) == (1, 5)
    assert content(newest["blend"]) == content(begin["ends"][0])

    way, side = views.way(held, last, None), task.PICTURES[name][-1]
    sheet = decoded(way["sheet"]).convert("RGB")
    assert sheet.size == (5 * side, 2 * side)
    assert way["side"] == side
    frame, blend = (np.asarray(sheet.crop((2 * side, y, 3 * side, y + side))) for y in (0, side))
    for shown, tensor in ((frame, last.images), (blend, last.blend)):
        assert np.array_equal(shown, np.asarray(to_pictures(tensor)[2].convert("RGB")))
    with decoded(way["animation"]) as film:
        assert (film.format, getattr(film, "n_frames", 1)) == ("WEBP", 2 * 5 - 2)  # there and back


def test_a_way_between_seeds_can_be_gone_again(store: ModelStore) -> None:
    request = pictures.InterpolateRequest(4, 9, task.FACES, "spherical", 3)
    *_, last = pictures.interpolate(request, store)
    way = views.way(((4, 4), (9, 9)), last, views.way_recipe(request, store))
    assert request_of(read_recipe(content(way["animation"])), store) == request


def test_a_moved_picture_has_a_recipe_only_if_it_is_a_sample(store: ModelStore) -> None:
    request = task.FaceRequest(1, 3, attributes=(2,))
    (step,) = task.run(request, store)
    made = Travelling(to_pictures(step.images)[0], recipe_of(task_of(request), request, store))
    shown = views.moved(made, None)
    assert shown["smooth"]
    assert shown["before"] is None
    assert request_of(from_link(shown["link"]), store) == request
    assert request_of(read_recipe(content(shown["png"])), store) == request

    own = views.moved(Travelling(made.picture), step.images)
    assert own["link"] is None
    assert content(own["before"])
    with pytest.raises(InputError, match="no recipe"):
        read_recipe(content(own["png"]))


def test_a_sum_shows_its_terms_and_what_it_comes_to(store: ModelStore) -> None:
    held: views.Held = ((1, 1), ("mine-1", BROUGHT), (3, 3))
    drawn = [views.drawn(subject, task.FACES, store) for _, subject in held]
    result = pictures.arithmetic(pictures.ArithmeticRequest(1, drawn[1], 3), store)
    shown = views.total(held, drawn, result.images)
    assert shown["captions"] == [1, None, 3]
    assert len({content(url) for url in shown["pictures"]}) == 4
