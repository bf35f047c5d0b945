"""The part of the VAE tab that is about faces alone: sums of codes."""

from typing import Any

import gradio as gr

from imagegen.checkpoints import ModelStore
from imagegen.images import to_pictures
from imagegen.tasks import vae as task
from imagegen.tasks import vae_pictures as pictures
from imagegen.ui import vae_views as views
from imagegen.ui.language import T
from imagegen.ui.widgets import widget
from imagegen.ui.wiring import Travelling, live

__all__ = ["build"]

FIRST_TERMS = (3, 8, 15)


def build(store: ModelStore, travelling: gr.State) -> None:
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
