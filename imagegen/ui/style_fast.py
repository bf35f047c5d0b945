"""The fast half of the style tab: one pass of `style-fast`, live under sliders, large by tiles, or on the webcam."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from imagegen.images import to_pictures
from imagegen.recipes import Recipe, to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import style as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.tasks.tiles import TileStep
from imagegen.ui.inputs import Slider
from imagegen.ui.language import T
from imagegen.ui.style_views import painting_of, photo_of
from imagegen.ui.widgets import data_url, jpeg, picture_from_pad, saved, widget
from imagegen.ui.wiring import Travelling, job, last_step, live, run_and_stop, steps_in_turn

__all__ = ["FastSection", "request"]

THUMBNAIL, PREVIEW, SHOWN = 96, 256, 1024
"""Longer sides: of each style's picture, of what is painted while sliding, of what the page shows of a large one."""


class FastSection:
    """Controls and handlers, where the page stands; `made` holds the newest result (`Travelling` or None)."""

    def __init__(self, store: ModelStore, travelling: gr.State, painting: gr.State) -> None:
        self.store, self.names = store, task.style_names(store)
        store.checkpoint(task.FAST).verify()
        self.made = gr.State(None)
        gr.Markdown(T("style.fast.title"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340, elem_classes="stage"):
                self.painted = widget("painted")
            with gr.Column(scale=4, min_width=320):
                self.styles = widget("styles", names=self.names, most=task.MAX_MIX)
                keep = gr.Checkbox(False, label=T("style.keep"), elem_id="style-keep")
                size = Slider(128, task.MAX_SIZE, 1024, step=64, label=T("style.large.size"), elem_id="large-size")
                run, stop = run_and_stop("style.large.run", "large", variant="secondary")
                self.file = gr.File(label=T("style.large.file"), visible=False, elem_id="large-file")
        with gr.Accordion(T("style.webcam.title"), open=False):
            gr.Markdown(T("style.webcam.text"), elem_classes="hint")
            webcam = widget("webcam")
        pictures = {"travelling": travelling, "painting": painting}
        asked = {"asked": self.styles, **pictures, "keep_colours": keep}
        live([self.styles.focus, painting.change], self.show_styles, pictures, [self.styles])
        live([self.styles.input], self.preview, asked, [self.painted])
        live([self.styles.release, keep.input], self.paint, asked, [self.painted, self.made])
        job(run, stop, self.paint_large, {**asked, "size": size}, [self.painted, self.made, self.file])
        live([self.painted.select], self.take, {"made": self.made}, [travelling])
        live([webcam.input], self.snapshot, {"frame": webcam, **asked}, [webcam])

    def show_styles(self, travelling: Travelling | None, painting: Travelling | None) -> dict[str, Any]:
        """The visitor's own picture in each of the styles, as small as a thumb."""
        photo = photo_of(travelling)
        height, width = photo.shape[2:]
        side = min(height, width)
        square = photo[..., (height - side) // 2 :, (width - side) // 2 :][..., :side, :side]
        own = painting_of(painting)
        requests = [task.StyleRequest(square, own, style=(name,), size=THUMBNAIL) for name in (task.OWN, *self.names)]
        pictures = [to_pictures(last_step(task.run(each, self.store), self.store).images)[0] for each in requests]
        return {"thumbnails": [data_url(jpeg(picture), "jpeg") for picture in pictures]}

    def preview(self, **values: Any) -> Any:
        """A small picture while a slider moves."""
        asked = request(**values, size=PREVIEW)
        step = last_step(task.run(asked, self.store), self.store)
        return {"after": data_url(jpeg(to_pictures(step.images)[0]), "jpeg")}

    def paint(self, **values: Any) -> tuple[Any, Any]:
        """The whole picture once a slider rests; nothing before a style is chosen."""
        if not isinstance(values["asked"], dict) or "style" not in values["asked"]:
            return gr.skip(), gr.skip()
        asked = request(**values, size=task.WHOLE)
        started = time.monotonic()
        step = last_step(task.run(asked, self.store), self.store)
        picture, recipe = to_pictures(step.images)[0], recipe_of(TASKS["style"], asked, self.store)
        shown = _shown(asked, picture, recipe, time.monotonic() - started)
        return shown, Travelling(picture, recipe)

    def paint_large(self, size: int, **values: Any) -> Iterator[tuple[Any, Any, Any]]:
        asked = request(**values, size=size)
        started = time.monotonic()
        step: TileStep
        for step in steps_in_turn(task.run(asked, self.store), self.store, "job"):
            if step.index < step.total:
                yield {"index": step.index, "total": step.total}, gr.skip(), gr.skip()
        seconds = time.monotonic() - started
        picture, recipe = to_pictures(step.images)[0], recipe_of(TASKS["style"], asked, self.store)
        file = saved(to_png(picture, recipe), "painted.png")
        small = picture.copy()
        small.thumbnail((SHOWN, SHOWN))
        yield _shown(asked, small, recipe, seconds), Travelling(small, recipe), gr.update(value=file, visible=True)

    def take(self, made: Travelling | None) -> Any:
        return made or gr.skip()

    def snapshot(self, frame: object, **values: Any) -> dict[str, Any]:
        """One picture of the webcam, painted as the sliders stand."""
        photo = Travelling(picture_from_pad(frame))
        asked = request(**values | {"travelling": photo}, size=PREVIEW)
        step = last_step(task.run(asked, self.store), self.store)
        return {"painted": data_url(jpeg(to_pictures(step.images)[0]), "jpeg")}


def request(
    asked: object, travelling: Travelling | None, painting: Travelling | None, keep_colours: bool, size: int
) -> task.StyleRequest:
    """A request of the page's values; `asked` is what the styles widget says."""
    said = asked if isinstance(asked, dict) else {}
    style = said.get("style", ())
    own = isinstance(style, list) and task.OWN in style
    return task.StyleRequest(
        photo_of(travelling),
        painting_of(painting) if own else None,
        style,
        said.get("weights", ()),
        said.get("strength", 1.0),
        keep_colours,
        size,
    )


def _shown(asked: task.StyleRequest, picture: Image.Image, recipe: Recipe, seconds: float) -> dict[str, Any]:
    before = to_pictures(asked.photo)[0].resize(picture.size, Image.Resampling.BICUBIC)
    return {
        "before": data_url(jpeg(before), "jpeg"),
        "after": data_url(to_png(picture, recipe)),
        "link": to_link(recipe),
        "seconds": seconds,
        "size": asked.size,
    }
