"""A journey: the pictures that travelled through one visit, each made from those before it, as a link that replays it.

What a visitor brought is in the link only where it is small, as a drawing or a mask is; example photos go by their
names. All else is made again from its recipe.
"""

import base64
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from imagegen.data.photos import shrunk, spoilt
from imagegen.errors import InputError
from imagegen.images import open_picture, to_pictures, to_tensor
from imagegen.recipes import Recipe, from_json, picture_sha256, to_json
from imagegen.store import ModelStore
from imagegen.tasks import editing, sr
from imagegen.tasks.registry import TASKS, request_of
from imagegen.tasks.sr_truth import made_small

__all__ = [
    "MAX_SIDE",
    "MAX_STOPS",
    "Arrival",
    "Journey",
    "Leg",
    "Seen",
    "from_link",
    "journey_of",
    "remembered",
    "seen",
    "to_link",
    "travel",
]

MAX_SIDE = 1024
"""Pixels of a picture that travels; a larger one is made smaller."""
MAX_STOPS = 8
MAX_START_BYTES = 8_000
"""Of a PNG that a link carries."""
MAX_LINK, MAX_JSON = 24_000, 64_000
"""Characters of a link, and bytes that it may unpack to."""
FORMAT_VERSION = 1

READY: dict[str, Callable[[Image.Image], Image.Image]] = {
    "whole": lambda picture: picture,
    "face": lambda picture: to_pictures(editing.fitted(to_tensor(picture)))[0],
    "fitted": sr.fitted,
    "shrunk": lambda picture: made_small(picture, shrunk)[1],
    "spoilt": lambda picture: made_small(picture, spoilt)[1],
}
"""How tabs make the travelling picture ready for a request."""

Source = tuple[int | str | bytes, str]
"""Where a picture that went into a request came from, an earlier stop, an example's name or a PNG of its own, and a key
of `READY`."""


@dataclass(frozen=True)
class Leg:
    """One stop: a picture that was brought, as a small drawing or an example's name, or one made from its sources."""

    drawing: bytes | None = None
    example: str | None = None
    recipe: Recipe | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Journey:
    """Stops in the order of the visit.

    Raises:
        InputError: there are too many, or one is made from none that stands before it.
    """

    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.legs) <= MAX_STOPS:
            raise InputError("A trip has 1 to {limit} stops.", limit=MAX_STOPS)
        for index, leg in enumerate(self.legs):
            if sum(part is not None for part in (leg.drawing, leg.example, leg.recipe)) != 1:
                raise _unreadable()
            if leg.recipe is not None and len(leg.sources) != len(leg.recipe.inputs):
                raise _unreadable()
            for whence, ready in leg.sources:
                earlier = type(whence) is int and 0 <= whence < index
                if ready not in READY or not (earlier or isinstance(whence, str | bytes)):
                    raise _unreadable()


@dataclass(frozen=True)
class Arrival:
    """A step on the way to stop `index` of `total`; at the stop itself with the picture, and what was drawn for it."""

    index: int
    total: int
    done: float
    picture: Image.Image | None = None
    recipe: Recipe | None = None
    drawn: Image.Image | None = None


@dataclass(frozen=True)
class Seen:
    """What is remembered of a picture that travelled: how it can be made again, if it can, and what it is known by.

    Args:
        names: SHA-256 of the picture made ready in each way -> key of `READY`.
    """

    leg: Leg | None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        return next(iter(self.names))


def seen(
    picture: Image.Image,
    recipe: Recipe | None,
    before: Sequence[Seen],
    examples: Mapping[str, str],
    drawn: Image.Image | None = None,
) -> Seen:
    """A picture that has become the travelling one.

    Args:
        before: those of this visit, oldest first.
        examples: SHA-256 -> name, of pictures that every app has.
        drawn: by the visitor: the picture itself, or the mask that it was painted under.
    """
    names: dict[str, str] = {}
    for key, ready in READY.items():
        try:
            names.setdefault(picture_sha256(ready(picture)), key)
        except InputError:  # too small to be made smaller
            continue
    if recipe is None:
        return Seen(_brought(next(iter(names)), examples, drawn), names)
    return Seen(_made(recipe, before, examples, drawn), names)


