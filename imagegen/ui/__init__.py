"""The page: the only place that imports gradio. One file a tab; here they are put together."""

import json
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import gradio as gr

from imagegen.errors import ImageGenError
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.text_to_image import CHECKPOINT
from imagegen.ui import diffusion, diffusion_views, editing, gan, journey, sr, style, text_to_image, vae
from imagegen.ui.language import LANGUAGES, T, i18n, locale
from imagegen.ui.launch import DELETE_CACHE, Look, Settings
from imagegen.ui.theme import theme
from imagegen.ui.widgets import STATIC, widget
from imagegen.ui.wiring import live, said

__all__ = ["TABS", "add_tab", "create_app", "look", "warm_up"]

TABS = {"gan": gan, "vae": vae, "diff": diffusion, "words": text_to_image, "edit": editing, "style": style, "sr": sr}
"""What builds each, by its key in the page's words; in the order of the page."""
WARM_UP_AFTER = 2.0  # seconds, in which the first page is served


def create_app(store: ModelStore) -> gr.Blocks:
    """All tabs around one travelling picture."""
    with gr.Blocks(title="ImageGen from Zero", delete_cache=DELETE_CACHE, analytics_enabled=False) as app:
        widget("header", {"device": store.device.type})
        start = widget("start")
        travelling = gr.State(None)
        journey.build(store, travelling)
        with gr.Tabs() as tabs:
            for key in TABS:
                add_tab(key, store, travelling, tabs)
        live([start.select], _open_tab, {}, [tabs])
    return app  # type: ignore[no-any-return]


def add_tab(key: str, store: ModelStore, travelling: gr.State, tabs: gr.Tabs) -> None:
    """A tab of `TABS`. What is missing or damaged turns it off, with the reason in its place.

    Args:
        travelling: the visitor's current picture, a `wiring.Travelling` or None.
    """
    with gr.Tab(T(f"{key}.tab"), id=key):
        try:
            TABS[key].build(store, travelling, tabs)
        except ImageGenError as problem:
            reason = {name: str(value) for name, value in problem.values.items()}
            widget("off", {"template": problem.template, "values": reason}, elem_id=f"{key}-off")


def _open_tab(event: gr.EventData) -> Any:
    """The tab that a visitor chose to begin with."""
    asked = said(event)
    return gr.Tabs(selected=checks.choice("tab", asked.get("tab"), [*TABS]))


def look(settings: Settings) -> Look:
    """Theme, styles and scripts, as `launch` takes them."""
    words = {language: locale(language) for language in LANGUAGES}
    files = ("page.css", "page.js", "line.js", "icon.svg")
    style, script, line, icon = ((STATIC / name).read_text(encoding="utf-8") for name in files)
    link = f'<link rel="icon" href="data:image/svg+xml,{quote(icon)}">'
    first = "null" if settings.lang == "auto" else json.dumps(settings.lang)
    data = f"window.imagegenWords = {json.dumps(words)}; window.imagegenLanguage = {first};"
    return {
        "theme": theme(),
        "head": f"{link}<style>{style}</style><script>{data}\n{script}\n{line}</script>",  # `css` would be rescoped
        "i18n": i18n(),
    }


def warm_up(store: ModelStore) -> None:
    """Load in the background what the first picture of the tabs with steps would otherwise wait seconds for."""

    def load() -> None:
        for name in (*diffusion_views.needed(store), CHECKPOINT):
            with suppress(ImageGenError):  # the tab has said why
                store.get(name)

    timer = threading.Timer(WARM_UP_AFTER, load)
    timer.daemon = True
    timer.start()
