"""A visit's pictures as one link that makes them again: what goes into it, what comes out, and what is refused."""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import Recipe, picture_sha256
from imagegen.store import ModelStore
from imagegen.tasks import journey
from imagegen.tasks.journey import Journey, Leg, Seen, from_link, journey_of, remembered, seen, to_link, travel
from imagegen.tasks.registry import TASKS, recipe_of

EXAMPLE = Image.effect_noise((48, 40), 60).convert("RGB")
EXAMPLES = {picture_sha256(EXAMPLE): "noise"}


def example(name: str) -> Image.Image:
    if name != "noise":
        raise InputError("There is no {name}.", name=name)
    return EXAMPLE.copy()


def drawing() -> Image.Image:
    picture = Image.new("RGB", (120, 120), "white")
    ImageDraw.Draw(picture).line([(30, 25), (90, 25), (50, 100)], fill="black", width=9)
    return picture


class Visit:
    """A visitor who works on the travelling picture and takes each result along."""

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self.seen: tuple[Seen, ...] = ()
        self.pictures: list[Image.Image] = []

    def brings(
        self, picture: Image.Image, recipe: Recipe | None = None, drawn: Image.Image | None = None
    ) -> Image.Image:
        self.seen = (*self.seen, seen(picture, recipe, self.seen, EXAMPLES, drawn))
        self.pictures.append(picture)
        return picture

    def draws(self, picture: Image.Image) -> Image.Image:
        return self.brings(picture, drawn=picture)

    def makes(self, task: str, **values: Any) -> Image.Image:
        request = TASKS[task].request(**values)
        *_, last = TASKS[task].run(request, self.store)
        mask = to_pictures(values["mask"])[0] if "mask" in values else None
        return self.brings(to_pictures(last.images[:1])[0], recipe_of(TASKS[task], request, self.store), mask)

    def journey(self) -> Journey:
        found = journey_of(self.seen)
        assert found is not None
        return found


def near(a: Image.Image, b: Image.Image) -> bool:
    return a.size == b.size and bool(
        (to_tensor(a.convert("RGB")) - to_tensor(b.convert("RGB"))).abs().max() <= 2.02 / 255
    )


def test_a_whole_trip_is_made_again_from_its_link(store: ModelStore) -> None:
    visit = Visit(store)
    seven = visit.draws(drawing())
    style = to_tensor(EXAMPLE)
    painted = visit.makes("style", photo=to_tensor(seven), painting=style, style=("painting",), size=96)
    visit.makes("upscale", picture=to_tensor(painted))
    visit.makes("edit-image", picture=to_tensor(visit.pictures[-1].resize((64, 64), Image.Resampling.BICUBIC)), steps=2)
    visit.makes("gan", digit=3, count=1, seed=5)
    planned = from_link(to_link(visit.journey()))
    assert [leg.recipe.task if leg.recipe else None for leg in planned.legs] == [
        None,
        "style",
        "upscale",
        "edit-image",
        "gan",
    ]
    steps = list(travel(planned, store, example))
    stops = [step for step in steps if step.picture is not None]
    assert [stop.index for stop in stops] == [0, 1, 2, 3, 4]
    assert all(0 < step.done <= 1 for step in steps)
    for stop, picture in zip(stops, visit.pictures, strict=True):
        assert stop.picture is not None
        assert near(stop.picture, picture)
    assert stops[1].recipe == planned.legs[1].recipe
    again = Visit(store)
    for stop in stops:
        assert stop.picture is not None
        again.brings(stop.picture, stop.recipe, stop.drawn)
    assert [leg.sources for leg in again.journey().legs] == [leg.sources for leg in planned.legs]  # to be shared on


def test_a_mask_travels_in_the_link(store: ModelStore) -> None:
    visit = Visit(store)
    face = visit.makes("text-to-image", prompt="a man", steps=2)
    mask = Image.new("RGB", (64, 64))
    ImageDraw.Draw(mask).ellipse((10, 20, 40, 30), fill="white")
    painted = visit.makes("inpaint", picture=to_tensor(face), mask=to_tensor(mask), steps=2)
    planned = from_link(to_link(visit.journey()))
    *_, stop = travel(planned, store, example)
    assert stop.picture is not None
    assert stop.picture.tobytes() == painted.tobytes()
    assert stop.drawn is not None
    assert stop.drawn.tobytes() == mask.convert("RGB").tobytes()
    photo = Image.merge("RGB", [Image.effect_noise((64, 64), 120) for _ in range(3)])
    visit.makes("inpaint", picture=to_tensor(face), mask=to_tensor(photo), steps=2)
    assert visit.seen[-1].leg is None  # no more than a photo that is brought


def test_a_link_holds_no_more_drawings_than_it_can_be_opened_with() -> None:
    visit: tuple[Seen, ...] = ()
    for _ in range(4):
        picture = Image.effect_noise((80, 80), 120)
        visit = (*visit, seen(picture, None, visit, EXAMPLES, picture))
    assert all(each.leg is not None for each in visit)
    assert len(from_link(to_link(journey_of(visit) or Journey(()))).legs) == 2