def _brought(sha256: str, examples: Mapping[str, str], drawn: Image.Image | None) -> Leg | None:
    if sha256 in examples:
        return Leg(example=examples[sha256])
    drawing = _small(drawn) if drawn else None
    return Leg(drawing=drawing) if drawing else None


def _small(picture: Image.Image) -> bytes | None:
    """The picture as a PNG that a link can carry, if there is one."""
    if picture.convert("RGB").getcolors(256) is None:  # more than a palette holds
        return None
    file = io.BytesIO()
    picture.convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    exact = picture_sha256(open_picture(file.getvalue())) == picture_sha256(picture)
    return file.getvalue() if exact and len(file.getvalue()) <= MAX_START_BYTES else None


def _made(recipe: Recipe, before: Sequence[Seen], examples: Mapping[str, str], drawn: Image.Image | None) -> Leg | None:
    sources = [_source(name, before, examples) for name in recipe.inputs]
    if drawn is not None and (drawing := _small(drawn)):
        own = picture_sha256(drawn)
        sources = [
            (drawing, "whole") if name == own else source for name, source in zip(recipe.inputs, sources, strict=True)
        ]
    if any(source is None for source in sources):
        return None
    return Leg(recipe=recipe, sources=tuple(source for source in sources if source is not None))


def _source(sha256: str, before: Sequence[Seen], examples: Mapping[str, str]) -> Source | None:
    """The newest picture that it may be, made ready."""
    for index in reversed(range(len(before))):
        if before[index].leg is not None and sha256 in before[index].names:
            return index, before[index].names[sha256]
    return (examples[sha256], "whole") if sha256 in examples else None


def journey_of(visit: Sequence[Seen]) -> Journey | None:
    """The newest stops of a visit that can be made again, each with all that it was made from; None if none can.

    They are as many as a link holds.
    """
    kept: set[int] = set()
    journey = None
    for index in reversed(range(len(visit))):
        together = kept | _needed(visit, index)
        if len(together) == len(kept) or len(together) > MAX_STOPS:
            continue
        longer = Journey(tuple(_legs(visit, sorted(together))))
        if len(_text(longer)) <= MAX_JSON and len(to_link(longer)) <= MAX_LINK:
            kept, journey = together, longer
    return journey


def _legs(visit: Sequence[Seen], order: list[int]) -> Iterator[Leg]:
    """These pictures of a visit, their sources counted anew."""
    for index in order:
        leg = visit[index].leg
        assert leg is not None
        moved = tuple((order.index(w), ready) if isinstance(w, int) else (w, ready) for w, ready in leg.sources)
        yield replace(leg, sources=moved)


def remembered(visit: Sequence[Seen], most: int) -> tuple[Seen, ...]:
    """The newest of a visit; what was made from a forgotten picture can no longer be made again."""
    gone = max(0, len(visit) - most)

    def moved(picture: Seen) -> Seen:
        if picture.leg is None:
            return picture
        sources = tuple((w - gone if isinstance(w, int) else w, ready) for w, ready in picture.leg.sources)
        lost = any(isinstance(w, int) and w < 0 for w, _ in sources)
        return replace(picture, leg=None if lost else replace(picture.leg, sources=sources))

    return tuple(map(moved, visit[gone:]))


def _needed(visit: Sequence[Seen], index: int) -> set[int]:
    """A stop and all that it was made from; none if it cannot be made again."""
    leg = visit[index].leg
    if leg is None:
        return set()
    earlier = [_needed(visit, whence) for whence, _ in leg.sources if isinstance(whence, int)]
    return {index}.union(*earlier) if all(earlier) else set()


