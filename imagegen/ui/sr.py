"""The super-resolution tab: a picture four times as large, and what of it was recovered and what invented."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.models import sr as networks
from imagegen.recipes import to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import sr as task
from imagegen.tasks import sr_truth, tiles
from imagegen.tasks.registry import recipe_of, task_of
from imagegen.ui import sr_views as views
from imagegen.ui.bringing import photo_and_examples
from imagegen.ui.language import T
from imagegen.ui.sr_api import add_endpoints
from imagegen.ui.widgets import data_url, source, widget
from imagegen.ui.wiring import JOB, NOTHING, Travelling, job, named, run_and_stop, said, steps_in_turn

__all__ = ["build"]


def build(store: ModelStore, travelling: gr.State, _tabs: gr.Tabs) -> None:
    """Add the tab's contents and endpoints. What needs a network that is not there says so."""
    _Tab(store, travelling)
    add_endpoints(store)


class _Tab:
    """Components by name, and the handlers that turn their values into requests."""

    def __init__(self, store: ModelStore, travelling: gr.State) -> None:
        self.store = store
        self.names = views.models(store)
        self.subject = gr.State(None)
        gr.Markdown(T("sr.intro"), elem_classes="intro")
        with gr.Row(equal_height=False):
            with gr.Column(scale=8, min_width=340):
                self.enlarge = widget("enlarge", there=self.names)
            with gr.Column(scale=3, min_width=280):
                controls = self._controls()
                run, stop = run_and_stop("sr.run", "sr")
                photo_and_examples(travelling, "sr-")
                gr.Markdown(T("sr.terms"), elem_classes="hint")
        gr.Markdown(T("sr.ways.title"))
        widget("ways", there=self.names)
        gr.Markdown(T("sr.truth.title"))
        self.truth = widget("truth")
        with gr.Accordion(T("story.title"), open=False):
            gr.Markdown(T("sr.story"))
            self.told = views.losses(store, self.names)
            self.losses = widget("losses", self.told)
            code = (task.run, tiles.in_tiles, networks.SuperResolver.forward, networks.upscale)
            widget("listing", source(*code, networks.luma, networks.psnr), elem_id="sr-listing")
        outputs = [self.enlarge, self.truth, self.losses, self.subject]
        job(run, stop, self.stream, {**controls, "travelling": travelling}, outputs)
        self.enlarge.select(
            named(self.keep, {"subject": self.subject}), [self.subject], [self.enlarge, travelling],
            show_progress="hidden", api_visibility="private", **JOB,
        )  # fmt: skip

    def _controls(self) -> dict[str, Any]:
        labels = {task.FAITHFUL: T("sr.model.clean"), task.REAL: T("sr.model.real")}
        sources = [(T("sr.source.whole"), "whole"), (T("sr.source.truth"), "truth")]
        source = gr.Radio(sources, value="whole", label=T("sr.source"), info=T("sr.source.info"), elem_id="sr-source")
        model = gr.Radio(
            [(label, name) for name, label in labels.items() if name in self.names], value=task.FAITHFUL,
            label=T("sr.model"), elem_id="sr-model",
        )  # fmt: skip
        if task.REAL not in self.names:
            gr.Markdown(T("sr.real.missing"), elem_classes="hint")
        return {"source": source, "model": model}

    # Handlers

    def stream(self, source: str, model: str, travelling: Travelling | None) -> Iterator[Any]:
        """Enlarge the picture, a tile a step; then hold the results against the truth, where it is known.

        What is enlarged is said at both ends, so that a page that missed the beginning still shows the result.
        """
        subject = views.subject(self.names, travelling, source, model)
        names = views.ways(self.names, subject)
        about = views.about(subject, names)
        yield {"kind": "start", "about": about}, None, self.told, subject
        started = time.monotonic()
        steps = task.enlarge(to_tensor(subject.low_res), names, self.store)
        for step in steps_in_turn(steps, self.store, "job"):
            yield views.tile(about["run"], names, step), gr.skip(), gr.skip(), gr.skip()
        seconds = time.monotonic() - started
        results = dict(zip(names, to_pictures(step.images), strict=True))
        ways = {views.BICUBIC: views.bicubic(subject.low_res), **results}
        back = views.given_back(ways, subject)
        done = {"about": about, **views.done(results, seconds, step.total)}
        yield done, gr.skip(), {**self.told, "back": back}, gr.skip()
        if subject.truth is not None:
            yield from self._judged(subject.truth, ways, back)

    def _judged(self, truth: Image.Image, ways: dict[str, Image.Image], back: dict[str, Any]) -> Iterator[Any]:
        mixes = views.MIXES if task.PLEASING in ways else ()
        between = [views.mixed(ways[task.FAITHFUL], ways[task.PLEASING], share) for share in mixes]
        for step in steps_in_turn(sr_truth.judge(truth, [*ways.values(), *between], self.store), self.store, "job"):
            if not step.verdicts:
                yield NOTHING
        judged = dict(zip(ways, step.verdicts, strict=False))
        curve = list(zip(mixes, step.verdicts[len(ways) :], strict=True))
        if mixes:
            curve = [(0.0, judged[task.FAITHFUL]), *curve, (1.0, judged[task.PLEASING])]
        losses = {**self.told, "back": back, "l1": {name: verdict.l1 for name, verdict in judged.items()}}
        yield gr.skip(), views.verdicts(judged, curve), losses, gr.skip()

    def keep(self, subject: views.Subject | None, event: gr.EventData) -> Iterator[Any]:
        """The picture at the slider's place, made again with its recipe: to download, or as the visitor's own."""
        if subject is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        asked = said(event)
        request = views.request(subject, self.names, asked.get("pleasing", 0))
        for step in steps_in_turn(task.run(request, self.store), self.store, "job"):
            images = step.images
            yield NOTHING
        (picture,) = to_pictures(images)
        recipe = recipe_of(task_of(request), request, self.store)
        if asked.get("take"):
            yield {"kind": "taken", "link": to_link(recipe)}, Travelling(picture, recipe)
        else:
            again = secrets.token_hex(4)  # the page is told of what differs only
            yield {"kind": "file", "png": data_url(to_png(picture, recipe)), "again": again}, gr.skip()
