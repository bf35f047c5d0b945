"""The VAE tab: two maps to walk on, a picture through the code, ways between pictures, sliders through the latents."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr
from torch import Tensor

from imagegen.devices import SEEDS
from imagegen.errors import InputError
from imagegen.images import to_pictures
from imagegen.models.vae import bernoulli_log_likelihood, gaussian_log_likelihood, kl_per_latent, reparametrise
from imagegen.recipes import from_link
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import vae as task
from imagegen.tasks import vae_pictures as pictures
from imagegen.tasks.gan import MAX_FRAMES
from imagegen.tasks.registry import TASKS, recipe_of, request_of, task_of
from imagegen.ui import vae_faces
from imagegen.ui import vae_views as views
from imagegen.ui.bringing import pad_and_upload
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.lapse import time_lapse
from imagegen.ui.vae_api import add_endpoints
from imagegen.ui.widgets import source, widget
from imagegen.ui.wiring import Travelling, job, last_step, live, on_open, run_and_stop, seed_with_dice, steps_in_turn

__all__ = ["build"]

SAMPLE = 25
"""Seed of the picture that is shown before there is one of the visitor's: a 2."""
FIRST_ENDS = (2, SAMPLE)
PREVIEW_SECONDS = 0.04
SUBJECTS = ("sample", "mine")


