"""The parts of the VAE tab that are about faces alone: a template for photos, and sums of codes."""

from typing import Any

import gradio as gr

from imagegen.errors import InputError
from imagegen.images import to_pictures
from imagegen.store import ModelStore
from imagegen.tasks import vae as task
from imagegen.tasks import vae_pictures as pictures
from imagegen.ui import vae_views as views
from imagegen.ui.bringing import EYES, align_face, eyes_in
from imagegen.ui.language import T
from imagegen.ui.widgets import data_url, plain_png, widget
from imagegen.ui.wiring import Travelling, live

__all__ = ["arithmetic", "template"]

FIRST_TERMS = (3, 8, 15)
PHOTO_SIDE = 512


def template(travelling: gr.State) -> None:
    """Dots to drag onto the eyes of the visitor's picture, which then is cropped as the model expects faces."""
    with gr.Accordion(T("eyes.title"), open=False):
        eyes = widget("eyes")

    def show_eyes(travelling: Travelling | None) -> Any:
        if travelling is None:
            return None
        photo = travelling.picture.copy()
        photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
        return {"png": data_url(plain_png(photo)), "target": EYES, "eyes": eyes_in(photo)}

    def align(asked: object, travelling: Travelling | None) -> Travelling:
        if travelling is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        places = asked.get("eyes") if isinstance(asked, dict) else None
        return Travelling(align_face(travelling.picture, places))

    live([eyes.focus], show_eyes, {"travelling": travelling}, [eyes])
    live([eyes.select], align, {"asked": eyes, "travelling": travelling}, [travelling])


def arithmetic(store: ModelStore, travelling: gr.State) -> None:
    """Add the section where the page stands."""
    gr.Markdown(T("vae.sum.title"))
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            terms = gr.State(tuple((seed, seed) for seed in FIRST_TERMS))
            slots = widget("slots", list(FIRST_TERMS), elem_id="sum-slots")
        with gr.Column(scale=8, min_width=340):
            result = widget("sum")

    def sum_of(held: views.Held) -> task.VaeStep:
        a, b, c = (views.fitted(subject, task.FACES) for _, subject in held)
        return store.turn.run("live", lambda: pictures.arithmetic(pictures.ArithmeticRequest(a, b, c), store))

    def add_up(asked: object, held: views.Held, travelling: Travelling | None) -> tuple[views.Held, Any]:
        held = views.hold(asked, held, travelling)
        drawn = [views.drawn(subject, task.FACES, store) for _, subject in held]
        return held, views.total(held, drawn, sum_of(held).images)

    def take_sum(held: views.Held) -> Travelling:
        return Travelling(to_pictures(sum_of(held).images)[0])

    filled = {"asked": slots, "held": terms, "travelling": travelling}
    live([slots.input, result.focus], add_up, filled, [terms, result])
    live([result.select], take_sum, {"held": terms}, [travelling])
