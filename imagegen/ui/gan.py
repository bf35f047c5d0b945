"""The GAN tab: a sheet of digits, sliders through the style space, and two judges for any digit."""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import gradio as gr
import torch

from imagegen.errors import InputError
from imagegen.images import grid, to_pictures
from imagegen.models.gan import MEASURES, discriminator_loss, generator_loss
from imagegen.recipes import from_link, to_link, to_png, to_webp_animation
from imagegen.store import ModelStore
from imagegen.tasks import diffusion, text_to_image, vae
from imagegen.tasks import gan as task
from imagegen.tasks.registry import TASKS, recipe_of, request_of
from imagegen.ui.bringing import as_digit, pad_and_upload
from imagegen.ui.gan_api import COLUMNS, SECONDS_PER_FRAME, add_endpoints
from imagegen.ui.gan_trainings import add_trainings
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.widgets import data_url, plain_png, source, widget
from imagegen.ui.wiring import (
    Controls,
    Travelling,
    job,
    last_step,
    live,
    on_open,
    run_and_stop,
    said,
    seed_with_dice,
    steps_in_turn,
)

__all__ = ["build"]

FIRST_COUNT = 30
SHOWN_DIRECTIONS = 4
DIRECTIONS = [f"direction_{i + 1}" for i in range(task.DIRECTIONS)]
PREVIEW_SECONDS = 0.04
NOTHING = {"digit": "all", "second_digit": "none"}
"""What the page's choices call a request's None."""
OPENED_ELSEWHERE = (
    vae.DecodeRequest,
    vae.VaeRequest,
    diffusion.DiffusionRequest,
    text_to_image.TextToImageRequest,
)
"""What another tab sets its controls by."""


