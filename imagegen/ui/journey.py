"""The picture that travels, those that travelled before it in this visit, and the whole trip as a link.

The page keeps the pictures; the server remembers of each only how to make it again. Whoever opens the link sees every
stop being made, and goes on with the last.
"""

import base64
import time
from collections.abc import Iterator, Set
from dataclasses import replace
from functools import cache
from typing import Any

import gradio as gr
from PIL import Image

from imagegen.errors import InputError
from imagegen.images import open_picture
from imagegen.recipes import picture_sha256, read_recipe, to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import journey as task
from imagegen.ui.bringing import EXAMPLES, STYLES, example
from imagegen.ui.language import T
from imagegen.ui.widgets import data_url, jpeg, plain_png, widget
from imagegen.ui.wiring import NOTHING, Pace, Travelling, job, live, on_open, said, steps_in_turn

__all__ = ["build"]

MAX_VISIT = 24
"""Pictures of a visit that are remembered; the oldest is forgotten."""
MAX_TAKEN = 900_000
"""Characters of a picture that the page hands back, which is less than a call may hold."""
KEPT, THUMBNAIL = 512, 128
"""Pixels a side of a picture that is too large to be handed back as it is, and of one in somebody's trip."""
SHOWN_SECONDS = 0.4
"""How long each stop of a trip that is made again is the travelling picture at least: the page asks for each."""


def build(store: ModelStore, travelling: gr.State) -> None:
    """Add the strip under the header."""
    visit = gr.State(())
    traveller = widget("traveller")
    album = widget("album")
    with gr.Row(elem_id="journey-row", elem_classes="journey-row"):
        replayed = widget("journey")
        run = gr.Button(T("journey.run"), elem_id="journey-run", variant="primary", min_width=120, scale=0)
        stop = gr.Button(T("stop"), elem_id="journey-stop", variant="stop", visible=False, min_width=120, scale=0)
    asked = gr.State(None)
    remote = frozenset(name for name, engine in store.engines.items() if engine.remote)

    def opened(query: dict[str, str]) -> tuple[Any, Any]:
        if "trip" not in query:
            return gr.skip(), gr.skip()
        found = task.from_link(query["trip"])
        return {"total": len(found.legs), "stops": []}, query["trip"]

    def replay(asked: object) -> Iterator[tuple[Any, Any]]:
        if not isinstance(asked, str):
            raise InputError("There is no trip in the page's address.")
        pace, stops = Pace(), list[dict[str, Any]]()
        for step in steps_in_turn(task.travel(task.from_link(asked), store, example), store, "job"):
            shown = {"total": step.total, "stops": stops, "under way": step.done}
            if step.picture is not None:
                png = data_url(plain_png(_smaller(step.picture, THUMBNAIL)))
                stops = [*stops, {"png": png, "task": step.recipe.task if step.recipe else None}]
                shown |= {"stops": stops}
                yield shown, Travelling(step.picture, step.recipe, step.drawn)
                time.sleep(SHOWN_SECONDS)
            elif pace.due():
                yield shown, gr.skip()
            else:
                yield NOTHING

    def show(travelling: Travelling | None, visit: tuple[task.Seen, ...]) -> tuple[Any, Any, Any]:
        return _show(travelling, visit, remote)

    live([travelling.change], show, {"travelling": travelling, "visit": visit}, [traveller, album, visit])
    live([album.select], _take_back, {}, [travelling])
    job(run, stop, replay, {"asked": asked}, [replayed, travelling])
    on_open(opened, [replayed, asked])


@cache
def _examples() -> dict[str, str]:
    """SHA-256 -> name, of the pictures that every app has."""
    return {picture_sha256(example(name)): name for name in (*EXAMPLES, *STYLES)}


def _show(
    travelling: Travelling | None, visit: tuple[task.Seen, ...], remote: Set[str] = frozenset()
) -> tuple[Any, Any, Any]:
    """The travelling picture with its recipe where it has one, and the visit so far.

    Args:
        remote: engines that make nothing twice.
    """
    if travelling is None:
        return None, gr.skip(), gr.skip()
    picture, recipe = travelling.picture, travelling.recipe
    now = task.seen(picture, recipe, visit, _examples(), travelling.drawn)
    if recipe and recipe.checkpoint in remote:
        now = replace(now, leg=None)
    if now.sha256 not in {before.sha256 for before in visit}:
        visit = task.remembered((*visit, now), MAX_VISIT)
    png = data_url(to_png(picture, recipe) if recipe else plain_png(picture))
    made = recipe is not None
    journey = task.journey_of(visit)
    entry = {
        "id": now.sha256,
        "png": png if len(png) < MAX_TAKEN else data_url(jpeg(_smaller(picture, KEPT)), "jpeg"),
        "task": recipe.task if recipe else None,
        "opens": recipe is not None and not recipe.inputs,  # without a picture that a recipe only names
        "trip": task.to_link(journey) if journey else None,
        "stops": len(journey.legs) if journey else 0,
        "recipe": to_link(recipe) if recipe else None,
        "ends": bool(journey and journey.legs[-1].recipe == recipe),
    }
    return {"png": png, "made": made}, entry, visit


def _smaller(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def _take_back(event: gr.EventData) -> Any:
    """A picture of this visit becomes the travelling one again; the page hands it back as it was saved."""
    data = said(event)
    handed = data.get("png")
    if not isinstance(handed, str) or len(handed) > MAX_TAKEN:
        raise InputError(
            "A picture of this visit must be handed back as a file of at most {limit} kB.", limit=MAX_TAKEN // 1000
        )
    try:
        file = base64.b64decode(handed.partition(",")[2], validate=True)
    except ValueError as problem:
        raise InputError("The picture is not valid base64; choose it again.") from problem
    picture = open_picture(file)
    try:
        return Travelling(picture, read_recipe(file))
    except InputError:  # brought from outside
        return Travelling(picture)