def test_an_example_goes_by_its_name_and_a_photo_is_never_in_a_link(store: ModelStore) -> None:
    visit = Visit(store)
    visit.brings(EXAMPLE.copy())
    assert journey_of(visit.seen) == Journey((Leg(example="noise"),))
    photo = visit.brings(Image.effect_noise((60, 60), 90).convert("RGB"))  # as small as a drawing
    visit.makes("upscale", picture=to_tensor(photo.resize((30, 30))))
    visit.makes("upscale", picture=to_tensor(photo))
    assert visit.seen[1].leg is None
    assert visit.journey() == Journey((Leg(example="noise"),))
    assert len(to_link(visit.journey())) < 200


def test_only_the_newest_stops_are_in_a_link_each_with_what_it_was_made_from(store: ModelStore) -> None:
    visit = Visit(store)
    first = visit.makes("gan", digit=1, count=1)
    for seed in range(journey.MAX_STOPS + 2):
        visit.makes("gan", digit=2, count=1, seed=seed)
    visit.makes("upscale", picture=to_tensor(first.convert("RGB")))
    legs = visit.journey().legs
    assert len(legs) == journey.MAX_STOPS
    assert legs[-1].sources == ((0, "whole"),)
    assert legs[0].recipe is not None
    assert legs[0].recipe.request["digit"] == 1


def test_what_was_made_from_a_forgotten_picture_is_not_in_a_link(store: ModelStore) -> None:
    visit = Visit(store)
    first = visit.makes("gan", digit=1, count=1)
    large = visit.makes("upscale", picture=to_tensor(first.convert("RGB")))
    visit.makes("upscale", picture=to_tensor(large))
    visit.makes("gan", digit=2, count=1)
    assert len(visit.journey().legs) == 4
    kept = remembered(visit.seen, 3)
    assert [picture.sha256 for picture in kept] == [picture.sha256 for picture in visit.seen[1:]]
    found = journey_of(kept)
    assert found is not None
    assert [leg.recipe.request["digit"] for leg in found.legs if leg.recipe] == [2]


def packed(content: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode().rstrip("=")


STOP = {"example": "noise"}
LINKS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "no base64": lambda: "§§§",
    "not packed": lambda: base64.urlsafe_b64encode(b"[]").decode(),
    "a bomb": lambda: base64.urlsafe_b64encode(zlib.compress(b" " * 10**7, 9)).decode(),
    "too long": lambda: "A" * (journey.MAX_LINK + 4),
    "a list": lambda: packed([1]),
    "no stops": lambda: packed({"v": 1, "stops": []}),
    "another version": lambda: packed({"v": 2, "stops": [STOP]}),
    "too many": lambda: packed({"v": 1, "stops": [STOP] * (journey.MAX_STOPS + 1)}),
    "a number": lambda: packed({"v": 1, "stops": [7]}),
    "no picture": lambda: packed({"v": 1, "stops": [{"png": "####"}]}),
    "a large picture": lambda: packed({"v": 1, "stops": [{"png": base64.b64encode(bytes(9_000)).decode()}]}),
    "no recipe": lambda: packed({"v": 1, "stops": [{"recipe": "{}", "from": []}]}),
    "deep": lambda: packed({"v": 1, "stops": [json.loads("[" * 400 + "]" * 400)]}),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_hostile_link_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"trip|recipe"):
        from_link(LINKS[name]())


def test_sources_come_before_what_is_made_from_them(store: ModelStore) -> None:
    request = TASKS["upscale"].request(picture=torch.zeros(1, 3, 8, 8))
    recipe = recipe_of(TASKS["upscale"], request, store)
    for sources in (
        (),
        ((0, "whole"),),
        ((-1, "whole"),),
        ((True, "whole"),),
        (("noise", "eaten"),),
        (("noise", "whole"),) * 2,
    ):
        with pytest.raises(InputError, match="trip"):
            Journey((Leg(recipe=recipe, sources=sources),))
    with pytest.raises(InputError, match="trip"):
        Journey((Leg(),))


def test_what_cannot_be_made_again_here_says_why(store: ModelStore) -> None:
    with pytest.raises(InputError, match="no elsewhere"):
        list(travel(Journey((Leg(example="elsewhere"),)), store, example))
    visit = Visit(store)
    visit.makes("gan", digit=1, count=1)
    (leg,) = visit.journey().legs
    assert leg.recipe is not None
    for changed, reason in (
        ({"sha256": "0" * 64}, "other weights"),
        ({"index": 7}, "smaller set"),
        ({"task": "x"}, "does not have"),
    ):
        with pytest.raises(InputError, match=reason):
            list(travel(Journey((replace(leg, recipe=replace(leg.recipe, **changed)),)), store, example))
    with pytest.raises(InputError, match="picture"):
        list(travel(Journey((Leg(drawing=b"no picture"),)), store, example))
