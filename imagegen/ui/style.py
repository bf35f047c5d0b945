"""The style tab: a photo painted in another picture's style, slowly and in the open, or in one pass."""

import secrets
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from imagegen.models.gatys import gatys
from imagegen.models.style import Objective, gram
from imagegen.store import ModelStore
from imagegen.tasks import style_slow as slow
from imagegen.tasks.style import FAST
from imagegen.ui import style_views as views
from imagegen.ui.bringing import STYLES, photo_and_examples
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.style_api import add_endpoints
from imagegen.ui.style_fast import FastSection
from imagegen.ui.widgets import source, widget
from imagegen.ui.wiring import NOTHING, Pace, Travelling, job, live, run_and_stop, seed_with_dice, steps_in_turn

__all__ = ["build"]


def build(store: ModelStore, travelling: gr.State, _tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints; without `style-fast` it has the slow way only."""
    _Tab(store, travelling)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State) -> None:
        store.checkpoint(slow.FEATURES).verify()
        self.store = store
        self.painting = gr.State(None)
        self.made = gr.State(None)
        self.latest = gr.State(None)
        gr.Markdown(T("style.intro"), elem_classes="intro")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                gr.Markdown(T("style.photo.title"))
                photo_and_examples(travelling, "style-")
            with gr.Column(min_width=320):
                gr.Markdown(T("style.painting.title"))
                photo_and_examples(self.painting, "painting-", STYLES, "painting.own")
        self.fast = self._fast(travelling)
        gr.Markdown(T("style.slow.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340):
                self.gatys = widget("gatys")
            with gr.Column(scale=4, min_width=320):
                self.controls, run, stop = self._controls()
        with gr.Accordion(T("story.title"), open=False):
            gr.Markdown(T("style.story"))
            self.grams = widget("grams")
            widget("listing", source(gram, Objective.by_layer, gatys), elem_id="style-listing")
        gr.Markdown(T("style.layers.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                gr.Markdown(T("style.layers.text"), elem_classes="hint")
                layers_run, layers_stop = run_and_stop("style.layers.run", "layers")
            with gr.Column(scale=8, min_width=340):
                self.layers = widget("layers", {"layers": slow.STYLE_LAYERS, "pictures": [None] * 10})
        gr.Markdown(T("style.terms"), elem_classes="hint")
        pictures = {"travelling": travelling, "painting": self.painting}
        begins = {"made": self.made, **({"fast": self.fast.made} if self.fast else {})}
        job(
            run,
            stop,
            self.paint,
            {**pictures, **begins, **self.controls},
            [self.gatys, self.made, self.grams, self.latest],
        )
        live([stop.click], self.keep, {"made": self.made, "latest": self.latest}, [self.gatys, self.grams])
        live([self.gatys.select], self.take, {"made": self.made}, [travelling])
        network = {name: self.controls[name] for name in ("features", "pooling", "seed")}
        job(layers_run, layers_stop, self.reconstruct, {**pictures, **network}, [self.layers])

    def _fast(self, travelling: gr.State) -> FastSection | None:
        """The section, or why there is none."""
        if FAST in self.store.names():
            return FastSection(self.store, travelling, self.painting)
        gr.Markdown(T("style.fast.title"))
        gr.Markdown(T("style.fast.missing"), elem_classes="hint")
        return None

    def _controls(self) -> tuple[dict[str, Any], gr.Button, gr.Button]:
        power = Slider(
            *views.POWERS, 2, step=0.1, label=T("style.power"), info=T("style.power.info"), elem_id="style-power"
        )
        iterations = Slider(1, 500, 120, step=1, label=T("style.iterations"), elem_id="style-iterations")
        size = Slider(slow.MIN_SIZE, slow.MAX_SIZE, 256, step=32, label=T("style.size"), elem_id="style-size")
        starts = (*slow.STARTS, *(("fast",) if self.fast else ()))
        start = gr.Radio(
            [(T(f"style.start.{name}"), name) for name in starts], value="photo", label=T("style.start"),
            elem_id="style-start",
        )  # fmt: skip
        run, stop = run_and_stop("style.run", "style", stop="style.stop")
        with gr.Accordion(T("more"), open=False):
            networks = slow.networks()
            features = gr.Radio(
                [(T(f"style.features.{name}"), name) for name in networks], value=networks[0],
                label=T("style.features"), visible=len(networks) > 1, elem_id="style-features",
            )  # fmt: skip
            pooling = gr.Radio(
                [(T(f"style.pooling.{name}"), name) for name in slow.POOLINGS], value=slow.POOLINGS[0],
                label=T("style.pooling"), visible=len(networks) > 1, elem_id="style-pooling",
            )  # fmt: skip
            optimizer = gr.Radio(
                [("L-BFGS", "lbfgs"), ("Adam", "adam")], value="lbfgs", label=T("style.optimizer"),
                elem_id="style-optimizer",
            )  # fmt: skip
            smoothness = Slider(0, 20, 3, step=0.5, label=T("style.smoothness"), elem_id="style-smoothness")
            content_layer = gr.Dropdown(
                list(slow.CONTENT_LAYERS),
                value="relu4_2",
                label=T("style.content_layer"),
                elem_id="style-content-layer",
            )
            content_weight = Slider(0, 10, 1, step=0.1, label=T("style.content_weight"), elem_id="style-content-weight")
            gr.Markdown(T("style.weights"), elem_classes="hint")
            weights = {
                layer: Slider(0, 10, 1, step=0.1, label=layer, elem_id=f"style-{layer}") for layer in slow.STYLE_LAYERS
            }
            seed = seed_with_dice("style-")
        controls = {
            "style_power": power, "iterations": iterations, "size": size, "start": start, "features": features,
            "pooling": pooling, "optimizer": optimizer, "smoothness": smoothness, "content_layer": content_layer,
            "content_weight": content_weight, **weights, "seed": seed,
        }  # fmt: skip
        return controls, run, stop

    # Handlers

    def paint(self, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Stream the run: previews now and then, each a result that Stop keeps with its request and step."""
        request = views.slow_request(**values)
        recipe = views.slow_recipe(request, self.store)
        pace, started, name = Pace(), time.monotonic(), secrets.token_hex(4)
        for step in steps_in_turn(slow.run(request, self.store), self.store, "job"):
            if not (pace.due() or step.index == step.total):
                yield NOTHING
                continue
            made = views.after(recipe, step)
            shown = views.preview(name, step, made.picture)
            if step.index < step.total:
                yield shown, made, gr.skip(), (request, step)
        seconds = time.monotonic() - started
        yield shown | views.kept(made) | {"seconds": seconds}, made, self._story(request, step), (request, step)

    def keep(self, made: Travelling | None, latest: tuple[slow.SlowRequest, slow.SlowStep] | None) -> tuple[Any, Any]:
        """The run was stopped: what it had made stays, can be saved and handed on, and has its numbers."""
        if made is None or latest is None:
            return gr.skip(), gr.skip()
        return {"stopped": True, **views.kept(made)}, self._story(*latest)

    def _story(self, request: slow.SlowRequest, step: slow.SlowStep) -> dict[str, Any]:
        seen = [request.painting, request.photo, step.images]
        matrices = [self.store.turn.run("job", partial(slow.grams, request, picture, self.store)) for picture in seen]
        return views.story(request, step, matrices)

    def take(self, made: Travelling | None) -> Any:
        return made or gr.skip()

    def reconstruct(
        self, travelling: Travelling | None, painting: Travelling | None, **values: Any
    ) -> Iterator[dict[str, Any]]:
        photo, painted = views.photo_of(travelling), views.painting_of(painting)
        request = slow.LayersRequest(photo, painted, **values)
        pictures: list[str | None] = [None] * len(request.lanes())
        waiting: dict[int, slow.LayersStep] = {}
        pace = Pace()
        for step in steps_in_turn(slow.layers(request, self.store), self.store, "job"):
            waiting[step.lane] = step
            if not (pace.due() or step.index == step.total):
                yield NOTHING
                continue
            for lane, latest in waiting.items():
                pictures[lane] = views.layer(latest)
            waiting = {}
            yield {"layers": slow.STYLE_LAYERS, "pictures": pictures, "index": step.index, "total": step.total}
