"""What every tab shares: named values, lanes, errors as messages, run and stop, dice, travelling picture.

Two lanes share the device. `live` answers sliders: short work, the newest value wins. `job` streams long
runs, one at a time. Both hold the store's turn for one step only, and `live` goes first.
"""

import inspect
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from anyio import to_thread
from gradio.context import Context
from PIL import Image

from imagegen.devices import SEEDS
from imagegen.errors import ImageGenError
from imagegen.recipes import Recipe
from imagegen.store import ModelStore
from imagegen.tasks.journey import MAX_SIDE
from imagegen.ui.inputs import Json, Picture
from imagegen.ui.language import T, explain, locale, visitor_language

__all__ = [
    "JOB",
    "LIVE",
    "NOTHING",
    "Controls",
    "Pace",
    "Travelling",
    "endpoint",
    "fields",
    "hidden",
    "job",
    "last_step",
    "live",
    "named",
    "on_open",
    "picture_out",
    "pictures_in",
    "run_and_stop",
    "said",
    "seed_with_dice",
    "steps_in_turn",
]

Controls = Mapping[str, Any]
"""Gradio components by the name under which a handler gets their values."""

LIVE: dict[str, Any] = {"concurrency_id": "live", "concurrency_limit": 4}
CLICK: dict[str, Any] = {"concurrency_id": "click", "concurrency_limit": 1}
"""One after the other: side by side, the first of two could be answered last, and stay."""
JOB: dict[str, Any] = {"concurrency_id": "job", "concurrency_limit": 1}
HIDDEN: MutableMapping[Any, dict[tuple[Any, str], Any]] = WeakKeyDictionary()
"""Of each app, what its endpoints share."""
NOTHING: Any = object()
"""What a handler yields after a step that it does not show, so that it can be stopped there too."""


@dataclass(frozen=True, eq=False)
class Travelling:
    """The visitor's current picture, which every tab opens with and may replace.

    Two are equal only if they are one and the same: Gradio asks whether the state has changed.

    Args:
        picture: as it was drawn, uploaded or made; made smaller where a side is longer than 1024.
        recipe: what made it, or None for a picture from outside.
        drawn: what the visitor drew for it: the picture itself, or the mask that it was painted under.
    """

    picture: Image.Image
    recipe: Recipe | None = None
    drawn: Image.Image | None = None

    def __post_init__(self) -> None:
        self.picture.thumbnail((MAX_SIDE, MAX_SIDE))  # it is kept for each visitor and goes back to the page


def named(function: Callable[..., Any], controls: Controls) -> Callable[..., Any]:
    """A Gradio handler that calls `function(**values)` and shows errors of ours in the visitor's language.

    Its signature names the controls, so that the API speaks of `digit` and `seed`. Where `function` asks for
    `query`, `language` or `event`, it gets the page's query parameters, the visitor's language and the event's data. A
    generator is stopped at its next yield, be it `NOTHING`.
    """
    wanted = inspect.signature(function).parameters
    extras = {"request": gr.Request, **({"event": gr.EventData} if "event" in wanted else {})}

    def keywords(arguments: tuple[Any, ...]) -> dict[str, Any]:
        values = dict(zip([*controls, *extras], arguments, strict=True))
        request = values.pop("request")
        for value in values.values():
            if isinstance(value, ImageGenError):  # an upload that was refused
                raise value
        if "query" in wanted:
            values["query"] = dict(request.query_params)
        if "language" in wanted:
            values["language"] = visitor_language(request)
        return values

    def fail(problem: ImageGenError, arguments: tuple[Any, ...]) -> gr.Error:
        language = visitor_language(arguments[len(controls)])
        message = escape(explain(problem, language), quote=False)  # Gradio shows it as HTML
        return gr.Error(message, title=locale(language)["error.title"], print_exception=False)

    def call(*arguments: Any) -> Any:
        try:
            return function(**keywords(arguments))
        except ImageGenError as problem:
            raise fail(problem, arguments) from problem

    # Gradio would let a plain generator compute on until it shows something; a coroutine is cancelled at once.
    async def stream(*arguments: Any) -> AsyncIterator[Any]:
        end = object()
        try:
            values = function(**keywords(arguments))
            while (shown := await to_thread.run_sync(next, values, end)) is not end:
                if shown is not NOTHING:
                    yield shown
        except ImageGenError as problem:
            raise fail(problem, arguments) from problem

    handler: Any = stream if inspect.isgeneratorfunction(function) else call
    handler.__name__ = function.__name__
    handler.__doc__ = function.__doc__
    handler.__annotations__ = dict(extras)
    # A default of None lets the API's callers leave a value out; then the component's own value counts.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    handler.__signature__ = inspect.Signature(
        [
            *(inspect.Parameter(name, kind, default=None) for name in controls),
            *(inspect.Parameter(name, kind, default=None, annotation=extra) for name, extra in extras.items()),
        ]
    )
    return handler  # type: ignore[no-any-return]