def travel(journey: Journey, store: ModelStore, example: Callable[[str], Image.Image]) -> Iterator[Arrival]:
    """Make every picture of a journey again, step by step.

    Args:
        example: the picture of that name; raises InputError where there is none.

    Raises:
        InputError: a picture cannot be made again here, as `registry.request_of` tells.
    """
    total, arrived = len(journey.legs), list[Image.Image]()
    for index, leg in enumerate(journey.legs):
        recipe = leg.recipe
        if recipe is None:
            picture = example(leg.example) if leg.example else open_picture(leg.drawing or b"")
        else:
            whole = [_whole(whence, arrived, example) for whence, _ in leg.sources]
            ready = [READY[key](picture) for picture, (_, key) in zip(whole, leg.sources, strict=True)]
            recipe = replace(recipe, inputs=tuple(map(picture_sha256, ready)))
            request = request_of(recipe, store, [to_tensor(picture.convert("RGB")) for picture in ready])
            for step in TASKS[recipe.task].run(request, store):
                yield Arrival(index, total, _share(step))
            if recipe.index >= len(step.images):
                raise InputError("This recipe is of picture {index} of a smaller set.", index=recipe.index)
            picture = to_pictures(step.images[recipe.index : recipe.index + 1])[0]
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
        arrived.append(picture)
        own = (leg.drawing, *(whence for whence, _ in leg.sources))
        drawn = next((open_picture(png) for png in own if isinstance(png, bytes)), None)
        yield Arrival(index, total, 1.0, picture, recipe, drawn)


def _whole(
    whence: int | str | bytes, arrived: Sequence[Image.Image], example: Callable[[str], Image.Image]
) -> Image.Image:
    if isinstance(whence, bytes):
        return open_picture(whence)
    return arrived[whence] if isinstance(whence, int) else example(whence)


def _share(step: Any) -> float:
    index, total = getattr(step, "index", 1), getattr(step, "total", 1)
    return min(1.0, index / max(1, total))


def to_link(journey: Journey) -> str:
    """The journey as base64url of packed JSON, for the `trip` parameter of a link."""
    return base64.urlsafe_b64encode(zlib.compress(_text(journey), 9)).rstrip(b"=").decode()


def _text(journey: Journey) -> bytes:
    """The journey as JSON."""
    stops: list[dict[str, Any]] = []
    for leg in journey.legs:
        if leg.recipe is not None:
            sources = [[_packed(w) if isinstance(w, bytes) else w, ready] for w, ready in leg.sources]
            stops.append({"recipe": to_json(leg.recipe), "from": sources})
        elif leg.example is not None:
            stops.append({"example": leg.example})
        else:
            stops.append(_packed(leg.drawing or b""))
    return json.dumps({"v": FORMAT_VERSION, "stops": stops}, ensure_ascii=False, separators=(",", ":")).encode()


def from_link(text: str) -> Journey:
    """The journey in an untrusted link parameter.

    Raises:
        InputError: there is none.
    """
    if len(text) > MAX_LINK:
        raise _unreadable()
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        content = json.loads(unpacking.decompress(packed, MAX_JSON).decode())
        if unpacking.unconsumed_tail or content["v"] != FORMAT_VERSION:
            raise _unreadable()
        return Journey(tuple(_read(stop) for stop in content["stops"]))
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as problem:
        raise _unreadable() from problem


def _read(stop: Any) -> Leg:
    if "recipe" in stop:
        sources = tuple((_unpacked(w) if isinstance(w, dict) else w, str(ready)) for w, ready in stop["from"])
        return Leg(recipe=from_json(str(stop["recipe"])), sources=sources)
    if "example" in stop:
        return Leg(example=str(stop["example"]))
    return Leg(drawing=_unpacked(stop))


def _packed(png: bytes) -> dict[str, str]:
    return {"png": base64.b64encode(png).decode()}


def _unpacked(content: Mapping[str, Any]) -> bytes:
    png = base64.b64decode(str(content["png"]), validate=True)
    if len(png) > MAX_START_BYTES:
        raise _unreadable()
    return png


def _unreadable() -> InputError:
    return InputError("The trip is damaged or of another version. Ask for another link.")
