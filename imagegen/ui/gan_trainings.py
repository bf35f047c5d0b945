"""Below the GAN tab's sampler: three generators from one seed, their trainings, what goes wrong in one, and faces."""

from bisect import bisect_right
from typing import Any

import gradio as gr

from imagegen.images import grid, to_pictures
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import gan as task
from imagegen.tasks.classic_gan import DCGAN, FACES, MLP
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.language import T
from imagegen.ui.lapse import lapse_of, moment, time_lapse
from imagegen.ui.widgets import data_url, widget
from imagegen.ui.wiring import last_step, live, seed_with_dice

__all__ = ["BROKEN", "FIGURES", "GENERATORS", "add_trainings", "at_the_same_minute", "figures"]

GENERATORS = {MLP: "gan-mlp", DCGAN: "gan-dcgan", task.GENERATOR: "gan"}
"""Checkpoints of digits and their tasks, as they stand side by side."""
BROKEN = ("gan-mnist-overpowered", "gan-mnist-collapsed", "gan-mnist-cured")
FIGURES = ("FID", "IS", "precision", "recall", "read as asked")
"""What is shown of a card, where it was measured."""
DIGITS, DIGIT_COLUMNS = 20, 5
SHOWN_FACES, FACE_COLUMNS = 24, 8


def add_trainings(store: ModelStore) -> None:
    """Add what the shipped checkpoints allow where the page stands; all of it waits until it is seen."""
    there = [name for name in GENERATORS if name in store.names()]
    broken = [name for name in BROKEN if name in store.names()]
    if len(there) > 1:
        gr.Markdown(T("gan.trio.title"))
        gr.Markdown(T("gan.trio.text"), elem_classes="hint")
        _side_by_side(store, there)
    if FACES in store.names():
        with gr.Accordion(T("gan.faces.title"), open=False, elem_id="gan-faces"):
            gr.Markdown(T("gan.faces.text"), elem_classes="hint")
            _sheets(store, {FACES: "gan-faces"}, "faces", SHOWN_FACES, FACE_COLUMNS)
    with gr.Accordion(T("gan.lapse.title"), open=False):
        time_lapse(store, [task.GENERATOR, DCGAN, MLP, FACES], "gan")
    if broken:
        with gr.Accordion(T("gan.broken.title"), open=False):
            gr.Markdown(T("gan.broken.text"))
            time_lapse(store, broken, "broken")


def figures(store: ModelStore, name: str) -> dict[str, Any]:
    """What the card says: minutes of training and on what, parameters that ship, and `FIGURES`."""
    card = store.checkpoint(name).card()
    measured = {key: card.figures[key]["value"] for key in FIGURES if key in card.figures}
    return {
        "minutes": card.training.get("minutes"),
        "device": "CPU" if "CPU" in str(card.training.get("hardware")) else "GPU",
        "figures": measured,
    }


def at_the_same_minute(store: ModelStore, names: list[str], share: float) -> dict[str, Any]:
    """What each had learned by then, which is the last moment that it ships up to that minute.

    Args:
        share: of the minutes that all of them were trained for, 0 to 1.
    """
    trained = [lapse_of(store, name).minutes for name in names]
    if not all(trained):
        return {}
    minute = share * min(minutes[-1] for minutes in trained)
    moments = [
        moment(store, name, bisect_right(minutes, minute) - 1) for name, minutes in zip(names, trained, strict=True)
    ]
    return {"minute": round(minute, 2), "share": share, "moments": moments}


def _side_by_side(store: ModelStore, names: list[str]) -> None:
    trio = _sheets(store, {name: GENERATORS[name] for name in names}, "trio", DIGITS, DIGIT_COLUMNS)

    def compare(asked: object) -> dict[str, Any]:
        share = asked.get("share") if isinstance(asked, dict) else 1
        return at_the_same_minute(store, names, checks.number("moment", share, 0, 1))

    live([trio.input], compare, {"asked": trio}, [trio])


def _sheets(store: ModelStore, tasks: dict[str, str], key: str, count: int, columns: int) -> gr.HTML:
    """A seed, and a sheet of each checkpoint from it: the same seed, though each has a code of its own length."""
    with gr.Row(), gr.Column(scale=0, min_width=320):
        seed = seed_with_dice(f"{key}-")
    trio = widget("trio", elem_id=key)

    def sheet(name: str, seed: int) -> dict[str, Any]:
        request = TASKS[tasks[name]].request(count=count, seed=seed)
        step = last_step(TASKS[tasks[name]].run(request, store), store)
        picture = grid(to_pictures(step.images), columns, gap=0)
        recipe = recipe_of(TASKS[tasks[name]], request, store)
        return {"name": name, "png": data_url(to_png(picture, recipe)), **figures(store, name)}

    def draw_sheets(seed: int) -> dict[str, Any]:
        shown = {"columns": [sheet(name, seed) for name in tasks]}
        return shown | (at_the_same_minute(store, list(tasks), 1.0) if len(tasks) > 1 else {})

    live([trio.focus, seed.change], draw_sheets, {"seed": seed}, [trio])
    return trio