def build(store: ModelStore, travelling: gr.State, _tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints; `travelling` holds the visitor's current picture (`Travelling` or None)."""
    _Tab(store, travelling)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State) -> None:
        self.store = store
        direction_names = store.asset(task.GENERATOR, "direction_names").tolist()
        request = task.GanRequest(count=FIRST_COUNT)
        first = last_step(task.run(request, store), store)
        gr.Markdown(T("gan.intro"), elem_classes="intro")
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340, elem_classes="stage"):
                self.sheet = widget("sheet", self._sheet(request, first))
            with gr.Column(scale=4, min_width=320):
                self.controls = self._controls(direction_names)
        chosen = gr.State(None)
        self.controls["chosen"] = chosen
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                gr.Markdown(T("gan.pad.title"))
                pad_and_upload(travelling)
            with gr.Column(scale=7, min_width=340):
                gr.Markdown(T("gan.verdict.title"))
                self.verdict = widget("verdict")
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                walk_controls, run, stop = self._walk_controls()
            with gr.Column(scale=7, min_width=340):
                self.film = widget("film")
        with gr.Accordion(T("story.title"), open=False):
            self.story = widget("story", _story(first))
            widget("listing", source(task._sample, generator_loss, discriminator_loss), elem_id="gan-listing")
        add_trainings(store)
        self._wire(travelling, chosen, walk_controls, run, stop)

    def _controls(self, direction_names: list[int]) -> dict[str, Any]:
        digits: list[tuple[Any, Any]] = [(str(d), d) for d in range(10)]
        digit = gr.Radio([("0–9", "all"), *digits], value="all", label=T("gan.digit"), elem_id="digit")
        seed = seed_with_dice()
        named_first = sorted(range(len(direction_names)), key=lambda i: direction_names[i] < 0)
        shown, hidden = named_first[:SHOWN_DIRECTIONS], named_first[SHOWN_DIRECTIONS:]
        sliders = {i: self._direction(i, direction_names[i]) for i in shown}
        with gr.Accordion(T("more"), open=False):
            count = Slider(1, task.MAX_COUNT, FIRST_COUNT, step=1, label=T("gan.count"), elem_id="count")
            truncation = Slider(
                0, 1.5, 1, step=0.05, label=T("gan.truncation"), info=T("gan.truncation.info"), elem_id="truncation"
            )
            nothing = (T("gan.second.none"), "none")
            second = gr.Dropdown([nothing, *digits], value="none", label=T("gan.second"), elem_id="second")
            mix = Slider(0, 1, 0.5, step=0.01, label=T("gan.mix"), elem_id="mix")
            sliders |= {i: self._direction(i, direction_names[i]) for i in hidden}
        named_sliders = {f"direction_{i + 1}": sliders[i] for i in sorted(sliders)}
        return {
            "digit": digit,
            "second_digit": second,
            "mix": mix,
            "count": count,
            "seed": seed,
            "truncation": truncation,
            **named_sliders,
        }

    def _direction(self, index: int, name: int) -> Slider:
        label = T(f"gan.direction.{MEASURES[name]}") if name >= 0 else T(f"gan.direction.form{index + 1}")
        return Slider(
            -task.MAX_SIGMA, task.MAX_SIGMA, 0, step=0.1, label=label, elem_id=f"direction-{index + 1}",
            elem_classes="direction",
        )  # fmt: skip

    def _walk_controls(self) -> tuple[Controls, gr.Button, gr.Button]:
        gr.Markdown(T("gan.walk.title"))
        with gr.Row():
            digit = gr.Dropdown(list(range(10)), value=3, label=T("gan.walk.from"), min_width=90)
            second = gr.Dropdown(list(range(10)), value=8, label=T("gan.walk.to"), min_width=90)
        end = gr.Number(1, label=T("gan.walk.seed"), elem_id="walk-seed")
        frames = Slider(2, task.MAX_FRAMES, 24, step=1, label=T("gan.walk.frames"))
        run, stop = run_and_stop("gan.walk.run", "walk")
        seeds = {"seed": self.controls["seed"], "second_seed": end}
        controls = {"digit": digit, "second_digit": second, **seeds, "frames": frames}
        return controls, run, stop

    def _wire(
        self, travelling: gr.State, chosen: gr.State, walk_controls: Controls, run: gr.Button, stop: gr.Button
    ) -> None:
        sliders = {name: c for name, c in self.controls.items() if isinstance(c, Slider)}
        moves = [on for name, c in sliders.items() if name in DIRECTIONS for on in (c.input, c.release)]
        triggers = [on for name, c in sliders.items() if name not in DIRECTIONS for on in (c.input, c.release)]
        triggers += [self.controls["digit"].input, self.controls["second_digit"].input, self.controls["seed"].change]
        live(moves, self.move, self.controls, [self.sheet, self.story])
        live(triggers, self.draw, self.controls, [self.sheet, self.story])
        settled = [c.release for name, c in sliders.items() if name in DIRECTIONS]
        live(settled, self.settle, self.controls, [travelling])
        live([self.sheet.select], self.choose, self.controls, [chosen, self.sheet, self.story, travelling])
        live([self.verdict.focus], self.judge, {"travelling": travelling}, [self.verdict])
        job(run, stop, self.walk, walk_controls, [self.film])
        opened = [*self.controls.values(), self.sheet, self.story]
        on_open(self.open_link, opened)

    # Handlers

    def draw(self, chosen: int | None = None, **values: Any) -> tuple[Any, Any]:
        request = _request(values, chosen)
        step = last_step(task.run(request, self.store), self.store)
        return self._sheet(request, step), _story(step)

    def move(self, chosen: int | None = None, **values: Any) -> tuple[Any, Any]:
        """A direction has moved: of a chosen digit, only that one is drawn again."""
        request = _request(dict(values), chosen)
        if request.chosen is None:
            return self.draw(chosen, **values)
        alone = task.alone(request)
        step = last_step(task.run(alone, self.store), self.store)
        return self._patch(request, alone, step), gr.skip()

    def open_link(self, query: dict[str, str]) -> list[Any]:
        """Set every control, and draw, as the recipe in the page's address says.

        Raises:
            InputError: it is damaged, or no tab, neither this one nor another, has controls for it.
        """
        if "recipe" not in query:
            return [gr.skip()] * (len(self.controls) + 2)
        recipe = from_link(query["recipe"])
        request = request_of(recipe, self.store)
        if isinstance(request, OPENED_ELSEWHERE):
            return [gr.skip()] * (len(self.controls) + 2)
        if not isinstance(request, task.GanRequest):
            raise InputError("This recipe is of {task}, for which no tab has controls to set.", task=repr(recipe.task))
        values = asdict(request)
        values |= {name: word for name, word in NOTHING.items() if values[name] is None}
        directions = values.pop("directions")
        values |= {f"direction_{i + 1}": amount for i, amount in enumerate(directions)}
        step = last_step(task.run(request, self.store), self.store)
        return [*(values.get(name, 0) for name in self.controls), self._sheet(request, step), _story(step)]

    def choose(self, event: gr.EventData, chosen: int | None = None, **values: Any) -> tuple[Any, ...]:
        """Take a digit as the one that the sliders move and as the travelling picture; once more lets it go."""
        clicked = said(event).get("index")
        request = _request(values, clicked if clicked != chosen else None)
        index = request.chosen
        step = last_step(task.run(request, self.store), self.store)
        taken: Any = gr.skip()
        if index is not None:
            taken = self._taken(request, step.images[index : index + 1])
        return index, self._sheet(request, step), _story(step), taken

    def settle(self, chosen: int | None = None, **values: Any) -> Any:
        """The chosen digit travels as the sliders have left it."""
        request = _request(values, chosen)
        if request.chosen is None:
            return gr.skip()
        return self._taken(request, last_step(task.run(task.alone(request), self.store), self.store).images)

    def _taken(self, request: task.GanRequest, digit: torch.Tensor) -> Travelling:
        return Travelling(to_pictures(digit)[0], recipe_of(TASKS["gan"], request, self.store, request.chosen or 0))

    def judge(self, travelling: Travelling | None) -> Any:
        if travelling is None:
            return None
        digit = as_digit(travelling)
        verdict = self.store.turn.run("live", lambda: task.score(task.ScoreRequest(digit), self.store))
        return self._verdict(digit, verdict)

    def walk(self, **values: Any) -> Iterator[Any]:
        request = task.WalkRequest(**values)
        started = time.monotonic()
        for step in steps_in_turn(task.walk(request, self.store), self.store, "job"):
            time.sleep(max(0.0, started + step.index * PREVIEW_SECONDS - time.monotonic()))  # as fast as eyes follow
            film = {
                "index": step.index,
                "total": step.total,
                "realness": step.realness,
                "frame": data_url(plain_png(to_pictures(step.images[-1:])[0])),
            }
            if step.index == step.total:
                recipe = recipe_of(TASKS["gan-walk"], request, self.store)
                film["animation"] = data_url(
                    to_webp_animation(to_pictures(step.images), SECONDS_PER_FRAME, recipe), "webp"
                )
            yield film

    # Steps into component values

    def _sheet(self, request: task.GanRequest, step: task.GanStep) -> dict[str, Any]:
        pictures = to_pictures(step.images)
        recipe = recipe_of(TASKS["gan"], request, self.store, request.chosen or 0)
        sheet = {
            "png": data_url(to_png(grid(pictures, COLUMNS, gap=0), recipe)),
            "columns": min(COLUMNS, len(pictures)),
            "labels": step.labels.tolist(),
            "reads": step.readings.argmax(dim=1).tolist(),
            "realness": self._in_std(step.realness).tolist(),
            "chosen": request.chosen,
            "link": to_link(recipe),
        }
        if request.chosen is not None:
            sheet["picture"] = data_url(to_png(pictures[request.chosen], recipe))
        return sheet

    def _patch(self, request: task.GanRequest, alone: task.GanRequest, step: task.GanStep) -> dict[str, Any]:
        """What has changed of a sheet when its chosen digit was moved."""
        picture = to_png(to_pictures(step.images)[0], recipe_of(TASKS["gan"], alone, self.store))
        return {
            "patch": True,
            "chosen": request.chosen,
            "picture": data_url(picture),
            "reads": int(step.readings.argmax()),
            "realness": float(self._in_std(step.realness)),
            "link": to_link(recipe_of(TASKS["gan"], request, self.store, request.chosen or 0)),
        }

    def _verdict(self, digit: torch.Tensor, verdict: task.ScoreStep) -> dict[str, Any]:
        return {
            "png": data_url(plain_png(to_pictures(digit)[0])),
            "digit": verdict.digit,
            "realness": float(self._in_std(torch.tensor(verdict.realness))),
            "reading": verdict.reading.tolist(),
        }

    def _in_std(self, realness: torch.Tensor) -> torch.Tensor:
        """Realness in standard deviations of real digits, for the ruler."""
        return realness.cpu() / self.store.asset(task.DISCRIMINATOR, "real_std")


def _request(values: dict[str, Any], chosen: int | None) -> task.GanRequest:
    directions = tuple(values.pop(name) for name in DIRECTIONS)
    values |= {name: None for name, word in NOTHING.items() if values[name] == word}
    request = task.GanRequest(**values, directions=directions)
    there = chosen is None or not isinstance(chosen, int) or chosen < request.count
    return replace(request, chosen=chosen if there else None)  # with fewer digits the chosen one may be gone


def _story(step: task.GanStep) -> dict[str, Any]:
    """This generator's own loss with the numbers of these digits; a real digit stands at its mean, 0."""
    real = torch.zeros_like(step.realness)
    return {
        "count": len(step.images),
        "gap": float(step.realness.mean()),
        "loss_g": float(generator_loss(real, step.realness)),
        "loss_d": float(discriminator_loss(real, step.realness)),
        "agree": int((step.readings.argmax(dim=1) == step.labels).sum()),
    }
