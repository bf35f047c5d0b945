"""The editing tab: a picture is changed by words, as a whole or where the visitor has painted over it."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import gradio as gr

from imagegen.devices import SEEDS
from imagegen.engines.engine import Painted
from imagegen.images import to_pictures
from imagegen.models.diffusion import SOLVERS, q_sample
from imagegen.models.inpainting import cells, keep_outside, without_seam
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import editing as task
from imagegen.tasks import text_to_image as words
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui import editing_views as views
from imagegen.ui.bringing import photo_and_examples
from imagegen.ui.editing_api import add_endpoints
from imagegen.ui.engines import OTHERS, adapted, chosen_engine, engine_choice
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.text_to_image_views import previews
from imagegen.ui.widgets import data_url, shown, source, widget
from imagegen.ui.wiring import (
    NOTHING,
    Pace,
    Travelling,
    job,
    live,
    on_open,
    run_and_stop,
    said,
    seed_with_dice,
    steps_in_turn,
)

__all__ = ["build"]

R = TypeVar("R")
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
DECODED_AT_ONCE = 4
FIRST_FACE = ("a young woman with brown hair", 22)
FACES = (
    "a young woman with brown hair",
    "a young man with black hair",
    "an older man",
    "a woman with blond hair",
    "a man with brown hair",
    "an older woman",
)
EXAMPLES = {
    "en": {
        "a person with glasses": "eyes",
        "a smiling person": "mouth",
        "a person wearing a hat": "top",
        "a man with a beard": "mouth",
        "a person with blond hair": "hair",
    },
    "zh": {
        "戴眼镜的人": "eyes",
        "微笑的人": "mouth",
        "戴帽子的人": "top",
        "留胡子的男士": "mouth",
        "金发的人": "hair",
    },
}
"""Prompts, each with the part of a face that the brush then covers."""


def build(store: ModelStore, travelling: gr.State, _tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints."""
    _Tab(store, travelling)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State) -> None:
        store.checkpoint(words.CHECKPOINT).verify()  # it is loaded later, and a visitor should not be the first to know
        self.store = store
        self.made = gr.State(None)
        intro = gr.Markdown(T("edit.intro"), elem_classes="intro")
        others = gr.Markdown(T("edit.intro.other"), elem_classes="intro", visible=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                self.brush = widget("brush")
                with gr.Column() as face:
                    face_run, face_stop = run_and_stop("edit.face", "face", variant="secondary")
                with gr.Accordion(T("edit.bring"), open=False):
                    photo_and_examples(travelling, "edit-")
            with gr.Column(scale=4, min_width=320):
                self.controls, run, stop = self._controls()
        self.edited = widget("edited", code=source(q_sample, cells, keep_outside, without_seam))
        gr.Markdown(T("edit.strip.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                gr.Markdown(T("edit.strip.text"), elem_classes="hint")
                strip_run, strip_stop = run_and_stop("edit.strip.run", "strengths")
            with gr.Column(scale=8, min_width=340):
                self.strip = widget("abreast", elem_id="strengths", in_turn=True)
        terms = gr.Markdown(T("words.terms"), elem_classes="hint")
        other_terms = gr.Markdown(T("words.terms.other"), elem_classes="hint", visible=False)
        self.parts |= {
            "intro": (intro, words.CHECKPOINT), "others": (others, OTHERS), "face": (face, words.CHECKPOINT),
            "terms": (terms, words.CHECKPOINT), "other_terms": (other_terms, OTHERS),
        }  # fmt: skip
        pictures = {"travelling": travelling, "brush": self.brush}
        job(run, stop, self.stream, {**pictures, **self.controls}, [self.edited, self.made])
        job(strip_run, strip_stop, self.compare_strengths, {**pictures, **self.controls}, [self.strip])
        job(face_run, face_stop, self.make_face, {"travelling": travelling}, [self.brush, travelling])
        subject = {"travelling": travelling, "engine": self.controls["engine"]}
        live([self.brush.focus], self.show, subject, [self.brush])
        live(
            [self.controls["engine"].change],
            self.adapt,
            subject,
            [self.brush, *(part for part, _ in self.parts.values())],
        )
        live([self.edited.select], self.take, {"made": self.made}, [travelling])
        on_open(lambda language: next(iter(EXAMPLES[language])), [self.controls["prompt"]])

    def _controls(self) -> tuple[dict[str, Any], gr.Button, gr.Button]:
        engine = engine_choice(task.editors(self.store), "edit")
        mode = gr.Radio(
            [(T(f"edit.mode.{name}"), name) for name in views.MODES], value="part", label=T("edit.mode"),
            elem_id="edit-mode",
        )  # fmt: skip
        prompt = gr.Textbox(
            next(iter(EXAMPLES["en"])), label=T("words.prompt"), info=T("edit.prompt.info"), lines=2,
            elem_id="edit-prompt",
        )  # fmt: skip
        examples = widget("phrases", {language: list(each) for language, each in EXAMPLES.items()}, "edit-phrases")
        run, stop = run_and_stop("edit.run", "edit")
        strength = Slider(
            0,
            1,
            views.DEFAULTS["part"],
            step=0.05,
            label=T("edit.strength"),
            info=T("edit.strength.info"),
            elem_id="edit-strength",
        )
        seed = seed_with_dice("edit-")
        with gr.Accordion(T("more"), open=False):
            guidance = Slider(
                0, words.MAX_GUIDANCE, 3, step=0.5, label=T("diff.guidance"), info=T("words.guidance.info"),
                elem_id="edit-guidance",
            )  # fmt: skip
            negative = gr.Textbox("", label=T("words.negative"), info=T("words.negative.info"), elem_id="edit-negative")
            steps = Slider(1, words.MAX_STEPS, 20, step=1, label=T("diff.steps"), elem_id="edit-steps")
            solver = gr.Dropdown(list(SOLVERS), value="ddim", label=T("diff.solver"), elem_id="edit-solver")
        live([mode.input], self.choose_mode, {"mode": mode}, [self.brush, strength])
        live([examples.select], self.take_phrase, {}, [prompt, self.brush])
        self.parts: dict[str, tuple[Any, str]] = {
            "examples": (examples, words.CHECKPOINT), "guidance": (guidance, "guidance_scale"),
            "negative": (negative, "negative_prompt"), "solver": (solver, "solver"),
        }  # fmt: skip
        controls = {
            "mode": mode, "prompt": prompt, "negative_prompt": negative, "strength": strength, "seed": seed,
            "solver": solver, "steps": steps, "guidance_scale": guidance, "engine": engine,
        }  # fmt: skip
        return controls, run, stop

    # Handlers

    def show(self, travelling: Travelling | None, engine: str) -> dict[str, Any]:
        """The picture under the brush; where there is none yet, the brush asks for a face."""
        return views.under_brush(travelling, engine) if travelling else {"empty": True}

    def adapt(self, travelling: Travelling | None, engine: str) -> list[Any]:
        """Show the picture as an engine takes it, and what belongs to that engine."""
        chosen = chosen_engine(engine, task.editors(self.store))
        return [self.show(travelling, engine) if travelling else gr.skip(), *adapted(chosen, self.parts, {})]

    def choose_mode(self, mode: str) -> tuple[Any, float]:
        mode = checks.choice("mode", mode, views.MODES)
        return {"mode": mode}, views.DEFAULTS[mode]

    def take_phrase(self, event: gr.EventData) -> tuple[str, Any]:
        data = said(event)
        text = checks.text("prompt", data.get("text"), words.MAX_PROMPT)
        regions = {**EXAMPLES["en"], **EXAMPLES["zh"]}
        return text, {"region": regions.get(text), "run": True}

    def make_face(self, travelling: Travelling | None) -> Iterator[tuple[Any, Any]]:
        """A face of sd-mini's own to edit: the first one is always the same, then any."""
        first = (secrets.choice(FACES), secrets.randbelow(SEEDS)) if travelling else FIRST_FACE
        request = words.TextToImageRequest(first[0], seed=first[1])
        pace = Pace()
        for step in steps_in_turn(words.run(request, self.store), self.store, "job"):
            if step.index < step.total and pace.due():
                preview = shown(self._in_turn(getattr, step, "images"))
                yield {"preview": preview, "index": step.index, "total": step.total}, gr.skip()
            elif step.index < step.total:
                yield NOTHING
        (picture,) = to_pictures(self._in_turn(getattr, step, "images"))
        yield gr.skip(), Travelling(picture, recipe_of(TASKS["text-to-image"], request, self.store))

    def stream(self, travelling: Travelling | None, brush: object, **values: Any) -> Iterator[tuple[Any, Any]]:
        """Stream the run: previews now and then, the result, and every step to look at."""
        request = views.request(travelling, brush, **values)
        task.engine_of(request, self.store)  # which may refuse it
        recipe = views.recipe(request, self.store)
        moments: list[views.Moment] = []
        pace, started = Pace(), time.monotonic()
        for step in steps_in_turn(task.run(request, self.store), self.store, "job"):
            seen = views.moment(step)
            moments += [seen] if seen else []
            if seen and step.index < step.total and pace.due():
                yield self._in_turn(views.preview, request, step, seen), gr.skip()
            else:
                yield NOTHING
        seconds = time.monotonic() - started
        made = self._in_turn(views.made, request, step, recipe)
        if isinstance(step, Painted):  # its frames take long, and nobody waits for them to see the picture
            yield views.film(request, moments, previews(step.images), made, seconds), made
        frames: list[str] = []
        for i in range(0, len(moments), DECODED_AT_ONCE):
            frames += self._in_turn(views.frames, request, step, moments[i : i + DECODED_AT_ONCE])
            yield NOTHING
        if moments:
            yield views.film(request, moments, frames, made, seconds), made

    def take(self, made: Travelling | None) -> Any:
        return made or gr.skip()

    def compare_strengths(self, travelling: Travelling | None, brush: object, **values: Any) -> Iterator[Any]:
        """The same edit with several strengths, one after the other."""
        first = views.request(travelling, brush, **values)
        task.engine_of(first, self.store)
        pictures: list[str] = []
        for at, strength in enumerate(STRENGTHS, start=1):
            request = replace(first, strength=strength)
            for step in steps_in_turn(task.run(request, self.store), self.store, "job"):
                yield NOTHING
                last = step
            recipe = views.recipe(request, self.store)
            pictures.append(data_url(to_png(self._in_turn(views.made, request, last, recipe).picture, recipe)))
            names = [f"{each:g}" for each in STRENGTHS[:at]]
            sheet: dict[str, Any] = {"pictures": pictures, "names": names, "index": at, "total": len(STRENGTHS)}
            yield sheet | ({"links": []} if at == len(STRENGTHS) else {})

    def _in_turn(self, work: Callable[..., R], *arguments: Any) -> R:
        return self.store.turn.run("job", partial(work, *arguments))