def build(store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints; a link of ours selects it in `tabs`. Without faces it has digits only."""
    _Tab(store, travelling, tabs)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
        self.store = store
        self.models = views.models(store)
        gr.Markdown(T("vae.intro"), elem_classes="intro")
        with gr.Row(equal_height=False):
            with gr.Column(scale=6, min_width=340):
                self.plane = widget("plane")
            with gr.Column(scale=1, min_width=170):
                self.spot = widget("spot")
        gr.Markdown(T("vae.picture.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                self.model = self._models()
                pad_and_upload(travelling, "vae-")
                if task.FACES in self.models:
                    vae_faces.template(travelling)
            with gr.Column(scale=8, min_width=340):
                self.encoding = widget("encoding")
        gr.Markdown(T("vae.between.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                self._way_controls()
            with gr.Column(scale=8, min_width=340):
                self.between = widget("between")
        gr.Markdown(T("vae.latents.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300, elem_classes="stage"):
                self.moved = widget("moved")
            with gr.Column(scale=8, min_width=340):
                with gr.Row():
                    self.subject = gr.Radio(
                        [(T("vae.subject.sample"), "sample"), (T("vae.subject.mine"), "mine")], value="sample",
                        label=T("vae.subject"), elem_id="vae-subject", min_width=240,
                    )  # fmt: skip
                    with gr.Column(min_width=240):
                        self.seed = seed_with_dice("vae-")
                self.latents = widget("latents")
        if task.FACES in self.models:
            vae_faces.arithmetic(store, travelling)
        with gr.Accordion(T("vae.lapse.title"), open=False):
            time_lapse(store, [task.DIGITS, task.PLANE, task.PLAIN, task.FACES], "vae")
        with gr.Accordion(T("story.title"), open=False):
            gr.Markdown(T("vae.story"))
            widget("listing", source(reparametrise, kl_per_latent, bernoulli_log_likelihood, gaussian_log_likelihood))
        self._wire(travelling, tabs)

    def _models(self) -> gr.Radio:
        labels = {
            task.PLANE: T("vae.model.plane"),
            task.DIGITS: T("vae.model.digits"),
            task.FACES: T("vae.model.faces"),
        }
        model = gr.Radio(
            [(labels[name], name) for name in self.models], value=task.DIGITS, label=T("vae.model"),
            info=T("vae.model.info"), elem_id="vae-model",
        )  # fmt: skip
        if task.FACES in self.models:
            gr.Markdown(T("vae.terms"), elem_classes="hint")
        return model

    def _way_controls(self) -> None:
        self.ends = gr.State(tuple((seed, seed) for seed in FIRST_ENDS))
        self.slots = widget("slots", list(FIRST_ENDS), elem_id="between-slots")
        path = gr.Radio(
            [(T("vae.path.straight"), "straight"), (T("vae.path.spherical"), "spherical")], value="straight",
            label=T("vae.path"), elem_id="vae-path",
        )  # fmt: skip
        frames = Slider(2, MAX_FRAMES, 24, step=1, label=T("gan.walk.frames"), elem_id="vae-frames")
        self.run, self.stop = run_and_stop("vae.between.run", "between")
        self.way = {"model": self.model, "ends": self.ends, "path": path, "frames": frames}

    def _wire(self, travelling: gr.State, tabs: gr.Tabs) -> None:
        subject = {"model": self.model, "subject": self.subject, "seed": self.seed, "travelling": travelling}
        moves = {**subject, "moves": self.latents}
        live([self.plane.focus], self.show_maps, {"asked": self.plane}, [self.plane, self.spot])
        live([self.plane.input], self.decode, {"asked": self.plane}, [self.spot])
        live([self.spot.select], self.take_place, {"asked": self.plane}, [travelling])
        live(
            [self.encoding.focus, self.model.input],
            self.encode, {"model": self.model, "travelling": travelling}, [self.encoding],
        )  # fmt: skip
        live(
            [self.between.focus, self.slots.input, self.model.input],
            self.choose_ends, {"model": self.model, "asked": self.slots, "held": self.ends, "travelling": travelling},
            [self.ends, self.between],
        )  # fmt: skip
        job(self.run, self.stop, self.interpolate, self.way, [self.between])
        live([self.latents.focus], self.list_latents, {"model": self.model, "moves": self.latents}, [self.latents])
        live([self.model.input], self.change_model, subject, [self.latents, self.moved])
        live(
            [self.moved.focus, self.latents.input, self.subject.input, self.seed.change],
            self.shift, moves, [self.moved],
        )  # fmt: skip
        live([travelling.change], self.shift_mine, moves, [self.moved])
        live([self.moved.select], self.take_moved, moves, [travelling])
        # The tab last: what is seen asks for its picture, by the values that are set then.
        on_open(self.open_link, [self.model, self.latents, self.moved, self.plane, self.seed, tabs])

    # Handlers: the map

    def show_maps(self, asked: object) -> tuple[Any, Any]:
        """Both maps, once, and the place where they open decoded."""
        request = views.decode_request(asked)
        here = {"z": list(request.z), "plane": request.plane}
        return {**views.maps(self.store), **here}, self.decode(here) | {"asked": isinstance(asked, dict)}

    def decode(self, asked: object) -> dict[str, Any]:
        request = views.decode_request(asked)
        step = last_step(task.decode(request, self.store), self.store)
        return views.spot(self.store, request, step) | {"asked": True}

    def take_place(self, asked: object) -> Travelling:
        request = views.decode_request(asked)
        step = last_step(task.decode(request, self.store), self.store)
        return Travelling(to_pictures(step.images)[0], recipe_of(TASKS["vae-place"], request, self.store))

    # A picture through the code

    def encode(self, model: str, travelling: Travelling | None) -> dict[str, Any]:
        """Of the visitor's picture, or of a sample."""
        name = views.request(self.models, model, SAMPLE).checkpoint
        sharpest = task.DIGITS if name == task.PLANE else name  # draws the sample
        x = views.drawn(travelling or SAMPLE, name if travelling else sharpest, self.store)
        names = [name, *(task.PLANES if name != task.FACES else ())]
        found, *on_map = self.store.turn.run(
            "live", lambda: [pictures.encode(pictures.EncodeRequest(x, each), self.store) for each in names]
        )
        return views.encoding(self.store, name, x, found, on_map)

    # Ways

    def choose_ends(
        self, model: str, asked: object, held: views.Held, travelling: Travelling | None
    ) -> tuple[views.Held, Any]:
        held = views.hold(asked, held, travelling)
        name = views.request(self.models, model, 0).checkpoint
        return held, views.ends(held, [views.drawn(subject, name, self.store) for _, subject in held])

    def interpolate(self, model: str, ends: views.Held, path: str, frames: int) -> Iterator[Any]:
        name = views.request(self.models, model, 0).checkpoint
        start, end = (views.fitted(subject, name) for _, subject in ends)
        request = pictures.InterpolateRequest(start, end, name, path, frames)
        started = time.monotonic()
        for step in steps_in_turn(pictures.interpolate(request, self.store), self.store, "job"):
            time.sleep(max(0.0, started + step.index * PREVIEW_SECONDS - time.monotonic()))  # as fast as eyes follow
            view = partial(views.preview, ends, step)
            if step.index == step.total:
                view = partial(views.way, ends, step, views.way_recipe(request, self.store))
            yield self.store.turn.run("job", view)

    # Sliders

    def list_latents(self, model: str, moves: object) -> dict[str, Any]:
        return views.sliders(self.store, views.request(self.models, model, 0).checkpoint, moves)

    def change_model(
        self, model: str, subject: str, seed: int, travelling: Travelling | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Another autoencoder has other latents, which begin where they are."""
        return self.list_latents(model, None), self.shift(model, subject, seed, travelling, None)

    def shift(
        self, model: str, subject: str, seed: int, travelling: Travelling | None, moves: object
    ) -> dict[str, Any]:
        made, before = self._moved(model, subject, seed, travelling, moves)
        return views.moved(made, before)

    def shift_mine(self, subject: str, **values: Any) -> Any:
        """There is another picture of the visitor's; it matters only if the sliders move that."""
        return self.shift(subject=subject, **values) if subject == "mine" else gr.skip()

    def take_moved(self, **values: Any) -> Travelling:
        made, _ = self._moved(**values)
        return made

    def _moved(
        self, model: str, subject: str, seed: int, travelling: Travelling | None, moves: object
    ) -> tuple[Travelling, Tensor | None]:
        """The moved picture, with its recipe if it is a sample; of the visitor's, also what it was."""
        request = views.request(self.models, model, seed, moves)
        if checks.choice("subject", subject, SUBJECTS) == "sample":
            step = last_step(task.run(request, self.store), self.store)
            recipe = recipe_of(task_of(request), request, self.store)
            return Travelling(to_pictures(step.images)[0], recipe), None
        if travelling is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        picture = views.drawn(travelling, request.checkpoint, self.store)
        step = self.store.turn.run("live", lambda: pictures.edit(pictures.EditRequest(picture, request), self.store))
        return Travelling(to_pictures(step.images)[0]), picture

    # Links

    def open_link(self, query: dict[str, str]) -> list[Any]:
        """Select this tab and set what the recipe in the page's address says: a sample and its sliders, or a place."""
        nothing = [gr.skip()] * 6
        if "recipe" not in query:
            return nothing
        try:
            recipe = from_link(query["recipe"])
            request = request_of(recipe, self.store)
        except InputError:
            return nothing  # the first tab says what is wrong with it
        here = gr.Tabs(selected="vae")
        if isinstance(request, task.DecodeRequest):
            return [*nothing[:3], {"z": list(request.z), "plane": request.plane}, gr.skip(), here]
        if not isinstance(request, task.VaeRequest):
            return nothing
        model, seed = request.checkpoint, (request.seed + recipe.index) % SEEDS
        sliders = self.list_latents(model, views.sliders_of(request))
        moved = self.shift(model, "sample", seed, None, views.sliders_of(request)) | {"opened": True}
        return [model, sliders, moved, gr.skip(), seed, here]
