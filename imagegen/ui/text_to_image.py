"""The words tab: a prompt becomes pictures, and each word's attention can be watched on the way."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar

import gradio as gr

from imagegen.engines.engine import AUTO
from imagegen.errors import InputError
from imagegen.models.diffusion import SOLVERS, predict_x0
from imagegen.models.text import guided
from imagegen.recipes import from_link
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import text_to_image as task
from imagegen.tasks.registry import request_of
from imagegen.tasks.text_to_image import CHECKPOINT
from imagegen.ui import text_to_image_views as views
from imagegen.ui.engines import OTHERS, adapted, chosen_engine, engine_choice
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.text_to_image_api import add_endpoints
from imagegen.ui.widgets import source, widget
from imagegen.ui.wiring import (
    JOB,
    NOTHING,
    Pace,
    Travelling,
    job,
    live,
    named,
    on_open,
    run_and_stop,
    said,
    seed_with_dice,
)

__all__ = ["build"]

R = TypeVar("R")
SHOWN_COUNT = 9
DECODED_AT_ONCE = 4
GUIDANCE_STRIP = (0, 1, 2, 3, 5, 8, 12)
EXAMPLES = {
    "en": (
        "a smiling young woman with blond hair",
        "an older man with a beard",
        "a young man with black hair and glasses",
        "a woman wearing a hat",
        "a man in sunglasses",
        "an emoji of a red heart",
        "grinning face emoji",
        "an emoji of a red apple",
    ),
    "zh": (
        "微笑的金发女士",
        "留胡子的老先生",
        "戴眼镜的黑发青年男子",
        "戴着帽子的女人",
        "戴墨镜的男士",
        "红心的表情符号",
        "太阳表情",
        "一个苹果的表情",
    ),
}
RUN_NOW = "() => document.querySelector('#words-run')?.click()"


def build(store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints; a link of ours selects it in `tabs`."""
    _Tab(store, travelling, tabs)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
        store.checkpoint(CHECKPOINT).verify()  # it is loaded later, and a visitor should not be the first to know
        self.store = store
        self.made = gr.State([])
        intro = gr.Markdown(T("words.intro"), elem_classes="intro")
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340):
                self.painting = widget("painting", code=source(guided, predict_x0))
            with gr.Column(scale=4, min_width=320):
                self.controls, run, stop = self._controls()
        with gr.Column() as comparing:
            gr.Markdown(T("words.compare.title"))
            with gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=260):
                    other = gr.Textbox(
                        EXAMPLES["en"][3], label=T("words.compare.other"), lines=2, elem_id="words-other"
                    )
                    gr.Markdown(T("words.compare.text"), elem_classes="hint")
                    compare_run, compare_stop = run_and_stop("words.compare.run", "compare")
                with gr.Column(scale=8, min_width=340):
                    self.compared = widget("abreast", elem_id="compared")
        with gr.Column() as guiding:
            gr.Markdown(T("words.strip.title"))
            with gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=260):
                    gr.Markdown(T("words.strip.text"), elem_classes="hint")
                    strip_run, strip_stop = run_and_stop("words.strip.run", "strip")
                with gr.Column(scale=8, min_width=340):
                    self.strip = widget("abreast", elem_id="guidance-strip")
        self.parts |= {
            "intro": (intro, CHECKPOINT),
            "comparing": (comparing, "seed"),
            "guiding": (guiding, "guidance_scale"),
        }
        job(run, stop, self.stream, self.controls, [self.painting, self.made])
        job(compare_run, compare_stop, self.compare, {"other": other, **self.controls}, [self.compared])
        job(strip_run, strip_stop, self.compare_guidance, self.controls, [self.strip])
        live([self.painting.select], self.take, {"made": self.made}, [travelling])
        self.painting.input(
            named(self.look_at, {}), [], [self.painting], show_progress="hidden", api_visibility="private", **JOB
        )
        wanted = {name: self.controls[name] for name in ("engine", "size")}
        live([self.controls["engine"].change], self.adapt, wanted, [part for part, _ in self.parts.values()])
        on_open(self.open_link, [tabs, other, *self.controls.values()])

    def _controls(self) -> tuple[dict[str, Any], gr.Button, gr.Button]:
        first = task.TextToImageRequest()
        engines, sizes = self.store.engines, (size for engine in self.store.engines.values() for size in engine.sizes)
        engine = engine_choice(engines, "words")
        prompt = gr.Textbox(
            first.prompt, label=T("words.prompt"), info=T("words.prompt.info"), lines=2, elem_id="words-prompt"
        )
        examples = widget("phrases", EXAMPLES)
        run, stop = run_and_stop("words.run", "words")
        count = Slider(1, SHOWN_COUNT, 1, step=1, label=T("words.count"), elem_id="words-count")
        guidance = Slider(
            0, task.MAX_GUIDANCE, first.guidance_scale, step=0.5, label=T("diff.guidance"),
            info=T("words.guidance.info"), elem_id="words-guidance",
        )  # fmt: skip
        size = gr.Dropdown(
            list(dict.fromkeys([first.size, *sizes])), value=first.size, label=T("words.size"), elem_id="words-size",
            visible=False,
        )  # fmt: skip
        with gr.Column() as seeds:
            seed = seed_with_dice("words-")
        with gr.Accordion(T("more"), open=False) as more:
            negative = gr.Textbox(
                "", label=T("words.negative"), info=T("words.negative.info"), elem_id="words-negative"
            )
            steps = Slider(1, task.MAX_STEPS, first.steps, step=1, label=T("diff.steps"), elem_id="words-steps")
            solver = gr.Dropdown(list(SOLVERS), value=first.solver, label=T("diff.solver"), elem_id="words-solver")
        terms = gr.Markdown(T("words.terms"), elem_classes="hint")
        others = gr.Markdown(T("words.terms.other"), elem_classes="hint", visible=False)
        self.parts: dict[str, tuple[Any, str]] = {
            "count": (count, "count"), "guidance": (guidance, "guidance_scale"), "size": (size, "size"),
            "prompt": (prompt, "prompt"), "seed": (seeds, "seed"), "more": (more, "steps"),
            "negative": (negative, "negative_prompt"), "solver": (solver, "solver"), "terms": (terms, CHECKPOINT),
            "others": (others, OTHERS),
        }  # fmt: skip
        options: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
        live([examples.select], self.take_phrase, {}, [prompt]).then(None, None, None, js=RUN_NOW, **options)
        prompt.submit(None, None, None, js=RUN_NOW, **options)
        controls = {
            "prompt": prompt, "negative_prompt": negative, "count": count, "seed": seed, "solver": solver,
            "steps": steps, "guidance_scale": guidance, "engine": engine, "size": size,
        }  # fmt: skip
        return controls, run, stop

    # Handlers

    def stream(self, **values: Any) -> Iterator[tuple[Any, Any]]:
        """Stream the run: previews now and then, the result, and every step of the first picture to look at."""
        request = task.TextToImageRequest(**values)
        reading = self._read(request)
        moments: list[views.Moment | None] = []
        pace, started = Pace(), time.monotonic()
        for step in views.steps([request], self.store):
            moments.append(self._in_turn(views.moment, step, reading))
            if step.index < step.total and pace.due():
                yield self._in_turn(views.sheet, step) | views.notes(reading), gr.skip()
            else:
                yield NOTHING
        seconds = time.monotonic() - started
        recipes = views.recipes(request, self.store)
        sheet, made = self._in_turn(views.sheet, step, recipes), self._in_turn(views.made, step, recipes)
        yield sheet | views.notes(reading) | {"seconds": seconds}, made
        yield self._film(request, 0, reading, moments, step), gr.skip()  # nobody waits for it to see the picture

    def look_at(self, event: gr.EventData) -> Iterator[Any]:
        """The film of another picture of the sheet, which is painted once more, alone."""
        data = said(event)
        request = request_of(from_link(str(data.get("link", ""))), self.store)
        if not isinstance(request, task.TextToImageRequest):
            return
        index = checks.whole("index", data.get("index"), 0, request.count - 1)
        reading = self._read(request)
        moments = []
        for step in views.steps([task.alone(request, index)], self.store):
            moments.append(self._in_turn(views.moment, step, reading))
            yield NOTHING
        yield self._film(request, index, reading, moments, step)

    def _film(
        self,
        request: task.TextToImageRequest,
        index: int,
        reading: task.Reading,
        moments: Sequence[views.Moment | None],
        step: views.Step,
    ) -> dict[str, Any]:
        seen = [moment for moment in moments if moment]
        frames: list[str] = []
        for i in range(0, len(seen), DECODED_AT_ONCE):
            frames += self._in_turn(views.frames, step.decode, seen[i : i + DECODED_AT_ONCE])
        engine = task.engine_of(request, self.store)
        film = views.film(request, index, reading, seen, frames)
        return {"film": film | {"again": not (engine and engine.remote)}}

    def take(self, event: gr.EventData, made: Sequence[Travelling]) -> Any:
        index = said(event).get("index")
        return made[index] if isinstance(index, int) and 0 <= index < len(made) else gr.skip()

    def take_phrase(self, event: gr.EventData) -> Any:
        return checks.text("prompt", said(event).get("text"), task.MAX_PROMPT)

    def compare(self, other: str, **values: Any) -> Iterator[Any]:
        request = task.TextToImageRequest(**values | {"count": 1})
        second = replace(request, prompt=other)
        yield from self._abreast([request, second], [request.prompt, second.prompt])

    def compare_guidance(self, **values: Any) -> Iterator[Any]:
        request = task.TextToImageRequest(**values | {"count": 1})
        requests = [replace(request, guidance_scale=scale) for scale in GUIDANCE_STRIP]
        yield from self._abreast(requests, [f"w = {scale}" for scale in GUIDANCE_STRIP])

    def _abreast(self, requests: Sequence[task.TextToImageRequest], names: Sequence[str]) -> Iterator[Any]:
        pace = Pace()
        for step in views.steps(requests, self.store, abreast=True):
            if step.index < step.total and pace.due():
                yield self._in_turn(views.sheet, step) | {"names": names}
            elif step.index < step.total:
                yield NOTHING
        signed = [views.recipes(request, self.store)[0] for request in requests]
        yield self._in_turn(views.sheet, step, signed) | {"names": names}

    def open_link(self, query: dict[str, str], language: str) -> list[Any]:
        """Select this tab and set its controls as the recipe in the page's address says; the page then presses Run.

        Without a recipe the prompts to begin with are in the visitor's language.
        """
        phrases = EXAMPLES[language]
        greeting = [gr.skip(), phrases[3]]
        greeting += [phrases[0] if name == "prompt" else gr.skip() for name in self.controls]
        nothing = [gr.skip()] * len(greeting)
        if "recipe" not in query:
            return greeting
        try:
            recipe = from_link(query["recipe"])
            request = request_of(recipe, self.store)
        except InputError:
            return nothing  # the first tab says what is wrong with it
        if not isinstance(request, task.TextToImageRequest):
            return nothing
        values = asdict(task.alone(request, recipe.index) if recipe.index else request)
        return [gr.Tabs(selected="words"), phrases[3], *(values[name] for name in self.controls)]

    def _read(self, request: task.TextToImageRequest) -> task.Reading:
        return self._in_turn(task.read, request.prompt, self.store, task.engine_of(request, self.store))

    def adapt(self, engine: str, size: str) -> list[Any]:
        """Show what belongs to an engine: the fields of a request that it heeds, and the checkpoint's own words."""
        chosen = chosen_engine(engine, self.store.engines)
        sizes = chosen.sizes if chosen and chosen.sizes else (AUTO,)
        changes: dict[str, dict[str, Any]] = {
            "prompt": {"info": T("words.prompt.info.other" if chosen else "words.prompt.info")},
            "size": {"choices": list(sizes), "value": size if size in sizes else sizes[0]},
            "count": {"maximum": min(SHOWN_COUNT, chosen.max_count) if chosen else SHOWN_COUNT},
        }
        return adapted(chosen, self.parts, changes)

    def _in_turn(self, work: Callable[..., R], *arguments: Any) -> R:
        return self.store.turn.run("job", partial(work, *arguments))