def live(
    triggers: list[Callable[..., Any]],
    function: Callable[..., Any],
    controls: Controls,
    outputs: Any,
) -> Any:
    """Answer sliders: while one answer is computed, of all newer values only the last is kept.

    Of events with data of their own, such as a click, each is answered, in turn: Gradio would keep the last, with the
    data of the first.
    """
    data = "event" in inspect.signature(function).parameters
    return gr.on(
        triggers,
        named(function, controls),
        list(controls.values()),
        outputs,
        trigger_mode="multiple" if data else "always_last",
        show_progress="hidden",
        api_visibility="private",
        **(CLICK if data else LIVE),
    )


def job(
    run: gr.Button,
    stop: gr.Button,
    function: Callable[..., Iterator[Any]],
    controls: Controls,
    outputs: list[gr.components.Component],
) -> Any:
    """Stream a long run from `run` until it ends or `stop` is pressed; a button shows when it can be used."""
    running = [gr.update(visible=False), gr.update(visible=True)]
    idle = [gr.update(visible=True), gr.update(visible=False)]

    options: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    look = f"() => window.imagegen.look('{outputs[0].elem_id}')"
    ready = run.click(
        lambda: running, None, [run, stop], queue=False, js=look, **options
    )  # before a refusal can end it
    started = ready.then(named(function, controls), list(controls.values()), outputs, **options, **JOB)
    for ended in (started.then, started.failure):  # in Gradio 6 `then` does not follow an error
        ended(lambda: idle, None, [run, stop], queue=False, **options)
    stop.click(lambda: idle, None, [run, stop], cancels=[started], queue=False, **options)
    return started


def run_and_stop(label: str, name: str, stop: str = "stop", variant: Any = "primary") -> tuple[gr.Button, gr.Button]:
    """The two buttons of a `job`; `label` and `stop` are keys of the locales."""
    return (
        gr.Button(T(label), variant=variant, elem_id=f"{name}-run"),
        gr.Button(T(stop), variant="stop", visible=False, elem_id=f"{name}-stop"),
    )


def said(event: gr.EventData) -> dict[str, Any]:
    """What a widget of the page sent with an event, which may be anything."""
    return event._data if isinstance(event._data, dict) else {}


class Pace:
    """Lets a preview through at most every `seconds`; what comes between is computed but not shown."""

    def __init__(self, seconds: float = 0.25) -> None:
        self.seconds = seconds
        self.last = float("-inf")

    def due(self) -> bool:
        """Whether the next preview may go, which then counts as gone."""
        now = time.monotonic()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True


def steps_in_turn(steps: Iterator[Any], store: ModelStore, lane: str) -> Iterator[Any]:
    """The same steps, each computed when it is this lane's turn on the device."""
    while (step := store.turn.run(lane, lambda: next(steps, None))) is not None:
        yield step


def last_step(steps: Iterator[Any], store: ModelStore) -> Any:
    """The result of a short run, for the live lane."""
    *_, last = steps_in_turn(steps, store, "live")
    return last


def on_open(function: Callable[..., Any], outputs: list[Any]) -> None:
    """Call `function` when the page is opened, with what it asks for of `query` and `language`."""
    page = gr.context.Context.root_block
    if page is not None:
        page.load(named(function, {}), None, outputs, api_visibility="private", show_progress="hidden", **LIVE)


def endpoint(
    function: Callable[..., Any],
    controls: Controls,
    outputs: list[gr.components.Component],
    lane: Mapping[str, Any] = LIVE,
) -> None:
    """A named API endpoint, `/function_name`, documented by the function's docstring; a generator streams."""
    hidden(gr.Button).click(
        named(function, controls),
        list(controls.values()),
        outputs,
        api_name=function.__name__,
        api_description=inspect.getdoc(function),
        **lane,
    )


def hidden(kind: Callable[..., Any], **options: Any) -> Any:
    """A component that endpoints use and no page shows. Those alike are one: each makes every page open later."""
    alike = HIDDEN.setdefault(Context.root_block, {})
    key = kind, repr(options)
    if key not in alike:
        alike[key] = kind(**options, visible=False)
    return alike[key]


def fields(**values: Any) -> dict[str, gr.components.Component]:
    """For each value of an endpoint a hidden component that begins with it; lists and dictionaries are JSON."""
    kinds = {list: Json, dict: Json, str: gr.Textbox, bool: gr.Checkbox}
    return {name: hidden(kinds.get(type(value), gr.Number), value=value, label=name) for name, value in values.items()}


def pictures_in(*names: str) -> dict[str, gr.components.Component]:
    """For each picture that an endpoint takes a hidden component."""
    return {name: hidden(Picture, label=name) for name in names}


def picture_out(label: str = "pictures", about: str = "about") -> list[gr.components.Component]:
    """What an endpoint returns: one picture, and what there is to say about it."""
    return [hidden(gr.Image, label=label, format="png"), hidden(gr.JSON, label=about)]


def seed_with_dice(prefix: str = "", value: int = 0) -> gr.Number:
    """A seed and a button that throws another one; `prefix` keeps the ids of each tab apart."""
    with gr.Row(elem_classes="seed-row"):
        seed = gr.Number(value, label=T("seed"), scale=4, min_width=140, elem_id=f"{prefix}seed")
        dice = gr.Button(T("dice"), elem_id=f"{prefix}dice", elem_classes="dice", min_width=104, scale=0)
    dice.click(
        lambda: secrets.randbelow(SEEDS),
        None,
        seed,
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )
    return seed
