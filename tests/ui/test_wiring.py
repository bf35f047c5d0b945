"""What every tab shares: how often a preview may go, and where a stream can be stopped."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import gradio as gr
import pytest

from imagegen.errors import InputError
from imagegen.ui.wiring import NOTHING, Pace, named


def test_previews_go_at_most_once_in_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(0.5)
    gone = []
    for now in (100, 100, 100.25, 100.5, 100.75, 101.25, 101.5, 101.75, 104, 104.25):
        if pace.due():
            gone.append(now)
    assert gone == [100, 100.5, 101.25, 101.75, 104]


def test_the_first_preview_goes_at_once_even_right_after_the_machine_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    pace = Pace()
    assert pace.due()
    assert not pace.due()
    assert Pace().due()


def test_a_visitor_sees_four_to_eight_previews_a_second() -> None:
    assert 1 / 8 <= Pace().seconds <= 1 / 4


def test_what_a_message_names_is_no_html() -> None:
    def refuse() -> None:
        raise InputError("There is no {name}.", name="<img src=x>")

    with pytest.raises(gr.Error, match="no &lt;img src=x&gt;"):
        named(refuse, {})(None)


def test_a_stream_shows_what_there_is_to_show() -> None:
    def steps() -> Iterator[Any]:
        yield from (1, NOTHING, NOTHING, None, (2, 3))

    async def visit() -> list[Any]:
        return [shown async for shown in named(steps, {})(None)]

    assert asyncio.run(visit()) == [1, None, (2, 3)]


def test_a_cancelled_stream_stops_at_the_step_that_is_being_computed() -> None:
    computed: list[int] = []
    closed = threading.Event()

    def steps() -> Iterator[Any]:
        try:
            for step in range(100):
                time.sleep(0.02)
                computed.append(step)
                yield NOTHING if step else step
        finally:
            closed.set()

    async def visit() -> int:
        stream = named(steps, {})(None)
        assert await anext(stream) == 0
        waiting = asyncio.ensure_future(anext(stream))
        while len(computed) < 5:
            await asyncio.sleep(0.001)
        waiting.cancel()
        at = len(computed)
        with suppress(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(closed.wait, 5)
        return at

    at = asyncio.run(visit())
    assert len(computed) <= at + 1
