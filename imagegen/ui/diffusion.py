"""The diffusion tab: noise to a picture step by step, and what one learns by drowning, racing and asking otherwise."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from imagegen.errors import InputError
from imagegen.images import to_pictures
from imagegen.models.diffusion import SOLVERS, TIMESTEPS, predict, predict_noise, predict_x0
from imagegen.recipes import from_link
from imagegen.store import ModelStore
from imagegen.tasks import diffusion as task
from imagegen.tasks import diffusion_experiments as experiments
from imagegen.tasks.registry import recipe_of, request_of, task_of
from imagegen.ui import diffusion_views as views
from imagegen.ui.bringing import pad_and_upload
from imagegen.ui.diffusion_api import add_endpoints
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.lapse import time_lapse
from imagegen.ui.widgets import shown, source, widget
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

FIRST_LANES = (("ddim", 10), ("unipc", 10), ("ddim", 50))
FIRST_SEED = 2
"""A good 7, and a good face."""
GUIDANCE = {task.DIGITS: task.DigitRequest().guidance_scale, task.FACES: task.FaceRequest().guidance_scale}


def build(store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints; a link of ours selects it in `tabs`. Without faces it draws digits only."""
    _Tab(store, travelling, tabs)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
        for name in views.needed(store):  # they are loaded later, and a visitor should not be the first to know
            store.checkpoint(name).verify()
        self.store = store
        self.models = views.models(store)
        self.made = gr.State(None)
        gr.Markdown(T("diff.intro"), elem_classes="intro")
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340):
                code = source(predict, predict_x0, predict_noise)
                self.denoise = widget("denoise", still=views.still(store, self.models), code=code)
            with gr.Column(scale=4, min_width=320):
                self.controls, run, stop = self._controls()
        with gr.Accordion(T("diff.others.title"), open=True):
            self.others = widget("others")
        gr.Markdown(T("diff.forward.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                level = Slider(0, TIMESTEPS - 1, 300, step=1, label=T("diff.forward.t"), elem_id="level")
                gr.Markdown(T("diff.forward.text"), elem_classes="hint")
                with gr.Accordion(T("bring"), open=False):
                    pad_and_upload(travelling, "diff-")
            with gr.Column(scale=8, min_width=340):
                self.forward = widget("forward", curves=views.curves())
        gr.Markdown(T("diff.trip.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                asked = gr.Radio(
                    [(T("diff.trip.nothing"), "nothing"), (T("diff.trip.same"), "same")],
                    value="nothing", label=T("diff.trip.ask"), elem_id="trip-ask",
                )  # fmt: skip
                trip_run, trip_stop = run_and_stop("diff.trip.run", "trip")
            with gr.Column(scale=8, min_width=340):
                self.trip = widget("trip")
        gr.Markdown(T("diff.race.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                lanes = self._lanes()
                race_run, race_stop = run_and_stop("diff.race.run", "race")
            with gr.Column(scale=8, min_width=340):
                self.race = widget("race", tables=views.solver_tables(store, self.models))
        with gr.Accordion(T("diff.lapse.title"), open=False):
            time_lapse(store, self.models, "diff")
        self._wire(travelling, tabs, run, stop)
        pictures = {"travelling": travelling, "made": self.made}
        live([level.input, level.release], self.drown, {"t": level, **pictures}, [self.forward])
        live([self.forward.focus, self.made.change], self.drown, {"t": level, **pictures}, [self.forward])
        job(trip_run, trip_stop, self.round_trip, {"ask": asked, **pictures, **self.controls}, [self.trip])
        job(race_run, race_stop, self.run_race, {**lanes, **self.controls}, [self.race])

    def _controls(self) -> tuple[dict[str, Any], gr.Button, gr.Button]:
        first = self.models[0]
        model = gr.Radio([(T(f"diff.model.{name}"), name) for name in self.models], value=first,
                         label=T("diff.model"), elem_id="model", visible=len(self.models) > 1)  # fmt: skip
        digit = gr.Radio(list(range(10)), value=7, label=T("gan.digit"), elem_id="diff-digit", elem_classes="digits",
                         visible=first == task.DIGITS)  # fmt: skip
        traits = gr.Dropdown(
            [(T(f"face.{name}"), name) for name in views.TRAITS], value=[], multiselect=True, label=T("diff.traits"),
            elem_id="traits", visible=first == task.FACES,
        )  # fmt: skip
        steps = Slider(1, task.MAX_STEPS, 20, step=1, label=T("diff.steps"), elem_id="steps")
        guidance = Slider(
            0, task.MAX_GUIDANCE, GUIDANCE[first], step=0.25, label=T("diff.guidance"), info=T("diff.guidance.info"),
            elem_id="guidance",
        )  # fmt: skip
        solver = gr.Dropdown(list(SOLVERS), value="ddim", label=T("diff.solver"), elem_id="solver")
        seed = seed_with_dice("diff-", FIRST_SEED)
        with gr.Accordion(T("more"), open=False, elem_id="diff-more") as rest:
            eta = Slider(0, 1, 0, step=0.05, label=T("diff.eta"), info=T("diff.eta.info"), elem_id="eta")
        run, stop = run_and_stop("diff.run", "diff")
        model.change(
            lambda name: (gr.update(visible=name == task.DIGITS), gr.update(visible=name == task.FACES)),
            model, [digit, traits], queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip
        model.input(  # not where a link has set both
            lambda name: GUIDANCE.get(name, gr.skip()), model, guidance,
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip
        solver.change(
            lambda name: (gr.update(visible=name == "ddim"), 0), solver, [rest, eta],
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip
        controls = {
            "model": model, "digit": digit, "traits": traits, "steps": steps, "guidance_scale": guidance,
            "solver": solver, "eta": eta, "seed": seed,
        }  # fmt: skip
        return controls, run, stop

    def _lanes(self) -> dict[str, Any]:
        lanes: dict[str, Any] = {}
        for i, (solver, steps) in enumerate(FIRST_LANES, start=1):
            with gr.Row(elem_classes="lane"):
                lanes[f"solver_{i}"] = gr.Dropdown(
                    [*([(T("diff.race.none"), "none")] if i == 3 else []), *SOLVERS], value=solver,
                    label=T(f"diff.race.lane{i}"), min_width=120,
                )  # fmt: skip
                lanes[f"steps_{i}"] = gr.Number(steps, label=T("diff.steps"), min_width=80)
        return lanes

    def _wire(self, travelling: gr.State, tabs: gr.Tabs, run: gr.Button, stop: gr.Button) -> None:
        job(run, stop, self.stream, self.controls, [self.denoise, self.made])
        live([self.denoise.select], self.take, {"made": self.made}, [travelling])
        live([self.denoise.input], self.ask_otherwise, {}, [self.others])
        on_open(self.open_link, [tabs, *self.controls.values()])

    # Handlers

    def stream(self, **values: Any) -> Iterator[tuple[Any, Any]]:
        """Stream the run: previews now and then, the result, and then every step to look at."""
        request = self._request(values)
        steps: list[task.DiffusionStep] = []
        pace, started = Pace(), time.monotonic()
        for step in steps_in_turn(task.run(request, self.store), self.store, "job"):
            steps.append(step)
            if pace.due() or step.index == step.total:
                yield views.preview(request, step, self.store.turn.run("job", partial(views.frame, step))), gr.skip()
            else:
                yield NOTHING
        seconds = time.monotonic() - started
        picture = self.store.turn.run("job", lambda: to_pictures(steps[-1].images)[0])
        made = Travelling(picture, recipe_of(task_of(request), request, self.store))
        frames = [self.store.turn.run("job", partial(views.frame, step)) for step in steps]
        yield views.film(request, steps, frames, seconds, made), made

    def take(self, made: Travelling | None) -> Any:
        return made or gr.skip()

    def ask_otherwise(self, event: gr.EventData) -> Any:
        """The visitor looks at a step: what would have been seen there, had something else been asked for?"""
        data = said(event)
        request = request_of(from_link(str(data.get("link", ""))), self.store)
        if not isinstance(request, task.DiffusionRequest):
            return gr.skip()
        steps = experiments.other_labels(request, data.get("index"), self.store)  # type: ignore[arg-type]
        *_, seen = steps_in_turn(steps, self.store, "job")  # it walks there first
        return views.others(request, seen)

    def drown(self, t: int, travelling: Travelling | None, made: Travelling | None) -> Any:
        subject = travelling or made
        if subject is None:
            return gr.skip()
        picture = views.small(subject.picture)
        step = self.store.turn.run("live", lambda: experiments.drown(experiments.ForwardRequest(picture, t)))
        return views.forward(t, step)

    def round_trip(
        self, ask: str, travelling: Travelling | None, made: Travelling | None, **values: Any
    ) -> Iterator[Any]:
        subject = travelling or made
        if subject is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        if ask == "nothing":
            values["guidance_scale"] = 0
        diffusion = self._request(values)
        picture = views.fitted(subject, diffusion.checkpoint)
        levels: list[dict[str, Any]] = []
        request = experiments.RoundTripRequest(picture, diffusion)
        for step in steps_in_turn(experiments.round_trip(request, self.store), self.store, "job"):
            if step.images is None:
                yield NOTHING
            else:
                levels.append(views.level(step))
                yield {"picture": shown(picture), "levels": levels, "total": step.total}

    def run_race(self, **values: Any) -> Iterator[Any]:
        pairs = [(values.pop(f"solver_{i}"), values.pop(f"steps_{i}")) for i in range(1, experiments.LANES + 1)]
        lanes = tuple(pair for pair in pairs if pair[0] != "none")
        request = experiments.RaceRequest(self._request(values | {"solver": "unipc", "eta": 0}), lanes)
        newest: list[dict[str, Any]] = [views.lane(*pair, None) for pair in request.lanes]
        waiting: dict[int, experiments.RaceStep] = {}
        pace = Pace()
        for step in steps_in_turn(experiments.race(request, self.store), self.store, "job"):
            waiting[step.lane] = step
            if not (pace.due() or step.done):
                yield NOTHING
                continue
            for i, latest in waiting.items():
                newest[i] = self.store.turn.run("job", partial(views.lane, *request.lanes[i], latest))
            waiting = {}
            yield {"model": request.diffusion.checkpoint, "lanes": newest, "done": step.done}

    def open_link(self, query: dict[str, str]) -> list[Any]:
        """Select this tab and set its controls as the recipe in the page's address says; the page then presses Run."""
        nothing = [gr.skip()] * (len(self.controls) + 1)
        if "recipe" not in query:
            return nothing
        try:
            recipe = from_link(query["recipe"])
            request = request_of(recipe, self.store)
        except InputError:
            return nothing  # the first tab says what is wrong with it
        if not isinstance(request, task.DiffusionRequest):
            return nothing
        values = views.alone(request, recipe.index)
        return [gr.Tabs(selected="diff"), *(values.get(name) for name in self.controls)]

    def _request(self, values: dict[str, Any]) -> task.DiffusionRequest:
        return views.request(self.models, **values)
